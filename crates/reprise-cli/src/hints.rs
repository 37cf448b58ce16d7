//! One function per error type of the inner crates: what its facts mean for
//! the exit code, and what to do next.

use reprise_model::{Exit, TimestampError};
use reprise_plan::{PlanError, PlanErrors, PlanFault};
use reprise_ports::JournalError;
use reprise_runner::{RunError, SurveyError, WorldError};
use reprise_spec::{MissingVariable, SelectionError};

use crate::failure::Failure;

/// How many errors of one kind are listed before the rest is counted.
const LISTED: usize = 20;

pub fn journal(error: JournalError) -> Failure {
    let message = error.to_string();
    match error {
        JournalError::NoSuchRun(_) => {
            Failure::usage(message).hint("`reprise runs` lists the runs of this journal")
        }
        JournalError::Alive { run, .. } => Failure::refused(message)
            .hint(format!("`reprise status {run} --watch` follows it"))
            .hint(format!("`reprise cancel {run}` ends it in order")),
        JournalError::Superseded { run, .. } => {
            Failure::refused(message).hint(format!("`reprise status {run}` shows who has it now"))
        }
        JournalError::OutOfStep { run, .. } => {
            Failure::refused(message).hint(format!("`reprise resume {run}` takes it up again"))
        }
        JournalError::Corrupt { .. } => Failure::new(Exit::JournalUnreadable, message)
            .hint("the journal was changed or damaged from there on; restore it from a copy"),
        JournalError::Newer { .. } => Failure::new(Exit::JournalUnreadable, message)
            .hint("use the version of reprise that wrote it, or a newer one"),
        JournalError::Unusable { .. } => Failure::new(Exit::JournalUnreadable, message)
            .hint("`--state` names the journal: a file, or a postgres:// URL"),
        JournalError::NoRoom { .. } => Failure::new(Exit::JournalUnreadable, message)
            .hint("make room there; what was recorded stays"),
    }
}

pub fn time(option: &str, error: TimestampError) -> Failure {
    let failure = Failure::usage(format!("{option}: {error}"));
    match error {
        TimestampError::NoOffset(text) => {
            failure.hint(format!("`{option} {text}Z` if that was meant in UTC"))
        }
        TimestampError::Malformed(_) | TimestampError::TooFine(_) => failure,
    }
}

pub fn selection(error: SelectionError) -> Failure {
    let exit = match error {
        SelectionError::Empty => Exit::NothingToDo,
        SelectionError::NoFile
        | SelectionError::EmptyEntry(_)
        | SelectionError::Duplicate { .. }
        | SelectionError::Mixed(_)
        | SelectionError::SameAttribute(_)
        | SelectionError::BadId(..) => Exit::Usage,
    };
    Failure::new(exit, format!("--sites: {error}"))
        .hint("`--sites` takes @FILE, ID,ID,..., all, or KEY=VALUE,...")
}

pub fn plan(errors: &PlanErrors) -> Failure {
    let all_selection = errors.0.iter().all(is_selection);
    let exit = match (errors.is_nothing_to_do(), all_selection) {
        (true, _) => Exit::NothingToDo,
        (false, true) => Exit::Refused,
        (false, false) => Exit::InvalidInput,
    };
    let mut lines: Vec<_> = errors
        .0
        .iter()
        .take(LISTED)
        .map(ToString::to_string)
        .collect();
    if errors.0.len() > LISTED {
        lines.push(format!("... and {} more", errors.0.len() - LISTED));
    }
    let failure = Failure::new(exit, lines.join("\n       "));
    let not_sites = errors
        .0
        .iter()
        .filter(|error| matches!(error, PlanError::NotASite { .. }));
    match not_sites.count() {
        0 => failure,
        _ => failure
            .hint("nothing was changed; take these ids out of the selection, or correct them"),
    }
}

/// The fault lies in what was asked for, not in the files.
fn is_selection(error: &PlanError) -> bool {
    matches!(
        error,
        PlanError::NotASite { .. }
            | PlanError::SelectedTwice { .. }
            | PlanError::NothingSelected { .. }
            | PlanError::UnknownAttribute { .. }
    )
}

pub fn plan_file(file: &str, fault: &PlanFault) -> Failure {
    let failure = Failure::refused(format!("{file}: {fault}"));
    match fault {
        PlanFault::Newer { .. } => failure.hint("use the version of reprise that made the plan"),
        PlanFault::NoSuchVersion { .. }
        | PlanFault::Changed { .. }
        | PlanFault::Malformed { .. } => failure.hint("`reprise plan ... -o FILE` makes it anew"),
    }
}

pub fn missing(missing: &[MissingVariable]) -> Failure {
    let failure = match missing {
        [one] => Failure::new(Exit::InvalidInput, one.to_string()),
        many => {
            let message = "variables are missing from the environment";
            let mut failure = Failure::new(Exit::InvalidInput, message);
            for one in many {
                failure.facts.push(match one {
                    MissingVariable::NotSet { name, place, .. } => (name.clone(), place.clone()),
                    MissingVariable::Malformed { place, why } => (place.clone(), (*why).to_owned()),
                });
            }
            failure
        }
    };
    failure.hint("set them in the environment, or in a file given by `--env-file`")
}

pub fn world(error: WorldError) -> Failure {
    match error {
        WorldError::Missing(variables) => missing(&variables),
        WorldError::Http(_) => Failure::internal(error.to_string()),
    }
}

pub fn survey(error: SurveyError) -> Failure {
    let message = error.to_string();
    match error {
        SurveyError::File(diagnostics) => Failure::of_files(Exit::InvalidInput, diagnostics),
        SurveyError::Unreadable { .. } => Failure::new(Exit::InvalidInput, message)
            .hint("`sites.from` in the estate names the file"),
        SurveyError::Store { fault, .. } => {
            let failure = Failure::refused(message).fact("cause", &fault.message);
            match fault.hint {
                Some(hint) => failure.hint(hint),
                None => failure.hint("`reprise check` looks at every store before anything starts"),
            }
        }
    }
}

pub fn run(error: RunError) -> Failure {
    match error {
        RunError::Journal(error) => journal(error),
        RunError::Replay { ref source, .. } => {
            Failure::new(Exit::JournalUnreadable, format!("{error}: {source}"))
                .hint("the journal was changed or damaged; restore it from a copy")
        }
        RunError::MovedOn { .. } => Failure::refused(error.to_string())
            .hint("the same command shows the difference as it is now"),
        RunError::Aborted => Failure::new(Exit::Signal, error.to_string()),
    }
}
