//! Actions that need no store: `exec` and `http.check`.
