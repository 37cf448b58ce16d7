//! The base backup, with PostgreSQL's own tool.

use std::path::Path;

use reprise_pgserver::Server;

use crate::Error;
use crate::cluster::Host;

/// Takes a plain backup into `<backup>/base`; its WAL is left to the archive.
pub fn base_backup(host: &Host, server: &Server, name: &str, backup: &Path) -> Result<(), Error> {
    let program = host.installation.tool("pg_basebackup")?;
    let output = host
        .account
        .command(&program)
        .arg("-D")
        .arg(backup.join("base"))
        .arg("-h")
        .arg(server.socket_dir())
        .args(["-p", &server.port().to_string(), "-U", "postgres"])
        .args(["-c", "fast", "-X", "none", "--no-sync"])
        .output()
        .map_err(Error::io("run", &program))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Tool {
            program: "pg_basebackup",
            cluster: name.to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}
