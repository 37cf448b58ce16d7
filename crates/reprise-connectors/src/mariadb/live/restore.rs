//! The restore of one slice: begin, look for rows in the way, load, check,
//! mark, commit.

use reprise_model::{Fault, FaultKind, Outcome, SiteId};
use reprise_ports::{Context, Probe, Progress};
use serde_json::{Map, Value, json};

use super::integrity;
use super::load::{Tally, load};
use super::probe::{self, Mark};
use super::shard::{LiveShard, Match, Scratch};
use crate::mariadb::session::Session;
use crate::rows::{Claim, Dialect, OnConflict, Options};

/// The session of an attempt that was cut off ends soon, in seconds.
const PATIENCE: u32 = 5;

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
        let options = options(with)?;
        phase(context, "comparing schemas");
        // Before the session: it takes one of its own, and with all of them
        // held, a few attempts at once would wait for each other.
        let known = self.matched(scratch).await?;
        known.fits(&self.shard)?;
        let (mut live, slot) = self.session().await?;
        let ready = async {
            let (mut there, ()) =
                futures::try_join!(scratch.reading(), begin(&mut live, site, &options))?;
            let work = Work {
                known: &known,
                site,
                companions,
                options: &options,
                context,
            };
            prepare(&mut there, &mut live, &work).await
        };
        // Once the commit is sent it is waited for: it is short, and cutting
        // it off would only hide what became of it.
        let mark = tokio::select! {
            () = context.cancelled().cancelled() => return Err(cancelled()),
            ready = ready => ready,
        };
        let mark = match mark {
            Ok(mark) => mark,
            Err(fault) => {
                scratch.forget().await;
                return Err(fault);
            }
        };
        let Err(lost) = live.run("committing", "commit").await else {
            live.close().await;
            return Ok(mark.into_outcome());
        };
        // The answer is lost, the transaction may be in.
        drop((live, slot));
        let mark = mark.to_value();
        match self.probe_restore(scratch, site, Some(&mark)).await {
            Ok(Probe::AsItShouldBe(outcome)) => Ok(outcome),
            Ok(Probe::NotYet | Probe::Unknown { .. }) | Err(_) => Err(lost),
        }
    }
}

/// One slice's restore.
struct Work<'a> {
    known: &'a Match,
    site: &'a SiteId,
    companions: &'a [SiteId],
    options: &'a Options,
    context: &'a dyn Context,
}

/// Everything up to the mark. Dropped at any point, the connection closes
/// and the server rolls back.
async fn prepare(there: &mut Session, live: &mut Session, work: &Work<'_>) -> Result<Mark, Fault> {
    let (known, site, context) = (work.known, work.site, work.context);
    futures::try_join!(
        at_scratch(there, known, site),
        not_in_the_way(live, known, site)
    )?;
    let tally = load(there, live, known, site, context).await?;
    phase(context, "checking foreign keys");
    whole(live, work).await?;
    let mark = Mark::take(live, outcome(tally)).await?;
    context.mark(mark.to_value()).await?;
    Ok(mark)
}

/// The options of rows, of which one store's choices are fewer.
pub fn options(with: &Map<String, Value>) -> Result<Options, Fault> {
    let options = Options::read(with)?;
    match options.on_conflict {
        OnConflict::Refuse => Ok(options),
        other @ (OnConflict::Keep | OnConflict::Replace) => Err(Fault::permanent(format!(
            "`with: on_conflict` is {}; a store of kind `mariadb` knows refuse",
            other.as_str()
        ))),
    }
}

pub fn cancelled() -> Fault {
    Fault::new(
        FaultKind::Cancelled,
        "cancelled; the transaction was rolled back",
    )
}

pub fn phase(context: &dyn Context, phase: &str) {
    context.progress(Progress {
        phase: Some(phase.to_owned()),
        ..Progress::default()
    });
}

/// Foreign keys are checked by ourselves, once all rows are in. Committed
/// reads: nothing is locked but the rows that are wanted.
async fn begin(live: &mut Session, site: &SiteId, options: &Options) -> Result<(), Fault> {
    probe::alone(live, site, PATIENCE).await?;
    let statements = live
        .value(
            "asking for its log's format",
            "select @@binlog_format = 'STATEMENT'",
        )
        .await?;
    // Such a log takes no committed reads.
    let isolation = match statements.as_deref() {
        Some("1") => "repeatable read",
        _ => "read committed",
    };
    let patience = options.lock_timeout.as_secs().max(1);
    let start = format!(
        "set session foreign_key_checks = 0, unique_checks = 1, check_constraint_checks = 1,
           innodb_lock_wait_timeout = {patience}, lock_wait_timeout = {patience},
           max_statement_time = {};
         set session transaction isolation level {isolation}; start transaction",
        options.statement_timeout.as_secs_f64(),
    );
    live.run("beginning the transaction", start).await.map(drop)
}

/// The site's id means in the database what it means in the list.
async fn at_scratch(there: &mut Session, known: &Match, site: &SiteId) -> Result<(), Fault> {
    let rows = known.at_scratch(site.as_str());
    let root = &known.slice.root;
    let claim = known
        .slice
        .owned(root)
        .and_then(|owned| owned.claims.first());
    let (Some(Claim::Key { column, .. }), Some(from)) = (claim, rows.of(root)) else {
        return Ok(());
    };
    let column = Dialect::Mariadb.quoted(column);
    // Another spelling comes first, where a column without a key has several.
    let sql = format!(
        "select cast(t.{column} as char) from {from}
         order by cast(cast(t.{column} as char) as binary) = cast({} as binary) limit 1",
        Dialect::Mariadb.literal(site.as_str())
    );
    match there.value("looking for the site", sql).await? {
        Some(found) if found == site.as_str() => Ok(()),
        // A collation that takes `ACME` for `acme` would mix two sites up.
        Some(found) => Err(Fault::refused(format!(
            "site {site} is written {found} in {root}"
        ))),
        None => Err(Fault::refused(format!(
            "{}: {root} has no site {site} at the target time",
            there.end()
        ))
        .hint("was the site created later, or is it on another shard?")),
    }
}

/// Live rows of the site, table by table.
pub async fn in_the_way(
    live: &mut Session,
    known: &Match,
    site: &SiteId,
) -> Result<Vec<(String, u64)>, Fault> {
    let rows = known.at_live(site.as_str());
    let tables = known.slice.tables.iter().map(|owned| &owned.table);
    let queries: Vec<(String, String)> = tables
        .filter(|table| known.now.table(table).is_some())
        .filter_map(|table| Some((table.to_string(), rows.of(table)?)))
        .collect();
    let mut counts = live.counts("looking for rows in the way", &queries).await?;
    counts.retain(|(_, count)| *count > 0);
    Ok(counts)
}

async fn not_in_the_way(live: &mut Session, known: &Match, site: &SiteId) -> Result<(), Fault> {
    let counts = in_the_way(live, known, site).await?;
    if counts.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = counts
        .iter()
        .map(|(table, count)| format!("{table}: {count}"))
        .collect();
    let message = format!("live already has rows of site {site}: {}", named.join(", "));
    Err(Fault::refused(message)
        .hint("look at whose they are, and take them away if they are in the way"))
}

/// Every row refers to something that is there.
async fn whole(live: &mut Session, work: &Work<'_>) -> Result<(), Fault> {
    let (known, site) = (work.known, work.site);
    let rows = known.at_live(site.as_str());
    let broken = integrity::held_or_broken(live, &rows, work.options.lock_timeout).await?;
    if broken.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = broken
        .iter()
        .map(|(key, count)| {
            format!(
                "{count} rows of {} refer by {} to rows of {} that are not in live",
                key.child, key.name, key.parent
            )
        })
        .collect();
    let of_sites = broken
        .iter()
        .all(|(key, _)| known.slice.owned(&key.parent).is_some());
    let others = work.companions.iter().any(|other| other != site);
    let message = format!("site {site}: {}", named.join("; "));
    Err(match of_sites && others {
        true => Fault::temporary(message)
            .hint("they may belong to another site of the batch that is not back yet"),
        false => {
            Fault::refused(message).hint("bring the rows back that they refer to, and try again")
        }
    })
}

fn outcome(tally: Tally) -> Outcome {
    let mut output = Map::new();
    output.insert("tables".to_owned(), json!(tally.tables));
    Outcome {
        output,
        volume: tally.volume,
        ..Outcome::default()
    }
}
