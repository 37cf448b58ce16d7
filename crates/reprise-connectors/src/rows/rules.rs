//! The estate's tenant rules, resolved against a catalog: every name that is
//! written there must exist.

use std::collections::BTreeMap;

use reprise_model::{TableRule, Tenant};

use super::{Catalog, Kind, Table, TableName};

/// Why the rules and the catalog do not go together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    #[error("there is no table `{name}`{}", did_you_mean(.nearest))]
    NoTable {
        name: String,
        nearest: Option<String>,
    },
    #[error("`{name}` is the name of several tables: {}; write the schema", .schemas.join(", "))]
    Ambiguous { name: String, schemas: Vec<String> },
    #[error("table {table} has no column `{column}`{}", did_you_mean(.nearest))]
    NoColumn {
        table: TableName,
        column: String,
        nearest: Option<String>,
    },
    #[error("{table} is {what}, whose rows cannot be restored")]
    NotRestorable {
        table: TableName,
        what: &'static str,
    },
    #[error("the root table {0} is owned by its key, and cannot have another rule")]
    RootRule(TableName),
    #[error("nobody owns {}: no foreign key leads from {} to the root table, and no rule names {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        if .0.len() == 1 { "it" } else { "them" }, if .0.len() == 1 { "it" } else { "them" })]
    Unowned(Vec<TableName>),
}

fn did_you_mean(name: &Option<String>) -> String {
    name.as_ref()
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// The rules with real tables in place of names.
#[derive(Debug)]
pub struct Rules {
    pub root: TableName,
    pub key: String,
    pub tables: BTreeMap<TableName, TableRule>,
}

pub fn resolve(catalog: &Catalog, tenant: &Tenant) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let root = owned_table(catalog, &tenant.table, &tenant.key)
        .map_err(|problem| problems.push(problem))
        .ok();
    let mut tables = BTreeMap::new();
    for (name, rule) in &tenant.tables {
        let found = match rule {
            TableRule::Key(column) => owned_table(catalog, name, column),
            TableRule::Shared | TableRule::Ignored => find(catalog, name),
        };
        match found {
            Ok(table) if root == Some(table) => {
                problems.push(Problem::RootRule(table.name.clone()));
            }
            Ok(table) => {
                tables.insert(table.name.clone(), rule.clone());
            }
            Err(problem) => problems.push(problem),
        }
    }
    match root {
        Some(root) if problems.is_empty() => Ok(Rules {
            root: root.name.clone(),
            key: tenant.key.clone(),
            tables,
        }),
        Some(_) | None => Err(problems),
    }
}

/// A table that can be owned by a column of it. A partition stands for the
/// partitioned table that it is a part of.
fn owned_table<'a>(catalog: &'a Catalog, name: &str, column: &str) -> Result<&'a Table, Problem> {
    let table = find(catalog, name)?;
    let what = match table.kind {
        Kind::Foreign => Some("a foreign table"),
        Kind::Ordinary if table.unlogged => Some("an unlogged table"),
        Kind::Ordinary if table.partition_of.is_some() => Some("a partition"),
        Kind::Ordinary | Kind::Partitioned => None,
    };
    if let Some(what) = what {
        let table = table.name.clone();
        return Err(Problem::NotRestorable { table, what });
    }
    if table.column(column).is_none() {
        let columns = table.columns.iter().map(|column| column.name.as_str());
        return Err(Problem::NoColumn {
            table: table.name.clone(),
            column: column.to_owned(),
            nearest: closest(column, columns),
        });
    }
    Ok(table)
}

/// A table by its name, with or without its schema.
fn find<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Table, Problem> {
    let whole = name
        .split_once('.')
        .map(|(schema, name)| TableName::new(schema, name));
    if let Some(table) = whole.and_then(|name| catalog.table(&name)) {
        return Ok(table);
    }
    let mut named = catalog.tables.values().filter(|t| t.name.name == name);
    match (named.next(), named.next()) {
        (Some(table), None) => Ok(table),
        (None, _) => {
            let names: Vec<String> = catalog.tables.keys().map(ToString::to_string).collect();
            Err(Problem::NoTable {
                name: name.to_owned(),
                nearest: closest(name, names.iter().map(String::as_str)),
            })
        }
        (Some(first), Some(second)) => Err(Problem::Ambiguous {
            name: name.to_owned(),
            schemas: [first, second]
                .into_iter()
                .chain(named)
                .map(|table| format!("{}.{}", table.name.schema, table.name.name))
                .collect(),
        }),
    }
}

/// The name that a person most likely meant.
fn closest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}
