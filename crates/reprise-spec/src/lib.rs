//! The files people write, parsed into values with spans and diagnostics
