//! The live end: what it has of a site, and how events get into it.

mod http;
mod sql;

use std::collections::BTreeMap;

use reprise_model::{EventTarget, Fault, SiteId, Timestamp};
use reprise_ports::CallSite;
use serde_json::value::RawValue;

use super::config::{EventsConfig, EventsShard};
use crate::rows::Options;

/// An event that is to be applied.
#[derive(Debug)]
pub(super) struct Due {
    pub seq: i64,
    pub time: Timestamp,
    pub payload: Box<RawValue>,
}

/// What live says of a site.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Held {
    /// The last number that was applied, by stream.
    pub offsets: BTreeMap<String, i64>,
    /// Events that live has, by stream; absent where nobody can tell.
    pub counts: Option<BTreeMap<String, u64>>,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    Yes,
    /// The offset was another one, and nothing was applied.
    Moved,
}

/// One task's way to the live end.
pub(super) enum Session<'a> {
    Sql(Box<sql::SqlSession<'a>>),
    Http(http::HttpSession<'a>),
}

impl<'a> Session<'a> {
    pub async fn open(
        config: &'a EventsConfig,
        shard: &'a EventsShard,
        options: &Options,
    ) -> Result<Self, Fault> {
        let end = format!("{}/{} live", config.store, shard.id);
        let live = shard.live.as_ref().ok_or_else(|| {
            Fault::refused(format!(
                "{}/{} has no live end here",
                config.store, shard.id
            ))
        })?;
        match &config.events.target {
            None => Err(Fault::permanent(format!(
                "store `{}` does not say how events are applied",
                config.store
            ))
            .hint("add `sql` or `http` to its `tenant`")),
            Some(EventTarget::Sql(target)) => {
                let session = sql::SqlSession::open(end, live, target, options).await?;
                Ok(Self::Sql(Box::new(session)))
            }
            Some(EventTarget::Http(target)) => Ok(Self::Http(http::HttpSession::open(
                end, config, shard, live, target,
            )?)),
        }
    }

    /// Events in one batch at most.
    pub fn batch(&self) -> usize {
        match self {
            Self::Sql(_) => sql::BATCH,
            Self::Http(session) => session.batch(),
        }
    }

    /// `streams` are those of the archive; SQL tells of others too.
    pub async fn held(&mut self, site: &CallSite, streams: &[String]) -> Result<Held, Fault> {
        match self {
            Self::Sql(session) => session.held(site).await,
            Self::Http(session) => session.held(site, streams).await,
        }
    }

    /// Applies events that follow on `after`, all or none.
    pub async fn apply(
        &mut self,
        site: &CallSite,
        stream: &str,
        after: i64,
        due: &[Due],
        key: &str,
    ) -> Result<Applied, Fault> {
        match self {
            Self::Sql(session) => session.apply(site, stream, after, due).await,
            Self::Http(session) => session.apply(site, stream, after, due, key).await,
        }
    }

    /// Forgets the site's events and offsets, both at once.
    pub async fn clear(&mut self, site: &CallSite) -> Result<(), Fault> {
        match self {
            Self::Sql(session) => session.clear(site).await,
            Self::Http(session) => session.clear(site).await,
        }
    }

    /// Whether the end answers, knows who asks, and is as it must be.
    pub async fn look(&mut self, site: Option<&SiteId>) -> Result<String, Fault> {
        match self {
            Self::Sql(session) => session.look(site).await,
            Self::Http(session) => session.look().await,
        }
    }
}
