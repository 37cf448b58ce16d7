//! What a restore has to do: found by comparing the keys as they are with the
//! manifest of T, before anything is written.

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use reprise_model::{Fault, Volume};

use super::compare;
use super::history::{History, Version};
use super::manifest::Manifest;
use super::options::Markers;
use super::slice::{Slice, history};
use super::step::{Step, step};
use crate::shared::policy::{CreatedAfter, OnConflict};

/// What is to be done, and what was seen on the way to knowing it.
#[derive(Default)]
pub(super) struct Work<'a> {
    pub todo: Vec<(&'a str, Change<'a>)>,
    /// Objects of the manifest, and their bytes.
    pub slice: Volume,
    pub in_the_way: Vec<String>,
    pub kept: u64,
    pub created: u64,
    /// Nobody can tell what they were.
    pub left: u64,
    pub gone: Vec<&'a str>,
    /// Would have to be read, and cannot be.
    pub archived: Vec<&'a str>,
}

pub(super) enum Change<'a> {
    Uncover(Vec<&'a str>),
    Copy(&'a Version),
    Remove,
}

impl Slice<'_> {
    pub(super) async fn work<'a>(
        &self,
        manifest: &'a Manifest,
        now: &'a [History],
    ) -> Result<Work<'a>, Fault> {
        let mut work = Work::default();
        let mut compared = Vec::new();
        for entry in &manifest.entries {
            if let Some(object) = entry.at.as_ref().and_then(|at| at.object.as_ref()) {
                work.slice.rows += 1;
                work.slice.bytes += object.size;
            }
            let key = entry.key.as_str();
            if entry.doubt.is_some() {
                work.left += 1;
                continue;
            }
            match step(history(now, key), entry.at.as_ref()) {
                Step::Nothing => {}
                Step::Uncover { markers, .. } if self.options.markers == Markers::Remove => {
                    work.todo.push((key, Change::Uncover(markers)));
                }
                Step::Uncover { then, .. } => work.todo.push((key, Change::Copy(then))),
                Step::Copy { then } => work.todo.push((key, Change::Copy(then))),
                Step::Compare { now, then } => compared.push((key, now, then)),
                Step::Created => self.created(key, &mut work),
                Step::Gone { .. } => work.gone.push(key),
            }
        }
        // Keys that appeared after the manifest was made.
        let mut known: Vec<&str> = manifest.entries.iter().map(|e| e.key.as_str()).collect();
        known.sort_unstable();
        for history in now {
            let live = history.current().is_some_and(|v| v.object.is_some());
            if live && known.binary_search(&history.key.as_str()).is_err() {
                self.created(&history.key, &mut work);
            }
        }
        // What can neither be read nor compared is not asked for.
        let mut cold = Vec::new();
        for (key, now, then) in &compared {
            if compare::must_read(now, then) {
                cold.push((*key, *then));
            }
        }
        work.archived = self.archived(cold).await?;
        compared.retain(|(key, _, _)| work.archived.binary_search(key).is_err());
        self.compare_all(compared, &mut work).await?;
        let mut copies = Vec::new();
        for (key, change) in &work.todo {
            if let Change::Copy(then) = change {
                copies.push((*key, *then));
            }
        }
        let archived = self.archived(copies).await?;
        work.archived.extend(archived);
        Ok(work)
    }

    async fn compare_all<'a>(
        &self,
        compared: Vec<(&'a str, &'a Version, &'a Version)>,
        work: &mut Work<'a>,
    ) -> Result<(), Fault> {
        let mut compared = compared.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.options.concurrent {
                let Some((key, now, then)) = compared.next() else {
                    break;
                };
                under_way.push(self.compare(key, now, then));
            }
            let Some((key, then, found)) = under_way.try_next().await? else {
                return Ok(());
            };
            match (found, self.options.on_conflict) {
                (None, _) => {}
                (Some(what), OnConflict::Refuse) => {
                    work.in_the_way.push(format!("`{key}` ({what})"))
                }
                (Some(_), OnConflict::Keep) => work.kept += 1,
                (Some(_), OnConflict::Replace) => work.todo.push((key, Change::Copy(then))),
            }
        }
    }

    /// Of these, the keys whose versions cannot be read.
    async fn archived<'a>(
        &self,
        mut versions: Vec<(&'a str, &'a Version)>,
    ) -> Result<Vec<&'a str>, Fault> {
        versions.retain(|(_, version)| version.is_archived());
        let mut versions = versions.into_iter();
        let mut archived = Vec::new();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.options.concurrent {
                let Some((key, version)) = versions.next() else {
                    break;
                };
                under_way.push(self.unread(key, version));
            }
            match under_way.try_next().await? {
                Some(key) => archived.extend(key),
                None => break,
            }
        }
        archived.sort_unstable();
        Ok(archived)
    }

    async fn unread<'a>(&self, key: &'a str, version: &Version) -> Result<Option<&'a str>, Fault> {
        let cancelled = self.context.cancelled();
        let head = compare::head(self.bucket, key, &version.id, cancelled).await?;
        Ok((!compare::is_brought_back(&head)).then_some(key))
    }

    /// In what the live object of a key differs from that of T.
    pub(super) async fn compare<'a>(
        &self,
        key: &'a str,
        now: &Version,
        then: &'a Version,
    ) -> Result<(&'a str, &'a Version, Option<&'static str>), Fault> {
        let cancelled = self.context.cancelled();
        let found = compare::difference(self.bucket, key, now, then, cancelled).await?;
        Ok((key, then, found))
    }

    fn created<'a>(&self, key: &'a str, work: &mut Work<'a>) {
        work.created += 1;
        match self.options.created_after {
            CreatedAfter::Keep => {}
            CreatedAfter::Remove => work.todo.push((key, Change::Remove)),
        }
    }
}
