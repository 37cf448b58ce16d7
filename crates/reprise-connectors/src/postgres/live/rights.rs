//! The rights that a restore and a verification need in live, and which of
//! them the role does not have.

use std::collections::BTreeSet;

use reprise_model::Fault;

use super::integrity::held;
use super::session::Session;
use crate::postgres::slice::{Catalog, SQL, SiteRows, Slice, TableName, literal, quoted};

/// One right on one object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// `usage` on a schema.
    Schema(String),
    /// A privilege on a table.
    Table(TableName, &'static str),
    /// `update` on any column: enough to lock a row that is referred to.
    Hold(TableName),
    /// `update` on any column, where sites of a batch refer to each other.
    Link(TableName),
    /// A privilege on a sequence.
    Sequence(TableName, &'static str),
    /// To keep rows aside for `on_conflict: keep` and `replace`, and rows that
    /// waited for another site.
    Temporary,
}

impl Right {
    /// The server's answer to whether the role has it.
    fn question(&self) -> String {
        match self {
            Self::Schema(name) => format!(
                "(select has_schema_privilege(n.oid, 'usage') from pg_catalog.pg_namespace n where n.nspname = {})",
                literal(name)
            ),
            Self::Table(name, right) => {
                format!("has_table_privilege({}, '{right}')", object(name))
            }
            Self::Hold(name) | Self::Link(name) => {
                format!("has_any_column_privilege({}, 'update')", object(name))
            }
            Self::Sequence(name, right) => {
                format!("has_sequence_privilege({}, '{right}')", object(name))
            }
            Self::Temporary => "has_database_privilege(current_database(), 'temporary')".to_owned(),
        }
    }

    /// The statement that gives it.
    pub fn grant(&self, role: &str, database: &str) -> String {
        let (right, object) = match self {
            Self::Schema(name) => ("usage", format!("schema {}", quoted(name))),
            Self::Table(name, right) => (*right, SQL.table(name)),
            Self::Hold(name) | Self::Link(name) => ("update", SQL.table(name)),
            Self::Sequence(name, right) => (*right, format!("sequence {}", SQL.table(name))),
            Self::Temporary => ("temporary", format!("database {}", quoted(database))),
        };
        format!("grant {right} on {object} to {}", quoted(role))
    }

    /// A restore that refuses rows in the way goes without it, unless sites of
    /// the batch refer to each other.
    pub fn only_sometimes(&self) -> bool {
        match self {
            Self::Table(_, right) => *right == "delete",
            Self::Temporary | Self::Link(_) => true,
            Self::Schema(_) | Self::Hold(_) | Self::Sequence(..) => false,
        }
    }
}

/// By object id: asking by name would fail where the schema is closed.
fn object(name: &TableName) -> String {
    format!(
        "(select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where n.nspname = {} and c.relname = {})",
        literal(&name.schema),
        literal(&name.name)
    )
}

/// All rights that restoring and verifying this slice may need.
pub fn needed(slice: &Slice, live: &Catalog) -> BTreeSet<Right> {
    let mut rights = BTreeSet::from([Right::Temporary]);
    for owned in &slice.tables {
        let name = &owned.table;
        let Some(table) = live.table(name) else {
            continue;
        };
        rights.insert(Right::Schema(name.schema.clone()));
        for right in ["select", "insert", "delete"] {
            rights.insert(Right::Table(name.clone(), right));
        }
        for sequence in table.columns.iter().filter_map(|c| c.sequence.as_ref()) {
            rights.insert(Right::Sequence(sequence.name.clone(), "select"));
            rights.insert(Right::Sequence(sequence.name.clone(), "update"));
        }
        for key in live.keys_of(name) {
            rights.insert(Right::Schema(key.parent.schema.clone()));
            rights.insert(Right::Table(key.parent.clone(), "select"));
        }
    }
    // Which parents are held does not depend on the site.
    let rows = SiteRows {
        slice,
        catalog: live,
        site: "",
    };
    rights.extend(held(&rows).map(|key| Right::Hold(key.parent.clone())));
    // Rows that waited are added while all their parents are held, and get
    // their references back.
    if held(&rows).any(|key| slice.owned(&key.parent).is_some()) {
        let keys = slice
            .tables
            .iter()
            .flat_map(|owned| live.keys_of(&owned.table));
        let tables = keys.flat_map(|key| match key.clears.is_empty() {
            true => vec![&key.parent],
            false => vec![&key.parent, &key.child],
        });
        let links = tables.filter(|table| !rights.contains(&Right::Hold((*table).clone())));
        let links: Vec<Right> = links.map(|table| Right::Link(table.clone())).collect();
        rights.extend(links);
    }
    rights
}

/// Those of the rights that the session's role does not have.
pub async fn missing(
    live: &mut Session<'_>,
    needed: &BTreeSet<Right>,
) -> Result<Vec<Right>, Fault> {
    let doing = "looking at the role's rights";
    let questions: Vec<String> = needed
        .iter()
        .enumerate()
        .map(|(at, right)| format!("select {at}, {}", right.question()))
        .collect();
    let rows = live.rows(doing, questions.join(" union all ")).await?;
    let mut missing = Vec::new();
    for row in rows {
        let at: i32 = live.get(doing, &row, 0)?;
        let has: Option<bool> = live.get(doing, &row, 1)?;
        let right = usize::try_from(at)
            .ok()
            .and_then(|at| needed.iter().nth(at));
        if let (Some(right), Some(false) | None) = (right, has) {
            missing.push(right.clone());
        }
    }
    missing.sort();
    Ok(missing)
}
