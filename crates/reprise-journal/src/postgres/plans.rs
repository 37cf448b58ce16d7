//! Plans that take over in the middle of a run.

use reprise_model::{Digest, Plan, RunId, Seq};
use sqlx::{PgConnection, query};

/// Within the transaction that writes the page from `first` on.
pub(super) async fn put_in_force(
    transaction: &mut PgConnection,
    run: &RunId,
    plan: &Plan,
    first: Seq,
) -> Result<(), sqlx::Error> {
    let body = serde_json::to_string(plan).expect("a plan is plain data");
    query(include_str!("queries/insert_later_plan.sql"))
        .bind(run.as_str())
        .bind(plan.hash.as_bytes().as_slice())
        .bind(first.0.cast_signed())
        .bind(Digest::of(body.as_bytes()).as_bytes().as_slice())
        .bind(body)
        .execute(&mut *transaction)
        .await?;
    let (sites, tasks) = crate::size_of(plan);
    query(include_str!("queries/move_plan.sql"))
        .bind(run.as_str())
        .bind(plan.hash.as_bytes().as_slice())
        .bind(i64::from(sites))
        .bind(i64::from(tasks))
        .execute(&mut *transaction)
        .await?;
    Ok(())
}
