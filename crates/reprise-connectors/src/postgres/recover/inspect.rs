//! What can be known about a recovery before it starts. Reads, never replays.

use std::sync::Arc;

use reprise_model::{Fault, Timestamp};
use reprise_ports::{Finding, Level};

use super::source::{Obstacle, Origin, Source};
use super::{Recovery, blocking, newest};
use crate::postgres::{PostgresConfig, PostgresShard};
use crate::shared::room::check_space;

/// The findings, and the bytes that the recovered shard takes in scratch.
pub type Found = (Vec<Finding>, Option<u64>);

impl Recovery {
    pub async fn inspect(
        &self,
        shard: &reprise_model::ShardId,
        target: Option<Timestamp>,
    ) -> Found {
        let Ok(shard) = self.shard(shard) else {
            return (Vec::new(), None);
        };
        let root = self.root(shard);
        let config = Arc::clone(&self.config);
        let (owned, place) = (shard.clone(), root.clone());
        let looked = blocking(move || Ok(look(&config, &owned, &place, target))).await;
        looked.unwrap_or_else(|fault| {
            let report = Report::new(&self.config, shard);
            (vec![report.at(Level::Unknown, "backup", fault)], None)
        })
    }
}

/// Makes findings about one shard.
struct Report<'a> {
    config: &'a PostgresConfig,
    shard: &'a PostgresShard,
}

impl<'a> Report<'a> {
    fn new(config: &'a PostgresConfig, shard: &'a PostgresShard) -> Self {
        Self { config, shard }
    }

    fn at(&self, level: Level, check: &str, fault: Fault) -> Finding {
        Finding {
            check: check.to_owned(),
            level,
            store: self.config.store.clone(),
            shard: self.shard.id.clone(),
            message: fault.message,
            hint: fault.hint,
        }
    }

    fn ok(&self, check: &str, message: String) -> Finding {
        self.at(Level::Ok, check, Fault::permanent(message))
    }
}

fn look(
    config: &PostgresConfig,
    shard: &PostgresShard,
    root: &std::path::Path,
    target: Option<Timestamp>,
) -> Found {
    let report = Report::new(config, shard);
    // Without a moment, the newest backup is what counts.
    let moment = target.unwrap_or(Timestamp::from_micros(i64::MAX));
    let source = match Source::find(config, &shard.backup, moment) {
        Ok(source) => source,
        Err(Obstacle { check, fault }) => {
            return (vec![report.at(Level::Error, check, fault)], None);
        }
    };
    let mut findings = vec![
        report.ok(
            "backup",
            format!(
                "backup `{}` of PostgreSQL {} ended at {}",
                source.label, source.id.major, source.stop_time
            ),
        ),
        report.ok(
            "tools",
            format!(
                "PostgreSQL {} in {}",
                source.installation.version(),
                source.installation.bin().display()
            ),
        ),
    ];
    if let Origin::Folder { stretch, .. } = &source.origin {
        findings.push(report.ok(
            "wal-gap",
            format!(
                "{} WAL segments without a gap, on timeline {}",
                stretch.segments.len(),
                stretch.timeline
            ),
        ));
    }
    if let Some(target) = target {
        findings.push(reach(&report, &source, target));
    }
    let needed = source.scratch_bytes();
    findings.push(match check_space(root, needed) {
        Ok(()) => report.ok(
            "space",
            format!("{} MB are needed in {}", needed >> 20, root.display()),
        ),
        Err(fault) => report.at(Level::Error, "space", fault),
    });
    if let Err(fault) = source.account(root, &config.temp) {
        findings.push(report.at(Level::Error, "tools", fault));
    }
    (findings, Some(needed))
}

/// Whether the archive reaches the moment, as far as files can tell.
fn reach(report: &Report, source: &Source, target: Timestamp) -> Finding {
    const CHECK: &str = "backup-reaches";
    let newest = match &source.origin {
        Origin::Folder {
            archive, stretch, ..
        } => newest::commit(&source.installation, archive, stretch),
        Origin::PgBackRest(_) => None,
    };
    if let Some(newest) = newest.filter(|newest| *newest > target) {
        return report.ok(CHECK, format!("the archive holds commits up to {newest}"));
    }
    let complete = [newest, source.archived].into_iter().flatten().max();
    match complete {
        Some(complete) if complete >= target => {
            report.ok(CHECK, format!("the archive was written up to {complete}"))
        }
        Some(complete) => {
            let missed = report
                .config
                .rpo
                .map(|rpo| complete.saturating_add(rpo) < target);
            let fault = Fault::permanent(format!(
                "the archive was written up to {complete}, before the target time {target}; whether commits are missing is seen when the shard is recovered"
            ))
            .hint(format!(
                "`--at {complete}` is surely reached; or run `select pg_switch_wal()` on the live server"
            ));
            let level = match missed {
                Some(true) => Level::Unknown,
                Some(false) | None => Level::Warning,
            };
            report.at(level, CHECK, fault)
        }
        None => report.at(
            Level::Unknown,
            CHECK,
            Fault::permanent("what the repository reaches is seen when the shard is recovered"),
        ),
    }
}
