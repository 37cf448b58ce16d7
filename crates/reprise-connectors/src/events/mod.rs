//! Recorded events, replayed up to T into a secondary data set.
//!
//! **Protocol.** *Completeness first*: a site whose events have a gap, a
//! silence, a conflict or a broken piece up to T is refused before anything is
//! written, and the windows are named. *Exactly once*: the target keeps an
//! offset for each site and stream. With SQL the event and the offset are one
//! transaction; by HTTP a batch says after which number it comes, and the
//! target takes it only there. *Crash*: what was applied is below the offset,
//! so the next attempt goes on behind it; no mark of ours is needed. *A lost
//! answer* is looked for by asking for the offset. *Cut*: by time at T, and
//! never where numbers and times disagree about it (`complete.rs`).

mod audit;
mod complete;
mod config;
mod connector;
mod event;
mod index;
mod inspect;
mod replay;
mod scan;
mod segments;
mod target;
mod verify;
mod window;

pub use audit::{Audited, Range};
pub use config::{Archive, EventsConfig, EventsShard, Render};
pub use connector::EventsConnector;
pub use segments::Damage;
pub use window::{Window, WindowKind};

use std::path::Path;
use std::sync::Arc;

use reprise_model::{Events, Fault, ShardId, StoreId, Timestamp};

/// Looks at a shard's archive alone, and leaves nothing behind: whether what
/// the sites have in it is complete up to `target`, or to its end.
pub fn audit(
    store: &StoreId,
    shard: &ShardId,
    archive: &Archive,
    events: &Events,
    target: Option<Timestamp>,
    range: &Range,
    scratch: &Path,
) -> Result<Audited, Fault> {
    let name = format!("{store}-{shard}-audit-{}", std::process::id());
    let index = index::Index {
        folder: scratch.join(name),
        target,
        archive: archive.clone(),
        events: events.clone(),
        swap: Arc::default(),
    };
    let looked = index
        .build(false)
        .and_then(|manifest| audit::audited(&index, &manifest, range));
    index.delete()?;
    looked
}
