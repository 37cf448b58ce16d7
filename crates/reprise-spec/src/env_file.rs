//! Env-files: `KEY=value` lines, `#` comments, an optional `export `, single
//! or double quotes. No message shows a value.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::diagnostic::{Report, Source};
use crate::reference::is_variable_name;
use crate::{Code, Diagnostics};

/// Reads the variables in the order of the file.
pub(crate) fn read(text: &str, path: &Path) -> Result<Vec<(String, SecretString)>, Diagnostics> {
    let lines = lines(text);
    let names: Vec<Range<usize>> = lines.iter().map(|line| line.name.clone()).collect();
    let report = Report::new(Arc::new(Source::showing(path, text, &names)));
    let mut variables: Vec<(String, SecretString)> = Vec::new();
    for line in lines {
        let name = &text[line.name.clone()];
        match value_of(&text[line.value]) {
            _ if !line.has_equals => {
                let message = format!("line {} is not `KEY=value`", line.number);
                report.push(report.error(Code::Syntax, line.whole, message));
            }
            _ if !is_variable_name(name) => {
                let message = format!("line {}: the name before `=` is not one", line.number);
                let help = "a name has letters, digits and `_`, and does not start with a digit";
                report.push(report.error(Code::Syntax, line.name, message).help(help));
            }
            _ if variables.iter().any(|(known, _)| known == name) => {
                let message = format!("line {}: `{name}` is set twice", line.number);
                report.push(report.error(Code::Duplicate, line.name, message));
            }
            Err(why) => {
                let message = format!("line {}: the value of `{name}` {why}", line.number);
                report.push(report.error(Code::Syntax, line.name, message));
            }
            Ok(value) => variables.push((name.to_owned(), value.into())),
        }
    }
    report.finish(Some(variables))
}

/// One line that says something, in ranges of the text.
struct Line {
    number: usize,
    whole: Range<usize>,
    name: Range<usize>,
    value: Range<usize>,
    has_equals: bool,
}

fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (index, raw) in text.split('\n').enumerate() {
        let start = offset + (raw.len() - raw.trim_start().len());
        let end = start + raw.trim().len();
        offset += raw.len() + 1;
        let line = &text[start..end];
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let after_export = line.strip_prefix("export ").map_or(line, str::trim_start);
        let name_start = end - after_export.len();
        let equals = after_export.find('=');
        let name_length = equals.map_or(0, |at| after_export[..at].trim_end().len());
        found.push(Line {
            number: index + 1,
            whole: start..end,
            name: name_start..name_start + name_length,
            value: equals.map_or(end, |at| name_start + at + 1)..end,
            has_equals: equals.is_some(),
        });
    }
    found
}

/// The value without its quotes; unquoted it ends before ` #`.
fn value_of(raw: &str) -> Result<String, &'static str> {
    let raw = raw.trim();
    if let Some(inner) = raw.strip_prefix('\'') {
        let (value, rest) = inner.split_once('\'').ok_or("has no closing quote")?;
        return only_comment(rest).map(|()| value.to_owned());
    }
    if let Some(inner) = raw.strip_prefix('"') {
        return double_quoted(inner);
    }
    if raw.starts_with('#') {
        return Ok(String::new());
    }
    let value = raw.split_once(" #").map_or(raw, |(value, _)| value);
    Ok(value.trim_end().to_owned())
}

fn double_quoted(inner: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return only_comment(characters.as_str()).map(|()| value),
            '\\' => match characters.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other @ ('"' | '\\' | '$')) => value.push(other),
                Some(_) | None => return Err("has an escape other than \\n \\t \\\" \\\\ \\$"),
            },
            other => value.push(other),
        }
    }
    Err("has no closing quote")
}

fn only_comment(rest: &str) -> Result<(), &'static str> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(())
    } else {
        Err("goes on after its closing quote")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn values_are_read_in_every_notation() {
        let check = |line: &str, expect: &str| {
            let text = format!("# first\n\n{line}\n");
            let variables = read(&text, Path::new(".env")).unwrap();
            let shown: Vec<_> = variables
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose_secret()))
                .collect();
            assert_eq!(shown, [expect], "{line}");
        };
        check("A=b", "A=b");
        check("  export A = b c # d", "A=b c");
        check("A='b # c'", "A=b # c");
        check(r#"A="b\"c\n" # d"#, "A=b\"c\n");
        check("A=", "A=");
        check("A=b#c=d", "A=b#c=d");
        check("A=b\r", "A=b");
    }

    #[test]
    fn mistakes_name_the_line_and_never_the_value() {
        let check = |text: &str, expect: &str| {
            let found = read(text, Path::new(".env")).map(|_| ()).unwrap_err();
            let shown = found.to_string();
            assert!(shown.contains(expect), "{shown}");
            for one in &found {
                let mut page = String::new();
                miette::NarratableReportHandler::new()
                    .render_report(&mut page, one)
                    .unwrap();
                assert!(!page.contains("hunter2"), "{page}");
            }
        };
        check("A=1\nhunter2", ".env:2:1: line 2 is not `KEY=value`");
        check(
            "A='hunter2",
            "line 1: the value of `A` has no closing quote",
        );
        check("A=\"hunter2\" hunter2", "goes on after its closing quote");
        check("A=\"\\hunter2\"", "has an escape other than");
        check("A=1\nA=hunter2", "line 2: `A` is set twice");
        check("1A=hunter2", "line 1: the name before `=` is not one");
    }
}
