//! Valid files to start from, and the plan that they make.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use reprise_model::{Digest, Estate, Plan, Runbook, SourceFile, Timestamp};
use reprise_plan::{CompileInput, Selection, compile};
use reprise_spec::{parse_estate, parse_runbook, read_sites_csv};

const ESTATE: &str = include_str!("../../fixtures/estates/valid/full.yaml");
const RUNBOOK: &str = include_str!("../../fixtures/runbooks/valid/full.yaml");
const SITES: &str =
    "id,name,host,shard,tier\n1,a,a.test,s01,gold\n2,b,b.test,s02,silver\n3,c,c.test,s01,none\n";

pub fn path() -> &'static Path {
    Path::new("fuzzed.yaml")
}

pub fn estate() -> &'static Estate {
    static PARSED: LazyLock<Estate> =
        LazyLock::new(|| parse_estate(ESTATE, path()).expect("the fixture is valid"));
    &PARSED
}

pub fn runbook() -> &'static Runbook {
    static PARSED: LazyLock<Runbook> =
        LazyLock::new(|| parse_runbook(RUNBOOK, path()).expect("the fixture is valid"));
    &PARSED
}

/// Three sites on two shards, every kind of step.
pub fn plan() -> Arc<Plan> {
    static COMPILED: LazyLock<Arc<Plan>> = LazyLock::new(|| {
        let plan = plan_of(estate(), runbook()).expect("the fixtures make a plan");
        Arc::new(plan)
    });
    COMPILED.clone()
}

/// The plan of all three sites, or why there is none.
pub fn plan_of(estate: &Estate, runbook: &Runbook) -> Result<Plan, String> {
    let source = |name: &str| SourceFile {
        name: name.to_owned(),
        path: PathBuf::from(name),
        digest: Digest::of(name.as_bytes()),
    };
    let compiled = compile(CompileInput {
        estate,
        estate_source: source("estate.yaml"),
        runbook,
        runbook_source: source("runbook.yaml"),
        sites: read_sites_csv(SITES, path()).expect("the sites are valid"),
        selection: Selection::All,
        target_time: Timestamp::from_micros(1_700_000_000_000_000),
        incident_time: None,
        drill: false,
        estimates: Default::default(),
        learned: Default::default(),
        identified: Default::default(),
    });
    match compiled {
        Ok(compiled) => {
            let _ = format!("{:?}", compiled.warnings);
            Ok(compiled.plan)
        }
        Err(errors) => Err(errors.to_string()),
    }
}
