//! MariaDB's literals, comparisons and types.

use super::wider;
use crate::rows::ColumnType;

/// Backslashes are escapes, since our sessions leave `no_backslash_escapes` out.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// MariaDB reads `'12abc'` as 12 where a number is wanted: an id that is not
/// the number's own text belongs to nobody.
pub fn is(column: &str, base: &str, site: &str) -> String {
    let whole = site.parse::<i128>().ok();
    match (is_number(base), whole) {
        (false, _) => format!("{column} = {}", literal(site)),
        (true, Some(number)) if number.to_string() == site => format!("{column} = {number}"),
        (true, _) => "false".to_owned(),
    }
}

/// The whole numbers, by what they can hold.
const WHOLE: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];

fn is_number(base: &str) -> bool {
    let kind = base.split(' ').next().unwrap_or(base);
    WHOLE.contains(&kind) || kind == "decimal"
}

/// Character sets stand in the type's text: a conversion would change the bytes.
pub fn carries(then: &ColumnType, now: &ColumnType) -> bool {
    let rank = |base: &str| {
        let (kind, sign) = base.split_once(' ').unwrap_or((base, ""));
        let at = WHOLE.iter().position(|known| *known == kind)?;
        Some((at, sign.to_owned()))
    };
    match (rank(&then.base), rank(&now.base)) {
        (Some((old, sign)), Some((new, same))) => sign == same && old <= new,
        (None, None) => {
            then.base == now.base
                && matches!(kind_of(&then.base), "decimal" | "varchar" | "varbinary")
                && wider(&then.sql, &now.sql)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn kind_of(base: &str) -> &str {
    base.split(' ').next().unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(base: &str, sql: &str) -> ColumnType {
        ColumnType {
            sql: sql.to_owned(),
            base: base.to_owned(),
            portable: true,
            labels: Vec::new(),
            object_id: false,
        }
    }

    #[test]
    fn an_id_is_never_read_as_a_number_that_it_is_not() {
        assert_eq!(is("t.`id`", "int", "12"), "t.`id` = 12");
        for odd in ["12abc", "012", " 12", "1e1", "+12", ""] {
            assert_eq!(is("t.`id`", "bigint unsigned", odd), "false", "{odd}");
        }
        assert_eq!(is("t.`id`", "varchar utf8mb4", "12abc"), "t.`id` = '12abc'");
    }

    #[test]
    fn a_type_is_carried_where_no_value_changes() {
        let check = |then: (&str, &str), now: (&str, &str), expect: bool| {
            let found = carries(&kind(then.0, then.1), &kind(now.0, now.1));
            assert_eq!(found, expect, "{then:?} -> {now:?}");
        };
        check(("int", "int"), ("bigint", "bigint"), true);
        check(("bigint", "bigint"), ("int", "int"), false);
        check(
            ("int", "int"),
            ("bigint unsigned", "bigint unsigned"),
            false,
        );
        check(
            ("decimal", "decimal(8,2)"),
            ("decimal", "decimal(9,2)"),
            true,
        );
        check(
            ("decimal", "decimal(8,2)"),
            ("decimal", "decimal(9,3)"),
            false,
        );
        check(
            ("varchar utf8mb4", "varchar(9) utf8mb4"),
            ("varchar utf8mb4", "varchar(20) utf8mb4"),
            true,
        );
        check(
            ("varchar utf8mb4", "varchar(9) utf8mb4"),
            ("varchar latin1", "varchar(20) latin1"),
            false,
        );
        check(("datetime", "datetime(6)"), ("datetime", "datetime"), false);
    }
}
