//! The slice of a PostgreSQL database: `crate::rows` with PostgreSQL's catalog
//! and PostgreSQL's quotes. [`read_catalog`] is the only function here that
//! talks to a server.

mod read;

pub use read::read_catalog;

pub use crate::rows::{
    Carried, Catalog, Claim, Column, ColumnType, Drift, ForeignKey, Key, Kind, Note, Owned, Plan,
    Problem, RowSecurity, Sequence, SiteRows, Slice, Table, TableName, Trigger, compare, discover,
};

use crate::rows::Dialect;

pub(super) const SQL: Dialect = Dialect::Postgres;

/// An identifier in double quotes.
pub fn quoted(identifier: &str) -> String {
    SQL.quoted(identifier)
}

/// Identifiers in double quotes, separated by commas, each behind `prefix`.
pub fn quoted_list<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    SQL.quoted_list(prefix, names)
}

/// A text literal.
pub fn literal(text: &str) -> String {
    SQL.literal(text)
}
