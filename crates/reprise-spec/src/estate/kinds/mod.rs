//! What each kind of store has of its own: the keys of its tenant, of its
//! shards and of their backups. One file for each kind.

mod http;
mod ldap;
mod postgres;

use reprise_model::{Shard, StoreKind, Tenancy};

use crate::diagnostic::Report;
use crate::shape::Field;
use crate::yaml::{Entry, Node};

/// The kind's own keys of a store.
pub(super) static FIELDS: [(&str, &[Field]); StoreKind::ALL.len()] = [
    ("postgres", &postgres::FIELDS),
    ("http", &http::FIELDS),
    ("ldap", &ldap::FIELDS),
];

pub(super) fn tenancy(kind: StoreKind, node: &Node) -> Option<Tenancy> {
    match kind {
        StoreKind::Postgres => postgres::tenancy(node),
        StoreKind::Http => http::tenancy(node),
        StoreKind::Ldap => ldap::tenancy(node),
    }
}

pub(super) fn shard(kind: StoreKind, entry: &Entry) -> Option<Shard> {
    match kind {
        StoreKind::Postgres => postgres::shard(entry),
        StoreKind::Http => http::shard(entry),
        StoreKind::Ldap => ldap::shard(entry),
    }
}

/// What a kind's shape cannot tell of one of its stores.
pub(super) fn check(kind: StoreKind, store: &Node, report: &Report) {
    match kind {
        StoreKind::Postgres => {}
        StoreKind::Http => http::check(store, report),
        StoreKind::Ldap => ldap::check(store, report),
    }
}
