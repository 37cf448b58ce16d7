//! Ends an estate's clusters, and removes it if asked to.

use std::fs;

use crate::Error;
use crate::cluster;
use crate::layers;
use crate::layout::Layout;

/// Ends every cluster in the folder, finished lab or not; says how many ran.
pub fn down(layout: &Layout, purge: bool) -> Result<usize, Error> {
    if !layout.is_claimed() {
        return Err(Error::NoLab(layout.root().to_owned()));
    }
    let mut stopped = layers::stop(layout)?;
    for parent in ["clusters", "oracle"] {
        let Ok(folders) = fs::read_dir(layout.root().join(parent)) else {
            continue;
        };
        for folder in folders.flatten() {
            stopped += usize::from(cluster::stop(&folder.path())?);
        }
    }
    if purge {
        layout.purge()?;
    }
    Ok(stopped)
}
