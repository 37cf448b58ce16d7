//! PostgreSQL 13 to 18.

mod config;
mod connector;

pub use config::{PoolSizes, PostgresConfig, PostgresShard};
pub use connector::PostgresConnector;

pub mod live;
pub mod recover;
pub mod slice;
