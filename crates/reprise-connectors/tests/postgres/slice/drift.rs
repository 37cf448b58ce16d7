//! Live's schema is not what it was at T.

use reprise_model::FaultKind;

use super::cluster::{run, text};
use super::world::{World, tenant};

async fn after(change: &str) -> World {
    let mut world = World::new(
        "create type mood as enum ('sad', 'happy'); create table sites (id int primary key);
         create table t (id int primary key, site int not null references sites, a text, b varchar(10), m mood, empty text)",
        "insert into sites values (1), (2); insert into t values (1, 1, 'a', 'b', 'sad', null), (2, 2, 'c', 'd', 'happy', null)",
        tenant("sites.id", &[]),
    )
    .await;
    run(
        &mut world.now,
        "delete from t where site = 1; delete from sites where id = 1",
    )
    .await;
    run(&mut world.now, change).await;
    world
}

#[tokio::test]
async fn what_can_be_carried_is_carried() {
    for change in [
        "alter table t add x int default 7",
        "alter table t add x text",
        "alter table t add x int generated always as identity",
        "alter table t add x int generated always as (id * 2) stored",
        "alter table t drop empty",
        "alter table t alter id type bigint",
        "alter table t alter b type text",
        "alter table t alter b type varchar(20)",
        "alter table t alter m type text",
        "alter type mood add value 'so-so'",
    ] {
        let mut world = after(change).await;
        world.comes_back("1").await;
        let sql = "select id || a || b || m from t where site = 1";
        assert_eq!(text(&mut world.now, sql).await, "1absad", "{change}");
    }
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_by_name() {
    for (change, named) in [
        (
            "alter table t add x int not null default 1; alter table t alter x drop default",
            "new column x that is not null",
        ),
        ("alter table t drop a", "column a is gone"),
        (
            "alter table t rename a to z",
            "column a is gone from live and holds data; it seems to have been renamed to z",
        ),
        (
            "alter table t rename to tt",
            "table t is gone from live; it seems to have been renamed to tt",
        ),
        (
            "alter table t alter b type varchar(5)",
            "column b was character varying(10) and is character varying(5)",
        ),
        (
            "alter table t alter id type smallint",
            "column id was integer and is smallint",
        ),
        (
            "alter table t drop a, add a text generated always as (b::text) stored",
            "column a is now generated",
        ),
        (
            "alter table t alter m type text; drop type mood; create type mood as enum ('happy'); alter table t alter m type mood using m::mood",
            "has lost sad",
        ),
    ] {
        let mut world = after(change).await;
        let fault = world.refused("1", "{}").await;
        assert_eq!(fault.kind, FaultKind::Refused, "{change}");
        assert!(fault.message.contains(named), "{change}: {}", fault.message);
    }
}

#[tokio::test]
async fn a_mended_schema_is_seen_by_the_next_attempt() {
    let mut world = after("alter table t rename a to z").await;
    world.refused("1", "{}").await;
    run(&mut world.now, "alter table t rename z to a").await;
    world.comes_back("1").await;
}
