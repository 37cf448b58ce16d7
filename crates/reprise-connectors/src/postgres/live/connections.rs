//! A few kept connections to one server, never more than configured.
//!
//! A pool of our own, because what happens to a connection that is dropped in
//! the middle of a `copy` must be certain: it is closed, so that the server
//! rolls back. Only a lease that is given back is used again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reprise_model::Fault;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::fault::fault;
use super::session::Session;
use crate::shared::nagle;

/// A server that is there answers far sooner; one behind a firewall never does.
const CONNECT_AT_MOST: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Connections {
    /// Which server, for messages: `issues/s01 live`.
    end: String,
    options: PgConnectOptions,
    slots: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

impl Connections {
    pub fn new(end: impl Into<String>, options: PgConnectOptions, most: usize) -> Self {
        let options = options
            .application_name("reprise")
            .statement_cache_capacity(0)
            .disable_statement_logging();
        Self {
            end: end.into(),
            options,
            slots: Semaphore::new(most.max(1)),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub fn end(&self) -> &str {
        &self.end
    }

    /// Whether the URL asks for a connection that is encrypted in any case.
    pub fn wants_tls(&self) -> bool {
        use sqlx::postgres::PgSslMode;
        match self.options.get_ssl_mode() {
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => true,
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => false,
        }
    }

    /// Waits for a slot, then takes a kept connection or opens one.
    pub async fn session(&self) -> Result<Session<'_>, Fault> {
        let slot = self.slots.acquire().await;
        let slot = slot.map_err(|_| Fault::temporary(format!("{}: closed", self.end)))?;
        let connection = match self.kept().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Session::new(Lease {
            connection,
            home: self,
            _slot: slot,
        }))
    }

    async fn kept(&self) -> Option<PgConnection> {
        loop {
            let mut connection = self.lock().pop()?;
            if connection.ping().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<PgConnection, Fault> {
        let connecting = tokio::time::timeout(CONNECT_AT_MOST, self.options.connect()).await;
        let connection = connecting
            .map_err(|_| {
                let seconds = CONNECT_AT_MOST.as_secs();
                Fault::temporary(format!(
                    "{}: connecting: no answer in {seconds} s",
                    self.end
                ))
            })?
            .map_err(|error| fault(&self.end, "connecting", &error))?;
        nagle::off();
        Ok(connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye to the server on every kept connection.
    pub async fn close(&self) {
        self.slots.close();
        let idle = std::mem::take(&mut *self.lock());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!(end = self.end, %error, "a kept connection was gone already");
            }
        }
    }
}

/// A connection in use. Dropped, it is closed; given back, it is kept.
#[derive(Debug)]
pub struct Lease<'a> {
    pub connection: PgConnection,
    pub home: &'a Connections,
    _slot: SemaphorePermit<'a>,
}

impl Lease<'_> {
    pub fn give_back(self) {
        let mut connection = self.connection;
        connection.shrink_buffers();
        self.home.lock().push(connection);
    }
}
