//! Small disks of their own for some folders of an estate: file systems in
//! memory, seen only by processes that are started here.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Each folder goes onto a disk with a number of megabytes to spare. The last
/// word is said when all of them are there; then it waits to be ended.
const SCRIPT: &str = r#"
set -e
while [ $# -gt 0 ]; do
  mkdir -p "$1"
  size=$(($(du -sm "$1" | cut -f1) + $2))
  mv "$1" "$1.aside"
  mkdir "$1"
  mount -t tmpfs -o "size=${size}m" tmpfs "$1"
  cp -a "$1.aside/." "$1"
  chmod --reference="$1.aside" "$1"
  chown --reference="$1.aside" "$1"
  rm -r "$1.aside"
  shift 2
done
echo ready
exec sleep 1200
"#;

/// What takes the room away.
const FILLER: &str = "filler";

pub struct Disks {
    holder: Child,
}

impl Disks {
    /// `None` where this account may not mount anything, not even for itself.
    pub fn under(folders: &[(PathBuf, u32)]) -> Option<Self> {
        if !can_be_had() {
            return None;
        }
        let mut command = apart();
        command.args(["sh", "-c", SCRIPT, "disks"]);
        for (folder, spare) in folders {
            command.arg(folder).arg(spare.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut holder = command.spawn().expect("unshare starts");
        let mut said = String::new();
        let told = holder.stdout.take().expect("it was asked for");
        let _ = BufReader::new(told).read_line(&mut said);
        let disks = Self { holder };
        assert_eq!(said, "ready\n", "the small disks are not there");
        Some(disks)
    }

    /// A program that sees the disks, to be given its arguments.
    pub fn program(&self, program: &Path, folder: &Path) -> Command {
        let of = |kind| format!("/proc/{}/ns/{kind}", self.holder.id());
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount={}", of("mnt")));
        if !is_root() {
            command.arg(format!("--user={}", of("user")));
            command.arg("--preserve-credentials");
        }
        command.args(["env", "-C"]).arg(folder).arg(program);
        command
    }

    /// Where a path of theirs is to be found from outside.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// Leaves this many kilobytes on the disk of the folder.
    pub fn fill(&self, folder: &Path, left: u64) {
        const SCRIPT: &str = r#"
            free=$(df --output=avail -k "$0" | tail -n 1)
            [ "$free" -le "$1" ] || head -c "$((free - $1))K" /dev/zero > "$0/$2""#;
        let mut command = self.program(Path::new("sh"), Path::new("/"));
        command.args(["-c", SCRIPT]).arg(folder);
        let filled = command.args([&left.to_string(), FILLER]).status();
        assert!(filled.is_ok_and(|filled| filled.success()), "{folder:?}");
    }

    pub fn empty(&self, folder: &Path) {
        let filler = self.seen(&folder.join(FILLER));
        fs::remove_file(filler).expect("the disk was filled");
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        // The mounts go with the last process that sees them.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Whether this account may mount, if only for itself; says so where it may not.
pub fn can_be_had() -> bool {
    let mut tried = apart();
    tried.args(["sh", "-c", "mount -t tmpfs tmpfs \"$0\""]);
    let tried = tried.arg(std::env::temp_dir()).output();
    let can = tried.is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("this account may mount nothing: no full disk is tried");
    }
    can
}

/// A program with mounts of its own; an ordinary user may mount as the master
/// of a user namespace.
pub fn apart() -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--map-current-user", "--keep-caps"]);
    }
    command.arg("--mount");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
