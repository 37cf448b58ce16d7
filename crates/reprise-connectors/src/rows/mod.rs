//! Rows that belong to one site, in any SQL store.
//!
//! [`Catalog`] is a database's structure as a value, which each kind reads in
//! its own way. [`discover`] turns a catalog and the estate's tenant rules into
//! a [`Slice`]: tables in load order, each with a predicate for "the rows of
//! this site". [`compare`] says whether the slice of one database can be
//! carried into another. What a server's SQL looks like is in [`Dialect`];
//! nothing here talks to one.

mod catalog;
mod claim;
mod conclude;
mod dialect;
mod discover;
mod drift;
pub(crate) mod listing;
mod name;
mod options;
mod order;
mod predicate;
mod rules;

#[cfg(test)]
mod tests;

pub use catalog::{
    Catalog, Column, ColumnType, ForeignKey, Key, Kind, RowSecurity, Sequence, Table, Trigger,
};
pub use claim::{Claim, Note, Owned, Slice};
pub use conclude::conclude;
pub use dialect::Dialect;
pub use discover::discover;
pub use drift::{Carried, Drift, Plan, compare};
pub use name::TableName;
pub use options::{OnConflict, Options};
pub use predicate::SiteRows;
pub use rules::Problem;
