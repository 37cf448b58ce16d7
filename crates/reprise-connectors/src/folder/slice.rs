//! A site's slice of a tree: its manifest of T, and its files as they are now.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_model::{Fault, Outcome, RecoveryPoint, SiteId, Timestamp, Verdict};
use reprise_ports::{Context, Probe};
use serde_json::json;
use tokio::sync::OnceCell;

use super::apply;
use super::config::Past;
use super::manifest::{self, Entry, Of};
use super::names::{self, at};
use super::options::{Options, Owners};
use super::past::{Above, Chosen};
use super::tree::{self, Tree, cannot};
use super::verify;
use super::watch::{Watch, blocking};
use super::work::Differences;
use crate::shared::policy::OnConflict;

/// A repository is asked for so many sites' folders: each costs a process.
const ASKED: usize = 20;

pub struct Slice<'a> {
    /// Such as `files/s01 live (/srv/files)`.
    pub end: String,
    pub site: &'a SiteId,
    /// Relative to the tree.
    pub folder: PathBuf,
    /// Of other sites of the batch, as far as ids alone tell them.
    pub others: Vec<PathBuf>,
    pub anybody: Arc<OnceCell<bool>>,
    /// The live tree.
    pub tree: &'a Path,
    pub past: &'a Past,
    pub chosen: Chosen,
    /// Scratch of the shard at T.
    pub scratch: PathBuf,
    pub target: Timestamp,
    pub options: Options,
    pub context: &'a dyn Context,
    /// One thread works on a site at a time.
    pub alone: Arc<tokio::sync::Mutex<()>>,
}

/// What was there at T, and where it can be read.
#[derive(Clone)]
struct Then {
    entries: Arc<Vec<Entry>>,
    copy: PathBuf,
}

impl Then {
    /// With the owners that things are to have.
    fn owned(self, owners: Owners, now: &Tree, tree: &Path) -> Result<Self, Fault> {
        if owners == Owners::Compare {
            return Ok(self);
        }
        let told = fs::metadata(tree).map_err(|error| cannot("read", tree, &error))?;
        let mut entries = self.entries.to_vec();
        for entry in &mut entries {
            let live = now.get(&entry.path).map(|node| node.owner);
            entry.node.owner = live.unwrap_or((told.uid(), told.gid()));
        }
        Ok(Self {
            entries: Arc::new(entries),
            ..self
        })
    }
}

impl Slice<'_> {
    async fn then(&self) -> Result<Then, Fault> {
        let of = Of::new(
            self.past.place(),
            &self.chosen.id,
            &self.folder,
            self.target,
        );
        let cancelled = self.context.cancelled();
        let copy = self
            .past
            .site(
                Some(self.tree),
                &self.chosen,
                &self.folder,
                &self.scratch,
                self.target,
                cancelled,
            )
            .await?;
        let (scratch, stands) = (self.scratch.clone(), self.past.stands(&self.chosen));
        let (threads, from) = (self.options.concurrent, copy.clone());
        let entries = blocking(
            self.context,
            "reading the copy",
            &self.alone,
            move |watch| match manifest::read(&of, &scratch) {
                Some(entries) => Ok(entries),
                None => manifest::make(&of, &from, &scratch, stands.as_deref(), threads, watch),
            },
        );
        Ok(Then {
            entries: Arc::new(entries.await?),
            copy,
        })
    }

    fn root(&self) -> PathBuf {
        at(self.tree, &self.folder)
    }

    fn of_site(&self) -> String {
        format!("{}: site {}", self.end, self.site)
    }

    pub async fn restore(&self) -> Result<Outcome, Fault> {
        let (then, above) = (self.then().await?, self.above().await?);
        let (root, tree) = (self.root(), self.tree.to_owned());
        let (end, options) = (self.of_site(), self.options);
        let (phase, point) = ("bringing files back", self.point());
        blocking(self.context, phase, &self.alone, move |watch| {
            let now = cleared(&root, watch)?;
            let then = then.owned(options.owners, &now, &tree)?;
            let found = differences(&then, &now, &root, &options, watch)?;
            apply::refuse(&found, &options, &end)?;
            let changed = apply::apply(&found, &then.copy, &root, &above, &options, watch)?;
            Ok(told(&found, &options, changed, point))
        })
        .await
    }

    fn point(&self) -> RecoveryPoint {
        self.chosen.point(self.past.what())
    }

    /// Folders between the tree and the site's that are not there, outermost
    /// first, each as the copy has it.
    async fn above(&self) -> Result<Vec<(PathBuf, Option<Above>)>, Fault> {
        let mut missing = Vec::new();
        let above: Vec<&Path> = self.folder.ancestors().skip(1).collect();
        for path in above.into_iter().rev() {
            let place = at(self.tree, path);
            if tree::look(&place)?.is_none() {
                let cancelled = self.context.cancelled();
                let chosen = &self.chosen;
                let as_was = self.past.above(Some(self.tree), chosen, path, cancelled);
                missing.push((place, as_was.await?));
            }
        }
        Ok(missing)
    }

    /// Whether all files are as the manifest has them, without changing any.
    pub async fn probe_restore(&self) -> Result<Probe, Fault> {
        let then = self.then().await?;
        let (root, tree) = (self.root(), self.tree.to_owned());
        let (options, point) = (self.options, self.point());
        let outcome = blocking(self.context, "comparing files", &self.alone, move |watch| {
            let now = tree::read(&root, watch, &mut Vec::new())?;
            let then = then.owned(options.owners, &now, &tree)?;
            let found = differences(&then, &now, &root, &options, watch)?;
            let left = apply::left(&found, &options);
            Ok((!left).then(|| told(&found, &options, 0, point)))
        })
        .await?;
        Ok(match outcome {
            Some(outcome) => Probe::AsItShouldBe(outcome),
            None => Probe::NotYet,
        })
    }

    pub async fn verify(&self) -> Result<Outcome, Fault> {
        let then = self.then().await?;
        let (root, tree) = (self.root(), self.tree.to_owned());
        let (end, options) = (self.of_site(), self.options);
        let (folder, point) = (names::text(&root), self.point());
        let verified = blocking(self.context, "comparing files", &self.alone, move |watch| {
            let now = tree::read(&root, watch, &mut Vec::new())?;
            let then = then.owned(options.owners, &now, &tree)?;
            let found = differences(&then, &now, &root, &options, watch)?;
            let check = verify::judge(&found, &options, &end, &folder)?;
            Ok(Outcome {
                volume: found.live,
                checks: vec![check],
                recovery_point: Some(of(point, &found)),
                ..Outcome::default()
            })
        });
        let mut outcome = verified.await?;
        for check in &mut outcome.checks {
            if check.verdict == Verdict::Unknown && self.others_have().await? {
                verify::is_just_empty(check);
            }
        }
        Ok(outcome)
    }

    /// Whether any site of the batch has a folder, in live or in the copy.
    async fn others_have(&self) -> Result<bool, Fault> {
        let look = || async {
            for folder in &self.others {
                if tree::look(&at(self.tree, folder))?.is_some() {
                    return Ok(true);
                }
            }
            let (tree, cancelled) = (Some(self.tree), self.context.cancelled());
            for folder in self.others.iter().take(ASKED) {
                let then = self.past.above(tree, &self.chosen, folder, cancelled);
                if then.await?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.anybody.get_or_try_init(look).await.copied()
    }
}

fn differences<'a>(
    then: &'a Then,
    now: &'a Tree,
    root: &Path,
    options: &Options,
    watch: &Watch,
) -> Result<Differences<'a>, Fault> {
    let threads = options.concurrent;
    Differences::find(
        &then.entries,
        now,
        root,
        options.on_conflict,
        threads,
        watch,
    )
}

/// The live tree, after what an earlier attempt left behind is gone.
fn cleared(root: &Path, watch: &Watch) -> Result<Tree, Fault> {
    let mut leftovers = Vec::new();
    let tree = tree::read(root, watch, &mut leftovers)?;
    for place in leftovers {
        let gone = fs::remove_file(&place).or_else(|_| fs::remove_dir(&place));
        gone.map_err(|error| cannot("clear", &place, &error))?;
    }
    Ok(tree)
}

/// The point of a site of which there is nothing says so.
fn of(mut point: RecoveryPoint, found: &Differences<'_>) -> RecoveryPoint {
    if found.nothing {
        point.basis += "; neither it nor live has the site's folder";
    }
    point
}

fn told(found: &Differences<'_>, options: &Options, changed: u64, point: RecoveryPoint) -> Outcome {
    let mut outcome = Outcome {
        volume: found.expected,
        recovery_point: Some(of(point, found)),
        ..Outcome::default()
    };
    let kept = match options.on_conflict {
        OnConflict::Keep => found.hidden + found.other.len() as u64,
        OnConflict::Refuse | OnConflict::Replace => 0,
    };
    for (name, count) in [
        ("changed", changed),
        ("kept", kept),
        (
            "created_after",
            (found.created.len() + found.new_folders.len()) as u64,
        ),
    ] {
        outcome.output.insert(name.to_owned(), json!(count));
    }
    outcome
}
