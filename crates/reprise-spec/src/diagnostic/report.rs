//! The collector that a reader reports into while it goes on reading.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::{Code, Diagnostic, Diagnostics, Source};

/// More than this is not a file with mistakes but another file altogether.
const MOST_SHOWN: usize = 50;

pub(crate) struct Report {
    source: Arc<Source>,
    found: RefCell<Vec<Diagnostic>>,
}

impl Report {
    pub fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            found: RefCell::new(Vec::new()),
        }
    }

    /// A mistake at a place. It counts once it is handed to [`Report::push`].
    pub fn error(&self, code: Code, at: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.source, code, message).at(at)
    }

    pub fn push(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// The line of an offset, from 1.
    pub fn line_of(&self, offset: usize) -> usize {
        self.source.position(offset).0
    }

    pub fn is_clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The value, if it was read and nothing was reported.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Diagnostics> {
        let diagnostics = Diagnostics::new(self.found.into_inner(), MOST_SHOWN);
        match (diagnostics, value) {
            (Some(diagnostics), _) => Err(diagnostics),
            (None, Some(value)) => Ok(value),
            (None, None) => unreachable!("a value is left out only after a report"),
        }
    }
}
