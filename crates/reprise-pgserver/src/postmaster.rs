//! `postmaster.pid`: how a running server is found, and how far it is.

use std::fs;
use std::path::{Path, PathBuf};

/// What a data directory's `postmaster.pid` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Postmaster {
    pub pid: u32,
    pub port: u16,
    pub socket_dir: PathBuf,
    /// The address listened on; absent where there is only the socket.
    pub listen: Option<String>,
    /// It accepts connections: for a standby, since it is consistent.
    pub ready: bool,
}

impl Postmaster {
    /// Absent when there is no complete file: no server, or one so young that
    /// it has not written all lines yet.
    pub fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [
            pid,
            _data,
            _started,
            port,
            socket,
            listen,
            _shmem,
            rest @ ..,
        ] = lines.as_slice()
        else {
            return None;
        };
        Some(Self {
            pid: pid.parse().ok()?,
            port: port.parse().ok()?,
            socket_dir: PathBuf::from(socket),
            listen: (!listen.is_empty()).then(|| (*listen).to_owned()),
            ready: rest.first() == Some(&"ready"),
        })
    }

    /// Whether that process is alive and works on `data`. A number alone
    /// proves nothing: it may have been given to another process since.
    pub fn is_alive(&self, data: &Path) -> bool {
        let cwd = fs::read_link(format!("/proc/{}/cwd", self.pid));
        match (cwd, fs::canonicalize(data)) {
            (Ok(cwd), Ok(data)) => cwd == data,
            _ if Path::new("/proc/self").exists() => false,
            _ => pid(self.pid).is_some_and(|p| rustix::process::test_kill_process(p).is_ok()),
        }
    }
}

pub(crate) fn pid(raw: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(raw).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_line_by_line() {
        let text = "42\n/data\n1700000000\n5433\n/tmp/x\n127.0.0.1\n  123 456\nready   \n";
        let found = Postmaster::parse(text).unwrap();
        assert_eq!(
            (found.pid, found.port, found.ready),
            (42, 5433, true),
            "{found:?}"
        );
        assert_eq!(found.listen.as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn a_file_in_the_making_is_no_server_yet() {
        assert_eq!(Postmaster::parse("42\n/data\n1700000000\n"), None);
        let starting = "42\n/data\n1\n5433\n/tmp/x\n\n 1 2\nstarting\n";
        assert!(!Postmaster::parse(starting).unwrap().ready);
    }
}
