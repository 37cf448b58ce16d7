//! From the parser's events to a tree, without recursion.

use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Span};

use super::{Data, Entry, Node, Scalar};
use crate::diagnostic::Source;
use crate::{Code, Diagnostic, Diagnostics};

/// Maps and lists within each other; our own files need 7.
const DEEPEST: usize = 32;

pub(super) struct Grower {
    /// Byte offset of every character, and of the end.
    bytes: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

enum Open {
    List {
        start: usize,
        items: Vec<Node>,
    },
    Map {
        start: usize,
        entries: Vec<Entry>,
        key: Option<(String, Range<usize>)>,
    },
}

/// Something that YAML knows and our files do not.
pub(super) struct Refusal {
    at: Range<usize>,
    what: &'static str,
    help: &'static str,
}

impl Refusal {
    pub fn explain(self, source: &Arc<Source>) -> Diagnostics {
        Diagnostic::new(source, Code::Unsupported, self.what)
            .at(self.at)
            .help(self.help)
            .into()
    }
}

impl Grower {
    pub fn new(text: &str) -> Self {
        let starts = text.char_indices().map(|(at, _)| at);
        Self {
            bytes: starts.chain([text.len()]).collect(),
            open: Vec::new(),
            root: None,
            documents: 0,
        }
    }

    /// The byte offset of a character. Positions past the end are the end.
    pub fn byte(&self, character: usize) -> usize {
        let last = self.bytes.len() - 1;
        self.bytes[character.min(last)]
    }

    pub fn into_root(self) -> Option<Node> {
        self.root.filter(|root| match &root.data {
            Data::Scalar(scalar) => !scalar.is_null(),
            Data::List(_) | Data::Map(_) => true,
        })
    }

    pub fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let start = self.byte(span.start.index());
        let at = start..self.byte(span.end.index()).max(start);
        if let Some((what, help)) = self.refusal(&event) {
            return Err(Refusal { at, what, help });
        }
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::Alias(_) => {}
            Event::DocumentStart(_) => self.documents += 1,
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                let data = Data::Scalar(Scalar { text, plain });
                return self.place(Node { span: at, data });
            }
            Event::SequenceStart(..) => {
                let items = Vec::new();
                self.open.push(Open::List { start, items });
            }
            Event::MappingStart(..) => {
                let (entries, key) = (Vec::new(), None);
                self.open.push(Open::Map {
                    start,
                    entries,
                    key,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(at.end),
        }
        Ok(())
    }

    /// Why an event is not taken, and what to write instead.
    fn refusal(&self, event: &Event<'_>) -> Option<(&'static str, &'static str)> {
        match event {
            Event::DocumentStart(_) if self.documents > 0 => Some((
                "a second YAML document starts here",
                "write one document a file",
            )),
            Event::Alias(_) => Some((
                "YAML aliases are not read",
                "write the value out where it is needed",
            )),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => Some((
                "YAML tags are not read",
                "leave the tag out; put text that looks like a number into quotes",
            )),
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() == DEEPEST => {
                Some(("the nesting is too deep here", "32 levels are read"))
            }
            _ => None,
        }
    }

    fn close(&mut self, end: usize) -> Result<(), Refusal> {
        let (start, data) = match self.open.pop() {
            Some(Open::List { start, items }) => (start, Data::List(items)),
            Some(Open::Map { start, entries, .. }) => (start, Data::Map(entries)),
            None => return Ok(()),
        };
        let span = start..end.max(start);
        self.place(Node { span, data })
    }

    /// Puts a finished node where the parser is: into a list, at a key, or as a key.
    fn place(&mut self, node: Node) -> Result<(), Refusal> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match (key.take(), node.data) {
                (Some((key, key_span)), data) => {
                    let value = Node {
                        span: node.span,
                        data,
                    };
                    entries.push(Entry {
                        key,
                        key_span,
                        value,
                    });
                }
                (None, Data::Scalar(scalar)) => *key = Some((scalar.text, node.span)),
                (None, Data::List(_) | Data::Map(_)) => {
                    return Err(Refusal {
                        at: node.span,
                        what: "a list or a map cannot be a key",
                        help: "put a text that holds braces or brackets into quotes",
                    });
                }
            },
        }
        Ok(())
    }
}
