//! Count and order-independent checksum of a slice's rows in one pass.
//!
//! Each row is written as text with the columns in the order of scratch and
//! output settings fixed on both ends; two 64-bit hashes of it with different
//! seeds are summed. A sum does not depend on the order, and unlike `xor` it
//! does not cancel rows that occur twice.

use reprise_model::Fault;
use serde::Serialize;

use super::leaning::Portion;
use super::session::Session;
use crate::postgres::slice::{Carried, quoted_list};

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Checksum {
    pub rows: u64,
    pub checksum: String,
}

pub async fn checksum(
    session: &mut Session<'_>,
    portion: Portion<'_>,
    carried: &Carried,
) -> Result<Checksum, Fault> {
    let Some(query) = portion.query(carried) else {
        return Ok(Checksum::default());
    };
    let columns = quoted_list("t.", carried.columns.iter().map(String::as_str));
    // `offset 0` keeps the planner from writing each row out twice.
    let sql = format!(
        "select count(*), coalesce(sum(a), 0)::text || '/' || coalesce(sum(b), 0)::text
         from (select hashtextextended(line, 0) as a, hashtextextended(line, 1) as b
               from (select (row({columns})::text) collate \"C\" as line from ({query}) t offset 0) lines) hashes"
    );
    let doing = format!("summing {}", carried.table);
    let row = session.row(&doing, sql).await?;
    let count: i64 = session.get(&doing, &row, 0)?;
    Ok(Checksum {
        rows: u64::try_from(count).unwrap_or_default(),
        checksum: session.get(&doing, &row, 1)?,
    })
}
