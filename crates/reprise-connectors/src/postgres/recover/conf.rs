//! The configuration of a scratch server: our own, whole, and none of the
//! original's, which may archive, preload or listen.

use std::fs;
use std::io;
use std::path::Path;

use reprise_model::Timestamp;

use super::archive::PACKINGS;
use super::zone;

/// What the server is to do with the log.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub target: Timestamp,
    pub timeline: u32,
    pub restore_command: String,
    /// Settings at least as high as the primary's.
    pub limits: Vec<(String, String)>,
}

/// Writes `postgresql.conf`, `pg_hba.conf` and `standby.signal`.
///
/// As a standby the server waits at the end of the log instead of giving up:
/// a quiet server is no error, and the same configuration serves a recovery
/// that stops at T and one that reaches the end of the log before it.
pub fn write(folder: &Path, recipe: &Recipe) -> io::Result<()> {
    let conf = folder.join("postgresql.conf");
    fs::write(&conf, text(folder, recipe))?;
    fs::write(folder.join("pg_hba.conf"), "local all all trust\n")?;
    fs::write(folder.join("data/postgresql.auto.conf"), "")?;
    fs::write(folder.join("data/standby.signal"), "")
}

fn text(folder: &Path, recipe: &Recipe) -> String {
    let mut lines = vec![
        "# Written by reprise for one recovery.".to_owned(),
        setting("hba_file", &folder.join("pg_hba.conf").to_string_lossy()),
        setting("restore_command", &recipe.restore_command),
        setting("recovery_target_time", &zone::for_postgres(recipe.target)),
        setting("recovery_target_timeline", &recipe.timeline.to_string()),
    ];
    let fixed = [
        ("recovery_target_inclusive", "on"),
        ("recovery_target_action", "pause"),
        ("hot_standby", "on"),
        ("max_standby_archive_delay", "-1"),
        ("wal_retrieve_retry_interval", "100ms"),
        ("archive_mode", "off"),
        ("shared_preload_libraries", ""),
        ("ssl", "off"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_timezone", "UTC"),
        ("timezone", "UTC"),
        ("datestyle", "ISO, MDY"),
        ("lc_messages", "C"),
        ("unix_socket_permissions", "0700"),
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("autovacuum", "off"),
        ("restart_after_crash", "off"),
        ("shared_buffers", "128MB"),
        ("checkpoint_timeout", "1h"),
        ("max_wal_size", "4GB"),
    ];
    lines.extend(fixed.iter().map(|(name, value)| setting(name, value)));
    lines.extend(
        recipe
            .limits
            .iter()
            .map(|(name, value)| setting(name, value)),
    );
    lines.join("\n") + "\n"
}

fn setting(name: &str, value: &str) -> String {
    format!("{name} = '{}'", value.replace('\'', "''"))
}

/// Fetches a segment from a folder, unpacked if need be.
pub fn restore_from(archive: &Path, packings: &[&str], requests: &Path) -> String {
    let source = shell(&archive.to_string_lossy());
    let mut tries = vec![format!("test -f {source}/%f && exec cp {source}/%f %p")];
    for (suffix, program) in PACKINGS {
        if packings.contains(&suffix) {
            tries.push(format!(
                "test -f {source}/%f{suffix} && exec {program} -dc {source}/%f{suffix} > %p"
            ));
        }
    }
    noted(&format!("({})", tries.join(") || (")), requests)
}

/// `command`, with every request noted down first: a server that asks for the
/// same file again and again has come to the end of what it can read.
pub fn noted(command: &str, requests: &Path) -> String {
    let requests = shell(&requests.to_string_lossy());
    format!("echo %f >> {requests}; {command}")
}

/// One word for the shell inside a PostgreSQL command template.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_has_an_offset_and_nothing_archives() {
        let recipe = Recipe {
            target: "2026-03-01T12:00:00Z".parse().unwrap(),
            timeline: 2,
            restore_command: "cp 'a' %p".into(),
            limits: vec![("max_connections".into(), "200".into())],
        };
        let text = text(Path::new("/scratch/s"), &recipe);
        for line in [
            "recovery_target_time = '2026-03-01 12:00:00+00:00'",
            "recovery_target_timeline = '2'",
            "archive_mode = 'off'",
            "restore_command = 'cp ''a'' %p'",
            "max_connections = '200'",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn odd_characters_in_paths_survive_both_the_template_and_the_shell() {
        assert_eq!(shell("/a b/100%/it's"), r"'/a b/100%%/it'\''s'");
    }
}
