//! The time zone that a shard's server was in. The log holds the names of
//! zones that sessions had set; where a session kept the server's own, it
//! says `SYSTEM`, and which one that was stands nowhere.

use std::fs;
use std::path::Path;

use reprise_model::{Fault, FaultKind, ShardId};

use super::ask;
use super::backup::Source;
use crate::mariadb::MariadbShard;

const ZONES: &str = "/usr/share/zoneinfo";
pub const UTC: &str = "UTC";

/// What `SYSTEM` is to the log of a shard, and who says so.
pub struct Zone {
    pub name: String,
    /// Nobody could be asked, and UTC was taken.
    pub is_assumed: bool,
}

impl Zone {
    fn told(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_assumed: false,
        }
    }
}

/// The zone that scratch has to run in for the replay to be right: the one
/// that is stated, else UTC, where nothing depends on it or live is in it. A
/// drill, which has no way to live, assumes that.
///
/// `before` is the zone of a replay that is ready: it needs nobody's word.
pub async fn of_replay(
    shard: &MariadbShard,
    source: &Source,
    before: Option<&str>,
) -> Result<Zone, Fault> {
    if let Some(zone) = &shard.time_zone {
        return match known(zone) {
            true => Ok(Zone::told(zone)),
            false => Err(unknown(&shard.id, zone)),
        };
    }
    let groups = source.cut.groups.iter();
    let count = groups.filter(|group| group.in_system_zone).count();
    if count == 0 {
        return Ok(Zone::told(UTC));
    }
    let Some(live) = &shard.live else {
        return Ok(Zone {
            is_assumed: true,
            ..Zone::told(UTC)
        });
    };
    if let Some(zone) = before {
        return Ok(Zone::told(zone));
    }
    let (doing, sql) = ("asking for its time zone", "select @@system_time_zone");
    match ask::value(live, doing, sql).await {
        Some(zone) if zone == UTC => Ok(Zone::told(UTC)),
        Some(zone) => {
            let why = format!("and live is in {zone}");
            Err(unstated(FaultKind::Refused, &shard.id, count, &why))
        }
        None => {
            let why = "and live does not answer";
            Err(unstated(FaultKind::Temporary, &shard.id, count, why))
        }
    }
}

fn unknown(shard: &ShardId, zone: &str) -> Fault {
    Fault::refused(format!(
        "shard `{shard}`: `time_zone: {zone}` is not known on this machine"
    ))
    .hint(format!(
        "a name such as Europe/Berlin or UTC, with a file of that name in {ZONES} (package tzdata)"
    ))
}

fn unstated(kind: FaultKind, shard: &ShardId, count: usize, live: &str) -> Fault {
    let message = format!(
        "{count} transactions of shard `{shard}` up to the target time are logged as statements that read times in the server's own time zone, which is not stated, {live}"
    );
    Fault::new(kind, message)
    .hint("write `time_zone: UTC`, or another name such as Europe/Berlin, beside `binlog` in the shard's backup: the zone of the machine that ran the server (`timedatectl`)")
}

/// A program that does not know its zone takes UTC without a word.
fn known(zone: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    let inside = zone.bytes().all(plain) && !zone.starts_with('/') && !zone.is_empty();
    let begins =
        || fs::read(Path::new(ZONES).join(zone)).is_ok_and(|zone| zone.starts_with(b"TZif"));
    zone == UTC || inside && begins()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_a_program_would_not_know_is_none() {
        for zone in ["UTC", "Europe/Berlin", "Etc/GMT-13"] {
            assert!(known(zone), "{zone}");
        }
        for zone in [
            "",
            "Europe",
            "Europe/Atlantis",
            "NZDT",
            "+13:00",
            "../zoneinfo/UTC",
            "/etc/localtime",
        ] {
            assert!(!known(zone), "{zone}");
        }
    }
}
