//! Every seed and every input that was once a finding, as it is and a little
//! changed: what can be asked of any machine, without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use reprise_fuzz::TARGETS;

/// Changed copies of each seed. The fuzzer's are better; these are for
/// machines that cannot build it.
const COPIES: u64 = 8;

/// The folders that `scripts/fuzz.sh` starts from as well.
fn folders(target: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().expect("the fuzzer lies in the workspace");
    let fixtures: &[&str] = match target {
        "estate" => &["estates/valid", "estates/invalid"],
        "runbook" => &["runbooks/valid", "runbooks/invalid", "runbooks/against"],
        "lists" => &["sites/valid", "sites/invalid"],
        _ => &[],
    };
    let fixtures = fixtures
        .iter()
        .map(|folder| root.join("fixtures").join(folder));
    fixtures
        .chain([root.join("fuzz/corpus").join(target)])
        .collect()
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut seeds = Vec::new();
    for folder in folders(target) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if let Ok(bytes) = fs::read(entry.path()) {
                seeds.push((entry.path(), bytes));
            }
        }
    }
    seeds.sort();
    seeds
}

/// The same bytes with a few of them changed, by a number.
fn changed(seed: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for _ in 0..1 + next() % 4 {
        let at = next() % (bytes.len() + 1);
        match next() % 3 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, next() as u8),
            _ => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << (number % 8)),
        }
    }
    bytes
}

#[test]
fn every_target_holds_over_its_corpus() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for (path, bytes) in seeds {
            // Shown only when it fails.
            println!("{name}: {}", path.display());
            target(&bytes);
            for number in 1..=COPIES {
                println!("{name}: {}, copy {number}", path.display());
                target(&changed(&bytes, number));
            }
        }
    }
}
