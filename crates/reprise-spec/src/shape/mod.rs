//! The declaration of a file format: keys, types, defaults, one sentence each.
//!
//! The checks of a file and the JSON schema both follow from it, so they
//! cannot drift apart. What ties keys to each other across the file, such as
//! a name that must exist, is not in here but in the rules of each file.

mod check;
mod scalars;
mod schema;

pub(crate) use check::check;
pub(crate) use scalars::{backoff, duration, limit, rate, wave};
pub(crate) use schema::schema;

/// What a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The version of the file format.
    Version,
    Text,
    /// Text with `${NAME}` references that is never shown.
    Live,
    /// Text that names something of the file.
    Name,
    /// Text that is a template or a condition: checked by the rules of a file.
    Template,
    Duration,
    Backoff,
    Rate,
    /// A whole number of at least 1.
    Count,
    /// A port, or a template that yields one.
    Port,
    /// True or false.
    Flag,
    /// Anything that JSON can say.
    Json,
    /// A status code of HTTP.
    Status,
    Wave,
    /// A number of sites or a share of them.
    Limit,
    Word(fn() -> Vec<&'static str>),
    List {
        of: &'static Kind,
        least: usize,
    },
    /// A map whose keys are names for `of`; `names` restricts them to what
    /// can stand in a task's name.
    Map {
        of: &'static Kind,
        names: bool,
        least: usize,
    },
    Shape(&'static Shape),
    /// A scalar of the first kind or a map of the second.
    Either(&'static Kind, &'static Kind),
}

/// A map with known keys.
pub(crate) struct Shape {
    /// With its article: `a store`.
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Sets of keys of which exactly one set must be there; none of the
    /// others may be.
    pub alternatives: &'static [&'static [&'static str]],
    pub cases: Option<&'static Cases>,
}

pub(crate) struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub about: &'static str,
    /// What holds where it is left out, in words for the schema.
    pub default: Option<&'static str>,
}

/// Further keys that depend on the word at `key`. A field of a case goes
/// before one of the shape with the same key.
pub(crate) struct Cases {
    pub key: &'static str,
    pub by_word: &'static [(&'static str, &'static [Field])],
}

impl Field {
    pub const fn required(key: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            key,
            kind,
            required: true,
            about,
            default: None,
        }
    }

    pub const fn optional(key: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            required: false,
            ..Self::required(key, kind, about)
        }
    }

    pub const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }
}

impl Shape {
    pub const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self {
            name,
            fields,
            alternatives: &[],
            cases: None,
        }
    }

    /// The fields of the map, given the word at the key of its cases. With
    /// no word, or one that is none of the cases, those of every case.
    pub fn fields_for(&self, word: Option<&str>) -> Vec<&'static Field> {
        let Some(cases) = self.cases else {
            return self.fields.iter().collect();
        };
        let known = cases.by_word.iter().find(|(case, _)| Some(*case) == word);
        let mut fields: Vec<&'static Field> = self.fields.iter().collect();
        for own in known.map_or(&[][..], |(_, own)| own) {
            match fields.iter_mut().find(|field| field.key == own.key) {
                Some(field) => *field = own,
                None => fields.push(own),
            }
        }
        fields
    }

    /// Keys that exist in some case, but not among `fields`.
    pub fn keys_of_other_cases(&self, fields: &[&Field]) -> Vec<&'static str> {
        let mut keys = Vec::new();
        for (_, own) in self.cases.into_iter().flat_map(|cases| cases.by_word) {
            for field in *own {
                let known = fields.iter().any(|other| other.key == field.key);
                if !known && !keys.contains(&field.key) {
                    keys.push(field.key);
                }
            }
        }
        keys
    }
}

impl Kind {
    /// For "expected ...".
    pub fn expected(&self) -> String {
        match self {
            Self::Version => "the version of the file format, 1".to_owned(),
            Self::Text | Self::Live | Self::Template => "text".to_owned(),
            Self::Name => "a name".to_owned(),
            Self::Duration => "a duration such as `30s`, `5m` or `1h30m`".to_owned(),
            Self::Backoff => "two durations such as `1s..1m`".to_owned(),
            Self::Rate => "a rate such as `20/s`, `300/m` or `1000/h`".to_owned(),
            Self::Count => "a whole number of at least 1".to_owned(),
            Self::Port => "a port from 1 to 65535".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Json => "any value".to_owned(),
            Self::Status => "a status code from 100 to 599".to_owned(),
            Self::Wave => "a number of sites, a share such as `5%`, or `rest`".to_owned(),
            Self::Limit => "a number of sites, or a share such as `2%`".to_owned(),
            Self::Word(words) => format!("one of {}", crate::nearest::list(words())),
            Self::List { .. } => "a list".to_owned(),
            Self::Map { .. } => "a map".to_owned(),
            Self::Shape(shape) => {
                let keys = shape.fields.iter().map(|field| field.key);
                format!("a map with the keys {}", crate::nearest::list(keys))
            }
            Self::Either(scalar, map) => format!("{}, or {}", scalar.expected(), map.expected()),
        }
    }
}
