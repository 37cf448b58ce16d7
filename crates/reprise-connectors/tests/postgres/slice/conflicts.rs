//! Live rows in the way, of the site and of its neighbours.

use reprise_model::FaultKind;

use super::cluster::{run, text};
use super::world::{World, check, tenant};

const SCHEMA: &str = "
create table sites (id int primary key);
create table users (id int primary key, site int not null references sites, email text unique, handle text);
create unique index handles on users (lower(handle)) where handle is not null;
create table posts (id int primary key, author int not null references users, body text);
create table log (site int not null references sites, line text);
create table likes (site int not null references sites, post int not null references posts);
";
const ROWS: &str = "
insert into sites values (1), (2);
insert into users select g, g % 2 + 1, 'u' || g, 'h' || g from generate_series(1, 10) g;
insert into posts select g, g % 10 + 1, 'p' || g from generate_series(1, 40) g;
insert into log select g % 2 + 1, 'same' from generate_series(1, 8) g;
";
const DELETE_1: &str = "
delete from likes; delete from log where site = 1; delete from posts where author in (select id from users where site = 1);
delete from users where site = 1; delete from sites where id = 1;
";

async fn world() -> World {
    World::new(SCHEMA, ROWS, tenant("sites.id", &[])).await
}

#[tokio::test]
async fn live_rows_of_the_site_are_a_refusal_with_counts() {
    let mut world = world().await;
    run(&mut world.now, DELETE_1).await;
    run(
        &mut world.now,
        "insert into sites values (1); insert into users values (101, 1, 'n1'), (102, 1, 'n2')",
    )
    .await;
    let fault = world.refused("1", "{}").await;
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("sites: 1, users: 2"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn keep_adds_what_is_missing_and_live_wins() {
    let mut world = world().await;
    run(
        &mut world.now,
        "delete from posts where id in (1, 3, 21); update users set email = 'mine' where id = 2;
        delete from log where ctid in (select ctid from log where site = 1 limit 1)",
    )
    .await;
    let outcome = world
        .restore("1", r#"{"on_conflict": "keep"}"#)
        .await
        .unwrap();
    assert_eq!(outcome.output["tables"]["posts"], 3);
    assert_eq!(outcome.output["tables"]["log"], 1);
    assert_eq!(outcome.output["kept"]["users"], 5);
    assert_eq!(
        text(&mut world.now, "select email from users where id = 2").await,
        "mine"
    );
    assert_eq!(
        text(&mut world.now, "select count(*) from posts").await,
        "40"
    );
    let outcome = world
        .verify("1", r#"{"on_conflict": "keep"}"#)
        .await
        .unwrap();
    let users = &check(&outcome.checks, "slice-rows").evidence["tables"]["users"];
    assert_eq!(users["live_differs_by_choice"], 1);
    run(&mut world.now, "delete from posts where id = 1").await;
    let fault = world
        .verify("1", r#"{"on_conflict": "keep"}"#)
        .await
        .unwrap_err();
    assert_eq!(
        check(&fault.checks, "slice-rows").evidence["missing"][0],
        "posts"
    );
}

#[tokio::test]
async fn replace_puts_the_slice_in_the_place_of_live_rows() {
    let mut world = world().await;
    let before = world.everything().await;
    run(&mut world.now, "update users set email = 'other' where site = 1 and id = 2; insert into posts values (99, 2, 'new'); delete from posts where id = 1").await;
    let outcome = world
        .restore("1", r#"{"on_conflict": "replace"}"#)
        .await
        .unwrap();
    assert_eq!(outcome.output["replaced"]["posts"], 20);
    assert_eq!(world.everything().await, before);
    world.verify("1", "{}").await.unwrap();
}

#[tokio::test]
async fn replace_does_not_take_away_what_a_neighbour_refers_to() {
    let mut world = world().await;
    run(
        &mut world.now,
        "insert into posts values (99, 2, 'new'); insert into likes values (2, 99)",
    )
    .await;
    let fault = world.refused("1", r#"{"on_conflict": "replace"}"#).await;
    assert!(
        fault
            .message
            .contains("1 row(s) of posts that other sites' rows in likes refer to"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_unique_value_that_a_neighbour_has_taken_is_a_refusal() {
    for with in ["{}", r#"{"on_conflict": "keep"}"#] {
        let mut world = world().await;
        run(&mut world.now, DELETE_1).await;
        run(&mut world.now, "insert into users values (201, 2, 'u4')").await;
        let fault = world.refused("1", with).await;
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(
            fault.message.contains("users_email_key"),
            "{}",
            fault.message
        );
        run(
            &mut world.now,
            "update users set email = 'x', handle = 'H4' where id = 201",
        )
        .await;
        let fault = world.refused("1", with).await;
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains("users"), "{}", fault.message);
    }
}
