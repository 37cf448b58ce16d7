//! Files people write, the environment, and moments, as the commands take them.

use std::path::{Path, PathBuf};

use reprise_model::{Estate, Exit, Runbook, SourceFile, Timestamp};
use reprise_plan::{Place, SelectedId, Selection};
use reprise_spec::{Code, Environment};

use crate::failure::Failure;
use crate::hints;

/// An estate with where it came from.
pub struct EstateFile {
    pub estate: Estate,
    pub source: SourceFile,
}

pub fn estate(path: &Path) -> Result<EstateFile, Failure> {
    let mut estate = reprise_spec::load_estate(path).map_err(invalid)?;
    estate.base = absolute(&estate.base);
    let source = SourceFile {
        name: estate.name.clone(),
        path: absolute(path),
        digest: reprise_spec::digest_of_estate(&estate),
    };
    Ok(EstateFile { estate, source })
}

/// A runbook with where it came from.
pub struct RunbookFile {
    pub runbook: Runbook,
    pub source: SourceFile,
}

/// Reads the runbook and holds it against the estate.
pub fn runbook(path: &Path, estate: &Estate) -> Result<RunbookFile, Failure> {
    let text = reprise_spec::load_text(path).map_err(invalid)?;
    let runbook = reprise_spec::parse_runbook(&text, path).map_err(invalid)?;
    reprise_spec::check_runbook_against(&runbook, estate, &text, path).map_err(invalid)?;
    let source = SourceFile {
        name: runbook.name.clone(),
        path: absolute(path),
        digest: reprise_spec::digest_of_runbook(&runbook),
    };
    Ok(RunbookFile { runbook, source })
}

fn invalid(diagnostics: reprise_spec::Diagnostics) -> Failure {
    Failure::of_files(Exit::InvalidInput, diagnostics)
}

/// The folder of a file named without one is empty, and means the current one.
fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The process's variables, and before them those of the env-file.
pub fn environment(env_file: Option<&Path>) -> Result<Environment, Failure> {
    // A variable that is not text can be no part of an address.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = Environment::new(variables);
    match env_file {
        None => Ok(environment),
        Some(path) => {
            let text = reprise_spec::load_text(path).map_err(invalid)?;
            environment.with_env_file(&text, path).map_err(invalid)
        }
    }
}

/// T: unambiguous, and not in the future.
pub fn target_time(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let at: Timestamp = text.parse().map_err(|error| hints::time(option, error))?;
    if at > now {
        return Err(Failure::refused(format!("{option}: {at} is in the future"))
            .fact("now", now)
            .hint("no backup reaches the future; check the offset and the date"));
    }
    Ok(at)
}

/// The sites that are asked for.
pub fn selection(text: &str) -> Result<Selection, Failure> {
    let parsed = reprise_spec::Selection::parse(text).map_err(hints::selection)?;
    Ok(match parsed {
        reprise_spec::Selection::All => Selection::All,
        reprise_spec::Selection::Attributes(filter) => Selection::Where(filter),
        reprise_spec::Selection::Ids(ids) => Selection::Ids(written(ids)),
        reprise_spec::Selection::File(path) => Selection::Ids(written(site_list(&path)?)),
    })
}

fn site_list(path: &Path) -> Result<Vec<reprise_spec::SelectedId>, Failure> {
    let usage = |diagnostics| Failure::of_files(Exit::Usage, diagnostics);
    let text = reprise_spec::load_text(path).map_err(usage)?;
    reprise_spec::read_site_list(&text, path).map_err(|diagnostics| {
        let empty = diagnostics.iter().all(|one| one.code() == Code::Empty);
        let exit = if empty {
            Exit::NothingToDo
        } else {
            Exit::Usage
        };
        Failure::of_files(exit, diagnostics)
    })
}

fn written(ids: Vec<reprise_spec::SelectedId>) -> Vec<SelectedId> {
    let place = |(file, line): (PathBuf, usize)| Place {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
    };
    ids.into_iter()
        .map(|selected| SelectedId {
            id: selected.id,
            place: selected.place.map(place),
        })
        .collect()
}

/// This moment.
pub fn now() -> Timestamp {
    reprise_runner::Clock::start().now()
}
