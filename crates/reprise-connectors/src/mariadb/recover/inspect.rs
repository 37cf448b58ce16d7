//! What can be known about a shard's past before anything is started.

use reprise_model::{Fault, ShardId, Timestamp};
use reprise_ports::{Finding, Level};

use super::cut::{Live, decide};
use super::{Recovery, source, zone};
use crate::shared::room;

impl Recovery {
    /// The findings, and the bytes that the recovered shard takes in scratch.
    pub async fn inspect(
        &self,
        shard: &ShardId,
        target: Option<Timestamp>,
    ) -> (Vec<Finding>, Option<u64>) {
        let about = |check: &str, level, message: String, hint| Finding {
            check: check.to_owned(),
            level,
            store: self.config.store.clone(),
            shard: shard.clone(),
            message,
            hint,
        };
        let finding = |level, message, hint| about("backup-reaches", level, message, hint);
        let Some(target) = target else {
            let message = "no target time: the backups are not looked at".to_owned();
            return (vec![finding(Level::Later, message, None)], None);
        };
        let looked = async {
            let shard = self.shard(shard)?;
            let source = source(shard, target).await?;
            let zone = zone::of_replay(shard, &source, None).await?;
            let needed = source.scratch_bytes()?;
            let room = room::check_space(&self.root(shard), needed);
            // Whether live is quiet is asked when the shard is recovered.
            let point = decide(
                &source.cut,
                target,
                Live::Unknown,
                source.written(),
                self.config.rpo,
            );
            Ok((source, point, needed, room, zone.is_assumed))
        };
        let (source, point, needed, room, assumed) = match looked.await {
            Ok(found) => found,
            Err(fault) => {
                let fault: Fault = fault;
                return (vec![finding(Level::Error, fault.message, fault.hint)], None);
            }
        };
        let reaches = match point {
            Ok(point) => finding(
                Level::Ok,
                format!(
                    "{} and {} transactions of the binary log reach {}",
                    source.backup.folder.display(),
                    source.cut.groups.len(),
                    point.point
                ),
                None,
            ),
            Err(fault) => finding(Level::Warning, fault.message, fault.hint),
        };
        let space = match room {
            Ok(()) => about(
                "space",
                Level::Ok,
                format!("{} MB are needed in scratch", needed >> 20),
                None,
            ),
            Err(fault) => about("space", Level::Error, fault.message, fault.hint),
        };
        let mut findings = vec![reaches, space];
        if assumed {
            let message = "statements are replayed in UTC: their server's own time zone is not stated, and a drill asks nobody";
            let hint = "write `time_zone` beside `binlog` in the shard's backup";
            findings.push(about(
                "time-zone",
                Level::Warning,
                message.to_owned(),
                Some(hint.to_owned()),
            ));
        }
        (findings, Some(needed))
    }
}
