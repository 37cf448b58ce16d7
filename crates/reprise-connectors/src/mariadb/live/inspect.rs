//! What can be known about a live end before anything is started.

use reprise_model::Fault;
use reprise_ports::{Estimate, Finding, Inspect, Inspection, Level};

use super::shard::{LiveShard, triggers, unfit};
use crate::rows::{Claim, Note, SiteRows};

impl LiveShard {
    /// Looks at the live end. Changes nothing.
    pub async fn inspect(&self, inspect: &Inspect) -> Inspection {
        let mut findings = Vec::new();
        let mut add = |check: &str, level, message: String, hint| {
            findings.push(Finding {
                check: check.to_owned(),
                level,
                store: self.store.clone(),
                shard: self.shard.clone(),
                message,
                hint,
            });
        };
        let estimate = match self.look_around(inspect, &mut add).await {
            Ok(estimate) => estimate,
            Err((check, fault)) => {
                add(check, Level::Error, fault.message, fault.hint);
                Estimate::default()
            }
        };
        Inspection { findings, estimate }
    }

    async fn look_around(
        &self,
        inspect: &Inspect,
        add: &mut impl FnMut(&str, Level, String, Option<String>),
    ) -> Result<Estimate, (&'static str, Fault)> {
        let now = self
            .structure()
            .await
            .map_err(|fault| ("connection", fault))?;
        add("connection", Level::Ok, "live answers".to_owned(), None);
        let message = "the schema of the target time is compared after recovery";
        add("schema-drift", Level::Later, message.to_owned(), None);
        let slice = self
            .slice(&now.catalog)
            .map_err(|fault| ("ownership", fault))?;
        let message = format!(
            "{} tables are the sites', {} shared, {} ignored",
            slice.tables.len(),
            slice.shared.len(),
            slice.ignored.len()
        );
        add("ownership", Level::Ok, message, None);
        for note in &slice.notes {
            let level = match note {
                Note::SecondPath { .. } => Level::Ok,
                Note::Partial { .. }
                | Note::Unlogged(_)
                | Note::Foreign(_)
                | Note::PointsIn { .. } => Level::Warning,
            };
            add("ownership", level, note.to_string(), None);
        }
        for why in unfit(&slice, &now.unfit) {
            add("tables", Level::Error, why, None);
        }
        for why in triggers(&slice, &now.catalog) {
            add("triggers", Level::Error, why, None);
        }
        let (mut live, _slot) = self
            .session()
            .await
            .map_err(|fault| ("connection", fault))?;
        let root = now.catalog.from(&slice.root);
        let sites = live
            .value("counting the sites", format!("select count(*) from {root}"))
            .await;
        let mut queries = Vec::new();
        for owned in &slice.tables {
            let by_key = matches!(owned.claims.first(), Some(Claim::Key { .. }));
            let rows = SiteRows {
                slice: &slice,
                catalog: &now.catalog,
                site: "",
            };
            let condition = rows.condition_of(&owned.table, "t", &inspect.sites);
            if let (true, false, Some(condition)) = (by_key, inspect.sites.is_empty(), condition) {
                let from = format!("{} t where {condition}", rows.from(&owned.table));
                queries.push((owned.table.to_string(), from));
            }
        }
        let counts = live.counts("looking for rows in the way", &queries).await;
        live.close().await;
        let counts = counts.map_err(|fault| ("rows-in-the-way", fault))?;
        let named: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(table, count)| format!("{table}: {count}"))
            .collect();
        match named.is_empty() {
            true => add(
                "rows-in-the-way",
                Level::Ok,
                "live has no rows of these sites".to_owned(),
                None,
            ),
            false => add(
                "rows-in-the-way",
                Level::Warning,
                format!(
                    "live has rows of the sites to be restored: {}",
                    named.join(", ")
                ),
                Some("their restore is refused".to_owned()),
            ),
        }
        Ok(Estimate {
            live_sites: sites.ok().flatten().and_then(|count| count.parse().ok()),
            ..Estimate::default()
        })
    }
}
