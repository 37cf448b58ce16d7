//! What ties the parts of an estate to each other.

use reprise_model::StoreKind;

use super::kinds;
use crate::Code;
use crate::diagnostic::Report;
use crate::nearest::did_you_mean;
use crate::reference::references;
use crate::texts::{check_references, check_template};
use crate::yaml::{Entry, Node};

pub(super) fn check(root: &Node, report: &Report) {
    let stores = root.get("stores").map_or(&[][..], Node::entries);
    check_stray_references(root, report);
    for store in stores {
        check_placement(store, report);
        check_kind(store, report);
        check_twins(store, "live", "live end", report);
        check_twins(store, "backup", "backup", report);
        for shard in shards(&store.value) {
            if let Some(live) = shard.value.get("live") {
                check_references(live, report);
            }
        }
    }
    if let Some(store) = root.get("sites").and_then(|sites| sites.get("store")) {
        check_list_store(store, stores, report);
    }
    for store in stores {
        let tenant = store.value.get("tenant");
        if let Some(node) = tenant.and_then(|tenant| tenant.get("at")?.get("store")) {
            check_list_store(node, stores, report);
        }
    }
}

/// Elsewhere `${NAME}` would be taken as it stands, and nobody means that.
fn check_stray_references(node: &Node, report: &Report) {
    let others = node
        .entries()
        .iter()
        .filter(|entry| entry.key != "live" && entry.key != "auth");
    let nodes = others.map(|entry| &entry.value).chain(node.items());
    for node in nodes {
        check_stray_references(node, report);
        if node
            .text()
            .is_some_and(|text| references(text).any(|one| one.is_ok()))
        {
            let message = "`${NAME}` is filled in only in `live` and `auth`";
            let error = report.error(Code::BadReference, node.span.clone(), message);
            report.push(
                error.help("write the value out; relative paths start from this file's folder"),
            );
        }
    }
}

fn shards(store: &Node) -> &[Entry] {
    store.get("shards").map_or(&[], Node::entries)
}

fn check_kind(store: &Entry, report: &Report) {
    let word = store.value.text_at("kind");
    let mut kinds = StoreKind::ALL.into_iter();
    if let Some(kind) = kinds.find(|kind| Some(kind.as_str()) == word) {
        kinds::check(kind, &store.value, report);
    }
}

fn check_placement(store: &Entry, report: &Report) {
    let count = shards(&store.value).len();
    match store.value.get("placement") {
        Some(placement) => {
            let why_not = "a placement is asked before anything else is known";
            check_template(placement, &["site"], why_not, report);
        }
        None if count > 1 => {
            let name = &store.key;
            let message = format!("store `{name}` has {count} shards and no `placement`");
            let error = report.error(Code::MissingKey, store.key_span.clone(), message);
            report.push(
                error.help(
                    "say which shard holds a site, such as `placement: \"{{ site.shard }}\"`",
                ),
            );
        }
        None => {}
    }
}

/// Two shards of a store that share an end were copied and not edited; a
/// restore would put slices into the wrong one.
fn check_twins(store: &Entry, key: &str, what: &str, report: &Report) {
    let ends = shards(&store.value).iter().filter_map(|shard| {
        let node = shard.value.get(key)?;
        Some((shard.key.as_str(), node, node.to_json()))
    });
    let ends: Vec<_> = ends.filter(|(_, _, end)| !end.is_null()).collect();
    for (index, (name, node, end)) in ends.iter().enumerate() {
        if let Some((other, _, _)) = ends[..index].iter().find(|(_, _, earlier)| earlier == end) {
            let message = format!("shards `{other}` and `{name}` have the same {what}");
            report.push(report.error(Code::Mismatch, node.span.clone(), message));
        }
    }
}

/// The store of `sites` must be there, and be one that can be asked as a whole.
fn check_list_store(node: &Node, stores: &[Entry], report: &Report) {
    let Some(name) = node.text() else { return };
    match stores.iter().find(|store| store.key == name) {
        None => {
            let message = format!("there is no store `{name}`");
            let names = stores.iter().map(|store| store.key.as_str());
            let error = report.error(Code::UnknownName, node.span.clone(), message);
            report.push(error.help(did_you_mean(name, "stores", names)));
        }
        Some(store) if shards(&store.value).len() > 1 => {
            let count = shards(&store.value).len();
            let message = format!("store `{name}` has {count} shards; a list is read from one");
            let error = report.error(Code::Mismatch, node.span.clone(), message);
            report.push(error.help("name a store with one shard, or a file with `from`"));
        }
        Some(_) => {}
    }
}
