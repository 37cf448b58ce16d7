//! What a recovery asks the live server, which may be down.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::MySqlConnectOptions;

use crate::mariadb::session::Session;

/// Its word is worth a short wait.
const AT_MOST: Duration = Duration::from_secs(5);

/// Absent where it does not answer.
pub async fn value(live: &SecretString, doing: &str, sql: &str) -> Option<String> {
    let asked = tokio::time::timeout(AT_MOST, async {
        let options = MySqlConnectOptions::from_str(live.expose_secret()).ok()?;
        let mut session = Session::open("live", &options).await.ok()?;
        let value = session.value(doing, sql).await;
        session.close().await;
        value.ok().flatten()
    });
    asked.await.ok().flatten()
}
