//! The binary log: which files there are, and which transactions are in them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};

use super::events::{Unreadable, walk};

/// `domain-server-sequence`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gtid {
    pub domain: u32,
    pub server: u32,
    pub sequence: u64,
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// One transaction: it begins at `offset` of the file, and was committed
/// within the second `at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    pub gtid: Gtid,
    pub at: i64,
    pub offset: u64,
    /// A statement in it reads or writes times in the server's own zone, whose
    /// name the log does not have.
    pub in_system_zone: bool,
}

/// One file of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFile {
    pub path: PathBuf,
    pub name: String,
    /// When it was begun: all before it was committed by then.
    pub begun: i64,
    /// The newest transactions before it, as its server knew them.
    pub follows: Option<Vec<Gtid>>,
    pub groups: Vec<Group>,
    /// When the server went on in another file, if that is how this one ends.
    pub rotated: Option<i64>,
    /// The second of what is not in it to its end: the file was cut off, or
    /// copied while its server was writing.
    pub torn: Option<i64>,
    /// The end of its last whole event, or of its last whole transaction.
    pub end: u64,
    pub written: Option<Timestamp>,
}

/// The files of a folder that are binary logs, in their order. Those before
/// `from` are left out.
pub fn read_folder(folder: &Path, from: &str) -> Result<Vec<LogFile>, Fault> {
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut paths: Vec<(String, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| same_log(name, from) && number(name) >= number(from))
        .collect();
    paths.sort_by_key(|(name, _)| number(name));
    if paths.first().is_none_or(|(name, _)| name != from) {
        return Err(Fault::refused(format!(
            "{} does not hold {from}, in which the backup ends",
            folder.display()
        ))
        .hint("the backup's own binary log and all after it are needed"));
    }
    for pair in paths.windows(2) {
        if number(&pair[1].0) != number(&pair[0].0).map(|number| number + 1) {
            return Err(Fault::refused(format!(
                "{} has a hole: {} follows {}",
                folder.display(),
                pair[1].0,
                pair[0].0
            )));
        }
    }
    let files: Result<Vec<LogFile>, Fault> = paths
        .into_iter()
        .map(|(name, path)| read(name, path))
        .collect();
    files.and_then(|files| each_follows(&files).map(|()| files))
}

/// Each file says which transactions came before it: a copy of the one before
/// that was made too early, and ends between two of them, is found out by that.
fn each_follows(files: &[LogFile]) -> Result<(), Fault> {
    let mut newest: BTreeMap<u32, Gtid> = BTreeMap::new();
    let mut before: Option<&LogFile> = None;
    for file in files {
        let follows = file.follows.as_deref().unwrap_or_default();
        for (domain, ours) in &newest {
            let mut theirs = follows
                .iter()
                .filter(|gtid| gtid.domain == *domain)
                .peekable();
            // A domain that is not listed was deleted by its administrator.
            let Some(first) = theirs.peek().copied() else {
                continue;
            };
            if !theirs.any(|gtid| gtid == ours) {
                let cut =
                    before.map_or_else(String::new, |before| before.path.display().to_string());
                return Err(Fault::refused(format!(
                    "{cut} is not whole: its last transaction is {ours}, and {} begins after {first}",
                    file.name
                ))
                .hint("copy it again: it was copied while its server was still writing it"));
            }
        }
        let all = follows.iter().copied();
        for gtid in all.chain(file.groups.iter().map(|group| group.gtid)) {
            newest.insert(gtid.domain, gtid);
        }
        before = Some(file);
    }
    Ok(())
}

/// `bin.000002` and `bin.000010` are of one log.
fn same_log(name: &str, other: &str) -> bool {
    let stem = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    number(name).is_some() && stem(name) == stem(other)
}

pub fn number(name: &str) -> Option<u64> {
    let digits = name.rsplit_once('.')?.1;
    let only = digits.bytes().all(|byte| byte.is_ascii_digit());
    if only { digits.parse().ok() } else { None }
}

fn read(name: String, path: PathBuf) -> Result<LogFile, Fault> {
    let file = File::open(&path).map_err(|error| cannot("open", &path, &error))?;
    let length = file
        .metadata()
        .map_err(|error| cannot("look at", &path, &error))?;
    let written = length.modified().ok().and_then(timestamp);
    let mut log = LogFile {
        name,
        begun: 0,
        follows: None,
        groups: Vec::new(),
        rotated: None,
        torn: None,
        end: 0,
        written,
        path,
    };
    match walk(&mut log, BufReader::new(file), length.len()) {
        Ok(()) => Ok(log),
        Err(Unreadable::Io(error)) => Err(cannot("read", &log.path, &error)),
        Err(Unreadable::What(what)) => Err(Fault::permanent(format!(
            "{} at byte {}: {what}",
            log.path.display(),
            log.end
        ))),
    }
}

fn timestamp(time: std::time::SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(
        i64::try_from(since.as_micros()).ok()?,
    ))
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::refused(format!("cannot {doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::events::{
        FORMAT, GTID, GTID_LIST, HEADER, MAGIC, QUERY, ROTATE, START_ENCRYPTION, XID,
    };
    use super::*;

    fn event(at: u32, kind: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = at.to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(7u32.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(body);
        bytes
    }

    fn gtid(at: u32, sequence: u64, flags: u8) -> Vec<u8> {
        let mut body = sequence.to_le_bytes().to_vec();
        body.extend(0u32.to_le_bytes());
        body.push(flags);
        event(at, GTID, &body)
    }

    fn query(at: u32, settings: &[u8], text: &str) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend([3, 0, 0]);
        body.extend(u16::try_from(settings.len()).unwrap().to_le_bytes());
        body.extend(settings);
        body.extend(b"app\0");
        body.extend(text.as_bytes());
        event(at, QUERY, &body)
    }

    /// One that is whole.
    fn transaction(at: u32, sequence: u64) -> Vec<u8> {
        let insert = query(at, b"", "insert");
        [gtid(at, sequence, 0), insert, event(at, XID, &[0; 8])].concat()
    }

    fn read_one(events: &[Vec<u8>]) -> LogFile {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bin.000001"), log(events)).unwrap();
        read_folder(folder.path(), "bin.000001").unwrap().remove(0)
    }

    fn log(events: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(events.concat());
        bytes
    }

    #[test]
    fn transactions_are_found_with_their_seconds_and_a_torn_end_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let whole = log(&[
            event(90, FORMAT, &[0; 60]),
            transaction(100, 5),
            transaction(101, 6),
        ]);
        let mut torn = whole.clone();
        torn.extend(&gtid(102, 7, 0)[..25]);
        fs::write(folder.path().join("bin.000009"), &whole).unwrap();
        fs::write(folder.path().join("bin.000010"), &torn).unwrap();
        fs::write(folder.path().join("bin.index"), "x").unwrap();
        let files = read_folder(folder.path(), "bin.000009").unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["bin.000009", "bin.000010"]);
        assert_eq!(
            files[0],
            LogFile {
                end: whole.len() as u64,
                ..files[0].clone()
            }
        );
        assert_eq!((files[0].torn, files[1].torn), (None, Some(102)));
        assert_eq!(files[1].end, whole.len() as u64, "torn");
        let found: Vec<(String, i64)> = files[0]
            .groups
            .iter()
            .map(|g| (g.gtid.to_string(), g.at))
            .collect();
        assert_eq!(
            found,
            [("0-7-5".to_owned(), 100), ("0-7-6".to_owned(), 101)]
        );
        assert_eq!(files[0].begun, 90);
    }

    #[test]
    fn a_hole_and_a_missing_first_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin.000001", "bin.000003"] {
            fs::write(folder.path().join(name), log(&[])).unwrap();
        }
        let fault = read_folder(folder.path(), "bin.000001").unwrap_err();
        assert!(
            fault.message.contains("bin.000003 follows bin.000001"),
            "{}",
            fault.message
        );
        let fault = read_folder(folder.path(), "bin.000002").unwrap_err();
        assert!(
            fault.message.contains("does not hold bin.000002"),
            "{}",
            fault.message
        );
    }

    #[test]
    fn a_file_that_was_copied_too_early_is_found_out_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let follows = |sequence: u64| {
            let mut body = 1u32.to_le_bytes().to_vec();
            body.extend(0u32.to_le_bytes());
            body.extend(7u32.to_le_bytes());
            body.extend(sequence.to_le_bytes());
            event(100, GTID_LIST, &body)
        };
        let first = log(&[
            event(90, FORMAT, &[0; 60]),
            follows(4),
            transaction(100, 5),
            transaction(101, 6),
            event(102, ROTATE, b"bin.000002"),
        ]);
        fs::write(folder.path().join("bin.000001"), &first).unwrap();
        let second = |sequence| {
            let bytes = log(&[
                event(102, FORMAT, &[0; 60]),
                follows(sequence),
                transaction(103, 9),
            ]);
            fs::write(folder.path().join("bin.000002"), bytes).unwrap();
            read_folder(folder.path(), "bin.000001")
        };
        let files = second(6).unwrap();
        assert_eq!((files[0].rotated, files[1].rotated), (Some(102), None));
        let fault = second(8).unwrap_err();
        let told = "bin.000001 is not whole: its last transaction is 0-7-6, and bin.000002 begins after 0-7-8";
        assert!(fault.message.contains(told), "{}", fault.message);
    }

    #[test]
    fn a_transaction_without_its_end_is_none() {
        let before = [event(90, FORMAT, &[0; 60]), transaction(100, 5)];
        let offset = log(&before).len() as u64;
        let check = |rest: &[Vec<u8>], whole: bool| {
            let file = read_one(&[&before[..], rest].concat());
            assert_eq!(file.groups.len(), if whole { 2 } else { 1 }, "{rest:?}");
            assert_eq!(file.torn, (!whole).then_some(101), "{rest:?}");
            assert_eq!(file.end == offset, !whole, "{rest:?}");
        };
        let (begin, insert) = (gtid(101, 6, 0), query(101, b"", "insert"));
        check(std::slice::from_ref(&begin), false);
        check(&[begin.clone(), insert.clone()], false);
        check(
            &[begin.clone(), insert.clone(), query(101, b"", "COMMIT")],
            true,
        );
        check(
            &[
                begin.clone(),
                insert.clone(),
                event(102, ROTATE, b"bin.000002"),
            ],
            true,
        );
        check(&[gtid(101, 6, 1)], false);
        check(
            &[gtid(101, 6, 1), query(101, b"", "create table t (a int)")],
            true,
        );
        // Bytes of an event within it.
        check(&[begin, insert[..30].to_vec()], false);
    }

    #[test]
    fn a_statement_in_the_servers_own_zone_is_marked() {
        let zone = |zone: &str| [&[5, zone.len() as u8], zone.as_bytes()].concat();
        let file = read_one(&[
            gtid(100, 5, 1),
            query(100, &zone("SYSTEM"), "insert"),
            gtid(101, 6, 1),
            query(101, &zone("+02:00"), "insert"),
            transaction(102, 7),
        ]);
        let marked: Vec<bool> = file
            .groups
            .iter()
            .map(|group| group.in_system_zone)
            .collect();
        assert_eq!(marked, [true, false, false]);
    }

    #[test]
    fn an_encrypted_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = log(&[
            event(90, FORMAT, &[0; 60]),
            event(90, START_ENCRYPTION, &[0; 17]),
        ]);
        fs::write(folder.path().join("bin.000001"), bytes).unwrap();
        let fault = read_folder(folder.path(), "bin.000001").unwrap_err();
        assert!(fault.message.contains("encrypted"), "{}", fault.message);
    }
}
