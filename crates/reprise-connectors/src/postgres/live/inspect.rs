//! What can be known about a live end before anything is started.

use reprise_model::{Fault, FaultKind};
use reprise_ports::{Estimate, Finding, Inspect, Inspection, Level};

use super::estimate::estimate;
use super::shard::{LiveShard, Match, Scratch};
use super::survey;
use crate::postgres::slice::{Catalog, Note, Slice};

/// Findings about one shard, as they come up.
pub struct Findings<'a> {
    shard: &'a LiveShard,
    all: Vec<Finding>,
}

impl Findings<'_> {
    pub fn add(
        &mut self,
        check: &str,
        level: Level,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.all.push(Finding {
            check: check.to_owned(),
            level,
            store: self.shard.store.clone(),
            shard: self.shard.shard.clone(),
            message: message.into(),
            hint,
        });
    }

    pub fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(check, Level::Ok, message, None);
    }

    /// What could not be looked at.
    pub fn unknown(&mut self, check: &str, fault: Fault) {
        self.add(check, Level::Unknown, fault.message, fault.hint);
    }
}

impl LiveShard {
    /// Looks at the live end, and at the scratch of T where there is one
    /// already. Changes nothing.
    pub async fn inspect(&self, inspect: &Inspect, scratch: Option<&Scratch>) -> Inspection {
        let mut findings = Findings {
            shard: self,
            all: Vec::new(),
        };
        let estimate = self.look_around(inspect, scratch, &mut findings).await;
        Inspection {
            findings: findings.all,
            estimate: estimate.unwrap_or_default(),
        }
    }

    /// Ends early where what comes next has nothing to stand on.
    async fn look_around(
        &self,
        inspect: &Inspect,
        scratch: Option<&Scratch>,
        findings: &mut Findings<'_>,
    ) -> Option<Estimate> {
        let mut live = match self.live.session().await {
            Ok(live) => live,
            Err(fault) => {
                findings.add("connection", Level::Error, fault.message, fault.hint);
                return None;
            }
        };
        survey::connection(&mut live, self.live.wants_tls(), findings).await;
        // Given back, because what follows takes one of its own: with both
        // held, a few inspections at once could wait for each other.
        live.give_back();
        let now = match self.live_catalog().await {
            Ok(now) => now,
            Err(fault) => {
                findings.unknown("ownership", fault);
                return None;
            }
        };
        survey::version(now.major, findings);
        let slice = match self.owned(scratch, &now, findings).await {
            Ok(slice) => slice,
            Err(fault) => {
                findings.add("ownership", Level::Error, fault.message, fault.hint);
                return None;
            }
        };
        ownership(&slice, findings);
        let mut live = self.live.session().await.ok()?;
        survey::permission(&mut live, &slice, &now, findings).await;
        survey::row_security(&mut live, &slice, &now, findings).await;
        survey::replica(&mut live, &slice, &now, findings).await;
        survey::in_the_way(&mut live, inspect, &slice, &now, findings).await;
        let estimate = estimate(&mut live, &slice, &now).await;
        live.give_back();
        estimate.ok()
    }

    /// The slice of T where a scratch tells it, else of the live schema.
    async fn owned(
        &self,
        scratch: Option<&Scratch>,
        now: &Catalog,
        findings: &mut Findings<'_>,
    ) -> Result<Slice, Fault> {
        let Some(scratch) = scratch else {
            let message = "the schema of the target time is compared after recovery";
            findings.add("schema-drift", Level::Later, message, None);
            return self.slice(now);
        };
        scratch.forget().await;
        let known = match self.matched(scratch).await {
            Ok(known) => known,
            Err(fault) if fault.kind == FaultKind::Refused => return Err(fault),
            Err(fault) => {
                findings.unknown("schema-drift", fault);
                return self.slice(now);
            }
        };
        of_nobody(scratch, &known, findings).await;
        match known.fits(&self.shard) {
            Ok(()) => findings.ok("schema-drift", "every column of the slice fits into live"),
            Err(fault) => findings.add("schema-drift", Level::Error, fault.message, fault.hint),
        }
        Ok(known.slice.clone())
    }
}

/// Counts the rows of T that belong to no site, and so stay where they are.
async fn of_nobody(scratch: &Scratch, known: &Match, findings: &mut Findings<'_>) {
    let rows = known.at_scratch("");
    let tables = known.slice.tables.iter().map(|owned| &owned.table);
    let queries: Vec<(String, String)> = tables
        .filter_map(|table| Some((table.to_string(), rows.nobody(table)?)))
        .collect();
    let counted = async {
        let mut there = scratch.connections.session().await?;
        let counts = there.counts("counting rows of nobody", &queries).await?;
        there.give_back();
        Ok(counts)
    };
    match counted.await {
        Err(fault) => findings.unknown("ownership", fault),
        Ok(counts) => {
            if let Some(named) = super::conflict::named(&counts) {
                let message = format!("rows that belong to no site, and are not restored: {named}");
                findings.add("ownership", Level::Warning, message, None);
            }
        }
    }
}

fn ownership(slice: &Slice, findings: &mut Findings<'_>) {
    findings.ok(
        "ownership",
        format!(
            "{} tables are the sites', {} shared, {} ignored",
            slice.tables.len(),
            slice.shared.len(),
            slice.ignored.len()
        ),
    );
    for note in &slice.notes {
        let level = match note {
            Note::SecondPath { .. } => Level::Ok,
            Note::Partial { .. } | Note::Unlogged(_) | Note::Foreign(_) | Note::PointsIn { .. } => {
                Level::Warning
            }
        };
        findings.add("ownership", level, note.to_string(), None);
    }
}
