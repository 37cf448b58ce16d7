//! Whether there is room in scratch, and what is said where there is none: the
//! same for all kinds of store.

use std::path::Path;

use reprise_model::Fault;

/// Bytes that may still be written at `path`, or at its nearest parent that exists.
pub fn free_space(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Refuses before anything is written where the space does not suffice.
pub fn check_space(folder: &Path, needed: u64) -> Result<(), Fault> {
    match free_space(folder) {
        Some(free) if free < needed => Err(no_space(folder, Some(needed), free)),
        Some(_) | None => Ok(()),
    }
}

/// The fault for a scratch folder that is full or would be.
pub fn no_space(folder: &Path, needed: Option<u64>, free: u64) -> Fault {
    let needed = match needed {
        Some(needed) => format!("{} MB are needed", needed.div_ceil(1 << 20)),
        None => "more is needed".to_owned(),
    };
    Fault::refused(format!(
        "too little space for scratch in {}: {needed}, {} MB are free",
        folder.display(),
        free >> 20
    ))
    .hint("free some space, or name a `scratch` folder on another disk in the estate")
}

/// Whether somebody who could not go on says that a disk is full: the system,
/// or a program in its messages.
pub fn is_missed(words: &str) -> bool {
    const SIGNS: [&str; 5] = [
        "No space left on device",
        "Disk quota exceeded",
        // MariaDB's, with the system's number.
        "Errcode: 28",
        "failed with error 28",
        // PostgreSQL does not say why; seen with a full disk.
        "could not write init file",
    ];
    SIGNS.iter().any(|sign| words.contains(sign))
}

/// The fault of a step that writes below `folder`, in the same words whoever
/// ran out of room.
pub fn explain(folder: &Path, fault: Fault) -> Fault {
    match is_missed(&fault.message) {
        true => no_space(folder, None, free_space(folder).unwrap_or(0)),
        false => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_space_is_refused_with_numbers_and_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let fault = check_space(&root.path().join("not/yet"), u64::MAX).unwrap_err();
        assert!(fault.message.contains("MB are needed"), "{}", fault.message);
        assert!(fault.message.contains("not/yet"), "{}", fault.message);
        assert!(check_space(root.path(), 1).is_ok());
    }

    #[test]
    fn whoever_misses_room_says_it_in_the_same_words() {
        let root = tempfile::tempdir().unwrap();
        for words in [
            "cannot write x: No space left on device (os error 28)",
            "git clone: error: copy-fd: write returned: No space left on device",
            "mariadb-backup failed: Error writing file 'x' (Errcode: 28)",
        ] {
            let fault = explain(root.path(), Fault::permanent(words));
            assert!(fault.message.starts_with("too little space"), "{fault}");
            assert!(fault.hint.is_some());
        }
        let other = Fault::temporary("the server is away");
        assert_eq!(explain(root.path(), other.clone()), other);
    }
}
