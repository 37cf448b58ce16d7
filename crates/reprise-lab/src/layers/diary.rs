//! The diary: what each site has in each layer, as its only writer left it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use serde::{Deserialize, Serialize};

use super::Items;
use crate::Error;
use crate::layout::Layout;

/// Items of one site that were read back; absent ones are gone.
#[derive(Serialize, Deserialize)]
struct Line {
    layer: String,
    site: i64,
    items: BTreeMap<String, Option<String>>,
}

/// Appends lines; each is one write, so that several processes may share the file.
#[derive(Debug)]
pub struct Diary {
    file: File,
    layout: Layout,
}

impl Diary {
    pub fn open(layout: &Layout) -> Result<Self, Error> {
        let path = layout.diary();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        Ok(Self {
            file,
            layout: layout.clone(),
        })
    }

    /// Notes all that differs between two readings of a site.
    pub fn note(&self, layer: &str, site: i64, before: &Items, now: &Items) -> Result<(), Error> {
        let mut items: BTreeMap<String, Option<String>> = now
            .iter()
            .filter(|(item, digest)| before.get(*item) != Some(digest))
            .map(|(item, digest)| (item.clone(), Some(digest.clone())))
            .collect();
        let gone = before.keys().filter(|item| !now.contains_key(*item));
        items.extend(gone.map(|item| (item.clone(), None)));
        if items.is_empty() {
            return Ok(());
        }
        let path = self.layout.diary();
        let line = Line {
            layer: layer.to_owned(),
            site,
            items,
        };
        let mut text = serde_json::to_vec(&line).map_err(Error::unreadable(&path))?;
        text.push(b'\n');
        (&self.file)
            .write_all(&text)
            .map_err(Error::io("write", &path))
    }
}

/// What each site has in a layer, by all lines up to now.
pub fn read(layout: &Layout, layer: &str) -> Result<BTreeMap<i64, Items>, Error> {
    let path = layout.diary();
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    let mut sites: BTreeMap<i64, Items> = BTreeMap::new();
    for text in BufReader::new(file).lines() {
        let text = text.map_err(Error::io("read", &path))?;
        let line: Line = serde_json::from_str(&text).map_err(Error::unreadable(&path))?;
        if line.layer != layer {
            continue;
        }
        let known = sites.entry(line.site).or_default();
        for (item, digest) in line.items {
            match digest {
                Some(digest) => known.insert(item, digest),
                None => known.remove(&item),
            };
        }
    }
    Ok(sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(of: &[(&str, &str)]) -> Items {
        let pairs = of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        pairs.collect()
    }

    #[test]
    fn the_sum_of_the_lines_is_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let diary = Diary::open(&layout).unwrap();
        let steps = [
            items(&[]),
            items(&[("a", "1"), ("b", "1")]),
            items(&[("a", "2"), ("c", "1")]),
        ];
        for pair in steps.windows(2) {
            diary.note("media", 7, &pair[0], &pair[1]).unwrap();
        }
        diary
            .note("wiki", 7, &items(&[]), &items(&[("x", "1")]))
            .unwrap();
        let read = read(&layout, "media").unwrap();
        assert_eq!(read, [(7, items(&[("a", "2"), ("c", "1")]))].into());
    }
}
