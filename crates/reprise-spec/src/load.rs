//! The one place that reads files.

use std::path::Path;
use std::sync::Arc;

use reprise_model::{Estate, Runbook};

use crate::diagnostic::Source;
use crate::{Code, Diagnostic, Diagnostics, parse_estate, parse_runbook};

/// More than any such file needs; reading on would only fill memory.
const LARGEST_BYTES: u64 = 64 << 20;

pub fn load_estate(path: &Path) -> Result<Estate, Diagnostics> {
    parse_estate(&load_text(path)?, path)
}

pub fn load_runbook(path: &Path) -> Result<Runbook, Diagnostics> {
    parse_runbook(&load_text(path)?, path)
}

/// Reads a file of text; what cannot be read is a diagnostic as well.
pub fn load_text(path: &Path) -> Result<String, Diagnostics> {
    let unreadable = |why: String| {
        let source = Arc::new(Source::new(path, ""));
        let message = format!("`{}` cannot be read: {why}", path.display());
        Diagnostics::from(Diagnostic::new(&source, Code::Unreadable, message))
    };
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > LARGEST_BYTES {
        return Err(unreadable(format!(
            "it has {size} bytes, at most {LARGEST_BYTES} are read"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    decode(bytes, path)
}

/// Text from bytes, without a byte order mark.
pub(crate) fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, Diagnostics> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[at];
            let text = String::from_utf8_lossy(error.as_bytes());
            let source = Arc::new(Source::new(path, &text));
            let message = format!("the file is not UTF-8: byte 0x{byte:02x} cannot stand there");
            let found = Diagnostic::new(&source, Code::NotUtf8, message).at(at..at + 1);
            Err(found.help("save it as UTF-8").into())
        }
    }
}
