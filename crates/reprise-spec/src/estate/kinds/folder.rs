//! `kind: folder`: files below a folder of a tree.

use std::path::PathBuf;

use reprise_model::{Backup, FileTree, Shard, Tenancy, Text};

use crate::diagnostic::Report;
use crate::shape::{Cases, Field, Kind, Shape};
use crate::texts::check_template;
use crate::yaml::{Entry, Node};

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
        "The trees of the store, by name.",
    ),
];

static TENANT: Shape = Shape::new(
    "the tenant",
    &[Field::required(
        "folder",
        Kind::Template,
        "Template over the site that yields its folder, relative to the tree.",
    )],
);

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required("live", Kind::Live, "Folder of the tree; may be `${NAME}`."),
        Field::required("backup", Kind::Shape(&BACKUP), "Where its past is kept."),
        Field::optional(
            "scratch",
            Kind::Text,
            "Folder for manifests and for files out of the backup.",
        ),
    ],
);

fn backup_kinds() -> Vec<&'static str> {
    vec!["folders", "restic"]
}

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[
            (
                "folders",
                &[Field::required(
                    "path",
                    Kind::Text,
                    "Folder of copies, each named by the time at which it began.",
                )],
            ),
            (
                "restic",
                &[
                    Field::required("repository", Kind::Text, "The repository, as `restic -r`."),
                    Field::required("password_file", Kind::Text, "File that holds its password."),
                    Field::optional("host", Kind::Text, "Takes snapshots of this host alone."),
                    Field::optional("path", Kind::Text, "The tree inside of the snapshots.")
                        .default("the path of `live`"),
                ],
            ),
        ],
    }),
    ..Shape::new(
        "a backup",
        &[Field::required(
            "kind",
            Kind::Word(backup_kinds),
            "What keeps it: dated folders, or restic.",
        )],
    )
};

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    let folder = node.text_at("folder")?.to_owned();
    Some(Tenancy::FileTree(FileTree { folder }))
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: Some(backup(node.get("backup")?)?),
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

fn backup(node: &Node) -> Option<Backup> {
    match node.text_at("kind")? {
        "folders" => Some(Backup::Folders {
            path: PathBuf::from(node.text_at("path")?),
        }),
        "restic" => Some(Backup::Restic {
            repository: node.text_at("repository")?.to_owned(),
            password_file: PathBuf::from(node.text_at("password_file")?),
            host: node.text_at("host").map(str::to_owned),
            path: node.text_at("path").map(PathBuf::from),
        }),
        _ => None,
    }
}

/// A folder is a template over the site.
pub(super) fn check(store: &Node, report: &Report) {
    if let Some(folder) = store.get("tenant").and_then(|t| t.get("folder")) {
        let why_not = "what belongs to a site follows from the site alone";
        check_template(folder, &["site"], why_not, report);
    }
}
