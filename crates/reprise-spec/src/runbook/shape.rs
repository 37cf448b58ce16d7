//! The keys of `runbook.yaml`.

use reprise_model::{Action, End, Listed, Orphans, Scope};

use super::slices::{RESTORE, VERIFY};
use crate::shape::{Cases, Field, Kind, Shape};

fn actions() -> Vec<&'static str> {
    Action::ALL.iter().map(|action| action.as_str()).collect()
}

fn scopes() -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect()
}

pub(crate) static RUNBOOK: Shape = Shape::new(
    "the runbook",
    &[
        Field::required("version", Kind::Version, "Version of the file format: 1."),
        Field::required("name", Kind::Text, "Name of the procedure, for people."),
        Field::optional(
            "waves",
            Kind::List {
                of: &Kind::Wave,
                least: 1,
            },
            "Sizes of the waves, the canary first: numbers of sites, shares, `rest`.",
        )
        .default("one wave of all sites"),
        Field::optional("halt", Kind::Shape(&HALT), "When to stop starting waves.")
            .default("never"),
        Field::optional(
            "slots",
            Kind::Count,
            "Tasks that may run at the same time, over all pools.",
        )
        .default("only pools bound them"),
        Field::optional(
            "pools",
            Kind::Map {
                of: &Kind::Either(&Kind::Count, &Kind::Shape(&POOL)),
                names: true,
                least: 0,
            },
            "Bounds of concurrency, by name: slots, or `{ slots, rate }`.",
        ),
        Field::required(
            "steps",
            Kind::Map {
                of: &Kind::Shape(&STEP),
                names: true,
                least: 1,
            },
            "The steps, by name.",
        ),
    ],
);

static HALT: Shape = Shape::new(
    "the halt rule",
    &[
        Field::required(
            "failed_sites",
            Kind::Limit,
            "More failed sites than this start no further wave.",
        ),
        Field::optional(
            "checks",
            Kind::Flag,
            "A site of which a check failed counts, too.",
        )
        .default("false"),
    ],
);

static POOL: Shape = Shape::new(
    "a pool",
    &[
        Field::required("slots", Kind::Count, "Tasks that may run at the same time."),
        Field::optional(
            "rate",
            Kind::Rate,
            "Starts of tasks per second, minute or hour.",
        )
        .default("no limit"),
    ],
);

static STEP: Shape = Shape {
    cases: Some(&BY_ACTION),
    ..Shape::new(
        "a step",
        &[
            Field::required(
                "scope",
                Kind::Word(scopes),
                "A task for each: `run`, `shard` or `site`.",
            ),
            Field::required("action", Kind::Word(actions), "What a task does."),
            Field::optional("store", Kind::Name, "The store that it works on."),
            Field::optional(
                "needs",
                Kind::List {
                    of: &Kind::Name,
                    least: 0,
                },
                "Steps that must be finished before.",
            ),
            Field::optional("pool", Kind::Name, "Pool whose slot a running task holds."),
            Field::optional("timeout", Kind::Duration, "Longest time of one attempt.")
                .default("no limit"),
            Field::optional("retry", Kind::Shape(&RETRY), "How to try again."),
            Field::optional(
                "when",
                Kind::Template,
                "Condition over the site or the shard; where it does not hold the task is not planned.",
            ),
            Field::optional("expect", Kind::Duration, "What one task usually takes."),
        ],
    )
};

static RETRY: Shape = Shape::new(
    "the retry rule",
    &[
        Field::optional("attempts", Kind::Count, "Tries in all, the first included.").default("3"),
        Field::optional(
            "backoff",
            Kind::Backoff,
            "Shortest and longest wait between tries.",
        )
        .default("`1s..1m`"),
    ],
);

const STORE: Field = Field::required("store", Kind::Name, "The store that it works on.");

static BY_ACTION: Cases = Cases {
    key: "action",
    by_word: &[
        ("recover", &[STORE]),
        (
            "restore",
            &[
                STORE,
                Field::optional("with", Kind::Shape(&RESTORE), "Options of `restore`."),
            ],
        ),
        (
            "verify",
            &[
                STORE,
                Field::optional("with", Kind::Shape(&VERIFY), "Options of `verify`."),
            ],
        ),
        ("release", &[STORE]),
        (
            "gate",
            &[Field::optional(
                "with",
                Kind::Shape(&GATE),
                "Options of `gate`.",
            )],
        ),
        (
            "exec",
            &[Field::required(
                "with",
                Kind::Shape(&EXEC),
                "Options of `exec`.",
            )],
        ),
        (
            "http.check",
            &[Field::required(
                "with",
                Kind::Shape(&HTTP_CHECK),
                "Options of `http.check`.",
            )],
        ),
        (
            "tcp.check",
            &[Field::required(
                "with",
                Kind::Shape(&TCP_CHECK),
                "Options of `tcp.check`.",
            )],
        ),
        ("check.consistency", &[]),
        (
            "check.references",
            &[Field::required(
                "with",
                Kind::Shape(&REFERENCES),
                "Options of `check.references`.",
            )],
        ),
    ],
};

static GATE: Shape = Shape::new(
    "`with` of `gate`",
    &[
        Field::optional("role", Kind::Text, "Who may approve."),
        Field::optional("message", Kind::Text, "What the person is told."),
    ],
);

static EXEC: Shape = Shape::new(
    "`with` of `exec`",
    &[
        Field::required(
            "command",
            Kind::List {
                of: &Kind::Text,
                least: 1,
            },
            "The program and its arguments; no shell reads them.",
        ),
        Field::optional(
            "env",
            Kind::Map {
                of: &Kind::Text,
                names: false,
                least: 0,
            },
            "Variables for the program.",
        ),
    ],
);

static HTTP_CHECK: Shape = Shape::new(
    "`with` of `http.check`",
    &[
        Field::required("url", Kind::Text, "The address to be asked."),
        Field::optional("status", Kind::Status, "The status that is expected.").default("200"),
        Field::optional("contains", Kind::Text, "A text that the answer must hold."),
        Field::optional("timeout", Kind::Duration, "Longest wait for the answer."),
        Field::optional(
            "expect_header",
            Kind::Map {
                of: &Kind::Text,
                names: false,
                least: 1,
            },
            "Headers that the answer must have, each with a text that its value holds.",
        ),
        CA,
        RESOLVE,
    ],
);

const CA: Field = Field::optional(
    "ca",
    Kind::Text,
    "PEM file of the authorities to be trusted.",
)
.default("the system's");

const RESOLVE: Field = Field::optional(
    "resolve",
    Kind::Map {
        of: &Kind::Text,
        names: false,
        least: 1,
    },
    "Address and port by host, `*.domain` or `*`, instead of DNS: for drills. No other host is asked.",
);

static TCP_CHECK: Shape = Shape::new(
    "`with` of `tcp.check`",
    &[
        Field::required("host", Kind::Text, "The host to be connected to."),
        Field::required("port", Kind::Port, "Its port."),
        Field::optional("timeout", Kind::Duration, "Longest wait in all."),
        Field::optional("tls", Kind::Flag, "Whether TLS is spoken.").default("`false`"),
        Field::optional(
            "banner",
            Kind::Text,
            "A text that the other side must say first, without being asked.",
        ),
        CA,
        RESOLVE,
    ],
);

static REFERENCES: Shape = Shape::new(
    "`with` of `check.references`",
    &[
        Field::required("from", Kind::Shape(&SIDE), "The listing that refers."),
        Field::required("to", Kind::Shape(&SIDE), "The listing that is referred to."),
        Field::optional(
            "orphans",
            Kind::Word(|| Orphans::WORDS.to_vec()),
            "Whether items that nothing refers to fail the check.",
        )
        .default("`fail`"),
    ],
);

static SIDE: Shape = Shape::new(
    "a listing",
    &[
        Field::required("store", Kind::Name, "The store whose slice is listed."),
        Field::required(
            "key",
            Kind::Text,
            "What items are matched by: a column, an attribute, or a field of the store's kind.",
        ),
        Field::optional(
            "compare",
            Kind::List {
                of: &Kind::Text,
                least: 1,
            },
            "Further values of an item that must be equal on both sides, the first to the first.",
        ),
        Field::optional(
            "at",
            Kind::Word(|| End::WORDS.to_vec()),
            "Which end is listed: the live one, or the shard recovered to the target time.",
        )
        .default("`live`"),
        Field::optional(
            "query",
            Kind::Text,
            "Of SQL stores: yields the items, the site's id is `$1`.",
        ),
        Field::optional(
            "filter",
            Kind::Text,
            "Of directories: which entries are listed, in the language of LDAP.",
        )
        .default("all entries that have the key"),
        Field::optional(
            "list",
            Kind::Word(|| Listed::WORDS.to_vec()),
            "Of directories: the site's entries, or its members of groups outside of its subtree.",
        )
        .default("`entries`"),
    ],
);
