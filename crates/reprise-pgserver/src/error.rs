//! What can go wrong around a server of our own.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "no PostgreSQL {major} on this machine (found: {found}); install it, or name its bin folder in REPRISE_PG_BIN"
    )]
    NoInstallation { major: u32, found: String },
    #[error("{} has no `{tool}`", bin.display())]
    NoTool { bin: PathBuf, tool: String },
    #[error("`{program}` failed ({status}): {output}")]
    Tool {
        program: String,
        status: String,
        output: String,
    },
    #[error(
        "account `{account}` cannot enter {}, and user namespaces do not work here ({why}); \
         make the folder passable (chmod o+x) or use one that is",
        folder.display()
    )]
    Unreachable {
        account: String,
        folder: PathBuf,
        why: String,
    },
    #[error("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`")]
    NoAccount,
    #[error("the socket path in {} would be longer than 107 bytes", folder.display())]
    SocketPath { folder: PathBuf },
    #[error("the server on {} ended ({status}): {log}", data.display())]
    Exited {
        data: PathBuf,
        status: String,
        log: String,
    },
    #[error("the server on {} does not accept connections after {timeout:?}: {log}", data.display())]
    NotAccepting {
        data: PathBuf,
        timeout: Duration,
        log: String,
    },
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
