//! A store in trouble in the middle of an estate whose other stores are well:
//! what happened is said, sites that do not need it come back, and the rest is
//! done by a retry once the cause is gone.

mod run;
mod servers;
mod space;
