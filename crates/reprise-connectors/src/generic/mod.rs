//! Actions that need no store: `exec`, `http.check` and `tcp.check`.

mod answers;
mod exec;
mod http;
mod resolve;

pub(crate) use answers::{innermost, retry_after, trusting};
pub use exec::{ExecConnector, hear};
pub use http::HttpConnector;
pub use resolve::Resolver;
pub(crate) use resolve::Secrets;
