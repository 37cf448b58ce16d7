//! `kind: events`: recorded events, replayed into a data set by SQL or HTTP.

use std::path::PathBuf;
use std::time::Duration;

use reprise_model::{
    Backup, Elapsed, EventFields, EventTarget, Events, HttpTarget, Shard, SqlTarget, Tenancy, Text,
};

use crate::Code;
use crate::diagnostic::Report;
use crate::shape::{Cases, Field, Kind, Shape, duration};
use crate::texts::check_template;
use crate::yaml::{Entry, Node};

/// Longest wait for one answer of a target.
const TIMEOUT: Elapsed = Elapsed(Duration::from_secs(30));
const BATCH: u64 = 500;
const OFFSETS: &str = "reprise_offsets";

pub(super) static FIELDS: [Field; 2] = [
    Field::required(
        "tenant",
        Kind::Shape(&TENANT),
        "How the recorded events are read, and how they are applied.",
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
    vec!["segments"]
}

static TENANT: Shape = Shape::new(
    "the tenant",
    &[
        Field::optional(
            "fields",
            Kind::Shape(&NAMES),
            "The names that a recorded event has for its parts.",
        ),
        Field::optional(
            "from_zero",
            Kind::Flag,
            "Whether streams begin with number 0.",
        )
        .default("`false`: with 1"),
        Field::optional(
            "max_silence",
            Kind::Duration,
            "Longest time without an event that is expected of a stream; longer ones fail the verdict.",
        ),
        Field::optional(
            "streams",
            Kind::List {
                of: &Kind::Text,
                least: 0,
            },
            "The streams that every site has: one without any event fails the verdict.",
        )
        .default("any; `[]`: not even one event of the batch is expected"),
        Field::optional(
            "sql",
            Kind::Shape(&SQL),
            "Statements for a target that is PostgreSQL.",
        ),
        Field::optional(
            "http",
            Kind::Shape(&HTTP),
            "Addresses of a target that is asked by HTTP.",
        ),
    ],
);

static NAMES: Shape = Shape::new(
    "`fields`",
    &[
        Field::optional("site", Kind::Text, "The id of the site.").default("`site`"),
        Field::optional("stream", Kind::Text, "The name of the stream.").default("`stream`"),
        Field::optional("seq", Kind::Text, "The number within site and stream.").default("`seq`"),
        Field::optional("time", Kind::Text, "When it happened, in RFC 3339.").default("`time`"),
        Field::optional("payload", Kind::Text, "What it says, as any JSON.").default("`payload`"),
    ],
);

static SQL: Shape = Shape::new(
    "`sql`",
    &[
        Field::required(
            "apply",
            Kind::Text,
            "Applies one event: `$1` site, `$2` stream, `$3` number, `$4` time, `$5` payload.",
        ),
        Field::optional(
            "offsets",
            Kind::Text,
            "Table of the offsets, with `site`, `stream` and `seq`, keyed by the first two.",
        )
        .default("`reprise_offsets`"),
        Field::optional(
            "count",
            Kind::Text,
            "Yields `stream` and the number of its events in live, for the site `$1`.",
        ),
        Field::optional(
            "clear",
            Kind::Text,
            "Deletes what was made of the events of the site `$1`; for `on_conflict: replace`.",
        ),
    ],
);

static HTTP: Shape = Shape::new(
    "`http`",
    &[
        Field::required(
            "apply",
            Kind::Template,
            "Where events of `stream` are posted as `{ after, events }`.",
        ),
        Field::required(
            "offset",
            Kind::Template,
            "Where `{ seq, count }` of `stream` is got; 404 where there is none.",
        ),
        Field::optional(
            "clear",
            Kind::Template,
            "What is deleted for `on_conflict: replace`.",
        ),
        Field::optional("batch", Kind::Count, "Events in one request.").default("500"),
        Field::optional("timeout", Kind::Duration, "Longest wait for one answer.").default("`30s`"),
    ],
);

static SHARD: Shape = Shape::new(
    "a shard",
    &[
        Field::required(
            "live",
            Kind::Live,
            "URL of the target, best as `${NAME}`; never shown or stored.",
        ),
        Field::required(
            "backup",
            Kind::Shape(&BACKUP),
            "Where its events are recorded.",
        ),
        Field::optional("scratch", Kind::Text, "Folder to index them in."),
    ],
);

static BACKUP: Shape = Shape {
    cases: Some(&Cases {
        key: "kind",
        by_word: &[(
            "segments",
            &[
                Field::required(
                    "path",
                    Kind::Text,
                    "Folder of segments: JSON lines in `*.jsonl` or `*.jsonl.zst`.",
                ),
                Field::optional(
                    "second",
                    Kind::Text,
                    "Folder with a second copy, from which gaps are filled.",
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
    let known = EventFields::default();
    let fields = node.get("fields");
    let name = |key: &str, default: String| {
        let own = fields.and_then(|fields| fields.text_at(key));
        own.map_or(default, str::to_owned)
    };
    let target = match (node.get("sql"), node.get("http")) {
        (Some(node), _) => Some(EventTarget::Sql(sql(node)?)),
        (None, Some(node)) => Some(EventTarget::Http(http(node)?)),
        (None, None) => None,
    };
    Some(Tenancy::Events(Box::new(Events {
        fields: EventFields {
            site: name("site", known.site),
            stream: name("stream", known.stream),
            seq: name("seq", known.seq),
            time: name("time", known.time),
            payload: name("payload", known.payload),
        },
        first: i64::from(node.text_at("from_zero") != Some("true")),
        max_silence: node.text_at("max_silence").and_then(duration),
        streams: node.get("streams").map(names),
        target,
    })))
}

fn names(list: &Node) -> Vec<String> {
    let items = list.items().iter();
    items.filter_map(Node::text).map(str::to_owned).collect()
}

fn sql(node: &Node) -> Option<SqlTarget> {
    Some(SqlTarget {
        apply: node.text_at("apply")?.to_owned(),
        offsets: node.text_at("offsets").unwrap_or(OFFSETS).to_owned(),
        count: node.text_at("count").map(str::to_owned),
        clear: node.text_at("clear").map(str::to_owned),
    })
}

fn http(node: &Node) -> Option<HttpTarget> {
    let batch = node.get("batch").and_then(|batch| batch.scalar()?.whole());
    Some(HttpTarget {
        apply: node.text_at("apply")?.to_owned(),
        offset: node.text_at("offset")?.to_owned(),
        clear: node.text_at("clear").map(str::to_owned),
        batch: batch.unwrap_or(BATCH),
        timeout: node
            .text_at("timeout")
            .and_then(duration)
            .unwrap_or(TIMEOUT),
    })
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    let backup = node.get("backup")?;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: Some(match backup.text_at("kind")? {
            "segments" => Backup::Segments {
                path: backup.text_at("path")?.into(),
                second: backup.text_at("second").map(PathBuf::from),
            },
            _ => return None,
        }),
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

/// What the shape cannot tell: one target, templates, two folders that differ.
pub(super) fn check(store: &Node, report: &Report) {
    if let Some(tenant) = store.get("tenant") {
        check_target(tenant, report);
    }
    for entry in store.get("shards").map_or(&[][..], Node::entries) {
        let Some(backup) = entry.value.get("backup") else {
            continue;
        };
        if let (Some(path), Some(second)) = (backup.text_at("path"), backup.get("second"))
            && second.text() == Some(path)
        {
            let message = "the second copy is the archive itself";
            report.push(report.error(Code::Mismatch, second.span.clone(), message));
        }
    }
}

fn check_target(tenant: &Node, report: &Report) {
    let http = tenant.get("http");
    // Without the site's predicate they would count, or delete, what is the neighbours'.
    for key in ["apply", "count", "clear"] {
        if let Some(node) = tenant.get("sql").and_then(|sql| sql.get(key))
            && node.text().is_some_and(|text| !text.contains("$1"))
        {
            let message = format!("`{key}` does not say which site: it has no `$1`");
            report.push(report.error(Code::Mismatch, node.span.clone(), message));
        }
    }
    if let (Some(_), Some(http)) = (tenant.get("sql"), http) {
        let message = "events are applied by `sql` or by `http`, not by both";
        report.push(report.error(Code::Mismatch, http.span.clone(), message));
    }
    for key in ["apply", "offset", "clear"] {
        if let Some(node) = http.and_then(|http| http.get(key)) {
            let why_not = "an address follows from the site and the stream alone";
            let allowed: &[&str] = if key == "clear" {
                &["site"]
            } else {
                &["site", "stream"]
            };
            check_template(node, allowed, why_not, report);
        }
    }
}
