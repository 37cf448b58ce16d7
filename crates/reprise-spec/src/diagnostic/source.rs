//! The text of a file as it may be shown.

use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{NamedSource, SourceCode};

use super::mask;

/// A file's name and its masked text, byte for byte as long as the original,
/// so that offsets fit both.
pub(crate) struct Source {
    path: PathBuf,
    shown: NamedSource<String>,
}

impl Source {
    /// Masks by what the text looks like. [`Source::hiding`] knows better
    /// once the file has been parsed.
    pub fn new(path: &Path, text: &str) -> Self {
        Self::from_masked(path, mask::by_look(text))
    }

    /// Masks what looks like a secret in a URL, and the given ranges but for
    /// the `${NAME}` references in them.
    pub fn hiding(path: &Path, text: &str, secrets: &[Range<usize>]) -> Self {
        Self::from_masked(path, mask::by_ranges(text, secrets))
    }

    /// For files in which every value is a secret: only `shown` stays readable.
    pub fn showing(path: &Path, text: &str, shown: &[Range<usize>]) -> Self {
        Self::from_masked(path, mask::all_but(text, shown))
    }

    fn from_masked(path: &Path, text: String) -> Self {
        let name = path.display().to_string();
        Self {
            path: path.to_owned(),
            shown: NamedSource::new(name, text),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn code(&self) -> &dyn SourceCode {
        &self.shown
    }

    fn text(&self) -> &str {
        self.shown.inner()
    }

    /// Line and column of an offset, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text()[..offset];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The bytes of a line, counted from 1, without its end.
    pub fn line(&self, number: usize) -> Range<usize> {
        let mut start = 0;
        for (index, line) in self.text().split('\n').enumerate() {
            if index + 1 == number {
                return start..start + line.trim_end_matches('\r').len();
            }
            start += line.len() + 1;
        }
        self.text().len()..self.text().len()
    }

    /// A span cut to its first line and to the text, so that a caret fits under it.
    pub fn within_a_line(&self, span: Range<usize>) -> Range<usize> {
        let text = self.text();
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = span.end.clamp(start, text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = text[start..end].split('\n').next().unwrap_or_default();
        start..start + line.trim_end().len()
    }
}
