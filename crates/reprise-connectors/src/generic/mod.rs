//! Actions that need no store: `exec`, `http.check`, `tcp.check`, and the
//! consistency of what was recovered.

mod answers;
mod consistency;
mod exec;
mod hosts;
mod http;
#[cfg(test)]
mod reach_tests;
mod resolve;
mod tcp;

pub(crate) use answers::{innermost, retry_after, trusting};
pub use consistency::ConsistencyConnector;
pub use exec::{ExecConnector, hear};
pub use http::HttpConnector;
pub use resolve::Resolver;
pub(crate) use resolve::Secrets;
