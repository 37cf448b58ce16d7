//! Entries that live has under another name than at T: renamed or moved since.
//! Replicas know an entry by its `entryUUID`. If it came into being a second
//! time, they would lose the one that is there.

use std::collections::BTreeMap;

use reprise_model::Fault;
use reprise_model::dn::DnKey;

use super::connection::Session;
use crate::ldap::entry::Entry;
use crate::ldap::names::Names;

/// The name of an entry at T, and the one it has in live.
#[derive(Clone, Debug)]
pub struct Moved {
    pub then: String,
    pub now: String,
}

impl Moved {
    pub fn new(then: &Entry, now: &Entry) -> Self {
        Self {
            then: then.dn.clone(),
            now: now.dn.clone(),
        }
    }
}

/// What live has of these entries, by their names at T, wherever it is.
pub async fn find(
    session: &mut Session,
    names: &Names,
    entries: &[&Entry],
) -> Result<BTreeMap<DnKey, Entry>, Fault> {
    let uuid = |entry: &Entry| entry.text("entryuuid").map(str::to_lowercase);
    let uuids: Vec<String> = entries.iter().filter_map(|entry| uuid(entry)).collect();
    if uuids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let suffix = session.suffix_of(&names.base).await?;
    let live = session.with_any(&suffix, "entryUUID", &uuids).await?;
    let live: BTreeMap<String, Entry> = live
        .into_iter()
        .filter_map(|entry| Some((uuid(&entry)?, entry)))
        .collect();
    let there = entries.iter().filter_map(|entry| {
        let there = live.get(&uuid(entry)?)?;
        Some((entry.key(), there.clone()))
    });
    Ok(there.collect())
}

/// Whoever moved them decides where they belong.
pub fn refusal(moved: &[Moved]) -> Option<Fault> {
    let first = moved.first()?;
    let count = match moved.len() {
        1 => String::new(),
        more => format!(" (one of {more})"),
    };
    let message = format!(
        "`{}` is live as `{}`{count}: it was moved or renamed after the target time, and replicas lose an entry that comes into being twice",
        first.then, first.now
    );
    Some(
        Fault::refused(message).hint(
            "ask whose it is now: move it back to its old name, or, where it is nobody's any more, delete it; then `reprise retry`",
        ),
    )
}
