//! The live folder. Every path is walked from its root by folders that are
//! opened without following a symbolic link, so that none leads out of it,
//! not even one that is put there meanwhile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use reprise_model::{Fault, FaultKind};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::shared::room;

/// A file that is being written.
const DRAFT: &str = ".reprise-new";

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Nothing,
    File {
        content: Vec<u8>,
        executable: bool,
    },
    /// A symbolic link, a folder, a device.
    Other(&'static str),
}

pub(super) struct Folder {
    root: OwnedFd,
    shown: PathBuf,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        // The root may be a link: it is what the operator named.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            let shown = path.display();
            Fault::permanent(format!("the live folder {shown} cannot be opened: {error}"))
        })?;
        Ok(Self {
            root,
            shown: path.to_owned(),
        })
    }

    /// The folder that a file is in; absent where there is none.
    fn parent(&self, path: &str, make: bool) -> Result<Option<OwnedFd>, Fault> {
        let mut folder = self
            .root
            .try_clone()
            .map_err(|error| self.fault("open", path, &error))?;
        let Some((parents, _)) = path.rsplit_once('/') else {
            return Ok(Some(folder));
        };
        for name in parents.split('/') {
            folder = match rustix::fs::openat(&folder, name, FOLDER, Mode::empty()) {
                Ok(inner) => inner,
                Err(Errno::NOENT) if make => self.make(&folder, name, path)?,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    let shown = self.shown.display();
                    return Err(Fault::refused(format!(
                        "`{name}` on the way to {path} in {shown} is no folder; links are not followed"
                    )));
                }
                Err(error) => return Err(self.fault("open", path, &error)),
            };
        }
        Ok(Some(folder))
    }

    fn make(&self, folder: &OwnedFd, name: &str, path: &str) -> Result<OwnedFd, Fault> {
        let made = match rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755)) {
            // Another task was first.
            Ok(()) | Err(Errno::EXIST) => rustix::fs::openat(folder, name, FOLDER, Mode::empty()),
            Err(error) => Err(error),
        };
        made.map_err(|error| self.fault("make a folder for", path, &error))
    }

    pub fn look(&self, path: &str) -> Result<Standing, Fault> {
        let Some(folder) = self.parent(path, false)? else {
            return Ok(Standing::Nothing);
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&folder, name_of(path), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Standing::Nothing),
            Err(Errno::LOOP) => return Ok(Standing::Other("a symbolic link")),
            Err(error) => return Err(self.fault("read", path, &error)),
        };
        let about = rustix::fs::fstat(&file).map_err(|error| self.fault("read", path, &error))?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Standing::Other("a folder")),
            _ => return Ok(Standing::Other("no plain file")),
        }
        let mut content = Vec::new();
        let read = File::from(file).read_to_end(&mut content);
        read.map_err(|error| self.fault("read", path, &error))?;
        Ok(Standing::File {
            content,
            executable: about.st_mode & 0o100 != 0,
        })
    }

    /// Written beside its place, durable, and renamed into it. Whose file it
    /// was, as far as this account may say so, and who may read it stays: git
    /// knows only whether it is executable.
    pub fn write(&self, path: &str, content: &[u8], executable: bool) -> Result<(), Fault> {
        let folder = self.parent(path, true)?;
        let folder = folder.ok_or_else(|| self.fault("write", path, &"its folder went away"))?;
        let draft = draft_of(name_of(path));
        let before = rustix::fs::statat(&folder, name_of(path), AtFlags::SYMLINK_NOFOLLOW).ok();
        let mode = before.as_ref().map_or(0o644, |before| before.st_mode);
        let mode = Mode::from_raw_mode(mode_of(mode, executable));
        let put = || -> io::Result<()> {
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::openat(&folder, &draft, flags, mode)?);
            file.write_all(content)?;
            if let Some(before) = &before {
                let (uid, gid) = (Uid::from_raw(before.st_uid), Gid::from_raw(before.st_gid));
                // Only root may give the whole of it back; others what they may.
                let _ = rustix::fs::fchown(&file, Some(uid), Some(gid))
                    .or_else(|_| rustix::fs::fchown(&file, None, Some(gid)));
            }
            // The account's umask is not the service's.
            rustix::fs::fchmod(&file, mode)?;
            file.sync_all()?;
            rustix::fs::renameat(&folder, &draft, &folder, name_of(path))?;
            rustix::fs::fsync(&folder)?;
            Ok(())
        };
        put().map_err(|error| {
            let _ = rustix::fs::unlinkat(&folder, &draft, AtFlags::empty());
            self.fault("write", path, &error)
        })
    }

    pub fn remove(&self, path: &str) -> Result<(), Fault> {
        let Some(folder) = self.parent(path, false)? else {
            return Ok(());
        };
        match rustix::fs::unlinkat(&folder, name_of(path), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(self.fault("remove", path, &error)),
        }
        rustix::fs::fsync(&folder).map_err(|error| self.fault("remove", path, &error))
    }

    /// Everything at or below a path that is no folder, in order; drafts that
    /// were left by who was cut off are apart.
    pub fn list(&self, path: &str) -> Result<(Vec<String>, Vec<String>), Fault> {
        let mut found = Vec::new();
        if let Some(folder) = self.parent(path, false)? {
            self.collect(&folder, name_of(path), path, &mut found)?;
        }
        found.sort();
        Ok(found.into_iter().partition(|path| !path.ends_with(DRAFT)))
    }

    fn collect(
        &self,
        folder: &OwnedFd,
        name: &str,
        path: &str,
        found: &mut Vec<String>,
    ) -> Result<(), Fault> {
        let inner = match rustix::fs::openat(folder, name, FOLDER, Mode::empty()) {
            Ok(inner) => inner,
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                found.push(path.to_owned());
                return Ok(());
            }
            Err(error) => return Err(self.fault("list", path, &error)),
        };
        let listed = Dir::read_from(&inner).map_err(|error| self.fault("list", path, &error))?;
        for entry in listed {
            let entry = entry.map_err(|error| self.fault("list", path, &error))?;
            let Ok(name) = entry.file_name().to_str() else {
                return Err(self.fault("list", path, &"a name is no UTF-8"));
            };
            if name != "." && name != ".." {
                self.collect(&inner, name, &format!("{path}/{name}"), found)?;
            }
        }
        Ok(())
    }

    /// Whether this account may write at its top.
    pub fn may_write(&self) -> bool {
        rustix::fs::accessat(
            &self.root,
            ".",
            rustix::fs::Access::WRITE_OK,
            AtFlags::EACCESS,
        )
        .is_ok()
    }

    fn fault(&self, doing: &str, path: &str, error: &dyn std::fmt::Display) -> Fault {
        let message = format!("cannot {doing} {path} in {}: {error}", self.shown.display());
        let full = room::is_missed(&message);
        let fault = Fault::new(FaultKind::Permanent, message);
        match full {
            true => fault.hint("make room where the files are, then `reprise retry`"),
            false => fault,
        }
    }
}

/// Who may read it may execute it, or nobody may.
fn mode_of(before: u32, executable: bool) -> u32 {
    let plain = before & 0o666;
    match executable {
        true => plain | (plain & 0o444) >> 2,
        false => plain,
    }
}

/// Of one writer alone: another that was cut off may still be at work.
fn draft_of(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".{name}.{}-{number}{DRAFT}", std::process::id())
}

/// Of this process: whoever writes it, for another site, is still at work.
pub fn is_under_way(draft: &str) -> bool {
    let name = name_of(draft).strip_suffix(DRAFT);
    let number = name.and_then(|name| name.rsplit_once('.'));
    let writer = number.and_then(|(_, number)| number.split_once('-'));
    writer.is_some_and(|(process, _)| process.parse() == Ok(std::process::id()))
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
