//! Drift: whether the slice as it was at T fits the live schema of today.
//!
//! Columns are always named, so their order may differ. A column that was
//! added since is filled by the live server, if it can; a column that is gone
//! stops the restore where it holds data; a type is carried where the text of
//! every old value is also the text of the new one, so that a checksum over
//! the text still compares both ends.

use super::{Catalog, Column, Dialect, Slice, Table, TableName};

/// What is copied, table by table, in load order.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub tables: Vec<Carried>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Carried {
    pub table: TableName,
    pub columns: Vec<String>,
    /// Both ends read and write the same bytes.
    pub binary: bool,
}

/// A difference that the restore cannot bridge.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Drift {
    #[error("table {table} is gone from live{}", seems_renamed(.renamed))]
    TableGone {
        table: TableName,
        renamed: Option<TableName>,
    },
    #[error("table {table}: column {column} is gone from live and holds data{}", seems_renamed(.renamed))]
    ColumnGone {
        table: TableName,
        column: String,
        renamed: Option<String>,
    },
    #[error("table {table}: live has a new column {column} that is not null and has no default")]
    ColumnWanted { table: TableName, column: String },
    #[error(
        "table {table}: column {column} is now generated in live, and its values at T cannot be kept"
    )]
    NowGenerated { table: TableName, column: String },
    #[error("table {table}: column {column} was {then} and is {now} in live")]
    TypeChanged {
        table: TableName,
        column: String,
        then: String,
        now: String,
    },
    #[error("table {table}: column {column} is an enum that has lost {} in live", .labels.join(", "))]
    LabelsGone {
        table: TableName,
        column: String,
        labels: Vec<String>,
    },
}

fn seems_renamed(name: &Option<impl std::fmt::Display>) -> String {
    name.as_ref()
        .map(|name| format!("; it seems to have been renamed to {name}"))
        .unwrap_or_default()
}

/// What to copy, and what stands in the way. A column that is gone is always
/// named here; whether it holds data is for the caller to find out.
pub fn compare(then: &Catalog, now: &Catalog, slice: &Slice) -> (Plan, Vec<Drift>) {
    let mut drifts = Vec::new();
    let mut tables = Vec::new();
    for owned in &slice.tables {
        let Some(old) = then.table(&owned.table) else {
            continue;
        };
        match now.table(&owned.table) {
            Some(new) => tables.push(carried(then, now, old, new, &mut drifts)),
            None => drifts.push(Drift::TableGone {
                table: owned.table.clone(),
                renamed: lookalike(old, then, now),
            }),
        }
    }
    (Plan { tables }, drifts)
}

fn carried(
    then: &Catalog,
    now: &Catalog,
    old: &Table,
    new: &Table,
    drifts: &mut Vec<Drift>,
) -> Carried {
    let mut columns = Vec::new();
    let mut binary = then.major == now.major;
    // What live computes again. What it does not any more is data like any other.
    let computed = |column: &&Column| {
        let counterpart = new.column(&column.name);
        column.generated && counterpart.is_none_or(|now| now.generated)
    };
    for column in old.columns.iter().filter(|column| !computed(column)) {
        match new.column(&column.name) {
            Some(counterpart) => {
                drifts.extend(change(now.dialect, &old.name, column, counterpart));
                binary &= column.kind.portable && column.kind == counterpart.kind;
                columns.push(column.name.clone());
            }
            None => drifts.push(Drift::ColumnGone {
                table: old.name.clone(),
                column: column.name.clone(),
                renamed: successor(column, old, new),
            }),
        }
    }
    let added = new.columns.iter().filter(|c| old.column(&c.name).is_none());
    let wanted = added.filter(|c| c.not_null && !c.filled && !c.generated);
    drifts.extend(wanted.map(|column| Drift::ColumnWanted {
        table: old.name.clone(),
        column: column.name.clone(),
    }));
    Carried {
        table: old.name.clone(),
        columns,
        binary,
    }
}

/// A column that a rename has left under another name: same place, same
/// type, and a name that was not there before.
fn successor(column: &Column, old: &Table, new: &Table) -> Option<String> {
    new.columns
        .iter()
        .find(|c| c.number == column.number && c.kind == column.kind)
        .filter(|c| old.column(&c.name).is_none())
        .map(|c| c.name.clone())
}

/// A table of live that is new by name and has the very same columns.
fn lookalike(old: &Table, then: &Catalog, now: &Catalog) -> Option<TableName> {
    let shape = |table: &Table| -> Vec<(String, String)> {
        let columns = table.columns.iter();
        columns
            .map(|c| (c.name.clone(), c.kind.sql.clone()))
            .collect()
    };
    now.tables
        .values()
        .filter(|table| then.table(&table.name).is_none())
        .find(|table| shape(table) == shape(old))
        .map(|table| table.name.clone())
}

fn change(dialect: Dialect, table: &TableName, then: &Column, now: &Column) -> Option<Drift> {
    let (table, column) = (table.clone(), then.name.clone());
    if now.generated {
        return Some(Drift::NowGenerated { table, column });
    }
    if then.kind.sql == now.kind.sql {
        let lost = |label: &&String| !now.kind.labels.contains(label);
        let labels: Vec<String> = then.kind.labels.iter().filter(lost).cloned().collect();
        return (!labels.is_empty()).then_some(Drift::LabelsGone {
            table,
            column,
            labels,
        });
    }
    (!dialect.carries(&then.kind, &now.kind)).then(|| Drift::TypeChanged {
        table,
        column,
        then: then.kind.sql.clone(),
        now: now.kind.sql.clone(),
    })
}
