//! Any entry that is written is read back as it was.

use proptest::prelude::*;
use reprise_journal::MemoryJournal;
use reprise_model::{
    AttemptEnd, AttemptId, Check, Command, Digest, Elapsed, Entry, Epoch, Event, Fault, FaultKind,
    Halt, Outcome, Owner, RecoveryPoint, RunEnd, Seq, TaskIx, Timestamp, Verdict, Volume,
};
use reprise_ports::Journal;
use serde_json::{Map, Value, json};

use crate::sample::{create, owner};

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

/// Years 1 to 9999: what RFC 3339 can write.
fn instant() -> impl Strategy<Value = Timestamp> {
    (-62_000_000_000_000_000_i64..253_000_000_000_000_000).prop_map(Timestamp::from_micros)
}

fn attempt() -> impl Strategy<Value = AttemptId> {
    (any::<u32>(), any::<u32>()).prop_map(|(task, number)| AttemptId {
        task: TaskIx(task),
        number,
    })
}

fn value() -> impl Strategy<Value = Value> {
    (text(), any::<i64>(), any::<bool>())
        .prop_map(|(text, number, flag)| json!({ "t": text, "n": [number, null], "f": flag }))
}

fn check() -> impl Strategy<Value = Check> {
    let verdict = prop_oneof![
        Just(Verdict::Pass),
        Just(Verdict::Unknown),
        Just(Verdict::Fail)
    ];
    (text(), verdict, value()).prop_map(|(name, verdict, evidence)| Check {
        name,
        verdict,
        evidence,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let point = (
        instant(),
        proptest::option::of(instant()),
        proptest::option::of(instant()),
        text(),
    )
        .prop_map(|(point, last_before, first_after, basis)| RecoveryPoint {
            point,
            last_before,
            first_after,
            basis,
        });
    (
        proptest::collection::vec((text(), value()), 0..3),
        (any::<u64>(), any::<u64>()),
        proptest::option::of(point),
        proptest::collection::vec(check(), 0..3),
    )
        .prop_map(|(output, (rows, bytes), recovery_point, checks)| Outcome {
            output: output.into_iter().collect::<Map<_, _>>(),
            volume: Volume { rows, bytes },
            recovery_point,
            checks,
        })
}

fn fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![
        Just(FaultKind::Temporary),
        Just(FaultKind::Permanent),
        Just(FaultKind::Refused),
        Just(FaultKind::Validation),
        Just(FaultKind::TimedOut),
        Just(FaultKind::Cancelled),
    ];
    (
        kind,
        text(),
        proptest::option::of(text()),
        proptest::option::of(0..1_000_000_u64),
        proptest::collection::vec(check(), 0..2),
    )
        .prop_map(|(kind, message, hint, retry_after, checks)| Fault {
            kind,
            message,
            hint,
            retry_after: retry_after.map(Elapsed::from_secs),
            checks,
        })
}

fn end() -> impl Strategy<Value = AttemptEnd> {
    prop_oneof![
        outcome().prop_map(AttemptEnd::Done),
        outcome().prop_map(AttemptEnd::Satisfied),
        Just(AttemptEnd::NotYet),
        text().prop_map(|why| AttemptEnd::Unknown { why }),
        fault().prop_map(AttemptEnd::Failed),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (
            any::<u32>(),
            any::<bool>(),
            text(),
            proptest::option::of(text())
        )
            .prop_map(|(task, approved, by, note)| Command::Answer {
                task: TaskIx(task),
                approved,
                by,
                note
            }),
        text().prop_map(|by| Command::Pause { by }),
        text().prop_map(|by| Command::Continue { by }),
        text().prop_map(|by| Command::Cancel { by }),
        (proptest::collection::vec(any::<u32>(), 0..4), text()).prop_map(|(tasks, by)| {
            Command::Retry {
                tasks: tasks.into_iter().map(TaskIx).collect(),
                by,
            }
        }),
    ]
}

fn tasks() -> impl Strategy<Value = Vec<TaskIx>> {
    proptest::collection::vec(any::<u32>().prop_map(TaskIx), 0..3)
}

fn run_end() -> impl Strategy<Value = RunEnd> {
    prop_oneof![
        Just(RunEnd::Finished),
        Just(RunEnd::AtGates),
        Just(RunEnd::Paused),
        Just(RunEnd::Cancelled),
        Just(RunEnd::Halted),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| Event::Created {
            plan: Digest::from_bytes(bytes)
        }),
        (any::<u64>(), text(), any::<u32>(), text()).prop_map(|(epoch, host, pid, version)| {
            Event::Owned(Owner {
                epoch: Epoch(epoch),
                host,
                pid,
                version,
            })
        }),
        any::<u32>().prop_map(|wave| Event::WaveOpened { wave }),
        attempt().prop_map(|attempt| Event::Probing { attempt }),
        attempt().prop_map(|attempt| Event::Started { attempt }),
        (attempt(), value()).prop_map(|(attempt, mark)| Event::Marked { attempt, mark }),
        (attempt(), end(), proptest::option::of(instant())).prop_map(|(attempt, end, again)| {
            Event::Ended {
                attempt,
                end,
                again,
            }
        }),
        (any::<u32>(), text(), proptest::option::of(any::<u32>())).prop_map(
            |(task, because, of)| Event::Skipped {
                task: TaskIx(task),
                because,
                of: of.map(TaskIx)
            }
        ),
        any::<u32>().prop_map(|task| Event::GateOpened { task: TaskIx(task) }),
        (any::<u32>(), any::<u32>()).prop_map(|(failed_sites, allowed)| {
            Event::Halted(Halt {
                failed_sites,
                allowed,
            })
        }),
        (any::<u64>(), command())
            .prop_map(|(number, command)| Event::Commanded { number, command }),
        (any::<[u8; 32]>(), tasks(), tasks()).prop_map(|(hash, back, probe)| {
            Event::Replanned {
                plan: Digest::from_bytes(hash),
                back,
                probe,
            }
        }),
        run_end().prop_map(Event::Stopped),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_entry_is_read_back_as_it_was(
        events in proptest::collection::vec((instant(), event()), 1..12),
        cut in any::<proptest::sample::Index>(),
    ) {
        let entries: Vec<Entry> = (0..)
            .zip(events)
            .map(|(seq, (at, event))| Entry { seq: Seq(seq), at, event })
            .collect();
        let read = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(async {
                let journal = MemoryJournal::new();
                let run = create(&journal, "any", 1).await.unwrap();
                let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
                let (head, tail) = entries.split_at(cut.index(entries.len()));
                journal.append(&run, &mut claim, head).await.unwrap();
                journal.append(&run, &mut claim, tail).await.unwrap();
                journal.read_all(&run, Seq(0)).await.unwrap()
            });
        prop_assert_eq!(read, entries);
    }
}
