//! Actions that need no store: `exec`, `http.check` and `tcp.check`.

mod answers;
mod exec;
mod hosts;
mod http;
#[cfg(test)]
mod reach_tests;
mod resolve;
mod tcp;

pub(crate) use answers::{innermost, retry_after, trusting};
pub use exec::{ExecConnector, hear};
pub use http::HttpConnector;
pub use resolve::Resolver;
pub(crate) use resolve::Secrets;
