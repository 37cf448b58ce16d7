//! Lifecycle rules: what they may have dropped, and who may read them.

use reprise_model::{Action, FaultKind, Timestamp, Verdict};
use reprise_ports::{Connector, Inspect, Level};
use reqwest::Method;
use serde_json::json;

use crate::proxy::Proxy;
use crate::weed::{KEY, SECRET};
use crate::world::{Quiet, World, call, connector, moment, url};

/// Drops versions after a day.
async fn rule(world: &World, filter: &str) {
    let body = format!(
        "<LifecycleConfiguration><Rule><ID>short</ID><Status>Enabled</Status>{filter}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"
    );
    let query = [("lifecycle", "")];
    let sent = world.send(Method::PUT, None, &query, &[], body.into());
    let answer = sent.await;
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test]
async fn a_rule_blocks_the_sites_that_it_may_touch_alone() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    world.put("sites/b/x", "x").await;
    let now = moment().await;
    let early = Timestamp::from_micros(now.as_micros() - 3 * 86_400_000_000);
    rule(&world, "<Filter><Prefix>sites/a/</Prefix></Filter>").await;
    let fault = world.perform(Action::Verify, "a", early, json!({})).await;
    let fault = fault.expect_err("may be gone");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("rule `short` drops versions below `sites/a/` after 1 days"),
        "{fault}"
    );
    let late = world.perform(Action::Verify, "a", now, json!({})).await;
    late.expect("not yet dropped");
    let other = world.perform(Action::Verify, "b", early, json!({})).await;
    let check = other.expect("no rule of its own").checks.remove(0);
    let past = check.evidence["past"].as_str().expect("said");
    assert!(
        past.contains("no rule of the bucket drops versions there"),
        "{past}"
    );

    let mut recover = call(Action::Recover, "a", early, json!({}));
    recover.companions = ["a".into(), "b".into()].into();
    let outcome = world.connector.perform(&recover, &Quiet::default()).await;
    let basis = outcome
        .expect("for b")
        .recovery_point
        .expect("measured")
        .basis;
    assert!(
        basis.contains("1 of 2 sites are refused, such as that of `sites/a/`"),
        "{basis}"
    );
    let inspect = |sites: &[&str]| Inspect {
        shard: "main".into(),
        target_time: Some(early),
        sites: sites.iter().map(|site| (*site).into()).collect(),
    };
    for (sites, level) in [
        (&["a"][..], Level::Error),
        (&["a", "b"], Level::Warning),
        (&["b"], Level::Ok),
        (&[], Level::Warning),
    ] {
        let found = world.connector.inspect(&inspect(sites)).await.findings;
        let reaches = found.iter().find(|it| it.check == "backup-reaches");
        assert_eq!(reaches.expect("looked at").level, level, "{sites:?}");
    }
    rule(&world, "<Filter></Filter>").await;
    let fault = world.connector.perform(&recover, &Quiet::default()).await;
    assert_eq!(fault.expect_err("all of them").kind, FaultKind::Refused);
}

#[tokio::test]
async fn rules_that_nobody_may_read_are_in_the_evidence() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    let target = moment().await;
    let proxy = Proxy::forbidding(world.weed.port, "lifecycle=").await;
    let live = url(KEY, SECRET, proxy.port, &world.bucket);
    let half = connector(live, world.folder.path());
    let verify = call(Action::Verify, "a", target, json!({}));
    let outcome = half.perform(&verify, &Quiet::default()).await;
    let mut outcome = outcome.expect("the rest can be read");
    let check = outcome.checks.remove(0);
    assert_eq!(check.verdict, Verdict::Pass);
    for text in [
        check.evidence["past"].as_str().expect("said"),
        &outcome.recovery_point.expect("measured").basis,
    ] {
        assert!(
            text.contains("has dropped versions could not be read"),
            "{text}"
        );
        assert!(text.contains("403"), "{text}");
    }
}
