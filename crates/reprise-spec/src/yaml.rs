//! YAML as a tree in which every node knows its place and its spelling.
//!
//! Built from the parser's events and not by a loader: keys that occur twice
//! stay visible, numbers keep their spelling, and what a file for people does
//! not need (aliases, tags, several documents) is refused where it stands.

mod grow;
mod scalar;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use saphyr_parser::{Parser, ScanError};
use serde_json::{Map, Value};

use crate::diagnostic::{Report, Source, is_secret_key};
use crate::{Code, Diagnostic, Diagnostics};
use grow::Grower;
pub(crate) use scalar::Scalar;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    pub span: Range<usize>,
    pub data: Data,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Data {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

impl Node {
    /// The entry of a map; nothing where it is none, or the node is no map.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            Data::Scalar(_) | Data::List(_) => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            Data::Scalar(_) | Data::Map(_) => &[],
        }
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.data {
            Data::Scalar(scalar) => Some(scalar),
            Data::List(_) | Data::Map(_) => None,
        }
    }

    /// The text of a scalar, as it was written.
    pub fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// The text at a key.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    /// What it is, for "expected ..., found ...".
    pub fn what(&self) -> String {
        match &self.data {
            Data::Scalar(scalar) => scalar.what(),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }

    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar(scalar) => scalar.to_json(),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(_) => Value::Object(self.to_json_map()),
        }
    }

    pub fn to_json_map(&self) -> Map<String, Value> {
        self.entries()
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.to_json()))
            .collect()
    }

    /// Every scalar in it, depth first.
    pub fn scalars(&self) -> Vec<(&Node, &Scalar)> {
        match &self.data {
            Data::Scalar(scalar) => vec![(self, scalar)],
            Data::List(items) => items.iter().flat_map(Node::scalars).collect(),
            Data::Map(entries) => entries.iter().flat_map(|e| e.value.scalars()).collect(),
        }
    }

    /// The places of values that are not to be shown.
    fn secrets(&self, found: &mut Vec<Range<usize>>) {
        for item in self.items() {
            item.secrets(found);
        }
        for entry in self.entries() {
            if is_secret_key(&entry.key) || entry.key == "env" {
                found.extend(
                    entry
                        .value
                        .scalars()
                        .iter()
                        .map(|(node, _)| node.span.clone()),
                );
            } else {
                entry.value.secrets(found);
            }
        }
    }
}

/// Parses a file of one document into its tree and the collector for what is
/// wrong with it.
pub(crate) fn parse(text: &str, path: &Path) -> Result<(Node, Report), Diagnostics> {
    let by_look = Arc::new(Source::new(path, text));
    if let Some(at) = text.find('\0') {
        let message = "a NUL byte; this is not a text file";
        return Err(Diagnostic::new(&by_look, Code::Syntax, message)
            .at(at..at + 1)
            .into());
    }
    let mut grower = Grower::new(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&by_look, text, &error, &grower))?;
        grower
            .take(event, span)
            .map_err(|refusal| refusal.explain(&by_look))?;
    }
    let Some(root) = grower.into_root() else {
        let message = "the file is empty";
        return Err(Diagnostic::new(&by_look, Code::Empty, message).into());
    };
    let mut secrets = Vec::new();
    root.secrets(&mut secrets);
    let source = Source::hiding(path, text, &secrets);
    Ok((root, Report::new(Arc::new(source))))
}

fn syntax(source: &Arc<Source>, text: &str, error: &ScanError, grower: &Grower) -> Diagnostics {
    let at = grower.byte(error.marker().index());
    let (number, _) = source.position(at);
    if let Some(tab) = tab_before(text, source.line(number)) {
        let message = format!("line {number} is indented with a tab");
        let found = Diagnostic::new(source, Code::Syntax, message).at(tab);
        return found.help("YAML is indented with spaces only").into();
    }
    let message = format!("the file is not YAML: {}", error.info());
    Diagnostic::new(source, Code::Syntax, message)
        .at(at..at)
        .into()
}

/// The first tab in the indentation of a line, or of the one before it: the
/// parser often notices one line late.
fn tab_before(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let before = text[..line.start].trim_end_matches(['\n', '\r']);
    let previous = before.rfind('\n').map_or(0, |at| at + 1)..before.len();
    [line, previous].into_iter().find_map(|line| {
        let start = line.start;
        let content = &text[line];
        let indent = content.len() - content.trim_start().len();
        let tab = content[..indent].find('\t')?;
        Some(start + tab..start + tab + 1)
    })
}

/// A file as JSON, without a look at its meaning: for validation against a
/// schema. Of a key that occurs twice, the last value stays.
pub fn yaml_to_json(text: &str, path: &Path) -> Result<Value, Diagnostics> {
    parse(text, path).map(|(root, _)| root.to_json())
}
