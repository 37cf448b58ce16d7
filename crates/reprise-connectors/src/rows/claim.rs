//! What discovery finds: the tables of a slice and the claims by which a row
//! belongs to a site.

use super::{ForeignKey, TableName};

/// The tables that hold a site's rows, with the rule for each.
#[derive(Clone, PartialEq, Debug)]
pub struct Slice {
    pub root: TableName,
    /// In load order: parents before children. Tables of one cycle stand
    /// together, in the order of their ownership.
    pub tables: Vec<Owned>,
    /// Foreign keys that run backwards in that order: the ones of cycles.
    pub cyclic: Vec<ForeignKey>,
    pub shared: Vec<TableName>,
    pub ignored: Vec<TableName>,
    /// What a person should know, though it stops nothing.
    pub notes: Vec<Note>,
}

impl Slice {
    pub fn owned(&self, name: &TableName) -> Option<&Owned> {
        self.tables.iter().find(|owned| owned.table == *name)
    }
}

/// A table whose rows belong to sites.
#[derive(Clone, PartialEq, Debug)]
pub struct Owned {
    pub table: TableName,
    /// In order of precedence: a claim counts where the columns of all
    /// before it are null. Only the last one may be without nulls.
    pub claims: Vec<Claim>,
    /// Steps from the root by way of ownership.
    pub depth: u32,
}

impl Owned {
    /// Rows exist that no claim covers: they belong to nobody.
    pub fn partial(&self) -> bool {
        self.claims.iter().all(Claim::nullable)
    }

    /// The column that holds the site's id itself, where there is one.
    pub fn site_column(&self) -> Option<&str> {
        match self.claims.first() {
            Some(Claim::Key { column, .. }) => Some(column),
            Some(Claim::Parent { .. }) | None => None,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Claim {
    /// The column holds the site's id.
    Key {
        column: String,
        /// The type that the id is read as.
        base: String,
        nullable: bool,
        /// The id's own letters alone: the column takes others for equal than
        /// the root's key does, and nothing ties it to that.
        exact: bool,
    },
    /// The row belongs to whom its parent belongs to.
    Parent { key: ForeignKey, nullable: bool },
}

impl Claim {
    pub fn nullable(&self) -> bool {
        match self {
            Self::Key { nullable, .. } | Self::Parent { nullable, .. } => *nullable,
        }
    }

    /// The columns that decide whether the claim counts.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Key { column, .. } => vec![column],
            Self::Parent { key, .. } => key.columns.iter().map(String::as_str).collect(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Note {
    #[error("{table} belongs to a site by {by}; {} leads to a site too, and is not asked", also.join(", "))]
    SecondPath {
        table: TableName,
        by: String,
        also: Vec<String>,
    },
    #[error("{table}: rows whose {} is null belong to no site and are not restored", columns.join(", "))]
    Partial {
        table: TableName,
        columns: Vec<String>,
    },
    #[error("{0} is unlogged: no backup holds its rows")]
    Unlogged(TableName),
    #[error("{0} is a foreign table: its rows are kept elsewhere")]
    Foreign(TableName),
    #[error(
        "{child} refers to {parent} by {constraint}, which is a slice's table, and is not part of one itself"
    )]
    PointsIn {
        child: TableName,
        parent: TableName,
        constraint: String,
    },
}

/// A table that inherits has the claims of its parent, over the same columns.
pub(super) fn inherited(parent: &Owned, table: &TableName) -> Owned {
    let claims = parent.claims.iter().cloned().map(|claim| match claim {
        Claim::Key { .. } => claim,
        Claim::Parent { mut key, nullable } => {
            key.child = table.clone();
            Claim::Parent { key, nullable }
        }
    });
    Owned {
        table: table.clone(),
        claims: claims.collect(),
        depth: parent.depth,
    }
}

/// What to tell of a table some of whose rows may belong to nobody.
pub(super) fn partial_note(owned: &Owned) -> Option<Note> {
    let columns = owned.claims.iter().flat_map(Claim::columns);
    owned.partial().then(|| Note::Partial {
        table: owned.table.clone(),
        columns: columns.map(str::to_owned).collect(),
    })
}

/// A claim in a few words.
pub(super) fn said(claim: &Claim) -> String {
    match claim {
        Claim::Key { column, .. } => format!("column {column}"),
        Claim::Parent { key, .. } => format!("{} -> {}", key.columns.join(", "), key.parent),
    }
}
