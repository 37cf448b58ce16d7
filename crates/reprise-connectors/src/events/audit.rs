//! Completeness up to T: of one site, and of all sites of a shard.

use std::collections::BTreeMap;

use reprise_model::{Events, Fault, RecoveryPoint, SiteId, StoreId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::complete::{Seen, StreamState, stream};
use super::index::{Index, Manifest};
use super::segments::Damage;
use super::window::{Window, WindowKind};

/// Streams of one recorder are not further apart than this, in microseconds:
/// a broken piece behind an event that is later than T by more holds nothing of T.
const APART: i64 = 300_000_000;
/// Windows in evidence and messages; all of them are counted.
const SAMPLES: usize = 10;

/// What the archive holds of one site at T.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct SiteState {
    pub site: SiteId,
    pub streams: BTreeMap<String, StreamState>,
    /// Of its streams, and what may be missing of any.
    pub windows: Vec<Window>,
}

impl SiteState {
    pub fn events(&self) -> u64 {
        self.streams.values().map(|stream| stream.events).sum()
    }

    /// What fails a verdict.
    pub fn open(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(|window| !window.healed)
    }

    /// The point that is measured for the site.
    pub fn point(&self, manifest: &Manifest) -> Option<RecoveryPoint> {
        let last = self.streams.values().filter_map(|stream| stream.last);
        let after = self
            .streams
            .values()
            .filter_map(|stream| stream.first_after);
        let mut point = point(manifest)?;
        point.last_before = last.map(|(_, time)| time).max();
        point.first_after = after.min().or(point.first_after);
        Some(point)
    }

    /// The windows that fail a verdict, the first of them in words.
    pub fn words(&self) -> String {
        let open: Vec<String> = self.open().map(Window::words).collect();
        let shown = open[..open.len().min(SAMPLES)].join("; ");
        match open.len() - open.len().min(SAMPLES) {
            0 => shown,
            more => format!("{shown}; and {more} more"),
        }
    }

    pub fn evidence(&self, store: &StoreId) -> Value {
        let open: Vec<&Window> = self.open().collect();
        let healed = self.windows.len() - open.len();
        json!({
            "store": store,
            "site": self.site,
            "streams": self.streams.len(),
            "events": self.events(),
            "open": open.len(),
            "healed": healed,
            "windows": self.windows.iter().filter(|window| !window.healed)
                .chain(self.windows.iter().filter(|window| window.healed))
                .take(SAMPLES).collect::<Vec<_>>(),
        })
    }
}

/// The archive's own point: it proves only what it reaches.
pub(super) fn point(manifest: &Manifest) -> Option<RecoveryPoint> {
    let target = manifest.target_time?;
    let (point, basis) = match (manifest.first_after, manifest.last_before) {
        (Some(_), _) => (target, "the archive goes on after the target time"),
        (None, Some(last)) => (last, "the archive ends before the target time"),
        (None, None) => return None,
    };
    Some(RecoveryPoint {
        point,
        last_before: manifest.last_before,
        first_after: manifest.first_after,
        basis: basis.to_owned(),
    })
}

/// Looks at one site.
pub(super) fn site(index: &Index, manifest: &Manifest, id: &SiteId) -> Result<SiteState, Fault> {
    let mut streams: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    index.of_site(id, |record| add(&mut streams, &record.stream, record.seen))?;
    Ok(judge(index, manifest, id, streams))
}

/// The same, of a site of a batch. Where the record has events of another one,
/// ids are what it has them by: then one without any just had none.
pub(super) fn site_of(
    index: &Index,
    manifest: &Manifest,
    id: &SiteId,
    batch: &[SiteId],
) -> Result<SiteState, Fault> {
    let mut state = site(index, manifest, id)?;
    for window in &mut state.windows {
        let is_of_site = window.kind == WindowKind::Absent && window.stream.is_none();
        if is_of_site && any_recorded(index, batch)? {
            window.healed = true;
            window.note = Some("of other sites of the batch the record has events".to_owned());
        }
    }
    Ok(state)
}

fn any_recorded(index: &Index, batch: &[SiteId]) -> Result<bool, Fault> {
    for id in batch {
        let mut found = false;
        index.of_site(id, |_| found = true)?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at every site that the archive knows, and hands them over one by one.
pub(super) fn all(
    index: &Index,
    manifest: &Manifest,
    mut take: impl FnMut(SiteState),
) -> Result<(), Fault> {
    let mut file = 0;
    let mut sites: BTreeMap<SiteId, BTreeMap<String, Vec<Seen>>> = BTreeMap::new();
    let mut hand_over = |sites: BTreeMap<SiteId, BTreeMap<String, Vec<Seen>>>| {
        for (id, streams) in sites {
            take(judge(index, manifest, &id, streams));
        }
    };
    index.of_all(|number, record| {
        if number != file {
            hand_over(std::mem::take(&mut sites));
            file = number;
        }
        let streams = sites.entry(SiteId::from(&*record.site)).or_default();
        add(streams, &record.stream, record.seen);
    })?;
    hand_over(sites);
    Ok(())
}

fn add(streams: &mut BTreeMap<String, Vec<Seen>>, name: &str, seen: Seen) {
    match streams.get_mut(name) {
        Some(known) => known.push(seen),
        None => {
            streams.insert(name.to_owned(), vec![seen]);
        }
    }
}

fn judge(
    index: &Index,
    manifest: &Manifest,
    id: &SiteId,
    streams: BTreeMap<String, Vec<Seen>>,
) -> SiteState {
    let rules = index.rules(manifest);
    let mut state = SiteState {
        site: id.clone(),
        streams: BTreeMap::new(),
        windows: Vec::new(),
    };
    for (name, seen) in streams {
        let judged = stream(id, &name, seen, &rules);
        state.windows.extend(judged.windows.iter().cloned());
        state.streams.insert(name, judged);
    }
    state.windows.extend(absent(&state, &index.events));
    // A stream that goes on after T without a gap has lost nothing; of any
    // other nobody knows whether its last events were in the broken piece.
    let all_proven = !state.streams.is_empty() && state.streams.values().all(|one| one.proven);
    let reaching = manifest.damages.iter();
    let reaching = reaching.filter(|damage| reaches(damage, rules.target));
    state.windows.extend(reaching.map(|damage| Window {
        kind: WindowKind::Damage,
        site: id.clone(),
        stream: None,
        from_seq: None,
        to_seq: None,
        from_time: damage.after,
        to_time: damage.before,
        count: 0,
        healed: all_proven,
        note: Some(note(damage)),
    }));
    state
}

/// What the site should have events of, and has none. Nothing shows such a loss
/// by itself: no number is missing where there is none.
fn absent(state: &SiteState, events: &Events) -> Vec<Window> {
    let window = |stream: Option<&String>, note: &str| Window {
        kind: WindowKind::Absent,
        site: state.site.clone(),
        stream: stream.cloned(),
        from_seq: None,
        to_seq: None,
        from_time: None,
        to_time: None,
        count: 0,
        healed: false,
        note: Some(note.to_owned()),
    };
    let expected = events.streams.iter().flatten();
    let missing = expected.filter(|name| !state.streams.contains_key(*name));
    let mut windows: Vec<Window> = missing
        .map(|name| window(Some(name), "the record has no event of it"))
        .collect();
    if events.streams.is_none() && state.streams.is_empty() {
        windows.push(window(None, "the record has no event of this site"));
    }
    windows
}

/// What another segment holds says nothing about this one: names need not be in
/// the order of time.
fn reaches(damage: &Damage, target: Option<Timestamp>) -> bool {
    match (damage.within, target) {
        (Some(after), Some(target)) => {
            after.as_micros() <= target.as_micros().saturating_add(APART)
        }
        (None, _) | (_, None) => true,
    }
}

fn note(damage: &Damage) -> String {
    let segment = damage.segment.display();
    let (line, lines) = (damage.line, damage.lines);
    let what = &damage.what;
    match lines {
        1 => format!("{segment} line {line}: {what}"),
        _ => format!("{segment} lines {line} and {} more: {what}", lines - 1),
    }
}

/// One shard, as `audit events` tells it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Audited {
    pub sites: u64,
    pub streams: u64,
    pub events: u64,
    /// When the archive's last event at or before T was.
    pub last_before: Option<Timestamp>,
    pub first_after: Option<Timestamp>,
    /// Sites that were asked for by name, and have no event here.
    pub absent: Vec<SiteId>,
    pub windows: Vec<Window>,
    /// Pieces of segments that no copy has whole.
    pub damages: Vec<Damage>,
}

impl Audited {
    /// Windows that fail a verdict.
    pub fn open(&self) -> usize {
        self.windows.iter().filter(|window| !window.healed).count()
    }

    /// Where nothing could be read, nothing is known to be complete.
    pub fn is_complete(&self) -> bool {
        let has_events = self.last_before.is_some() || self.first_after.is_some();
        self.open() == 0 && has_events
    }
}

/// Which sites, and from when on.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// All that the archive knows where absent.
    pub sites: Option<Vec<SiteId>>,
    pub from: Option<Timestamp>,
}

impl Range {
    fn shows(&self, window: &Window) -> bool {
        // One without an end goes on.
        match (self.from, window.to_time) {
            (Some(from), Some(to)) => to >= from,
            (None, _) | (_, None) => true,
        }
    }
}

pub(super) fn audited(index: &Index, manifest: &Manifest, range: &Range) -> Result<Audited, Fault> {
    let mut audited = Audited {
        sites: 0,
        streams: 0,
        events: 0,
        last_before: manifest.last_before,
        first_after: manifest.first_after,
        absent: Vec::new(),
        windows: Vec::new(),
        damages: manifest.damages.clone(),
    };
    let mut take = |state: SiteState| {
        let is_here = !state.streams.is_empty();
        audited.sites += u64::from(is_here);
        audited.streams += state.streams.len() as u64;
        audited.events += state.events();
        let shown = state.windows.into_iter();
        audited.windows.extend(shown.filter(|window| {
            // Another shard may have the site: who knows them all decides.
            range.shows(window) && (is_here || window.kind != WindowKind::Absent)
        }));
        if !is_here {
            audited.absent.push(state.site);
        }
    };
    match &range.sites {
        None => all(index, manifest, &mut take)?,
        Some(ids) => {
            for id in ids {
                take(site(index, manifest, id)?);
            }
        }
    }
    audited
        .windows
        .sort_by(|a, b| (&a.site, &a.stream, a.from_seq).cmp(&(&b.site, &b.stream, b.from_seq)));
    Ok(audited)
}
