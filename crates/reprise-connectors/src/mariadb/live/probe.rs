//! What became of a restore whose coordinator died.
//!
//! MariaDB keeps no word about a transaction that is over, and a table of our
//! own in a live database would be one more thing of ours in somebody's
//! schema. So the slice in live is compared with scratch: one transaction put
//! it there whole or not at all, and no row of the site was there before.

use reprise_model::{Fault, Outcome, SiteId};
use reprise_ports::Probe;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::restore::in_the_way;
use super::shard::{LiveShard, Scratch};
use super::verify::different;
use crate::mariadb::session::Session;
use crate::rows::Dialect;

const VERSION: u32 = 1;
/// How long an attempt whose session still runs is waited for, in seconds.
const WAIT: u32 = 15;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mark {
    version: u32,
    database: String,
    outcome: Outcome,
}

impl Mark {
    pub async fn take(live: &mut Session, outcome: Outcome) -> Result<Self, Fault> {
        let database = live
            .value("asking for the database", "select database()")
            .await?;
        Ok(Self {
            version: VERSION,
            database: database.unwrap_or_default(),
            outcome,
        })
    }

    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }

    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn read(value: &Value) -> Option<Self> {
        let mark: Self = serde_json::from_value(value.clone()).ok()?;
        (mark.version == VERSION).then_some(mark)
    }
}

/// At most one restore of a site at a time. The server lets go of the lock
/// when a session ends, after its transaction is rolled back.
pub async fn alone(live: &mut Session, site: &SiteId, wait: u32) -> Result<(), Fault> {
    let name = Dialect::Mariadb.literal(site.as_str());
    let sql = format!(
        "select get_lock(concat('reprise/', md5(concat(database(), '/', {name}))), {wait})"
    );
    match live.value("taking the site's lock", sql).await?.as_deref() {
        Some("1") => Ok(()),
        _ => Err(Fault::temporary(format!(
            "{}: another restore of site {site} is under way",
            live.end()
        ))),
    }
}

impl LiveShard {
    /// Without a mark nothing of an attempt can be in: the mark is durable
    /// before the commit is sent.
    pub async fn probe_restore(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        mark: Option<&Value>,
    ) -> Result<Probe, Fault> {
        let Some(mark) = mark else {
            return Ok(Probe::NotYet);
        };
        let unknown = |why: String| Ok(Probe::Unknown { why });
        let Some(mark) = Mark::read(mark) else {
            return unknown("the mark of the earlier attempt cannot be read".to_owned());
        };
        let known = self.matched(scratch).await?;
        known.fits(&self.shard)?;
        let (mut live, _slot) = self.session().await?;
        let database = live
            .value("asking for the database", "select database()")
            .await?;
        if database.as_ref() != Some(&mark.database) {
            return unknown(format!(
                "{}: the mark is of database {}",
                live.end(),
                mark.database
            ));
        }
        if let Err(fault) = alone(&mut live, site, WAIT).await {
            return match fault.kind.may_pass() {
                true => unknown(fault.message),
                false => Err(fault),
            };
        }
        live.snapshot().await?;
        if in_the_way(&mut live, &known, site).await?.is_empty() {
            live.close().await;
            // A slice without any row is in whether it was restored or not.
            return Ok(match mark.outcome.volume.rows {
                0 => Probe::AsItShouldBe(mark.outcome),
                _ => Probe::NotYet,
            });
        }
        let mut there = scratch.reading().await?;
        let different = different(&mut there, &mut live, &known, site).await?;
        there.close().await;
        live.close().await;
        match different.is_empty() {
            true => Ok(Probe::AsItShouldBe(mark.outcome)),
            false => unknown(format!(
                "live has rows of site {site} that are not those of the target time in {}: they may have changed since an earlier attempt, or be somebody else's",
                different.join(", ")
            )),
        }
    }
}
