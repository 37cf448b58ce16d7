//! Under whose name PostgreSQL's programs run.
//!
//! PostgreSQL refuses to run as root. An ordinary user runs it as itself.
//! Root hands the folder over to an account without rights. Where that
//! account cannot enter a parent folder (a home folder with mode 0700), root
//! stays the owner of everything and the program runs in a user namespace
//! in which root carries the account's number.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// We are that account already.
    Ourselves,
    /// Root becomes it before the program starts.
    Become,
    /// Root appears as it, inside a user namespace.
    Appear,
}

impl Account {
    /// The account for servers: ourselves when we are not root; else the
    /// owner of `folder` where that is an ordinary account, else `postgres`,
    /// else `nobody`.
    pub fn for_folder(folder: Option<&Path>) -> Result<Self, Error> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            return Ok(Self {
                name: lookup(|entry| entry.uid == uid)
                    .map_or_else(|| uid.to_string(), |entry| entry.name),
                uid,
                gid: rustix::process::getegid().as_raw(),
                way: Way::Ourselves,
            });
        }
        let owner = folder
            .and_then(|folder| fs::metadata(folder).ok())
            .map(|metadata| metadata.uid())
            .filter(|uid| *uid != 0);
        owner
            .and_then(|uid| lookup(|entry| entry.uid == uid))
            .or_else(|| lookup(|entry| entry.name == "postgres"))
            .or_else(|| lookup(|entry| entry.name == "nobody"))
            .map(|entry| Self {
                name: entry.name,
                uid: entry.uid,
                gid: entry.gid,
                way: Way::Become,
            })
            .ok_or(Error::NoAccount)
    }

    /// The same account in a way that can enter all of `folders`, which need
    /// not exist yet: the user namespace where plain permissions do not do.
    pub fn reaching(self, folders: &[&Path]) -> Result<Self, Error> {
        let obstacle = folders.iter().find_map(|folder| self.obstacle(folder));
        let Some(folder) = obstacle.filter(|_| self.way == Way::Become) else {
            return Ok(self);
        };
        let inside = Self {
            way: Way::Appear,
            ..self
        };
        let why = match inside.command("true").output() {
            Ok(output) if output.status.success() => return Ok(inside),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Error::Unreachable {
            account: inside.name,
            folder,
            why,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether programs run in a user namespace, with root's files.
    pub fn is_namespaced(&self) -> bool {
        self.way == Way::Appear
    }

    /// `program`, to be run as this account, in `/` and with none of the
    /// caller's PostgreSQL variables. Messages come out untranslated.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.way {
            Way::Ourselves | Way::Become => Command::new(program),
            Way::Appear => {
                let mut unshare = Command::new("unshare");
                unshare
                    .arg("--user")
                    .arg(format!("--map-user={}", self.uid))
                    .arg(format!("--map-group={}", self.gid))
                    .arg("--")
                    .arg(program);
                unshare
            }
        };
        if self.way == Way::Become {
            // The standard library drops supplementary groups along with it.
            command.gid(self.gid).uid(self.uid);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// Hands `path` and all below it over to the account, where it is not ours.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        match self.way {
            Way::Become => own_tree(path, self.uid, self.gid).map_err(Error::io("hand over", path)),
            Way::Ourselves | Way::Appear => Ok(()),
        }
    }

    /// Whether the account may read `path`, by its permission bits.
    pub fn can_read(&self, path: &Path) -> bool {
        match self.way {
            Way::Become | Way::Appear => self.obstacle(path).is_none() && self.may(path, 0o4),
            Way::Ourselves => fs::File::open(path).is_ok(),
        }
    }

    /// The first parent folder that the account cannot enter.
    fn obstacle(&self, path: &Path) -> Option<PathBuf> {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.reverse();
        parents
            .into_iter()
            .find(|parent| parent.exists() && !self.may(parent, 0o1))
            .map(Path::to_owned)
    }

    fn may(&self, path: &Path, bit: u32) -> bool {
        let Ok(metadata) = fs::metadata(path) else {
            return false;
        };
        // In its namespace, root has root's files and none of root's powers.
        let (uid, gid) = match self.way {
            Way::Appear => (0, 0),
            Way::Ourselves | Way::Become => (self.uid, self.gid),
        };
        let shift = if metadata.uid() == uid {
            6
        } else if metadata.gid() == gid {
            3
        } else {
            0
        };
        metadata.mode() >> shift & bit != 0
    }
}

fn own_tree(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    lchown(path, Some(uid), Some(gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            own_tree(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

struct Passwd {
    name: String,
    uid: u32,
    gid: u32,
}

/// PostgreSQL looks its user up in the same file and refuses to run without.
fn lookup(wanted: impl Fn(&Passwd) -> bool) -> Option<Passwd> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().filter_map(parse_passwd).find(wanted)
}

fn parse_passwd(line: &str) -> Option<Passwd> {
    let mut fields = line.split(':');
    Some(Passwd {
        name: fields.next()?.to_owned(),
        uid: fields.nth(1)?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_its_line() {
        let entry = parse_passwd("postgres:x:101:104:PostgreSQL:/var/lib:/bin/bash").unwrap();
        assert_eq!(
            (entry.name.as_str(), entry.uid, entry.gid),
            ("postgres", 101, 104)
        );
        assert!(parse_passwd("garbage").is_none());
    }
}
