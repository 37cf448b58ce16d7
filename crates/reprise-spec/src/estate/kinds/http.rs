//! `kind: http`: third-party apps behind a vendor's API, declared as requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reprise_model::{
    Apps, AppsAt, Auth, CheckRequest, Elapsed, ListRequest, Request, Shard, Tenancy, Text,
};

use crate::Code;
use crate::diagnostic::Report;
use crate::shape::{Field, Kind, Shape, duration};
use crate::texts::{check_references, check_template};
use crate::yaml::{Entry, Node};

/// Longest wait for one answer of a vendor.
const TIMEOUT: Elapsed = Elapsed(Duration::from_secs(30));
const KEY_HEADER: &str = "Idempotency-Key";
const SUCCESS: [u16; 4] = [200, 201, 202, 204];

pub(super) static FIELDS: [Field; 2] = [
    Field::required(
        "tenant",
        Kind::Shape(&TENANT),
        "Which apps a site had, and how the vendor is asked about them.",
    ),
    Field::required(
        "shards",
        Kind::Map {
            of: &Kind::Shape(&SHARD),
            names: true,
            least: 1,
        },
        "The vendor's ends, by name; mostly one.",
    ),
];

static SHARD: Shape = Shape::new(
    "a shard",
    &[Field::required(
        "live",
        Kind::Live,
        "Base URL of the vendor, best as `${NAME}`; never shown or stored.",
    )],
);

static TENANT: Shape = Shape::new(
    "the tenant",
    &[
        Field::required(
            "at",
            Kind::Shape(&AT),
            "Where the apps of the sites at the target time are listed.",
        ),
        Field::required(
            "list",
            Kind::Shape(&LIST),
            "Asks which apps the vendor has for a site.",
        ),
        Field::required(
            "install",
            Kind::Shape(&EFFECT),
            "Asks for an app that is missing.",
        ),
        Field::optional(
            "reconnect",
            Kind::Shape(&EFFECT),
            "Asks for an app that is listed and does not work.",
        )
        .default("`install`"),
        Field::optional(
            "check",
            Kind::Shape(&CHECK),
            "Asks whether an app works; `verify` asks it of each.",
        ),
        Field::optional("auth", Kind::Shape(&AUTH), "How reprise shows who it is."),
        Field::optional(
            "extra",
            Kind::Word(extra_words),
            "What `verify` says of apps that the site did not have.",
        )
        .default("`fail`"),
        Field::optional(
            "idempotency_header",
            Kind::Text,
            "Header that carries the key of an effect.",
        )
        .default("`Idempotency-Key`"),
        Field::optional("timeout", Kind::Duration, "Longest wait for one answer.").default("`30s`"),
        Field::optional(
            "ca",
            Kind::Text,
            "PEM file of the authorities to be trusted.",
        )
        .default("the system's"),
    ],
);

static AT: Shape = Shape {
    alternatives: &[&["from"], &["store", "query"]],
    ..Shape::new(
        "the listing of apps",
        &[
            Field::optional(
                "from",
                Kind::Text,
                "File with `site` and `app`, CSV with a header line or JSON lines; with `since` and `until` where it tells times.",
            ),
            Field::optional("store", Kind::Name, "Store that is recovered and asked."),
            Field::optional(
                "query",
                Kind::Text,
                "Query that yields `site` and `app`; other columns become attributes of the app.",
            ),
        ],
    )
};

static AUTH: Shape = Shape {
    alternatives: &[&["oauth"], &["bearer"]],
    ..Shape::new(
        "`auth`",
        &[
            Field::optional(
                "oauth",
                Kind::Shape(&OAUTH),
                "Client credentials of OAuth 2.",
            ),
            Field::optional(
                "bearer",
                Kind::Live,
                "A token that is sent as it is, as `${NAME}`.",
            ),
        ],
    )
};

static OAUTH: Shape = Shape::new(
    "`oauth`",
    &[
        Field::required(
            "token_url",
            Kind::Text,
            "Where tokens are given; relative to `live`, or absolute.",
        ),
        Field::required("client_id", Kind::Live, "Who asks, as `${NAME}`."),
        Field::required("client_secret", Kind::Live, "Its secret, as `${NAME}`."),
        Field::optional("scope", Kind::Text, "What the token is for."),
    ],
);

const METHOD: Field = Field::optional("method", Kind::Word(methods), "Verb of the request.");
const URL: Field = Field::required(
    "url",
    Kind::Template,
    "Where it goes, relative to `live`; values are escaped.",
);
const HEADERS: Field = Field::optional(
    "headers",
    Kind::Map {
        of: &Kind::Template,
        names: false,
        least: 0,
    },
    "Headers of the request.",
);
const BODY: Field = Field::optional("body", Kind::Json, "What is sent as JSON.");
const STATUS: Field = Field::optional(
    "status",
    Kind::List {
        of: &Kind::Status,
        least: 1,
    },
    "Statuses that are a success.",
)
.default("200, 201, 202, 204");
const OK: Field = Field::optional(
    "ok",
    Kind::List {
        of: &Kind::Text,
        least: 1,
    },
    "States of an app that works.",
);

static LIST: Shape = Shape::new(
    "`list`",
    &[
        METHOD.default("`GET`"),
        URL,
        HEADERS,
        BODY,
        STATUS,
        Field::required(
            "id",
            Kind::Text,
            "Where the ids are in the answer, such as `items[].id`.",
        ),
        Field::optional(
            "state",
            Kind::Text,
            "Where the states are, such as `items[].state`.",
        ),
        OK,
        Field::optional(
            "next",
            Kind::Text,
            "Where the address of the next page is, such as `links.next`.",
        ),
    ],
);

static EFFECT: Shape = Shape::new(
    "a request",
    &[METHOD.default("`POST`"), URL, HEADERS, BODY, STATUS],
);

static CHECK: Shape = Shape::new(
    "`check`",
    &[
        METHOD.default("`GET`"),
        URL,
        HEADERS,
        BODY,
        STATUS,
        Field::optional(
            "state",
            Kind::Text,
            "Where the state is in the answer, such as `state`.",
        ),
        OK,
    ],
);

fn extra_words() -> Vec<&'static str> {
    vec!["fail", "allowed"]
}

fn methods() -> Vec<&'static str> {
    vec!["GET", "POST", "PUT", "PATCH", "DELETE"]
}

/// What the shape cannot tell: templates, places in answers, references.
pub(super) fn check(store: &Node, report: &Report) {
    let Some(tenant) = store.get("tenant") else {
        return;
    };
    for (key, allowed) in [
        ("list", &["site"][..]),
        ("install", &["site", "app"]),
        ("reconnect", &["site", "app"]),
        ("check", &["site", "app"]),
    ] {
        let Some(request) = tenant.get(key) else {
            continue;
        };
        for part in ["url", "headers", "body"] {
            for (node, _) in request.get(part).map(Node::scalars).unwrap_or_default() {
                check_template(
                    node,
                    allowed,
                    "a listing is asked for the site as a whole",
                    report,
                );
            }
        }
        check_places(key, request, report);
    }
    if let Some(auth) = tenant.get("auth") {
        for (node, _) in auth.scalars() {
            check_references(node, report);
        }
    }
}

/// Ids and states are read from the same items.
fn check_places(key: &str, request: &Node, report: &Report) {
    let bad = |node: &Node, message: String| {
        report.push(
            report
                .error(Code::BadValue, node.span.clone(), message)
                .help("such as `items[].id`, or `[].id` where the answer is a list"),
        );
    };
    let (Some(id), state) = (request.get("id"), request.get("state")) else {
        return;
    };
    let items = id.text().and_then(|text| text.split_once("[]"));
    let Some((items, _)) = items else {
        return bad(id, format!("the ids of `{key}` are not in a list"));
    };
    if let Some(node) = state
        && node
            .text()
            .and_then(|text| text.split_once("[]"))
            .map(|(place, _)| place)
            != Some(items)
    {
        bad(
            node,
            format!("the states of `{key}` are not where its ids are"),
        );
    }
}

pub(super) fn tenancy(node: &Node) -> Option<Tenancy> {
    let list = node.get("list")?;
    Some(Tenancy::Apps(Box::new(Apps {
        at: at(node.get("at")?)?,
        auth: match node.get("auth") {
            Some(node) => Some(auth(node)?),
            None => None,
        },
        list: ListRequest {
            request: request(list, "GET")?,
            id: list.text_at("id")?.to_owned(),
            state: list.text_at("state").map(str::to_owned),
            ok: texts(list, "ok"),
            next: list.text_at("next").map(str::to_owned),
        },
        install: request(node.get("install")?, "POST")?,
        reconnect: match node.get("reconnect") {
            Some(node) => Some(request(node, "POST")?),
            None => None,
        },
        check: match node.get("check") {
            Some(node) => Some(CheckRequest {
                request: request(node, "GET")?,
                state: node.text_at("state").map(str::to_owned),
                ok: texts(node, "ok"),
            }),
            None => None,
        },
        extra_allowed: node.text_at("extra") == Some("allowed"),
        idempotency_header: node
            .text_at("idempotency_header")
            .unwrap_or(KEY_HEADER)
            .to_owned(),
        timeout: node
            .text_at("timeout")
            .and_then(duration)
            .unwrap_or(TIMEOUT),
        ca: node.text_at("ca").map(PathBuf::from),
    })))
}

fn at(node: &Node) -> Option<AppsAt> {
    if let Some(path) = node.text_at("from") {
        return Some(AppsAt::File { path: path.into() });
    }
    Some(AppsAt::Query {
        store: node.text_at("store")?.into(),
        query: node.text_at("query")?.to_owned(),
    })
}

fn auth(node: &Node) -> Option<Auth> {
    if let Some(token) = node.text_at("bearer") {
        return Some(Auth::Bearer(Text::new(token)));
    }
    let node = node.get("oauth")?;
    Some(Auth::Oauth {
        token_url: node.text_at("token_url")?.to_owned(),
        client_id: Text::new(node.text_at("client_id")?),
        client_secret: Text::new(node.text_at("client_secret")?),
        scope: node.text_at("scope").map(str::to_owned),
    })
}

fn request(node: &Node, method: &str) -> Option<Request> {
    let headers: BTreeMap<String, String> = node
        .get("headers")
        .map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned())))
        .collect();
    let status: Vec<u16> = node
        .get("status")
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(|node| u16::try_from(node.scalar()?.whole()?).ok())
        .collect();
    Some(Request {
        method: node.text_at("method").unwrap_or(method).to_owned(),
        url: node.text_at("url")?.to_owned(),
        headers,
        body: node.get("body").map(Node::to_json),
        status: if status.is_empty() {
            SUCCESS.to_vec()
        } else {
            status
        },
    })
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = node.get(key).map_or(&[][..], Node::items).iter();
    items.filter_map(Node::text).map(str::to_owned).collect()
}

pub(super) fn shard(entry: &Entry) -> Option<Shard> {
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(entry.value.text_at("live")?),
        backup: None,
        scratch: None,
    })
}
