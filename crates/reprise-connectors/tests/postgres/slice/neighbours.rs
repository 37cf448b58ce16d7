//! What a neighbour can feel of a restore that is about to commit: nothing,
//! except that rows which the slice refers to cannot be deleted under it.

use super::cluster::{connect, run, text};
use super::world::{World, tenant};

const SCHEMA: &str = "
create table rates (id int primary key, name text);
create table sites (id int primary key, name text);
create table t (id serial primary key, site int not null references sites, rate int references rates, up int references t, unique (site, id));
create function loud() returns trigger language plpgsql as 'begin new.rate := 2; return new; end';
create trigger loud before update on t for each row execute function loud();
";
const ROWS: &str = "
insert into rates values (1, 'a'), (2, 'b'), (3, 'c'); insert into sites values (1), (2);
insert into t (site, rate) select g % 2 + 1, 1 from generate_series(1, 20) g;
";

/// Locks that any session would feel only if it wanted to change definitions.
const HEAVY: &str = "
select string_agg(distinct l.mode, ', ') from pg_locks l join pg_stat_activity a using (pid)
where a.application_name = 'reprise' and a.datname = current_database() and l.locktype = 'relation' and l.granted
  and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')";

#[tokio::test]
async fn neighbours_go_on_while_a_restore_is_about_to_commit() {
    let rules = tenant("sites.id", &[("rates", "shared")]);
    let mut world = World::new(SCHEMA, ROWS, rules).await;
    run(
        &mut world.now,
        "delete from t where site = 1; delete from sites where id = 1",
    )
    .await;
    world.recorder.hold_mark = Some(Default::default());
    let mut neighbour = connect(&world.live_options).await;
    let meanwhile = async {
        let (reached, go_on) = world.recorder.hold_mark.as_ref().unwrap();
        reached.notified().await;
        assert_eq!(text(&mut neighbour, HEAVY).await, "");
        run(&mut neighbour, "set lock_timeout = '2s'; insert into t (site, rate) values (2, 1);
            update t set up = id where site = 2; delete from t where site = 2 and id < 5; update rates set name = 'x';
            delete from rates where id = 3; insert into sites values (3)").await;
        assert_eq!(
            text(
                &mut neighbour,
                "select count(*) filter (where rate = 2) = count(*) from t"
            )
            .await,
            "true"
        );
        assert_eq!(
            text(&mut neighbour, "select count(*) from t where site = 1").await,
            "0"
        );
        let held = sqlx::raw_sql("set lock_timeout = '100ms'; delete from rates where id = 1");
        let error = held.execute(&mut neighbour).await.unwrap_err();
        assert_eq!(
            error.as_database_error().and_then(|e| e.code()).as_deref(),
            Some("55P03")
        );
        go_on.notify_one();
    };
    let (restored, ()) = tokio::join!(world.restore("1", "{}"), meanwhile);
    restored.unwrap();
    world.recorder.hold_mark = None;
    world.verify("1", "{}").await.unwrap();
}

#[tokio::test]
async fn two_restores_of_one_site_do_not_meet() {
    let rules = || tenant("sites.id", &[("rates", "shared")]);
    let mut world = World::new(SCHEMA, ROWS, rules()).await;
    run(
        &mut world.now,
        "delete from t where site = 1; delete from sites where id = 1",
    )
    .await;
    world.recorder.hold_mark = Some(Default::default());
    let second = async {
        let (reached, go_on) = world.recorder.hold_mark.as_ref().unwrap();
        reached.notified().await;
        let fault = world.restore("1", "{}").await.unwrap_err();
        go_on.notify_one();
        fault
    };
    let (first, fault) = tokio::join!(world.restore("1", "{}"), second);
    first.unwrap();
    assert_eq!(fault.kind, reprise_model::FaultKind::Temporary);
    assert!(fault.message.contains("under way"), "{}", fault.message);
}
