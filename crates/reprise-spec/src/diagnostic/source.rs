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
    /// Where every line starts: a list of sites may have a million.
    starts: Vec<usize>,
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
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            path: path.to_owned(),
            starts: [0].into_iter().chain(ends).collect(),
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
        let line = self.starts.partition_point(|start| *start <= offset);
        let before = &self.text()[self.starts[line - 1]..offset];
        (line, before.chars().count() + 1)
    }

    /// The bytes of a line, counted from 1, without its end. Past the last
    /// line it is the end of the text.
    pub fn line(&self, number: usize) -> Range<usize> {
        let end = self.text().len();
        let start = self
            .starts
            .get(number.saturating_sub(1))
            .copied()
            .unwrap_or(end);
        let end = self.starts.get(number).map_or(end, |next| next - 1);
        let line = &self.text()[start..end.max(start)];
        start..start + line.trim_end_matches('\r').len()
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
