//! The log on standard error: silent unless asked for, because the screen and
//! the messages say what an operator must know.

use tracing_subscriber::EnvFilter;

use crate::args::{Global, LogFormat};
use crate::printer::Printer;

pub fn start(global: &Global, printer: &Printer) {
    let level = match (global.verbose, global.log_format) {
        (0, LogFormat::Text) => "off",
        (0, LogFormat::Json) => "info",
        (1, _) => "reprise=info,reprise_runner=debug,reprise_connectors=info,warn",
        (2.., _) => "debug",
    };
    let filter = EnvFilter::try_from_env("REPRISE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(printer.is_color())
        .with_writer(std::io::stderr);
    match global.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
