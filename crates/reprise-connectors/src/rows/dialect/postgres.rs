//! PostgreSQL's literals and types.

use super::wider;
use crate::rows::ColumnType;

/// A text literal that means the same whatever `standard_conforming_strings`
/// says, because a backslash is only ever written in the `E''` form.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Whether no value changes on the way from one type to the other.
pub fn carries(then: &ColumnType, now: &ColumnType) -> bool {
    let textual = |base: &str| matches!(base, "text" | "character varying");
    match (then.base.as_str(), now.base.as_str()) {
        ("smallint", "integer" | "bigint" | "numeric") => now.sql == now.base,
        ("integer", "bigint" | "numeric") | ("bigint", "numeric") => now.sql == now.base,
        ("numeric", "numeric") => now.sql == now.base || wider(&then.sql, &now.sql),
        ("uuid", to) => textual(to) && now.sql == now.base,
        (from, to) if textual(from) && textual(to) => {
            now.sql == now.base || wider(&then.sql, &now.sql)
        }
        (_, to) => !then.labels.is_empty() && textual(to) && now.sql == now.base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(sql: &str) -> ColumnType {
        ColumnType {
            sql: sql.to_owned(),
            base: sql.split('(').next().unwrap_or(sql).to_owned(),
            portable: true,
            labels: Vec::new(),
            object_id: false,
        }
    }

    #[test]
    fn a_type_is_carried_where_no_value_changes() {
        let check = |then: &str, now: &str, expect: bool| {
            assert_eq!(carries(&kind(then), &kind(now)), expect, "{then} -> {now}");
        };
        check("integer", "bigint", true);
        check("bigint", "integer", false);
        check("integer", "numeric", true);
        check("integer", "numeric(4,0)", false);
        check("numeric(8,2)", "numeric(12,2)", true);
        check("numeric(8,2)", "numeric(8,4)", false);
        check("numeric(8,2)", "numeric", true);
        check("character varying(20)", "character varying(40)", true);
        check("character varying(40)", "character varying(20)", false);
        check("character varying(40)", "text", true);
        check("text", "character varying(40)", false);
        check("uuid", "text", true);
        check("text", "uuid", false);
        check("json", "jsonb", false);
        check("boolean", "text", false);
        check(
            "timestamp without time zone",
            "timestamp with time zone",
            false,
        );
    }
}
