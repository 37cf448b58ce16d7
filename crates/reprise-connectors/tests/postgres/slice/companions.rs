//! Sites of one batch whose rows refer to each other's.

use reprise_model::{FaultKind, Outcome, SiteId};
use serde_json::Value;

use super::cluster::{connect, run, text};
use super::world::{Recorder, World, check, options, tenant};

/// `links` and `link_notes` go with what they refer to; `notes` reply to each
/// other over any number of steps; `tags` has no key at all.
const SCHEMA: &str = "
create table sites (id int primary key);
create table issues (id int primary key, site int not null references sites, title text,
  duplicate_of int references issues on delete set null, blocked_by int references issues);
create table links (id int primary key, site int not null references sites, source int not null references issues, target int not null references issues);
create table link_notes (id int primary key, link int not null references links, body text);
create table notes (id int primary key, site int not null references sites, issue int not null references issues, reply_to int references notes);
create table tags (issue int not null references issues, other int not null references issues, tag text);
";
/// Issues 10 to 19 are site 1's, 20 to 29 site 2's, and so on.
const ROWS: &str = "
insert into sites select generate_series(1, 4);
insert into issues select s * 10 + n, s, 'issue ' || n from generate_series(1, 4) s, generate_series(0, 9) n;
insert into links values (1, 1, 10, 11), (2, 1, 12, 13), (3, 2, 20, 21);
insert into link_notes select id, id, 'inside' from links;
insert into notes values (1, 1, 10, null), (2, 1, 10, 1);
insert into tags values (10, 11, 'own'), (10, 11, 'own');
";
/// Site 1 refers to site 2.
const ONE_TO_TWO: &str = "
insert into links values (4, 1, 14, 20); insert into link_notes values (4, 4, 'chain');
update issues set duplicate_of = 21 where id = 15;
insert into notes values (10, 1, 22, null), (11, 1, 10, 10), (12, 1, 10, 11), (13, 1, 10, 12);
insert into tags values (10, 20, 'across'), (10, 20, 'across');
";
const TWO_TO_ONE: &str = "
insert into links values (5, 2, 24, 16); insert into link_notes values (5, 5, 'back');
update issues set duplicate_of = 17 where id = 25;
update issues set blocked_by = 18 where id = 26;
insert into tags values (26, 27, 'of one that waits');
";
const DELETE_1_AND_2: &str = "
set session_replication_role = replica;
delete from tags where issue between 10 and 29; delete from link_notes where link in (select id from links where site < 3);
delete from notes where site < 3; delete from links where site < 3; delete from issues where site < 3; delete from sites where id < 3;
set session_replication_role = origin;
";
/// Rows of live whose parent is not there, whatever the table.
const DANGLING: &str = "
select (select count(*) from issues i where not exists (select 1 from sites s where s.id = i.site)
    or duplicate_of is not null and not exists (select 1 from issues q where q.id = i.duplicate_of)
    or blocked_by is not null and not exists (select 1 from issues q where q.id = i.blocked_by))
  + (select count(*) from links l where not exists (select 1 from issues q where q.id = l.source) or not exists (select 1 from issues q where q.id = l.target))
  + (select count(*) from link_notes n where not exists (select 1 from links q where q.id = n.link))
  + (select count(*) from notes n where not exists (select 1 from issues q where q.id = n.issue) or reply_to is not null and not exists (select 1 from notes q where q.id = n.reply_to))
  + (select count(*) from tags t where not exists (select 1 from issues q where q.id = t.issue) or not exists (select 1 from issues q where q.id = t.other))";

/// Sites 1 and 2 are deleted from live, and are a batch.
async fn world(references: &str) -> World {
    let rows = format!("{ROWS}{references}");
    let mut world = World::new(SCHEMA, &rows, tenant("sites.id", &[])).await;
    run(&mut world.now, DELETE_1_AND_2).await;
    world.companions = vec![SiteId::from("1"), SiteId::from("2")];
    world
}

async fn restored(world: &mut World, site: &str) -> Outcome {
    let outcome = world.comes_back(site).await;
    assert_eq!(
        text(&mut world.now, DANGLING).await,
        "0",
        "after site {site}"
    );
    outcome
}

async fn as_at_t(world: &mut World) {
    let then = super::world::dump(&mut world.then).await;
    assert_eq!(world.everything().await, then);
    for site in ["1", "2"] {
        let verified = world.verify(site, "{}").await.unwrap();
        let evidence = &check(&verified.checks, "companions").evidence;
        assert_eq!(evidence["postponed"], Value::Object(Default::default()));
    }
}

#[tokio::test]
async fn what_refers_to_an_absent_site_comes_back_with_it() {
    let mut world = world(ONE_TO_TWO).await;
    let first = restored(&mut world, "1").await;
    let postponed = &first.output["postponed"];
    assert_eq!(postponed["links"], 1);
    assert_eq!(postponed["link_notes"], 1);
    assert_eq!(postponed["notes"], 4, "a chain of replies waits as a whole");
    assert_eq!(postponed["tags"], 2);
    assert_eq!(postponed["issues.duplicate_of"], 1);
    assert_eq!(first.output["waits_for"]["2"]["links"], 1);
    let title = "select title || coalesce(duplicate_of, -1) from issues where id = 15";
    assert_eq!(text(&mut world.now, title).await, "issue 5-1");

    let second = restored(&mut world, "2").await;
    assert!(!second.output.contains_key("postponed"));
    assert_eq!(second.output["brought_back"]["notes"], 4);
    assert_eq!(second.output["brought_back"]["tags"], 2);
    assert_eq!(
        second.output["references_filled_in"]["issues.duplicate_of"],
        1
    );
    as_at_t(&mut world).await;
}

#[tokio::test]
async fn nothing_waits_where_the_other_site_is_there_first() {
    let mut world = world(ONE_TO_TWO).await;
    for site in ["2", "1"] {
        let outcome = restored(&mut world, site).await;
        assert!(!outcome.output.contains_key("postponed"), "{outcome:?}");
        assert!(!outcome.output.contains_key("brought_back"), "{outcome:?}");
    }
    as_at_t(&mut world).await;
}

#[tokio::test]
async fn sites_that_refer_to_each_other_come_back_in_either_order() {
    for order in [["1", "2"], ["2", "1"]] {
        let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
        for site in order {
            restored(&mut world, site).await;
        }
        as_at_t(&mut world).await;
    }
}

#[tokio::test]
async fn two_that_come_back_at_once_do_not_miss_each_other() {
    for _ in 0..8 {
        let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
        let (one, two) = tokio::join!(world.restore("1", "{}"), world.restore("2", "{}"));
        one.unwrap();
        two.unwrap();
        as_at_t(&mut world).await;
    }
}

#[tokio::test]
async fn a_restore_waits_for_the_commit_of_a_linked_one() {
    let mut world = world(ONE_TO_TWO).await;
    let other = Recorder::default();
    world.recorder.hold_mark = Some(Default::default());
    let second = async {
        let (reached, go_on) = world.recorder.hold_mark.as_ref().unwrap();
        reached.notified().await;
        let (site, none) = (SiteId::from("2"), options("{}"));
        let restore = world
            .shard
            .restore(&world.scratch, &site, &world.companions, &none, &other);
        let released = async {
            while !other.told("waiting for the restore of a linked site") {
                tokio::task::yield_now().await;
            }
            go_on.notify_one();
        };
        tokio::join!(restore, released).0
    };
    let (first, second) = tokio::join!(world.restore("1", "{}"), second);
    assert!(first.unwrap().output.contains_key("postponed"));
    assert!(second.unwrap().output.contains_key("brought_back"));
    world.recorder.hold_mark = None;
    as_at_t(&mut world).await;
}

#[tokio::test]
async fn a_site_whose_companion_never_comes_is_whole_without_it() {
    let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
    restored(&mut world, "1").await;
    let verified = world.verify("1", "{}").await.unwrap();
    let evidence = &check(&verified.checks, "companions").evidence;
    assert_eq!(evidence["waits_for"]["2"]["tags"], 2);
    assert_eq!(evidence["linked_sites"], 1);
    run(&mut world.now, "delete from issues where id = 19").await;
    let fault = world.verify("1", "{}").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
}

#[tokio::test]
async fn what_users_have_done_in_between_is_left_alone() {
    let mut world = world(ONE_TO_TWO).await;
    restored(&mut world, "1").await;
    // An issue without references, one that a waiting link comes from, and one
    // whose reference was given another meaning.
    run(
        &mut world.now,
        "delete from issues where id in (19, 14); update issues set duplicate_of = 10 where id = 15;
         delete from notes where id = 2",
    )
    .await;
    let outcome = restored(&mut world, "2").await;
    assert_eq!(outcome.output["left_out"]["links"], 1);
    assert_eq!(outcome.output["left_out"]["link_notes"], 1);
    let gone = "select count(*) from issues where id in (19, 14)";
    assert_eq!(text(&mut world.now, gone).await, "0");
    assert_eq!(
        text(&mut world.now, "select count(*) from notes where id = 2").await,
        "0"
    );
    let kept = "select duplicate_of from issues where id = 15";
    assert_eq!(text(&mut world.now, kept).await, "10");
}

#[tokio::test]
async fn a_waiting_row_that_is_lost_again_fails_the_verification() {
    let mut world = world(ONE_TO_TWO).await;
    restored(&mut world, "1").await;
    restored(&mut world, "2").await;
    run(&mut world.now, "delete from notes where id = 13").await;
    let fault = world.verify("2", "{}").await.unwrap_err();
    let evidence = &check(&fault.checks, "companions").evidence;
    assert_eq!(evidence["of_others"]["notes"]["missing"], 1);
}

#[tokio::test]
async fn what_leans_on_two_sites_comes_with_the_second() {
    let rows = format!(
        "{ROWS} insert into links values (6, 3, 20, 10); insert into link_notes values (6, 6, 'both')"
    );
    let mut world = World::new(SCHEMA, &rows, tenant("sites.id", &[])).await;
    run(
        &mut world.now,
        &DELETE_1_AND_2.replace("< 3", "< 4").replace("29", "39"),
    )
    .await;
    world.companions = ["1", "2", "3"].map(SiteId::from).to_vec();
    let third = restored(&mut world, "3").await;
    assert_eq!(third.output["postponed"]["links"], 1);
    assert!(
        !restored(&mut world, "1")
            .await
            .output
            .contains_key("brought_back")
    );
    assert_eq!(
        restored(&mut world, "2").await.output["brought_back"]["links"],
        1
    );
    as_at_t(&mut world).await;
}

#[tokio::test]
async fn a_site_that_nothing_refers_to_takes_no_lock() {
    let mut world = world("").await;
    let mut other = connect(&world.live_options).await;
    run(&mut other, "begin; select pg_advisory_xact_lock(hashtextextended('reprise: references between sites', 0))").await;
    for site in ["1", "2"] {
        let outcome = world.comes_back(site).await;
        assert!(!outcome.output.contains_key("waits_for"));
    }
    run(&mut other, "rollback").await;
    let then = super::world::dump(&mut world.then).await;
    assert_eq!(world.everything().await, then);
}

#[tokio::test]
async fn keep_and_replace_know_companions_too() {
    for with in [
        r#"{"on_conflict": "keep"}"#,
        r#"{"on_conflict": "replace"}"#,
    ] {
        let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
        for site in ["1", "2", "1"] {
            world.restore(site, with).await.unwrap();
            world.verify(site, with).await.unwrap();
            assert_eq!(text(&mut world.now, DANGLING).await, "0");
        }
        as_at_t(&mut world).await;
    }
}

#[tokio::test]
async fn a_role_that_cannot_be_a_replica_brings_them_back_too() {
    let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
    run(
        &mut world.now,
        "do $$ begin create role linker login; exception when duplicate_object then null; end $$;
         grant select, insert, update, delete on all tables in schema public to linker",
    )
    .await;
    world.as_role("linker", tenant("sites.id", &[]));
    for site in ["1", "2"] {
        let outcome = restored(&mut world, site).await;
        assert_eq!(outcome.output["mode"], "deferred");
    }
    as_at_t(&mut world).await;
    run(&mut world.now, "drop owned by linker").await;
}

#[tokio::test]
async fn a_parent_that_nobody_brings_back_is_named_with_the_rows() {
    let mut world = world(&format!("{ONE_TO_TWO}{TWO_TO_ONE}")).await;
    run(
        &mut world.then,
        "insert into links values (90, 1, 10, 30), (91, 1, 10, 30)",
    )
    .await;
    run(&mut world.now, "delete from issues where id = 30").await;
    let fault = world.refused("1", "{}").await;
    assert_eq!(fault.kind, FaultKind::Refused);
    for part in ["links_target_fkey of links", "2 row(s)", "id 90, 91"] {
        assert!(fault.message.contains(part), "{}", fault.message);
    }
}
