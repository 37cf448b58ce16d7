//! The ledger: which rows the writers and the accident changed.
//!
//! A line is written after a transaction's statements and before its commit,
//! so the file has every change that anybody can see, and some that were
//! rolled back. Whoever changes a row that another has changed waits for the
//! other's commit, so the lines that name one row are in the order of its
//! changes. A row's version is the id of the transaction that wrote it
//! (`xmin`): nobody but that writer can have made it what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

use crate::Error;
use crate::layout::Layout;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Inserted or updated: the row is this transaction's version now.
    Written,
    Deleted,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    pub change: Change,
    pub table: String,
    pub key: String,
    pub site: i64,
}

/// One transaction on one cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub cluster: String,
    pub xid: String,
    pub rows: Vec<Row>,
}

/// Appends entries; each is one write, so that several processes may share the file.
#[derive(Debug)]
pub struct Writer {
    file: File,
    layout: Layout,
}

impl Writer {
    pub fn open(layout: &Layout) -> Result<Self, Error> {
        let path = layout.ledger();
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

    pub fn append(&self, entry: &Entry) -> Result<(), Error> {
        let path = self.layout.ledger();
        let mut line = serde_json::to_vec(entry).map_err(Error::unreadable(&path))?;
        line.push(b'\n');
        (&self.file)
            .write_all(&line)
            .map_err(Error::io("write", &path))
    }
}

/// The entries of one cluster, in order.
pub fn read(layout: &Layout, cluster: &str) -> Result<Vec<Entry>, Error> {
    let path = layout.ledger();
    let file = match File::open(&path) {
        Ok(file) => file,
        // Nobody has written yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("open", &path)(error)),
    };
    let mut entries = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(Error::io("read", &path))?;
        // A killed writer may leave half a line; it never got to its commit.
        let Ok(entry) = serde_json::from_str::<Entry>(&line) else {
            continue;
        };
        if entry.cluster == cluster {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Of `entries`, those that committed and that the connection's transaction sees.
pub async fn visible(
    entries: Vec<Entry>,
    connection: &mut PgConnection,
    cluster: &str,
) -> Result<Vec<Entry>, Error> {
    let xids: Vec<String> = entries.iter().map(|entry| entry.xid.clone()).collect();
    let seen: BTreeSet<String> = sqlx::query_scalar(
        "select x from unnest($1::text[]) x
         where pg_visible_in_snapshot(x::xid8, pg_current_snapshot())
           and pg_xact_status(x::xid8) = 'committed'",
    )
    .bind(xids)
    .fetch_all(connection)
    .await
    .map_err(Error::sql("looking up transactions", cluster))?
    .into_iter()
    .collect();
    Ok(entries
        .into_iter()
        .filter(|entry| seen.contains(&entry.xid))
        .collect())
}

/// What the ledger says in the end: by table and key, the version that the
/// row has, or that it is gone. Rows of the sites in `except` are left out.
pub type Verdicts = BTreeMap<(String, String), Option<String>>;

pub fn fold(entries: &[Entry], except: &BTreeSet<i64>) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for entry in entries {
        for row in entry.rows.iter().filter(|row| !except.contains(&row.site)) {
            let version = match row.change {
                Change::Written => Some(xmin(&entry.xid)),
                Change::Deleted => None,
            };
            verdicts.insert((row.table.clone(), row.key.clone()), version);
        }
    }
    verdicts
}

/// A row's `xmin` is the lower half of the transaction's full id.
fn xmin(xid: &str) -> String {
    let full: u64 = xid.parse().unwrap_or_default();
    (full & 0xffff_ffff).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(xid: &str, change: Change, key: &str, site: i64) -> Entry {
        Entry {
            cluster: "s01".to_owned(),
            xid: xid.to_owned(),
            rows: vec![Row {
                change,
                table: "t".to_owned(),
                key: key.to_owned(),
                site,
            }],
        }
    }

    #[test]
    fn the_last_change_of_a_row_counts() {
        let entries = [
            entry("10", Change::Written, "a", 1),
            entry("4294967307", Change::Written, "a", 1),
            entry("12", Change::Written, "b", 1),
            entry("13", Change::Deleted, "b", 1),
            entry("14", Change::Written, "c", 2),
        ];
        let verdicts = fold(&entries, &BTreeSet::from([2]));
        let expect = [("a", Some("11")), ("b", None)]
            .map(|(key, version)| (("t".to_owned(), key.to_owned()), version.map(str::to_owned)));
        assert_eq!(verdicts, Verdicts::from(expect));
    }

    #[test]
    fn half_a_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path()).unwrap();
        assert_eq!(read(&layout, "s01").unwrap(), []);
        let writer = Writer::open(&layout).unwrap();
        let whole = entry("10", Change::Written, "a", 1);
        writer.append(&whole).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(layout.ledger())
            .and_then(|mut file| file.write_all(b"{\"cluster\":\"s01\",\"xi"))
            .unwrap();
        assert_eq!(read(&layout, "s01").unwrap(), [whole]);
        assert_eq!(read(&layout, "s02").unwrap(), []);
    }
}
