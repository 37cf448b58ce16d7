//! The keys of `estate.yaml`.

use reprise_model::{Layer, StoreKind};

use crate::shape::{Cases, Field, Kind, Shape};

fn layers() -> Vec<&'static str> {
    Layer::ALL.iter().map(|layer| layer.as_str()).collect()
}

fn store_kinds() -> Vec<&'static str> {
    StoreKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

fn backup_kinds() -> Vec<&'static str> {
    vec!["basebackup", "pgbackrest"]
}

fn table_words() -> Vec<&'static str> {
    vec!["shared", "ignored"]
}

pub(crate) static ESTATE: Shape = Shape::new(
    "the estate",
    &[
        Field::required("version", Kind::Version, "Version of the file format: 1."),
        Field::required("name", Kind::Text, "Name of the estate, for people."),
        Field::optional("objectives", Kind::Shape(&OBJECTIVES), "What was promised."),
        Field::required(
            "sites",
            Kind::Shape(&SITES),
            "Where the list of sites as it was at the target time comes from.",
        ),
        Field::required(
            "stores",
            Kind::Map {
                of: &Kind::Shape(&STORE),
                names: true,
                least: 1,
            },
            "The data sets of the estate, by name.",
        ),
    ],
);

static OBJECTIVES: Shape = Shape::new(
    "the objectives",
    &[
        Field::optional("rpo", Kind::Duration, "At most this much may be lost."),
        Field::optional("rto", Kind::Duration, "At most this long may it take."),
    ],
);

static SITES: Shape = Shape {
    alternatives: &[&["store", "query"], &["from"]],
    ..Shape::new(
        "the list of sites",
        &[
            Field::optional("store", Kind::Name, "Store whose recovered shard is asked."),
            Field::optional(
                "query",
                Kind::Text,
                "Query that yields one row a site; `id` is required, other columns become attributes.",
            ),
            Field::optional(
                "from",
                Kind::Text,
                "CSV file with a header line, under the same rule.",
            ),
        ],
    )
};

static STORE: Shape = Shape::new(
    "a store",
    &[
        Field::required("kind", Kind::Word(store_kinds), "The software behind it."),
        Field::required("layer", Kind::Word(layers), "What kind of data it holds."),
        Field::optional(
            "placement",
            Kind::Template,
            "Template over the site that yields the name of its shard; required where there are several shards.",
        ),
        Field::optional(
            "tenant",
            Kind::Shape(&TENANT),
            "Which rows belong to a site; required where sites are restored or verified.",
        ),
        Field::required(
            "shards",
            Kind::Map {
                of: &Kind::Shape(&SHARD),
                names: true,
                least: 1,
            },
            "The physical parts of the store, by name.",
        ),
    ],
);

static TENANT: Shape = Shape::new(
    "the tenant",
    &[
        Field::required("table", Kind::Text, "The root table: one row a site."),
        Field::required("key", Kind::Text, "Its column that holds the site's id."),
        Field::optional(
            "tables",
            Kind::Map {
                of: &Kind::Either(&Kind::Word(table_words), &Kind::Shape(&TABLE)),
                names: false,
                least: 0,
            },
            "Tables about which foreign keys cannot tell: `{ key: column }`, `shared` or `ignored`.",
        ),
    ],
);

static TABLE: Shape = Shape::new(
    "a table",
    &[Field::required(
        "key",
        Kind::Text,
        "The column that holds the id of the owning site.",
    )],
);

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required(
            "live",
            Kind::Live,
            "URL of the live end, best as `${NAME}`; never shown or stored.",
        ),
        Field::required("backup", Kind::Shape(&BACKUP), "Where its past is kept."),
        Field::optional("scratch", Kind::Text, "Folder to recover it in."),
    ],
);

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[
            (
                "basebackup",
                &[
                    Field::required(
                        "base",
                        Kind::Text,
                        "Folder of a plain base backup, or of several such folders.",
                    ),
                    Field::required("wal", Kind::Text, "Folder of archived WAL segments."),
                ],
            ),
            (
                "pgbackrest",
                &[
                    Field::required("stanza", Kind::Text, "Stanza of the repository."),
                    Field::optional("config", Kind::Text, "Configuration file of pgBackRest.")
                        .default("pgBackRest's own"),
                ],
            ),
        ],
    }),
    ..Shape::new(
        "a backup",
        &[Field::required(
            "kind",
            Kind::Word(backup_kinds),
            "What made the backup.",
        )],
    )
};
