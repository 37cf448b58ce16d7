//! Names and literals, written so that no input can leave its quotes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table, always with its schema.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// `"schema"."name"`, for statements.
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

impl fmt::Display for TableName {
    /// As people write it: `public` is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == "public" {
            f.pad(&self.name)
        } else {
            f.pad(&format!("{}.{}", self.schema, self.name))
        }
    }
}

/// An identifier in double quotes.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Identifiers in double quotes, separated by commas, each behind `prefix`.
pub fn quoted_list<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| format!("{prefix}{}", quoted(name)))
        .collect();
    names.join(", ")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("o'brien"), "'o''brien'");
        assert_eq!(literal("a\\' or 1=1"), "E'a\\\\'' or 1=1'");
        assert_eq!(quoted_list("t.", ["a", "B c"]), "t.\"a\", t.\"B c\"");
    }

    #[test]
    fn a_table_is_shown_as_people_write_it() {
        assert_eq!(TableName::new("public", "issues").to_string(), "issues");
        assert_eq!(TableName::new("crm", "issues").to_string(), "crm.issues");
        assert_eq!(TableName::new("crm", "is\"s").sql(), "\"crm\".\"is\"\"s\"");
    }
}
