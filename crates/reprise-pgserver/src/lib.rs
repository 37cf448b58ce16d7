//! Finds PostgreSQL installations and runs private clusters, also when called
//! as root.
//!
//! A blocking API over the standard library alone, used by the connector (on
//! blocking threads), by the lab and by tests. PostgreSQL refuses to run as
//! root, so [`Account`] decides under whose name programs run and hands over
//! the folders; [`Server`] runs `postgres` itself as a direct child, never
//! through `pg_ctl`, which would detach it and hide its end.

mod account;
mod error;
mod initdb;
mod installation;
mod ports;
mod postmaster;
mod server;
mod spawn;

pub use account::Account;
pub use error::Error;
pub use initdb::{Initdb, initdb};
pub use installation::{Installation, SearchPath};
pub use ports::free_ports;
pub use postmaster::Postmaster;
pub use server::{Lifetime, Server, ServerConfig, Stop, Tcp, private_folder};
pub use spawn::{attached, detached};
