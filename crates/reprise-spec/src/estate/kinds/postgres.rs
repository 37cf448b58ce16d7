//! `kind: postgres`: rows by foreign keys, a cluster recovered to T.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprise_model::{Backup, Shard, TableRule, Tenancy, Tenant, Text};

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

fn table_words() -> Vec<&'static str> {
    vec!["shared", "ignored"]
}

fn backup_kinds() -> Vec<&'static str> {
    vec!["basebackup", "pgbackrest"]
}

/// The same for every store whose slices are rows.
pub(super) static TENANT: Shape = Shape::new(
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

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    let mut tables = BTreeMap::new();
    for entry in node.get("tables").map_or(&[][..], Node::entries) {
        let rule = match entry.value.text() {
            Some("shared") => TableRule::Shared,
            Some("ignored") => TableRule::Ignored,
            Some(_) => return None,
            None => TableRule::Key(entry.value.text_at("key")?.to_owned()),
        };
        tables.insert(entry.key.clone(), rule);
    }
    Some(Tenancy::Rows(Tenant {
        table: node.text_at("table")?.to_owned(),
        key: node.text_at("key")?.to_owned(),
        tables,
    }))
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
        "basebackup" => Some(Backup::BaseBackup {
            base: node.text_at("base")?.into(),
            wal: node.text_at("wal")?.into(),
        }),
        "pgbackrest" => Some(Backup::PgBackRest {
            stanza: node.text_at("stanza")?.to_owned(),
            config: node.text_at("config").map(PathBuf::from),
        }),
        _ => None,
    }
}
