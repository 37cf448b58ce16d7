//! The time zone that a shard's server was in. The log holds the names of
//! zones that sessions had set; where a session kept the server's own, it
//! says `SYSTEM`, and which one that was stands nowhere.

use std::fs;
use std::path::Path;

use reprise_model::{Fault, ShardId};

use super::backup::Source;

const ZONES: &str = "/usr/share/zoneinfo";
pub const UTC: &str = "UTC";

/// The zone that scratch has to run in for the replay to be right.
pub fn of_replay<'z>(
    shard: &ShardId,
    stated: Option<&'z str>,
    source: &Source,
) -> Result<&'z str, Fault> {
    let Some(zone) = stated else {
        let dependent = source
            .cut
            .groups
            .iter()
            .filter(|group| group.in_system_zone);
        return match dependent.count() {
            0 => Ok(UTC),
            count => Err(unstated(shard, count)),
        };
    };
    match known(zone) {
        true => Ok(zone),
        false => Err(Fault::refused(format!(
            "shard `{shard}`: `time_zone: {zone}` is not known on this machine"
        ))
        .hint(format!(
            "a name such as Europe/Berlin or UTC, with a file of that name in {ZONES} (package tzdata)"
        ))),
    }
}

fn unstated(shard: &ShardId, count: usize) -> Fault {
    Fault::refused(format!(
        "{count} transactions of shard `{shard}` up to the target time are logged as statements that read times in the server's own time zone, which is not known here"
    ))
    .hint("write `time_zone: UTC`, or another name such as Europe/Berlin, beside `binlog` in the shard's backup: the zone of the machine that ran the server (`timedatectl`; `select @@system_time_zone` shows its short name)")
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
