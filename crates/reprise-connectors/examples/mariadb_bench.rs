//! A slice's restore in MariaDB against `mariadb-dump --where | mariadb` of the
//! same rows, and against the server's own bulk load.
//!
//! `cargo run --release -p reprise-connectors --example mariadb_bench -- [--rows N] [--tables N] [--rounds N]`
//!
//! It starts two servers of its own. Both get one site with N rows of about 160
//! bytes, over that many tables, among 19 with a tenth of it each. The site is
//! deleted from one of them and put back again and again, by each way in turn:
//! by a dump of the other one, as a script would do it; by a restore from a
//! backup that was recovered to T, which looks for rows in the way, checks
//! foreign keys and commits with a mark, in one transaction; and by `load data`
//! from files that lie ready, as fast as that server takes rows from anybody.
//! After each, the rows are compared.

use std::path::Path;
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
/// What a server with work to do has, and commits as durable as by default.
const SETTINGS: [&str; 4] = [
    "--innodb-buffer-pool-size=1G",
    "--innodb-log-file-size=1G",
    "--innodb-flush-log-at-trx-commit=1",
    "--local-infile=1",
];
const SCHEMA: &str = "create database app; use app;
create table countries (code char(2) primary key);
create table sites (id int primary key, name varchar(40) not null);";
const ITEMS: &str =
    "(id int primary key, site_id int not null, number int not null, made datetime not null,
  state varchar(10) not null, title varchar(100) not null, body text not null,
  foreign key (site_id) references sites (id))";

/// The tables below `sites`.
struct Tables(u64);

impl Tables {
    fn names(&self) -> impl Iterator<Item = String> {
        (1..=self.0).map(|number| format!("items{number}"))
    }

    fn each(&self, sql: impl Fn(&str) -> String) -> String {
        self.names().map(|name| sql(&name)).collect()
    }

    /// Count and checksum of the site's rows in each of them.
    async fn sum(&self, connection: &mut MySqlConnection) -> String {
        let each: Vec<String> = self
            .names()
            .map(|name| {
                format!("(select concat(count(*), ' ', ifnull(bit_xor(conv(left(md5(concat_ws('|', id, site_id, number, made, state, title, body)), 16), 16, 10)), 0))
                   from app.{name} where site_id = {SITE})")
            })
            .collect();
        text(
            connection,
            &format!("select concat_ws(', ', {})", each.join(", ")),
        )
        .await
    }
}

#[tokio::main]
async fn main() {
    let (mut rows, mut tables, mut rounds) = (200_000, 1, 5);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().and_then(|value| value.parse().ok());
        let value = value.unwrap_or_else(|| panic!("{word} wants a number"));
        match word.as_str() {
            "--rows" => rows = value,
            "--tables" => tables = value,
            "--rounds" => rounds = value,
            _ => panic!("{word} is not an option"),
        }
    }
    let tables = Tables(tables);
    let (then, now) = (
        Server::start(&SETTINGS).await,
        Server::start(&SETTINGS).await,
    );
    let (mut past, mut live) = tokio::join!(fill(&then, &tables, rows), fill(&now, &tables, rows));
    let expected = tables.sum(&mut past).await;
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
    let files = world::open_folder();
    write_files(&then, &tables, files.path());

    let (mut piped, mut restored, mut loaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        clear(&mut live, &tables).await;
        piped.push(pipe(then.port, now.port, &tables));
        assert_eq!(tables.sum(&mut live).await, expected, "after the pipe");
        clear(&mut live, &tables).await;
        let start = Instant::now();
        let restore = call(Action::Restore, target, Some(SITE));
        connector
            .perform(&restore, &recorder)
            .await
            .expect("it is restored");
        restored.push(start.elapsed());
        assert_eq!(tables.sum(&mut live).await, expected, "after the restore");
        clear(&mut live, &tables).await;
        loaded.push(load(now.port, &tables, files.path()));
        assert_eq!(tables.sum(&mut live).await, expected, "after the load");
    }
    let restore = median(&mut restored);
    for (what, mut times) in [
        ("mariadb-dump | mariadb", piped),
        ("load data, files ready", loaded),
        ("reprise restore", restored),
    ] {
        let time = median(&mut times);
        println!(
            "{what:<25} {time:>8.3} s  {:>9.0} rows/s  restore / this {:.2}",
            rows as f64 / time,
            time / restore
        );
    }
    connector.close().await;
}

async fn fill(server: &Server, tables: &Tables, rows: u64) -> MySqlConnection {
    let mut connection = server.options(None).connect().await.expect("a connection");
    run(&mut connection, SCHEMA).await;
    let sites = format!("insert into sites select seq, concat('site ', seq) from seq_1_to_{SITES}");
    run(&mut connection, &sites).await;
    let all = rows / tables.0 * CYCLE / LARGE;
    let fill = tables.each(|name| {
        format!(
            "create table {name} {ITEMS};
             insert into {name} select seq, case when seq % {CYCLE} < {LARGE} then {SITE}
                 when seq % {CYCLE} - {LARGE} + 1 < {SITE} then seq % {CYCLE} - {LARGE} + 1
                 else seq % {CYCLE} - {LARGE} + 2 end,
               seq, '2026-03-01' + interval seq second, 'open', concat('item number ', seq),
               concat(md5(seq), md5(seq + 1)) from seq_1_to_{all};
             analyze table {name};"
        )
    });
    run(&mut connection, &fill).await;
    connection
}

async fn clear(live: &mut MySqlConnection, tables: &Tables) {
    let delete = tables.each(|name| format!("delete from app.{name} where site_id = {SITE};"));
    run(
        live,
        &format!("{delete} delete from app.sites where id = {SITE}"),
    )
    .await;
    purged(live).await;
}

/// The accident is long past when its rows are put back: none of them is left
/// to be purged meanwhile, which would take a core from whoever is measured.
async fn purged(live: &mut MySqlConnection) {
    let left = "select variable_value from information_schema.global_status
        where variable_name = 'INNODB_HISTORY_LIST_LENGTH'";
    for _ in 0..1_200 {
        if text(live, left).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("deleted rows are not purged after a minute");
}

fn shell(script: &str) -> Duration {
    let start = Instant::now();
    let status = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .status();
    assert!(status.expect("bash runs").success(), "the shell failed");
    start.elapsed()
}

fn client(port: u16) -> String {
    format!("mariadb --no-defaults -h127.0.0.1 -P{port} -uroot --local-infile=1")
}

/// What a script would do at its best: all tables that have the same key in
/// one dump, parents first.
fn pipe(then: u16, now: u16, tables: &Tables) -> Duration {
    let names: Vec<String> = tables.names().collect();
    let dump = |names: &str, key: &str| {
        format!(
            "mariadb-dump --no-defaults -h127.0.0.1 -P{then} -uroot --single-transaction --no-create-info --where='{key} = {SITE}' app {names} | {} app\n",
            client(now)
        )
    };
    shell(&(dump("sites", "id") + &dump(&names.join(" "), "site_id")))
}

fn write_files(then: &Server, tables: &Tables, folder: &Path) {
    let client = client(then.port);
    let write = tables.each(|name| {
        let file = folder.join(name);
        format!(
            "{client} -q -N -e 'select * from app.{name} where site_id = {SITE}' > {}\n",
            file.display()
        )
    });
    shell(&write);
}

/// One transaction, and nothing is checked.
fn load(now: u16, tables: &Tables, folder: &Path) -> Duration {
    let load = tables.each(|name| {
        let file = folder.join(name);
        format!(
            "load data local infile \"{}\" into table {name};",
            file.display()
        )
    });
    shell(&format!(
        "{} app -e 'set foreign_key_checks = 0; begin; insert into sites values ({SITE}, \"site {SITE}\"); {load} commit'",
        client(now)
    ))
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
