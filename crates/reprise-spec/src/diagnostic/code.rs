//! The stable names of mistakes, for scripts and for the pages about them.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What kind of mistake it is. The words are stable.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The file could not be read.
    Unreadable = "unreadable",
    /// The file is not UTF-8.
    NotUtf8 = "not-utf8",
    /// There is nothing in the file.
    Empty = "empty",
    /// The file is not YAML, or not CSV.
    Syntax = "syntax",
    /// YAML that reprise does not read: aliases, tags, several documents.
    Unsupported = "unsupported-yaml",
    /// Another version of the file format.
    Version = "version",
    /// A key that does not exist there.
    UnknownKey = "unknown-key",
    /// A required key is not there.
    MissingKey = "missing-key",
    /// The same key, id or entry twice.
    Duplicate = "duplicate",
    /// Keys that exclude each other.
    Conflict = "conflict",
    /// A list where text is expected, and the like.
    WrongType = "wrong-type",
    /// The type is right, the value is not.
    BadValue = "bad-value",
    /// A name that refers to nothing.
    UnknownName = "unknown-name",
    /// A `${NAME}` that is malformed.
    BadReference = "bad-reference",
    /// A `{{ }}` that is malformed, or uses what is not there.
    BadTemplate = "bad-template",
    /// Parts that are right one by one and do not fit together.
    Mismatch = "mismatch",
    /// There are more mistakes than are shown.
    TooMany = "too-many",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
