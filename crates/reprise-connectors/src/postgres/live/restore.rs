//! The restore of one slice: begin, look for rows in the way, load, check,
//! move sequences on, mark, commit.

use std::collections::BTreeMap;

use reprise_model::{Fault, FaultKind, Outcome, SiteId};
use reprise_ports::{Context, Probe, Progress};
use serde_json::{Map, Value, json};

use super::bring::{self, Brought};
use super::companions::{self, Around};
use super::load::{Tally, Work, load};
use super::mark::{Mark, probe};
use super::session::Session;
use super::shard::{LiveShard, Match, Scratch};
use super::transaction::{Mode, begin};
use super::{conflict, integrity, sequences};
use crate::postgres::slice::{Claim, SiteRows, quoted};
use crate::rows::{OnConflict, Options};

impl LiveShard {
    /// Puts the site's slice back into live, in one transaction.
    pub async fn restore(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        companions: &[SiteId],
        with: &Map<String, Value>,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        let options = Options::read(with)?;
        let ready = async {
            let prepared = self
                .prepare(scratch, site, companions, &options, context)
                .await;
            if prepared.is_err() {
                scratch.forget().await;
            }
            prepared
        };
        // Once the commit is sent it is waited for: it is short, and cutting
        // it off would only hide what became of it.
        let (live, mark) = tokio::select! {
            () = context.cancelled().cancelled() => return Err(cancelled()),
            ready = ready => ready?,
        };
        self.commit(live, mark).await
    }

    /// Everything up to the mark. Dropped at any point, the connection closes
    /// and the server rolls back.
    async fn prepare<'s>(
        &'s self,
        scratch: &Scratch,
        site: &SiteId,
        companions: &[SiteId],
        options: &Options,
        context: &dyn Context,
    ) -> Result<(Session<'s>, Mark), Fault> {
        phase(context, "comparing schemas");
        let known = self.matched(scratch).await?;
        known.fits(&self.shard)?;
        let mut there = scratch.connections.session().await?;
        there.run("beginning to read", READ.to_owned()).await?;
        at_scratch(&mut there, &known, site).await?;
        let links = scratch.links(&mut there, &known, companions).await?;

        let mut live = self.live.session().await?;
        let mode = begin(&mut live, &known, site, options).await?;
        let around = Around::look(&mut live, &known, site, &links, context).await?;
        let work = Work {
            known: &known,
            site,
            context,
            mode,
            leaning: around.waits(),
        };
        let waiting = companions::waiting(&mut there, &work.portion(), &known).await?;
        let tally = load(&mut there, &mut live, &work, options.on_conflict).await?;
        let back = match around.brings() {
            Some(brings) => bring::back(&mut there, &mut live, &work, &brings).await?,
            None => Brought::default(),
        };
        there.run("ending to read", "commit".to_owned()).await?;
        there.give_back();

        phase(context, "checking foreign keys");
        check(&mut live, &work).await?;
        let moved = sequences::move_on(&mut live, &known, &work.live_rows()).await?;
        let mut outcome = outcome(tally, mode, options.on_conflict, moved);
        waiting.tell(&mut outcome.output);
        back.tell(&mut outcome);
        let mark = Mark::take(&mut live, outcome).await?;
        context.mark(mark.to_value()).await?;
        Ok((live, mark))
    }

    async fn commit(&self, mut live: Session<'_>, mark: Mark) -> Result<Outcome, Fault> {
        let lost = match live.try_run("commit".to_owned()).await {
            Ok(_) => {
                live.give_back();
                return Ok(mark.into_outcome());
            }
            Err(error) => live.fault("committing", &error),
        };
        // The answer is lost, the transaction may be in.
        drop(live);
        match probe(&self.live, &mark).await {
            Ok(Probe::AsItShouldBe(outcome)) => Ok(outcome),
            Ok(Probe::NotYet | Probe::Unknown { .. }) | Err(_) => Err(lost),
        }
    }

    /// What became of the attempt that left `mark`. Without one, nothing of it
    /// can be in: the mark is durable before the commit is sent.
    pub async fn probe_restore(&self, mark: Option<&Value>) -> Result<Probe, Fault> {
        match mark {
            None => Ok(Probe::NotYet),
            Some(value) => match Mark::read(value) {
                Some(mark) => probe(&self.live, &mark).await,
                None => Ok(Probe::Unknown {
                    why: "the mark of the earlier attempt cannot be read".to_owned(),
                }),
            },
        }
    }
}

/// Output settings are the same on both ends, so that text means the same.
const READ: &str = "begin isolation level repeatable read read only;
    set local search_path = ''; set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local bytea_output = 'hex'; set local extra_float_digits = 1;
    set local datestyle = 'ISO, MDY'; set local intervalstyle = 'postgres'; set local timezone = 'UTC'";

pub fn cancelled() -> Fault {
    Fault::new(
        FaultKind::Cancelled,
        "cancelled; the transaction was rolled back",
    )
}

pub fn phase(context: &dyn Context, phase: impl Into<String>) {
    context.progress(Progress {
        phase: Some(phase.into()),
        ..Progress::default()
    });
}

/// The site's id means in the database what it means in the list, and the
/// slice holds nothing that cannot be carried.
async fn at_scratch(there: &mut Session<'_>, known: &Match, site: &SiteId) -> Result<(), Fault> {
    let rows = known.at_scratch(site.as_str());
    let root = &known.slice.root;
    if let Some(Claim::Key { column, .. }) = known.slice.owned(root).and_then(|o| o.claims.first())
        && let Some(from) = rows.of(root)
    {
        let sql = format!(
            "select (select t.{}::text from {from} limit 1)",
            quoted(column)
        );
        let found: Option<String> = there.value("looking for the site", sql).await?;
        let unique = known.then.table(root).is_some_and(|table| {
            let alone = |columns: &[String]| matches!(columns, [only] if only == column);
            table
                .keys
                .iter()
                .any(|key| key.plain && alone(&key.columns))
        });
        match found {
            Some(found) if found.trim_end() != site.as_str() => {
                let message = format!("site {site} is written {found} in {root}.{column}");
                return Err(Fault::refused(message));
            }
            None if unique => {
                let message = format!(
                    "{}: {root} has no site {site} at the target time",
                    there.end()
                );
                return Err(Fault::refused(message)
                    .hint("was the site created later, or is it on another shard?"));
            }
            Some(_) | None => {}
        }
    }
    large_objects(there, known, &rows).await
}

/// A large object is not a row: the slice would hold a number that points
/// to nothing.
async fn large_objects(
    there: &mut Session<'_>,
    known: &Match,
    rows: &SiteRows<'_>,
) -> Result<(), Fault> {
    let mut queries = Vec::new();
    for owned in &known.slice.tables {
        let columns = known.then.table(&owned.table).map(|t| t.columns.as_slice());
        for column in columns.unwrap_or_default() {
            if let Some(from) = rows.of(&owned.table)
                && column.kind.object_id
            {
                let object = "select 1 from pg_catalog.pg_largeobject_metadata m where m.oid";
                let query = format!("{from} and exists ({object} = t.{})", quoted(&column.name));
                queries.push((format!("{}.{}", owned.table, column.name), query));
            }
        }
    }
    let counts = there.counts("looking for large objects", &queries).await?;
    match conflict::named(&counts) {
        None => Ok(()),
        Some(named) => Err(Fault::refused(format!(
            "rows of the slice point to large objects, which are not carried: {named}"
        ))
        .hint("copy them by hand with lo_export and lo_import, and declare the table `ignored`")),
    }
}

/// What the server would have checked, had it not been told to be a replica.
async fn check(live: &mut Session<'_>, work: &Work<'_>) -> Result<(), Fault> {
    match work.mode {
        Mode::Replica => {
            let rows = work.live_rows();
            integrity::hold_parents(live, &rows).await?;
            let broken = integrity::broken(live, &rows).await?;
            integrity::whole(&broken)
        }
        Mode::Deferred => {
            let sql = "set constraints all immediate".to_owned();
            live.run("checking foreign keys", sql).await?;
            Ok(())
        }
    }
}

fn outcome(
    tally: Tally,
    mode: Mode,
    on_conflict: OnConflict,
    sequences: BTreeMap<String, i64>,
) -> Outcome {
    let mut output = Map::new();
    output.insert("tables".to_owned(), json!(tally.tables));
    output.insert("mode".to_owned(), json!(mode.as_str()));
    output.insert("on_conflict".to_owned(), json!(on_conflict.as_str()));
    for (name, counts) in [("kept", tally.kept), ("replaced", tally.replaced)] {
        if !counts.is_empty() {
            output.insert(name.to_owned(), json!(counts));
        }
    }
    if !sequences.is_empty() {
        output.insert("sequences_moved".to_owned(), json!(sequences));
    }
    Outcome {
        output,
        volume: tally.volume,
        ..Outcome::default()
    }
}
