//! `with` of `check.references`: two listings that must go together, each
//! with what its kind of store understands.

use reprise_model::{End, Estate, Listed, References, Side, Step, Store, StoreKind};

use crate::Code;
use crate::diagnostic::Report;
use crate::nearest::{did_you_mean, list};
use crate::yaml::Node;

/// What a listing alone can get wrong.
pub(super) fn check(with: &Node, report: &Report) {
    for (node, _) in with.scalars() {
        // What is filled into a query would be part of it.
        if node.text().is_some_and(|text| text.contains("{{")) {
            let message = "a listing is no template".to_owned();
            let error = report.error(Code::BadTemplate, node.span.clone(), message);
            report.push(error.help("a query finds the site's id as `$1`"));
        }
    }
    for side in ["from", "to"] {
        let query = with.get(side).and_then(|side| side.get("query"));
        if let Some(node) = query.filter(|node| node.text().is_some_and(|t| !t.contains("$1"))) {
            let message = "the query does not ask for the site".to_owned();
            let error = report.error(Code::BadValue, node.span.clone(), message);
            report.push(error.help("`$1` in it is the site's id"));
        }
    }
    let compared = |side: &str| {
        let side = with.get(side)?;
        Some(side.get("compare").map_or(0, |node| node.items().len()))
    };
    let (Some(from), Some(to)) = (compared("from"), compared("to")) else {
        return;
    };
    if from != to {
        let message = format!("`from` compares {from} values and `to` compares {to}");
        let error = report.error(Code::Mismatch, with.span.clone(), message);
        report.push(error.help("the first of `compare` is held against the first, and so on"));
    }
}

/// What a listing and its store can only get wrong together.
pub(super) fn check_against(step: &Step, estate: &Estate, node: Option<&Node>, report: &Report) {
    let Some(Ok(references)) = References::of(step.action, &step.with) else {
        return;
    };
    for (name, side) in [("from", &references.from), ("to", &references.to)] {
        let node = node.and_then(|node| node.get("with")?.get(name));
        let place = Place { node, report };
        match estate.store(&side.store) {
            Some(store) => place.check(store, side),
            None => {
                let message = format!("the estate has no store `{}`", side.store);
                let names = estate.stores.iter().map(|store| store.id.as_str());
                let help = did_you_mean(side.store.as_str(), "stores", names);
                place.push(Code::UnknownName, "store", message, help);
            }
        }
    }
}

/// Where a listing is written.
struct Place<'a> {
    node: Option<&'a Node>,
    report: &'a Report,
}

impl Place<'_> {
    fn check(&self, store: &Store, side: &Side) {
        let kind = store.kind.as_str();
        if matches!(store.kind, StoreKind::Events | StoreKind::Git) {
            let message = format!("a store of kind `{kind}` cannot be listed");
            let help = "`verify` holds it against the target time".to_owned();
            return self.push(Code::Mismatch, "store", message, help);
        }
        let sql = matches!(store.kind, StoreKind::Postgres | StoreKind::Mariadb);
        let directory = store.kind == StoreKind::Ldap;
        if store.tenant.is_none() {
            let message = format!("store `{}` has no `tenant`", store.id);
            let help = "say in the estate what of it belongs to a site".to_owned();
            self.push(Code::Mismatch, "store", message, help);
        }
        if sql && side.query.is_none() {
            let message = format!("a listing of kind `{kind}` has no `query`");
            let help = "such as `select id, size from attachments where site_id = $1`".to_owned();
            self.push(Code::MissingKey, "store", message, help);
        }
        let foreign = [
            ("query", side.query.is_some() && !sql),
            ("filter", side.filter.is_some() && !directory),
            ("list", side.list != Listed::default() && !directory),
        ];
        for (key, _) in foreign.into_iter().filter(|(_, wrong)| *wrong) {
            let message = format!("a listing of kind `{kind}` has no `{key}`");
            self.push(Code::UnknownKey, key, message, list_of(store.kind));
        }
        let live_only = matches!(store.kind, StoreKind::S3 | StoreKind::Folder);
        if live_only && side.at == End::Target {
            let message = format!("a listing of kind `{kind}` is always of `live`");
            let help = "`verify` holds live against the target time".to_owned();
            self.push(Code::Mismatch, "at", message, help);
        }
        let Some(known) = fields_of(store.kind, side.at) else {
            return;
        };
        for (key, name) in std::iter::once(("key", &side.key))
            .chain(side.compare.iter().map(|name| ("compare", name)))
            .filter(|(_, name)| !known.contains(&name.as_str()))
        {
            let message = format!("an item of kind `{kind}` has no `{name}`");
            let help = did_you_mean(name, "fields", known.iter().copied());
            self.push(Code::UnknownName, key, message, help);
        }
    }

    fn push(&self, code: Code, key: &str, message: String, help: String) {
        let node = self.node.and_then(|node| node.get(key)).or(self.node);
        let span = node.map_or(0..0, |node| node.span.clone());
        let error = self.report.error(code, span, message);
        self.report.push(error.help(help));
    }
}

fn list_of(kind: StoreKind) -> String {
    let keys: &[&str] = match kind {
        StoreKind::Postgres | StoreKind::Mariadb => &["store", "key", "compare", "at", "query"],
        StoreKind::Ldap => &["store", "key", "compare", "at", "filter", "list"],
        StoreKind::Http => &["store", "key", "compare", "at"],
        StoreKind::S3 | StoreKind::Folder => &["store", "key", "compare"],
        StoreKind::Events | StoreKind::Git => &[],
    };
    format!("it has {}", list(keys.iter().copied()))
}

/// What an item has, where that is the kind's to say.
fn fields_of(kind: StoreKind, at: End) -> Option<&'static [&'static str]> {
    match (kind, at) {
        (StoreKind::Postgres | StoreKind::Mariadb | StoreKind::Ldap, _) => None,
        // At the target time it is whatever the list of apps tells.
        (StoreKind::Http, End::Target) => None,
        (StoreKind::Http, End::Live) => Some(&["id", "state"]),
        (StoreKind::Events | StoreKind::Git, _) => Some(&[]),
        (StoreKind::Folder, _) => Some(&["path", "file", "size"]),
        (StoreKind::S3, _) => Some(&["key", "object", "size", "etag"]),
    }
}
