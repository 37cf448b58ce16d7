//! Whether a stream is complete up to T. A function of what was read, so that
//! it can be tried on anything.
//!
//! **The cut** is by time: an event belongs to T when its own time is at or
//! before it. Where numbers and times disagree on the two sides of T, nobody
//! can say what the stream was at T: that is a window, never a guess.

use std::time::Duration;

use reprise_model::{SiteId, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::{Window, WindowKind};

/// An event without its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub seq: i64,
    pub time: Timestamp,
    /// 0: the archive; 1: the second copy.
    pub copy: u8,
    /// Where it was met in its copy.
    pub place: u64,
    pub fingerprint: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Absent: up to the end of the archive, wherever that is.
    pub target: Option<Timestamp>,
    /// The number that every stream begins with.
    pub first: i64,
    pub max_silence: Option<Duration>,
    /// Where a silence that nothing ends is measured to.
    pub end: Option<Timestamp>,
}

impl Rules {
    fn is_in(&self, time: Timestamp) -> bool {
        self.target.is_none_or(|target| time <= target)
    }
}

/// What one stream of one site holds up to T.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct StreamState {
    pub stream: String,
    /// Events at or before T.
    pub events: u64,
    /// Number and time of the last of them.
    pub last: Option<(i64, Timestamp)>,
    pub first_after: Option<Timestamp>,
    /// Nothing is missing before an event after T: so nothing is lost at T.
    pub proven: bool,
    pub windows: Vec<Window>,
}

/// Looks at all events of one stream, in any order.
pub(super) fn stream(site: &SiteId, name: &str, mut all: Vec<Seen>, rules: &Rules) -> StreamState {
    all.sort_by_key(|seen| (seen.seq, seen.copy, seen.place));
    let mut look = Look {
        site,
        stream: name,
        rules,
        windows: Vec::new(),
    };
    look.order(&all);
    let kept = look.distinct(&all);
    let cut = kept
        .iter()
        .rposition(|one| rules.is_in(one.seen.time))
        .map_or(0, |at| at + 1);
    look.crossing(&kept[..cut]);
    let next = kept.get(cut);
    let open = look.numbers(&kept[..cut], next);
    look.filled(&kept[..cut]);
    look.silence(&kept[..cut], next);
    let last = kept[..cut].last().map(|one| (one.seen.seq, one.seen.time));
    StreamState {
        stream: name.to_owned(),
        events: cut as u64,
        last,
        first_after: next.map(|one| one.seen.time),
        proven: next.is_some() && !open,
        windows: look.windows,
    }
}

/// An event of one number, and whether the archive itself has it.
struct Kept {
    seen: Seen,
    in_first: bool,
}

struct Look<'a> {
    site: &'a SiteId,
    stream: &'a str,
    rules: &'a Rules,
    windows: Vec<Window>,
}

impl Look<'_> {
    fn window(&self, kind: WindowKind, from: Option<&Seen>, to: Option<&Seen>) -> Window {
        Window {
            kind,
            site: self.site.clone(),
            stream: Some(self.stream.to_owned()),
            from_seq: from.map(|seen| seen.seq),
            to_seq: to.map(|seen| seen.seq),
            from_time: from.map(|seen| seen.time),
            to_time: to.map(|seen| seen.time),
            count: 0,
            healed: false,
            note: None,
        }
    }

    /// Within one copy numbers go up: what stands behind a higher one is told.
    fn order(&mut self, all: &[Seen]) {
        for copy in [0, 1] {
            let mut own: Vec<&Seen> = all.iter().filter(|seen| seen.copy == copy).collect();
            // One that is there twice stands where it was met first.
            own.dedup_by_key(|seen| seen.seq);
            let mut lowest = u64::MAX;
            let mut late: Vec<&Seen> = Vec::new();
            for seen in own.into_iter().rev() {
                if seen.place > lowest {
                    late.push(seen);
                }
                lowest = lowest.min(seen.place);
            }
            if let (Some(from), Some(to)) = (late.last(), late.first()) {
                let mut window = self.window(WindowKind::Disorder, Some(from), Some(to));
                window.count = late.len() as u64;
                window.healed = true;
                window.note = Some("sorted by number".to_owned());
                self.windows.push(window);
            }
        }
    }

    /// One event for each number.
    fn distinct(&mut self, all: &[Seen]) -> Vec<Kept> {
        let mut kept: Vec<Kept> = Vec::new();
        let (mut twice, mut differ): (Vec<Seen>, Vec<Seen>) = (Vec::new(), Vec::new());
        let mut newest: Option<&Seen> = None;
        for seen in all {
            let known = kept.last().filter(|known| known.seen.seq == seen.seq);
            match known {
                None => kept.push(Kept {
                    seen: *seen,
                    in_first: seen.copy == 0,
                }),
                Some(known) if known.seen.fingerprint != seen.fingerprint => differ.push(*seen),
                // The same event in both copies is what a second copy is for.
                Some(_) if newest.is_some_and(|newest| newest.copy == seen.copy) => {
                    twice.push(*seen);
                }
                Some(_) => {}
            }
            newest = Some(seen);
        }
        for (kind, found, healed) in [
            (WindowKind::Duplicate, twice, true),
            (WindowKind::Conflict, differ, false),
        ] {
            // After T nothing is applied.
            let found: Vec<&Seen> = found
                .iter()
                .filter(|seen| healed || self.touches(seen, &kept))
                .collect();
            if let (Some(from), Some(to)) = (found.first(), found.last()) {
                let mut window = self.window(kind, Some(from), Some(to));
                window.count = found.len() as u64;
                window.healed = healed;
                self.windows.push(window);
            }
        }
        kept
    }

    /// Whether either of two events with one number belongs to T.
    fn touches(&self, seen: &Seen, kept: &[Kept]) -> bool {
        let twin = kept.binary_search_by_key(&seen.seq, |known| known.seen.seq);
        self.rules.is_in(seen.time) || twin.is_ok_and(|at| self.rules.is_in(kept[at].seen.time))
    }

    fn crossing(&mut self, kept: &[Kept]) {
        let late: Vec<&Seen> = kept
            .iter()
            .map(|one| &one.seen)
            .filter(|seen| !self.rules.is_in(seen.time))
            .collect();
        let (Some(from), Some(to)) = (late.first(), kept.last()) else {
            return;
        };
        let mut window = self.window(WindowKind::Crossing, Some(from), Some(&to.seen));
        window.count = late.len() as u64;
        window.note = Some(
            "their times are after the target time, and a later number has an earlier one"
                .to_owned(),
        );
        self.windows.push(window);
    }

    /// Numbers that are missing; true where there are any.
    fn numbers(&mut self, kept: &[Kept], next: Option<&Kept>) -> bool {
        let mut expected = self.rules.first;
        let mut before: Option<&Seen> = None;
        let mut open = false;
        for one in kept.iter().chain(next) {
            let seen = &one.seen;
            if seen.seq > expected {
                open = true;
                let mut window = self.window(WindowKind::Gap, before, Some(seen));
                (window.from_seq, window.to_seq) = (Some(expected), Some(seen.seq - 1));
                window.count = seen.seq.abs_diff(expected);
                self.windows.push(window);
            }
            if seen.seq < self.rules.first {
                open = true;
                let mut window = self.window(WindowKind::Conflict, Some(seen), Some(seen));
                window.count = 1;
                let first = self.rules.first;
                window.note = Some(format!("streams begin with number {first}"));
                self.windows.push(window);
            }
            expected = expected.max(seen.seq.saturating_add(1));
            before = Some(seen);
        }
        open
    }

    /// Runs of events that only the second copy has.
    fn filled(&mut self, kept: &[Kept]) {
        let mut at = 0;
        while at < kept.len() {
            let run = kept[at..].iter().take_while(|one| !one.in_first).count();
            if run > 0 {
                let (from, to) = (&kept[at].seen, &kept[at + run - 1].seen);
                let mut window = self.window(WindowKind::Gap, Some(from), Some(to));
                window.count = run as u64;
                window.healed = true;
                window.note = Some("filled from the second copy".to_owned());
                self.windows.push(window);
            }
            at += run.max(1);
        }
    }

    fn silence(&mut self, kept: &[Kept], next: Option<&Kept>) {
        let Some(longest) = self.rules.max_silence else {
            return;
        };
        let all: Vec<&Seen> = kept.iter().chain(next).map(|one| &one.seen).collect();
        for pair in all.windows(2) {
            if pair[0].time.saturating_add(longest) < pair[1].time {
                let window = self.window(WindowKind::Silence, Some(pair[0]), Some(pair[1]));
                self.windows.push(window);
            }
        }
        // Where nothing follows, the silence lasts to the end.
        let (Some(last), None, Some(end)) = (kept.last(), next, self.rules.end) else {
            return;
        };
        if last.seen.time.saturating_add(longest) < end {
            let mut window = self.window(WindowKind::Silence, Some(&last.seen), None);
            window.to_time = Some(end);
            self.windows.push(window);
        }
    }
}
