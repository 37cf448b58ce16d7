//! MariaDB 10.11 and later.
//!
//! `docs/design/mariadb.md` is the protocol. Which rows belong to a site is
//! decided in [`crate::rows`], as for PostgreSQL.

mod config;
mod connector;
mod live;
mod recover;
mod session;

pub use config::{MariadbConfig, MariadbShard};
pub use connector::MariadbConnector;
