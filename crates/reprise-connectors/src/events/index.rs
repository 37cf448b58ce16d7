//! The index of a shard at T: its events, dealt out by site into a few files,
//! so that a site's are found without reading the archive again, and no more
//! than one site's have to be in memory.
//!
//! ```text
//! <store>-<shard>-<T>/
//!   manifest.json     T, the sources it was made from, what they hold; written last
//!   events-00 ...     JSON lines
//! ```
//! It is built beside its place and renamed into it: it is whole or not there.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use reprise_model::{Events, Fault, SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::complete::{Rules, Seen};
use super::config::Archive;
use super::scan::Scan;
use super::segments::{Damage, Segment};
use crate::shared::room;

pub(super) const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;
/// Files that the events are dealt out to: open at the same time, while it is built.
const FILES: usize = 64;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    pub target_time: Option<Timestamp>,
    pub archive: PathBuf,
    pub second: Option<PathBuf>,
    /// How the estate had them read.
    pub events: Events,
    /// What each copy consisted of.
    pub segments: Vec<Vec<Segment>>,
    /// Events at or before T, each number once for each copy that has it.
    pub read: u64,
    pub last_before: Option<Timestamp>,
    pub first_after: Option<Timestamp>,
    /// Pieces that no copy has whole.
    pub damages: Vec<Damage>,
}

/// What an index is made of, and where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub folder: PathBuf,
    pub target: Option<Timestamp>,
    pub archive: Archive,
    pub events: Events,
    /// Written while it is put into its place, read while a file of it is opened.
    pub swap: Arc<RwLock<()>>,
}

/// An event as it stands in the index. Those after T have no payload: they
/// only prove what is before them.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(rename = "s")]
    pub site: std::borrow::Cow<'a, str>,
    #[serde(rename = "t")]
    pub stream: std::borrow::Cow<'a, str>,
    #[serde(rename = "e")]
    pub seen: Seen,
    #[serde(rename = "p", borrow, default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<&'a RawValue>,
}

impl Index {
    pub fn rules(&self, manifest: &Manifest) -> Rules {
        Rules {
            target: self.target,
            end: self.target.or(manifest.last_before),
            first: self.events.first,
            max_silence: self.events.max_silence.map(|elapsed| elapsed.0),
        }
    }

    /// Absent where nothing is, or something of another T or place.
    pub fn manifest(&self) -> Option<Manifest> {
        let text = fs::read(self.folder.join(MANIFEST)).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let fits = manifest.version == VERSION
            && manifest.target_time == self.target
            && manifest.archive == self.archive.path
            && manifest.second == self.archive.second
            && manifest.events == self.events;
        fits.then_some(manifest)
    }

    /// Whether the archive is still what the index was made from. A gap may
    /// have been filled since.
    pub fn is_current(&self, manifest: &Manifest) -> bool {
        self.segments()
            .is_ok_and(|segments| segments == manifest.segments)
    }

    fn segments(&self) -> Result<Vec<Vec<Segment>>, Fault> {
        let copies = self.archive.copies();
        copies
            .map(|folder| match super::segments::list(folder)? {
                found if found.is_empty() => {
                    let shown = folder.display();
                    Err(Fault::permanent(format!("{shown} holds no segments"))
                        .hint("segments are files named `*.jsonl` or `*.jsonl.zst`"))
                }
                found => Ok(found),
            })
            .collect()
    }

    /// Reads all segments of both copies once.
    pub fn build(&self, payloads: bool) -> Result<Manifest, Fault> {
        let draft = self.draft();
        remove(&draft).map_err(|error| fault("delete", &draft, &error))?;
        let made = self.build_in(&draft, payloads);
        if made.is_err() {
            let _ = remove(&draft);
        }
        made.map_err(|fault| room::explain(&self.folder, fault))
    }

    fn build_in(&self, draft: &Path, payloads: bool) -> Result<Manifest, Fault> {
        // The folder above is for all stores, some of other accounts.
        if let Some(root) = draft.parent() {
            fs::create_dir_all(root).map_err(|error| fault("create", root, &error))?;
        }
        let mut private = fs::DirBuilder::new();
        let made = private.mode(0o700).create(draft);
        made.map_err(|error| fault("create", draft, &error))?;
        let manifest = self.deal(draft, payloads)?;
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        let put = File::create(draft.join(MANIFEST)).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            File::open(draft)?.sync_all()?;
            let _swap = self.swap.write();
            remove(&self.folder)?;
            fs::rename(draft, &self.folder)
        });
        put.map_err(|error| fault("write", &self.folder, &error))?;
        Ok(manifest)
    }

    /// Of this process alone: another coordinator builds its own.
    fn draft(&self) -> PathBuf {
        let mut name = self.folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".building-{}", std::process::id()));
        self.folder.with_file_name(name)
    }

    fn deal(&self, draft: &Path, payloads: bool) -> Result<Manifest, Fault> {
        let segments = self.segments()?;
        let mut files = Vec::with_capacity(FILES);
        for number in 0..FILES {
            let path = bucket(draft, number);
            let file = File::create(&path).map_err(|error| fault("write", &path, &error))?;
            files.push(BufWriter::with_capacity(1 << 16, file));
        }
        let mut scan = Scan::new(self.target);
        for (copy, (folder, segments)) in self.archive.copies().zip(&segments).enumerate() {
            let copy = u8::try_from(copy).expect("there are two copies at most");
            scan.copy(
                copy,
                folder,
                segments,
                &self.events.fields,
                |event, seen| {
                    let is_in = self.target.is_none_or(|target| seen.time <= target);
                    let record = Record {
                        site: event.site.clone(),
                        stream: event.stream.clone(),
                        seen,
                        payload: (payloads && is_in).then_some(event.payload),
                    };
                    let mut line = serde_json::to_vec(&record).expect("a record is plain data");
                    line.push(b'\n');
                    let number = number_of(&event.site);
                    files[number]
                        .write_all(&line)
                        .map_err(|error| fault("write", draft, &error))
                },
            )?;
        }
        for file in files {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(|file| file.sync_all())
                .map_err(|error| fault("write", draft, &error))?;
        }
        Ok(Manifest {
            version: VERSION,
            target_time: self.target,
            archive: self.archive.path.clone(),
            second: self.archive.second.clone(),
            events: self.events.clone(),
            read: scan.read,
            last_before: scan.last_before,
            first_after: scan.first_after,
            damages: scan.open_damages(&segments),
            segments,
        })
    }

    /// Hands over every record of the site, or of all sites in one of the
    /// files, in the order in which it was read.
    fn records(
        &self,
        number: usize,
        mut take: impl FnMut(Record<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let path = bucket(&self.folder, number);
        let wrong = |error: &dyn std::fmt::Display| fault("read", &path, error);
        let file = {
            let _swap = self.swap.read();
            File::open(&path).map_err(|error| wrong(&error))?
        };
        let mut reader = BufReader::with_capacity(1 << 17, file);
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).map_err(|error| wrong(&error))? == 0 {
                return Ok(());
            }
            take(serde_json::from_str(&line).map_err(|error| wrong(&error))?)?;
        }
    }

    pub fn of_site(&self, site: &SiteId, mut take: impl FnMut(Record<'_>)) -> Result<(), Fault> {
        self.records(number_of(site.as_str()), |record| {
            if record.site == site.as_str() {
                take(record);
            }
            Ok(())
        })
    }

    /// The events of all sites, a few sites at a time.
    pub fn of_all(&self, mut take: impl FnMut(usize, Record<'_>)) -> Result<(), Fault> {
        for number in 0..FILES {
            self.records(number, |record| {
                take(number, record);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The manifest goes first: what is half deleted is nothing.
    pub fn delete(&self) -> Result<(), Fault> {
        let manifest = self.folder.join(MANIFEST);
        match fs::remove_file(&manifest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fault("delete", &manifest, &error));
            }
            _ => {}
        }
        remove(&self.folder).map_err(|error| fault("delete", &self.folder, &error))
    }
}

fn bucket(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("events-{number:02}"))
}

fn number_of(site: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    site.hash(&mut hasher);
    usize::try_from(hasher.finish() % FILES as u64).expect("it is below the number of files")
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fault(doing: &str, path: &Path, why: &dyn std::fmt::Display) -> Fault {
    Fault::refused(format!("cannot {doing} {}: {why}", path.display()))
}
