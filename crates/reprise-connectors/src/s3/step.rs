//! What one key needs to be again as it was at T: a function of its history
//! now and of its version at T.

use super::history::{History, Version};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step<'a> {
    /// As it was.
    Nothing,
    /// The version is there below markers: without these it is current again,
    /// with its own id and time.
    Uncover {
        markers: Vec<&'a str>,
        then: &'a Version,
    },
    /// Deleted, and not the newest version; or the newest, and the server does
    /// not know it: it is copied over.
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
    let current = history.and_then(History::current);
    let Some(then) = at else {
        return match current.filter(|current| current.object.is_some()) {
            Some(_) => Step::Created,
            None => Step::Nothing,
        };
    };
    let Some(place) = versions.iter().position(|version| version.id == then.id) else {
        return Step::Gone { then };
    };
    let above = &versions[..place];
    match current {
        Some(current) if current.id == then.id => Step::Nothing,
        Some(current) if current.object.is_some() => Step::Compare { now: current, then },
        // Only what hides it is taken away.
        Some(marker) if above.contains(marker) && above.iter().all(|v| v.object.is_none()) => {
            Step::Uncover {
                markers: above.iter().map(|v| v.id.as_str()).collect(),
                then,
            }
        }
        _ => Step::Copy { then },
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::Timestamp;

    use super::*;
    use crate::s3::history::Object;

    fn history(versions: &[(&str, bool)], current: Option<usize>) -> History {
        let version = |(id, object): &(&str, bool)| Version {
            id: (*id).to_owned(),
            modified: Timestamp::from_micros(0),
            object: object.then(|| Object {
                size: 1,
                etag: String::new(),
            }),
            class: None,
        };
        History {
            key: "k".to_owned(),
            versions: versions.iter().map(version).collect(),
            current,
        }
    }

    #[test]
    fn a_server_that_broke_off_in_a_write_is_not_believed_to_have_finished() {
        let markers_above = [("m2", false), ("m1", false), ("then", true)];
        let copied = [("copy", true), ("m1", false), ("then", true)];
        let alone = [("then", true)];
        for (versions, current, uncovers) in [
            (&markers_above[..], Some(0), true),
            // A marker was deleted, and the server still looks for it.
            (&markers_above[1..], None, false),
            (&alone[..], None, false),
            // A copy was made, and the server still reads the marker.
            (&copied[..], Some(1), false),
        ] {
            let history = history(versions, current);
            let then = history.versions.last();
            let step = step(Some(&history), then);
            assert_eq!(matches!(step, Step::Uncover { .. }), uncovers, "{step:?}");
            assert_eq!(matches!(step, Step::Copy { .. }), !uncovers, "{step:?}");
        }
    }
}
