//! `kind: ldap`: a subtree and its memberships, slapcat and the change log.

use std::path::PathBuf;

use reprise_model::{Backup, Directory, Shard, SharedUsers, Tenancy, Text};

use crate::diagnostic::Report;
use crate::shape::{Cases, Field, Kind, Shape};
use crate::texts::check_template;
use crate::yaml::{Entry, Node};

/// Attributes of the standard schemas that name members.
const MEMBER: [&str; 3] = ["member", "uniqueMember", "memberUid"];

pub(super) static FIELDS: [Field; 2] = [
    Field::optional(
        "tenant",
        Kind::Shape(&TENANT),
        "Which entries belong to a site; required where sites are restored or verified.",
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
    vec!["slapcat"]
}

static TENANT: Shape = Shape::new(
    "the tenant",
    &[
        Field::required(
            "base",
            Kind::Template,
            "Template over the site that yields the DN of the top of its subtree.",
        ),
        Field::optional(
            "groups",
            Kind::Template,
            "DN below which groups outside of the subtree have its entries as members.",
        ),
        Field::optional(
            "member",
            Kind::List {
                of: &Kind::Text,
                least: 1,
            },
            "Attributes of groups that name members.",
        )
        .default("member, uniqueMember, memberUid"),
        Field::optional(
            "shared",
            Kind::Shape(&SHARED),
            "Entries that several sites have in common; they are merged.",
        ),
    ],
);

static SHARED: Shape = Shape::new(
    "shared entries",
    &[
        Field::required("base", Kind::Template, "DN below which they stand."),
        Field::required(
            "filter",
            Kind::Template,
            "`(attribute=value)`: an entry with this value is the site's too.",
        ),
    ],
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
        by_word: &[(
            "slapcat",
            &[
                Field::required(
                    "snapshots",
                    Kind::Text,
                    "Folder of LDIF files that slapcat made.",
                ),
                Field::required(
                    "changes",
                    Kind::Text,
                    "LDIF of the change log by slapcat, or a folder of such files.",
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

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    let member = match node.get("member") {
        None => MEMBER.map(str::to_owned).to_vec(),
        Some(list) => list
            .items()
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect::<Option<_>>()?,
    };
    let shared = match node.get("shared") {
        None => None,
        Some(shared) => Some(SharedUsers {
            base: shared.text_at("base")?.to_owned(),
            filter: shared.text_at("filter")?.to_owned(),
        }),
    };
    Some(Tenancy::Directory(Directory {
        base: node.text_at("base")?.to_owned(),
        groups: node.text_at("groups").map(str::to_owned),
        member,
        shared,
    }))
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    let backup = node.get("backup")?;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: Some(match backup.text_at("kind")? {
            "slapcat" => Backup::Slapcat {
                snapshots: backup.text_at("snapshots")?.into(),
                changes: backup.text_at("changes")?.into(),
            },
            _ => return None,
        }),
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

/// A directory's DNs and filters are templates over the site.
pub(super) fn check(store: &Node, report: &Report) {
    let Some(tenant) = store.get("tenant") else {
        return;
    };
    let shared = tenant.get("shared");
    let texts = [tenant.get("base"), tenant.get("groups")]
        .into_iter()
        .chain([
            shared.and_then(|s| s.get("base")),
            shared.and_then(|s| s.get("filter")),
        ]);
    for text in texts.flatten() {
        let why_not = "what belongs to a site follows from the site alone";
        check_template(text, &["site"], why_not, report);
    }
}
