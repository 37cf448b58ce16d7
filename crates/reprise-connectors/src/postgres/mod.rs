//! PostgreSQL 13 to 18.

mod config;

pub use config::{PoolSizes, PostgresConfig, PostgresShard};

pub mod live;
pub mod slice;
