//! A slice's restore in MariaDB against `mariadb-dump --where | mariadb` of the
//! same rows.
//!
//! `cargo run --release -p reprise-connectors --example mariadb_bench -- [--rows N] [--rounds N]`
//!
//! It starts two servers of its own. Both get one site with N rows of about 160
//! bytes among 19 with a tenth of it each. The site is deleted from one of them
//! and put back again and again, by each way in turn: by a dump of the other
//! one, as a script would do it, and by a restore from a backup that was
//! recovered to T, which looks for rows in the way, checks foreign keys and
//! commits with a mark, in one transaction. Each round is checked row by row.

use std::process::Command;
use std::time::{Duration, Instant};

use reprise_model::{Action, Timestamp};
use reprise_ports::Connector;
use sqlx::{ConnectOptions, MySqlConnection};

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/mariadb/mariadb/world.rs"]
mod world;

use world::{Recorder, Server, call, run, text};

const SITE: &str = "7";
const SITES: u64 = 20;
/// Of so many rows in a row the large site has [`LARGE`], each other site one.
const CYCLE: u64 = LARGE + SITES - 1;
const LARGE: u64 = 10;
/// What a server with work to do has; the same for both ways.
const SETTINGS: [&str; 2] = ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G"];
const SCHEMA: &str = "create database app; use app;
create table countries (code char(2) primary key);
create table sites (id int primary key, name varchar(40) not null);
create table items (id int primary key, site_id int not null, number int not null, made datetime not null,
  state varchar(10) not null, title varchar(100) not null, body text not null,
  foreign key (site_id) references sites (id));";
const SUM: &str = "select concat(count(*), ' ', ifnull(bit_xor(conv(left(md5(concat_ws('|', id, site_id, number, made, state, title, body)), 16), 16, 10)), 0))
  from app.items where site_id = 7";

#[tokio::main]
async fn main() {
    let (mut rows, mut rounds) = (200_000, 5);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().and_then(|value| value.parse().ok());
        let value = value.unwrap_or_else(|| panic!("{word} wants a number"));
        match word.as_str() {
            "--rows" => rows = value,
            "--rounds" => rounds = value,
            _ => panic!("{word} is not an option"),
        }
    }
    let (then, now) = (
        Server::start(&SETTINGS).await,
        Server::start(&SETTINGS).await,
    );
    let (expected, mut live) = tokio::join!(fill(&then, rows), fill(&now, rows));
    let expected = text(&mut { expected }, SUM).await;
    now.backup("b1");
    let target = next_second();
    let (connector, _scratch) = now.connector("root", "");
    let recorder = Recorder::default();
    // The log must have gone on, so that T is known to be reached.
    run(&mut live, "insert into app.countries values ('de')").await;
    let recover = call(Action::Recover, target, None);
    connector
        .perform(&recover, &recorder)
        .await
        .expect("it is recovered");

    let (mut piped, mut restored) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        clear(&mut live).await;
        piped.push(pipe(then.port, now.port));
        assert_eq!(text(&mut live, SUM).await, expected, "after the pipe");
        clear(&mut live).await;
        let start = Instant::now();
        let restore = call(Action::Restore, target, Some(SITE));
        connector
            .perform(&restore, &recorder)
            .await
            .expect("it is restored");
        restored.push(start.elapsed());
        assert_eq!(text(&mut live, SUM).await, expected, "after the restore");
    }
    let all: f64 = expected
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a count");
    let restore = median(&mut restored);
    for (what, mut times) in [
        ("mariadb-dump | mariadb", piped),
        ("reprise restore", restored),
    ] {
        let time = median(&mut times);
        println!(
            "{what:<25} {time:>7.2} s  {:>9.0} rows/s  restore / this {:.2}",
            all / time,
            time / restore
        );
    }
    connector.close().await;
}

async fn fill(server: &Server, rows: u64) -> MySqlConnection {
    let mut connection = server.options(None).connect().await.expect("a connection");
    run(&mut connection, SCHEMA).await;
    let all = rows * CYCLE / LARGE;
    let fill = format!(
        "insert into sites select seq, concat('site ', seq) from seq_1_to_{SITES};
         insert into items select seq, case when seq % {CYCLE} < {LARGE} then {SITE}
             when seq % {CYCLE} - {LARGE} + 1 < {SITE} then seq % {CYCLE} - {LARGE} + 1
             else seq % {CYCLE} - {LARGE} + 2 end,
           seq, '2026-03-01' + interval seq second, 'open', concat('item number ', seq),
           concat(md5(seq), md5(seq + 1)) from seq_1_to_{all};
         analyze table items"
    );
    run(&mut connection, &fill).await;
    connection
}

async fn clear(live: &mut MySqlConnection) {
    let delete = format!(
        "delete from app.items where site_id = {SITE}; delete from app.sites where id = {SITE}"
    );
    run(live, &delete).await;
}

/// What a script would do: one dump a table, parents first.
fn pipe(then: u16, now: u16) -> Duration {
    let start = Instant::now();
    for (table, key) in [("sites", "id"), ("items", "site_id")] {
        let script = format!(
            "set -o pipefail
             mariadb-dump --no-defaults -h127.0.0.1 -P{then} -uroot --single-transaction --no-create-info --where='{key} = {SITE}' app {table} |
             mariadb --no-defaults -h127.0.0.1 -P{now} -uroot app"
        );
        let status = Command::new("bash").args(["-c", &script]).status();
        assert!(status.expect("bash runs").success(), "the pipe failed");
    }
    start.elapsed()
}

/// Everything so far is before it.
fn next_second() -> Timestamp {
    let now = jiff::Timestamp::now().as_second();
    let target = Timestamp::from_micros((now + 1) * 1_000_000);
    while jiff::Timestamp::now().as_second() <= now + 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
    target
}

/// In seconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}
