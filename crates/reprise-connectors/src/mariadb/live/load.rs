//! Loading: the slice's rows, table by table, by inserts of many rows each.
//! The next batch is read and written down while the server takes the last.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use reprise_model::{Fault, FaultKind, SiteId, Volume};
use reprise_ports::{Context, Progress};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Row, raw_sql};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::shard::Match;
use super::value::{Class, classes};
use crate::mariadb::session::Session;
use crate::rows::{Carried, Dialect};

const SQL: Dialect = Dialect::Mariadb;
/// A statement's length at which the next one begins. Longer ones gain
/// nothing, and every server takes them.
const BATCH_BYTES: usize = 1 << 20;

/// What was loaded, table by table.
#[derive(Debug, Default)]
pub struct Tally {
    pub tables: BTreeMap<String, u64>,
    pub volume: Volume,
}

struct Batch {
    sql: String,
    rows: u64,
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
    let mut tally = Tally::default();
    for carried in &known.carried {
        let (sender, receiver) = channel(2);
        let reading = read(there, sender, known, carried, site, packet);
        let writing = write(live, receiver, carried, &mut tally, context);
        let (read, ()) = futures::try_join!(reading, writing)?;
        let written = tally.tables.get(&carried.table.to_string()).copied();
        if written.unwrap_or_default() != read {
            return Err(Fault::permanent(format!(
                "table {}: {read} rows were read and {} were taken",
                carried.table,
                written.unwrap_or_default()
            )));
        }
    }
    Ok(tally)
}

/// Reads the site's rows of one table; returns how many there were.
async fn read(
    there: &mut Session,
    sender: Sender<Batch>,
    known: &Match,
    carried: &Carried,
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
    let names = SQL.quoted_list("", carried.columns.iter().map(String::as_str));
    let head = format!(
        "insert into {} ({names}) values ",
        SQL.table(&carried.table)
    );
    let doing = format!("reading {}", carried.table);
    let select = format!("select {} from {from}", columns.join(", "));
    let end = there.end().to_owned();
    let mut stream = raw_sql(AssertSqlSafe(select)).fetch(&mut there.connection);
    let mut batch = Batch::begin(&head);
    let mut all = 0;
    let mut line = String::new();
    loop {
        let row = stream.try_next().await;
        let row = row.map_err(|error| crate::mariadb::session::fault(&end, &doing, &error))?;
        let Some(row) = row else { break };
        line.clear();
        write_row(&row, &classes, &mut line)
            .map_err(|fault| Fault::permanent(format!("{doing}: {fault}")))?;
        if head.len() + line.len() >= packet {
            return Err(Fault::refused(format!(
                "table {}: a row is {} bytes as text, and live takes {packet} at once",
                carried.table,
                line.len()
            ))
            .hint("raise `max_allowed_packet` on live"));
        }
        let full = batch.sql.len() + line.len() + 1 >= packet.min(BATCH_BYTES);
        if full && batch.rows > 0 {
            let whole = std::mem::replace(&mut batch, Batch::begin(&head));
            // The writer is gone only where it failed, and says so itself.
            if sender.send(whole).await.is_err() {
                return Ok(all);
            }
        }
        batch.add(&line);
        all += 1;
    }
    if batch.rows > 0 {
        let _ = sender.send(batch).await;
    }
    Ok(all)
}

impl Batch {
    fn begin(head: &str) -> Self {
        Self {
            sql: head.to_owned(),
            rows: 0,
        }
    }

    fn add(&mut self, line: &str) {
        if self.rows > 0 {
            self.sql.push(',');
        }
        self.sql.push_str(line);
        self.rows += 1;
    }
}

fn write_row(row: &MySqlRow, classes: &[Class], line: &mut String) -> Result<(), Fault> {
    line.push('(');
    for (at, class) in classes.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let value: Option<&[u8]> = row
            .try_get_unchecked(at)
            .map_err(|_| Fault::permanent("the server's answer could not be read"))?;
        class.write(value, line)?;
    }
    line.push(')');
    Ok(())
}

async fn write(
    live: &mut Session,
    mut receiver: Receiver<Batch>,
    carried: &Carried,
    tally: &mut Tally,
    context: &dyn Context,
) -> Result<(), Fault> {
    let name = carried.table.to_string();
    while let Some(batch) = receiver.recv().await {
        let bytes = batch.sql.len() as u64;
        let taken = live.try_run(batch.sql).await;
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
    tally.tables.entry(name).or_default();
    Ok(())
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
