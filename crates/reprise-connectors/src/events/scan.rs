//! Reads the segments of both copies, and keeps account of what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reprise_model::{EventFields, Fault, Timestamp};

use super::complete::Seen;
use super::event::Event;
use super::segments::{self, Damage, Met, Segment};

/// A broken piece: in which copy, of which segment.
pub(super) struct Broken {
    copy: u8,
    name: String,
    stem: String,
    damage: Damage,
}

pub(super) struct Scan {
    target: Option<Timestamp>,
    /// Lines at or before T.
    pub read: u64,
    pub last_before: Option<Timestamp>,
    pub first_after: Option<Timestamp>,
    broken: Vec<Broken>,
    /// Events of each copy's segments, by name.
    events: BTreeMap<(u8, String), u64>,
}

impl Scan {
    pub fn new(target: Option<Timestamp>) -> Self {
        Self {
            target,
            read: 0,
            last_before: None,
            first_after: None,
            broken: Vec::new(),
            events: BTreeMap::new(),
        }
    }

    /// Goes through one copy; `take` gets every event.
    pub fn copy(
        &mut self,
        copy: u8,
        folder: &Path,
        segments: &[Segment],
        fields: &EventFields,
        mut take: impl FnMut(&Event<'_>, Seen) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut place = 0;
        let mut newest = None;
        // Pieces behind which no event was met yet.
        let mut waiting = self.broken.len();
        for segment in segments {
            let path = folder.join(&segment.name);
            let mut events = 0;
            let mut within = None;
            segments::read(&path, |met| {
                let (line, what) = match met {
                    Met::Broken(line, what) => (line, what),
                    Met::Line(line, text) => match Event::read(text, fields) {
                        Err(what) => (line, what),
                        Ok(event) => {
                            for broken in &mut self.broken[waiting..] {
                                broken.damage.before = Some(event.time);
                            }
                            waiting = self.broken.len();
                            place += 1;
                            newest = Some(event.time);
                            within = newest;
                            events += 1;
                            self.count(event.time);
                            let seen = Seen {
                                seq: event.seq,
                                time: event.time,
                                copy,
                                place,
                                fingerprint: event.fingerprint(),
                            };
                            return take(&event, seen);
                        }
                    },
                };
                let damage = Damage {
                    segment: path.clone(),
                    line,
                    lines: 1,
                    what,
                    after: newest,
                    within,
                    before: None,
                };
                self.note(copy, segment, damage, waiting);
                Ok(())
            })?;
            self.events.insert((copy, segment.name.clone()), events);
        }
        Ok(())
    }

    fn count(&mut self, time: Timestamp) {
        if self.target.is_none_or(|target| time <= target) {
            self.read += 1;
            self.last_before = self.last_before.max(Some(time));
        } else {
            self.first_after = Some(self.first_after.map_or(time, |after| after.min(time)));
        }
    }

    /// Broken lines that follow each other are one piece.
    fn note(&mut self, copy: u8, segment: &Segment, damage: Damage, waiting: usize) {
        if let Some(broken) = self.broken[waiting..].last_mut()
            && broken.damage.segment == damage.segment
        {
            broken.damage.lines += 1;
            return;
        }
        self.broken.push(Broken {
            copy,
            name: segment.name.clone(),
            stem: segment.stem().to_owned(),
            damage,
        });
    }

    /// Pieces of segments that no copy has whole: with all the events that
    /// could be read of the broken one, and more.
    pub fn open_damages(self, copies: &[Vec<Segment>]) -> Vec<Damage> {
        let torn: BTreeSet<(u8, &str)> = self
            .broken
            .iter()
            .map(|broken| (broken.copy, broken.name.as_str()))
            .collect();
        let count = |copy: u8, name: &str| self.events.get(&(copy, name.to_owned())).copied();
        let whole_elsewhere = |broken: &Broken| {
            let read = count(broken.copy, &broken.name);
            (0_u8..).zip(copies).any(|(copy, segments)| {
                segments.iter().any(|segment| {
                    segment.stem() == broken.stem
                        && !torn.contains(&(copy, segment.name.as_str()))
                        && count(copy, &segment.name) > read
                })
            })
        };
        let open = self.broken.iter();
        open.filter(|broken| !whole_elsewhere(broken))
            .map(|broken| broken.damage.clone())
            .collect()
    }
}
