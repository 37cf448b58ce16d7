//! `kind: s3`: keys below a prefix, in a bucket that keeps versions.

use std::path::PathBuf;

use reprise_model::{Backup, Objects, Shard, Tenancy, Text};

use crate::diagnostic::Report;
use crate::shape::{Cases, Field, Kind, Shape};
use crate::texts::check_template;
use crate::yaml::{Entry, Node};

pub(super) static FIELDS: [Field; 2] = [
    Field::optional(
        "tenant",
        Kind::Shape(&TENANT),
        "Which objects belong to a site; required where sites are restored or verified.",
    ),
    Field::required(
        "shards",
        Kind::Map {
            of: &Kind::Shape(&SHARD),
            names: true,
            least: 1,
        },
        "The buckets of the store, by name.",
    ),
];

static TENANT: Shape = Shape::new(
    "the tenant",
    &[Field::required(
        "prefix",
        Kind::Template,
        "Template over the site that yields the prefix of its keys, `/` at its end.",
    )],
);

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required(
            "live",
            Kind::Live,
            "URL of the bucket, best as `${NAME}`; never shown or stored.",
        ),
        Field::required("backup", Kind::Shape(&BACKUP), "Where its past is kept."),
        Field::optional("scratch", Kind::Text, "Folder for the manifests of a run."),
    ],
);

fn backup_kinds() -> Vec<&'static str> {
    vec!["versions"]
}

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[("versions", &[])],
    }),
    ..Shape::new(
        "a backup",
        &[Field::required(
            "kind",
            Kind::Word(backup_kinds),
            "What keeps it: the bucket's own versions.",
        )],
    )
};

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    let prefix = node.text_at("prefix")?.to_owned();
    Some(Tenancy::Objects(Objects { prefix }))
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: Some(match node.get("backup")?.text_at("kind")? {
            "versions" => Backup::Versions,
            _ => return None,
        }),
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

/// A prefix is a template over the site.
pub(super) fn check(store: &Node, report: &Report) {
    if let Some(prefix) = store.get("tenant").and_then(|t| t.get("prefix")) {
        let why_not = "what belongs to a site follows from the site alone";
        check_template(prefix, &["site"], why_not, report);
    }
}
