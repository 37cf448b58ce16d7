//! Servers, archives and disks that are not as they should be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reprise_lab::cluster;

use super::stage::{Ended, RUNBOOK, Stage};
use crate::disks;

const WRONG: &str = "wrong-horse-battery";

#[test]
fn a_live_server_that_does_not_let_us_in_is_named_without_its_secret() {
    let stage = Stage::build();
    let env = fs::read_to_string(stage.lab("env")).expect("the lab has an env-file");
    let password = env
        .split_once("reprise:")
        .and_then(|(_, rest)| rest.split_once('@'))
        .map(|(password, _)| password.to_owned())
        .expect("a URL with a password");
    let wrong = stage.estate.path("wrong.env");
    fs::write(&wrong, env.replace(&password, WRONG)).expect("an env-file");
    let plan = |more: &[&str]| {
        let mut plan = stage.estate.reprise_with("plan", &wrong);
        plan.arg("-e").arg(stage.lab("estate.yaml"));
        plan.args(["-r", RUNBOOK, "--at", &stage.target_time()]);
        plan.args(["--sites", &stage.deleted()]).args(more);
        plan
    };
    stage.refused("password-wrong", plan(&[]), 8);
    let shown = Ended::of(&plan(&["-vv"]).output().expect("reprise runs")).to_string();
    assert!(!shown.contains(WRONG), "{shown}");
}

#[test]
fn a_live_server_that_is_down_is_named() {
    let stage = Stage::build();
    let before = stage.live();
    assert!(cluster::stop(&stage.estate.layout().cluster("s01")).expect("the server stops"));
    let ended = Ended::of(
        &stage
            .plan_of(&stage.deleted())
            .output()
            .expect("reprise runs"),
    );
    stage.estate.start();
    assert_eq!(ended.code, Some(8), "{ended}");
    stage.assert_live("server-stopped", &before);
    stage.snapshot("server-stopped", &ended.to_string());
}

#[test]
fn a_segment_missing_in_the_middle_of_the_archive_is_named() {
    let stage = Stage::build();
    let wal = stage.lab("backups/s01/wal");
    let lost = middle(&wal);
    let aside = stage.estate.path("lost-segment");
    fs::rename(&lost, &aside).expect("a segment can be moved away");
    stage.refused("segment-missing", stage.plan_of(&stage.deleted()), 8);
    fs::rename(&aside, &lost).expect("and back");
    let ended = Ended::of(
        &stage
            .plan_of(&stage.deleted())
            .output()
            .expect("reprise runs"),
    );
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// The last but one segment: what follows it is there.
fn middle(wal: &Path) -> PathBuf {
    let entries = fs::read_dir(wal).expect("the lab has an archive");
    let mut segments: Vec<_> = entries
        .map(|entry| entry.expect("the archive can be listed").path())
        .filter(|path| path.extension().is_none())
        .collect();
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    segments.swap_remove(segments.len() - 2)
}

#[test]
fn a_full_disk_in_scratch_is_seen_before_and_during_a_run() {
    let stage = Stage::build();
    let disk = stage.estate.path("disk");
    fs::create_dir(&disk).expect("a place to mount");
    let altered = stage.altered_estate("scratch: scratch", &format!("scratch: {}", disk.display()));
    let request = |command: &str, megabytes: u32| {
        let mut request = stage.request_of(command, &altered, &stage.target_time());
        request.args(["--sites", &stage.deleted()]);
        on_small_disk(&disk, megabytes, &request)
    };
    if !disks::can_be_had() {
        return;
    }
    stage.refused("scratch-too-small", request("plan", 8), 8);

    // There is room for each shard alone, and something else takes it meanwhile.
    let filler = stage.estate.path("filler.yaml");
    fs::write(&filler, filling(&disk)).expect("a runbook");
    let mut run = stage.estate.reprise("run");
    run.arg("-e").arg(&altered).arg("-r").arg(&filler);
    run.args(["--at", &stage.target_time(), "--sites", &stage.deleted()]);
    run.args(["--confirm", "1"]);
    let before = stage.live();
    let ended = Ended::of(
        &on_small_disk(&disk, 520, &run)
            .output()
            .expect("reprise runs"),
    );
    assert_eq!(ended.code, Some(7), "{ended}");
    stage.assert_live("scratch-filled-up", &before);
    stage.snapshot("scratch-filled-up", &ended.failures());
}

/// Restores the product's slice once something has taken half of the disk.
fn filling(disk: &Path) -> String {
    format!(
        "version: 1
name: filled
steps:
  fill: {{ scope: run, action: exec,
    with: {{ command: [dd, if=/dev/zero, of={}/filler, bs=1M, count=250] }} }}
  recover: {{ scope: shard, store: product, action: recover, needs: [fill] }}
  product: {{ scope: site, store: product, action: restore, needs: [recover] }}
  whole: {{ scope: site, store: product, action: verify, needs: [product] }}
",
        disk.display()
    )
}

/// The command with a small file system of its own at `disk`, which ends with it.
fn on_small_disk(disk: &Path, megabytes: u32, command: &Command) -> Command {
    const SCRIPT: &str = "mount -t tmpfs -o size=$1m tmpfs \"$0\" && shift && exec \"$@\"";
    let mut small = disks::apart();
    small.args(["sh", "-c", SCRIPT]);
    small.arg(disk).arg(megabytes.to_string());
    small.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        small.current_dir(folder);
    }
    small
}
