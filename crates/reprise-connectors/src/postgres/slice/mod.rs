//! The slice: which rows of a PostgreSQL database belong to one site.
//!
//! [`Catalog`] is a database's structure as a value; [`read_catalog`] is the
//! only function here that talks to a server. [`discover`] turns a catalog
//! and the estate's tenant rules into a [`Slice`]: tables in load order, each
//! with a predicate for "the rows of this site". [`compare`] says whether the
//! slice of one database can be carried into another.

mod catalog;
mod claim;
mod discover;
mod drift;
mod name;
mod order;
mod predicate;
mod read;
mod rules;

#[cfg(test)]
mod tests;

pub use catalog::{
    Catalog, Column, ColumnType, ForeignKey, Key, Kind, RowSecurity, Sequence, Table, Trigger,
};
pub use claim::{Claim, Note, Owned, Slice};
pub use discover::discover;
pub use drift::{Carried, Drift, Plan, compare};
pub use name::{TableName, literal, quoted, quoted_list};
pub use predicate::SiteRows;
pub use read::read_catalog;
pub use rules::Problem;
