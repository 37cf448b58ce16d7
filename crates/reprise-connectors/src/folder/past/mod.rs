//! Copies of the tree, and the one that is of T.

mod dated;
mod restic;

use std::path::{Path, PathBuf};

use reprise_model::{Fault, RecoveryPoint, Timestamp};
use tokio_util::sync::CancellationToken;

use super::config::Past;
use super::names::at;
use super::tree::{self, What};

/// How a folder above a site's was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Above {
    pub mode: u32,
    pub owner: (u32, u32),
}

/// The newest copy that began at or before T.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// A folder's name, or the id of a snapshot.
    pub id: String,
    pub begun: Timestamp,
    /// When the next one began, which is after T.
    pub next: Option<Timestamp>,
}

/// Of copies with their times, the one of T.
fn newest(
    copies: impl IntoIterator<Item = (Timestamp, String)>,
    target: Timestamp,
    place: &str,
) -> Result<Chosen, Fault> {
    let (mut before, mut after) = (None, None);
    let mut count = 0;
    for (begun, id) in copies {
        count += 1;
        if begun <= target {
            before = before.max(Some((begun, id)));
        } else {
            after = Some(after.map_or(begun, |after: Timestamp| after.min(begun)));
        }
    }
    let (begun, id) = before.ok_or_else(|| match after {
        Some(first) => Fault::refused(format!(
            "{place}: the first of {count} copies began at {first}, after {target}"
        )),
        None => Fault::refused(format!("{place}: there is no copy of the tree")),
    })?;
    Ok(Chosen {
        id,
        begun,
        next: after,
    })
}

impl Chosen {
    /// Only its begin is proven: others wrote while it was made.
    pub fn point(&self, what: &str) -> RecoveryPoint {
        RecoveryPoint {
            point: self.begun,
            last_before: None,
            first_after: self.next,
            basis: format!("{what} `{}`, which began then", self.id),
        }
    }
}

impl Past {
    pub fn place(&self) -> String {
        match self {
            Self::Folders(path) => path.display().to_string(),
            Self::Restic { repository, .. } => {
                let repository = repository.display().to_string();
                // `rest:https://NAME:PASSWORD@HOST/`.
                match repository.contains('@') {
                    true => "restic repository".to_owned(),
                    false => format!("restic repository {repository}"),
                }
            }
        }
    }

    pub fn what(&self) -> &'static str {
        match self {
            Self::Folders(_) => "the copy",
            Self::Restic { .. } => "the snapshot",
        }
    }

    pub async fn choose(
        &self,
        live: Option<&Path>,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<Chosen, Fault> {
        match self {
            Self::Folders(path) => dated::choose(path, target),
            Self::Restic { .. } => {
                restic::Restic::of(self, live)?
                    .choose(target, cancelled)
                    .await
            }
        }
    }

    /// Where a site's folder of the copy stands; brought into `scratch` if need
    /// be. There may be none.
    pub async fn site(
        &self,
        live: Option<&Path>,
        chosen: &Chosen,
        folder: &Path,
        scratch: &Path,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<PathBuf, Fault> {
        match self {
            Self::Folders(path) => Ok(path.join(&chosen.id).join(folder)),
            Self::Restic { .. } => {
                let restic = restic::Restic::of(self, live)?;
                restic
                    .site(chosen, folder, scratch, target, cancelled)
                    .await
            }
        }
    }

    /// How the copy has a folder above a site's; nothing where it has none.
    pub async fn above(
        &self,
        live: Option<&Path>,
        chosen: &Chosen,
        folder: &Path,
        cancelled: &CancellationToken,
    ) -> Result<Option<Above>, Fault> {
        match self {
            Self::Folders(path) => {
                let node = tree::look(&at(&path.join(&chosen.id), folder))?;
                let folder = node.filter(|node| node.what == What::Folder);
                Ok(folder.map(|node| Above {
                    mode: node.mode,
                    owner: node.owner,
                }))
            }
            Self::Restic { .. } => {
                let restic = restic::Restic::of(self, live)?;
                restic.above(chosen, folder, cancelled).await
            }
        }
    }

    /// The folder that the copy is, where it is one: then its times tell what
    /// was written after T. Of a snapshot, the repository has told it.
    pub fn stands(&self, chosen: &Chosen) -> Option<PathBuf> {
        match self {
            Self::Folders(path) => Some(path.join(&chosen.id)),
            Self::Restic { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_at_or_before_t_is_taken() {
        let at = Timestamp::from_micros;
        let copies =
            || [(at(20), "b"), (at(30), "c"), (at(10), "a")].map(|(t, n)| (t, n.to_owned()));
        let chosen = |target| newest(copies(), at(target), "p").map(|c| (c.id, c.next));
        assert_eq!(chosen(25), Ok(("b".to_owned(), Some(at(30)))));
        assert_eq!(
            chosen(20),
            Ok(("b".to_owned(), Some(at(30)))),
            "at T is before"
        );
        assert_eq!(chosen(99), Ok(("c".to_owned(), None)));
        assert!(
            chosen(9)
                .unwrap_err()
                .message
                .contains("the first of 3 copies")
        );
        assert!(
            newest([], at(1), "p")
                .unwrap_err()
                .message
                .contains("no copy")
        );
    }
}
