//! `kind: mariadb`: rows by foreign keys, a server recovered to T.

use std::path::PathBuf;

use reprise_model::{Backup, Shard, Text};

use super::postgres::TENANT;
use crate::shape::{Cases, Field, Kind, Shape};
use crate::yaml::{Entry, Node};

pub(super) static FIELDS: [Field; 2] = [
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
];

fn backup_kinds() -> Vec<&'static str> {
    vec!["mariabackup"]
}

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required(
            "live",
            Kind::Live,
            "URL of the live database, best as `${NAME}`; never shown or stored.",
        ),
        Field::required("backup", Kind::Shape(&BACKUP), "Where its past is kept."),
        Field::optional("scratch", Kind::Text, "Folder to recover it in."),
    ],
);

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[(
            "mariabackup",
            &[
                Field::required(
                    "base",
                    Kind::Text,
                    "Folder that `mariadb-backup` wrote, or a folder of several.",
                ),
                Field::required("binlog", Kind::Text, "Folder of binary logs."),
                Field::optional(
                    "time_zone",
                    Kind::Text,
                    "Time zone of the server's machine, such as Europe/Berlin; needed where statements are logged that read times in it.",
                ),
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
        "mariabackup" => Some(Backup::MariaBackup {
            base: node.text_at("base")?.into(),
            binlog: node.text_at("binlog")?.into(),
            time_zone: node.text_at("time_zone").map(str::to_owned),
        }),
        _ => None,
    }
}
