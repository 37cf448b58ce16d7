//! Holds a tree against a declaration and reports everything that does not fit.

use std::ops::Range;

use super::scalars::{name_problem, problem};
use super::{Field, Kind, Shape};
use crate::Code;
use crate::diagnostic::{Report, mask_text};
use crate::nearest::did_you_mean;
use crate::yaml::{Data, Entry, Node};

/// `owner` is where a missing key is shown: the key that holds the node.
pub(crate) fn check(node: &Node, owner: &Range<usize>, kind: &Kind, report: &Report) {
    match (kind, &node.data) {
        (Kind::Json, _) => {}
        (Kind::Either(_, map), Data::Map(_)) => check(node, owner, map, report),
        (Kind::Shape(shape), Data::Map(entries)) => {
            check_shape(node, entries, owner, shape, report);
        }
        (Kind::Map { of, names, least }, Data::Map(entries)) => {
            report_duplicates(entries, report);
            report_too_few(entries.len(), *least, owner, report);
            for entry in entries {
                report_bad_name(entry, *names, report);
                check(&entry.value, &entry.key_span, of, report);
            }
        }
        (Kind::List { of, least }, Data::List(items)) => {
            report_too_few(items.len(), *least, owner, report);
            for item in items {
                check(item, &item.span, of, report);
            }
        }
        (_, Data::Scalar(scalar)) => {
            if let Some(found) = problem(kind, scalar) {
                let span = if scalar.is_null() { owner } else { &node.span };
                let error = report.error(found.code, span.clone(), found.message);
                report.push(match found.help {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
        }
        (_, Data::List(_) | Data::Map(_)) => {
            let message = format!("expected {}, found {}", kind.expected(), node.what());
            report.push(report.error(Code::WrongType, owner.clone(), message));
        }
    }
}

fn check_shape(
    node: &Node,
    entries: &[Entry],
    owner: &Range<usize>,
    shape: &'static Shape,
    report: &Report,
) {
    report_duplicates(entries, report);
    let word = shape.cases.and_then(|cases| node.text_at(cases.key));
    let fields = shape.fields_for(word);
    let undecided = shape
        .cases
        .is_some_and(|cases| !cases.by_word.iter().any(|(case, _)| Some(*case) == word));
    let elsewhere = shape.keys_of_other_cases(&fields);
    for entry in entries {
        match fields.iter().find(|field| field.key == entry.key) {
            Some(field) => check(&entry.value, &entry.key_span, &field.kind, report),
            // Which keys belong there is open until the word is right.
            None if undecided && elsewhere.contains(&entry.key.as_str()) => {}
            None => report_unknown(entry, shape, word, &fields, report),
        }
    }
    for field in fields.iter().filter(|field| field.required) {
        if node.entry(field.key).is_none() {
            report_missing(field, owner, shape, report);
        }
    }
    check_alternatives(node, owner, shape, report);
}

fn report_unknown(
    entry: &Entry,
    shape: &Shape,
    word: Option<&str>,
    fields: &[&Field],
    report: &Report,
) {
    let owner = match (shape.cases, word) {
        (Some(cases), Some(word)) => {
            format!("{} of {} `{}`", shape.name, cases.key, mask_text(word))
        }
        (Some(_) | None, _) => shape.name.to_owned(),
    };
    let shown = mask_text(&entry.key);
    let message = format!("unknown key `{shown}` in {owner}");
    let known = fields.iter().map(|field| field.key);
    let error = report
        .error(Code::UnknownKey, entry.key_span.clone(), message)
        .help(did_you_mean(&entry.key, "known here", known));
    report.push(error);
}

fn report_missing(field: &Field, owner: &Range<usize>, shape: &Shape, report: &Report) {
    let message = format!("{} lacks the key `{}`", shape.name, field.key);
    let help = format!("`{}`: {}", field.key, field.about);
    report.push(
        report
            .error(Code::MissingKey, owner.clone(), message)
            .help(help),
    );
}

fn check_alternatives(node: &Node, owner: &Range<usize>, shape: &Shape, report: &Report) {
    if shape.alternatives.is_empty() {
        return;
    }
    let ways = shape.alternatives.iter().map(|keys| all_of(keys));
    let ways: Vec<String> = ways.collect();
    let help = format!("write either {}", ways.join(", or "));
    let chosen: Vec<_> = shape
        .alternatives
        .iter()
        .filter(|keys| keys.iter().any(|key| node.entry(key).is_some()))
        .collect();
    match chosen.as_slice() {
        [] => {
            let message = format!("{} says nothing about where it comes from", shape.name);
            report.push(
                report
                    .error(Code::MissingKey, owner.clone(), message)
                    .help(help),
            );
        }
        [keys] => {
            for key in keys.iter().filter(|key| node.entry(key).is_none()) {
                let message = format!("{} lacks the key `{key}`", shape.name);
                let error = report.error(Code::MissingKey, owner.clone(), message);
                report.push(error.help(help.clone()));
            }
        }
        several => {
            let message = format!("{} has keys that exclude each other", shape.name);
            let last = several
                .last()
                .and_then(|keys| keys.iter().find_map(|key| node.entry(key)));
            let span = last.map_or(owner.clone(), |entry| entry.key_span.clone());
            report.push(report.error(Code::Conflict, span, message).help(help));
        }
    }
}

/// `` `a` and `b` ``
fn all_of(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(" and ")
}

fn report_duplicates(entries: &[Entry], report: &Report) {
    let mut seen = std::collections::BTreeMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(entry.key.as_str(), &entry.key_span) {
            let line = report.line_of(first.start);
            let shown = mask_text(&entry.key);
            let message = format!("the key `{shown}` is there twice; first in line {line}");
            report.push(report.error(Code::Duplicate, entry.key_span.clone(), message));
        }
    }
}

fn report_too_few(count: usize, least: usize, owner: &Range<usize>, report: &Report) {
    if count < least {
        let message = format!("at least {least} entry is needed here, there is none");
        report.push(report.error(Code::MissingKey, owner.clone(), message));
    }
}

fn report_bad_name(entry: &Entry, names: bool, report: &Report) {
    let why = if names {
        name_problem(&entry.key)
    } else {
        entry.key.trim().is_empty().then_some("it is empty")
    };
    if let Some(why) = why {
        let shown = mask_text(&entry.key);
        let message = format!("`{shown}` cannot be a name");
        let error = report.error(Code::BadValue, entry.key_span.clone(), message);
        report.push(error.help(why));
    }
}
