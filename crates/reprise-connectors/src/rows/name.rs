//! The name of a table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table with its schema; MariaDB has none inside a database.
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
}

impl fmt::Display for TableName {
    /// As people write it: `public` is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schema.as_str() {
            "" | "public" => f.pad(&self.name),
            schema => f.pad(&format!("{schema}.{}", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_shown_as_people_write_it() {
        assert_eq!(TableName::new("public", "issues").to_string(), "issues");
        assert_eq!(TableName::new("crm", "issues").to_string(), "crm.issues");
        assert_eq!(TableName::new("", "issues").to_string(), "issues");
    }
}
