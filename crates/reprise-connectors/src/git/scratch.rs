//! What `recover` leaves: a bare clone of the branch, and a manifest that is
//! renamed into place when the clone is whole. Both hold for one T and one source.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::run;
use super::files::{self, Entry};
use super::history::{Commit, Cut, cut, starts_a_second};
use super::options::Ties;
use super::path::SitePath;
use crate::shared::room;

const MANIFEST: &str = "manifest.json";
const REPOSITORY: &str = "repository.git";
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    pub target_time: Timestamp,
    pub repository: String,
    pub branch: String,
    pub cut: Cut,
}

/// The scratch folder of one shard at one moment.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    pub folder: PathBuf,
    pub target: Timestamp,
    pub repository: String,
    pub branch: String,
}

impl Scratch {
    /// Absent where nothing is, or something of another T or place.
    pub fn manifest(&self) -> Option<Manifest> {
        let text = fs::read(self.folder.join(MANIFEST)).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let fits = manifest.version == VERSION
            && manifest.target_time == self.target
            && manifest.repository == self.repository
            && manifest.branch == self.branch;
        fits.then_some(manifest)
    }

    pub fn clone_path(&self) -> PathBuf {
        self.folder.join(REPOSITORY)
    }

    /// Clones beside the place and renames into it: it is whole or not there.
    pub fn build(&self) -> Result<Manifest, Fault> {
        let draft = self.draft();
        remove(&draft).map_err(|error| self.fault("delete", &error))?;
        let made = self.clone_into(&draft);
        if made.is_err() {
            let _ = remove(&draft);
        }
        made.map_err(|fault| room::explain(&self.folder, fault))
    }

    fn clone_into(&self, draft: &Path) -> Result<Manifest, Fault> {
        if let Some(root) = draft.parent() {
            fs::create_dir_all(root).map_err(|error| self.fault("create", &error))?;
        }
        let mut private = fs::DirBuilder::new();
        private
            .mode(0o700)
            .create(draft)
            .map_err(|error| self.fault("create", &error))?;
        let repository = draft.join(REPOSITORY);
        let place = repository
            .to_str()
            .ok_or_else(|| self.fault("use", &"its path is no UTF-8"))?;
        run(
            None,
            &[
                "clone",
                "--quiet",
                "--bare",
                "--single-branch",
                "--no-tags",
                "--branch",
                &self.branch,
                "--",
                &self.repository,
                place,
            ],
        )?;
        let manifest = Manifest {
            version: VERSION,
            target_time: self.target,
            repository: self.repository.clone(),
            branch: self.branch.clone(),
            cut: history(&repository, &self.branch, self.target)?,
        };
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        let put = File::create(draft.join(MANIFEST)).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            remove(&self.folder)?;
            fs::rename(draft, &self.folder)
        });
        put.map_err(|error| self.fault("write", &error))?;
        Ok(manifest)
    }

    /// Of this process alone: another coordinator clones its own.
    fn draft(&self) -> PathBuf {
        let mut name = self.folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".building-{}", std::process::id()));
        self.folder.with_file_name(name)
    }

    /// The site's files at T. Where a commit is in doubt and the files differ
    /// by it, the step must say which.
    pub fn slice(
        &self,
        manifest: &Manifest,
        path: &SitePath,
        ties: Ties,
    ) -> Result<Vec<Entry>, Fault> {
        let of = |commit: &Option<Commit>| match commit {
            Some(commit) => files::list(&self.clone_path(), &commit.id, path),
            None => Ok(Vec::new()),
        };
        let certain = of(&manifest.cut.commit)?;
        let Some(doubt) = &manifest.cut.doubt else {
            return Ok(certain);
        };
        let later = of(&manifest.cut.doubt)?;
        match ties {
            Ties::Exclude | Ties::Refuse if manifest.cut.commit.is_none() => {
                Err(too_young(&self.branch, Some(doubt.time)))
            }
            Ties::Exclude => Ok(certain),
            Ties::Refuse if starts_a_second(self.target) => Ok(certain),
            Ties::Include => Ok(later),
            Ties::Refuse if later == certain => Ok(certain),
            Ties::Refuse => Err(Fault::refused(format!(
                "commit {} was made within the target time's own second, and changes what is below {}",
                super::history::short(&doubt.id),
                path.as_str()
            ))
            .hint("say `with: { ties: include }` or `exclude`, or choose a whole second")),
        }
    }

    /// The manifest goes first: what is half deleted is nothing.
    pub fn delete(&self) -> Result<(), Fault> {
        match fs::remove_file(self.folder.join(MANIFEST)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.fault("delete", &error));
            }
            _ => {}
        }
        remove(&self.folder).map_err(|error| self.fault("delete", &error))
    }

    fn fault(&self, doing: &str, why: &dyn std::fmt::Display) -> Fault {
        Fault::refused(format!("cannot {doing} {}: {why}", self.folder.display()))
    }
}

/// The commit of T; a history that begins later cannot tell it.
pub(super) fn history(repository: &Path, branch: &str, target: Timestamp) -> Result<Cut, Fault> {
    let reference = format!("refs/heads/{branch}");
    let lines = run(
        Some(repository),
        &[
            "log",
            "--first-parent",
            "--format=%H %ct",
            "--end-of-options",
            &reference,
        ],
    )?;
    let cut = cut(&String::from_utf8_lossy(&lines), target)?;
    if cut.commit.is_none() && cut.doubt.is_none() {
        return Err(too_young(branch, cut.first_after));
    }
    Ok(cut)
}

/// A history that cannot tell what was there at T.
fn too_young(branch: &str, first: Option<Timestamp>) -> Fault {
    let first = first.map_or(String::new(), |first| format!(" at {first}"));
    Fault::refused(format!(
        "the history of `{branch}` begins{first}, and not before the target time"
    ))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
