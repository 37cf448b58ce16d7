//! A small estate and runbooks in a few words, for this crate's tests.

use std::collections::BTreeMap;

use reprise_model::{
    Action, Backup, Digest, Estate, HaltRule, Layer, Objectives, Plan, Pool, Retry, Runbook, Scope,
    Shard, SiteSource, SourceFile, Step, StepName, Store, StoreId, StoreKind, TaskIx, Text,
};

use crate::{CompileInput, Compiled, PlanErrors, SelectedId, Selection, SiteRow, compile};

/// Store `catalogue` with one shard `control`; `issues` on `s01` to `s03`, by
/// the attribute `shard`; `media` on `m1` and `m2`, by `media`, where set.
pub fn estate() -> Estate {
    Estate {
        name: "acme".into(),
        base: "/estate".into(),
        objectives: Objectives::default(),
        sites: SiteSource::File {
            path: "sites.csv".into(),
        },
        stores: vec![
            store("catalogue", Layer::Metadata, None, &["control"]),
            store(
                "issues",
                Layer::Product,
                Some("{{ site.shard }}"),
                &["s01", "s02", "s03"],
            ),
            store(
                "media",
                Layer::Media,
                Some("{{ site.media | default('') }}"),
                &["m1", "m2"],
            ),
        ],
    }
}

pub fn store(id: &str, layer: Layer, placement: Option<&str>, shards: &[&str]) -> Store {
    let shard = |id: &&str| Shard {
        id: (*id).into(),
        live: Text::new("${LIVE}"),
        backup: Some(Backup::BaseBackup {
            base: "base".into(),
            wal: "wal".into(),
        }),
        scratch: None,
    };
    Store {
        id: id.into(),
        kind: StoreKind::Postgres,
        layer,
        placement: placement.map(str::to_owned),
        tenant: None,
        shards: shards.iter().map(shard).collect(),
    }
}

/// `name scope action [store] [<- need,need] [#pool] [? condition]`
pub fn step(line: &str) -> Step {
    let (line, when) = match line.split_once(" ? ") {
        Some((line, when)) => (line, Some(when.to_owned())),
        None => (line, None),
    };
    let (line, pool) = match line.split_once(" #") {
        Some((line, pool)) => (line, Some(pool.trim().into())),
        None => (line, None),
    };
    let (line, needs) = line.split_once(" <- ").unwrap_or((line, ""));
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let name = word().expect("a step has a name").into();
    let scope = word().expect("a step has a scope");
    let action = word().expect("a step has an action");
    Step {
        name,
        scope: Scope::ALL
            .into_iter()
            .find(|s| s.as_str() == scope)
            .expect("a known scope"),
        action: Action::ALL
            .into_iter()
            .find(|a| a.as_str() == action)
            .expect("a known action"),
        store: word().map(StoreId::from),
        needs: needs
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(StepName::from)
            .collect(),
        pool,
        timeout: None,
        retry: Retry::default(),
        when,
        expect: None,
        with: Default::default(),
    }
}

pub fn runbook(lines: &[&str]) -> Runbook {
    let steps: Vec<Step> = lines.iter().map(|line| step(line)).collect();
    let mut pools: Vec<Pool> = Vec::new();
    for name in steps.iter().filter_map(|step| step.pool.clone()) {
        if !pools.iter().any(|pool| pool.name == name) {
            pools.push(Pool {
                name,
                slots: 2,
                rate_per_second: None,
            });
        }
    }
    Runbook {
        name: "restore-in-place".into(),
        waves: Vec::new(),
        halt: HaltRule::default(),
        slots: None,
        pools,
        steps,
    }
}

/// The whole way from recovery to hand-over.
pub fn usual_runbook() -> Runbook {
    runbook(&[
        "recover-catalogue shard recover catalogue #recover",
        "recover-issues shard recover issues #recover",
        "site-record site restore catalogue <- recover-catalogue #load",
        "product site restore issues <- site-record, recover-issues #load",
        "whole site verify issues <- product",
        "record-whole site verify catalogue <- site-record",
        "reachable site http.check <- whole, record-whole",
        "release-issues shard release issues <- whole",
        "handover run gate <- reachable",
    ])
}

/// Site rows from `id key=value key=value`.
pub fn sites(lines: &[&str]) -> Vec<SiteRow> {
    let row = |line: &&str| {
        let mut words = line.split_whitespace();
        let id = words.next().expect("a site has an id").to_owned();
        let pairs = words.map(|word| word.split_once('=').expect("key=value"));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut row: BTreeMap<String, String> = pairs.collect();
        row.insert("id".into(), id);
        row
    };
    lines.iter().map(row).collect()
}

pub fn four_sites() -> Vec<SiteRow> {
    sites(&[
        "a shard=s01 users=50 customer=x tier=gold",
        "b shard=s02 users=5 customer=x tier=free media=m1",
        "c shard=s01 users=7 customer=y tier=free media=m2",
        "d shard=s03 users=9 customer=z tier=gold",
    ])
}

pub fn input<'a>(
    estate: &'a Estate,
    runbook: &'a Runbook,
    sites: Vec<SiteRow>,
    selection: Selection,
) -> CompileInput<'a> {
    let source = |name: &str| SourceFile {
        name: name.to_owned(),
        path: format!("{name}.yaml").into(),
        digest: Digest::of(name.as_bytes()),
    };
    CompileInput {
        estate,
        estate_source: source("acme"),
        runbook,
        runbook_source: source("restore-in-place"),
        sites,
        selection,
        target_time: "2026-03-01T12:00:00Z".parse().expect("a time"),
        incident_time: None,
        drill: false,
        estimates: BTreeMap::new(),
        learned: None,
        identified: BTreeMap::new(),
    }
}

pub fn ids(ids: &[&str]) -> Selection {
    let selected = ids.iter().map(|id| SelectedId {
        id: (*id).into(),
        place: None,
    });
    Selection::Ids(selected.collect())
}

pub fn compiled(
    runbook: &Runbook,
    sites: Vec<SiteRow>,
    selection: Selection,
) -> Result<Compiled, PlanErrors> {
    compile(input(&estate(), runbook, sites, selection))
}

/// Sites a, b and c out of four.
pub fn plan(lines: &[&str]) -> Plan {
    let runbook = runbook(lines);
    compiled(&runbook, four_sites(), ids(&["a", "b", "c"]))
        .expect("it compiles")
        .plan
}

/// The keys of the tasks that a task needs.
pub fn needs_of(plan: &Plan, key: &str) -> Vec<String> {
    let task = plan.ixs().find(|&task| plan.key(task).as_str() == key);
    let task: TaskIx = task.unwrap_or_else(|| panic!("task {key} is planned"));
    let needs = plan.tasks[task.get()].needs.iter();
    needs.map(|&need| plan.key(need).to_string()).collect()
}
