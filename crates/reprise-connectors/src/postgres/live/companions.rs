//! Other sites of the batch that the site's rows refer to, or that refer to
//! it: who of them is in live, what waits for them, and what they waited for.
//!
//! Restores of sites that are linked go one after the other from here to their
//! commit, by an advisory lock of the database. Else two of them could each
//! find the other absent, and the rows between them would come with neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reprise_model::{Check, Fault, SiteId, Verdict};
use reprise_ports::Context;
use serde_json::{Map, Value, json};

use super::bring::Brings;
use super::leaning::{Leaning, Portion};
use super::links::Links;
use super::restore::phase;
use super::session::Session;
use super::shard::{Match, Scratch};
use super::verify::Ends;
use super::waited;
use crate::postgres::slice::{Claim, SiteRows, TableName, literal, quoted};

/// How often the lock is asked for. Asking again and again, instead of waiting
/// in the server, leaves a cancellation and the lock time-out as they are.
const PAUSE: Duration = Duration::from_millis(50);
/// Sites that are named in an outcome.
const NAMED: usize = 20;

impl Scratch {
    /// Which sites of the batch refer to which; found once for a batch.
    pub(super) async fn links(
        &self,
        there: &mut Session<'_>,
        known: &Match,
        batch: &[SiteId],
    ) -> Result<Arc<Links>, Fault> {
        let mut links = self.links.lock().await;
        if let Some(links) = &*links
            && links.answers(known, batch)
        {
            return Ok(Arc::clone(links));
        }
        let found = match batch {
            [] | [_] => Links::none(batch),
            [_, _, ..] => Links::find(there, known, batch).await?,
        };
        let found = Arc::new(found);
        *links = Some(Arc::clone(&found));
        Ok(found)
    }
}

/// The linked sites, as they stand while the lock is held.
#[derive(Debug)]
pub struct Around {
    links: Arc<Links>,
    site: SiteId,
    present: BTreeSet<SiteId>,
    /// The site itself is not in live: others may have waited for it.
    returns: bool,
    waits: Option<Leaning>,
}

impl Around {
    pub async fn look(
        live: &mut Session<'_>,
        known: &Match,
        site: &SiteId,
        links: &Arc<Links>,
        context: &dyn Context,
    ) -> Result<Self, Fault> {
        let others = links.around(site);
        if others.is_empty() {
            return Ok(Self {
                links: Arc::clone(links),
                site: site.clone(),
                present: BTreeSet::new(),
                returns: false,
                waits: None,
            });
        }
        alone(live, context).await?;
        let mut all = others.clone();
        all.insert(site.clone());
        let mut absent = absent(live, known, &all).await?;
        let returns = absent.remove(site);
        Ok(Self {
            links: Arc::clone(links),
            site: site.clone(),
            present: others.difference(&absent).cloned().collect(),
            returns,
            waits: Some(Leaning::new(Arc::clone(links), absent, None)),
        })
    }

    /// What of the site's own rows has to wait.
    pub fn waits(&self) -> Option<&Leaning> {
        self.waits.as_ref()
    }

    /// What of others' rows waited for this site.
    pub fn brings(&self) -> Option<Brings> {
        let absent = &self.waits.as_ref()?.absent;
        (self.returns && !self.present.is_empty()).then(|| {
            let links = Arc::clone(&self.links);
            let coming = Some(self.site.clone());
            Brings {
                leaning: Leaning::new(links, absent.clone(), coming),
                coming: self.site.clone(),
                present: self.present.clone(),
            }
        })
    }
}

/// One restore of linked sites at a time in this database.
async fn alone(live: &mut Session<'_>, context: &dyn Context) -> Result<(), Fault> {
    let key = literal("reprise: references between sites");
    let sql = format!("select pg_try_advisory_xact_lock(hashtextextended({key}, 0))");
    let doing = "taking the lock on references between sites";
    let mut told = false;
    while !live.value::<bool>(doing, sql.clone()).await? {
        if !told {
            phase(context, "waiting for the restore of a linked site");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Those of `sites` that live does not have.
pub async fn absent(
    live: &mut Session<'_>,
    known: &Match,
    sites: &BTreeSet<SiteId>,
) -> Result<BTreeSet<SiteId>, Fault> {
    let root = &known.slice.root;
    let claim = known.slice.owned(root).and_then(|o| o.claims.first());
    let Some(Claim::Key { column, base, .. }) = claim else {
        return Ok(BTreeSet::new());
    };
    if sites.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: Vec<String> = sites.iter().map(|s| literal(s.as_str())).collect();
    let sql = format!(
        "select s.id from unnest(array[{}]::text[]) as s (id)
         where not exists (select 1 from {} t where t.{} = s.id::{base})",
        ids.join(", "),
        known.at_live("").from(root),
        quoted(column)
    );
    let doing = "looking which linked sites are there";
    let rows = live.rows(doing, sql).await?;
    let ids = rows.iter().map(|row| live.get::<String>(doing, row, 0));
    ids.map(|id| id.map(SiteId::from)).collect()
}

/// Rows that wait, by the site that they wait for and by table.
#[derive(Debug, Default)]
pub struct Waiting {
    by_site: BTreeMap<String, BTreeMap<String, i64>>,
    by_table: BTreeMap<String, i64>,
}

impl Waiting {
    pub fn tell(&self, output: &mut Map<String, Value>) {
        if !self.by_table.is_empty() {
            output.insert("postponed".to_owned(), json!(self.by_table));
            output.insert("waits_for".to_owned(), self.sites());
        }
    }

    async fn count_rows(
        &mut self,
        there: &mut Session<'_>,
        rows: &SiteRows<'_>,
        leaning: &Leaning,
        table: &TableName,
    ) -> Result<(), Fault> {
        let (Some(from), true) = (rows.of(table), leaning.may_hold(table)) else {
            return Ok(());
        };
        let sql = format!(
            "{} select l.site, count(distinct (t.tableoid, t.ctid::text)) from leaning l
             join lateral (select t.tableoid, t.ctid from {from} and t.tableoid = l.tab and t.ctid = l.at) t on true
             group by grouping sets ((l.site), ())",
            leaning.with(rows)
        );
        let doing = format!("counting rows of {table} that wait for other sites");
        for row in there.rows(&doing, sql).await? {
            let site: Option<String> = there.get(&doing, &row, 0)?;
            let count: i64 = there.get(&doing, &row, 1)?;
            if count > 0 {
                let counts = match site {
                    Some(site) => self.by_site.entry(site).or_default(),
                    None => &mut self.by_table,
                };
                counts.insert(table.to_string(), count);
            }
        }
        Ok(())
    }

    async fn count_references(
        &mut self,
        there: &mut Session<'_>,
        rows: &SiteRows<'_>,
        leaning: &Leaning,
        table: &TableName,
    ) -> Result<(), Fault> {
        for link in leaning.soft(table) {
            let Some(from) = rows.of(table) else {
                continue;
            };
            let sql = format!(
                "{} select count(*) from {from} and not {} and {}",
                leaning.with(rows),
                leaning.on("t", &leaning.absent),
                leaning.refers_to(rows, link, &leaning.absent)
            );
            let doing = format!("counting references of {table} that wait for other sites");
            let count: i64 = there.value(&doing, sql).await?;
            if count > 0 {
                let column = format!("{table}.{}", link.key.clears.join("+"));
                self.by_table.insert(column, count);
            }
        }
        Ok(())
    }

    fn sites(&self) -> Value {
        let named: BTreeMap<_, _> = self.by_site.iter().take(NAMED).collect();
        json!(named)
    }
}

/// Counts what of the portion has to wait. The site's own row cannot: nothing
/// of the site could come without it.
pub async fn waiting(
    there: &mut Session<'_>,
    portion: &Portion<'_>,
    known: &Match,
) -> Result<Waiting, Fault> {
    let mut waiting = Waiting::default();
    let Some(leaning) = portion.leaning.filter(|l| !l.absent.is_empty()) else {
        return Ok(waiting);
    };
    let rows = &portion.rows;
    for owned in &known.slice.tables {
        waiting
            .count_rows(there, rows, leaning, &owned.table)
            .await?;
        waiting
            .count_references(there, rows, leaning, &owned.table)
            .await?;
    }
    if waiting.by_table.contains_key(&known.slice.root.to_string()) {
        let sites: Vec<&String> = waiting.by_site.keys().take(NAMED).collect();
        return Err(Fault::temporary(format!(
            "the site's own row in {} refers to rows of a site that is not back yet: {sites:?}",
            known.slice.root
        ))
        .hint("it can come back after that site"));
    }
    Ok(waiting)
}

/// What the site's slice waits for, and whether all that waited for the site
/// is back.
pub async fn check(
    ends: &mut Ends<'_, '_>,
    links: &Arc<Links>,
    around: &BTreeSet<SiteId>,
) -> Result<Check, Fault> {
    phase(ends.context, "looking at rows between sites");
    let known = ends.known;
    let (portion, _) = ends.portions();
    let waiting = waiting(ends.there, &portion, known).await?;
    let absent = portion.leaning.map(|l| l.absent.clone());
    let absent = absent.unwrap_or_default();
    let brings = Brings {
        leaning: Leaning::new(Arc::clone(links), absent.clone(), Some(ends.site.clone())),
        coming: ends.site.clone(),
        present: around.difference(&absent).cloned().collect(),
    };
    let found = waited::compare(ends, &brings).await?;
    let missing = found.values().any(|table| table.missing > 0);
    Ok(Check {
        name: "companions".to_owned(),
        verdict: if missing {
            Verdict::Fail
        } else {
            Verdict::Pass
        },
        evidence: json!({
            "linked_sites": around.len(),
            "postponed": waiting.by_table,
            "waits_for": waiting.sites(),
            "of_others": found,
        }),
    })
}
