//! The one place that writes: data to standard output, talk to standard error,
//! where a log as JSON takes it up instead.

use std::io::{IsTerminal, Write};

use miette::{GraphicalReportHandler, GraphicalTheme};
use serde::Serialize;

use crate::args::{Color, Global, LogFormat};
use crate::failure::Failure;

/// Columns that mistakes in files are wrapped to.
const WIDTH: usize = 100;

#[derive(Clone, Debug)]
pub struct Printer {
    json: bool,
    color: bool,
    terminal: bool,
    /// What would be said goes into the log.
    logs: bool,
}

impl Printer {
    pub fn new(global: &Global) -> Self {
        let logs = global.log_format == LogFormat::Json;
        let terminal = std::io::stderr().is_terminal() && !logs;
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json: global.json,
            color: match global.color {
                Color::Auto => terminal && !plain,
                Color::Always => true,
                Color::Never => false,
            },
            terminal,
            logs,
        }
    }

    /// Whether standard error is a log as JSON, and nothing but.
    pub fn logs(&self) -> bool {
        self.logs
    }

    pub fn is_color(&self) -> bool {
        self.color
    }

    /// Whether a person looks at standard error.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Data, in the form that was asked for. A closed pipe is the reader's choice.
    pub fn data<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) {
        let mut text = if self.json {
            serde_json::to_string_pretty(value).expect("what is printed is plain data")
        } else {
            text()
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.raw(&text);
    }

    /// Data as it is.
    pub fn raw(&self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Talk: what a person may want to know, and no script.
    pub fn talk(&self, text: &str) {
        if self.logs {
            tracing::info!(target: "reprise", "{text}");
            return;
        }
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Asks on the terminal, without a line end.
    pub fn ask(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{text}");
        let _ = stderr.flush();
    }

    pub fn warning(&self, message: &str, hint: Option<&str>) {
        if self.logs {
            tracing::warn!(target: "reprise", hint, "{message}");
            return;
        }
        self.talk(&format!("{} {message}", self.paint("warning:", "33;1")));
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }

    /// The end of a journal was torn: harmless, and good to know.
    pub fn torn(&self, pages: u64) {
        let what = format!(
            "the end of the journal is torn: {pages} of its last pages were never \
             acknowledged and are left out"
        );
        let hint = "nothing that follows from them was done; `reprise resume` goes on from \
                    what was acknowledged";
        self.warning(&what, Some(hint));
    }

    pub fn hint(&self, hint: &str) {
        if self.logs {
            tracing::info!(target: "reprise", hint, "what to do next");
            return;
        }
        self.talk(&format!("{} {hint}", self.paint("hint:", "36")));
    }

    pub fn failure(&self, failure: &Failure) {
        if self.logs {
            log(failure);
            return;
        }
        if let Some(diagnostics) = &failure.diagnostics {
            for diagnostic in diagnostics {
                self.diagnostic(diagnostic);
            }
        }
        if !failure.message.is_empty() {
            self.talk(&format!(
                "{} {}",
                self.paint("error:", "31;1"),
                failure.message
            ));
        }
        let width = failure
            .facts
            .iter()
            .map(|(name, _)| name.chars().count())
            .max();
        let width = width.unwrap_or(0);
        for (name, value) in &failure.facts {
            self.talk(&format!("  {name:<width$}  {value}"));
        }
        if !failure.hints.is_empty() {
            self.talk("");
        }
        for hint in &failure.hints {
            self.hint(hint);
        }
    }

    /// A mistake with its line and a caret.
    fn diagnostic(&self, diagnostic: &reprise_spec::Diagnostic) {
        let theme = if self.color {
            GraphicalTheme::unicode()
        } else if self.terminal {
            GraphicalTheme::unicode_nocolor()
        } else {
            GraphicalTheme::none()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_links(false);
        let mut page = String::new();
        match handler.render_report(&mut page, diagnostic) {
            Ok(()) => self.talk(page.trim_end()),
            Err(_) => self.talk(&diagnostic.to_string()),
        }
    }

    /// Colour never carries the meaning alone: the word is there too.
    fn paint(&self, text: &str, code: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A failure as events: one for each mistake in a file, one for the whole.
fn log(failure: &Failure) {
    for mistake in failure.diagnostics.iter().flatten() {
        let (line, column) = mistake.position().unzip();
        tracing::error!(
            target: "reprise",
            file = %mistake.file().display(),
            line,
            column,
            code = mistake.code().as_str(),
            hint = mistake.hint(),
            "{}",
            mistake
        );
    }
    let facts = failure.facts.iter();
    let facts: Vec<_> = facts
        .map(|(name, fact)| format!("{name}: {fact}"))
        .collect();
    let message = match failure.message.as_str() {
        "" => "the files hold mistakes",
        message => message,
    };
    tracing::error!(
        target: "reprise",
        exit_code = failure.exit.code(),
        facts = (!facts.is_empty()).then(|| facts.join("; ")),
        hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; ")),
        "{message}"
    );
}
