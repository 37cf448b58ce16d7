//! A target that is PostgreSQL: the events of a batch and the offset behind
//! them are one transaction. The offset's row is locked first, so that two who
//! replay the same stream cannot both apply an event.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use reprise_model::{Fault, SiteId, SqlTarget, Timestamp};
use reprise_ports::CallSite;
use secrecy::{ExposeSecret, SecretString};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgConnectOptions, PgRow, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Encode, PgConnection, Postgres, Row, Type, query,
};

use super::{Applied, Due, Held};
use crate::postgres::live::fault::fault;
use crate::rows::Options;

/// Events in one transaction.
pub(super) const BATCH: usize = 500;
/// A server that is there answers far sooner; one behind a firewall never does.
const CONNECT_AT_MOST: Duration = Duration::from_secs(15);
/// Microseconds from 1970 to 2000, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

pub(in crate::events) struct SqlSession<'a> {
    end: String,
    target: &'a SqlTarget,
    connection: PgConnection,
}

/// An instant as `timestamptz`.
struct Instant(Timestamp);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_micros() - EPOCH;
        Encode::<Postgres>::encode_by_ref(&micros, buffer)
    }
}

impl<'a> SqlSession<'a> {
    pub async fn open(
        end: String,
        live: &SecretString,
        target: &'a SqlTarget,
        options: &Options,
    ) -> Result<Self, Fault> {
        // The parser's own message could quote the URL, and its password with it.
        let at = PgConnectOptions::from_str(live.expose_secret())
            .map_err(|_| Fault::permanent(format!("{end}: the URL is malformed")))?
            .application_name("reprise")
            .options([
                ("lock_timeout", options.lock_timeout.as_millis().to_string()),
                (
                    "statement_timeout",
                    options.statement_timeout.as_millis().to_string(),
                ),
            ])
            .disable_statement_logging();
        let connecting = tokio::time::timeout(CONNECT_AT_MOST, at.connect()).await;
        let connection = connecting
            .map_err(|_| {
                let seconds = CONNECT_AT_MOST.as_secs();
                Fault::temporary(format!("{end}: connecting: no answer in {seconds} s"))
            })?
            .map_err(|error| fault(&end, "connecting", &error))?;
        Ok(Self {
            end,
            target,
            connection,
        })
    }

    /// Offsets and counts as of one moment: another may be replaying.
    pub async fn held(&mut self, site: &CallSite) -> Result<Held, Fault> {
        let offsets = format!(
            "select stream, seq from {} where site = $1",
            self.target.offsets
        );
        let read = async {
            let moment = "begin isolation level repeatable read, read only";
            let mut transaction = self.connection.begin_with(moment).await?;
            let offsets = rows(&mut transaction, offsets, site).await?;
            let counts = match &self.target.count {
                Some(count) => Some(rows(&mut transaction, count.clone(), site).await?),
                None => None,
            };
            transaction.commit().await?;
            Ok((offsets, counts))
        };
        let read: Result<_, sqlx::Error> = read.await;
        let doing = "reading offsets and counts";
        let (offsets, counts) = read.map_err(|error| fault(&self.end, doing, &error))?;
        let counts = match counts {
            None => None,
            Some(rows) => {
                let pairs = self.pairs(doing, &rows)?.into_iter();
                let count = |count| u64::try_from(count).unwrap_or(0);
                Some(pairs.map(|(stream, n)| (stream, count(n))).collect())
            }
        };
        Ok(Held {
            offsets: self.pairs(doing, &offsets)?,
            counts,
        })
    }

    fn pairs(&self, doing: &str, rows: &[PgRow]) -> Result<BTreeMap<String, i64>, Fault> {
        rows.iter()
            .map(|row| {
                let number = row
                    .try_get::<i64, _>(1)
                    .or_else(|_| row.try_get::<i32, _>(1).map(i64::from));
                Ok((
                    row.try_get::<String, _>(0)
                        .map_err(|error| fault(&self.end, doing, &error))?,
                    number.map_err(|error| fault(&self.end, doing, &error))?,
                ))
            })
            .collect()
    }

    pub async fn apply(
        &mut self,
        site: &CallSite,
        stream: &str,
        after: i64,
        due: &[Due],
    ) -> Result<Applied, Fault> {
        let Some(last) = due.last() else {
            return Ok(Applied::Yes);
        };
        let done = transact(
            &mut self.connection,
            self.target,
            (site.id.as_str(), stream),
            after,
            due,
        );
        done.await.map_err(|error| {
            let doing = format!("applying {stream} up to number {}", last.seq);
            fault(&self.end, &doing, &error)
        })
    }

    pub async fn clear(&mut self, site: &CallSite) -> Result<(), Fault> {
        let clear = self.target.clear.as_ref().ok_or_else(|| {
            Fault::permanent("`on_conflict: replace` needs `sql.clear` in the store's tenant")
        })?;
        let offsets = &self.target.offsets;
        let forget = format!("delete from {offsets} where site = $1");
        let done = async {
            let mut transaction = self.connection.begin().await?;
            for sql in [clear.clone(), forget] {
                query(AssertSqlSafe(sql))
                    .bind(site.id.as_str())
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        let done: Result<(), sqlx::Error> = done.await;
        done.map_err(|error| fault(&self.end, "clearing the site", &error))
    }

    /// The table of offsets, its key, and whether the statements are understood.
    /// These are tried with a site that there is, since another id may not even
    /// be of the column's type; where no site is known yet, they are not tried.
    pub async fn look(&mut self, site: Option<&SiteId>) -> Result<String, Fault> {
        let offsets = &self.target.offsets;
        let hint = format!(
            "create table {offsets} (site text, stream text, seq bigint not null, primary key (site, stream))"
        );
        let looked = async {
            let mut transaction = self.connection.begin().await?;
            let locked = advance(&mut transaction, offsets, ("", ""), 0).await;
            // Nothing of it stays.
            transaction.rollback().await.and(locked)
        };
        looked
            .await
            .map_err(|error| fault(&self.end, "looking at the offsets", &error).hint(hint))?;
        if let Some(site) = site {
            let site = CallSite {
                id: site.clone(),
                attributes: BTreeMap::new(),
            };
            self.held(&site).await?;
        }
        let offsets = &self.target.offsets;
        Ok(format!(
            "the live end answers, and keeps offsets in {offsets}"
        ))
    }
}

async fn rows(
    connection: &mut PgConnection,
    sql: String,
    site: &CallSite,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let asked = query(AssertSqlSafe(sql)).bind(site.id.as_str());
    asked.fetch_all(connection).await
}

/// Makes the row of the offset if need be, locks it, and tells its number.
async fn advance(
    connection: &mut PgConnection,
    offsets: &str,
    (site, stream): (&str, &str),
    after: i64,
) -> Result<i64, sqlx::Error> {
    let make = format!(
        "insert into {offsets} (site, stream, seq) values ($1, $2, $3) on conflict (site, stream) do nothing"
    );
    query(AssertSqlSafe(make))
        .bind(site)
        .bind(stream)
        .bind(after)
        .execute(&mut *connection)
        .await?;
    let lock =
        format!("select seq::bigint from {offsets} where site = $1 and stream = $2 for update");
    let row = query(AssertSqlSafe(lock))
        .bind(site)
        .bind(stream)
        .fetch_one(connection)
        .await?;
    row.try_get(0)
}

async fn transact(
    connection: &mut PgConnection,
    target: &SqlTarget,
    (site, stream): (&str, &str),
    after: i64,
    due: &[Due],
) -> Result<Applied, sqlx::Error> {
    let offsets = &target.offsets;
    let mut transaction = connection.begin().await?;
    if advance(&mut transaction, offsets, (site, stream), after).await? != after {
        transaction.rollback().await?;
        return Ok(Applied::Moved);
    }
    for event in due {
        query(AssertSqlSafe(target.apply.clone()))
            .bind(site)
            .bind(stream)
            .bind(event.seq)
            .bind(Instant(event.time))
            .bind(Json(&*event.payload))
            .execute(&mut *transaction)
            .await?;
    }
    let set = format!("update {offsets} set seq = $3 where site = $1 and stream = $2");
    query(AssertSqlSafe(set))
        .bind(site)
        .bind(stream)
        .bind(due.last().map_or(after, |event| event.seq))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Applied::Yes)
}
