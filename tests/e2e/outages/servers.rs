//! A server that is down, refuses credentials, or does not answer for a while.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use reprise_model::FaultKind;
use serde_json::Value;

use super::run::{DELETED, Run, hasty, said, why};
use crate::estate::Estate;

const WRONG: &str = "none-of-its-passwords";

#[test]
fn a_store_that_is_down_slow_or_refuses_holds_up_its_own_sites_only() {
    let estate = Estate::full();
    estate.accident(DELETED);
    down(&estate);
    estate.accident_again();
    refuses(&estate);
    estate.accident_again();
    slow(&estate);
}

/// One shard's server is gone until somebody starts it.
fn down(estate: &Estate) {
    let run = Run::to_the_gate(estate, "down", hasty);
    signal(&cluster(estate, "s01"), "QUIT");
    let told = run.ends(7, &estate.path("lab/env"));
    let (held, back): (Vec<String>, Vec<String>) = run.sites(|site| on_shard(site, "s01"));
    assert!(!held.is_empty() && !back.is_empty(), "{told}");
    for site in &held {
        assert_eq!(run.state(site), "failed", "{told}");
        let why = why(&told, &format!("product/{site}"));
        assert!(why.contains("product/s01"), "{why}");
    }
    for site in &back {
        assert_eq!(run.state(site), "restored", "{told}");
    }
    // It was tried as often as the runbook says.
    let first = format!("product/{}", held[0]);
    assert_eq!(run.attempts(&first), [FaultKind::Temporary; 4], "{told}");
    // A run that begins now is refused before anything is touched.
    let other = Run {
        estate,
        name: "early",
    };
    let refused = said(&other.begin(8));
    let named = "product@s01: product/s01 live: connecting";
    assert!(refused.contains(named), "{refused}");
    estate.start();
    run.goes_on();
}

/// The secrets are not those of the servers: of one kind after the other.
fn refuses(estate: &Estate) {
    let run = Run::to_the_gate(estate, "refused", |text| one_after_another(hasty(text)));
    let kinds = [
        ("directory", "DIRECTORY_URL", "refuses the credentials"),
        (
            "wiki",
            "WIKI_URL",
            "wiki/wiki live: connecting: Access denied",
        ),
        ("media", "MEDIA_URL", "SignatureDoesNotMatch"),
        ("activity", "ACTIVITY_URL", "password authentication failed"),
        ("apps", "APPS_SECRET", "401"),
    ];
    let mut all_told = String::new();
    for (at, (step, variable, words)) in kinds.into_iter().enumerate() {
        let wrong = with_wrong(estate, variable);
        if at > 0 {
            run.retry(&wrong);
        }
        let told = run.ends(7, &wrong);
        let (all, _) = run.sites(|_| true);
        for site in &all {
            assert_eq!(run.state(site), "failed", "{told}");
            let task = format!("{step}/{site}");
            let why = why(&told, &task);
            assert!(why.contains(words) && why.contains("hint: "), "{why}");
            // Asking again with the same password would lock the account.
            assert_eq!(run.attempts(&task).len(), 1, "{told}");
        }
        all_told += &told;
    }
    let journal = fs::read(run.state_file()).expect("the journal");
    let report = run.report().to_string();
    let secret = estate.layout().read_secret().expect("the lab has a secret");
    for secret in [secret.trim(), WRONG] {
        for place in [all_told.as_bytes(), &journal, report.as_bytes()] {
            let found = place
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "a secret was told");
        }
    }
    run.goes_on();
}

/// Where one step fails, those beside it are not begun: here each waits for
/// the one before.
fn one_after_another(text: String) -> String {
    let chained = [
        ("wiki", "[site-record]", "[directory]"),
        ("media", "[site-record]", "[wiki]"),
        ("activity", "[product]", "[product, media]"),
        ("apps", "[directory, product]", "[activity]"),
    ];
    chained
        .into_iter()
        .fold(text, |text, (store, before, after)| {
            let step = |needs| format!("store: {store}, action: restore, needs: {needs}");
            assert!(text.contains(&step(before)), "{text}");
            text.replace(&step(before), &step(after))
        })
}

/// The lab's variables, with a wrong secret in one of them.
fn with_wrong(estate: &Estate, name: &str) -> PathBuf {
    let env = fs::read_to_string(estate.path("lab/env")).expect("the lab's variables");
    let secret = estate.layout().read_secret().expect("the lab has a secret");
    let lines = env.lines().map(|line| match line.split_once('=') {
        Some((of, value)) if of == name => {
            assert!(value.contains(secret.trim()), "{name} has no secret");
            format!("{of}={}\n", value.replace(secret.trim(), WRONG))
        }
        _ => format!("{line}\n"),
    });
    let path = estate.path("wrong-env");
    fs::write(&path, lines.collect::<String>()).expect("it can be written");
    path
}

/// A server that takes connections and says nothing, for longer than a step has.
fn slow(estate: &Estate) {
    let run = Run::to_the_gate(estate, "slow", |text| {
        let before =
            "store: directory, action: restore, needs: [site-record], pool: load, timeout: 10m";
        assert!(text.contains(before), "{text}");
        text.replace(before, &before.replace("10m", "3s"))
    });
    let pid = service(estate, "directory");
    signal(&pid, "STOP");
    let (all, _) = run.sites(|_| true);
    let waited_for = |kind| {
        let tasks = all.iter().map(|site| format!("directory/{site}"));
        tasks
            .flat_map(|task| run.attempts(&task))
            .any(|it| it == kind)
    };
    let told = thread::scope(|scope| {
        scope.spawn(|| {
            let given_up = Instant::now() + Duration::from_secs(60);
            while !waited_for(FaultKind::TimedOut) && Instant::now() < given_up {
                thread::sleep(Duration::from_millis(100));
            }
            signal(&pid, "CONT");
        });
        run.ends(0, &estate.path("lab/env"))
    });
    assert!(waited_for(FaultKind::TimedOut), "{told}");
    run.is_whole();
}

pub fn on_shard(site: &Value, shard: &str) -> bool {
    let stores = site["stores"].as_array().expect("a site has stores");
    stores.iter().any(|store| store["shard"] == shard)
}

/// The process of a PostgreSQL server of the lab.
fn cluster(estate: &Estate, name: &str) -> String {
    let folder = estate.layout().cluster(name);
    let places = [
        folder.join("postmaster.pid"),
        folder.join("data/postmaster.pid"),
    ];
    let text = places
        .iter()
        .find_map(|place| fs::read_to_string(place).ok());
    let text = text.unwrap_or_else(|| panic!("{places:?} are not there"));
    text.lines().next().expect("a process").to_owned()
}

/// The process of another server of the lab.
pub fn service(estate: &Estate, name: &str) -> String {
    let path = estate.seen(&estate.layout().service(name).join("process.json"));
    let text = fs::read_to_string(&path).expect("the server runs");
    let known: Value = serde_json::from_str(&text).expect("it is JSON");
    known["pid"].to_string()
}

pub fn signal(pid: &str, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(
        sent.is_ok_and(|sent| sent.success()),
        "{name} was not sent to {pid}"
    );
}
