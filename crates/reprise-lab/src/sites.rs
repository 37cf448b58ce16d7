//! The sites of an estate: who they are and how large. Pure and seeded.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::manifest::{Build, shard_name};

/// Site ids start here; apps count from 500000, so that the two look alike
/// and never meet.
const FIRST_ID: i64 = 10_001;
/// The number of issues of the middle site; others lie around it lognormally.
const MEDIAN_ISSUES: f64 = 160.0;
const SPREAD: f64 = 1.1;
/// One giant must not decide how long a demo takes.
const LARGEST: f64 = 6000.0;

/// A row of `lab_site`, from which the stores are filled.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Site {
    pub id: i64,
    pub name: String,
    pub customer_id: i64,
    pub customer: String,
    pub region: String,
    pub tier: String,
    pub users: i32,
    pub shard: String,
    pub host: String,
    pub issues: i32,
}

const FIRST: [&str; 12] = [
    "amber", "birch", "cobalt", "dune", "ember", "fjord", "granite", "harbor", "indigo", "juniper",
    "kestrel", "lumen",
];
const SECOND: [&str; 8] = [
    "labs", "works", "freight", "clinic", "school", "games", "energy", "bank",
];

pub fn generate(build: &Build) -> Vec<Site> {
    let mut rng = StdRng::seed_from_u64(u64::from(build.seed));
    let customers = i64::from(build.sites.div_ceil(2));
    (0..i64::from(build.sites))
        .map(|n| {
            let customer_id = 1 + rng.random_range(0..customers);
            let customer = customer(customer_id);
            let region = pick(&mut rng, &[("eu", 5), ("us", 4), ("ap", 2)]);
            let tier = pick(
                &mut rng,
                &[
                    ("free", 4),
                    ("standard", 5),
                    ("premium", 3),
                    ("enterprise", 1),
                ],
            );
            let issues = lognormal(&mut rng, build.scale);
            let id = FIRST_ID + n;
            let name = format!("{}-{id}", customer.replace(' ', "-"));
            Site {
                id,
                customer_id,
                region: region.to_owned(),
                tier: tier.to_owned(),
                users: 2 + issues / 25,
                shard: shard_name(1 + rng.random_range(0..build.shards)),
                host: format!("{name}.{region}.example"),
                name,
                customer,
                issues,
            }
        })
        .collect()
}

/// The sites of an accident: `count` of them, chosen and ordered by the seed.
pub fn victims(mut ids: Vec<i64>, count: usize, seed: u32) -> Vec<i64> {
    ids.sort_unstable();
    ids.shuffle(&mut StdRng::seed_from_u64(u64::from(seed) ^ 0xacc1_de27));
    ids.truncate(count);
    ids
}

fn customer(id: i64) -> String {
    let index = usize::try_from(id).unwrap_or_default();
    let (first, second) = (
        FIRST[index % FIRST.len()],
        SECOND[index / FIRST.len() % SECOND.len()],
    );
    match index / (FIRST.len() * SECOND.len()) {
        0 => format!("{first} {second}"),
        more => format!("{first} {second} {more}"),
    }
}

fn pick<'a>(rng: &mut StdRng, weighted: &[(&'a str, u32)]) -> &'a str {
    let total = weighted.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total);
    for (value, weight) in weighted {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return value,
        }
    }
    unreachable!("the draw is below the sum of the weights")
}

/// Many small sites and a few very large ones, as in any shared estate.
fn lognormal(rng: &mut StdRng, scale: f64) -> i32 {
    // Box and Muller's way from two uniform numbers to a normal one.
    let (u, v): (f64, f64) = (rng.random_range(1e-9..1.0), rng.random_range(0.0..1.0));
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    let issues = (MEDIAN_ISSUES * (SPREAD * normal).exp()).min(LARGEST) * scale;
    issues.clamp(3.0, 1e9) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(seed: u32) -> Build {
        Build {
            shards: 3,
            sites: 500,
            seed,
            scale: 1.0,
            full: false,
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        assert_eq!(generate(&build(7)), generate(&build(7)));
        assert_ne!(generate(&build(7)), generate(&build(8)));
        assert_eq!(
            victims((1..100).collect(), 5, 7),
            victims((1..100).rev().collect(), 5, 7)
        );
    }

    #[test]
    fn sizes_have_a_heavy_tail() {
        let mut sizes: Vec<i32> = generate(&build(42)).iter().map(|s| s.issues).collect();
        sizes.sort_unstable();
        let total: i32 = sizes.iter().sum();
        let largest_tenth: i32 = sizes[450..].iter().sum();
        assert!(largest_tenth * 3 > total, "{largest_tenth} of {total}");
        assert!((80..320).contains(&sizes[250]), "median {}", sizes[250]);
    }
}
