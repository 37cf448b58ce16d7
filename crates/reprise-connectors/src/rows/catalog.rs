//! The structure of one database as a value, as far as slices need it.

use std::collections::BTreeMap;

use super::{Dialect, TableName};

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Catalog {
    pub dialect: Dialect,
    /// The server's major version.
    pub major: u32,
    pub tables: BTreeMap<TableName, Table>,
    /// Constraints as they were declared: copies on partitions are left out.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Catalog {
    /// What a query reads that wants this table's own rows.
    pub fn from(&self, name: &TableName) -> String {
        match self.table(name) {
            Some(table) => self.dialect.from(table),
            None => self.dialect.table(name),
        }
    }

    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Foreign keys whose referencing table is `child`.
    pub fn keys_of<'a>(&'a self, child: &'a TableName) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys
            .iter()
            .filter(move |key| key.child == *child)
    }

    /// Foreign keys whose referenced table is `parent`.
    pub fn keys_to<'a>(&'a self, parent: &'a TableName) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys
            .iter()
            .filter(move |key| key.parent == *parent)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ordinary,
    Partitioned,
    Foreign,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    pub name: TableName,
    pub kind: Kind,
    /// No backup holds the rows of an unlogged table.
    pub unlogged: bool,
    /// Created by an extension, which looks after its contents itself.
    pub of_extension: bool,
    /// The partitioned table that this is a part of.
    pub partition_of: Option<TableName>,
    /// Parents by `inherits`; empty for a partition.
    pub inherits: Vec<TableName>,
    pub row_security: RowSecurity,
    /// Dropped columns are left out.
    pub columns: Vec<Column>,
    pub keys: Vec<Key>,
    /// User triggers; those behind constraints are left out.
    pub triggers: Vec<Trigger>,
    /// The planner's estimates, partitions included.
    pub rows: f64,
    pub bytes: i64,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowSecurity {
    pub enabled: bool,
    /// Holds for the table's owner too.
    pub forced: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    pub name: String,
    pub number: i16,
    pub kind: ColumnType,
    pub not_null: bool,
    /// Computed from others: never copied.
    pub generated: bool,
    /// A default, or an identity, fills it in when it is not given.
    pub filled: bool,
    /// The sequence it owns or takes its default from.
    pub sequence: Option<Sequence>,
    /// By which its text is compared, where a server may take different texts
    /// for equal.
    pub collation: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnType {
    /// With schema and modifiers: `character varying(40)`.
    pub sql: String,
    /// Without modifiers, so that a cast to it never truncates.
    pub base: String,
    /// Its binary form is the same on every cluster of one major version.
    pub portable: bool,
    /// Labels of an enum, in order.
    pub labels: Vec<String>,
    /// `oid`, or a domain over it: may point to a large object.
    pub object_id: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sequence {
    pub name: TableName,
    pub increment: i64,
    pub cycles: bool,
}

/// A primary key, or a unique constraint or index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    pub name: String,
    pub columns: Vec<String>,
    pub primary: bool,
    /// Over all rows and plain columns: no predicate, no expression.
    pub plain: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignKey {
    pub name: String,
    pub child: TableName,
    pub columns: Vec<String>,
    pub parent: TableName,
    pub parent_columns: Vec<String>,
    /// The operators that compare parent to child: `operator(pg_catalog.=)`.
    pub operators: Vec<String>,
    pub deferrable: bool,
    /// `match full`: all columns null, or none.
    pub full: bool,
    /// Not so for `not valid` constraints: rows from before may break it.
    pub validated: bool,
    /// Columns that the deletion of a parent sets to null or to a default;
    /// none where it is refused, or takes the row along.
    pub clears: Vec<String>,
}

impl ForeignKey {
    pub fn refers_to_itself(&self) -> bool {
        self.child == self.parent
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trigger {
    pub name: String,
    /// Fires in a session like any other: enabled `origin` or `always`.
    pub fires_normally: bool,
    /// Fires where `session_replication_role` is `replica`: `replica` or `always`.
    pub fires_in_replica: bool,
    pub on_insert: bool,
    pub on_delete: bool,
}
