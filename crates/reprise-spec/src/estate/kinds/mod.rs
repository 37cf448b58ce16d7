//! What each kind of store has of its own: the keys of its tenant, of its
//! shards and of their backups. One file for each kind.

mod events;
mod folder;
mod git;
mod http;
mod ldap;
mod mariadb;
mod postgres;
mod s3;

use reprise_model::{Shard, StoreKind, Tenancy};

use crate::diagnostic::Report;
use crate::shape::Field;
use crate::yaml::{Entry, Node};

/// The kind's own keys of a store.
pub(super) static FIELDS: [(&str, &[Field]); StoreKind::ALL.len()] = [
    ("postgres", &postgres::FIELDS),
    ("mariadb", &mariadb::FIELDS),
    ("http", &http::FIELDS),
    ("ldap", &ldap::FIELDS),
    ("s3", &s3::FIELDS),
    ("events", &events::FIELDS),
    ("git", &git::FIELDS),
    ("folder", &folder::FIELDS),
];

pub(super) fn tenancy(kind: StoreKind, node: &Node) -> Option<Tenancy> {
    match kind {
        StoreKind::Postgres | StoreKind::Mariadb => postgres::tenancy(node),
        StoreKind::Http => http::tenancy(node),
        StoreKind::Ldap => ldap::tenancy(node),
        StoreKind::S3 => s3::tenancy(node),
        StoreKind::Events => events::tenancy(node),
        StoreKind::Git => git::tenancy(node),
        StoreKind::Folder => folder::tenancy(node),
    }
}

pub(super) fn shard(kind: StoreKind, entry: &Entry) -> Option<Shard> {
    match kind {
        StoreKind::Postgres => postgres::shard(entry),
        StoreKind::Mariadb => mariadb::shard(entry),
        StoreKind::Http => http::shard(entry),
        StoreKind::Ldap => ldap::shard(entry),
        StoreKind::S3 => s3::shard(entry),
        StoreKind::Events => events::shard(entry),
        StoreKind::Git => git::shard(entry),
        StoreKind::Folder => folder::shard(entry),
    }
}

/// What a kind's shape cannot tell of one of its stores.
pub(super) fn check(kind: StoreKind, store: &Node, report: &Report) {
    match kind {
        StoreKind::Postgres | StoreKind::Mariadb => {}
        StoreKind::Http => http::check(store, report),
        StoreKind::Ldap => ldap::check(store, report),
        StoreKind::S3 => s3::check(store, report),
        StoreKind::Events => events::check(store, report),
        StoreKind::Git => git::check(store, report),
        StoreKind::Folder => folder::check(store, report),
    }
}
