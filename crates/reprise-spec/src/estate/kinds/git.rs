//! `kind: git`: files below a path, the repository's history, a live folder.

use std::path::PathBuf;

use reprise_model::{Backup, Files, Shard, Tenancy, Text};

use crate::diagnostic::Report;
use crate::shape::{Cases, Field, Kind, Shape};
use crate::texts::check_template;
use crate::yaml::{Entry, Node};

const BRANCH: &str = "main";

pub(super) static FIELDS: [Field; 2] = [
    Field::optional(
        "tenant",
        Kind::Shape(&TENANT),
        "Which files belong to a site; required where sites are restored or verified.",
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
];

fn backup_kinds() -> Vec<&'static str> {
    vec!["git"]
}

static TENANT: Shape = Shape::new(
    "the tenant",
    &[Field::required(
        "path",
        Kind::Template,
        "Template over the site that yields its folder, or its one file, in the repository and in live.",
    )],
);

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required(
            "live",
            Kind::Live,
            "The live folder, a path or `file://`, best as `${NAME}`.",
        ),
        Field::required("backup", Kind::Shape(&BACKUP), "Where its past is kept."),
        Field::optional("scratch", Kind::Text, "Folder to clone it in."),
    ],
);

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[(
            "git",
            &[
                Field::required(
                    "repository",
                    Kind::Text,
                    "Folder of the repository, or an address that `git clone` takes.",
                ),
                Field::optional(
                    "branch",
                    Kind::Text,
                    "Branch whose first parents are its past.",
                )
                .default("`main`"),
            ],
        )],
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

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    Some(Tenancy::Files(Files {
        path: node.text_at("path")?.to_owned(),
    }))
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    let backup = node.get("backup")?;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: Some(match backup.text_at("kind")? {
            "git" => Backup::Git {
                repository: backup.text_at("repository")?.to_owned(),
                branch: backup.text_at("branch").unwrap_or(BRANCH).to_owned(),
            },
            _ => return None,
        }),
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

/// A path follows from the site alone.
pub(super) fn check(store: &Node, report: &Report) {
    if let Some(path) = store.get("tenant").and_then(|tenant| tenant.get("path")) {
        let why_not = "what belongs to a site follows from the site alone";
        check_template(path, &["site"], why_not, report);
    }
}
