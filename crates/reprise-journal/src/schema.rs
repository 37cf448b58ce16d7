//! Schema versions.
//!
//! Migrations are numbered files; a name that starts with `breaking` marks one
//! that an older reprise must not work with. A journal that is newer only by
//! other migrations (an added column with a default, an added table) is used
//! as it is; one that is newer by a breaking one is refused.

use reprise_ports::JournalError;
use sqlx::FromRow;
use sqlx::migrate::Migrator;

/// `select_migrations.sql`: one that has been applied.
#[derive(FromRow)]
pub(crate) struct Applied {
    pub version: i64,
    pub description: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Current,
    Behind,
}

pub(crate) fn known(migrator: &Migrator) -> i64 {
    migrator.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Compares what was applied to a journal with what this version knows.
pub(crate) fn judge(applied: &[Applied], known: i64) -> Result<Standing, JournalError> {
    let breaking = applied
        .iter()
        .filter(|m| m.version > known && m.description.starts_with("breaking"))
        .map(|m| m.version)
        .max();
    if let Some(found) = breaking {
        return Err(JournalError::Newer { found, known });
    }
    let newest = applied.iter().map(|m| m.version).max().unwrap_or(0);
    Ok(if newest < known {
        Standing::Behind
    } else {
        Standing::Current
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_breaking_future_is_refused() {
        let check = |applied: &[(i64, &str)], expect: Result<Standing, i64>| {
            let applied: Vec<Applied> = applied
                .iter()
                .map(|&(version, text)| Applied {
                    version,
                    description: text.to_owned(),
                })
                .collect();
            let found = judge(&applied, 2).map_err(|error| match error {
                JournalError::Newer { found, known: 2 } => found,
                other => panic!("{other}"),
            });
            assert_eq!(found, expect);
        };
        check(&[], Ok(Standing::Behind));
        check(&[(1, "first")], Ok(Standing::Behind));
        check(&[(1, "first"), (2, "breaking x")], Ok(Standing::Current));
        check(&[(2, "x"), (3, "added column")], Ok(Standing::Current));
        check(&[(2, "x"), (3, "breaking y"), (4, "z")], Err(3));
    }
}
