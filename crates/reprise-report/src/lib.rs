//! A fold over events: bars, plain lines, JSON, Markdown, HTML
