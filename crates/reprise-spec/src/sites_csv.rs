//! Lists of sites kept in a file: CSV with a header line. `id` is required,
//! every other column becomes an attribute.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use csv::StringRecord;

use crate::diagnostic::{Report, Source};
use crate::nearest::did_you_mean;
use crate::{Code, Diagnostic, Diagnostics};

/// One map a site, in the order of the file.
pub fn read_sites_csv(
    text: &str,
    path: &Path,
) -> Result<Vec<BTreeMap<String, String>>, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Arc::new(Source::new(path, text));
    let report = Report::new(source.clone());
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(columns) => columns.clone(),
        Err(error) => return Err(unreadable(&source, &error).into()),
    };
    let Some(id_column) = check_columns(&columns, &source, &report) else {
        return report.finish(None);
    };
    let mut rows = Rows {
        columns: &columns,
        id_column,
        rows: Vec::new(),
        lines: BTreeMap::new(),
    };
    for record in reader.records() {
        match record {
            Ok(record) => rows.take(&record, line_of(&record, text, &source), &source, &report),
            Err(error) => {
                report.push(unreadable(&source, &error));
                break;
            }
        }
    }
    if rows.rows.is_empty() && report.is_clean() {
        let message = "the list has a header line and no site";
        report.push(Diagnostic::new(&source, Code::Empty, message));
    }
    let rows = rows.rows;
    report.finish(Some(rows))
}

/// The rows read so far, and the line of each id.
struct Rows<'a> {
    columns: &'a StringRecord,
    id_column: usize,
    rows: Vec<BTreeMap<String, String>>,
    lines: BTreeMap<String, usize>,
}

impl Rows<'_> {
    fn take(&mut self, record: &StringRecord, line: usize, source: &Source, report: &Report) {
        let error = |code, message: String| report.error(code, source.line(line), message);
        let (found, expected) = (record.len(), self.columns.len());
        if found != expected {
            let message = format!("line {line} has {found} fields, the header line has {expected}");
            let help = "put a field that holds a comma into double quotes";
            return report.push(error(Code::Syntax, message).help(help));
        }
        let id = &record[self.id_column];
        if id.is_empty() {
            report.push(error(Code::BadValue, format!("line {line} has no id")));
        } else if let Some(first) = self.lines.get(id) {
            let message = format!("site `{id}` is listed twice: lines {first} and {line}");
            report.push(error(Code::Duplicate, message));
        } else {
            self.lines.insert(id.to_owned(), line);
            self.rows.push(row(self.columns, record));
        }
    }
}

fn row(columns: &StringRecord, record: &StringRecord) -> BTreeMap<String, String> {
    let pairs = columns.iter().zip(record.iter());
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// The place of `id` among the columns; mistakes in them are reported.
fn check_columns(columns: &StringRecord, source: &Arc<Source>, report: &Report) -> Option<usize> {
    if columns.is_empty() {
        let message = "the list is empty";
        let help = "the first line names the columns; `id` is required";
        report.push(Diagnostic::new(source, Code::Empty, message).help(help));
        return None;
    }
    let header = || source.line(1);
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() {
            let message = format!("column {} has no name", index + 1);
            report.push(report.error(Code::BadValue, header(), message));
        } else if columns.iter().take(index).any(|other| other == column) {
            let message = format!("there are two columns `{column}`");
            report.push(report.error(Code::Duplicate, header(), message));
        }
    }
    let id = columns.iter().position(|column| column == "id");
    if id.is_none() {
        let names: Vec<&str> = columns.iter().collect();
        let near = crate::nearest::nearest("id", names.iter().copied());
        let help = match near {
            Some(name) => format!("did you mean `id` where it says `{name}`?"),
            None => did_you_mean("id", "the header line names", names),
        };
        let message = "the list has no column `id`";
        report.push(report.error(Code::MissingKey, header(), message).help(help));
    }
    id.filter(|_| report.is_clean())
}

/// The line on which a record starts, from 1. The reader's position may lie
/// on blank lines before it.
fn line_of(record: &StringRecord, text: &str, source: &Source) -> usize {
    let byte = record.position().map_or(0, |position| position.byte());
    let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
    let rest = &text.as_bytes()[byte..];
    let blank = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    source.position(byte + blank.count()).0
}

fn unreadable(source: &Arc<Source>, error: &csv::Error) -> Diagnostic {
    let line = error.position().map_or(1, |position| position.line());
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    let message = format!("line {line} is not CSV: {error}");
    Diagnostic::new(source, Code::Syntax, message).at(source.line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_blank_lines_are_read() {
        let text = "id, name ,customer\n\n1,\"a, \"\"b\"\"\",x\n2,\"c\nd\",y\n";
        let rows = read_sites_csv(text, Path::new("sites.csv")).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["name"], "a, \"b\"");
        assert_eq!(rows[1]["name"], "c\nd");
        assert_eq!(rows[1]["id"], "2");
    }

    #[test]
    fn lines_count_through_quoted_line_ends() {
        let text = "id,name\n1,\"a\nb\"\n\n1,c\n";
        let found = read_sites_csv(text, Path::new("sites.csv")).unwrap_err();
        assert_eq!(
            found.to_string(),
            "sites.csv:5:1: site `1` is listed twice: lines 2 and 5 [duplicate]"
        );
    }
}
