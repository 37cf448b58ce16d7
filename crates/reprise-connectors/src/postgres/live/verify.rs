//! Proof that a slice is whole: rows and checksums against scratch, foreign
//! keys out of it and into it, sequences ahead.

use std::sync::Arc;

use reprise_model::{Check, Fault, FaultKind, Outcome, SiteId, Verdict};
use reprise_ports::Context;
use serde_json::{Map, Value};

use super::leaning::{Leaning, Portion};
use super::restore::{cancelled, phase};
use super::session::Session;
use super::shard::{LiveShard, Match, Scratch};
use super::{check, companions};
use crate::rows::{OnConflict, Options, conclude};

impl LiveShard {
    /// Compares the site's slice in live with scratch. Changes nothing.
    pub async fn verify(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        companions: &[SiteId],
        with: &Map<String, Value>,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        let options = Options::read(with)?;
        let look = self.look(scratch, site, companions, &options, context);
        tokio::select! {
            () = context.cancelled().cancelled() => Err(cancelled()),
            looked = look => looked,
        }
    }

    async fn look(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        companions: &[SiteId],
        options: &Options,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        phase(context, "comparing schemas");
        let known = self.matched(scratch).await?;
        known.fits(&self.shard)?;
        let mut there = scratch.connections.session().await?;
        let mut live = self.live.session().await?;
        there
            .run("beginning to read", begin(options, false, &known))
            .await?;
        let links = scratch.links(&mut there, &known, companions).await?;
        let around = links.around(site);
        // A temporary table is needed to lay rows beside live's.
        let writes = options.on_conflict == OnConflict::Keep || !around.is_empty();
        live.run("beginning to read", begin(options, writes, &known))
            .await?;
        let absent = companions::absent(&mut live, &known, &around).await?;
        let leaning = Leaning::new(Arc::clone(&links), absent.clone(), None);
        let mut ends = Ends {
            there: &mut there,
            live: &mut live,
            known: &known,
            site,
            context,
            leaning: Some(&leaning),
        };
        let (rows, volume) = match options.on_conflict {
            OnConflict::Refuse | OnConflict::Replace => check::same_rows(&mut ends).await?,
            OnConflict::Keep => check::rows_kept(&mut ends).await?,
        };
        let mut checks = vec![
            rows,
            look_or_unknown("foreign-keys", check::foreign_keys(&mut ends).await)?,
            look_or_unknown("references-in", check::references_in(&mut ends).await)?,
            look_or_unknown("sequences", check::sequences(&mut ends).await)?,
        ];
        if !around.is_empty() {
            let companions = companions::check(&mut ends, &links, &around).await;
            checks.push(look_or_unknown("companions", companions)?);
        }
        // Nothing was changed; a temporary table of `keep` goes with it.
        there.run("ending to read", "rollback".to_owned()).await?;
        live.run("ending to read", "rollback".to_owned()).await?;
        there.give_back();
        live.give_back();
        conclude(site, checks, volume)
    }
}

/// The two ends of one comparison.
pub struct Ends<'a, 's> {
    pub there: &'a mut Session<'s>,
    pub live: &'a mut Session<'s>,
    pub known: &'a Match,
    pub site: &'a SiteId,
    pub context: &'a dyn Context,
    /// What waits for other sites of the batch at this moment.
    pub leaning: Option<&'a Leaning>,
}

impl<'a> Ends<'a, '_> {
    /// The rows that should be in live, and those that are.
    pub fn portions(&self) -> (Portion<'a>, Portion<'a>) {
        let site = self.site.as_str();
        let then = Portion {
            rows: self.known.at_scratch(site),
            leaning: self.leaning,
        };
        let now = Portion {
            rows: self.known.at_live(site),
            leaning: None,
        };
        (then, now)
    }
}

/// One snapshot, and output settings that make equal rows equal text. Live is
/// read-only too, unless a temporary table is needed.
fn begin(options: &Options, writes: bool, known: &Match) -> String {
    let access = if writes { "read write" } else { "read only" };
    let watch = match known.then.major.min(known.now.major) >= 14 {
        true => "set local client_connection_check_interval = '5s';",
        false => "",
    };
    format!(
        "begin isolation level repeatable read {access};
         set local search_path = ''; set local row_security = off;
         set local lock_timeout = {}; set local statement_timeout = {}; {watch}
         set local idle_in_transaction_session_timeout = '1h';
         set local bytea_output = 'hex'; set local extra_float_digits = 1; set local xmloption = content;
         set local datestyle = 'ISO, MDY'; set local intervalstyle = 'postgres'; set local timezone = 'UTC'",
        options.lock_timeout.as_millis(),
        options.statement_timeout.as_millis(),
    )
}

/// A check that may not look is unknown, which is never a pass; one that was
/// cut off is an error of the attempt.
fn look_or_unknown(name: &str, looked: Result<Check, Fault>) -> Result<Check, Fault> {
    match looked {
        Err(fault) if fault.kind == FaultKind::Permanent => Ok(Check {
            name: name.to_owned(),
            verdict: Verdict::Unknown,
            evidence: serde_json::json!({ "why": fault.message }),
        }),
        other => other,
    }
}
