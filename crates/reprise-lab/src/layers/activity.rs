//! Recorded events: segments of JSON lines with a second copy, and the feed in
//! PostgreSQL that is made of them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use reprise_model::Timestamp;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::sources::Sources;
use super::{Described, Items, Layer, digest};
use crate::Error;
use crate::accident::now;
use crate::cluster::{admin, attach, connect};
use crate::estate_files::ROLE;
use crate::layout::Layout;
use crate::manifest::{ClusterEntry, Manifest, Store};

const DATABASE: &str = "activity";
const STREAM: &str = "feed";
const SCHEMA: &str = "
create table feed (site_id bigint not null, seq bigint not null, at timestamptz not null, body jsonb not null,
  primary key (site_id, seq));
create table feed_offsets (site text, stream text, seq bigint not null, primary key (site, stream));
grant select, insert, update, delete on feed, feed_offsets to ";
/// The first event's time, in microseconds: 2026-01-01T00:00:00Z.
const FIRST: i64 = 1_767_225_600_000_000;

pub struct Activity {
    layout: Layout,
    cluster: ClusterEntry,
    backup: PathBuf,
    secret: String,
}

struct Event {
    site: i64,
    seq: i64,
    time: Timestamp,
    body: String,
}

impl Event {
    fn line(&self) -> String {
        let event = json!({
            "site": self.site.to_string(), "stream": STREAM, "seq": self.seq,
            "time": self.time.to_string(), "payload": { "text": self.body },
        });
        format!("{event}\n")
    }
}

impl Activity {
    pub fn new(layout: &Layout, manifest: &Manifest, secret: &str) -> Result<Self, Error> {
        let cluster = manifest
            .clusters
            .iter()
            .find(|it| it.store == Store::Catalogue);
        let cluster = cluster.ok_or_else(|| Error::Refused("there is no catalogue".to_owned()))?;
        Ok(Self {
            layout: layout.clone(),
            cluster: cluster.clone(),
            backup: layout.backup("activity"),
            secret: secret.to_owned(),
        })
    }

    /// Where events are recorded, twice.
    fn copies(&self) -> [PathBuf; 2] {
        ["segments", "second"].map(|copy| self.backup.join(copy))
    }

    async fn connection(&self) -> Result<PgConnection, Error> {
        let server = attach(&self.layout.cluster(&self.cluster.name))
            .ok_or_else(|| Error::NotRunning(self.cluster.name.clone()))?;
        connect(&server, &self.cluster.name, DATABASE).await
    }

    /// Writes the events down, twice, before anything is made of them.
    fn record(&self, segment: &str, events: &[Event]) -> Result<(), Error> {
        let text: String = events.iter().map(Event::line).collect();
        for copy in self.copies() {
            append(&copy.join(segment), &text)?;
        }
        Ok(())
    }

    /// Loses one event of the site from both copies of the record.
    pub fn lose_one(&self, site: i64) -> Result<Option<String>, Error> {
        let lost = Event {
            site,
            seq: 3,
            time: Timestamp::from_micros(FIRST + 3_000_000),
            body: "event 3".to_owned(),
        };
        let line = lost.line();
        let mut found = false;
        for copy in self.copies() {
            let path = copy.join("0001.jsonl");
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            found |= text.contains(&line);
            fs::write(&path, text.replacen(&line, "", 1)).map_err(Error::io("write", &path))?;
        }
        Ok(found.then(|| format!("event 3 of site {site}")))
    }
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io("write", path))
}

async fn apply(connection: &mut PgConnection, events: &[Event]) -> Result<(), Error> {
    let failed = || Error::sql("applying events", DATABASE);
    let mut transaction = connection.begin().await.map_err(failed())?;
    for event in events {
        let (site, body) = (event.site, json!({ "text": event.body }));
        sqlx::query("insert into feed values ($1, $2, $3::text::timestamptz, $4)")
            .bind(site)
            .bind(event.seq)
            .bind(event.time.to_string())
            .bind(body)
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        sqlx::query(
            "insert into feed_offsets values ($1, $2, $3)
             on conflict (site, stream) do update set seq = excluded.seq",
        )
        .bind(site.to_string())
        .bind(STREAM)
        .bind(event.seq)
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    }
    transaction.commit().await.map_err(failed())
}

#[async_trait]
impl Layer for Activity {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn create(&mut self) -> Result<(), Error> {
        self.copies()
            .iter()
            .try_for_each(|copy| fs::create_dir_all(copy).map_err(Error::io("create", copy)))
    }

    /// Its target is a database of the catalogue's server.
    fn start(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        let failed = |what| Error::sql(what, DATABASE);
        let mut root = admin(&self.layout, &self.cluster).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {DATABASE}")))
            .execute(&mut root)
            .await
            .map_err(failed("creating the database"))?;
        let mut connection = self.connection().await?;
        sqlx::raw_sql(AssertSqlSafe(format!("{SCHEMA}{ROLE}")))
            .execute(&mut connection)
            .await
            .map_err(failed("the schema"))?;
        let of_site = |site: i64, count: usize| {
            (1..=count as i64).map(move |seq| Event {
                site,
                seq,
                time: Timestamp::from_micros(FIRST + seq * 1_000_000),
                body: format!("event {seq}"),
            })
        };
        let tenants = sources.tenants.iter();
        let events: Vec<Event> = tenants
            .flat_map(|tenant| of_site(tenant.site.id, 5 + 2 * tenant.accounts.len()))
            .collect();
        self.record("0001.jsonl", &events)?;
        apply(&mut connection, &events).await
    }

    /// The record is its own past.
    async fn back_up(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let failed = || Error::sql("reading the feed", DATABASE);
        let mut connection = self.connection().await?;
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "select seq, extract(epoch from at)::text, body::text from feed where site_id = $1",
        )
        .bind(site)
        .fetch_all(&mut connection)
        .await
        .map_err(failed())?;
        let named = rows.into_iter().map(|(seq, at, body)| {
            (
                format!("event {seq}"),
                digest([at.as_bytes(), body.as_bytes()]),
            )
        });
        let mut items: Items = named.collect();
        let offset: Option<i64> =
            sqlx::query_scalar("select seq from feed_offsets where site = $1")
                .bind(site.to_string())
                .fetch_optional(&mut connection)
                .await
                .map_err(failed())?;
        items.extend(offset.map(|seq| ("offset".to_owned(), seq.to_string())));
        Ok(items)
    }

    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        let last: i64 = sqlx::query_scalar("select seq from feed_offsets where site = $1")
            .bind(site.to_string())
            .fetch_one(&mut connection)
            .await
            .map_err(Error::sql("reading the feed", DATABASE))?;
        let event = [Event {
            site,
            seq: last + 1,
            time: now(),
            body: format!("change {number}"),
        }];
        self.record("0002.jsonl", &event)?;
        apply(&mut connection, &event).await
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        let script = format!(
            "delete from feed where site_id = {site}; delete from feed_offsets where site = '{site}'"
        );
        sqlx::raw_sql(AssertSqlSafe(script))
            .execute(&mut connection)
            .await
            .map(drop)
            .map_err(Error::sql("deleting a site", DATABASE))
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn described(&self) -> Described {
        let (port, secret) = (self.cluster.port, &self.secret);
        Described {
            estate: include_str!("activity.yaml").to_owned(),
            env: vec![(
                "ACTIVITY_URL".to_owned(),
                format!("postgres://{ROLE}:{secret}@127.0.0.1:{port}/{DATABASE}"),
            )],
        }
    }
}
