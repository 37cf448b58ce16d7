//! What the live server can tell about the end of the archive.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::evidence::Live;

/// The answer is worth a short wait, never a long one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The next transaction number that nobody has finished yet. Numbers are
/// given to transactions that write; when scratch and live agree, live has
/// finished none that scratch does not hold.
const NEXT: &str = "select pg_snapshot_xmax(pg_current_snapshot())::text";

/// Compares the live server with a scratch server that stands at the end of
/// the archive.
pub async fn compare(
    live: Option<&SecretString>,
    system_id: &str,
    scratch: PgConnectOptions,
) -> Live {
    let Some(live) = live else {
        return Live::Unknown;
    };
    let asked = tokio::time::timeout(PATIENCE, async {
        let options = PgConnectOptions::from_str(live.expose_secret()).ok()?;
        let mut connection = options.connect().await.ok()?;
        let id: String =
            sqlx::query_scalar("select system_identifier::text from pg_control_system()")
                .fetch_one(&mut connection)
                .await
                .ok()?;
        let theirs = next(&mut connection).await?;
        let mut ours = scratch.connect().await.ok()?;
        let found = next(&mut ours).await?;
        let _ = ours.close().await;
        let _ = connection.close().await;
        Some((id == system_id, theirs == found))
    });
    match asked.await {
        Ok(Some((true, true))) => Live::Quiet,
        Ok(Some((true, false))) => Live::Ahead,
        Ok(Some((false, _)) | None) | Err(_) => Live::Unknown,
    }
}

async fn next(connection: &mut PgConnection) -> Option<String> {
    sqlx::query_scalar(NEXT).fetch_one(connection).await.ok()
}

/// The user and the database that a live URL names.
pub fn names(live: Option<&SecretString>) -> (Option<String>, Option<String>) {
    let options = live.and_then(|url| PgConnectOptions::from_str(url.expose_secret()).ok());
    match options {
        Some(options) => (
            Some(options.get_username().to_owned()),
            Some(
                options
                    .get_database()
                    .unwrap_or(options.get_username())
                    .to_owned(),
            ),
        ),
        None => (None, None),
    }
}
