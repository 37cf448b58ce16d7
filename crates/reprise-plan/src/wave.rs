//! Waves: a canary first, then growing groups.

use reprise_model::WaveSize;

use crate::select::Chosen;

/// The attribute that holds a site's number of users.
pub(crate) const USERS: &str = "users";

/// Sizes of the waves, none of them zero, together all sites. Shares round
/// up; what the runbook's waves leave over forms a last one.
pub fn sizes(waves: &[WaveSize], sites: usize) -> Vec<u32> {
    let mut left = sites;
    let mut sizes = Vec::new();
    for wave in waves.iter().chain([&WaveSize::Rest]) {
        let wanted = match wave {
            WaveSize::Sites(count) => *count as usize,
            WaveSize::Percent(share) => (sites as f64 * share / 100.0).ceil() as usize,
            WaveSize::Rest => left,
        };
        let size = wanted.min(left);
        left -= size;
        if size > 0 {
            sizes.push(u32::try_from(size).expect("a plan holds fewer than 2^32 sites"));
        }
    }
    sizes
}

/// Puts the sites with the fewest users into the first wave: where the canary
/// finds a fault, as few people as possible meet it. A site whose users nobody
/// knows counts as large. All others keep the order of the selection.
pub(crate) fn canary_first<'a>(sites: Vec<Chosen<'a>>, sizes: &[u32]) -> Vec<Chosen<'a>> {
    let [canary, _, ..] = sizes else {
        return sites;
    };
    let mut by_users: Vec<usize> = (0..sites.len()).collect();
    by_users.sort_by_key(|&at| users(&sites[at]).unwrap_or(u64::MAX));
    by_users.truncate(*canary as usize);
    let mut is_canary = vec![false; sites.len()];
    for &at in &by_users {
        is_canary[at] = true;
    }
    let rest = (0..sites.len()).filter(|&at| !is_canary[at]);
    by_users
        .iter()
        .copied()
        .chain(rest)
        .map(|at| sites[at])
        .collect()
}

pub(crate) fn users(site: &Chosen<'_>) -> Option<u64> {
    site.row.get(USERS)?.parse().ok()
}

/// The wave of each site, in order.
pub(crate) fn numbers(sizes: &[u32]) -> impl Iterator<Item = u32> {
    let waves = (0u32..).zip(sizes);
    waves.flat_map(|(wave, &size)| std::iter::repeat_n(wave, size as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_up_and_the_rest_is_never_lost() {
        use WaveSize::{Percent, Rest, Sites};
        let check = |waves: &[WaveSize], sites, expect: &[u32]| {
            assert_eq!(sizes(waves, sites), expect, "{waves:?} of {sites}");
        };
        check(&[], 5, &[5]);
        check(
            &[Sites(1), Percent(5.0), Percent(25.0), Rest],
            100,
            &[1, 5, 25, 69],
        );
        check(&[Sites(1), Percent(5.0), Rest], 3, &[1, 1, 1]);
        check(&[Sites(1), Rest], 1, &[1]);
        check(&[Sites(2)], 5, &[2, 3]);
        check(&[Percent(100.0), Rest], 7, &[7]);
        check(&[Sites(0), Rest], 2, &[2]);
        check(&[Rest, Sites(3)], 4, &[4]);
    }
}
