//! One file of the binary log, event by event.
//!
//! Headers are read, so that times are numbers in UTC and no program's time
//! zone comes in between; of statements, what their sessions had set and
//! whether they end a transaction. What else the events say is left to
//! `mariadb-binlog`.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::binlog::{Group, Gtid, LogFile};
use super::statement::{self, POST_HEADER};

/// The four bytes that every binary log begins with.
pub const MAGIC: [u8; 4] = *b"\xfebin";
pub const HEADER: usize = 19;

// Kinds of events.
pub const QUERY: u8 = 2;
const STOP: u8 = 3;
pub const ROTATE: u8 = 4;
pub const FORMAT: u8 = 15;
pub const XID: u8 = 16;
const LOAD_QUERY: u8 = 18;
const XA_PREPARE: u8 = 38;
const CHECKPOINT: u8 = 161;
pub const GTID: u8 = 162;
pub const GTID_LIST: u8 = 163;
pub const START_ENCRYPTION: u8 = 164;
const QUERY_COMPRESSED: u8 = 165;

/// A transaction of one statement alone, without a commit of its own.
const STANDALONE: u8 = 1;
/// A server in so many domains is none.
const LONGEST_LIST: u64 = 1 << 20;

pub enum Unreadable {
    Io(io::Error),
    What(&'static str),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const IMPOSSIBLE: Unreadable = Unreadable::What("the event's length cannot be");

/// Where the walk is.
struct Walk<'a, R> {
    log: &'a mut LogFile,
    file: BufReader<R>,
    /// The last transaction's end has not been seen yet.
    open: bool,
    /// It ends with its first statement.
    standalone: bool,
}

/// The header of one event.
struct Event {
    at: i64,
    kind: u8,
    server: u32,
    size: u64,
}

/// Walks from header to header. A last event that is not whole yet is where
/// the log ends: its server is still writing it. So is the beginning of a
/// transaction that has no end.
pub fn walk<R: Read + Seek>(
    log: &mut LogFile,
    mut file: BufReader<R>,
    length: u64,
) -> Result<(), Unreadable> {
    let mut magic = [0; MAGIC.len()];
    log.end = MAGIC.len() as u64;
    if length >= log.end {
        file.read_exact(&mut magic)?;
    }
    if magic != MAGIC {
        return Err(Unreadable::What("not a binary log"));
    }
    let mut walk = Walk {
        log,
        file,
        open: false,
        standalone: false,
    };
    let mut newest = 0;
    while walk.log.end + HEADER as u64 <= length {
        let event = walk.header()?;
        newest = newest.max(event.at);
        if walk.log.end + event.size > length {
            break;
        }
        let read = walk.event(&event)?;
        let rest = event.size.checked_sub(HEADER as u64 + read);
        let rest = rest.and_then(|rest| i64::try_from(rest).ok());
        // Within the buffer where it can, without a system call.
        walk.file.seek_relative(rest.ok_or(IMPOSSIBLE)?)?;
        walk.log.end += event.size;
    }
    walk.file.seek(SeekFrom::End(0))?;
    walk.ended(newest, length);
    Ok(())
}

impl<R: Read + Seek> Walk<'_, R> {
    /// What has begun and not ended is left out, and known to be missing.
    fn ended(self, newest: i64, length: u64) {
        let log = self.log;
        if log.end < length {
            log.torn = Some(newest);
        }
        if self.open
            && let Some(torn) = log.groups.pop()
        {
            log.end = torn.offset;
            log.torn = Some(torn.at);
        }
    }

    fn header(&mut self) -> Result<Event, Unreadable> {
        let header: [u8; HEADER] = self.take()?;
        let event = Event {
            at: i64::from(u32_at(&header, 0)),
            kind: header[4],
            server: u32_at(&header, 5),
            size: u64::from(u32_at(&header, 9)),
        };
        match event.size < HEADER as u64 {
            true => Err(IMPOSSIBLE),
            false => Ok(event),
        }
    }

    /// Looks into an event; returns how much of it was read beside its header.
    fn event(&mut self, event: &Event) -> Result<u64, Unreadable> {
        self.log.rotated = (event.kind == ROTATE).then_some(event.at);
        match event.kind {
            FORMAT if self.log.begun == 0 => self.log.begun = event.at,
            GTID_LIST => return self.list(event),
            START_ENCRYPTION => return Err(Unreadable::What("the log is encrypted")),
            GTID => return self.begin(event),
            QUERY | QUERY_COMPRESSED | LOAD_QUERY if self.open => return self.statement(event),
            XID | XA_PREPARE | ROTATE | STOP | CHECKPOINT => self.open = false,
            _ => {}
        }
        Ok(0)
    }

    fn list(&mut self, event: &Event) -> Result<u64, Unreadable> {
        // The upper bits are flags.
        let count = u64::from(u32_at(&self.take::<4>()?, 0) & 0x0fff_ffff);
        let read = 4 + 16 * count;
        if count > LONGEST_LIST || HEADER as u64 + read > event.size {
            return Err(IMPOSSIBLE);
        }
        let mut list = Vec::new();
        for _ in 0..count {
            let one: [u8; 16] = self.take()?;
            list.push(Gtid {
                domain: u32_at(&one, 0),
                server: u32_at(&one, 4),
                sequence: u64_at(&one, 8),
            });
        }
        self.log.follows = Some(list);
        Ok(read)
    }

    fn begin(&mut self, event: &Event) -> Result<u64, Unreadable> {
        let body: [u8; 13] = self.take()?;
        self.open = true;
        self.standalone = body[12] & STANDALONE != 0;
        self.log.groups.push(Group {
            gtid: Gtid {
                sequence: u64_at(&body, 0),
                domain: u32_at(&body, 8),
                server: event.server,
            },
            at: event.at,
            offset: self.log.end,
            in_system_zone: false,
        });
        Ok(body.len() as u64)
    }

    /// A statement of the transaction that is open.
    fn statement(&mut self, event: &Event) -> Result<u64, Unreadable> {
        let post: [u8; POST_HEADER] = self.take()?;
        let of_load = u64::from(event.kind == LOAD_QUERY) * POST_HEADER as u64;
        let before = (HEADER + POST_HEADER) as u64 + of_load;
        let (variables, database) = statement::lengths(&post);
        let left = event.size.checked_sub(before + variables + database);
        let left = left.ok_or(IMPOSSIBLE)?;
        self.file.seek_relative(of_load as i64)?;
        let variables = self.bytes(variables)?;
        if statement::in_system_zone(&variables)
            && let Some(group) = self.log.groups.last_mut()
        {
            group.in_system_zone = true;
        }
        self.file.seek_relative(database as i64)?;
        let text = match left <= statement::SHORT {
            true => self.bytes(left)?,
            false => Vec::new(),
        };
        let ends = self.standalone || statement::ends(&text);
        self.open &= !ends;
        Ok(event.size - HEADER as u64 - left + text.len() as u64)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        let mut file = self.file.by_ref().take(length);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
