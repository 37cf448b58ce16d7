//! The `with` of steps that bring slices back and prove them. Each kind of store
//! knows some of these options.

use crate::shape::{Field, Kind, Shape};

fn only_words() -> Vec<&'static str> {
    vec!["completeness"]
}

fn conflict_words() -> Vec<&'static str> {
    vec!["refuse", "keep", "replace"]
}

fn tie_words() -> Vec<&'static str> {
    vec!["refuse", "include", "exclude"]
}

fn doubt_words() -> Vec<&'static str> {
    vec!["refuse", "leave"]
}

fn empty_words() -> Vec<&'static str> {
    vec!["unknown", "allowed"]
}

fn undecided_words() -> Vec<&'static str> {
    vec!["unknown", "add", "leave"]
}

fn owner_words() -> Vec<&'static str> {
    vec!["compare", "leave"]
}

fn marker_words() -> Vec<&'static str> {
    vec!["remove", "keep"]
}

fn created_words() -> Vec<&'static str> {
    vec!["keep", "remove"]
}

const ON_CONFLICT: Field = Field::optional(
    "on_conflict",
    Kind::Word(conflict_words),
    "What to do where something of the site is live that is not as it was.",
)
.default("`refuse`");

const TIES: Field = Field::optional(
    "ties",
    Kind::Word(tie_words),
    "What to do with objects of the target time's own second, where times are whole seconds.",
)
.default("`refuse`");

const DOUBTS: Field = Field::optional(
    "doubts",
    Kind::Word(doubt_words),
    "What to do with objects of which the bucket's history does not tell what they were.",
)
.default("`refuse`");

const CREATED_AFTER: Field = Field::optional(
    "created_after",
    Kind::Word(created_words),
    "What to do with live objects and files that were not there at the target time.",
)
.default("`keep`");

const CONCURRENT: Field = Field::optional(
    "concurrent",
    Kind::Count,
    "Requests that one task has under way at a time.",
)
.default("the connector's");

const OWNERS: Field = Field::optional(
    "owners",
    Kind::Word(owner_words),
    "Whether files are given back to whom they belong in the copy.",
)
.default("`compare`");

const UNDECIDED: Field = Field::optional(
    "undecided",
    Kind::Word(undecided_words),
    "What to do with memberships of people whom other sites have too, where live lacks them.",
)
.default("`unknown`");

/// A verification must look as the restore before it wrote.
const ONLY: Field = Field::optional(
    "only",
    Kind::Word(only_words),
    "Of recorded events: whether they are complete, and nothing of the target.",
);

pub(super) static VERIFY: Shape = Shape::new(
    "`with` of `verify`",
    &[
        ON_CONFLICT,
        TIES,
        DOUBTS,
        CREATED_AFTER,
        Field::optional(
            "empty",
            Kind::Word(empty_words),
            "What a site is of which no object or file was there, is there, or ever was.",
        )
        .default("`unknown`"),
        CONCURRENT,
        OWNERS,
        UNDECIDED,
        ONLY,
    ],
);

pub(super) static RESTORE: Shape = Shape::new(
    "`with` of `restore`",
    &[
        ON_CONFLICT,
        TIES,
        DOUBTS,
        CREATED_AFTER,
        CONCURRENT,
        OWNERS,
        UNDECIDED,
        Field::optional(
            "markers",
            Kind::Word(marker_words),
            "What to do with delete markers above an object: take them away, or copy over them.",
        )
        .default("`remove`"),
        Field::optional(
            "part_size",
            Kind::Count,
            "Objects above this many bytes are copied in parts of that size.",
        )
        .default("what S3 copies in one request, 5 GiB"),
        Field::optional(
            "lock_timeout",
            Kind::Duration,
            "Longest wait for a lock in the live end.",
        ),
        Field::optional(
            "statement_timeout",
            Kind::Duration,
            "Longest statement in the live end.",
        ),
    ],
);
