//! `estate.yaml` and `env`: what an operator of this estate would have written.

use std::fmt::Write as _;

use crate::Error;
use crate::layers::Described;
use crate::layout::{Layout, replace, write_private};
use crate::manifest::{ClusterEntry, Store};

/// The role that reprise works as.
pub const ROLE: &str = "reprise";

pub fn write_estate(
    layout: &Layout,
    clusters: &[ClusterEntry],
    layers: &[Described],
) -> Result<(), Error> {
    let mut text = estate(clusters);
    text.extend(layers.iter().map(|layer| layer.estate.as_str()));
    replace(&layout.estate(), &text)
}

/// Readable by nobody else: it holds the password.
pub fn write_env(
    layout: &Layout,
    clusters: &[ClusterEntry],
    layers: &[Described],
    password: &str,
) -> Result<(), Error> {
    let mut text = String::new();
    for cluster in clusters {
        writeln!(
            text,
            "{}=postgres://{ROLE}:{password}@127.0.0.1:{}/{}",
            variable(&cluster.name),
            cluster.port,
            cluster.store.name()
        )
        .expect("writing to a string succeeds");
    }
    for (name, value) in layers.iter().flat_map(|layer| &layer.env) {
        writeln!(text, "{name}={value}").expect("writing to a string succeeds");
    }
    write_private(&layout.env(), &text)
}

fn variable(cluster: &str) -> String {
    format!("{}_URL", cluster.to_uppercase())
}

fn estate(clusters: &[ClusterEntry]) -> String {
    let mut text = HEAD.to_owned();
    for (store, head) in [
        (Store::Catalogue, CATALOGUE),
        (Store::Identity, IDENTITY),
        (Store::Product, PRODUCT),
    ] {
        text.push_str(head);
        for cluster in clusters.iter().filter(|cluster| cluster.store == store) {
            let name = &cluster.name;
            write!(
                text,
                "      {name}:
        live: ${{{}}}
        backup: {{ kind: basebackup, base: backups/{name}/base, wal: backups/{name}/wal }}
        scratch: scratch
",
                variable(name)
            )
            .expect("writing to a string succeeds");
        }
    }
    text
}

const HEAD: &str = "\
version: 1
name: lab
objectives: { rpo: 5m, rto: 30m }
sites:
  store: catalogue
  query: >-
    select s.id, s.name, c.name as customer, s.region, s.tier, s.users, s.shard, s.host
    from sites s join customers c on c.id = s.customer_id
stores:";

const CATALOGUE: &str = "
  catalogue:
    kind: postgres
    layer: metadata
    tenant:
      table: sites
      key: id
      tables:
        customers: shared
        plans: shared
        regions: shared
    shards:
";

const IDENTITY: &str = "
  identity:
    kind: postgres
    layer: identity
    tenant:
      table: organisations
      key: site_id
      tables:
        permissions: shared
        role_permissions: shared
        roles: shared
    shards:
";

const PRODUCT: &str = "
  product:
    kind: postgres
    layer: product
    placement: \"{{ site.shard }}\"
    tenant:
      table: tracker.site
      key: id
      tables:
        tracker.audit_log: { key: tenant_id }
        tracker.currencies: shared
        tracker.issue_types: shared
    shards:
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_and_shards_are_nested_as_written() {
        let entry = |name: &str, store| ClusterEntry {
            name: name.to_owned(),
            store,
            port: 1,
        };
        let text = estate(&[
            entry("catalogue", Store::Catalogue),
            entry("identity", Store::Identity),
            entry("s01", Store::Product),
        ]);
        for line in [
            "\n  catalogue:\n    kind: postgres\n",
            "\n  product:\n    kind: postgres\n",
            "\n      s01:\n        live: ${S01_URL}\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
    }
}
