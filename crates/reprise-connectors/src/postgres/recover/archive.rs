//! The archive of the write-ahead log: what is there, on which timeline the
//! target lies, and whether a piece is missing in between.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};

use super::base::{Base, modified};
use super::lsn::{Lsn, Segment};

/// How archived files may be packed: suffix, and the program that unpacks to
/// standard output.
pub const PACKINGS: [(&str, &str); 4] = [
    ("", "cat"),
    (".gz", "gzip"),
    (".zst", "zstd"),
    (".lz4", "lz4"),
];

/// A timeline's parent, and where it left it.
#[derive(Clone, PartialEq, Debug)]
pub struct Fork {
    pub parent: u32,
    pub at: Lsn,
    /// When the history file came into the archive: right after the promotion.
    pub time: Timestamp,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Archive {
    pub path: PathBuf,
    pub segment_size: u64,
    /// Complete segments by name order, with the files that hold them.
    pub segments: BTreeMap<Segment, PathBuf>,
    /// By the child timeline.
    pub forks: BTreeMap<u32, Fork>,
}

/// The stretch of log that a recovery reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Stretch {
    pub timeline: u32,
    /// In order, without a gap.
    pub segments: Vec<Segment>,
    /// Where the last of them ends.
    pub end: Lsn,
    /// When the last of them came into the archive.
    pub archived: Option<Timestamp>,
    /// Segments that are packed.
    pub packings: Vec<&'static str>,
}

impl Archive {
    pub fn read(path: &Path, segment_size: u64) -> Result<Self, Fault> {
        let entries = fs::read_dir(path).map_err(|error| {
            Fault::permanent(format!(
                "cannot read the WAL archive {}: {error}",
                path.display()
            ))
        })?;
        let mut archive = Self {
            path: path.to_owned(),
            segment_size,
            segments: BTreeMap::new(),
            forks: BTreeMap::new(),
        };
        for entry in entries.flatten() {
            archive.take(&entry.path());
        }
        Ok(archive)
    }

    /// Files that are neither a complete segment nor a history are passed
    /// over: `.partial` above all, which ends in the middle.
    fn take(&mut self, path: &Path) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return;
        };
        let parts = name.split_at_checked(24).unwrap_or((name, ""));
        if let Some(segment) = Segment::parse(parts.0, self.segment_size) {
            let suffix = parts.1;
            if PACKINGS.iter().any(|(known, _)| *known == suffix) {
                self.segments.insert(segment, path.to_owned());
            }
        } else if let Some(stem) = name.strip_suffix(".history")
            && let Ok(timeline) = u32::from_str_radix(stem, 16)
            && let Ok(text) = fs::read_to_string(path)
            && let Some((parent, at)) = parse_history(&text)
        {
            let time = modified(path).unwrap_or_default();
            self.forks.insert(timeline, Fork { parent, at, time });
        }
    }

    /// The timeline that was serving at `target`: the newest descendant of
    /// the backup's, but not one that was born after `target` from a place
    /// beyond which its parent went on.
    pub fn timeline_at(&self, base: &Base, target: Timestamp) -> Result<u32, Fault> {
        let mut timeline = self
            .forks
            .keys()
            .rev()
            .copied()
            .find(|child| self.descends(*child, base))
            .unwrap_or(base.timeline);
        while timeline != base.timeline {
            let fork = &self.forks[&timeline];
            let beyond = Segment::holding(fork.parent, fork.at, self.segment_size);
            let parent_went_on = self.segments.contains_key(&beyond);
            if fork.time <= target || !parent_went_on {
                break;
            }
            timeline = fork.parent;
        }
        let here = self.segments.keys().any(|s| s.timeline == timeline);
        let foreign: Vec<u32> = self.segments.keys().map(|s| s.timeline).collect();
        match (here, foreign.last()) {
            (false, Some(other))
                if !base
                    .path
                    .join("pg_wal")
                    .join(base.first(self.segment_size))
                    .exists() =>
            {
                Err(Fault::permanent(format!(
                    "the backup {} is on timeline {}, and {} holds timeline {other} only, with no history file that joins them",
                    base.path.display(),
                    base.timeline,
                    self.path.display()
                )))
            }
            _ => Ok(timeline),
        }
    }

    /// Whether `child` grew out of the backup's timeline after the backup began.
    fn descends(&self, child: u32, base: &Base) -> bool {
        let mut at = child;
        while let Some(fork) = self.forks.get(&at) {
            if fork.parent == base.timeline {
                return fork.at >= base.start;
            }
            if fork.parent >= at {
                return false;
            }
            at = fork.parent;
        }
        false
    }

    /// Walks the log from the backup's start along the chain of timelines and
    /// stops at its end. A piece that is missing while later ones are there
    /// is an error that names it.
    pub fn stretch(&self, base: &Base, timeline: u32) -> Result<Stretch, Fault> {
        let size = self.segment_size;
        let chain = self.chain(base.timeline, timeline);
        let mut stretch = Stretch {
            timeline,
            segments: Vec::new(),
            end: base.start,
            archived: None,
            packings: Vec::new(),
        };
        let mut number = base.start.0 / size;
        while let Some((segment, file)) = self.lookup(&chain, number, base) {
            stretch.push(segment, &file, size);
            number += 1;
        }
        let later = self
            .segments
            .keys()
            .find(|segment| segment.number >= number && on_chain(&chain, **segment, size));
        if let Some(later) = later {
            let missing = Segment {
                timeline: timeline_of(&chain, number, size),
                number,
            };
            return Err(self.gap(missing, *later, &stretch));
        }
        if stretch.segments.is_empty() {
            let first = base.first(size);
            return Err(Fault::permanent(format!(
                "{} has no WAL segment {first}, with which the backup {} begins",
                self.path.display(),
                base.path.display()
            )));
        }
        Ok(stretch)
    }

    fn gap(&self, missing: Segment, later: Segment, before: &Stretch) -> Fault {
        let size = self.segment_size;
        let fault = Fault::refused(format!(
            "WAL segment {} is missing in {}, while {} is there",
            missing.name(size),
            self.path.display(),
            later.name(size)
        ));
        match before.archived {
            Some(time) => fault.hint(format!(
                "bring the segment back from another copy of the archive; without it nothing after about {time} can be reached"
            )),
            None => fault.hint("bring the segment back from another copy of the archive"),
        }
    }

    /// The segment with this number, on the youngest timeline of the chain
    /// that has it; from the archive, else from the backup itself, which
    /// holds its own stretch when it was taken with `-X stream`.
    fn lookup(&self, chain: &[(u32, Lsn)], number: u64, base: &Base) -> Option<(Segment, PathBuf)> {
        let size = self.segment_size;
        chain
            .iter()
            .rev()
            .map(|(timeline, _)| Segment {
                timeline: *timeline,
                number,
            })
            .filter(|segment| on_chain(chain, *segment, size))
            .find_map(|segment| {
                let own = base.path.join("pg_wal").join(segment.name(size));
                match self.segments.get(&segment) {
                    Some(file) => Some((segment, file.clone())),
                    None => own.exists().then_some((segment, own)),
                }
            })
    }

    /// Timelines from the backup's to the target's, each with the place at
    /// which it begins.
    fn chain(&self, from: u32, to: u32) -> Vec<(u32, Lsn)> {
        let mut chain = Vec::new();
        let mut at = to;
        while at != from {
            let Some(fork) = self.forks.get(&at) else {
                break;
            };
            chain.push((at, fork.at));
            at = fork.parent;
        }
        chain.push((from, Lsn(0)));
        chain.reverse();
        chain
    }

    /// Refuses an archive of another server: the system identifier is in the
    /// head of every segment.
    pub fn check_identity(&self, stretch: &Stretch, system_id: &str) -> Result<(), Fault> {
        let plain = stretch.segments.iter().find_map(|segment| {
            let file = self.segments.get(segment)?;
            file.extension().is_none().then_some(file)
        });
        let Some(file) = plain else { return Ok(()) };
        match system_id_of(file) {
            Some(found) if found.to_string() != system_id => Err(Fault::permanent(format!(
                "{} belongs to another server: its system identifier is {found}, the backup's is {system_id}",
                file.display()
            ))),
            _ => Ok(()),
        }
    }
}

impl Stretch {
    fn push(&mut self, segment: Segment, file: &Path, size: u64) {
        self.end = segment.end(size);
        self.archived = modified(file);
        let name = file.to_string_lossy();
        let packing = PACKINGS
            .iter()
            .map(|(suffix, _)| *suffix)
            .find(|suffix| !suffix.is_empty() && name.ends_with(suffix));
        if let Some(packing) = packing
            && !self.packings.contains(&packing)
        {
            self.packings.push(packing);
        }
        self.segments.push(segment);
    }
}

impl Base {
    /// The name of the segment with which replay begins.
    pub fn first(&self, segment_size: u64) -> String {
        Segment::holding(self.timeline, self.start, segment_size).name(segment_size)
    }
}

/// Whether the chain of timelines runs through the segment: from where its
/// timeline begins to where the next one leaves it.
fn on_chain(chain: &[(u32, Lsn)], segment: Segment, size: u64) -> bool {
    let Some(ix) = chain.iter().position(|(tli, _)| *tli == segment.timeline) else {
        return false;
    };
    let from = chain[ix].1.0 / size;
    let to = chain.get(ix + 1).map_or(u64::MAX, |(_, at)| at.0 / size);
    (from..=to).contains(&segment.number)
}

/// The youngest timeline on which the segment should be.
fn timeline_of(chain: &[(u32, Lsn)], number: u64, size: u64) -> u32 {
    chain
        .iter()
        .rev()
        .find(|(_, begin)| begin.0 / size <= number)
        .map_or(0, |(timeline, _)| *timeline)
}

/// The last line of a history file: the direct parent, and the fork.
fn parse_history(text: &str) -> Option<(u32, Lsn)> {
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// From the long header of a segment's first page: `xlp_sysid` at byte 24.
fn system_id_of(file: &Path) -> Option<u64> {
    let mut head = [0; 32];
    fs::File::open(file).ok()?.read_exact(&mut head).ok()?;
    Some(u64::from_le_bytes(head[24..].try_into().ok()?))
}
