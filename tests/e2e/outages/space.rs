//! Disks that are full: of live stores, of scratch, of the journal.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use reprise_lab::manifest::Manifest;
use reprise_model::FaultKind;

use super::run::{DELETED, Run, failed, hasty, said, why};
use super::servers::{on_shard, service, signal};
use crate::estate::Estate;
use crate::{journal, layers};

const NOTHING: u64 = 0;

#[test]
fn live_stores_without_room_hold_up_their_own_sites_only() {
    let estate = Estate::full();
    estate.accident(DELETED);
    let disks = [
        ("clusters/s01", 48),
        ("servers/directory", 8),
        ("servers/wiki", 48),
        ("servers/media", 400),
        ("servers/config", 8),
    ];
    let Some(estate) = estate.on_small_disks(&disks) else {
        return;
    };
    one_shard(&estate);
    let (nowhere, room) = ("No space left on device", "make room");
    for (folder, name, told) in [
        ("servers/directory", "directory", ("code 80", "a full disk")),
        // A table is, or the folder of temporary ones (1114, 1021); what a site
        // had there may fit into the pages that it left.
        ("servers/wiki", "wiki", (" full", room)),
        (
            "servers/media",
            "media",
            ("(500 InternalError)", "while its disk is full"),
        ),
        ("servers/config", "config", (nowhere, room)),
    ] {
        estate.accident_again();
        one_kind(&estate, folder, name, told);
    }
}

fn one_shard(estate: &Estate) {
    let run = Run::to_the_gate(estate, "shard", hasty);
    estate.fill("clusters/s01", NOTHING);
    let told = run.ends(7, &estate.path("lab/env"));
    let (held, back) = run.sites(|site| on_shard(site, "s01"));
    assert!(!held.is_empty() && !back.is_empty(), "{told}");
    for site in &held {
        assert_eq!(run.state(site), "failed", "{told}");
        let why = why(&told, &format!("product/{site}"));
        assert!(why.contains("product/s01 live: loading"), "{why}");
        assert!(why.contains("No space left on device (53100)"), "{why}");
        assert!(why.contains("hint: make room on the server"), "{why}");
        // Asking again would not make any.
        let attempts = run.attempts(&format!("product/{site}"));
        assert_eq!(attempts, [FaultKind::Permanent], "{told}");
    }
    for site in &back {
        assert_eq!(run.state(site), "restored", "{told}");
    }
    estate.make_room("clusters/s01");
    run.goes_on();
}

/// One disk of another kind of store: its steps fail, each after one attempt,
/// and nothing else does.
fn one_kind(estate: &Estate, folder: &str, name: &'static str, (words, hint): (&str, &str)) {
    let run = Run::to_the_gate(estate, name, |text| {
        // The bucket is asked often enough within one attempt.
        hasty(text).replace("attempts: 4", "attempts: 1")
    });
    estate.fill(folder, NOTHING);
    if name == "directory" {
        without_free_pages(estate);
    }
    let told = run.ends(7, &estate.path("lab/env"));
    let tasks = failed(&told);
    assert!(!tasks.is_empty(), "{told}");
    for task in tasks {
        assert!(task.starts_with(&format!("{name}/")), "{told}");
        let why = why(&told, task);
        assert!(why.contains(words) && why.contains(hint), "{why}");
        assert_eq!(run.attempts(task).len(), 1, "{told}");
    }
    estate.make_room(folder);
    if name == "media" {
        // SeaweedFS writes nothing more once its disk was full, until it is restarted.
        let server = service(estate, name);
        signal(&server, "KILL");
        until_gone(&server);
        estate.start();
    }
    run.goes_on();
}

#[test]
fn scratch_and_journal_without_room_are_told_and_gone_on_with() {
    let estate = Estate::full();
    estate.accident(DELETED);
    let Some(estate) = estate.on_small_disks(&[("scratch", 1100), ("journal", 4)]) else {
        return;
    };
    // In kilobytes: for nothing, for the small ones, for one large shard.
    for (name, left) in [("none", NOTHING), ("small", 100_000), ("large", 260_000)] {
        let run = Run::to_the_gate(&estate, name, |text| nothing_recovered(hasty(text)));
        scratch_without_room(&run, "recover-", left);
        estate.accident_again();
    }
    // All is recovered; the servers that stand there are started anew.
    let run = Run::to_the_gate(&estate, "later", hasty);
    scratch_without_room(&run, "site-record/", NOTHING);
    estate.accident_again();
    journal_without_room(&estate);
}

fn scratch_without_room(run: &Run, step: &str, left: u64) {
    run.estate.fill("scratch", left);
    let told = run.ends(7, &run.estate.path("lab/env"));
    for task in failed(&told) {
        assert!(task.starts_with(step), "{told}");
        let why = why(&told, task);
        assert!(why.contains("too little space for scratch in"), "{why}");
        assert!(why.contains("hint: free some space"), "{why}");
    }
    run.estate.make_room("scratch");
    run.goes_on();
}

fn journal_without_room(estate: &Estate) {
    let runbook = layers::runbook(estate, layers::without_gates);
    estate.plan_with(&runbook);
    let state = estate.path("lab/journal/state.db");
    let env = estate.path("lab/env");
    let resume = || estate.reprise_on("resume", &env, &state);
    let run = || {
        let mut run = estate.reprise_on("run", &env, &state);
        run.arg(estate.path("plan.json"));
        run.args(["--confirm", &DELETED.to_string()]);
        run
    };
    // In kilobytes: not enough to note the plan, enough to begin, and more.
    for (left, mut command) in [(60, run()), (500, run()), (40, resume())] {
        estate.fill("journal", left);
        let output = command.output().expect("reprise runs");
        let told = said(&output);
        assert_eq!(output.status.code(), Some(9), "{left}: {told}");
        assert!(told.contains("its disk is full"), "{left}: {told}");
        assert!(told.contains("hint: make room there"), "{left}: {told}");
        estate.make_room("journal");
    }
    let output = resume().output().expect("reprise runs");
    assert!(output.status.success(), "{}", said(&output));
    let audit = estate.audit();
    assert_eq!(audit["ok"], true, "{audit:#}");
    let copy = estate.path("copy.db");
    fs::copy(estate.seen(&state), &copy).expect("the journal is there");
    let entries = journal::entries(&copy);
    journal::assert_no_finished_task_ran_again(&entries, "a journal without room");
}

/// What was deleted has left pages free in the directory's file: entries of
/// nobody's take them.
fn without_free_pages(estate: &Estate) {
    let manifest = Manifest::load(&estate.layout()).expect("the lab is there");
    let port = manifest.port("directory").expect("it has a directory");
    for size in [64_000, 8_000, 500] {
        let entries: String = (0..400)
            .map(|number| {
                let text = "x".repeat(size);
                format!("dn: cn=ballast-{size}-{number},dc=lab\nobjectClass: device\ndescription: {text}\n\n")
            })
            .collect();
        let file = estate.path("ballast.ldif");
        fs::write(&file, entries).expect("written");
        let mut add = Command::new("ldapadd");
        add.args(["-x", "-D", "cn=admin,dc=lab", "-H"])
            .arg(format!("ldap://127.0.0.1:{port}"))
            .arg("-y")
            .arg(estate.layout().secret())
            .arg("-f")
            .arg(&file);
        let added = add.output().expect("ldapadd runs");
        assert!(!added.status.success(), "there is room left");
    }
}

fn until_gone(pid: &str) {
    let files = PathBuf::from(format!("/proc/{pid}/fd"));
    for _ in 0..500 {
        // A process that ended and was not asked for has none either.
        if files
            .read_dir()
            .map_or(true, |mut files| files.next().is_none())
        {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("process {pid} does not end");
}

/// The gate stands before everything.
fn nothing_recovered(text: String) -> String {
    const STORES: [&str; 9] = [
        "catalogue",
        "identity",
        "directory",
        "product",
        "wiki",
        "media",
        "apps",
        "activity",
        "config",
    ];
    let all = STORES.map(|store| format!("recover-{store}")).join(", ");
    let (before, gate) = text.split_once("  begin:\n").expect("there is a gate");
    let (_, after) = gate.split_once("\n\n").expect("more follows");
    let text = format!("{before}  begin: {{ scope: run, action: gate }}\n\n{after}");
    let text = text.replace("needs: [begin]", &format!("needs: [{all}]"));
    let text = text.replace(
        "action: recover, pool",
        "action: recover, needs: [begin], pool",
    );
    text.replace(
        "needs: [recover-catalogue]",
        "needs: [begin, recover-catalogue]",
    )
}
