//! What can be known about a shard's past before anything is started.

use reprise_model::{ShardId, Timestamp};
use reprise_ports::{Finding, Level};

use super::cut::{Live, decide};
use super::{Recovery, source};

impl Recovery {
    pub async fn inspect(&self, shard: &ShardId, target: Option<Timestamp>) -> Vec<Finding> {
        let finding = |level, message: String, hint| Finding {
            check: "backup-reaches".to_owned(),
            level,
            store: self.config.store.clone(),
            shard: shard.clone(),
            message,
            hint,
        };
        let Some(target) = target else {
            let message = "no target time: the backups are not looked at".to_owned();
            return vec![finding(Level::Later, message, None)];
        };
        let looked = async {
            let source = source(self.shard(shard)?, target).await?;
            // Whether live is quiet is asked when the shard is recovered.
            let point = decide(
                &source.cut,
                target,
                Live::Unknown,
                source.written(),
                self.config.rpo,
            );
            Ok((source, point))
        };
        vec![match looked.await {
            Err(fault) => {
                let fault: reprise_model::Fault = fault;
                finding(Level::Error, fault.message, fault.hint)
            }
            Ok((source, Ok(point))) => finding(
                Level::Ok,
                format!(
                    "{} and {} transactions of the binary log reach {}",
                    source.backup.folder.display(),
                    source.cut.groups.len(),
                    point.point
                ),
                None,
            ),
            Ok((_, Err(fault))) => finding(Level::Warning, fault.message, fault.hint),
        }]
    }
}
