//! The binary as scripts and operators meet it: what it prints where, and how
//! it ends. Hermetic: a folder, an environment and a terminal width of its own.

mod audits;
mod collector;
mod exposition;
mod files;
mod forecasts;
mod help;
mod journal;
mod refusals;
mod resume;
mod runs;
mod sandbox;
mod telemetry;
