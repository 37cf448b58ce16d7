//! Small values to write.

use reprise_model::{
    AttemptId, Digest, Entry, Epoch, Event, Objectives, Owner, PLAN_VERSION, Plan, RunId, Seq,
    SourceFile, TaskIx, Timestamp,
};
use reprise_ports::{Journal, JournalError, NewRun};

pub fn plan() -> Plan {
    let file = |name: &str| SourceFile {
        name: name.to_owned(),
        path: name.into(),
        digest: Digest::of(name.as_bytes()),
    };
    let plan = Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: Timestamp::from_micros(1_700_000_000_000_001),
        incident_time: None,
        drill: false,
        estate: file("estate.yaml"),
        runbook: file("runbook.yaml"),
        objectives: Objectives::default(),
        halt_above: None,
        halt_on_checks: false,
        slots: None,
        pools: Vec::new(),
        shards: Vec::new(),
        sites: Vec::new(),
        waves: Vec::new(),
        steps: Vec::new(),
        tasks: Vec::new(),
        not_planned: Vec::new(),
        blast_radius: Default::default(),
    };
    plan.sealed()
}

pub fn owner(pid: u32) -> Owner {
    Owner {
        epoch: Epoch(0),
        host: "host-a".to_owned(),
        pid,
        version: "0.1.0".to_owned(),
    }
}

pub fn entry(seq: u64) -> Entry {
    Entry {
        seq: Seq(seq),
        at: Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(seq).unwrap()),
        event: Event::Started {
            attempt: AttemptId {
                task: TaskIx(u32::try_from(seq).unwrap()),
                number: 1,
            },
        },
    }
}

pub fn entries(seqs: std::ops::Range<u64>) -> Vec<Entry> {
    seqs.map(entry).collect()
}

pub async fn create(journal: &dyn Journal, id: &str, created: i64) -> Result<RunId, JournalError> {
    let run = NewRun {
        id: RunId::from(id),
        plan: &plan(),
        created: Timestamp::from_micros(created),
        env_file: Some("prod.env".to_owned()),
    };
    journal.create(&run).await?;
    Ok(run.id)
}
