//! Actions that are no store's own: `exec`, `http.check`, `tcp.check`, the
//! consistency of what was recovered, and the references between stores.

mod answers;
mod consistency;
mod exec;
mod hosts;
mod http;
#[cfg(test)]
mod reach_tests;
mod references;
mod resolve;
mod tcp;

pub(crate) use answers::{innermost, retry_after, trusting};
pub use consistency::ConsistencyConnector;
pub use exec::{ExecConnector, hear};
pub use http::HttpConnector;
pub use references::ReferencesConnector;
pub use resolve::Resolver;
pub(crate) use resolve::Secrets;
