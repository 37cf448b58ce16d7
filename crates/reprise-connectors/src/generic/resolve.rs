//! `${NAME}` references, and keeping what they stood for out of sight.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

/// Gives the value of a name; the error says why there is none.
pub type Resolver = Arc<dyn Fn(&str) -> Result<SecretString, String> + Send + Sync>;

/// Shorter values are not veiled: they would be found in any text.
const SHORTEST_SECRET: usize = 4;
const VEIL: &str = "***";

/// The values that were resolved for one attempt.
#[derive(Default)]
pub(super) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Fills in the references of `text`; `$$` is a dollar.
    pub(super) fn fill(&mut self, text: &str, resolver: &Resolver) -> Result<String, String> {
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

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without any of the values, plain or as JSON would write them.
    pub(super) fn veil(&self, text: &str) -> String {
        let mut veiled = text.to_owned();
        for secret in &self.0 {
            let plain = secret.expose_secret();
            if plain.len() < SHORTEST_SECRET {
                continue;
            }
            veiled = veiled.replace(plain, VEIL);
            let quoted = serde_json::Value::from(plain).to_string();
            veiled = veiled.replace(&quoted[1..quoted.len() - 1], VEIL);
        }
        veiled
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
}
