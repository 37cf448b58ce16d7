//! For each length that the journal of a real run passes through: the
//! coordinator dies there, another takes the run up, and the world is what an
//! undisturbed run makes of it.

mod trial;
mod world;

use trial::Trial;

/// The lengths are shared out among so many tests, each on an estate of its own.
const PARTS: u64 = 3;

/// Every so many lengths the scratch is gone as well, so that shards are
/// brought to T anew; and every so many the second coordinator dies too.
const WITHOUT_SCRATCH: u64 = 10;
const TWICE: u64 = 7;

#[test]
fn cut_at_entry_1_4_7_and_on_the_run_ends_as_if_undisturbed() {
    cut_from(1);
}

#[test]
fn cut_at_entry_2_5_8_and_on_the_run_ends_as_if_undisturbed() {
    cut_from(2);
}

#[test]
fn cut_at_entry_3_6_9_and_on_the_run_ends_as_if_undisturbed() {
    cut_from(3);
}

fn cut_from(first: u64) {
    let trial = Trial::prepare();
    let undisturbed = trial.undisturbed();
    let mut longest = 0;
    for length in (first..).step_by(PARTS as usize) {
        trial.accident_again();
        if length % WITHOUT_SCRATCH == 3 {
            trial.drop_scratch();
        }
        let run = trial.run(length);
        if !run.dies_at(length) {
            // The run had come to its end before: there are no more lengths.
            run.is_like(&undisturbed);
            break;
        }
        longest = length;
        if length % TWICE == 2 {
            run.dies_at(length + 1 + length % 5);
        }
        run.resume_to_the_end();
        run.is_like(&undisturbed);
    }
    // What is written together differs from run to run, how much hardly.
    let entries = undisturbed.entries();
    assert!(
        longest + PARTS + 4 > entries,
        "cut up to {longest} of {entries}"
    );
}
