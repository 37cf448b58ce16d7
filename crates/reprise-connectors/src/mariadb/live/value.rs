//! How a column's values travel without loss, and how a row becomes the text
//! of which a checksum is made.

use reprise_model::Fault;
use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlArguments;

use crate::rows::{Catalog, Dialect, TableName};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Bytes of a character set. They travel as they are: on the way through
    /// another one some characters would become others (`cp932`).
    Text,
    /// Bytes, as they are.
    Bytes,
    Integer,
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
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Self::Integer,
            _ => Self::Plain,
        }
    }

    /// What is selected of the column.
    pub fn read(self, column: &str) -> String {
        match self {
            Self::Text => format!("cast({column} as binary)"),
            Self::Bytes | Self::Integer | Self::Plain => column.to_owned(),
            Self::Float => format!("cast({column} as double)"),
            Self::Bits => format!("{column} + 0"),
        }
    }

    /// What stands for the column in a checksum: text in its own bytes, so
    /// that neither a collation nor a conversion hides a difference.
    pub fn summed(self, column: &str) -> String {
        let text = match self {
            Self::Text | Self::Bytes => format!("md5({column})"),
            Self::Float | Self::Bits | Self::Integer | Self::Plain => {
                format!("cast({} as char)", self.read(column))
            }
        };
        format!("ifnull({text}, '-')")
    }

    /// The value that was read, as it is handed to live; `None` is null.
    pub fn value(self, read: Option<&[u8]>) -> Result<Value<'_>, Fault> {
        let Some(read) = read else {
            return Ok(Value::Null);
        };
        Ok(match self {
            Self::Text | Self::Bytes => Value::Bytes(read),
            Self::Integer | Self::Bits => number(utf8(read)?)?,
            Self::Float | Self::Plain => Value::Text(utf8(read)?),
        })
    }
}

/// A value on its way. The server takes it as if it were written in a
/// statement, without having to read it out of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    Null,
    Text(&'a str),
    Bytes(&'a [u8]),
    Signed(i64),
    Unsigned(u64),
}

impl Value<'_> {
    pub fn bytes(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Signed(_) | Self::Unsigned(_) => size_of::<u64>(),
        }
    }

    pub fn add_to(self, arguments: &mut MySqlArguments) -> Result<(), BoxDynError> {
        match self {
            Self::Null => arguments.add(None::<&str>),
            Self::Text(text) => arguments.add(text),
            Self::Bytes(bytes) => arguments.add(bytes),
            Self::Signed(number) => arguments.add(number),
            Self::Unsigned(number) => arguments.add(number),
        }
    }
}

fn number(text: &str) -> Result<Value<'_>, Fault> {
    let signed = text.parse().map(Value::Signed);
    signed
        .or_else(|_| text.parse().map(Value::Unsigned))
        .map_err(|_| Fault::permanent("a whole number of the slice is none"))
}

fn utf8(value: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(value)
        .map_err(|_| Fault::permanent("a text of the slice is not valid in its character set"))
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
    fn every_value_is_handed_over_as_what_it_is() {
        let check = |class: Class, read: Option<&[u8]>, expect: Value<'_>| {
            assert_eq!(class.value(read).unwrap(), expect);
        };
        check(Class::Text, None, Value::Null);
        check(
            Class::Text,
            Some(b"o'b\\\xfc\0"),
            Value::Bytes(b"o'b\\\xfc\0"),
        );
        check(
            Class::Bytes,
            Some(&[0, 255, 39]),
            Value::Bytes(&[0, 255, 39]),
        );
        check(Class::Bits, Some(b"513"), Value::Signed(513));
        check(Class::Integer, Some(b"-7"), Value::Signed(-7));
        let most = u64::MAX.to_string();
        check(
            Class::Integer,
            Some(most.as_bytes()),
            Value::Unsigned(u64::MAX),
        );
        check(Class::Plain, Some(b"-0.10"), Value::Text("-0.10"));
        assert!(Class::Plain.value(Some(&[255])).is_err());
        assert!(Class::Integer.value(Some(b"7a")).is_err());
    }
}
