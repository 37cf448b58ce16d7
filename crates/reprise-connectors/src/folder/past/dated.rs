//! Folders that are named by the time at which they were begun.

use std::path::Path;

use reprise_model::{Fault, Timestamp};

use super::{Chosen, newest};
use crate::folder::tree::cannot;

/// Names that are no times are somebody else's: `latest`, a copy under way.
pub fn choose(path: &Path, target: Timestamp) -> Result<Chosen, Fault> {
    let entries = std::fs::read_dir(path).map_err(|error| cannot("read", path, &error))?;
    let mut copies = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot("read", path, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let (true, Ok(begun)) = (folder, name.parse::<Timestamp>()) {
            copies.push((begun, name));
        }
    }
    newest(copies, target, &path.display().to_string())
}
