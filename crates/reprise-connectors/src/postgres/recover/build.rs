//! Makes the data directory of a scratch server out of a backup.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use reprise_model::{Fault, Timestamp};
use reprise_pgserver::Account;

use super::conf::{self, Recipe};
use super::copy::{Inventory, Watch};
use super::fault;
use super::folder::{Folder, Marker};
use super::pgbackrest;
use super::source::{Origin, Source};
use crate::shared::room::check_space;

/// Builds everything that a server needs to begin its replay; what an earlier
/// attempt left half done is deleted first.
pub fn build(
    folder: &Folder,
    source: &Source,
    account: &Account,
    target: Timestamp,
    watch: &Watch,
) -> Result<Recipe, Fault> {
    folder.wipe()?;
    check_space(folder.path(), source.scratch_bytes())?;
    folder.write_marker(&Marker::building(target, source.id.clone()))?;
    let restore_command = match &source.origin {
        Origin::Folder { .. } => {
            copy_base(folder, source, watch).map_err(|error| explain(folder, watch, &error))?;
            let archive = readable_archive(folder, source, account)
                .map_err(|error| explain(folder, watch, &error))?;
            conf::restore_from(&archive, packings(source), &folder.requests())
        }
        Origin::PgBackRest(repository) => {
            let data = folder.data();
            for place in [data, folder.path().join("tablespaces")] {
                private(&place).map_err(|error| explain(folder, watch, &error))?;
                account.own(&place).map_err(fault::permanent)?;
            }
            pgbackrest::restore(repository, account, folder, target)?;
            for name in ["recovery.signal", "tablespace_map"] {
                // `tablespace_map` would bring the original's places back.
                let _ = fs::remove_file(folder.data().join(name));
            }
            pgbackrest::restore_command(repository, folder)
        }
    };
    let recipe = Recipe {
        target,
        timeline: source.timeline,
        restore_command,
        limits: limits(source),
    };
    finish(folder, account, &recipe).map_err(|error| explain(folder, watch, &error))?;
    Ok(recipe)
}

/// The files that are small and ours, and the owner of everything.
fn finish(folder: &Folder, account: &Account, recipe: &Recipe) -> io::Result<()> {
    conf::write(folder.path(), recipe)?;
    fs::write(folder.requests(), "")?;
    let ours = [
        "data",
        "tablespaces",
        "requests",
        "postgresql.conf",
        "pg_hba.conf",
    ];
    for name in ours {
        let place = folder.path().join(name);
        if place.exists() {
            account.own(&place).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn copy_base(folder: &Folder, source: &Source, watch: &Watch) -> io::Result<()> {
    let Origin::Folder { base, .. } = &source.origin else {
        return Ok(());
    };
    let tablespaces = folder.path().join("tablespaces");
    Inventory::of(&base.path, &folder.data(), &tablespaces)?.copy(watch)
}

/// The archive itself where the server's account can read it, else a copy of
/// the stretch that is needed.
fn readable_archive(folder: &Folder, source: &Source, account: &Account) -> io::Result<PathBuf> {
    let Origin::Folder {
        archive, stretch, ..
    } = &source.origin
    else {
        return Ok(PathBuf::new());
    };
    let files = || {
        stretch
            .segments
            .iter()
            .filter_map(|s| archive.segments.get(s))
    };
    if account.can_read(&archive.path) && files().all(|file| account.can_read(file)) {
        return Ok(archive.path.clone());
    }
    let staged = folder.path().join("wal");
    private(&staged)?;
    let histories = archive
        .forks
        .keys()
        .map(|timeline| archive.path.join(format!("{timeline:08X}.history")));
    for file in files().cloned().chain(histories) {
        if let Some(name) = file.file_name() {
            fs::copy(&file, staged.join(name))?;
        }
    }
    account.own(&staged).map_err(io::Error::other)?;
    Ok(staged)
}

fn packings(source: &Source) -> &[&'static str] {
    match &source.origin {
        Origin::Folder { stretch, .. } => &stretch.packings,
        Origin::PgBackRest(_) => &[],
    }
}

/// `max_connections` and its like: never below the primary's, never below
/// what a scratch server needs for its own pool.
fn limits(source: &Source) -> Vec<(String, String)> {
    let mut limits: Vec<(String, u64)> = source.limits.clone();
    if limits.is_empty() {
        limits.push(("max_connections".to_owned(), 100));
    }
    limits
        .into_iter()
        .map(|(name, value)| {
            let least = if name == "max_connections" { 100 } else { 0 };
            (name, value.max(least).to_string())
        })
        .collect()
}

fn private(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// A full disk and a cancellation have faults of their own.
fn explain(folder: &Folder, watch: &Watch, error: &io::Error) -> Fault {
    if watch.stop.load(Ordering::Relaxed) && error.kind() == io::ErrorKind::Interrupted {
        return fault::cancelled("the copy of the backup");
    }
    let fault = Fault::temporary(format!(
        "cannot build the scratch folder {}: {error}",
        folder.path().display()
    ));
    folder.explain(fault, "")
}
