//! Diagnostics: what is wrong in a file, where, and what to write instead.
//!
//! A reader collects every mistake before it gives up, so that one look at
//! the terminal is enough to repair a file. The source shown next to a
//! mistake is a masked copy: what may be a secret is not in it.

mod code;
mod mask;
mod report;
mod source;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{LabeledSpan, SourceCode};

pub use code::Code;
pub(crate) use mask::{by_look as mask_text, is_secret_key};
pub(crate) use report::Report;
pub(crate) use source::Source;

/// One mistake. `Display` is the bare message; [`miette`]'s handlers show the
/// file, the line and a caret as well.
#[derive(Clone)]
pub struct Diagnostic {
    code: Code,
    message: String,
    source: Arc<Source>,
    at: Option<Range<usize>>,
    help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(source: &Arc<Source>, code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            source: source.clone(),
            at: None,
            help: None,
        }
    }

    /// Points at a range of bytes of the source.
    pub(crate) fn at(mut self, span: Range<usize>) -> Self {
        self.at = Some(self.source.within_a_line(span));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn file(&self) -> &Path {
        self.source.path()
    }

    /// Line and column, both from 1; absent where the file as a whole is meant.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.at.as_ref().map(|at| self.source.position(at.start))
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position().unwrap_or_default();
        let file = self.file().display();
        write!(f, "{} at {file}:{line}:{column}: {self}", self.code)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.at.as_ref().map(|_| self.source.code())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.at.clone()?;
        let label = LabeledSpan::new(None, at.start, at.len());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Every mistake of a file, by line; never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// `None` where there is nothing to report. Of more than `most`, the
    /// first are kept, and one at the end says how many are not.
    fn new(mut all: Vec<Diagnostic>, most: usize) -> Option<Self> {
        all.sort_by_key(|one| one.at.as_ref().map_or(0, |at| at.start));
        if let Some(first_left_out) = all.get(most) {
            let message = format!("{} more mistakes are not shown", all.len() - most);
            let rest = Diagnostic::new(&first_left_out.source, Code::TooMany, message);
            all.truncate(most);
            all.push(rest);
        }
        (!all.is_empty()).then_some(Self(all))
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line a mistake, and one for its help: for logs and plain terminals.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", one.file().display())?;
            if let Some((line, column)) = one.position() {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {one} [{}]", one.code)?;
            if let Some(help) = &one.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
