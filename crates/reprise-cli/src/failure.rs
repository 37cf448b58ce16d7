//! Why a command did not succeed, in the form in which it is printed.

use reprise_model::Exit;
use reprise_spec::Diagnostics;

/// Facts first, then the hints. Printed once, by [`crate::printer::Printer`].
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    /// Shown aligned below the message.
    pub facts: Vec<(String, String)>,
    /// Mistakes in files, each shown at its line.
    pub diagnostics: Option<Diagnostics>,
    pub hints: Vec<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            facts: Vec::new(),
            diagnostics: None,
            hints: Vec::new(),
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Exit::Internal, message)
            .hint("this is a defect of reprise; `-vv` shows more, and nothing durable is lost")
    }

    pub fn of_files(exit: Exit, diagnostics: Diagnostics) -> Self {
        let mut failure = Self::new(exit, String::new());
        failure.diagnostics = Some(diagnostics);
        failure
    }

    pub fn fact(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.facts.push((name.into(), value.to_string()));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
