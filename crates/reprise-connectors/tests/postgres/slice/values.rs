//! Values of every type come back as they were, in binary or in text.

use super::cluster::{run, text};
use super::world::{World, tenant};

const SCHEMA: &str = r#"
create table sites (id text primary key);
create type mood as enum ('sad', 'it''s ok', 'happy');
create type pair as (x int, y text);
create domain percent as int check (value between 0 and 100);
create table plain (id int primary key, site text not null references sites, m mood, ms mood, p percent,
  i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision, b boolean, t text, v varchar(10), c char(5), y bytea, u uuid,
  d date, ts timestamp, tz timestamptz, iv interval, ti time, j json, jb jsonb, ip inet, r int4range, nr numrange, tr tstzrange,
  ints int[], texts text[], ts_v tsvector, bits bit(3), mac macaddr, pt point, "money" money);
create table textual (id int primary key, site text not null references sites, moods mood[], p pair, ps pair[], d percent[], rc regclass);
"#;

const ROWS: &str = r#"
insert into sites values ('a'), ('o''brien \ "x"'), ('b');
insert into plain select g, s, 'it''s ok', 'sad', 42, -1, 9007199254740993, 'NaN', 0.1, 1e-300, true, E'tab\t nl\n \\N "q" ü €', 'v', 'ab',
  '\x00ff00', '00000000-0000-0000-0000-00000000000a', '2026-02-28', 'infinity', '2026-03-29 02:30:00.123456+02', '1 mon -2 days 03:04:05.6',
  '24:00', '{"a" : 1, "a":2}', '{"b": [1, 2.50, null]}', '10.0.0.1/24', '[1,5)', 'empty', '[2026-01-01 00:00+00,)',
  '{{1,2},{3,null}}', array['a,b', null, '', '{"'], 'fat cats', '101', '08:00:2b:01:02:03', '(1.5,-2)', 12.34
  from (values (1, 'a'), (2, 'o''brien \ "x"'), (3, 'b')) v(g, s);
insert into plain (id, site) select g, s from (values (11, 'a'), (12, 'o''brien \ "x"')) v(g, s);
insert into textual select g, s, '{sad,happy,NULL}', '(1,"a,b")', array['(2,)'::pair, null], '{1,100}', 'pg_class'
  from (values (1, 'a'), (2, 'o''brien \ "x"')) v(g, s);
"#;

const SITE: &str = "o'brien \\ \"x\"";

#[tokio::test]
async fn values_of_every_type_come_back() {
    let mut world = World::new(SCHEMA, "select 1", tenant("sites.id", &[])).await;
    // Other object ids in live than at T.
    run(&mut world.now, "drop table textual, plain; drop type mood, pair cascade; drop domain percent; drop table sites").await;
    run(&mut world.now, SCHEMA).await;
    for end in [&mut world.then, &mut world.now] {
        run(end, ROWS).await;
    }
    let before = world.everything().await;
    run(
        &mut world.now,
        "delete from textual where id = 2; delete from plain where id in (2, 12);
        delete from sites where id like 'o%'",
    )
    .await;
    world.comes_back(SITE).await;
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn column_order_and_session_defaults_do_not_matter() {
    let mut world = World::new(
        "create table sites (id int primary key); create table t (a int, site int not null references sites, at timestamptz, f float8, y bytea)",
        "insert into sites values (1), (2)",
        tenant("sites.id", &[]),
    )
    .await;
    let name = world.names.1.clone();
    run(&mut world.now, &format!(
        "drop table t; create table t (y bytea, f float8, at timestamptz, site int not null references sites, a int, added text default 'new');
         alter database {name} set timezone to 'Asia/Kolkata'; alter database {name} set datestyle to 'SQL, DMY';
         alter database {name} set bytea_output to 'escape'; alter database {name} set extra_float_digits to -5;
         delete from sites where id = 1"
    )).await;
    run(&mut world.then, "insert into t select g, 1, '2026-03-01 12:00+00'::timestamptz + g * interval '1 day', g / 3.0, decode('00ff', 'hex') from generate_series(1, 40) g").await;
    world.comes_back("1").await;
    assert_eq!(
        text(
            &mut world.now,
            "select sum(a) from t where added = 'new' and f = a / 3.0::float8 and y = '\\x00ff'"
        )
        .await,
        "820"
    );
}

#[tokio::test]
async fn large_values_stream() {
    let mut world = World::new(
        "create table sites (id int primary key); create table files (id int primary key, site int not null references sites, data bytea, note text)",
        "insert into sites values (1), (2)",
        tenant("sites.id", &[]),
    )
    .await;
    run(&mut world.then, "insert into files select g, 1, decode(repeat(md5(g::text), 1 << 20), 'hex'), repeat('x', 20 << 20) from generate_series(1, 4) g").await;
    run(&mut world.now, "delete from sites where id = 1").await;
    let outcome = world.comes_back("1").await;
    assert!(
        outcome.volume.bytes > 4 * (36 << 20),
        "{:?}",
        outcome.volume
    );
    let progress = world.recorder.progress.lock().unwrap();
    let mut seen: Vec<u64> = progress.iter().map(|p| p.volume.bytes).collect();
    seen.dedup();
    assert!(seen.len() > 4, "progress is told as rows go by: {seen:?}");
}

#[tokio::test]
async fn large_objects_are_refused_by_name() {
    let mut world = World::new(
        "create table sites (id int primary key); create table files (site int not null references sites, object oid)",
        "insert into sites values (1), (2); insert into files values (1, lo_create(0)), (1, 4294967295), (1, null)",
        tenant("sites.id", &[]),
    )
    .await;
    run(
        &mut world.now,
        "delete from files; delete from sites where id = 1",
    )
    .await;
    let fault = world.refused("1", "{}").await;
    assert!(
        fault.message.contains("files.object: 1"),
        "{}",
        fault.message
    );
    run(
        &mut world.then,
        "delete from files where object < 4294967295",
    )
    .await;
    world.comes_back("1").await;
}
