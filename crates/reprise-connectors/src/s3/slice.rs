//! A site's slice of a bucket: its manifest of T, and its keys as they are now.

use std::path::PathBuf;
use std::sync::Arc;

use reprise_model::{Fault, Outcome, SiteId, Timestamp};
use reprise_ports::Context;
use tokio::sync::OnceCell;

use super::client::Bucket;
use super::history::History;
use super::lifecycle::Below;
use super::listing;
use super::manifest::{Manifest, Of};
use super::options::Options;
use super::recover;

pub struct Slice<'a> {
    pub bucket: &'a Bucket,
    pub site: &'a SiteId,
    pub prefix: String,
    /// Of other sites of the batch, as far as ids alone tell them.
    pub others: Vec<String>,
    pub anybody: Arc<OnceCell<bool>>,
    pub target: Timestamp,
    /// Scratch of the shard at T.
    pub folder: PathBuf,
    pub options: Options,
    pub context: &'a dyn Context,
}

impl Slice<'_> {
    /// What was there at T, and what is there now. The manifest is made from
    /// this very listing where there is none yet.
    pub async fn read(&self) -> Result<(Manifest, Vec<History>), Fault> {
        let of = Of::new(
            self.bucket.place(),
            &self.prefix,
            self.target,
            &self.options,
        );
        let path = of.file(&self.folder);
        let known = Manifest::read(&path, &of);
        let cancelled = self.context.cancelled();
        let list = listing::versions(self.bucket, &self.prefix, cancelled);
        if let Some(manifest) = known {
            return Ok((manifest, list.await?));
        }
        // A runbook may have no `recover`; a listing of before T, or of a
        // bucket that forgets, would be taken for the past.
        let below = Below::Sites(std::slice::from_ref(&self.prefix));
        let kept = recover::must_reach(self.bucket, self.target, below, cancelled).await?;
        let now = list.await?;
        let manifest = Manifest::make(of, &now, &self.bucket.end, &kept)?;
        manifest.write(&path)?;
        Ok((manifest, now))
    }

    /// Whether any site of the batch ever had anything.
    pub async fn others_have(&self) -> Result<bool, Fault> {
        let look = || async {
            for prefix in &self.others {
                if listing::any(self.bucket, prefix, self.context.cancelled()).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.anybody.get_or_try_init(look).await.copied()
    }
}

/// The history of a key in a listing that is sorted by key.
pub fn history<'a>(sorted: &'a [History], key: &str) -> Option<&'a History> {
    let place = sorted.binary_search_by(|history| history.key.as_str().cmp(key));
    place.ok().map(|place| &sorted[place])
}

pub fn outcome(manifest: &Manifest) -> Outcome {
    Outcome {
        recovery_point: Some(manifest.point.clone()),
        ..Outcome::default()
    }
}
