//! A site's restore in a bucket that keeps versions, against `rclone copy` of
//! the same versions on the same server.
//!
//! `cargo run --release -p reprise-connectors --example media_bench -- --rclone PROGRAM [--objects N] [--size BYTES] [--large N] [--large-size BYTES] [--concurrent N] [--rounds N]`
//!
//! It starts a SeaweedFS of its own (`make deps`). Each way gets a site with
//! the same objects, to be brought to the same T: *overwritten*, each object
//! has a newer version and a delete marker, so that both copy each of them in
//! the server; *deleted*, each has a delete marker alone, which is the accident
//! that reprise is for. Each round does each way once, in turn; medians.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::StreamExt;
use reprise_model::{Action, Timestamp};
use serde_json::json;

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/s3/weed.rs"]
mod weed;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/s3/world.rs"]
mod world;

use world::{World, moment};

#[derive(Clone, Debug)]
struct Arguments {
    rclone: String,
    objects: usize,
    size: usize,
    large: usize,
    large_size: usize,
    concurrent: usize,
    rounds: usize,
}

fn arguments() -> Arguments {
    let mut read = Arguments {
        rclone: "rclone".to_owned(),
        objects: 5000,
        size: 20_000,
        large: 8,
        large_size: 64 << 20,
        concurrent: 16,
        rounds: 3,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().unwrap_or_default();
        let number = || value.parse().unwrap_or_else(|_| panic!("{name} {value}"));
        match name.as_str() {
            "--rclone" => read.rclone = value,
            "--objects" => read.objects = number(),
            "--size" => read.size = number(),
            "--large" => read.large = number(),
            "--large-size" => read.large_size = number(),
            "--concurrent" => read.concurrent = number(),
            "--rounds" => read.rounds = number(),
            _ => panic!("no such argument: {name}"),
        }
    }
    read
}

/// Copies in the server, reads the listing whole, asks nothing about what it
/// has just written.
const BEST: [&str; 3] = [
    "--server-side-across-configs",
    "--fast-list",
    "--s3-no-head",
];

/// What a site is filled with.
#[derive(Clone, Copy)]
struct Kind {
    objects: usize,
    size: usize,
    overwritten: bool,
}

/// rclone copies between two remotes through itself, unless it is told that
/// the server may: that is its best, and what reprise does.
const WAYS: [&str; 3] = ["rclone", "rclone-through", "reprise"];

#[tokio::main]
async fn main() {
    let arguments = arguments();
    let small = |overwritten| Kind {
        objects: arguments.objects,
        size: arguments.size,
        overwritten,
    };
    let large = Kind {
        objects: arguments.large,
        size: arguments.large_size,
        overwritten: true,
    };
    println!(
        "{} requests at a time, {} rounds",
        arguments.concurrent, arguments.rounds
    );
    for (name, kind) in [
        ("small, overwritten", small(true)),
        ("small, deleted", small(false)),
        ("large, overwritten", large),
    ] {
        measure(name, kind, &arguments).await;
    }
}

async fn measure(name: &str, kind: Kind, arguments: &Arguments) {
    let mut times = [const { Vec::new() }; WAYS.len()];
    for round in 0..arguments.rounds {
        let world = World::new().await;
        fill(&world, kind).await;
        let target = moment().await;
        damage(&world, kind).await;
        // Who goes first changes, so that a warm server favours nobody.
        for turn in 0..WAYS.len() {
            let way = (round + turn) % WAYS.len();
            let began = Instant::now();
            match WAYS[way] {
                "rclone" => rclone(&world, target, arguments, WAYS[way], &BEST),
                "rclone-through" => rclone(&world, target, arguments, WAYS[way], &[]),
                _ => reprise(&world, target, arguments).await,
            }
            times[way].push(began.elapsed());
            there(&world, WAYS[way], kind).await;
        }
    }
    let medians = times.map(median);
    for (way, median) in WAYS.iter().zip(medians) {
        let seconds = median.as_secs_f64();
        let bytes = (kind.objects * kind.size) as f64;
        println!(
            "{name:<20} {way:<15} {seconds:>7.2} s {:>8.0} objects/s {:>8.1} MB/s {:>6.2} x rclone",
            kind.objects as f64 / seconds,
            bytes / seconds / 1e6,
            medians[0].as_secs_f64() / seconds,
        );
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn keys(kind: Kind) -> impl Iterator<Item = String> {
    let sites = WAYS.iter();
    sites.flat_map(move |way| (0..kind.objects).map(move |at| format!("sites/{way}/{at:06}")))
}

async fn fill(world: &World, kind: Kind) {
    let body = "x".repeat(kind.size);
    let puts = futures::stream::iter(keys(kind));
    puts.for_each_concurrent(8, async |key| world.put(&key, &body).await)
        .await;
}

async fn damage(world: &World, kind: Kind) {
    let all = futures::stream::iter(keys(kind));
    all.for_each_concurrent(8, async |key| {
        if kind.overwritten {
            world.put(&key, "later").await;
        }
        world.delete(&key).await;
    })
    .await;
}

async fn reprise(world: &World, target: Timestamp, arguments: &Arguments) {
    let with = json!({ "concurrent": arguments.concurrent });
    let restored = world
        .perform(Action::Restore, "reprise", target, with)
        .await;
    restored.expect("restored");
}

/// The same prefix of the same bucket, as it was at T, onto itself: the source
/// is a remote that reads at T, the other one writes now.
fn rclone(world: &World, target: Timestamp, arguments: &Arguments, site: &str, more: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("rclone.conf");
    let mut file = std::fs::File::create(&config).expect("a file");
    for (remote, more) in [
        ("then", format!("version_at = {target}\n")),
        ("now", String::new()),
    ] {
        write!(
            file,
            "[{remote}]\ntype = s3\nprovider = SeaweedFS\naccess_key_id = {}\nsecret_access_key = {}\nendpoint = http://127.0.0.1:{}\nregion = us-east-1\n{more}\n",
            weed::KEY,
            weed::SECRET,
            world.weed.port,
        )
        .expect("written");
    }
    let at_once = arguments.concurrent.to_string();
    let path = format!("{}/sites/{site}", world.bucket);
    let status = Command::new(&arguments.rclone)
        .args(["--config", &config.display().to_string(), "copy", "--quiet"])
        .args(["--transfers", &at_once, "--checkers", &at_once])
        .args(more)
        .args([format!("then:{path}"), format!("now:{path}")])
        .status();
    assert!(status.expect("rclone runs").success(), "rclone failed");
}

/// Neither may win by leaving something out.
async fn there(world: &World, way: &str, kind: Kind) {
    for at in [0, kind.objects / 2, kind.objects - 1] {
        let found = world.get(&format!("sites/{way}/{at:06}")).await;
        assert_eq!(found.map(|text| text.len()), Some(kind.size), "{way} {at}");
    }
}
