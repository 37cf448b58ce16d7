//! A slice's restore against a bare `psql copy | psql copy` of the same rows.
//!
//! `cargo run --release -p reprise-connectors --example slice_bench -- [--rows N] [--rounds N] [--then URL --now URL]`
//!
//! Without URLs it starts two private clusters. Both ends get one site with N
//! rows of about 160 bytes among 19 with a tenth of it each, and one index on the
//! site's id; the large site is deleted from live and put back again and again,
//! by each of three ways in turn: a pipe whose foreign keys the server checks row by row, one in
//! replica mode that checks nothing, and a restore, which looks for rows in the
//! way, checks foreign keys and commits with a mark.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reprise_connectors::postgres::live::LiveShard;
use reprise_model::{Fault, Tenant, Volume};
use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};
use reprise_ports::{Context, Progress};
use serde_json::{Map, Value};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, raw_sql};
use tokio_util::sync::CancellationToken;

const SITES: u64 = 20;
/// The large one.
const SITE: &str = "7";
/// Of so many rows in a row the large site has [`LARGE`], each other site one.
const CYCLE: u64 = LARGE + SITES - 1;
const LARGE: u64 = 10;
const SCHEMA: &str = "
drop table if exists items, sites;
create table sites (id int primary key, name text not null);
create table items (site_id int not null references sites, id bigint not null, number int not null, created timestamptz not null,
  state text not null, title text not null, body text not null);
create index on items (site_id);";

type AnyError = Box<dyn std::error::Error + Send + Sync>;

struct Arguments {
    rows: u64,
    rounds: usize,
    urls: Option<(String, String)>,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let arguments = arguments()?;
    let folder = tempfile::tempdir()?;
    let (_servers, then, now) = match &arguments.urls {
        Some((then, now)) => (Vec::new(), then.clone(), now.clone()),
        None => {
            let (servers, urls) = start(folder.path())?;
            let [then, now] = urls;
            (servers, then, now)
        }
    };
    let (then_options, now_options): (PgConnectOptions, PgConnectOptions) =
        (then.parse()?, now.parse()?);
    let mut live = now_options
        .clone()
        .disable_statement_logging()
        .connect()
        .await?;
    tokio::try_join!(
        fill(&then_options, arguments.rows),
        fill(&now_options, arguments.rows)
    )?;
    let tenant = Tenant {
        table: "sites".to_owned(),
        key: "id".to_owned(),
        tables: Default::default(),
    };
    let shard = LiveShard::new("bench".into(), "s".into(), tenant, now_options, 2);
    let scratch = shard.scratch(then_options, 2);
    let (mut piped, mut unchecked, mut restored) = (Vec::new(), Vec::new(), Vec::new());
    let mut volume = Volume::default();
    for _ in 0..arguments.rounds {
        clear(&mut live).await?;
        piped.push(pipe(&then, &now, "")?);
        clear(&mut live).await?;
        unchecked.push(pipe(&then, &now, "-c session_replication_role=replica")?);
        clear(&mut live).await?;
        let start = Instant::now();
        let outcome = shard
            .restore(&scratch, &SITE.into(), &[], &Map::new(), &Quiet::default())
            .await?;
        restored.push(start.elapsed());
        volume = outcome.volume;
    }
    let restore = median(&mut restored);
    for (what, mut times) in [
        ("psql copy | psql copy", piped),
        ("the same, keys unchecked", unchecked),
        ("reprise restore", restored),
    ] {
        let time = median(&mut times);
        let ratio = time.as_secs_f64() / restore.as_secs_f64();
        report(what, time, volume, ratio);
    }
    Ok(())
}

fn arguments() -> Result<Arguments, AnyError> {
    let mut arguments = Arguments {
        rows: 500_000,
        rounds: 5,
        urls: None,
    };
    let (mut then, mut now) = (None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} wants a value"))?;
        match word.as_str() {
            "--rows" => arguments.rows = value.parse()?,
            "--rounds" => arguments.rounds = value.parse()?,
            "--then" => then = Some(value),
            "--now" => now = Some(value),
            _ => return Err(format!("{word} is not an option").into()),
        }
    }
    arguments.urls = then.zip(now);
    Ok(arguments)
}

/// Two clusters, each of which ends with this process.
fn start(folder: &Path) -> Result<(Vec<Running>, [String; 2]), AnyError> {
    let mut servers = Vec::new();
    for name in ["then", "now"] {
        servers.push(Running::start(folder, name)?);
    }
    let urls = [&servers[0], &servers[1]].map(|server| {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            server.port
        )
    });
    Ok((servers, urls))
}

/// A server lives as long as the thread that started it.
struct Running {
    port: u16,
    end: Option<(std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>)>,
}

impl Running {
    fn start(folder: &Path, name: &str) -> Result<Self, AnyError> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
        let search = SearchPath {
            deps: std::env::var_os("REPRISE_DEPS").map(Into::into),
            path: std::env::var_os("PATH"),
            ..SearchPath::default()
        };
        let found = Installation::find_all(&search).into_iter().next();
        let installation = found.ok_or("no PostgreSQL on this machine")?;
        let account = Account::for_folder(None)?;
        let data = folder.join(name);
        initdb(&installation, &account, &data, &Initdb::default())?;
        let settings = [
            ("shared_buffers", "512MB"),
            ("max_wal_size", "16GB"),
            ("checkpoint_timeout", "1h"),
        ];
        let config = ServerConfig {
            installation,
            account,
            data,
            temp: folder.to_owned(),
            tcp: Tcp::AnyPort,
            log: folder.join(format!("{name}.log")),
            lifetime: Lifetime::Attached,
            config_file: None,
            settings: settings
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        let (end, ended) = channel::<()>();
        let (port, ready) = channel();
        let thread = std::thread::spawn(move || {
            let started = Server::start(&config).and_then(|mut server| {
                server.wait_until_accepting(Duration::from_secs(60), &|| false)?;
                Ok(server)
            });
            let Ok(mut server) = started else { return };
            port.send(server.port()).ok();
            ended.recv().ok();
            server.stop(Stop::Immediate).ok();
        });
        Ok(Self {
            port: ready.recv()?,
            end: Some((end, thread)),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.end.take() {
            drop(end);
            thread.join().ok();
        }
    }
}

async fn fill(options: &PgConnectOptions, rows: u64) -> Result<(), sqlx::Error> {
    let mut connection = options
        .clone()
        .disable_statement_logging()
        .connect()
        .await?;
    let all = rows * CYCLE / LARGE;
    let fill = format!(
        "{SCHEMA} insert into sites select g, 'site ' || g from generate_series(1, {SITES}) g;
         insert into items select case when g % {CYCLE} < {LARGE} then {SITE}
             when g % {CYCLE} - {LARGE} + 1 < {SITE} then g % {CYCLE} - {LARGE} + 1
             else g % {CYCLE} - {LARGE} + 2 end,
           g, g, '2026-03-01'::timestamptz + g * interval '1 second', 'open', 'item number ' || g,
           md5(g::text) || md5((g + 1)::text) from generate_series(1, {all}) g;
         analyze; checkpoint"
    );
    raw_sql(AssertSqlSafe(fill))
        .execute(&mut connection)
        .await?;
    Ok(())
}

async fn clear(live: &mut PgConnection) -> Result<(), sqlx::Error> {
    let delete =
        format!("delete from items where site_id = {SITE}; delete from sites where id = {SITE}");
    raw_sql(AssertSqlSafe(delete)).execute(&mut *live).await?;
    raw_sql("vacuum items").execute(&mut *live).await?;
    raw_sql("checkpoint").execute(live).await?;
    Ok(())
}

/// What a script would do: one pipe a table, parents first.
fn pipe(then: &str, now: &str, settings: &str) -> Result<Duration, AnyError> {
    let start = Instant::now();
    for (table, key) in [("sites", "id"), ("items", "site_id")] {
        let script = format!(
            "psql -X -q -d \"$THEN\" -c 'copy (select * from {table} where {key} = {SITE}) to stdout (format binary)' |
             PGOPTIONS=\"$SETTINGS\" psql -X -q -d \"$NOW\" -c 'copy {table} from stdin (format binary)'"
        );
        let status = Command::new("sh")
            .args(["-c", &script])
            .env("THEN", then)
            .env("NOW", now)
            .env("SETTINGS", settings)
            .status()?;
        if !status.success() {
            return Err("the pipe failed".into());
        }
    }
    Ok(start.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// `ratio`: the restore's speed as a multiple of this way's.
fn report(what: &str, time: Duration, volume: Volume, ratio: f64) {
    let seconds = time.as_secs_f64();
    println!(
        "{what:<25} {seconds:>7.2} s  {:>7.1} MB/s  {:>9.0} rows/s  restore / this {ratio:.2}",
        volume.bytes as f64 / 1e6 / seconds,
        volume.rows as f64 / seconds
    );
}

#[derive(Default)]
struct Quiet(CancellationToken);

#[async_trait]
impl Context for Quiet {
    fn progress(&self, _: Progress) {}

    async fn mark(&self, _: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.0
    }
}
