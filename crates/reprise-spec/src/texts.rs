//! Checks of the texts in a file: `${NAME}` references and templates.

use crate::Code;
use crate::diagnostic::Report;
use crate::nearest::did_you_mean;
use crate::reference::references;
use crate::template::{ROOTS, roots_of_condition, roots_of_text};
use crate::yaml::Node;

/// Reports malformed `${NAME}` references; the text itself is not shown.
pub(crate) fn check_references(node: &Node, report: &Report) {
    let Some(text) = node.text() else { return };
    for malformed in references(text).filter_map(Result::err) {
        let message = format!("a `${{NAME}}` reference is malformed: {}", malformed.why);
        let error = report.error(Code::BadReference, node.span.clone(), message);
        report.push(error.help("write `$$` for a dollar that is meant as one"));
    }
}

/// Reports a malformed template, or one that uses more than `allowed`.
/// `why_not` says why the other names are not there.
pub(crate) fn check_template(node: &Node, allowed: &[&str], why_not: &str, report: &Report) {
    if let Some(text) = node.text() {
        check_roots(node, roots_of_text(text), allowed, why_not, report);
    }
}

pub(crate) fn check_condition(node: &Node, allowed: &[&str], why_not: &str, report: &Report) {
    if let Some(text) = node.text() {
        check_roots(node, roots_of_condition(text), allowed, why_not, report);
    }
}

fn check_roots(
    node: &Node,
    roots: Result<Vec<String>, String>,
    allowed: &[&str],
    why_not: &str,
    report: &Report,
) {
    let bad = |message: String| report.error(Code::BadTemplate, node.span.clone(), message);
    let roots = match roots {
        Ok(roots) => roots,
        Err(why) => return report.push(bad(format!("the template is malformed: {why}"))),
    };
    for root in roots
        .iter()
        .filter(|root| !allowed.contains(&root.as_str()))
    {
        let error = if ROOTS.contains(&root.as_str()) {
            bad(format!("there is no `{root}` here: {why_not}"))
        } else {
            bad(format!("a template knows no `{root}`"))
        };
        report.push(error.help(did_you_mean(root, "known here", allowed.iter().copied())));
    }
}
