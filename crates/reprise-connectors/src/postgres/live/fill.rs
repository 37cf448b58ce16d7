//! References that were left null until the site that they lead to came back.

use std::collections::BTreeSet;

use reprise_model::Fault;

use super::bring::{Brings, Brought, lay};
use super::keep::same_key;
use super::links::{Link, identity};
use super::load::{Work, temporary};
use super::session::Session;
use super::shard::Match;
use crate::postgres::slice::{Carried, SQL, quoted};

/// Gives references back that were null until their parent came, where they
/// are null still and the row is otherwise there.
pub async fn fill_in(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    brings: &Brings,
    brought: &mut Brought,
) -> Result<(), Fault> {
    let then = work.known.at_scratch(work.site.as_str());
    for (at, carried) in work.known.carried.iter().enumerate() {
        for (nth, link) in brings.leaning.soft(&carried.table).enumerate() {
            let Some(narrow) = narrow(work.known, carried, link) else {
                continue;
            };
            let Some(query) = brings.references(&then, link, &narrow) else {
                continue;
            };
            let staged = temporary(&format!("fills_{nth}"), at);
            if lay(there, live, &narrow, &query, &staged).await?.is_none() {
                continue;
            }
            let Some(sql) = fill(work, brings, link, &staged) else {
                continue;
            };
            let doing = format!("filling in references of {}", carried.table);
            let filled = live.run(&doing, sql).await?;
            let column = format!("{}.{}", carried.table, link.key.clears.join("+"));
            brought.references.insert(column, filled);
        }
    }
    Ok(())
}

/// The columns that tell which row it is, and those of the reference.
fn narrow(known: &Match, carried: &Carried, link: &Link) -> Option<Carried> {
    let table = known.now.table(&carried.table)?;
    let named: BTreeSet<&String> = identity(table)?
        .columns
        .iter()
        .chain(&link.key.columns)
        .collect();
    Some(Carried {
        table: carried.table.clone(),
        columns: named.into_iter().cloned().collect(),
        binary: carried.binary,
    })
}

fn fill(work: &Work<'_>, brings: &Brings, link: &Link, staged: &str) -> Option<String> {
    let rows = work.live_rows();
    let key = &link.key;
    let table = work.known.now.table(&key.child)?;
    let set: Vec<String> = key
        .clears
        .iter()
        .map(|column| format!("{0} = s.{0}", quoted(column)))
        .collect();
    let as_it_was: Vec<String> = key
        .columns
        .iter()
        .map(|column| {
            let name = quoted(column);
            match key.clears.contains(column) {
                true => format!("t.{name} is null"),
                false => format!("t.{name} is not distinct from s.{name}"),
            }
        })
        .collect();
    Some(format!(
        "update {} t set {} from {staged} s where {} and {} and {}
           and exists (select 1 from {} q where {})",
        SQL.from(table),
        set.join(", "),
        same_key(identity(table)?, "t", "s"),
        as_it_was.join(" and "),
        rows.condition_of(&key.child, "t", &brings.present)?,
        rows.from(&key.parent),
        key.join(SQL, "q", "s")
    ))
}
