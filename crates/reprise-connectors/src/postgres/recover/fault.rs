//! Errors of lower layers as faults.

use std::error::Error;

use reprise_model::{Fault, FaultKind};

/// The whole chain in one line: `cannot open /x: permission denied`.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

pub fn permanent(error: reprise_pgserver::Error) -> Fault {
    Fault::permanent(chain(&error))
}

pub fn temporary(error: reprise_pgserver::Error) -> Fault {
    Fault::temporary(chain(&error))
}

pub fn cancelled(during: &str) -> Fault {
    Fault::new(FaultKind::Cancelled, format!("cancelled during {during}"))
}
