//! Prefixes below which there is nothing, by intent or by mistake.

use reprise_connectors::s3::S3Connector;
use reprise_model::{Action, Check, Timestamp, Verdict};
use reprise_ports::{Connector, Finding, Inspect, Level};
use serde_json::{Value, json};

use crate::weed::{KEY, SECRET};
use crate::world::{Quiet, World, call, connector_of, moment, url};

fn misnamed(world: &World, prefix: &str) -> S3Connector {
    let live = url(KEY, SECRET, world.weed.port, &world.bucket);
    connector_of(prefix, live, world.folder.path())
}

async fn verified(connector: &S3Connector, site: &str, target: Timestamp, with: Value) -> Check {
    let call = call(Action::Verify, site, target, with);
    let outcome = connector.perform(&call, &Quiet::default()).await;
    outcome.expect("nothing fails").checks.remove(0)
}

#[tokio::test]
async fn a_prefix_that_was_never_used_is_unknown_unless_the_step_allows_it() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    world.put("sites/late/x", "x").await;
    world.delete("sites/late/x").await;
    let target = moment().await;
    world.put("sites/new/x", "x").await;
    world.delete("sites/a/x").await;
    let wrong = misnamed(&world, "site/{{ site.id }}/");
    let restore = call(Action::Restore, "a", target, json!({}));
    let restored = wrong.perform(&restore, &Quiet::default()).await;
    let point = restored.expect("nothing").recovery_point.expect("measured");
    assert!(
        point
            .basis
            .starts_with("nothing was ever kept below `site/a/`"),
        "{}",
        point.basis
    );
    let check = verified(&wrong, "a", target, json!({})).await;
    assert_eq!(check.verdict, Verdict::Unknown);
    let told = check.evidence["nothing"].as_str().expect("said");
    assert!(
        told.contains("nothing was ever kept below `site/a/`"),
        "{told}"
    );
    let check = verified(&wrong, "a", target, json!({ "empty": "allowed" })).await;
    assert_eq!(check.verdict, Verdict::Pass);
    assert_eq!(check.evidence["at_t"]["objects"], 0);
    // That a site had nothing at T is nothing odd.
    for site in ["late", "new"] {
        let check = verified(&world.connector, site, target, json!({})).await;
        assert_eq!(check.verdict, Verdict::Pass, "{site}");
        assert_eq!(check.evidence["nothing"], Value::Null);
    }
}

/// A prefix that is right for others is right: the site just has no media.
#[tokio::test]
async fn a_site_without_media_passes_beside_one_that_has_some() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    let target = moment().await;
    world.delete("sites/a/x").await;
    let verdict = async |connector: &S3Connector, batch: &[&str]| {
        let mut call = call(Action::Verify, "none", target, json!({}));
        call.companions = batch.iter().map(|site| (*site).into()).collect();
        let outcome = connector.perform(&call, &Quiet::default()).await;
        outcome.expect("nothing fails").checks.remove(0).verdict
    };
    let all = ["none", "neither", "a"];
    assert_eq!(verdict(&world.connector, &all).await, Verdict::Pass);
    // A connector is of one batch, and asks once.
    let other = misnamed(&world, "sites/{{ site.id }}/");
    assert_eq!(verdict(&other, &all[..2]).await, Verdict::Unknown);
    let wrong = misnamed(&world, "site/{{ site.id }}/");
    assert_eq!(verdict(&wrong, &all).await, Verdict::Unknown);
}

#[tokio::test]
async fn inspect_and_recover_name_prefixes_that_were_never_used() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    let target = moment().await;
    let found = async |prefix: &str, sites: &[&str]| -> Finding {
        let inspect = Inspect {
            shard: "main".into(),
            target_time: Some(target),
            sites: sites.iter().map(|site| (*site).into()).collect(),
        };
        let found = misnamed(&world, prefix).inspect(&inspect).await.findings;
        let mut found = found.into_iter();
        found.find(|it| it.check == "prefix").expect("looked at")
    };
    let good = "sites/{{ site.id }}/";
    assert_eq!(found(good, &["a"]).await.level, Level::Ok);
    let unused = found(good, &["a", "b"]).await;
    assert_eq!(unused.level, Level::Warning);
    let told = "the prefixes of 1 of 2 sites, such as `sites/b/` of site b";
    assert!(unused.message.contains(told), "{}", unused.message);
    assert!(unused.hint.expect("a way").contains("empty: allowed"));
    // Where the sites are not known yet, what all begin with is looked at.
    let none = found("site/{{ site.id }}/", &[]).await;
    assert_eq!(none.level, Level::Warning);
    assert!(none.message.contains("ever kept below `site/`, with which"));
    // What would begin a neighbour's keys is seen before a site is.
    let open = found("sites/{{ site.id }}-x", &[]).await;
    assert_eq!(open.level, Level::Error);
    assert!(open.message.contains("does not end with `/`"));

    let mut recover = call(Action::Recover, "a", target, json!({}));
    recover.companions = ["a".into(), "b".into()].into();
    let outcome = world.connector.perform(&recover, &Quiet::default()).await;
    let basis = outcome
        .expect("reaches")
        .recovery_point
        .expect("measured")
        .basis;
    assert!(
        basis.contains("the prefixes of 1 of 2 sites, such as `sites/b/`"),
        "{basis}"
    );
}
