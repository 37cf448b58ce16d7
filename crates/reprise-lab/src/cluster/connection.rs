//! Connections of the lab itself: over the socket, as the superuser.

use reprise_pgserver::Server;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use crate::Error;
use crate::cluster::attach;
use crate::layout::Layout;
use crate::manifest::ClusterEntry;

/// A connection to the live cluster.
pub async fn admin(layout: &Layout, cluster: &ClusterEntry) -> Result<PgConnection, Error> {
    let server = attach(&layout.cluster(&cluster.name))
        .ok_or_else(|| Error::NotRunning(cluster.name.clone()))?;
    connect(&server, &cluster.name, cluster.store.name()).await
}

pub async fn connect(
    server: &Server,
    cluster: &str,
    database: &str,
) -> Result<PgConnection, Error> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username("postgres")
        .database(database)
        .application_name("reprise-lab")
        .disable_statement_logging();
    PgConnection::connect_with(&options)
        .await
        .map_err(Error::sql("a connection", cluster))
}
