//! How a column's values travel as text without loss, and how a row becomes
//! the text of which a checksum is made.

use reprise_model::Fault;

use crate::rows::{Catalog, Dialect, TableName};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Bytes of a character set: arrive as `utf8mb4`.
    Text,
    /// Bytes: written in hexadecimal.
    Bytes,
    /// A single-precision number shows six digits of its nine.
    Float,
    /// Bits are bytes for the driver and a number for us.
    Bits,
    /// Its text is the value.
    Plain,
}

impl Class {
    pub fn of(base: &str) -> Self {
        match base.split(' ').next().unwrap_or(base) {
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum"
            | "set" => Self::Text,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Self::Bytes,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" => Self::Bytes,
            "float" => Self::Float,
            "bit" => Self::Bits,
            _ => Self::Plain,
        }
    }

    /// What is selected of the column.
    pub fn read(self, column: &str) -> String {
        match self {
            Self::Text | Self::Bytes | Self::Plain => column.to_owned(),
            Self::Float => format!("cast({column} as double)"),
            Self::Bits => format!("{column} + 0"),
        }
    }

    /// What stands for the column in a checksum: text in its own bytes, so
    /// that neither a collation nor a conversion hides a difference.
    pub fn summed(self, column: &str) -> String {
        let text = match self {
            Self::Text | Self::Bytes => format!("md5({column})"),
            Self::Float | Self::Bits | Self::Plain => {
                format!("cast({} as char)", self.read(column))
            }
        };
        format!("ifnull({text}, '-')")
    }

    /// Appends the value as a literal; `None` is null.
    pub fn write(self, value: Option<&[u8]>, sql: &mut String) -> Result<(), Fault> {
        let Some(value) = value else {
            sql.push_str("null");
            return Ok(());
        };
        match self {
            // A number takes the literal as a number only without quotes.
            Self::Bits => sql.push_str(utf8(value)?),
            Self::Bytes => hex(value, sql),
            Self::Text | Self::Float | Self::Plain => quote(utf8(value)?, sql),
        }
        Ok(())
    }
}

fn utf8(value: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(value)
        .map_err(|_| Fault::permanent("a text of the slice is not valid in its character set"))
}

fn hex(value: &[u8], sql: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    sql.reserve(value.len() * 2 + 3);
    sql.push_str("x'");
    for byte in value {
        sql.push(char::from(DIGITS[usize::from(byte >> 4)]));
        sql.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    sql.push('\'');
}

fn quote(text: &str, sql: &mut String) {
    sql.reserve(text.len() + 2);
    sql.push('\'');
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '\\', '\0']) {
        sql.push_str(&rest[..at]);
        sql.push_str(match rest.as_bytes()[at] {
            b'\'' => "''",
            b'\\' => "\\\\",
            _ => "\\0",
        });
        rest = &rest[at + 1..];
    }
    sql.push_str(rest);
    sql.push('\'');
}

/// The columns with their classes, as `catalog` has them.
pub fn classes(catalog: &Catalog, table: &TableName, columns: &[String]) -> Vec<Class> {
    let table = catalog.table(table);
    let base = |name: &String| {
        let column = table.and_then(|table| table.column(name));
        column.map_or(Class::Plain, |column| Class::of(&column.kind.base))
    };
    columns.iter().map(base).collect()
}

/// Count and sums of two halves of a hash of each row: a sum does not depend
/// on the order, and does not cancel double rows as `xor` would.
pub fn checksum_sql(columns: &[String], classes: &[Class], from: &str) -> String {
    let parts: Vec<String> = columns
        .iter()
        .zip(classes)
        .map(|(column, class)| class.summed(&format!("t.{}", Dialect::Mariadb.quoted(column))))
        .collect();
    let half =
        |side: &str| format!("coalesce(sum(cast(conv({side}(h, 16), 16, 10) as unsigned)), 0)");
    format!(
        "select concat(count(*), '/', {}, '/', {}) from (select md5(concat_ws(',', {})) as h from {from}) hashes",
        half("left"),
        half("right"),
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_becomes_a_literal_that_means_it() {
        let check = |class: Class, value: Option<&[u8]>, expect: &str| {
            let mut sql = String::new();
            class.write(value, &mut sql).unwrap();
            assert_eq!(sql, expect);
        };
        check(Class::Text, None, "null");
        check(Class::Text, Some("o'b\\ü\0".as_bytes()), "'o''b\\\\ü\\0'");
        check(Class::Bytes, Some(&[0, 255, 39]), "x'00ff27'");
        check(Class::Bytes, Some(&[]), "x''");
        check(Class::Bits, Some(b"5"), "5");
        check(Class::Plain, Some(b"-0.10"), "'-0.10'");
        assert!(Class::Text.write(Some(&[255]), &mut String::new()).is_err());
    }
}
