//! `${NAME}` references, and keeping what they stood for out of sight.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// Gives the value of a name; the error says why there is none.
pub type Resolver = Arc<dyn Fn(&str) -> Result<SecretString, String> + Send + Sync>;

/// Shorter values are not veiled: they would be found in any text.
const SHORTEST_SECRET: usize = 4;
const VEIL: &str = "***";

/// The values that were resolved for one attempt.
#[derive(Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(crate) fn of(values: impl IntoIterator<Item = SecretString>) -> Self {
        Self(values.into_iter().collect())
    }

    /// Fills in the references of `text`; `$$` is a dollar.
    pub(crate) fn fill(&mut self, text: &str, resolver: &Resolver) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                filled.push('$');
                after
            } else if let Some(reference) = after.strip_prefix('{') {
                let (name, after) = reference
                    .split_once('}')
                    .ok_or_else(|| "a reference `${` has no end `}`".to_owned())?;
                let value = resolver(name)?;
                filled.push_str(value.expose_secret());
                self.0.push(value);
                after
            } else {
                filled.push('$');
                after
            };
        }
        filled.push_str(rest);
        Ok(filled)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without any of the values, plain or as JSON would write them,
    /// whole or line by line: a key of many lines is told in many lines.
    pub(crate) fn veil(&self, text: &str) -> String {
        let mut veiled = text.to_owned();
        for word in self.words() {
            veiled = veiled.replace(word, VEIL);
            let quoted = Value::from(word).to_string();
            veiled = veiled.replace(&quoted[1..quoted.len() - 1], VEIL);
        }
        veiled
    }

    /// The same in every text of a value: JSON has more than one spelling for
    /// a text, and only what was parsed shows what it says.
    pub(crate) fn veil_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => *text = self.veil(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.veil_value(item)),
            Value::Object(map) => self.veil_map(map),
        }
    }

    pub(crate) fn veil_map(&self, map: &mut Map<String, Value>) {
        let entries = std::mem::take(map);
        map.extend(entries.into_iter().map(|(key, mut value)| {
            self.veil_value(&mut value);
            (self.veil(&key), value)
        }));
    }

    /// What must not be seen, the longest first: a value may hold another.
    fn words(&self) -> Vec<&str> {
        let values = self.0.iter().map(|secret| secret.expose_secret());
        let mut words: Vec<&str> = values
            .flat_map(|value| [value].into_iter().chain(value.lines()))
            .collect();
        words.retain(|word| word.len() >= SHORTEST_SECRET);
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_filled_in_and_two_dollars_are_one() {
        let resolver: Resolver = Arc::new(|name| match name {
            "TOKEN" => Ok(SecretString::from("hush$$hush")),
            other => Err(format!("{other} is not set")),
        });
        let fill = |text| Secrets::default().fill(text, &resolver);
        assert_eq!(fill("a ${TOKEN} b").unwrap(), "a hush$$hush b");
        assert_eq!(
            fill("$${TOKEN} costs $5, $$").unwrap(),
            "${TOKEN} costs $5, $"
        );
        assert_eq!(fill("${OTHER}").unwrap_err(), "OTHER is not set");
        assert!(fill("${TOKEN").is_err());
    }

    #[test]
    fn no_spelling_of_a_value_is_seen() {
        let secrets =
            Secrets::of(["hush", "hush-hush", "-- key\nline-1\nline-2"].map(SecretString::from));
        assert_eq!(secrets.veil("a hush-hush b hush c"), "a *** b *** c");
        assert_eq!(secrets.veil("  line-2 "), "  *** ");
        let mut value =
            serde_json::from_str(r#"{"\u0068ush":["h\u0075sh",{"k":"line-1"}]}"#).unwrap();
        secrets.veil_value(&mut value);
        assert_eq!(value, serde_json::json!({ "***": ["***", { "k": "***" }] }));
    }
}
