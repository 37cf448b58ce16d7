//! What a person would be shown, all of it, and no secret in it.

use miette::NarratableReportHandler;
use reprise_spec::Diagnostics;

/// Planted where secrets live; it must not come out anywhere.
pub const PLANTED: &str = "correct-horse-battery";

/// Renders every message in every way there is.
pub fn diagnostics(found: &Diagnostics) -> String {
    let mut page = format!("{found}\n{found:?}\n");
    for one in found {
        NarratableReportHandler::new()
            .render_report(&mut page, one)
            .expect("a report is written to memory");
        page.push_str(one.hint().unwrap_or_default());
        let _ = one.position();
    }
    page
}

pub fn hides_the_secret(page: &str) {
    assert!(!page.contains(PLANTED), "a secret is shown:\n{page}");
}
