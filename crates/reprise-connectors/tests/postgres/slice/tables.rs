//! Kinds of tables and of ownership.

use super::cluster::{run, text};
use super::world::{World, check, tenant};

const SITES: &str = "create table sites (id uuid primary key, name text);";
const A: &str = "00000000-0000-0000-0000-00000000000a";
const B: &str = "00000000-0000-0000-0000-00000000000b";

fn two_sites() -> String {
    format!("insert into sites values ('{A}', 'a'), ('{B}', 'b');")
}

/// Deletes the rows of site A by `sql`, restores, and compares with before.
async fn back_again(world: &mut World, delete: &str) -> reprise_model::Outcome {
    let before = world.everything().await;
    run(&mut world.now, delete).await;
    assert_ne!(world.everything().await, before);
    let outcome = world.comes_back(A).await;
    assert_eq!(world.everything().await, before);
    outcome
}

#[tokio::test]
async fn partitions_follow_their_root_and_inherited_tables_are_their_own() {
    let schema = format!(
        "{SITES}
        create table events (site_id uuid not null references sites, at date not null, what text) partition by range (at);
        create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
        create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01') partition by hash (site_id);
        create table events_2a partition of events_2 for values with (modulus 2, remainder 0);
        create table events_2b partition of events_2 for values with (modulus 2, remainder 1);
        create table notes (site_id uuid not null references sites, body text);
        create table long_notes (more text) inherits (notes);"
    );
    let rows = two_sites()
        + &format!(
            "insert into events select s.id, '2026-01-20'::date + g, 'e' || g from sites s, generate_series(1, 30) g;
             insert into notes select id, 'short' from sites; insert into long_notes select id, 'long', 'more' from sites;
             insert into long_notes values ('{A}', 'second', null);"
        );
    let mut world = World::new(&schema, &rows, tenant("sites.id", &[])).await;
    let outcome = back_again(
        &mut world,
        &format!("delete from events where site_id = '{A}'; delete from notes where site_id = '{A}'; delete from sites where id = '{A}'"),
    )
    .await;
    assert_eq!(outcome.output["tables"]["events"], 30);
    assert_eq!(outcome.output["tables"]["notes"], 1);
    assert_eq!(outcome.output["tables"]["long_notes"], 2);
    assert_eq!(outcome.output["tables"].as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn composite_keys_and_declared_keys_and_tables_without_a_key() {
    let schema = format!(
        "{SITES}
        create table issues (site_id uuid references sites, number int, primary key (site_id, number));
        create table labels (site_id uuid, number int, label text, foreign key (site_id, number) references issues match full);
        create table audit (tenant text, what text);
        create table weird (\"Site Id\" text, \"a\"\"b\" text);"
    );
    let rows = two_sites()
        + "insert into issues select id, g from sites, generate_series(1, 5) g;
           insert into labels select site_id, number, 'l' from issues; insert into labels select site_id, number, 'l' from issues;
           insert into labels values (null, null, 'of nobody');
           insert into audit select id::text, 'x' from sites; insert into weird select id::text, 'q' from sites;";
    let rules = tenant(
        "sites.id",
        &[("audit", "tenant"), ("public.weird", "Site Id")],
    );
    let mut world = World::new(&schema, &rows, rules).await;
    let outcome = back_again(
        &mut world,
        &format!("delete from labels where site_id = '{A}'; delete from issues where site_id = '{A}'; delete from sites where id = '{A}';
                  delete from audit where tenant = '{A}'; delete from weird where \"Site Id\" = '{A}'"),
    )
    .await;
    assert_eq!(outcome.output["tables"]["labels"], 10);
}

#[tokio::test]
async fn a_row_with_one_of_two_nullable_parents_belongs_through_either() {
    let schema = format!(
        "{SITES}
        create table issues (id int primary key, site_id uuid not null references sites);
        create table pages (id int primary key, site_id uuid not null references sites);
        create table comments (id int primary key, issue_id int references issues, page_id int references pages);"
    );
    let rows = two_sites()
        + &format!(
            "insert into issues values (1, '{A}'), (2, '{B}'); insert into pages values (1, '{A}'), (2, '{B}');
             insert into comments values (1, 1, null), (2, null, 1), (3, 2, null), (4, null, 2), (5, null, null);"
        );
    let mut world = World::new(&schema, &rows, tenant("sites.id", &[])).await;
    let outcome = back_again(
        &mut world,
        &format!("delete from comments where id < 3; delete from issues where id = 1; delete from pages where id = 1; delete from sites where id = '{A}'"),
    )
    .await;
    assert_eq!(outcome.output["tables"]["comments"], 2);
}

#[tokio::test]
async fn user_triggers_do_not_fire_and_stay_enabled_for_others() {
    let schema = format!(
        "{SITES}
        create table fired (n int); create table issues (id int primary key, site_id uuid not null references sites, title text);
        create function shout() returns trigger language plpgsql as
          'begin insert into fired values (1); new.title := upper(new.title); return new; end';
        create trigger shout before insert on issues for each row execute function shout();"
    );
    let rows = two_sites()
        + &format!(
            "insert into issues values (1, '{A}', 'a'), (2, '{B}', 'b'); update issues set title = 'quiet'; truncate fired;"
        );
    let mut world = World::new(&schema, &rows, tenant("sites.id", &[("fired", "ignored")])).await;
    back_again(
        &mut world,
        &format!("delete from issues where id = 1; delete from sites where id = '{A}'"),
    )
    .await;
    assert_eq!(
        text(&mut world.now, "select count(*) from fired").await,
        "0"
    );
    run(
        &mut world.now,
        &format!("insert into issues values (3, '{B}', 'c')"),
    )
    .await;
    assert_eq!(
        text(&mut world.now, "select title from issues where id = 3").await,
        "C"
    );
    run(&mut world.now, &format!("alter table issues enable always trigger shout; delete from issues where site_id = '{A}'; delete from sites where id = '{A}'")).await;
    world.scratch = world
        .shard
        .scratch(world.cluster.options(&world.names.0), 2);
    let fault = world.refused(A, "{}").await;
    assert!(
        fault.message.contains("shout on issues"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn rows_of_other_sites_that_point_in_are_counted_and_left_alone() {
    let schema = format!(
        "{SITES}
        create table issues (id int primary key, site_id uuid not null references sites, blocks int references issues);"
    );
    let rows = two_sites()
        + &format!(
            "insert into issues values (1, '{A}', null), (2, '{B}', 1), (3, '{B}', 1), (4, '{A}', 2);"
        );
    let mut world = World::new(&schema, &rows, tenant("sites.id", &[])).await;
    // The neighbour's references were cleared by the accident.
    run(&mut world.now, &format!("update issues set blocks = null where id in (2, 3); delete from issues where site_id = '{A}'; delete from sites where id = '{A}'")).await;
    world.restore(A, "{}").await.unwrap();
    let outcome = world.verify(A, "{}").await.unwrap();
    let evidence = &check(&outcome.checks, "references-in").evidence["from_other_sites"];
    assert_eq!(
        evidence["issues.issues_blocks_fkey"],
        serde_json::json!({ "then": 2, "now": 0 })
    );
    assert_eq!(
        text(
            &mut world.now,
            "select count(*) from issues where blocks is null"
        )
        .await,
        "3"
    );
}

#[tokio::test]
async fn a_parent_that_live_no_longer_has_is_a_refusal() {
    let schema = format!(
        "{SITES} create table people (id int primary key);
        create table issues (id int primary key, site_id uuid not null references sites, person int references people);"
    );
    let rows = two_sites()
        + &format!(
            "insert into people values (1), (2); insert into issues values (1, '{A}', 1), (2, '{B}', 2), (3, '{A}', 1);"
        );
    let mut world = World::new(&schema, &rows, tenant("sites.id", &[("people", "shared")])).await;
    run(&mut world.now, &format!("delete from issues where site_id = '{A}'; delete from sites where id = '{A}'; delete from people where id = 1")).await;
    let fault = world.refused(A, "{}").await;
    assert_eq!(fault.kind, reprise_model::FaultKind::Refused);
    assert!(
        fault.message.contains(
            "issues_person_fkey of issues refers to people that live no longer has: 2 row(s)"
        ),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_table_that_nobody_owns_stops_the_restore_by_name() {
    let schema = format!("{SITES} create table stray (id int); create table lost (id int);");
    let mut world = World::new(&schema, &two_sites(), tenant("sites.id", &[])).await;
    let fault = world.refused(A, "{}").await;
    assert!(
        fault.message.contains("nobody owns lost, stray"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn sequences_move_on_and_never_back() {
    let schema = "create table sites (id int primary key);
        create table a (id serial primary key, site_id int not null references sites);
        create table b (id bigint generated by default as identity (increment by -1) primary key, site_id int not null references sites);
        create table c (id int generated always as identity primary key, site_id int not null references sites);";
    let rows = "insert into sites values (1), (2); insert into a (site_id) select 1 from generate_series(1, 50);
        insert into b (site_id) select 1 from generate_series(1, 50); insert into c (site_id) select 1 from generate_series(1, 5000);";
    let mut world = World::new(schema, rows, tenant("sites.id", &[])).await;
    run(
        &mut world.now,
        "truncate a, b, c restart identity; delete from sites where id = 1",
    )
    .await;
    let outcome = world.comes_back("1").await;
    assert_eq!(outcome.output["sequences_moved"]["a_id_seq"], 50);
    for (sequence, next) in [
        ("a_id_seq", "51"),
        ("b_id_seq", "-51"),
        ("c_id_seq", "5001"),
    ] {
        let sql = format!("select nextval('{sequence}')");
        assert_eq!(text(&mut world.now, &sql).await, next, "{sequence}");
    }
    run(
        &mut world.now,
        "truncate a, b, c; delete from sites where id = 1; select setval('a_id_seq', 900)",
    )
    .await;
    world.comes_back("1").await;
    assert_eq!(
        text(&mut world.now, "select nextval('a_id_seq')").await,
        "901"
    );
}
