//! A query whose rows are items: the columns that a listing names, as text.

use reprise_model::{Fault, Side};

use super::Dialect;

/// Longest time of one such query, in seconds.
pub const AT_MOST_SECONDS: u32 = 600;

/// The query around the one that the runbook says: its columns are the key
/// and what is compared. A comment at its end stays a comment.
pub fn select(dialect: Dialect, side: &Side, query: &str) -> String {
    let names = std::iter::once(&side.key).chain(&side.compare);
    let columns: Vec<String> = names
        .map(|name| dialect.text(&format!("listed.{}", dialect.quoted(name))))
        .collect();
    let columns = columns.join(", ");
    format!("select {columns} from (\n{query}\n) as listed")
}

/// The query that the runbook says, without a semicolon at its end.
pub fn query(side: &Side) -> Result<&str, Fault> {
    let query = side.query.as_deref().ok_or_else(|| {
        let store = &side.store;
        Fault::permanent(format!("the listing of store `{store}` has no `query`"))
    })?;
    if !query.contains("$1") {
        let message = "the query of the listing does not ask for the site";
        return Err(Fault::permanent(message).hint("`$1` in it is the site's id"));
    }
    Ok(query.trim().trim_end_matches(';').trim_end())
}

/// The site's id in the place of each `$1` that is neither in quotes nor in a
/// comment, for a server that counts its parameters in another way.
pub fn with_site(dialect: Dialect, query: &str, site: &str) -> String {
    let id = dialect.literal(site);
    let mut filled = String::with_capacity(query.len() + id.len());
    let mut rest = query;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' | '"' | '`' => quoted(rest, c),
            '#' => line(rest),
            '-' if rest.starts_with("-- ") || rest.starts_with("--\n") => line(rest),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' if is_parameter(before, rest) => {
                filled.push_str(&id);
                (before, rest) = ('1', &rest[2..]);
                continue;
            }
            _ => c.len_utf8(),
        };
        filled.push_str(&rest[..length]);
        before = rest[..length].chars().next_back().unwrap_or(before);
        rest = &rest[length..];
    }
    filled
}

/// `$` and digits may stand in a name.
fn is_parameter(before: char, rest: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let after = rest
        .strip_prefix("$1")
        .map(|after| after.chars().next().unwrap_or(' '));
    !in_name(before) && after.is_some_and(|after| !in_name(after))
}

/// The bytes of a text in quotes that begins here; a doubled quote begins the next.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && quote != '`' && !escaped;
    }
    text.len()
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_stands_where_it_is_asked_for_and_nowhere_else() {
        let check = |query: &str, expect: &str| {
            assert_eq!(with_site(Dialect::Mariadb, query, "o'b"), expect, "{query}");
        };
        check("a = $1 or $1=b", "a = 'o''b' or 'o''b'=b");
        check("($1)", "('o''b')");
        check("$10, a$1, $1a, $2", "$10, a$1, $1a, $2");
        check("'$1' \"$1\" `$1`", "'$1' \"$1\" `$1`");
        check("'it''s $1' $1", "'it''s $1' 'o''b'");
        check("'\\' $1' $1", "'\\' $1' 'o''b'");
        check(
            "# $1\n$1 -- $1\n/* $1 */ $1",
            "# $1\n'o''b' -- $1\n/* $1 */ 'o''b'",
        );
        check("'open $1", "'open $1");
        check("ä = $1", "ä = 'o''b'");
    }

    #[test]
    fn columns_are_named_and_a_comment_at_the_end_hides_nothing() {
        let side = Side {
            store: "issues".into(),
            key: "pa\"th".into(),
            compare: vec!["size".into()],
            at: Default::default(),
            query: Some(" select $1 -- all ; ".into()),
            filter: None,
            list: Default::default(),
        };
        let query = query(&side).unwrap();
        assert_eq!(
            select(Dialect::Postgres, &side, query),
            "select listed.\"pa\"\"th\"::text, listed.\"size\"::text from (\nselect $1 -- all\n) as listed"
        );
    }
}
