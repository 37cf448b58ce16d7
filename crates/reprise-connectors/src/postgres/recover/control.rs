//! `pg_control`, as `pg_controldata` prints it.

use std::path::Path;
use std::process::Command;

use reprise_model::Fault;
use reprise_pgserver::Installation;

use super::fault;

/// Settings that a standby must have at least as high as its primary had:
/// the label in `pg_controldata`, and the name in the configuration.
const LIMITS: [(&str, &str); 5] = [
    ("max_connections setting", "max_connections"),
    ("max_worker_processes setting", "max_worker_processes"),
    ("max_wal_senders setting", "max_wal_senders"),
    ("max_prepared_xacts setting", "max_prepared_transactions"),
    ("max_locks_per_xact setting", "max_locks_per_transaction"),
];

#[derive(Clone, PartialEq, Debug)]
pub struct Control {
    pub system_id: String,
    pub segment_size: u64,
    pub limits: Vec<(String, u64)>,
}

impl Control {
    pub fn read(installation: &Installation, data: &Path) -> Result<Self, Fault> {
        let tool = installation
            .tool("pg_controldata")
            .map_err(fault::permanent)?;
        let output = Command::new(tool)
            .env("LC_ALL", "C")
            .arg("-D")
            .arg(data)
            .output()
            .map_err(|error| Fault::permanent(format!("cannot run pg_controldata: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Self::parse(&text).ok_or_else(|| {
            let why = String::from_utf8_lossy(&output.stderr);
            Fault::permanent(format!(
                "cannot read the control file in {}: {}",
                data.display(),
                why.trim()
            ))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |label: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(label)?.strip_prefix(':'))
                .map(str::trim)
        };
        let limits = LIMITS
            .iter()
            .filter_map(|(label, name)| Some(((*name).to_owned(), value(label)?.parse().ok()?)))
            .collect();
        Some(Self {
            system_id: value("Database system identifier")?.to_owned(),
            segment_size: value("Bytes per WAL segment")?.parse().ok()?,
            limits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_segment_size_and_limits_are_read() {
        let control = Control::parse(
            "pg_control version number:            1300\n\
             Database system identifier:           7400000000000000001\n\
             max_connections setting:              200\n\
             max_locks_per_xact setting:           64\n\
             Bytes per WAL segment:                16777216\n",
        )
        .unwrap();
        assert_eq!(control.system_id, "7400000000000000001");
        assert_eq!(control.segment_size, 16 << 20);
        assert_eq!(
            control.limits,
            [
                ("max_connections".to_owned(), 200),
                ("max_locks_per_transaction".to_owned(), 64)
            ]
        );
        assert_eq!(Control::parse("garbage"), None);
    }
}
