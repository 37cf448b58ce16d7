//! Loading: the slice's rows, table by table, by prepared inserts of many rows
//! each: to read values out of a statement's text takes the server as long as
//! to store them. The next batch, also of the next table, is read while the
//! server takes the last.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use reprise_model::{Fault, FaultKind, SiteId, Volume};
use reprise_ports::{Context, Progress};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{AssertSqlSafe, Row, raw_sql};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::shard::Match;
use super::value::{Class, Value, classes};
use crate::mariadb::session::Session;
use crate::rows::{Carried, Dialect};

const SQL: Dialect = Dialect::Mariadb;
/// Rows and bytes at which the next statement begins. Longer ones gain
/// nothing, and every server takes them.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
/// Batches that wait for the server, also those of the next tables.
const AHEAD: usize = 2;
/// A prepared statement has no more values than this.
const MOST_VALUES: usize = 65_535;
/// What a value takes beside its own bytes, at most.
const AROUND: usize = 16;

/// What was loaded, table by table.
#[derive(Debug, Default)]
pub struct Tally {
    pub tables: BTreeMap<String, u64>,
    pub volume: Volume,
}

/// Rows on their way.
struct Batch<'a> {
    into: &'a Carried,
    values: MySqlArguments,
    rows: usize,
    bytes: usize,
}

pub async fn load(
    there: &mut Session,
    live: &mut Session,
    known: &Match,
    site: &SiteId,
    context: &dyn Context,
) -> Result<Tally, Fault> {
    let packet = live
        .value("asking for its limits", "select @@max_allowed_packet")
        .await?;
    let packet = packet
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(BATCH_BYTES);
    let (sender, receiver) = channel(AHEAD);
    let reading = async {
        // Moved in, so that the writer sees its end.
        let sender = sender;
        let mut counts = Vec::with_capacity(known.carried.len());
        for carried in &known.carried {
            counts.push(read(there, &sender, known, carried, site, packet).await?);
        }
        Ok(counts)
    };
    let writing = write(live, receiver, context);
    let (counts, mut tally) = futures::try_join!(reading, writing)?;
    for (carried, read) in known.carried.iter().zip(counts) {
        let name = carried.table.to_string();
        let written = *tally.tables.entry(name).or_default();
        if written != read {
            return Err(Fault::permanent(format!(
                "table {}: {read} rows were read and {written} were taken",
                carried.table,
            )));
        }
    }
    Ok(tally)
}

/// Reads the site's rows of one table; returns how many there were.
async fn read<'a>(
    there: &mut Session,
    sender: &Sender<Batch<'a>>,
    known: &Match,
    carried: &'a Carried,
    site: &SiteId,
    packet: usize,
) -> Result<u64, Fault> {
    let rows = known.at_scratch(site.as_str());
    let Some(from) = rows.of(&carried.table) else {
        return Ok(0);
    };
    let classes = classes(&known.then, &carried.table, &carried.columns);
    let columns: Vec<String> = carried
        .columns
        .iter()
        .zip(&classes)
        .map(|(column, class)| class.read(&format!("t.{}", SQL.quoted(column))))
        .collect();
    let most = (MOST_VALUES / columns.len().max(1)).min(BATCH_ROWS);
    let doing = format!("reading {}", carried.table);
    let select = format!("select {} from {from}", columns.join(", "));
    let end = there.end().to_owned();
    let mut stream = raw_sql(AssertSqlSafe(select)).fetch(&mut there.connection);
    let mut batch = Batch::of(carried);
    let mut all = 0;
    loop {
        let row = stream.try_next().await;
        let row = row.map_err(|error| crate::mariadb::session::fault(&end, &doing, &error))?;
        let Some(row) = row else { break };
        let values = values(&row, &classes)
            .map_err(|fault| Fault::permanent(format!("{doing}: {fault}")))?;
        let bytes = values.iter().map(|value| value.bytes()).sum();
        let around = values.len() * AROUND;
        if bytes + around >= packet {
            return Err(Fault::refused(format!(
                "table {}: a row is {bytes} bytes, and live takes {packet} at once",
                carried.table,
            ))
            .hint("raise `max_allowed_packet` on live"));
        }
        let together = batch.bytes + bytes + (batch.rows + 1) * around;
        let full = batch.rows == most || together >= packet.min(BATCH_BYTES);
        // The writer is gone only where it failed, and says so itself.
        if full && batch.rows > 0 {
            let full = std::mem::replace(&mut batch, Batch::of(carried));
            if sender.send(full).await.is_err() {
                return Ok(all);
            }
        }
        batch
            .add(&values, bytes)
            .map_err(|_| Fault::permanent(format!("{doing}: the driver took no value")))?;
        all += 1;
    }
    if batch.rows > 0 {
        let _ = sender.send(batch).await;
    }
    Ok(all)
}

impl<'a> Batch<'a> {
    fn of(into: &'a Carried) -> Self {
        Self {
            into,
            values: MySqlArguments::default(),
            rows: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, values: &[Value<'_>], bytes: usize) -> Result<(), BoxDynError> {
        for value in values {
            value.add_to(&mut self.values)?;
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }
}

fn values<'a>(row: &'a MySqlRow, classes: &[Class]) -> Result<Vec<Value<'a>>, Fault> {
    let value = |(at, class): (usize, &Class)| {
        let read: Option<&[u8]> = row
            .try_get_unchecked(at)
            .map_err(|_| Fault::permanent("the server's answer could not be read"))?;
        class.value(read)
    };
    classes.iter().enumerate().map(value).collect()
}

async fn write(
    live: &mut Session,
    mut receiver: Receiver<Batch<'_>>,
    context: &dyn Context,
) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    while let Some(batch) = receiver.recv().await {
        let name = batch.into.table.to_string();
        let bytes = batch.bytes as u64;
        let sql = insert(batch.into, batch.rows);
        let taken = live.try_run_with(sql, batch.values).await;
        let taken = taken.map_err(|error| collision(live, &name, &error))?;
        *tally.tables.entry(name.clone()).or_default() += taken;
        tally.volume.rows += taken;
        tally.volume.bytes += bytes;
        context.progress(Progress {
            volume: tally.volume,
            fraction: None,
            phase: Some(format!("loading {name}")),
        });
    }
    Ok(tally)
}

fn insert(into: &Carried, rows: usize) -> String {
    let columns = SQL.quoted_list("", into.columns.iter().map(String::as_str));
    let row = format!("({})", vec!["?"; into.columns.len()].join(","));
    let rows = vec![row.as_str(); rows].join(",");
    let table = SQL.table(&into.table);
    format!("insert into {table} ({columns}) values {rows}")
}

/// No row of the site is in live, so a unique value that is taken is taken by
/// a neighbour.
fn collision(live: &Session, table: &str, error: &sqlx::Error) -> Fault {
    let fault = live.fault(&format!("loading {table}"), error);
    let taken = match error {
        sqlx::Error::Database(error) => error.is_unique_violation(),
        _ => false,
    };
    match taken {
        false => fault,
        true => Fault::new(
            FaultKind::Refused,
            format!(
                "{}: table {table}: a row of another site has taken a unique value of the slice since",
                live.end()
            ),
        )
        .hint("give the neighbour's row another value, or the slice's owner must do without it"),
    }
}
