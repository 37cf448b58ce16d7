//! The selection: which sites an operator asks for.
//!
//! `@file`, `id,id,...`, `all`, or `key=value` for any attribute; several
//! `key=value` joined by commas must all hold. Whether an id is a site at T
//! is decided where the list of sites is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_model::SiteId;

use crate::diagnostic::{Report, Source};
use crate::{Code, Diagnostic, Diagnostics};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    All,
    /// Ids as they were written, in that order, each once.
    Ids(Vec<SelectedId>),
    /// Sites for which every one of these attributes has this value.
    Attributes(Vec<(String, String)>),
    /// A file of ids, to be read with [`read_site_list`].
    File(PathBuf),
}

/// An id that somebody wrote, and where: a file and a line, or the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SelectedId {
    pub id: SiteId,
    pub place: Option<(PathBuf, usize)>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("no site is selected: the selection is empty")]
    Empty,
    #[error("`@` is followed by no file name")]
    NoFile,
    #[error("entry {0} of the selection is empty")]
    EmptyEntry(usize),
    #[error("site `{id}` is selected twice: entries {first} and {second}")]
    Duplicate {
        id: SiteId,
        first: usize,
        second: usize,
    },
    #[error("`{0}` is not `key=value`: ids and attributes cannot be mixed in one selection")]
    Mixed(String),
    #[error("attribute `{0}` is selected twice; a site has one value of each")]
    SameAttribute(String),
    #[error("`{0}` is not a site id: it holds {1}")]
    BadId(String, &'static str),
}

impl Selection {
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SelectionError::Empty);
        }
        if let Some(file) = text.strip_prefix('@') {
            return match file.trim() {
                "" => Err(SelectionError::NoFile),
                file => Ok(Self::File(file.into())),
            };
        }
        if text == "all" {
            return Ok(Self::All);
        }
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        if let Some(index) = entries.iter().position(|entry| entry.is_empty()) {
            return Err(SelectionError::EmptyEntry(index + 1));
        }
        if entries.iter().any(|entry| entry.contains('=')) {
            attributes(&entries).map(Self::Attributes)
        } else {
            ids(&entries).map(Self::Ids)
        }
    }
}

fn attributes(entries: &[&str]) -> Result<Vec<(String, String)>, SelectionError> {
    let mut filter: Vec<(String, String)> = Vec::new();
    for entry in entries {
        let pair = entry
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = pair else {
            return Err(SelectionError::Mixed((*entry).to_owned()));
        };
        if filter.iter().any(|(known, _)| known == key) {
            return Err(SelectionError::SameAttribute(key.to_owned()));
        }
        filter.push((key.to_owned(), value.to_owned()));
    }
    Ok(filter)
}

fn ids(entries: &[&str]) -> Result<Vec<SelectedId>, SelectionError> {
    let mut ids = Vec::with_capacity(entries.len());
    let mut seen = std::collections::BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(what) = bad_id(entry) {
            return Err(SelectionError::BadId((*entry).to_owned(), what));
        }
        let second = index + 1;
        if let Some(first) = seen.insert(*entry, second) {
            let id = SiteId::from(*entry);
            return Err(SelectionError::Duplicate { id, first, second });
        }
        ids.push(SelectedId {
            id: SiteId::from(*entry),
            place: None,
        });
    }
    Ok(ids)
}

/// What an id holds that no id can, because a list or a task's name would
/// fall apart.
fn bad_id(text: &str) -> Option<&'static str> {
    if text.contains(char::is_whitespace) {
        Some("white space")
    } else if text.contains(char::is_control) {
        Some("a control character")
    } else if text.contains(',') {
        Some("a comma")
    } else {
        None
    }
}

/// Reads a list of sites: one id a line, `#` comments. Every bad line and
/// every duplicate is reported with its line; so is a list with no id in it.
pub fn read_site_list(text: &str, path: &Path) -> Result<Vec<SelectedId>, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Arc::new(Source::new(path, text));
    let report = Report::new(source.clone());
    let mut ids = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for (index, raw) in text.split('\n').enumerate() {
        let number = index + 1;
        // A `#` inside a word belongs to the id; a comment starts after white space.
        let comment = raw.match_indices('#').map(|(at, _)| at).find(|at| {
            raw[..*at]
                .chars()
                .next_back()
                .is_none_or(char::is_whitespace)
        });
        let line = raw[..comment.unwrap_or(raw.len())].trim();
        if line.is_empty() {
            continue;
        }
        if let Some(what) = bad_id(line) {
            let message = format!("line {number} is not a site id: it holds {what}");
            let found = report.error(Code::BadValue, source.line(number), message);
            report.push(found.help("write one id a line; `#` starts a comment"));
        } else if let Some(first) = seen.insert(line, number) {
            let message = format!("site `{line}` is listed twice: lines {first} and {number}");
            report.push(report.error(Code::Duplicate, source.line(number), message));
            seen.insert(line, first);
        } else {
            let place = Some((path.to_owned(), number));
            let id = SiteId::from(line);
            ids.push(SelectedId { id, place });
        }
    }
    if ids.is_empty() && report.is_clean() {
        let message = "the list names no site";
        let help = "write one id a line, or `all` in place of `@file`";
        report.push(Diagnostic::new(&source, Code::Empty, message).help(help));
    }
    report.finish(Some(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hopeless_list_is_not_shown_to_the_end() {
        let text = "two words\n".repeat(73);
        let found = read_site_list(&text, Path::new("list")).unwrap_err();
        let last = found.iter().last().unwrap();
        assert_eq!(found.len(), 51);
        assert_eq!(last.code(), Code::TooMany);
        assert_eq!(last.to_string(), "23 more mistakes are not shown");
    }

    /// A list of sites with other columns, handed over where ids are meant:
    /// every line is wrong, and it must not take time squared to say so.
    #[test]
    fn a_long_list_of_wrong_lines_is_refused_at_once() {
        let text = "4711,acme,eu\n".repeat(200_000);
        let found = read_site_list(&text, Path::new("sites.csv")).unwrap_err();
        let last = found.iter().last().unwrap();
        assert_eq!(last.to_string(), "199950 more mistakes are not shown");
    }

    #[test]
    fn the_grammar() {
        let ids = |ids: &[&str]| {
            let written = ids.iter().map(|id| SelectedId {
                id: SiteId::from(*id),
                place: None,
            });
            Ok(Selection::Ids(written.collect()))
        };
        let with = |pairs: &[(&str, &str)]| {
            let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            Ok(Selection::Attributes(pairs.iter().map(own).collect()))
        };
        let check = |text: &str, expect: Result<Selection, SelectionError>| {
            assert_eq!(Selection::parse(text), expect, "{text}");
        };
        check("all", Ok(Selection::All));
        check("@lost.txt", Ok(Selection::File("lost.txt".into())));
        check("4711", ids(&["4711"]));
        check(" 4711, 4712 ", ids(&["4711", "4712"]));
        check("customer=acme", with(&[("customer", "acme")]));
        check(
            "customer=acme,region=eu",
            with(&[("customer", "acme"), ("region", "eu")]),
        );
        check("", Err(SelectionError::Empty));
        check("@", Err(SelectionError::NoFile));
        check("1,,2", Err(SelectionError::EmptyEntry(2)));
        check("region=eu,4711", Err(SelectionError::Mixed("4711".into())));
        check("=eu", Err(SelectionError::Mixed("=eu".into())));
        check("a=1,a=2", Err(SelectionError::SameAttribute("a".into())));
        check(
            "1,2,1",
            Err(SelectionError::Duplicate {
                id: "1".into(),
                first: 1,
                second: 3,
            }),
        );
        check(
            "1 2",
            Err(SelectionError::BadId("1 2".into(), "white space")),
        );
    }
}
