//! New clusters.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Account, Error, Installation};

/// Options of a new cluster.
#[derive(Clone, Debug)]
pub struct Initdb {
    pub superuser: String,
    /// For both `local` and `host` lines of `pg_hba.conf`.
    pub auth: String,
    /// Holds the superuser's password in its first line.
    pub password_file: Option<PathBuf>,
    /// Wait until everything is on disk.
    pub sync: bool,
    pub extra: Vec<String>,
}

impl Default for Initdb {
    fn default() -> Self {
        Self {
            superuser: "postgres".to_owned(),
            auth: "trust".to_owned(),
            password_file: None,
            sync: false,
            extra: Vec::new(),
        }
    }
}

/// Creates a cluster in `data`, which must be absent or empty; encoding UTF8,
/// locale C, so that it comes out the same everywhere.
pub fn initdb(
    installation: &Installation,
    account: &Account,
    data: &Path,
    options: &Initdb,
) -> Result<(), Error> {
    fs::create_dir_all(data).map_err(Error::io("create", data))?;
    fs::set_permissions(data, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("protect", data))?;
    account.own(data)?;
    let program = installation.tool("initdb")?;
    let mut command = account.command(&program);
    command
        .arg("-D")
        .arg(data)
        .args(["-U", &options.superuser, "-A", &options.auth])
        .args(["-E", "UTF8", "--locale=C"]);
    if let Some(file) = &options.password_file {
        command.arg("--pwfile").arg(file);
    }
    if !options.sync {
        command.arg("--no-sync");
    }
    let output = command
        .args(&options.extra)
        .output()
        .map_err(Error::io("run", &program))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Tool {
            program: "initdb".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}
