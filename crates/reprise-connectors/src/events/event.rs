//! One recorded event: a line of a segment, read by the names that the estate declares.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use reprise_model::{EventFields, Timestamp};
use serde_json::value::RawValue;

/// What a line says. The payload stays as it was written: no number in it is rounded.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub site: Cow<'a, str>,
    pub stream: Cow<'a, str>,
    pub seq: i64,
    pub time: Timestamp,
    pub payload: &'a RawValue,
}

impl<'a> Event<'a> {
    pub fn read(line: &'a str, fields: &EventFields) -> Result<Self, String> {
        let map: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let field = |name: &str| -> Result<&'a RawValue, String> {
            map.get(name)
                .copied()
                .ok_or_else(|| format!("there is no `{name}`"))
        };
        let seq = field(&fields.seq)?.get();
        let time = text(field(&fields.time)?, &fields.time)?;
        Ok(Self {
            site: text(field(&fields.site)?, &fields.site)?,
            stream: text(field(&fields.stream)?, &fields.stream)?,
            seq: seq
                .parse()
                .map_err(|_| format!("`{}` is no whole number: {seq}", fields.seq))?,
            time: time
                .parse()
                .map_err(|error| format!("`{}`: {error}", fields.time))?,
            payload: field(&fields.payload)?,
        })
    }

    /// Tells two events of one number apart.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.time.hash(&mut hasher);
        self.payload.get().hash(&mut hasher);
        hasher.finish()
    }
}

/// Ids are texts, or numbers that mean one.
fn text<'a>(value: &'a RawValue, name: &str) -> Result<Cow<'a, str>, String> {
    let raw = value.get();
    if raw.starts_with('"') {
        return serde_json::from_str::<String>(raw)
            .map(Cow::Owned)
            .map_err(|error| format!("`{name}`: {error}"));
    }
    match raw.parse::<i64>() {
        Ok(_) => Ok(Cow::Borrowed(raw)),
        Err(_) => Err(format!("`{name}` is neither text nor a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_or_says_why_not() {
        let fields = EventFields::default();
        let line = r#"{"site":7,"stream":"a\u0062","seq":3,"time":"2026-03-01T12:00:00Z","payload":{"n":12345678901234567890.1}}"#;
        let event = Event::read(line, &fields).unwrap();
        assert_eq!((&*event.site, &*event.stream, event.seq), ("7", "ab", 3));
        assert_eq!(event.payload.get(), r#"{"n":12345678901234567890.1}"#);
        let why = |line: &str| Event::read(line, &fields).unwrap_err();
        assert!(why(&line[..40]).contains("EOF"));
        assert_eq!(
            why(&line.replace("\"seq\":3", "\"seq\":3.5")),
            "`seq` is no whole number: 3.5"
        );
        assert!(why(&line.replace("12:00:00Z", "12:00:00")).starts_with("`time`: "));
        assert_eq!(
            why(&line.replace("payload", "body")),
            "there is no `payload`"
        );
        assert_ne!(
            event.fingerprint(),
            Event::read(&line.replace("0.1}", "0.2}"), &fields)
                .unwrap()
                .fingerprint()
        );
    }
}
