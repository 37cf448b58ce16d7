//! The binary log, event by event: where each transaction begins and when it
//! was committed.
//!
//! Only the fixed headers are read, so that times are numbers in UTC and no
//! program's time zone comes in between. What the events say is left to
//! `mariadb-binlog`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};

/// The four bytes that every binary log begins with.
const MAGIC: [u8; 4] = *b"\xfebin";
const HEADER: usize = 19;
const ROTATE: u8 = 4;
const FORMAT: u8 = 15;
const GTID: u8 = 162;
const GTID_LIST: u8 = 163;
const START_ENCRYPTION: u8 = 164;

/// A server in so many domains is none.
const LONGEST_LIST: u64 = 1 << 20;

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
    /// The end of its last whole event.
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
        end: MAGIC.len() as u64,
        written,
        path,
    };
    match events(&mut log, BufReader::new(file), length.len()) {
        Ok(()) => Ok(log),
        Err(Unreadable::Io(error)) => Err(cannot("read", &log.path, &error)),
        Err(Unreadable::What(what)) => Err(Fault::permanent(format!(
            "{} at byte {}: {what}",
            log.path.display(),
            log.end
        ))),
    }
}

enum Unreadable {
    Io(io::Error),
    What(&'static str),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Walks from header to header. A last event that is not whole yet is where
/// the log ends: its server is still writing it.
fn events(log: &mut LogFile, mut file: BufReader<File>, length: u64) -> Result<(), Unreadable> {
    let mut magic = [0; MAGIC.len()];
    if length < log.end {
        return Err(Unreadable::What("not a binary log"));
    }
    file.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(Unreadable::What("not a binary log"));
    }
    while log.end + HEADER as u64 <= length {
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let at = i64::from(u32_at(&header, 0));
        let size = u64::from(u32_at(&header, 9));
        if size < HEADER as u64 {
            return Err(Unreadable::What("the event's length cannot be"));
        }
        if log.end + size > length {
            return Ok(());
        }
        let mut read = 0;
        log.rotated = (header[4] == ROTATE).then_some(at);
        match header[4] {
            FORMAT if log.begun == 0 => log.begun = at,
            GTID_LIST => {
                let mut count = [0; 4];
                file.read_exact(&mut count)?;
                // The upper bits are flags.
                let count = u64::from(u32_at(&count, 0) & 0x0fff_ffff);
                read = 4 + 16 * count;
                if count > LONGEST_LIST || HEADER as u64 + read > size {
                    return Err(Unreadable::What("the event's length cannot be"));
                }
                let mut list = Vec::new();
                for _ in 0..count {
                    let mut one = [0; 16];
                    file.read_exact(&mut one)?;
                    list.push(Gtid {
                        domain: u32_at(&one, 0),
                        server: u32_at(&one, 4),
                        sequence: u64::from(u32_at(&one, 8)) | u64::from(u32_at(&one, 12)) << 32,
                    });
                }
                log.follows = Some(list);
            }
            START_ENCRYPTION => return Err(Unreadable::What("the log is encrypted")),
            GTID => {
                let mut body = [0; 12];
                file.read_exact(&mut body)?;
                read = body.len() as u64;
                log.groups.push(Group {
                    gtid: Gtid {
                        sequence: u64::from(u32_at(&body, 0)) | u64::from(u32_at(&body, 4)) << 32,
                        domain: u32_at(&body, 8),
                        server: u32_at(&header, 5),
                    },
                    at,
                    offset: log.end,
                });
            }
            _ => {}
        }
        let rest = i64::try_from(size - HEADER as u64 - read);
        let rest = rest.map_err(|_| Unreadable::What("the event's length cannot be"))?;
        // Within the buffer where it can, without a system call.
        file.seek_relative(rest)?;
        log.end += size;
    }
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
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

    fn gtid(at: u32, sequence: u64) -> Vec<u8> {
        let mut body = sequence.to_le_bytes().to_vec();
        body.extend(0u32.to_le_bytes());
        body.push(0);
        event(at, GTID, &body)
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
            gtid(100, 5),
            event(100, 2, b"insert"),
            gtid(101, 6),
        ]);
        let mut torn = whole.clone();
        torn.extend(&gtid(102, 7)[..25]);
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
            gtid(100, 5),
            gtid(101, 6),
            event(102, ROTATE, b"bin.000002"),
        ]);
        fs::write(folder.path().join("bin.000001"), &first).unwrap();
        let second = |sequence| {
            let bytes = log(&[
                event(102, FORMAT, &[0; 60]),
                follows(sequence),
                gtid(103, 9),
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
