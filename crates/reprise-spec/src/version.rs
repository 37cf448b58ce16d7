//! Files of another version: what is in them cannot be judged.

use crate::diagnostic::Report;
use crate::shape::{Kind, check};
use crate::yaml::Node;

/// Whether the file says that it has a newer version. Reported, and nothing
/// else is worth a look.
pub(crate) fn is_another(root: &Node, report: &Report) -> bool {
    let Some(entry) = root.entry("version") else {
        return false;
    };
    let newer = entry
        .value
        .scalar()
        .and_then(|scalar| scalar.whole())
        .is_some_and(|v| v > 1);
    if newer {
        check(&entry.value, &entry.key_span, &Kind::Version, report);
    }
    newer
}
