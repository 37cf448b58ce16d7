//! Every kind of store in one estate: killed anywhere it ends the same, and
//! what is wrong with a site is found before the site is handed over.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::binaries;
use crate::estate::Estate;
use crate::journal;
use crate::killer::Killer;

const DELETED: u32 = 4;
const KILLS: u32 = 8;
const GATE: &str = "action: gate";

/// The runbook of all layers, changed by the test.
pub fn runbook(estate: &Estate, change: impl Fn(String) -> String) -> PathBuf {
    let path = binaries::workspace().join("runbooks/restore-in-place.yaml");
    let text = fs::read_to_string(path).expect("the runbook is there");
    let path = estate.path("runbook.yaml");
    fs::write(&path, change(text)).expect("the test's folder can be written to");
    path
}

/// Nobody is asked: a program that does nothing stands for the person.
pub fn without_gates(text: String) -> String {
    let lines = text
        .lines()
        .map(|line| match line.split_once("action: gate, with: {") {
            Some((before, after)) => {
                let (_, after) = after.split_once("},").expect("the gate's options end");
                format!("{before}action: exec, with: {{ command: [\"true\"] }},{after}")
            }
            None => line.to_owned(),
        });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(!text.contains(GATE), "a gate is left:\n{text}");
    text
}

/// Verifications wait for a person who looks at what was restored.
fn with_a_look(text: String) -> String {
    let restored = [
        "activity",
        "config",
        "site-record",
        "identity",
        "directory",
        "product",
        "wiki",
        "media",
        "apps",
    ];
    let mut text = text;
    for step in restored {
        let (before, after) = (format!("needs: [{step}]"), format!("needs: [{step}, look]"));
        let verify = format!("  {step}-whole:");
        let start = text.find(&verify).expect("each layer is verified");
        let place = start + text[start..].find(&before).expect("after its restore");
        text.replace_range(place..place + before.len(), &after);
    }
    let look = format!(
        "\n  look: {{ scope: run, action: gate, needs: [{}] }}\n",
        restored.join(", ")
    );
    // All sites at once, so that there is one look.
    text.replace("waves: [1, 5%, 25%, rest]\n", "") + &look
}

#[test]
fn killed_while_any_layer_is_restored_it_ends_as_if_undisturbed() {
    let mut killer = Killer::from_environment();
    let estate = Estate::full();
    let writers = estate.start_writers();
    estate.accident(DELETED);
    let before = effects(&estate);
    estate.plan_with(&runbook(&estate, without_gates));
    for _ in 0..KILLS {
        if killer.strike(estate.start_or_resume()) {
            break;
        }
    }
    estate.run_to_the_end();
    let audit = estate.audit();
    assert_eq!(audit["ok"], true, "{killer}: {audit:#}");
    assert!(killer.strikes() > 0, "{killer}: it was never interrupted");
    assert!(writers.committed() > 0, "no neighbour was at work");
    let layers = audit["layers"].as_array().expect("every layer was audited");
    for layer in layers {
        let items = |name: &str| layer[name].as_u64().unwrap_or_default();
        assert!(items("restored_items") > 0, "{killer}: {layer:#}");
        assert!(items("neighbour_items") > 0, "{killer}: {layer:#}");
    }
    assert!(layers.len() == 6, "{audit:#}");
    let entries = estate.journal();
    journal::assert_no_finished_task_ran_again(&entries, &killer.to_string());
    let deleted: Vec<String> = estate.deleted().iter().map(Value::to_string).collect();
    let again = effects(&estate).into_iter().filter_map(|(app, times)| {
        let of_deleted = deleted
            .iter()
            .any(|site| app.starts_with(&format!("{site}/")));
        of_deleted.then(|| times - before.get(&app).copied().unwrap_or_default())
    });
    let again: Vec<u64> = again.collect();
    assert!(!again.is_empty(), "no app was installed");
    assert!(again.iter().all(|times| *times == 1), "{killer}: {again:?}");
}

/// How often the vendor really installed or connected each app, by `SITE/APP`.
fn effects(estate: &Estate) -> BTreeMap<String, u64> {
    let books = fs::read_to_string(estate.path("lab/servers/apps/state.json"));
    let books = books.expect("the vendor keeps books");
    let books: Value = serde_json::from_str(&books).expect("its books are JSON");
    let effects = books["counts"]["effects"].clone();
    serde_json::from_value(effects).expect("effects are counted")
}

#[test]
fn planted_faults_are_caught_by_their_verdicts_before_hand_over() {
    let estate = Estate::full();
    estate.accident(8);
    let sites: Vec<String> = estate.deleted().iter().map(Value::to_string).collect();
    let site = |of: usize| sites[of].as_str();
    estate.plan_with(&runbook(&estate, with_a_look));
    estate.plant("vendor-silent", site(0));
    let gap = estate.plant("event-gap", site(5));
    run_to_a_gate(&estate);
    approve(&estate, "begin");
    run_to_a_gate(&estate);
    let lost = estate.plant("object-missing", site(1));
    let wrong = estate.plant("object-wrong", site(2));
    let expelled = estate.plant("member-missing", site(3));
    let dark = estate.plant("unreachable", site(4));
    approve(&estate, "look");
    let waiting = run_to_a_gate(&estate);

    let report = estate.report();
    let caught = [
        (site(0), "apps-whole", "apps"),
        (site(1), "media-whole", lost.as_str()),
        (site(2), "media-whole", wrong.as_str()),
        (
            site(3),
            "directory-whole",
            expelled.split(' ').next().unwrap_or_default(),
        ),
        (site(4), "reachable", dark.as_str()),
    ];
    for (site, step, named) in caught {
        let failed: Vec<&Value> = validations(&report, site)
            .filter(|it| it["verdict"] == "fail")
            .collect();
        // One thing is wrong, and everything else about the site is in order.
        assert_eq!(failed.len(), 1, "{site}: {failed:#?}");
        assert_eq!(failed[0]["task"], format!("{step}/{site}"), "{failed:#?}");
        let told = failed[0].to_string();
        assert!(told.contains(named), "{named} is not in {told}");
        let handover = format!("handover/{site}");
        let handover = validations(&report, site).find(|it| it["task"] == handover.as_str());
        let verdict = handover.map(|it| &it["verdict"]);
        assert_eq!(verdict, Some(&Value::from("unknown")), "{site}");
    }
    // A feed with a hole is not even begun.
    let site = site_of(&report, site(5));
    assert_eq!(site["state"], "failed", "{gap}: {site:#}");
    let begun = validations(&report, &sites[5]).any(|it| it["task"] == "handover");
    assert!(!begun, "{gap}: {site:#}");
    let told = format!(
        "site {}: store activity: the events are not complete",
        sites[5]
    );
    let told = waiting.lines().find(|line| line.contains(&told));
    assert!(
        told.is_some_and(|line| line.contains("gap of 1 event")),
        "{gap}: {waiting}"
    );
    for site in &sites[6..] {
        assert!(validations(&report, site).all(|it| it["verdict"] != "fail"));
        assert!(waiting.contains(&format!("handover/{site}")), "{waiting}");
    }
}

/// Runs until it waits for a person, and returns what it said.
fn run_to_a_gate(estate: &Estate) -> String {
    let run = estate.start_or_resume().output().expect("reprise runs");
    // A site that failed counts for more than the gates of the others.
    assert!(matches!(run.status.code(), Some(5 | 7)), "{run:?}");
    [run.stdout, run.stderr]
        .iter()
        .map(|said| String::from_utf8_lossy(said))
        .collect()
}

fn approve(estate: &Estate, gate: &str) {
    let mut approve = estate.reprise("approve");
    let approved = approve.args([&estate.newest_run(), gate]).output();
    let approved = approved.expect("reprise approves");
    assert!(approved.status.success(), "{approved:?}");
}

fn site_of<'a>(report: &'a Value, id: &str) -> &'a Value {
    let sites = report["sites"].as_array().expect("a report has sites");
    let site = sites.iter().find(|site| site["id"] == id);
    site.unwrap_or_else(|| panic!("site {id} is not in the report"))
}

fn validations<'a>(report: &'a Value, id: &str) -> impl Iterator<Item = &'a Value> {
    let all = &site_of(report, id)["validations"];
    all.as_array().expect("validations").iter()
}
