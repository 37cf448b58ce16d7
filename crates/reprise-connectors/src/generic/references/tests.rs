//! The check over stores that list what a test says.

use std::sync::Mutex;

use reprise_model::{AttemptId, TaskIx, Timestamp};
use reprise_ports::{Progress, Take};
use tokio_util::sync::CancellationToken;

use super::*;

/// Lists items `key value`, `-` for none, and then fails where it should.
#[derive(Default)]
struct Store {
    items: Vec<&'static str>,
    fault: Option<Fault>,
    asked: Mutex<Vec<Listing>>,
}

#[async_trait]
impl Connector for Store {
    fn offers(&self) -> &'static [Action] {
        &[]
    }

    async fn inspect(&self, _: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, _: &Call, _: &dyn Context) -> Result<Outcome, Fault> {
        unreachable!("a listing is no action")
    }

    async fn probe(&self, _: &Call, _: Option<&Value>, _: &dyn Context) -> Result<Probe, Fault> {
        unreachable!("a listing is no action")
    }

    async fn list(&self, listing: &Listing, take: Take<'_>, _: &dyn Context) -> Result<(), Fault> {
        self.asked.lock().unwrap().push(listing.clone());
        for item in &self.items {
            let (key, value) = item.split_once(' ').unwrap();
            let _ = take(Item {
                key: (key != "-").then(|| key.to_owned()),
                fields: vec![Some(value.to_owned())],
            });
        }
        self.fault.clone().map_or(Ok(()), Err)
    }

    async fn close(&self) {}
}

struct Quiet(CancellationToken);

#[async_trait]
impl Context for Quiet {
    fn progress(&self, _: Progress) {}

    async fn mark(&self, _: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.0
    }
}

fn store(items: &[&'static str]) -> Store {
    Store {
        items: items.to_vec(),
        ..Store::default()
    }
}

fn call(orphans: &str) -> Call {
    let with = json!({
        "from": { "store": "issues", "key": "path", "compare": ["size"], "query": "select $1" },
        "to": { "store": "media", "key": "key", "compare": ["size"] },
        "orphans": orphans,
        "from_shard": "s01",
        "to_shard": "m01",
    });
    Call {
        run: "r".into(),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "files/7".into(),
        idempotency_key: "r/files/7".to_owned(),
        action: Action::CheckReferences,
        target_time: Timestamp::from_micros(1_700_000_000_000_000),
        site: Some(CallSite {
            id: "7".into(),
            attributes: BTreeMap::new(),
        }),
        store: None,
        shard: None,
        companions: Arc::default(),
        with: with.as_object().unwrap().clone(),
        outputs: BTreeMap::new(),
    }
}

async fn check(from: Store, to: Store, orphans: &str) -> Result<Outcome, Fault> {
    let stores: [(StoreId, Arc<dyn Connector>); 2] = [
        ("issues".into(), Arc::new(from)),
        ("media".into(), Arc::new(to)),
    ];
    let connector = ReferencesConnector::new(stores.into());
    connector
        .perform(&call(orphans), &Quiet(CancellationToken::new()))
        .await
}

#[tokio::test]
async fn two_stores_that_agree_pass_with_what_was_looked_at() {
    let all = ["a 1", "b 2"];
    let outcome = check(store(&all), store(&all), "fail").await.unwrap();
    let [check] = &outcome.checks[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(check.verdict, Verdict::Pass);
    assert_eq!(check.evidence["from"]["items"], 2);
    assert_eq!(check.evidence["from"]["shard"], "s01");
    assert_eq!(check.evidence["to"]["store"], "media");
}

#[tokio::test]
async fn each_difference_fails_the_check_and_names_the_site_and_the_stores() {
    let fault = check(store(&["a 1", "b 2"]), store(&["b 3", "c 4"]), "fail")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
    assert_eq!(
        fault.message,
        "site 7: issues@s01 and media@m01 do not agree: 1 broken links (a); 1 orphans (c); 1 differ (b)"
    );
    let evidence = &fault.checks[0].evidence;
    assert_eq!(fault.checks[0].verdict, Verdict::Fail);
    assert_eq!(
        evidence["broken_links"],
        json!({ "count": 1, "samples": ["a"] })
    );
    assert_eq!(evidence["orphans"], json!({ "count": 1, "samples": ["c"] }));
    assert_eq!(
        evidence["differs"]["samples"][0],
        json!({ "key": "b", "from": { "size": "2" }, "to": { "size": "3" } })
    );
}

#[tokio::test]
async fn orphans_are_counted_and_pass_where_they_are_allowed() {
    let (from, to) = (["a 1"], ["a 1", "b 2"]);
    let outcome = check(store(&from), store(&to), "allowed").await.unwrap();
    assert_eq!(outcome.checks[0].evidence["orphans"]["count"], 1);
    assert!(check(store(&from), store(&to), "fail").await.is_err());
}

/// A key that no item has is likely misspelled. A site of which nothing refers
/// to anything, and nothing is there, is as it should be.
#[tokio::test]
async fn sides_that_were_not_held_against_each_other_are_unknown() {
    let nobody: &[&'static str] = &["- 1", "- 2"];
    let fault = check(store(nobody), store(nobody), "fail")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
    assert_eq!(fault.checks[0].verdict, Verdict::Unknown);
    assert!(fault.message.contains("nothing was compared"), "{fault}");
    // Nobody has an avatar, and there are other objects.
    check(store(nobody), store(&["a 1"]), "allowed")
        .await
        .unwrap();
    // Here something is known: what `a` refers to is not there.
    let fault = check(store(&["a 1"]), store(nobody), "fail")
        .await
        .unwrap_err();
    assert_eq!(fault.checks[0].verdict, Verdict::Fail);
    let outcome = check(store(nobody), store(&[]), "fail").await.unwrap();
    assert_eq!(outcome.checks[0].evidence["from"]["without_key"], 2);
}

#[tokio::test]
async fn a_listing_that_broke_off_is_unknown_on_either_side() {
    for side in ["issues@s01", "media@m01"] {
        for (fault, kind) in [
            (Fault::temporary("connection lost"), FaultKind::Temporary),
            (Fault::refused("no right"), FaultKind::Validation),
        ] {
            let broken = Store {
                fault: Some(fault),
                ..store(&["a 1"])
            };
            let (from, to) = match side {
                "issues@s01" => (broken, store(&["a 1"])),
                _ => (store(&["a 1"]), broken),
            };
            let fault = check(from, to, "fail").await.unwrap_err();
            assert_eq!(fault.kind, kind, "{fault}");
            assert_eq!(fault.checks[0].verdict, Verdict::Unknown);
            assert_eq!(fault.checks[0].evidence["unread"], side);
        }
    }
}

#[tokio::test]
async fn each_store_is_told_its_own_shard_and_side() {
    let (from, to) = (Arc::new(store(&[])), Arc::new(store(&[])));
    let stores: [(StoreId, Arc<dyn Connector>); 2] = [
        ("issues".into(), from.clone()),
        ("media".into(), to.clone()),
    ];
    let connector = ReferencesConnector::new(stores.into());
    let quiet = Quiet(CancellationToken::new());
    connector.perform(&call("fail"), &quiet).await.unwrap();
    for (store, shard, key) in [(from, "s01", "path"), (to, "m01", "key")] {
        let asked = store.asked.lock().unwrap();
        let [listing] = &asked[..] else {
            panic!("asked once");
        };
        assert_eq!(listing.shard.as_str(), shard);
        assert_eq!(listing.side.key, key);
        assert_eq!(listing.site.id.as_str(), "7");
    }
    let mut lost = call("fail");
    lost.with.remove("to_shard");
    let fault = connector.perform(&lost, &quiet).await.unwrap_err();
    assert_eq!(fault.message, "store media holds no slice of site 7");
}
