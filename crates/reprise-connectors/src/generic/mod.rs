//! Actions that need no store: `exec` and `http.check`.

mod exec;
mod http;
mod resolve;

pub use exec::{ExecConnector, hear};
pub use http::HttpConnector;
pub use resolve::Resolver;
