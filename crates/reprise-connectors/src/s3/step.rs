//! What one key needs to be again as it was at T: a function of its history
//! now and of its version at T.

use super::history::{History, Version};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step<'a> {
    /// As it was.
    Nothing,
    /// The version is there below markers: without these it is current again,
    /// with its own id and time.
    Uncover { markers: Vec<&'a str> },
    /// Deleted, and not the newest version: it is copied over.
    Copy { then: &'a Version },
    /// Another object is live: the same made again, or in the way.
    Compare { now: &'a Version, then: &'a Version },
    /// Not there at T, and there now.
    Created,
    /// The history does not hold the version of T any more.
    Gone { then: &'a Version },
}

pub fn step<'a>(history: Option<&'a History>, at: Option<&'a Version>) -> Step<'a> {
    let versions = history.map_or(&[][..], |history| &history.versions);
    let current = versions.first();
    let Some(then) = at else {
        return match current.filter(|current| current.object.is_some()) {
            Some(_) => Step::Created,
            None => Step::Nothing,
        };
    };
    let Some(place) = versions.iter().position(|version| version.id == then.id) else {
        return Step::Gone { then };
    };
    match current {
        Some(current) if current.id == then.id => Step::Nothing,
        Some(current) if current.object.is_some() => Step::Compare { now: current, then },
        _ if versions[..place].iter().all(|v| v.object.is_none()) => Step::Uncover {
            markers: versions[..place].iter().map(|v| v.id.as_str()).collect(),
        },
        _ => Step::Copy { then },
    }
}
