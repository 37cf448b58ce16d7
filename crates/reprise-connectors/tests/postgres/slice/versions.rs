//! Every version on this machine, and from each to each.

use std::sync::Arc;

use super::awkward::{DELETE_SITE_2, TRACKER, TRACKER_ROWS};
use super::cluster::{Cluster, connect, installations, run};
use super::world::{World, tenant};

/// A slice taken from one major version goes into every other one: in binary
/// where they are the same, else as text.
#[tokio::test]
async fn a_slice_goes_from_each_version_into_each() {
    let clusters: Vec<Arc<Cluster>> = installations()
        .into_iter()
        .map(|installation| Arc::new(Cluster::start(installation, &[])))
        .collect();
    let rules = || tenant("sites.id", &[("currencies", "shared")]);
    for from in &clusters {
        for to in &clusters {
            let mut world = World::on(Arc::clone(to), TRACKER, TRACKER_ROWS, rules()).await;
            let mut admin = connect(&from.options("postgres")).await;
            let name = format!("from_{}", to.port);
            run(&mut admin, &format!("create database {name}")).await;
            let mut then = connect(&from.options(&name)).await;
            run(&mut then, TRACKER).await;
            run(&mut then, TRACKER_ROWS).await;
            world.scratch = world.shard.scratch(from.options(&name), 2);
            let before = world.everything().await;
            run(&mut world.now, DELETE_SITE_2).await;
            world.comes_back("2").await;
            assert_eq!(world.everything().await, before);
        }
    }
}
