//! Live rows in the way: of the site itself, or of a neighbour who has taken
//! a unique value since.

use reprise_model::{Fault, FaultKind};
use sqlx::postgres::PgDatabaseError;

use super::load::Work;
use super::session::Session;
use crate::postgres::slice::{SiteRows, Slice, TableName};

/// Refuses where live has rows of the site, with the count of each table.
pub async fn refuse(live: &mut Session<'_>, work: &Work<'_>) -> Result<(), Fault> {
    let counts = in_the_way(live, &work.known.slice, &work.live_rows()).await?;
    match named(&counts) {
        None => Ok(()),
        Some(named) => Err(Fault::refused(format!(
            "live already has rows of site {}: {named}",
            work.site
        ))
        .hint("`with: { on_conflict: keep }` adds what is missing, `replace` puts the slice in their place")),
    }
}

/// Live rows of the site, table by table.
pub async fn in_the_way(
    live: &mut Session<'_>,
    slice: &Slice,
    rows: &SiteRows<'_>,
) -> Result<Vec<(String, u64)>, Fault> {
    let tables = slice.tables.iter().map(|owned| &owned.table);
    let queries: Vec<(String, String)> = tables
        .filter(|table| rows.catalog.table(table).is_some())
        .filter_map(|table| Some((table.to_string(), rows.of(table)?)))
        .collect();
    live.counts("looking for rows in the way", &queries).await
}

/// `issues: 12, comments: 40`; none where all counts are zero.
pub fn named(counts: &[(String, u64)]) -> Option<String> {
    let some: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(table, count)| format!("{table}: {count}"))
        .collect();
    (!some.is_empty()).then(|| some.join(", "))
}

/// Why live did not take the rows. No row of the site is there, so a unique
/// value that is taken is taken by a neighbour.
pub fn collision(live: &Session<'_>, table: &TableName, error: &sqlx::Error) -> Fault {
    let fault = live.fault(&format!("loading {table}"), error);
    let constraint = match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .filter(|error| error.code() == "23505")
            .and_then(PgDatabaseError::constraint),
        _ => None,
    };
    match constraint {
        None => fault,
        Some(constraint) => Fault::new(
            FaultKind::Refused,
            format!(
                "{}: table {table}: a row of another site has taken a value of the slice since (unique constraint {constraint})",
                live.end()
            ),
        )
        .hint("give the neighbour's row another value, or the slice's owner must do without it"),
    }
}
