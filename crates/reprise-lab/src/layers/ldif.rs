//! OpenLDAP's own tools on the lab's directory, and the LDIF they speak.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::service::tool;
use crate::Error;

pub const ADMIN: &str = "cn=admin,dc=lab";

/// A directory on the loopback address, as its administrator.
#[derive(Debug)]
pub struct Tools {
    pub port: u16,
    /// A file with the password and nothing else.
    pub password: PathBuf,
}

/// An entry: its DN, and its lines without it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub dn: String,
    pub lines: BTreeSet<String>,
}

impl Entry {
    pub fn values<'a>(&'a self, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        let value = move |line: &'a String| line.strip_prefix(attribute)?.strip_prefix(": ");
        self.lines.iter().filter_map(value)
    }
}

impl Tools {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port)])
            .args(["-D", ADMIN, "-y"])
            .arg(&self.password);
        command
    }

    /// Records of changes; those without a `changetype` are added.
    pub fn change(&self, ldif: &str) -> Result<(), Error> {
        let mut command = self.command("ldapmodify");
        command
            .arg("-a")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let failed = |source| Error::Io {
            doing: "run",
            path: PathBuf::from("ldapmodify"),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        let mut input = child.stdin.take().expect("its input is a pipe");
        // Who stops reading says why on standard error.
        let _ = input.write_all(ldif.as_bytes());
        drop(input);
        let output = child.wait_with_output().map_err(failed)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Tool {
                program: "ldapmodify",
                cluster: "directory".to_owned(),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    /// Nothing where the base is not there.
    pub fn search(&self, base: &str, filter: &str) -> Result<Vec<Entry>, Error> {
        const NO_SUCH_OBJECT: i32 = 32;
        let mut command = self.command("ldapsearch");
        command.args(["-LLL", "-o", "ldif-wrap=no", "-b", base, filter]);
        command.args(["*", "entryUUID", "createTimestamp", "modifyTimestamp"]);
        let output = command
            .output()
            .map_err(Error::io("run", &PathBuf::from("ldapsearch")))?;
        if output.status.code() == Some(NO_SUCH_OBJECT) {
            return Ok(Vec::new());
        }
        if !output.status.success() {
            return Err(Error::Tool {
                program: "ldapsearch",
                cluster: "directory".to_owned(),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(entries(&String::from_utf8_lossy(&output.stdout)))
    }

    pub fn delete_tree(&self, dn: &str) -> Result<(), Error> {
        tool(
            "ldapdelete",
            "directory",
            self.command("ldapdelete").args(["-r", dn]),
        )
        .map(drop)
    }
}

fn entries(text: &str) -> Vec<Entry> {
    let blocks = text.split("\n\n");
    let entry = |block: &str| {
        let mut lines = block.trim().lines();
        let dn = lines.next()?.strip_prefix("dn: ")?.to_owned();
        Some(Entry {
            dn,
            lines: lines.map(str::to_owned).collect(),
        })
    };
    blocks.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_apart_by_empty_lines() {
        let read = entries(
            "dn: ou=a,dc=lab\nou: a\nmember: x\nmember: y\n\ndn: ou=b,dc=lab\nou:: w7w=\n\n",
        );
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].values("member").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(read[1].values("ou").count(), 0);
    }
}
