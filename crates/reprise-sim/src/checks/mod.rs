//! Checkers: they watch what reaches the journal and the world, keep books of
//! their own, and trust nothing the engine says.

mod books;
mod slots;
mod verdict;

pub(crate) use books::{Books, Settled};
pub(crate) use slots::Slots;
pub use verdict::SiteEnds;
pub(crate) use verdict::{compare, site_ends};

use reprise_model::AttemptId;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    #[error("{task} was started before {need} was done")]
    Early { task: String, need: String },
    #[error("{task} was started and nothing durable says so (attempt {attempt})")]
    NotDurable { task: String, attempt: AttemptId },
    #[error("{task} was started after it had ended")]
    Twice { task: String },
    #[error("{task} was done in the world {times} times")]
    DoneTwice { task: String, times: u32 },
    #[error("{task} was started while an earlier attempt was under way")]
    Overlap { task: String },
    #[error("{task} was started without asking what became of its earlier attempt")]
    Unprobed { task: String },
    #[error("pool {pool} has {slots} slots, and {used} were in use")]
    OverPool { pool: String, slots: u32, used: u32 },
    #[error("pool {pool} was used {gap_micros} us after the last start")]
    OverRate { pool: String, gap_micros: i64 },
    #[error("{task} of wave {wave} was started, and {open} waves were open")]
    ClosedWave { task: String, wave: u32, open: u32 },
    #[error("wave {wave} was opened while {task} of an earlier wave was open")]
    WaveTooSoon { wave: u32, task: String },
    #[error("wave {wave} was opened with {failed} failed sites, {allowed} are allowed")]
    HaltIgnored {
        wave: u32,
        failed: usize,
        allowed: u32,
    },
    #[error("{task} was started while the run was {how}")]
    Unwanted { task: String, how: &'static str },
    #[error("{task} was started {micros} us before its next try was due")]
    TooSoon { task: String, micros: i64 },
    #[error("a gate was started as if it were work: {task}")]
    GateStarted { task: String },
    #[error("attempt {0} was used twice")]
    AttemptReused(AttemptId),
    #[error("{task} was interrupted for its time-out after {seconds} s")]
    Hasty { task: String, seconds: f64 },
    #[error("{task} was under way for {seconds} s and was not interrupted")]
    Overdue { task: String, seconds: f64 },
    #[error("{task} was still under way when its coordinator stopped")]
    LeftBehind { task: String },
    #[error("command {number} came after command {last}")]
    CommandOutOfTurn { number: u64, last: u64 },
    #[error("command {number} is not the one that was posted")]
    CommandChanged { number: u64 },
    #[error("`{event}` cannot be: {task}")]
    OutOfPlace { event: &'static str, task: String },
    #[error("the run stopped as finished and {task} had not ended")]
    NotAtItsEnd { task: String },
    #[error("{task} is {engine} and the books say {books}")]
    BooksDiffer {
        task: String,
        books: &'static str,
        engine: &'static str,
    },
    #[error("site {site}: its state by the books and by the engine differ")]
    SiteDiffers { site: String },
    #[error("{task} ended as {end}, and in the world it was done {times} times")]
    WorldDiffers {
        task: String,
        end: &'static str,
        times: u32,
    },
    #[error("the journal folds to {folded}, the engine says {engine}: {task}")]
    FoldDiffers {
        task: String,
        folded: &'static str,
        engine: &'static str,
    },
    #[error("the journal cannot be replayed: {0}")]
    Replay(String),
    #[error("the journal: {0}")]
    Journal(String),
    #[error("a coordinator of epoch {epoch} wrote after epoch {newest} had begun")]
    NotFenced { epoch: u64, newest: u64 },
    #[error("a changed page was read as if it were whole: {0}")]
    DamageUnnoticed(String),
    #[error("no end after {0} inputs")]
    Endless(u64),
    #[error("no end {0} s after the last fault")]
    NoConvergence(f64),
    #[error("nothing more will happen, and the run is not finished")]
    Stuck,
}
