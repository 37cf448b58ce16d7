//! When a failed task is tried again: exponential backoff with jitter.
//!
//! The jitter comes from a hash of the run's seed, the task and the try, not
//! from a random source, so that a run replays byte for byte.

use std::time::Duration;

use reprise_model::{AttemptId, Retry};

/// The wait after the `failures`-th failure (from 1): drawn evenly between
/// `min` and `min * 2^(failures - 1)`, never above `max`.
pub(crate) fn delay(retry: &Retry, failures: u32, attempt: AttemptId, seed: u64) -> Duration {
    let min = retry.min.0.min(retry.max.0);
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = min.saturating_mul(1 << doublings).min(retry.max.0).max(min);
    let draw = mix(seed ^ (u64::from(attempt.task.0) << 32) ^ u64::from(attempt.number));
    let share = (draw >> 11) as f64 / (1u64 << 53) as f64;
    min + (ceiling - min).mul_f64(share)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, 2014): every input bit
/// moves every output bit.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reprise_model::{Elapsed, TaskIx};

    #[test]
    fn waits_grow_within_their_bounds_and_differ_between_tasks() {
        let retry = Retry {
            attempts: 9,
            min: Elapsed::from_secs(1),
            max: Elapsed::from_secs(10),
        };
        let wait = |task, failures| {
            let attempt = AttemptId {
                task: TaskIx(task),
                number: failures,
            };
            delay(&retry, failures, attempt, 7)
        };
        assert_eq!(
            wait(0, 1),
            Duration::from_secs(1),
            "the first ceiling is min"
        );
        for failures in 1..40 {
            let ceiling = Duration::from_secs(1 << failures.min(5)).min(retry.max.0);
            for task in 0..50 {
                let wait = wait(task, failures);
                assert!(
                    wait >= retry.min.0 && wait <= ceiling,
                    "{failures}: {wait:?}"
                );
            }
        }
        let spread: std::collections::BTreeSet<_> = (0..50).map(|t| wait(t, 5)).collect();
        assert!(
            spread.len() > 45,
            "tasks that fail together must not retry together"
        );
    }
}
