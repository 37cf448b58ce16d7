//! What can go wrong in a lab.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} on `{cluster}` failed")]
    Sql {
        what: String,
        cluster: String,
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    Server(#[from] reprise_pgserver::Error),
    #[error("`{program}` failed for `{cluster}` ({status}): {output}")]
    Tool {
        program: &'static str,
        cluster: String,
        status: String,
        output: String,
    },
    #[error("{} is not readable: {what}", path.display())]
    Unreadable { path: PathBuf, what: String },
    #[error("no PostgreSQL 13 or newer with its tools on this machine; run `make deps`")]
    NoPostgres,
    #[error("there is no lab in {}; `reprise-lab up` builds one", .0.display())]
    NoLab(PathBuf),
    #[error("{} holds files that are not a lab's; choose an empty folder", .0.display())]
    NotOurs(PathBuf),
    #[error("the cluster `{0}` is not running; `reprise-lab up` starts it")]
    NotRunning(String),
    #[error("{0}")]
    Refused(String),
    #[error("`{cluster}` has not {what} after {seconds} s")]
    TooSlow {
        cluster: String,
        what: String,
        seconds: u64,
    },
    #[error("a worker of the lab ended early: {0}")]
    Worker(String),
}

impl Error {
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    pub fn sql(what: &str, cluster: &str) -> impl FnOnce(sqlx::Error) -> Self {
        let (what, cluster) = (what.to_owned(), cluster.to_owned());
        move |source| Self::Sql {
            what,
            cluster,
            source,
        }
    }

    pub fn unreadable(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Unreadable {
            path,
            what: error.to_string(),
        }
    }
}
