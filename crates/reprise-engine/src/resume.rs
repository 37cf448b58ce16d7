//! The resume table: what becomes of a task when a run is taken up again.
//!
//! `docs/design/resume.md` holds the table by its numbers. A test compares
//! this function with that table in every combination.

use reprise_model::Action;

/// Where a task stands, from the events alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    NotTried,
    /// Ended without success, and to be tried again.
    Again,
    Cancelled,
    /// An attempt has no end.
    Started,
    /// A probe has no end.
    Probing,
    /// Its work may have been done.
    Uncertain,
    CancelledUncertain,
    Failed,
    FailedUncertain,
    Done,
    Satisfied,
    /// What stood in its way still stands.
    Skipped,
    /// It was skipped, and what stood in its way is done again.
    Freed,
    GateOpen,
}

/// How the task of the plan in force and that of the new one differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    Same,
    /// Time-out, retry, pool.
    Handling,
    /// It needs something that it did not need before.
    Order,
    /// Its scratch was released, and is wanted again.
    Wanted,
    /// Something that it needs works again.
    Upstream,
    /// Its options.
    Work,
    /// Its action or its store.
    Replaced,
    New,
    Dropped,
    /// A restore of what a step that is no more has restored.
    Twin,
}

/// What its action means for doing it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Must never be done twice.
    Once,
    Scratch,
    Program,
    Check,
    Gate,
}

/// What the store says about the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probed {
    NotAsked,
    AsItShouldBe,
    NotYet,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Decision {
    /// Its state stands.
    Keep,
    /// Ask the store first.
    Revalidate,
    /// From the start.
    Run,
    /// A person has the word.
    Ask,
    /// Not with this plan.
    Refuse,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub number: u8,
    pub decision: Decision,
    pub because: &'static str,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Self::Once,
        Self::Scratch,
        Self::Program,
        Self::Check,
        Self::Gate,
    ];

    pub fn of(action: Action) -> Self {
        match action {
            Action::Restore => Self::Once,
            Action::Recover | Action::Release => Self::Scratch,
            Action::Exec => Self::Program,
            Action::Verify
            | Action::HttpCheck
            | Action::TcpCheck
            | Action::CheckConsistency
            | Action::CheckReferences => Self::Check,
            Action::Gate => Self::Gate,
        }
    }

    /// Whether doing it once more does no harm.
    pub fn may_repeat(self) -> bool {
        match self {
            Self::Scratch | Self::Program | Self::Check => true,
            Self::Once | Self::Gate => false,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Scratch => "scratch",
            Self::Program => "program",
            Self::Check => "check",
            Self::Gate => "gate",
        }
    }
}

impl Status {
    pub const ALL: [Status; 14] = [
        Self::NotTried,
        Self::Again,
        Self::Cancelled,
        Self::Started,
        Self::Probing,
        Self::Uncertain,
        Self::CancelledUncertain,
        Self::Failed,
        Self::FailedUncertain,
        Self::Done,
        Self::Satisfied,
        Self::Skipped,
        Self::Freed,
        Self::GateOpen,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotTried => "not-tried",
            Self::Again => "again",
            Self::Cancelled => "cancelled",
            Self::Started => "started",
            Self::Probing => "probing",
            Self::Uncertain => "uncertain",
            Self::CancelledUncertain => "cancelled-uncertain",
            Self::Failed => "failed",
            Self::FailedUncertain => "failed-uncertain",
            Self::Done => "done",
            Self::Satisfied => "satisfied",
            Self::Skipped => "skipped",
            Self::Freed => "freed",
            Self::GateOpen => "gate-open",
        }
    }

    /// Whether its work is there.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::Satisfied)
    }

    /// Whether its work may be there, and nobody has looked yet.
    pub fn is_open_question(self) -> bool {
        match self {
            Self::Started | Self::Probing | Self::Uncertain | Self::CancelledUncertain => true,
            Self::NotTried
            | Self::Again
            | Self::Cancelled
            | Self::Failed
            | Self::FailedUncertain
            | Self::Done
            | Self::Satisfied
            | Self::Skipped
            | Self::Freed
            | Self::GateOpen => false,
        }
    }
}

impl Change {
    pub const ALL: [Change; 10] = [
        Self::Same,
        Self::Handling,
        Self::Order,
        Self::Wanted,
        Self::Upstream,
        Self::Work,
        Self::Replaced,
        Self::New,
        Self::Dropped,
        Self::Twin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Handling => "handling",
            Self::Order => "order",
            Self::Wanted => "wanted",
            Self::Upstream => "upstream",
            Self::Work => "work",
            Self::Replaced => "replaced",
            Self::New => "new",
            Self::Dropped => "dropped",
            Self::Twin => "twin",
        }
    }
}

impl Probed {
    pub const ALL: [Probed; 4] = [
        Self::NotAsked,
        Self::AsItShouldBe,
        Self::NotYet,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::AsItShouldBe => "as-it-should-be",
            Self::NotYet => "not-yet",
            Self::Unknown => "unknown",
        }
    }
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Revalidate => "re-validate",
            Self::Run => "run",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }

    /// Whether the task will be put to work, if only to be asked.
    pub fn is_work(self) -> bool {
        match self {
            Self::Run | Self::Revalidate => true,
            Self::Keep | Self::Ask | Self::Refuse => false,
        }
    }
}

/// What becomes of a task. Total: what cannot be has a row as well.
pub fn decide(status: Status, kind: Kind, change: Change, probe: Probed) -> Row {
    match change {
        Change::New => run(1, "new in this runbook"),
        Change::Twin => refuse(2, "another step restored this slice, or may have"),
        Change::Dropped | Change::Replaced => gone(status, kind, change),
        Change::Same
        | Change::Handling
        | Change::Order
        | Change::Wanted
        | Change::Upstream
        | Change::Work => goes_on(status, kind, change, probe),
    }
}

/// The work that the task stood for is in the new plan no more.
fn gone(status: Status, kind: Kind, change: Change) -> Row {
    if !kind.may_repeat() && status.is_open_question() {
        return refuse(
            3,
            "whether it was done is not known, and nobody would ask any more",
        );
    }
    if !kind.may_repeat() && status == Status::FailedUncertain {
        return ask(
            4,
            "it failed after the point from which it may have been done",
        );
    }
    match (change, status) {
        (Change::Dropped, _) => keep(5, "no longer in the runbook; what it did stays done"),
        (_, Status::Skipped) => still_skipped(),
        (_, _) => run(7, "the step does something else now"),
    }
}

fn goes_on(status: Status, kind: Kind, change: Change, probe: Probed) -> Row {
    let lasting = matches!(change, Change::Same | Change::Handling);
    match status {
        Status::Skipped => still_skipped(),
        Status::Freed => run(8, "what stood in its way is done again"),
        Status::NotTried => run(9, "not begun"),
        Status::Again | Status::Cancelled => run(10, "ended without success, and is tried again"),
        Status::GateOpen if lasting => keep(11, "waits for its answer"),
        Status::GateOpen => run(
            12,
            "what it asks about has changed: opened again when that is done",
        ),
        Status::Failed | Status::FailedUncertain if change == Change::Same => {
            keep(13, "failed; `reprise retry` puts it back")
        }
        Status::Failed => run(14, "failed, and something about it has changed"),
        Status::Started
        | Status::Probing
        | Status::Uncertain
        | Status::CancelledUncertain
        | Status::FailedUncertain => in_question(kind, change, probe),
        Status::Done | Status::Satisfied => done(kind, change),
    }
}

fn still_skipped() -> Row {
    keep(6, "what stood in its way still stands")
}

/// The work may have been done.
fn in_question(kind: Kind, change: Change, probe: Probed) -> Row {
    let other_work = change >= Change::Wanted;
    if kind.may_repeat() && other_work {
        let because = "what it may have done is of no use any more, and it may be repeated";
        return run(15, because);
    }
    if matches!(kind, Kind::Program | Kind::Check) && change == Change::Order {
        return run(
            16,
            "it has to come after something new, and may be repeated",
        );
    }
    match probe {
        Probed::NotAsked => Row {
            number: 17,
            decision: Decision::Revalidate,
            because: "it may have been done: asks the store first",
        },
        Probed::AsItShouldBe => keep(18, "it was done"),
        Probed::NotYet => run(19, "it was not done"),
        Probed::Unknown if kind.may_repeat() => run(20, "nobody can tell, and it may be repeated"),
        Probed::Unknown => ask(
            21,
            "nobody can tell, and it must not be done twice: asked again, then a person looks",
        ),
    }
}

fn done(kind: Kind, change: Change) -> Row {
    match (kind, change) {
        (_, Change::Same | Change::Handling) => keep(22, "done"),
        (Kind::Once, Change::Work | Change::Upstream) => ask(
            23,
            "restored as the runbook was before; kept, never restored twice",
        ),
        (Kind::Once, _) => keep(24, "done before that was asked of it; never restored twice"),
        (Kind::Scratch, Change::Order) => keep(
            25,
            "done; its result does not depend on what comes before it",
        ),
        (Kind::Scratch, _) => run(26, "its scratch is wanted anew"),
        (Kind::Program, _) => run(27, "what it was told has changed"),
        (Kind::Check, _) => run(28, "what it found no longer holds"),
        (Kind::Gate, _) => run(29, "what was approved has changed: asked again"),
    }
}

fn keep(number: u8, because: &'static str) -> Row {
    let decision = Decision::Keep;
    Row {
        number,
        decision,
        because,
    }
}

fn run(number: u8, because: &'static str) -> Row {
    let decision = Decision::Run;
    Row {
        number,
        decision,
        because,
    }
}

fn ask(number: u8, because: &'static str) -> Row {
    let decision = Decision::Ask;
    Row {
        number,
        decision,
        because,
    }
}

fn refuse(number: u8, because: &'static str) -> Row {
    let decision = Decision::Refuse;
    Row {
        number,
        decision,
        because,
    }
}
