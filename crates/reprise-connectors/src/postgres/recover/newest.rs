//! The newest commit that an archive holds, found without a server.

use std::fs;
use std::path::Path;
use std::process::Command;

use reprise_model::Timestamp;
use reprise_pgserver::Installation;

use super::archive::{Archive, Stretch};
use super::zone;

/// Segments looked at, from the end: a busy server has commits in each, and
/// one that is quieter than this is told apart by the recovery itself.
const LOOKED_AT: usize = 4;

/// The latest commit or abort in the last segments of the stretch.
pub fn commit(
    installation: &Installation,
    archive: &Archive,
    stretch: &Stretch,
) -> Option<Timestamp> {
    let tool = installation.tool("pg_waldump").ok()?;
    stretch
        .segments
        .iter()
        .rev()
        .take(LOOKED_AT)
        .find_map(|segment| {
            let file = archive.segments.get(segment)?;
            // Packed segments would have to be unpacked somewhere first.
            (file.extension().is_none() && fs::metadata(file).is_ok())
                .then(|| newest_in(&tool, file))?
        })
}

fn newest_in(tool: &Path, file: &Path) -> Option<Timestamp> {
    let output = Command::new(tool)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .arg("--rmgr=Transaction")
        .arg(file)
        .output()
        .ok()?;
    // It fails at the segment's end, where the next one would be needed.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(time_of)
        .max()
}

/// From `desc: COMMIT 2026-11-22 12:30:36.306454 UTC; ...`.
fn time_of(line: &str) -> Option<Timestamp> {
    let desc = line.split_once("desc: ")?.1;
    let rest = desc
        .strip_prefix("COMMIT ")
        .or_else(|| desc.strip_prefix("ABORT "))?;
    zone::parse(rest.split(';').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_commit_is_read_from_the_dump() {
        let line = "rmgr: Transaction len (rec/tot): 34/34, tx: 735, lsn: 0/01514E50, prev 0/01514E18, desc: COMMIT 2026-11-22 12:30:36.306454 UTC; inval msgs: catcache 7";
        assert_eq!(
            time_of(line).unwrap().to_string(),
            "2026-11-22T12:30:36.306454Z"
        );
        assert_eq!(time_of("rmgr: Transaction desc: ASSIGNMENT xtop 1"), None);
    }
}
