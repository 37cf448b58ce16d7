//! The options of a step that works on a store: each kind of store knows some,
//! and what it would refuse in the run is a mistake in the plan already.

use reprise_model::{Action, Step, Store, StoreKind};

use crate::error::PlanError;

/// An option, and the words it can be where a kind knows fewer than the format.
type Known = (&'static str, &'static [&'static str]);

const ANY: &[&str] = &[];
const ON_CONFLICT: Known = ("on_conflict", ANY);
const CREATED_AFTER: Known = ("created_after", ANY);
const TIES: Known = ("ties", ANY);
const EMPTY: Known = ("empty", ANY);
const CONCURRENT: Known = ("concurrent", ANY);

fn known(kind: StoreKind) -> &'static [Known] {
    match kind {
        StoreKind::Postgres => &[
            ON_CONFLICT,
            ("lock_timeout", ANY),
            ("statement_timeout", ANY),
        ],
        StoreKind::Mariadb => &[
            ("on_conflict", &["refuse"]),
            ("lock_timeout", ANY),
            ("statement_timeout", ANY),
        ],
        StoreKind::Ldap => &[("on_conflict", &["refuse", "replace"]), ("undecided", ANY)],
        StoreKind::S3 => &[
            ON_CONFLICT,
            CREATED_AFTER,
            TIES,
            CONCURRENT,
            EMPTY,
            ("doubts", ANY),
            ("markers", ANY),
            ("part_size", ANY),
        ],
        StoreKind::Folder => &[
            ON_CONFLICT,
            CREATED_AFTER,
            CONCURRENT,
            EMPTY,
            ("owners", ANY),
        ],
        StoreKind::Git => &[ON_CONFLICT, CREATED_AFTER, TIES],
        StoreKind::Events => &[
            ("on_conflict", &["refuse", "replace"]),
            ("only", &["completeness"]),
        ],
        StoreKind::Http => &[],
    }
}

/// What a step says that its store does not know.
pub(crate) fn unknown(step: &Step, store: &Store) -> Vec<PlanError> {
    if !matches!(step.action, Action::Restore | Action::Verify) {
        return Vec::new();
    }
    let known = known(store.kind);
    let wrong = step.with.iter().filter(|(key, value)| {
        let option = known.iter().find(|(name, _)| name == key);
        option.is_none_or(|(_, words)| !may_be(words, value.as_str()))
    });
    wrong
        .map(|(key, value)| PlanError::UnknownOption {
            step: step.name.clone(),
            option: match value.as_str() {
                Some(word) => format!("{key}: {word}"),
                None => format!("{key}: {value}"),
            },
            store: store.id.clone(),
            kind: store.kind.as_str(),
            known: words(known),
        })
        .collect()
}

fn may_be(words: &[&str], value: Option<&str>) -> bool {
    words.is_empty() || value.is_some_and(|word| words.contains(&word))
}

/// `on_conflict (refuse or replace), ties`.
fn words(known: &[Known]) -> String {
    let each = known.iter().map(|(name, words)| match words {
        [] => (*name).to_owned(),
        words => format!("{name} ({})", words.join(" or ")),
    });
    each.collect::<Vec<_>>().join(", ")
}
