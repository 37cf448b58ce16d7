//! The keys of `estate.yaml`.

use reprise_model::{Layer, StoreKind};

use super::kinds;
use crate::shape::{Cases, Field, Kind, Shape};

fn layers() -> Vec<&'static str> {
    Layer::ALL.iter().map(|layer| layer.as_str()).collect()
}

fn store_kinds() -> Vec<&'static str> {
    StoreKind::ALL.iter().map(|kind| kind.as_str()).collect()
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

static STORE: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &kinds::FIELDS,
    }),
    ..Shape::new(
        "a store",
        &[
            Field::required("kind", Kind::Word(store_kinds), "The software behind it."),
            Field::required("layer", Kind::Word(layers), "What kind of data it holds."),
            Field::optional(
                "placement",
                Kind::Template,
                "Template over the site that yields the name of its shard; required where there are several shards.",
            ),
        ],
    )
};
