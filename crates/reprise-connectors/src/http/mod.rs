//! Third-party apps behind a vendor's API, declared as requests.
//!
//! **Protocol.** *Effects*: an app is asked for only where a listing of that
//! moment lacks it or calls it broken. Each effect carries a key made of run,
//! task and app, the same for every attempt. *A lost answer* (a drop, a
//! time-out, a 5xx) is looked for by a listing before anything is asked again.
//! *Crash*: cut off before a request nothing has happened; after it, the next
//! attempt finds the app listed, or repeats under the same key, which the
//! vendor honours. *Silence*: a vendor that answers 200 and does nothing is
//! believed by `restore` and found out by `verify`. *Partial success*: what
//! was installed is kept; the fault counts it and names what is left.

mod config;
mod connector;
mod credentials;
mod effects;
mod fault;
mod inspect;
mod listing;
mod place;
mod requests;
mod slice;
mod vendor;

pub(crate) use fault::{kind_of, message_in};
pub(crate) use requests::{escaped, harmless, is_dots};
pub(crate) use vendor::split;

pub use config::{AppsConfig, AppsShard, Credentials, Listing, Renderer, Seen};
pub use connector::AppsConnector;
