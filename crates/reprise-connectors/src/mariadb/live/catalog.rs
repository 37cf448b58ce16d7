//! Reads a catalog: as many queries against `information_schema`, whatever
//! the number of tables. What a slice cannot hold comes along by name.

use std::collections::BTreeMap;

use reprise_model::Fault;
use sqlx::mysql::MySqlRow;

use crate::mariadb::session::{Session, text};
use crate::rows::{
    Catalog, Column, ColumnType, Dialect, ForeignKey, Key, Kind, RowSecurity, Table, TableName,
    Trigger,
};

/// A database's structure, and why tables of it cannot be part of a slice.
#[derive(Debug)]
pub struct Structure {
    pub catalog: Catalog,
    pub unfit: BTreeMap<TableName, String>,
}

const TABLES: &str =
    "select table_name, table_type, engine, table_rows, data_length from information_schema.tables
  where table_schema = database() and table_type in ('BASE TABLE', 'SYSTEM VERSIONED')";
const COLUMNS: &str = "select table_name, column_name, ordinal_position, is_nullable, data_type, column_type,
    character_set_name, is_generated, column_default is not null or extra like '%auto_increment%',
    collation_name
  from information_schema.columns where table_schema = database() order by table_name, ordinal_position";
const KEYS: &str = "select table_name, index_name, column_name, sub_part is not null from information_schema.statistics
  where table_schema = database() and non_unique = 0 order by table_name, index_name <> 'PRIMARY', index_name, seq_in_index";
const FOREIGN_KEYS: &str = "select table_name, constraint_name, column_name, referenced_table_name, referenced_column_name,
    referenced_table_schema = database()
  from information_schema.key_column_usage
  where table_schema = database() and referenced_table_name is not null
  order by table_name, constraint_name, ordinal_position";
const TRIGGERS: &str =
    "select event_object_table, trigger_name, event_manipulation from information_schema.triggers
  where event_object_schema = database()";
/// The server hides triggers from who may not make some. Rights that a role
/// gives are not in these views: its tables count as hidden too.
const TRIGGERS_HIDDEN: &str = r"with me as (select concat('''', left(current_user(), length(current_user()) - length(substring_index(current_user(), '@', -1)) - 1),
    '''@''', substring_index(current_user(), '@', -1), '''') as grantee)
  select t.table_name from information_schema.tables t, me
  where t.table_schema = database() and t.table_type in ('BASE TABLE', 'SYSTEM VERSIONED')
    and not exists (select 1 from information_schema.user_privileges p
      where p.grantee = me.grantee and p.privilege_type = 'TRIGGER')
    and not exists (select 1 from information_schema.schema_privileges p
      where p.grantee = me.grantee and p.privilege_type = 'TRIGGER' and database() like p.table_schema)
    and not exists (select 1 from information_schema.table_privileges p
      where p.grantee = me.grantee and p.privilege_type = 'TRIGGER' and p.table_schema = database() and p.table_name = t.table_name)";

const HIDDEN: &str = "its triggers cannot be seen, and one would fire unnoticed: the user wants the right `trigger`, given directly";

pub async fn read(session: &mut Session) -> Result<Structure, Fault> {
    let doing = "reading the catalog";
    let version = session.value(doing, "select version()").await?;
    let major = version.and_then(|version| version.split('.').next()?.parse().ok());
    let mut structure = Structure {
        catalog: Catalog {
            dialect: Dialect::Mariadb,
            major: major.unwrap_or_default(),
            ..Catalog::default()
        },
        unfit: BTreeMap::new(),
    };
    for row in session.rows(doing, TABLES).await? {
        add_table(&mut structure, &row);
    }
    let tables = &mut structure.catalog.tables;
    for row in session.rows(doing, COLUMNS).await? {
        if let Some(table) = tables.get_mut(&name(&row, 0)) {
            table.columns.push(column(&row));
        }
    }
    for row in session.rows(doing, KEYS).await? {
        if let Some(table) = tables.get_mut(&name(&row, 0)) {
            add_key(table, &row);
        }
    }
    for row in session.rows(doing, TRIGGERS).await? {
        if let Some(table) = tables.get_mut(&name(&row, 0)) {
            table.triggers.push(trigger(&row));
        }
    }
    for row in session.rows(doing, TRIGGERS_HIDDEN).await? {
        let unfit = structure.unfit.entry(name(&row, 0));
        unfit.or_insert_with(|| HIDDEN.to_owned());
    }
    for row in session.rows(doing, FOREIGN_KEYS).await? {
        add_foreign_key(&mut structure, &row);
    }
    Ok(structure)
}

fn name(row: &MySqlRow, at: usize) -> TableName {
    TableName::new("", string(row, at))
}

fn string(row: &MySqlRow, at: usize) -> String {
    text(row, at).unwrap_or_default()
}

fn truth(row: &MySqlRow, at: usize) -> bool {
    text(row, at).as_deref() == Some("1")
}

fn add_table(structure: &mut Structure, row: &MySqlRow) {
    let name = name(row, 0);
    let engine = text(row, 2);
    let engine = engine.as_deref().unwrap_or("no engine");
    if string(row, 1) == "SYSTEM VERSIONED" {
        let why = "it keeps the history of its rows, which a restore would write anew";
        structure.unfit.insert(name.clone(), why.to_owned());
    } else if !matches!(engine, "InnoDB" | "MEMORY") {
        let why = format!("its engine {engine} knows no transactions");
        structure.unfit.insert(name.clone(), why);
    }
    let number = |at| {
        text(row, at)
            .and_then(|text| text.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let table = Table {
        name: name.clone(),
        kind: Kind::Ordinary,
        // No backup holds what is only in memory.
        unlogged: engine == "MEMORY",
        of_extension: false,
        partition_of: None,
        inherits: Vec::new(),
        row_security: RowSecurity::default(),
        columns: Vec::new(),
        keys: Vec::new(),
        triggers: Vec::new(),
        rows: number(3) as f64,
        bytes: number(4),
    };
    structure.catalog.tables.insert(name, table);
}

fn column(row: &MySqlRow) -> Column {
    let (data_type, column_type, charset) = (string(row, 4), string(row, 5), text(row, 6));
    Column {
        name: string(row, 1),
        number: string(row, 2).parse().unwrap_or_default(),
        kind: column_kind(&data_type, &column_type, charset.as_deref()),
        not_null: string(row, 3) == "NO",
        generated: string(row, 7) == "ALWAYS",
        filled: truth(row, 8),
        sequence: None,
        collation: text(row, 9),
    }
}

/// `int unsigned`, `varchar(40) utf8mb4`: without the display width of whole
/// numbers, with the character set, the labels of an enum apart.
fn column_kind(data_type: &str, column_type: &str, charset: Option<&str>) -> ColumnType {
    let labelled = matches!(data_type, "enum" | "set");
    let whole = data_type.ends_with("int");
    let unsigned = if column_type.contains("unsigned") {
        " unsigned"
    } else {
        ""
    };
    let charset = charset
        .map(|charset| format!(" {charset}"))
        .unwrap_or_default();
    let base = format!("{data_type}{unsigned}{charset}");
    let sql = match labelled || whole {
        true => base.clone(),
        false => format!("{column_type}{charset}"),
    };
    ColumnType {
        sql,
        base,
        portable: true,
        labels: if labelled {
            labels(column_type)
        } else {
            Vec::new()
        },
        object_id: false,
    }
}

/// The labels of `enum('a','it''s')`.
fn labels(column_type: &str) -> Vec<String> {
    let inside = column_type.split_once('(').map_or("", |(_, rest)| rest);
    let mut labels = Vec::new();
    let mut label = None;
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut label, character) {
            (None, '\'') => label = Some(String::new()),
            (None, _) => {}
            (Some(text), '\'') if characters.peek() == Some(&'\'') => {
                characters.next();
                text.push('\'');
            }
            (Some(_), '\'') => labels.extend(label.take()),
            (Some(text), other) => text.push(other),
        }
    }
    labels
}

fn add_key(table: &mut Table, row: &MySqlRow) {
    let (name, column, prefix) = (string(row, 1), string(row, 2), truth(row, 3));
    match table.keys.last_mut().filter(|key| key.name == name) {
        Some(key) => {
            key.columns.push(column);
            key.plain &= !prefix;
        }
        None => table.keys.push(Key {
            primary: name == "PRIMARY",
            name,
            columns: vec![column],
            plain: !prefix,
        }),
    }
}

fn trigger(row: &MySqlRow) -> Trigger {
    let event = string(row, 2);
    Trigger {
        name: string(row, 1),
        fires_normally: true,
        fires_in_replica: true,
        on_insert: event == "INSERT",
        on_delete: event == "DELETE",
    }
}

fn add_foreign_key(structure: &mut Structure, row: &MySqlRow) {
    let (child, constraint) = (name(row, 0), string(row, 1));
    if !truth(row, 5) {
        let why = format!("its foreign key {constraint} leads into another database");
        structure.unfit.insert(child, why);
        return;
    }
    let keys = &mut structure.catalog.foreign_keys;
    let last = keys.last_mut();
    match last.filter(|key| key.child == child && key.name == constraint) {
        Some(key) => {
            key.columns.push(string(row, 2));
            key.parent_columns.push(string(row, 4));
            key.operators.push("=".to_owned());
        }
        None => keys.push(ForeignKey {
            name: constraint,
            child,
            columns: vec![string(row, 2)],
            parent: name(row, 3),
            parent_columns: vec![string(row, 4)],
            operators: vec!["=".to_owned()],
            deferrable: false,
            full: false,
            validated: true,
            clears: Vec::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_says_what_it_can_hold() {
        let check = |data: &str, column: &str, charset, sql: &str, base: &str| {
            let found = column_kind(data, column, charset);
            assert_eq!((found.sql.as_str(), found.base.as_str()), (sql, base));
        };
        check(
            "int",
            "int(11) unsigned",
            None,
            "int unsigned",
            "int unsigned",
        );
        check("bigint", "bigint(20)", None, "bigint", "bigint");
        check("decimal", "decimal(8,2)", None, "decimal(8,2)", "decimal");
        check(
            "varchar",
            "varchar(9)",
            Some("utf8mb4"),
            "varchar(9) utf8mb4",
            "varchar utf8mb4",
        );
        check(
            "enum",
            "enum('a','b')",
            Some("latin1"),
            "enum latin1",
            "enum latin1",
        );
        check("point", "point", None, "point", "point");
    }

    #[test]
    fn labels_are_read_with_their_quotes_and_commas() {
        assert_eq!(
            labels("enum('a','it''s','x,y','')"),
            ["a", "it's", "x,y", ""]
        );
    }
}
