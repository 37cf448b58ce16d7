//! A small plan and hand-made journals over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::*;
use serde_json::json;

use crate::fold::Fold;

/// T, and the seconds after it at which things happen.
pub const T: i64 = 1_772_366_400;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((T + seconds) * 1_000_000)
}

/// One shard, `sites` sites in waves of one and the rest; per site the tasks
/// `product`, `whole` and `handover`. Task 0 recovers, 3n+1.. are site n's.
pub fn plan(sites: u32) -> Plan {
    let step = |name: &str, scope, action, needs: &[&str]| PlannedStep {
        name: name.into(),
        scope,
        action,
        store: (action != Action::Gate).then(|| "issues".into()),
        needs: needs.iter().map(|need| (*need).into()).collect(),
        pool: Some("load".into()),
        timeout: None,
        retry: Retry::default(),
        expected: Elapsed::from_secs(7),
        with: match action {
            Action::Gate => json!({"role": "support"})
                .as_object()
                .cloned()
                .unwrap_or_default(),
            _ => serde_json::Map::new(),
        },
    };
    let task = |step, site: Option<u32>, needs: &[u32]| PlannedTask {
        step,
        site,
        shard: (step != 3).then_some(0),
        needs: needs.iter().copied().map(TaskIx).collect(),
        expected: None,
    };
    let mut tasks = vec![task(0, None, &[])];
    for site in 0..sites {
        let first = 3 * site + 1;
        tasks.push(task(1, Some(site), &[0]));
        tasks.push(task(2, Some(site), &[first]));
        tasks.push(task(3, Some(site), &[first + 1]));
    }
    let file = |name: &str| SourceFile {
        name: name.to_owned(),
        path: name.into(),
        digest: Digest::default(),
    };
    Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: at(0),
        incident_time: Some(at(60)),
        drill: false,
        estate: file("acme"),
        runbook: file("restore-in-place"),
        objectives: Objectives {
            rpo: Some(Elapsed::from_secs(300)),
            rto: Some(Elapsed::from_secs(1800)),
        },
        halt_above: None,
        halt_on_checks: false,
        slots: None,
        pools: vec![Pool {
            name: "load".into(),
            slots: 2,
            rate_per_second: None,
        }],
        shards: vec![PlannedShard {
            store: "issues".into(),
            shard: "s01".into(),
            kind: StoreKind::Postgres,
            layer: Layer::Product,
        }],
        sites: (0..sites)
            .map(|site| PlannedSite {
                id: format!("site-{site}").into(),
                wave: u32::from(site > 0),
                attributes: BTreeMap::new(),
                shards: vec![0],
            })
            .collect(),
        waves: vec![1, sites - 1],
        steps: vec![
            step("recover-issues", Scope::Shard, Action::Recover, &[]),
            step("product", Scope::Site, Action::Restore, &["recover-issues"]),
            step("whole", Scope::Site, Action::Verify, &["product"]),
            step("handover", Scope::Site, Action::Gate, &["whole"]),
        ],
        tasks,
        not_planned: Vec::new(),
        blast_radius: BlastRadius::default(),
    }
}

/// Writes a journal by hand.
pub struct Story {
    pub entries: Vec<Entry>,
    now: i64,
    numbers: BTreeMap<TaskIx, u32>,
}

impl Story {
    /// Created and owned 100 seconds after T, with both waves open.
    pub fn begin() -> Self {
        let mut story = Self {
            entries: Vec::new(),
            now: 100,
            numbers: BTreeMap::new(),
        };
        story.tell(Event::Created {
            plan: Digest::default(),
        });
        story.owned(1);
        story.tell(Event::WaveOpened { wave: 0 });
        story.tell(Event::WaveOpened { wave: 1 });
        story
    }

    pub fn tell(&mut self, event: Event) -> &mut Self {
        let seq = Seq(self.entries.len() as u64);
        self.entries.push(Entry {
            seq,
            at: at(self.now),
            event,
        });
        self
    }

    pub fn owned(&mut self, epoch: u64) -> &mut Self {
        self.tell(Event::Owned(Owner {
            epoch: Epoch(epoch),
            host: "ops".to_owned(),
            pid: 42,
            version: "0.1.0".to_owned(),
        }))
    }

    pub fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += seconds;
        self
    }

    pub fn start(&mut self, task: u32) -> AttemptId {
        let task = TaskIx(task);
        let number = self.numbers.entry(task).or_default();
        *number += 1;
        let attempt = AttemptId {
            task,
            number: *number,
        };
        self.tell(Event::Started { attempt });
        attempt
    }

    pub fn end(
        &mut self,
        attempt: AttemptId,
        end: AttemptEnd,
        again: Option<Timestamp>,
    ) -> &mut Self {
        self.tell(Event::Ended {
            attempt,
            end,
            again,
        })
    }

    /// Starts a task and ends it 10 seconds later.
    pub fn run(&mut self, task: u32, end: AttemptEnd) -> &mut Self {
        let attempt = self.start(task);
        self.pass(10).end(attempt, end, None)
    }

    pub fn approve(&mut self, task: u32, approved: bool) -> &mut Self {
        let task = TaskIx(task);
        self.tell(Event::GateOpened { task }).pass(5);
        self.tell(Event::Commanded {
            number: 1,
            command: Command::Answer {
                task,
                approved,
                by: "ana".to_owned(),
                note: None,
            },
        })
    }

    /// All three tasks of a site, without a fault.
    pub fn site(&mut self, site: u32) -> &mut Self {
        let first = 3 * site + 1;
        self.run(first, restored(1000))
            .run(first + 1, verified(Verdict::Pass))
            .approve(first + 2, true)
    }

    pub fn stop(&mut self, end: RunEnd) -> &mut Self {
        self.tell(Event::Stopped(end))
    }

    pub fn fold(&self, plan: Plan) -> Fold {
        let mut fold = Fold::new(Arc::new(plan));
        for entry in &self.entries {
            fold.apply(entry);
        }
        fold
    }
}

/// Recovered to so many seconds before T.
pub fn recovered(before: i64) -> AttemptEnd {
    AttemptEnd::Done(Outcome {
        recovery_point: Some(RecoveryPoint {
            point: at(-before),
            last_before: None,
            first_after: None,
            basis: "first commit after T".to_owned(),
        }),
        ..Outcome::default()
    })
}

pub fn restored(rows: u64) -> AttemptEnd {
    AttemptEnd::Done(Outcome {
        volume: Volume {
            rows,
            bytes: rows * 100,
        },
        ..Outcome::default()
    })
}

pub fn verified(verdict: Verdict) -> AttemptEnd {
    AttemptEnd::Done(Outcome {
        checks: vec![Check {
            name: "rows".to_owned(),
            verdict,
            evidence: json!({"tables": 3}),
        }],
        ..Outcome::default()
    })
}

pub fn failed(kind: FaultKind) -> AttemptEnd {
    AttemptEnd::Failed(Fault::new(kind, "table <projects> has rows in the way").hint("remove them"))
}
