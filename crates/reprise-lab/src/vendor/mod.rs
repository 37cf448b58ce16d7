//! A third-party vendor of apps, as vendors are: tokens by client credentials,
//! apps per site in pages, effects under idempotency keys; and, when it is
//! told to, dropped connections, 429, 503, late and lost answers, and effects
//! that are said to have happened. It counts what it did, by key and by app.
//!
//! `/admin/...` tells it what to do and asks what it did; no token is needed
//! there, so it listens on the loopback address only.

mod admin;
mod mischief;
mod routes;
mod server;
mod state;

pub use mischief::{Doing, Mischief, What};
pub use server::{Options, Server};
pub use state::{Apps, Counts};
