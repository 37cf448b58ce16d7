//! Sequences behind the slice's columns are moved on, never back.
//!
//! `setval` is not part of the transaction, and others call `nextval` at the
//! same time. A short way is gone by `nextval` itself, which can never step
//! back. Over a long way `setval` is safe: to overtake it, others would have
//! to take more than [`SHORT`] values between two functions of one statement.

use std::collections::BTreeMap;

use reprise_model::Fault;

use super::session::Session;
use super::shard::Match;
use crate::postgres::slice::{SQL, Sequence, SiteRows, TableName, literal, quoted};

/// Values that are taken one by one rather than skipped.
const SHORT: i64 = 1000;

/// Where a sequence stands against the rows that must lie behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub sequence: Sequence,
    pub table: TableName,
    pub column: String,
    /// The site's furthest value in live; none where it has no rows.
    pub furthest: Option<i64>,
    /// The last value that the sequence gave out; none if it gave none yet.
    pub last: Option<i64>,
}

impl Standing {
    /// A value that the sequence will give out again is in use. One that
    /// cycles gives values out again by intent.
    pub fn behind(&self) -> bool {
        match (self.furthest, self.last) {
            (Some(_), _) if self.sequence.cycles => false,
            (Some(furthest), Some(last)) if self.sequence.increment < 0 => furthest < last,
            (Some(furthest), Some(last)) => furthest > last,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// How many values lie between.
    fn steps(&self) -> i64 {
        match (self.furthest, self.last) {
            (Some(furthest), Some(last)) => {
                let way = furthest.saturating_sub(last).saturating_abs();
                let step = self.sequence.increment.saturating_abs().max(1);
                way.saturating_add(step - 1) / step
            }
            (Some(_), None) | (None, _) => i64::MAX,
        }
    }
}

/// Looks at every sequence that fills a column of the slice.
pub async fn standings(
    live: &mut Session<'_>,
    known: &Match,
    rows: &SiteRows<'_>,
) -> Result<Vec<Standing>, Fault> {
    let mut standings = Vec::new();
    for owned in &known.slice.tables {
        let Some(table) = known.now.table(&owned.table) else {
            continue;
        };
        for column in &table.columns {
            let Some(sequence) = &column.sequence else {
                continue;
            };
            let Some(from) = rows.of(&owned.table) else {
                continue;
            };
            let extreme = if sequence.increment < 0 { "min" } else { "max" };
            let sql = format!(
                "select (select {extreme}(t.{})::int8 from {from}),
                        (select case when is_called then last_value end from {})",
                quoted(&column.name),
                SQL.table(&sequence.name)
            );
            let doing = format!("looking at the sequence {}", sequence.name);
            let row = live.row(&doing, sql).await?;
            standings.push(Standing {
                sequence: sequence.clone(),
                table: owned.table.clone(),
                column: column.name.clone(),
                furthest: live.get(&doing, &row, 0)?,
                last: live.get(&doing, &row, 1)?,
            });
        }
    }
    Ok(standings)
}

/// Moves on what is behind. Returns the sequences that were moved, with the
/// value that each now lies at or beyond.
pub async fn move_on(
    live: &mut Session<'_>,
    known: &Match,
    rows: &SiteRows<'_>,
) -> Result<BTreeMap<String, i64>, Fault> {
    let mut moved = BTreeMap::new();
    // Another session may have moved one back in between; twice is chance.
    for _ in 0..3 {
        let behind: Vec<Standing> = standings(live, known, rows)
            .await?
            .into_iter()
            .filter(Standing::behind)
            .collect();
        if behind.is_empty() {
            return Ok(moved);
        }
        for standing in behind {
            if let Some(furthest) = standing.furthest {
                let doing = format!("moving the sequence {} on", standing.sequence.name);
                live.run(&doing, step(&standing, furthest)).await?;
                moved.insert(standing.sequence.name.to_string(), furthest);
            }
        }
    }
    Err(Fault::temporary(format!(
        "{}: sequences keep being moved back by another session",
        live.end()
    )))
}

fn step(standing: &Standing, furthest: i64) -> String {
    let name = literal(&SQL.table(&standing.sequence.name));
    match standing.steps() {
        steps if steps <= SHORT => {
            format!("select count(nextval({name}::regclass)) from generate_series(1, {steps})")
        }
        _ => format!("select setval({name}::regclass, {furthest})"),
    }
}
