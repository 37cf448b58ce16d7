//! What the bars show, as values: the part that tests can look at.

use reprise_model::{Action, TaskIx, Timestamp};

use crate::estimate::Estimate;
use crate::fold::Fold;
use crate::format;

/// Shards and waves that get a bar of their own at a time.
const ROWS: usize = 8;

/// One bar.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    pub label: String,
    pub position: u64,
    pub length: u64,
    pub message: String,
}

/// The whole first, then open waves, then shards that are being recovered.
pub(super) fn rows(fold: &Fold, now: Timestamp) -> Vec<Row> {
    let mut rows = vec![whole(fold, now)];
    rows.extend(waves(fold).take(ROWS));
    let recovering = fold
        .under_way()
        .filter(|task| fold.plan().step_of(*task).action == Action::Recover);
    rows.extend(recovering.take(ROWS).map(|task| shard(fold, task)));
    rows
}

fn whole(fold: &Fold, now: Timestamp) -> Row {
    let counts = crate::report::TaskCounts::of(fold);
    let moved = fold.moved();
    let mut message = format!(
        "{} rows  {}  {}",
        format::count(moved.rows),
        format::bytes(moved.bytes),
        Estimate::text(Estimate::of(fold, now))
    );
    let gates = fold.open_gates().count() as u64;
    if gates > 0 {
        message.push_str(&format!("  {} open", format::plural(gates, "gate")));
    }
    Row {
        label: "tasks".to_owned(),
        position: counts.ended().into(),
        length: counts.total.into(),
        message,
    }
}

/// Waves under way: open, and with a site that is not settled.
fn waves(fold: &Fold) -> impl Iterator<Item = Row> + '_ {
    let numbered = fold.waves().iter().enumerate();
    let under_way =
        numbered.filter(|(_, wave)| wave.open && wave.settled + wave.failed < wave.sites);
    under_way.map(|(number, wave)| Row {
        label: format!("wave {}", number + 1),
        position: (wave.settled + wave.failed).into(),
        length: wave.sites.into(),
        message: match wave.failed {
            0 => "sites".to_owned(),
            failed => format!("sites, {failed} failed"),
        },
    })
}

fn shard(fold: &Fold, task: TaskIx) -> Row {
    let label = match fold.plan().shard_of(task) {
        Some(shard) => format!("{}@{}", shard.store, shard.shard),
        None => fold.plan().key(task).to_string(),
    };
    let progress = fold.record(task).progress.as_deref();
    let fraction = progress
        .and_then(|progress| progress.fraction)
        .unwrap_or(0.0);
    let phase = progress.and_then(|progress| progress.phase.as_deref());
    let bytes = progress.map_or(0, |progress| progress.volume.bytes);
    Row {
        label,
        position: (fraction.clamp(0.0, 1.0) * 100.0) as u64,
        length: 100,
        message: match bytes {
            0 => phase.unwrap_or("recovering").to_owned(),
            bytes => format!(
                "{}  {}",
                phase.unwrap_or("recovering"),
                format::bytes(bytes)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::Volume;

    use super::*;
    use crate::fixture::{Story, at, plan, recovered};

    #[test]
    fn bars_show_the_whole_the_open_waves_and_the_shards_under_way() {
        let labels = |rows: &[Row]| {
            let label = |row: &Row| format!("{} {}/{}", row.label, row.position, row.length);
            rows.iter().map(label).collect::<Vec<_>>()
        };
        let mut story = Story::begin();
        let attempt = story.start(0);
        let mut fold = story.fold(plan(2));
        let volume = Volume {
            rows: 0,
            bytes: 5_000,
        };
        fold.progress(attempt, volume, Some(0.5), Some("replaying WAL"));
        let rows_now = rows(&fold, at(110));
        assert_eq!(
            labels(&rows_now),
            ["tasks 0/7", "wave 1 0/1", "wave 2 0/1", "issues@s01 50/100"]
        );
        assert_eq!(rows_now[3].message, "replaying WAL  5.0 kB");
        assert!(rows_now[0].message.ends_with("time left not known yet"));

        let mut story = Story::begin();
        story.run(0, recovered(2)).site(0);
        let mut fold = story.fold(plan(2));
        fold.set_estimate(Some(Estimate {
            seconds_left: 20.0,
            rough: false,
            from_seconds: None,
            to_seconds: None,
            as_of: None,
        }));
        let rows_now = rows(&fold, at(150));
        assert_eq!(labels(&rows_now), ["tasks 4/7", "wave 2 0/1"]);
        assert!(
            rows_now[0]
                .message
                .starts_with("1,000 rows  100.0 kB  about 20.0s left")
        );
    }
}
