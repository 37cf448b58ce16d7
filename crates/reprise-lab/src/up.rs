//! Builds an estate, or brings one back to life.

use std::fs;
use std::io::Read;

use reprise_pgserver::Server;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::task::{JoinSet, spawn_blocking};

use crate::Error;
use crate::cluster::{self, Host, base_backup, connect, start_archiving};
use crate::estate_files::{ROLE, write_env, write_estate};
use crate::layers;
use crate::layout::{Layout, write_private};
use crate::manifest::{Build, ClusterEntry, Manifest, Store};
use crate::sites::{Site, generate};

/// Builds what is not there, starts what does not run, and says what it found.
pub async fn up(layout: &Layout, build: &Build) -> Result<Manifest, Error> {
    match Manifest::find(layout)? {
        Some(manifest) if manifest.build == *build => start_again(layout, manifest).await,
        Some(manifest) => Err(Error::Refused(format!(
            "{} holds another lab ({} shards, {} sites, seed {}, scale {}); \
             take another folder, or `reprise-lab down --purge` this one first",
            layout.root().display(),
            manifest.build.shards,
            manifest.build.sites,
            manifest.build.seed,
            manifest.build.scale
        ))),
        None => {
            layout.claim()?;
            clear_unfinished(layout, build)?;
            build_anew(layout, build).await
        }
    }
}

async fn start_again(layout: &Layout, manifest: Manifest) -> Result<Manifest, Error> {
    let host = Host::find(layout)?;
    for entry in &manifest.clusters {
        let (host, folder, port) = (host.clone(), layout.cluster(&entry.name), entry.port);
        blocking(move || cluster::start(&host, &folder, Some(port)).map(drop)).await?;
    }
    layers::start(layout, &manifest)?;
    Ok(manifest)
}

/// What an `up` that was cut off left behind is of no use.
fn clear_unfinished(layout: &Layout, build: &Build) -> Result<(), Error> {
    layers::stop(layout)?;
    for folder in [layout.services(), layout.root().join("backups")] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
    }
    for file in [layout.diary(), layout.then(), layout.dark()] {
        if file.exists() {
            fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        }
    }
    for (name, _) in build.clusters() {
        cluster::stop(&layout.cluster(&name))?;
        let folder = layout.cluster(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
    }
    Ok(())
}

async fn build_anew(layout: &Layout, build: &Build) -> Result<Manifest, Error> {
    let host = Host::find(layout)?;
    let sites = generate(build);
    let password = password()?;
    let mut tasks = JoinSet::new();
    for (name, store) in build.clusters() {
        let task = Task {
            host: host.clone(),
            layout: layout.clone(),
            name,
            store,
            seed: build.seed,
            password: password.clone(),
            sites: sites.clone(),
        };
        tasks.spawn(task.run());
    }
    let mut clusters = Vec::new();
    while let Some(done) = tasks.join_next().await {
        clusters.push(done.map_err(|error| Error::Worker(error.to_string()))??);
    }
    clusters.sort_by(|a, b| (a.store.name(), &a.name).cmp(&(b.store.name(), &b.name)));
    let manifest = Manifest {
        version: 1,
        build: build.clone(),
        clusters,
        ports: layers::ports(build)?,
    };
    write_private(&layout.secret(), &password)?;
    let described = layers::build(layout, &manifest, &sites).await?;
    write_estate(layout, &manifest.clusters, &described)?;
    write_env(layout, &manifest.clusters, &described, &password)?;
    manifest.save(layout)?;
    layers::start(layout, &manifest)?;
    Ok(manifest)
}

/// The making of one cluster.
struct Task {
    host: Host,
    layout: Layout,
    name: String,
    store: Store,
    seed: u32,
    password: String,
    sites: Vec<Site>,
}

impl Task {
    async fn run(self) -> Result<ClusterEntry, Error> {
        let (folder, backup) = (
            self.layout.cluster(&self.name),
            self.layout.backup(&self.name),
        );
        let (host, at) = (self.host.clone(), backup.clone());
        let server = blocking(move || {
            cluster::create(&host, &folder, &at)?;
            cluster::start(&host, &folder, None)
        })
        .await?;
        self.fill(&server).await?;
        let mut connection = connect(&server, &self.name, self.store.name()).await?;
        start_archiving(&mut connection, &self.name, &backup.join("wal")).await?;
        let (host, name) = (self.host, self.name.clone());
        let port = server.port();
        blocking(move || base_backup(&host, &server, &name, &backup)).await?;
        self::run(&mut connection, &self.name, "a first change", AFTER_BACKUP).await?;
        Ok(ClusterEntry {
            name: self.name,
            store: self.store,
            port,
        })
    }

    async fn fill(&self, server: &Server) -> Result<(), Error> {
        let mut root = connect(server, &self.name, "postgres").await?;
        let database = format!("create database {}", self.store.name());
        run(&mut root, &self.name, "creating the database", &database).await?;
        let mut connection = connect(server, &self.name, self.store.name()).await?;
        let role = role(server_version(&mut root, &self.name).await?, &self.password);
        run(&mut connection, &self.name, "creating the role", &role).await?;
        self.list_sites(&mut connection).await?;
        for (what, script) in scripts(self.store) {
            run(&mut connection, &self.name, what, script).await?;
        }
        run(&mut connection, &self.name, "analyze", "analyze").await
    }

    /// `lab_site` and `pick`, from which the scripts work.
    async fn list_sites(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let here: Vec<&Site> = self
            .sites
            .iter()
            .filter(|site| self.store != Store::Product || site.shard == self.name)
            .collect();
        let prelude = format!("{PRELUDE}{}", pick_function(self.seed));
        run(connection, &self.name, "preparing", &prelude).await?;
        sqlx::query(
            "insert into lab_site select * from jsonb_populate_recordset(null::lab_site, $1)",
        )
        .bind(json!(here))
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql("listing the sites", &self.name))
    }
}

const PRELUDE: &str = "
create temp table lab_site (
  id bigint primary key, name text, customer_id bigint, customer text, region text, tier text,
  users integer, shard text, host text, issues integer
);
";

/// A change that only the archive has: recovery has something to replay even
/// where nobody writes.
const AFTER_BACKUP: &str = "analyze";

/// A number below `k` that follows from `n` and a salt: the same everywhere.
fn pick_function(seed: u32) -> String {
    format!(
        "create function pg_temp.pick(n bigint, salt int, k int) returns int language sql immutable as
         $$ select ((hashint8extended(n, salt + {seed}::bigint * 1000) & 9223372036854775807) % k)::int $$;"
    )
}

fn scripts(store: Store) -> &'static [(&'static str, &'static str)] {
    match store {
        Store::Catalogue => &[
            ("the schema", include_str!("../sql/catalogue.schema.sql")),
            ("filling", include_str!("../sql/catalogue.fill.sql")),
        ],
        Store::Identity => &[
            ("the schema", include_str!("../sql/identity.schema.sql")),
            ("filling", include_str!("../sql/identity.fill.sql")),
        ],
        Store::Product => &[
            (
                "the tracker's schema",
                include_str!("../sql/tracker.schema.sql"),
            ),
            ("the wiki's schema", include_str!("../sql/wiki.schema.sql")),
            (
                "filling the tracker",
                include_str!("../sql/tracker.fill.sql"),
            ),
            ("filling the wiki", include_str!("../sql/wiki.fill.sql")),
        ],
    }
}

/// The least that reprise needs on a live server. Before version 15 only a
/// superuser may keep triggers from firing in its own session.
fn role(server_version: i32, password: &str) -> String {
    match server_version >= 150_000 {
        true => format!(
            "create role {ROLE} login bypassrls password '{password}';
             grant pg_read_all_data, pg_write_all_data to {ROLE};
             grant set on parameter session_replication_role to {ROLE}"
        ),
        false => format!("create role {ROLE} login superuser password '{password}'"),
    }
}

async fn server_version(connection: &mut PgConnection, cluster: &str) -> Result<i32, Error> {
    sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(connection)
        .await
        .map_err(Error::sql("asking for the version", cluster))
}

async fn run(
    connection: &mut PgConnection,
    cluster: &str,
    what: &str,
    script: &str,
) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(what, cluster))
}

/// Not from the seed: a password that everybody can compute is none.
fn password() -> Result<String, Error> {
    let source = std::path::Path::new("/dev/urandom");
    let mut bytes = [0; 18];
    fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::io("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work)
        .await
        .map_err(|error| Error::Worker(error.to_string()))?
}
