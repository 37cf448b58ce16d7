//! Roles that are not the superuser, and what `check` says about them.

use std::sync::atomic::{AtomicU32, Ordering};

use reprise_model::FaultKind;
use reprise_ports::{Finding, Inspect, Level};

use super::cluster::{run, text};
use super::world::{World, tenant};

const SCHEMA: &str = "
create table rates (id int primary key);
create table sites (id int primary key);
create table t (id serial primary key, site int not null references sites, rate int references rates);
";
const ROWS: &str = "
insert into rates values (1); insert into sites values (1), (2);
insert into t (site, rate) select g % 2 + 1, 1 from generate_series(1, 20) g; analyze;
";

fn rules() -> reprise_model::Tenant {
    tenant("sites.id", &[("rates", "shared")])
}

/// A world whose live end is reached as a fresh role without any right.
async fn as_nobody(schema: &str) -> (World, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let role = format!("role_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut world = World::new(&format!("{SCHEMA}{schema}"), ROWS, rules()).await;
    run(&mut world.now, &format!("drop role if exists {role}; create role {role} login; delete from t where site = 1; delete from sites where id = 1")).await;
    world.as_role(&role, rules());
    (world, role)
}

async fn inspect(world: &World, with_scratch: bool) -> Vec<Finding> {
    let inspect = Inspect {
        shard: "s01".into(),
        target_time: None,
        sites: vec!["1".into()],
    };
    let scratch = with_scratch.then_some(&world.scratch);
    world.shard.inspect(&inspect, scratch).await.findings
}

fn level(findings: &[Finding], check: &str) -> Level {
    let levels = findings
        .iter()
        .filter(|f| f.check == check)
        .map(|f| f.level);
    levels
        .max()
        .unwrap_or_else(|| panic!("no finding {check}: {findings:?}"))
}

#[tokio::test]
async fn check_names_each_missing_right_and_the_grants_suffice() {
    let (mut world, role) = as_nobody("").await;
    let findings = inspect(&world, true).await;
    assert_eq!(level(&findings, "rights"), Level::Error);
    let grants: Vec<String> = findings
        .iter()
        .filter(|f| f.check == "rights" && f.level == Level::Error)
        .map(|f| f.hint.clone().unwrap().trim_matches('`').to_owned())
        .collect();
    assert!(
        grants.contains(&format!("grant insert on \"public\".\"t\" to \"{role}\"")),
        "{grants:?}"
    );
    assert_eq!(
        world.restore("1", "{}").await.unwrap_err().kind,
        FaultKind::Permanent
    );
    run(&mut world.now, &grants.join(";")).await;
    let findings = inspect(&world, true).await;
    assert!(level(&findings, "rights") < Level::Error, "{findings:?}");
    let outcome = world.comes_back("1").await;
    assert_eq!(outcome.output["mode"], "deferred");
}

#[tokio::test]
async fn a_role_that_may_set_replica_mode_needs_no_superuser() {
    let (mut world, role) = as_nobody("").await;
    if text(
        &mut world.now,
        "select current_setting('server_version_num')::int >= 150000",
    )
    .await
        != "true"
    {
        return;
    }
    let grants = format!(
        "grant select, insert on all tables in schema public to {role}; grant update on rates to {role};
         grant select, update on all sequences in schema public to {role}; grant set on parameter session_replication_role to {role}"
    );
    run(&mut world.now, &grants).await;
    let outcome = world.comes_back("1").await;
    assert_eq!(outcome.output["mode"], "replica");
    run(
        &mut world.now,
        &format!("revoke set on parameter session_replication_role from {role}"),
    )
    .await;
}

#[tokio::test]
async fn without_replica_mode_triggers_and_rigid_cycles_are_refused_by_name() {
    let trigger = "create function f() returns trigger language plpgsql as 'begin return new; end';
                   create trigger loud before insert on t for each row execute function f();";
    let (mut world, role) = as_nobody(trigger).await;
    let grants = format!(
        "grant all on all tables in schema public to {role}; grant all on all sequences in schema public to {role}"
    );
    run(&mut world.now, &grants).await;
    assert_eq!(
        level(&inspect(&world, false).await, "triggers"),
        Level::Error
    );
    let fault = world.refused("1", "{}").await;
    assert!(fault.message.contains("loud on t"), "{}", fault.message);
    let fault = {
        run(
            &mut world.now,
            "drop trigger loud on t; alter table sites add first int references t",
        )
        .await;
        run(
            &mut world.then,
            "alter table sites add first int references t",
        )
        .await;
        world.as_role(&role, rules());
        world.refused("1", "{}").await
    };
    assert!(
        fault.message.contains("sites_first_fkey closes a cycle"),
        "{}",
        fault.message
    );
    for end in [&mut world.then, &mut world.now] {
        run(
            end,
            "alter table sites alter constraint sites_first_fkey deferrable",
        )
        .await;
    }
    run(
        &mut world.then,
        "update sites set first = (select min(id) from t where site = sites.id)",
    )
    .await;
    world.as_role(&role, rules());
    assert_eq!(world.comes_back("1").await.output["mode"], "deferred");
}

#[tokio::test]
async fn row_level_security_is_never_a_filter() {
    let policy = "alter table t enable row level security; create policy p on t using (site = 2);";
    let (mut world, role) = as_nobody(policy).await;
    let grants = format!(
        "grant all on all tables in schema public to {role}; grant all on all sequences in schema public to {role}"
    );
    run(&mut world.now, &grants).await;
    assert_eq!(level(&inspect(&world, false).await, "rls"), Level::Error);
    let fault = world.refused("1", "{}").await;
    assert!(fault.hint.unwrap().contains("bypass"), "{}", fault.message);
    run(&mut world.now, &format!("alter role {role} bypassrls")).await;
    assert_eq!(level(&inspect(&world, false).await, "rls"), Level::Ok);
    world.comes_back("1").await;
}

#[tokio::test]
async fn check_sees_rows_in_the_way_and_drift_and_estimates_a_site() {
    let mut world = World::new(SCHEMA, ROWS, rules()).await;
    let findings = inspect(&world, true).await;
    assert_eq!(level(&findings, "rows-in-the-way"), Level::Warning);
    for check in [
        "connection",
        "version",
        "tls",
        "rights",
        "replication-role",
        "rls",
        "triggers",
        "schema-drift",
    ] {
        assert_eq!(level(&findings, check), Level::Ok, "{check}: {findings:?}");
    }
    assert_eq!(
        level(&inspect(&world, false).await, "schema-drift"),
        Level::Later
    );
    run(&mut world.now, "alter table t rename rate to price").await;
    assert_eq!(
        level(&inspect(&world, true).await, "schema-drift"),
        Level::Error
    );
    run(&mut world.now, "create table stray (id int)").await;
    assert_eq!(
        level(&inspect(&world, false).await, "ownership"),
        Level::Error
    );
    run(&mut world.now, "drop table stray").await;
    let everything = Inspect {
        shard: "s01".into(),
        target_time: None,
        sites: Vec::new(),
    };
    let estimate = world.shard.inspect(&everything, None).await.estimate;
    assert_eq!(estimate.live_sites, Some(2));
    assert_eq!(estimate.per_site.unwrap().rows, 11);
}

#[tokio::test]
async fn check_counts_the_rows_of_nobody() {
    let schema = "create table sites (id int primary key); create table t (id int primary key, site int references sites);";
    let rows = "insert into sites values (1); insert into t select g, case when g < 3 then 1 end from generate_series(1, 10) g;";
    let world = World::new(schema, rows, tenant("sites.id", &[])).await;
    let findings = inspect(&world, true).await;
    let told =
        |f: &&Finding| f.message == "rows that belong to no site, and are not restored: t: 8";
    assert_eq!(findings.iter().filter(told).count(), 1, "{findings:?}");
}
