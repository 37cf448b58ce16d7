//! What the SQL of two servers does not have in common.

mod mariadb;
mod postgres;

use super::{ColumnType, Kind, Table, TableName};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    #[default]
    Postgres,
    /// MariaDB in a session whose `sql_mode` and time zone are ours.
    Mariadb,
}

impl Dialect {
    /// An identifier in its quotes.
    pub fn quoted(self, identifier: &str) -> String {
        match self {
            Self::Postgres => format!("\"{}\"", identifier.replace('"', "\"\"")),
            Self::Mariadb => format!("`{}`", identifier.replace('`', "``")),
        }
    }

    /// Identifiers in their quotes, separated by commas, each behind `prefix`.
    pub fn quoted_list<'a>(self, prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
        let names: Vec<String> = names
            .into_iter()
            .map(|name| format!("{prefix}{}", self.quoted(name)))
            .collect();
        names.join(", ")
    }

    /// A text literal that no input can leave.
    pub fn literal(self, text: &str) -> String {
        match self {
            Self::Postgres => postgres::literal(text),
            Self::Mariadb => mariadb::literal(text),
        }
    }

    /// A table's name, for statements.
    pub fn table(self, name: &TableName) -> String {
        match name.schema.as_str() {
            "" => self.quoted(&name.name),
            schema => format!("{}.{}", self.quoted(schema), self.quoted(&name.name)),
        }
    }

    /// What a query reads that wants this table's own rows.
    pub fn from(self, table: &Table) -> String {
        match (self, table.kind) {
            // Rows of tables that inherit from this one are theirs.
            (Self::Postgres, Kind::Ordinary) => format!("only {}", self.table(&table.name)),
            (Self::Postgres, Kind::Partitioned | Kind::Foreign) | (Self::Mariadb, _) => {
                self.table(&table.name)
            }
        }
    }

    /// The column of type `base` holds this site's id, and nothing that only
    /// looks like it.
    pub(super) fn is(self, column: &str, base: &str, site: &str) -> String {
        match self {
            Self::Postgres => format!("{column} = {}::{base}", self.literal(site)),
            Self::Mariadb => mariadb::is(column, base, site),
        }
    }

    /// The same for any of these sites.
    pub(super) fn is_any(self, column: &str, base: &str, sites: &[&str]) -> String {
        match self {
            Self::Postgres => {
                let ids: Vec<String> = sites.iter().map(|site| self.literal(site)).collect();
                format!("{column} = any (array[{}]::{base}[])", ids.join(", "))
            }
            Self::Mariadb => {
                let tests = sites.iter().map(|site| mariadb::is(column, base, site));
                format!("({})", tests.collect::<Vec<_>>().join(" or "))
            }
        }
    }

    /// A value as text.
    pub(super) fn text(self, value: &str) -> String {
        match self {
            Self::Postgres => format!("{value}::text"),
            Self::Mariadb => format!("cast({value} as char)"),
        }
    }

    /// Text that compares byte by byte.
    pub(super) fn bytewise(self, text: &str) -> String {
        match self {
            Self::Postgres => format!("({text}) collate \"C\""),
            Self::Mariadb => format!("convert({text} using utf8mb4) collate utf8mb4_bin"),
        }
    }

    /// The same, where a space at the end counts too.
    pub(super) fn bytewise_unpadded(self, text: &str) -> String {
        match self {
            Self::Postgres => self.bytewise(text),
            Self::Mariadb => format!("convert({text} using utf8mb4) collate utf8mb4_nopad_bin"),
        }
    }

    /// Every value's text means the same value in the new type, and comes out
    /// of it unchanged.
    pub(super) fn carries(self, then: &ColumnType, now: &ColumnType) -> bool {
        match self {
            Self::Postgres => postgres::carries(then, now),
            Self::Mariadb => mariadb::carries(then, now),
        }
    }
}

/// Whether every length and precision of the old type fits into the new one:
/// `varchar(20)` into `varchar(40)`, `numeric(8,2)` into `numeric(12,2)`.
fn wider(then: &str, now: &str) -> bool {
    match (modifiers(then), modifiers(now)) {
        (Some((old, old_scale)), Some((new, new_scale))) => old <= new && old_scale == new_scale,
        (None, _) | (_, None) => false,
    }
}

fn modifiers(kind: &str) -> Option<(u32, Option<i32>)> {
    let inside = kind.split_once('(')?.1.split_once(')')?.0;
    let (length, scale) = match inside.split_once(',') {
        Some((length, scale)) => (length, Some(scale.trim().parse().ok()?)),
        None => (inside, None),
    };
    Some((length.trim().parse().ok()?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        let (postgres, mariadb) = (Dialect::Postgres, Dialect::Mariadb);
        assert_eq!(postgres.quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(mariadb.quoted("a`b"), "`a``b`");
        assert_eq!(postgres.literal("o'brien"), "'o''brien'");
        assert_eq!(mariadb.literal("o'brien"), "'o''brien'");
        assert_eq!(postgres.literal("a\\' or 1=1"), "E'a\\\\'' or 1=1'");
        assert_eq!(mariadb.literal("a\\' or 1=1"), "'a\\\\'' or 1=1'");
        let listed = postgres.quoted_list("t.", ["a", "B c"]);
        assert_eq!(listed, "t.\"a\", t.\"B c\"");
    }

    #[test]
    fn a_table_is_named_with_its_schema_where_it_has_one() {
        let (whole, bare) = (TableName::new("crm", "is\"s"), TableName::new("", "i`s"));
        assert_eq!(Dialect::Postgres.table(&whole), "\"crm\".\"is\"\"s\"");
        assert_eq!(Dialect::Mariadb.table(&bare), "`i``s`");
    }
}
