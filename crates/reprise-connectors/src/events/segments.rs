//! Recorded segments: files of JSON lines in a folder, plain or by zstd, in the
//! order of their names. What cannot be read of one is a [`Damage`], and the
//! reading goes on behind it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use reprise_model::{Fault, Timestamp};
use serde::{Deserialize, Serialize};

/// A longer line is no event, and is not kept in memory.
const LINE: usize = 16 << 20;

/// One file as it was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Segment {
    pub name: String,
    pub bytes: u64,
    /// In nanoseconds; tells a file that was written anew.
    pub modified: u64,
}

impl Segment {
    /// The name that the same segment has in either form.
    pub fn stem(&self) -> &str {
        let name = self.name.strip_suffix(".zst").unwrap_or(&self.name);
        name.strip_suffix(".jsonl").unwrap_or(name)
    }
}

/// The segments of a folder, in the order of their names.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>, Fault> {
    let shown = folder.display();
    let refuse = |error: io::Error| {
        Fault::permanent(format!("the segments in {shown} cannot be read: {error}"))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.ends_with(".jsonl") && !name.ends_with(".jsonl.zst") {
            continue;
        }
        let about = std::fs::metadata(entry.path()).map_err(refuse)?;
        let modified = about.modified().map_err(refuse)?.duration_since(UNIX_EPOCH);
        found.push(Segment {
            name,
            bytes: about.len(),
            modified: modified.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)),
        });
    }
    found.sort_by(|a, b| a.stem().cmp(b.stem()).then_with(|| a.name.cmp(&b.name)));
    Ok(found)
}

/// A piece of a segment that holds events which nobody can read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Damage {
    /// The file.
    pub segment: PathBuf,
    /// The first line of it, from 1.
    pub line: u64,
    /// Lines that are no events; 0 where the rest of the file is lost.
    pub lines: u64,
    /// Why.
    pub what: String,
    /// The time of the last event before it in this copy.
    pub after: Option<Timestamp>,
    /// The same, of the segment itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Timestamp>,
    /// The time of the first event behind it in this copy.
    pub before: Option<Timestamp>,
}

/// What is met on the way through a segment.
pub(super) enum Met<'a> {
    Line(u64, &'a str),
    /// The rest of the segment, or a line of it, cannot be had.
    Broken(u64, String),
}

/// Goes through a segment line by line.
pub(super) fn read(
    path: &Path,
    mut take: impl FnMut(Met<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let shown = path.display();
    let refuse = |error: &io::Error| Fault::permanent(format!("{shown} cannot be read: {error}"));
    let file = File::open(path).map_err(|error| refuse(&error))?;
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    let bytes = file.metadata().map_err(|error| refuse(&error))?.len();
    if packed && bytes == 0 {
        // Nothing at all is no frame: it was cut off at its beginning.
        return take(Met::Broken(1, "the file is empty".to_owned()));
    }
    let mut reader: Box<dyn BufRead> = if packed {
        let decoder = zstd::Decoder::new(file).map_err(|error| refuse(&error))?;
        Box::new(BufReader::with_capacity(1 << 17, decoder))
    } else {
        Box::new(BufReader::with_capacity(1 << 17, file))
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader).take(LINE as u64).read_until(b'\n', &mut line);
        match read {
            Ok(0) => break,
            // What the archive holds is broken; a disk that fails is another matter.
            Err(error) if packed => {
                take(Met::Broken(number, error.to_string()))?;
                break;
            }
            Err(error) => return Err(refuse(&error)),
            Ok(_) => {}
        }
        if line.len() >= LINE {
            take(Met::Broken(
                number,
                format!("the line is longer than {LINE} bytes"),
            ))?;
            skip_line(&mut reader).map_err(|error| refuse(&error))?;
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => take(Met::Line(number, text.trim_end_matches(['\n', '\r'])))?,
            Err(_) => take(Met::Broken(number, "the line is no UTF-8".to_owned()))?,
        }
    }
    Ok(())
}

fn skip_line(reader: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let held = reader.fill_buf()?;
        if held.is_empty() {
            return Ok(());
        }
        let (ends, used) = match held.iter().position(|byte| *byte == b'\n') {
            Some(at) => (true, at + 1),
            None => (false, held.len()),
        };
        reader.consume(used);
        if ends {
            return Ok(());
        }
    }
}
