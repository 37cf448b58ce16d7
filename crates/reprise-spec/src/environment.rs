//! The environment that `${NAME}` references are resolved from, as a value.
//!
//! Nothing here reads the process's environment or a file: the caller hands
//! both in. Values are secrets from the moment they come in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use reprise_model::{Estate, Runbook, Tenancy, Text};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::env_file;
use crate::reference::{Piece, pieces, references};
use crate::{Diagnostics, nearest::nearest};

/// Variables by name. `Debug` shows how many there are, and no more.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, SecretString>,
}

/// A reference could not be resolved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MissingVariable {
    #[error("{place}: the environment variable `{name}` is not set{}", hint(.nearest))]
    NotSet {
        name: String,
        place: String,
        /// A variable that is set and has nearly the same name.
        nearest: Option<String>,
    },
    #[error("{place}: a `${{NAME}}` reference is malformed: {why}")]
    Malformed { place: String, why: &'static str },
}

fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!(" (`{name}` is)"),
        None => String::new(),
    }
}

impl Environment {
    /// From the variables of the process, or any others.
    pub fn new<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), SecretString::from(value.into())))
            .collect();
        Self { variables }
    }

    /// Adds the variables of an env-file: `KEY=value` lines. What the file
    /// says goes before what the process has.
    pub fn with_env_file(mut self, text: &str, path: &Path) -> Result<Self, Diagnostics> {
        self.variables.extend(env_file::read(text, path)?);
        Ok(self)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Fills in every `${NAME}`. `place` says where the text stands, such as
    /// `stores.issues.shards.s01.live`.
    pub fn resolve(&self, text: &Text, place: &str) -> Result<SecretString, MissingVariable> {
        self.resolve_str(text.expose(), place)
    }

    /// The same for a text of a step's `with`.
    pub fn resolve_str(&self, text: &str, place: &str) -> Result<SecretString, MissingVariable> {
        let mut resolved = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => resolved.push_str(literal),
                Piece::Reference(reference) => match self.variables.get(reference.name) {
                    Some(value) => resolved.push_str(value.expose_secret()),
                    None => return Err(self.not_set(reference.name, place)),
                },
                Piece::Malformed(malformed) => {
                    return Err(MissingVariable::Malformed {
                        place: place.to_owned(),
                        why: malformed.why,
                    });
                }
            }
        }
        Ok(resolved.into())
    }

    fn not_set(&self, name: &str, place: &str) -> MissingVariable {
        let known = self.variables.keys().map(String::as_str);
        MissingVariable::NotSet {
            name: name.to_owned(),
            place: place.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}

/// The names that a text refers to, in order, each once.
pub fn variables_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for reference in references(text).flatten() {
        if !names.iter().any(|name| name == reference.name) {
            names.push(reference.name.to_owned());
        }
    }
    names
}

/// Every variable that the estate refers to and that is not set, with the
/// place that needs it, in the order of the file.
pub fn missing_variables(estate: &Estate, environment: &Environment) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for store in &estate.stores {
        if let Some(Tenancy::Apps(apps)) = &store.tenant {
            for (key, text) in apps.secrets() {
                let place = tenant_place(store.id.as_str(), key);
                let names = variables_in(text.expose()).into_iter();
                let unset = names.filter(|name| !environment.contains(name));
                missing.extend(unset.map(|name| (name, place.clone())));
            }
        }
        for shard in &store.shards {
            for name in variables_in(shard.live.expose()) {
                if !environment.contains(&name) {
                    missing.push((name, live_place(store.id.as_str(), shard.id.as_str())));
                }
            }
        }
    }
    missing
}

/// The same for the options of a runbook's steps.
pub fn missing_step_variables(
    runbook: &Runbook,
    environment: &Environment,
) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for step in &runbook.steps {
        for (key, value) in &step.with {
            for name in variables_in_value(value) {
                if !environment.contains(&name) {
                    missing.push((name, format!("steps.{}.with.{key}", step.name)));
                }
            }
        }
    }
    missing
}

fn variables_in_value(value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        Value::String(text) => variables_in(text),
        Value::Array(items) => items.iter().flat_map(variables_in_value).collect(),
        Value::Object(map) => map.values().flat_map(variables_in_value).collect(),
    }
}

/// The place of a shard's live end, as messages name it.
pub fn live_place(store: &str, shard: &str) -> String {
    format!("stores.{store}.shards.{shard}.live")
}

/// The place of a store's own secret, as messages name it.
pub fn tenant_place(store: &str, key: &str) -> String {
    format!("stores.{store}.tenant.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::new([("USER_NAME", "ann"), ("PASS", "p$$w${x}")])
    }

    #[test]
    fn references_are_filled_in_once_and_not_again() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let resolved = environment().resolve_str(text, "here");
            let shown = resolved
                .as_ref()
                .map(|secret| secret.expose_secret().to_owned())
                .map_err(ToString::to_string);
            assert_eq!(shown, expect.map(str::to_owned).map_err(str::to_owned));
        };
        check("x", Ok("x"));
        check("$$5", Ok("$5"));
        check("a${USER_NAME}:${PASS}@b", Ok("aann:p$$w${x}@b"));
        check(
            "${USER_NAM}",
            Err("here: the environment variable `USER_NAM` is not set (`USER_NAME` is)"),
        );
        check(
            "${",
            Err("here: a `${NAME}` reference is malformed: it has no closing `}`"),
        );
    }

    #[test]
    fn an_env_file_goes_before_the_process() {
        let environment = environment()
            .with_env_file("PASS=other\n", Path::new(".env"))
            .unwrap();
        let resolved = environment.resolve(&Text::new("${PASS}"), "here").unwrap();
        assert_eq!(resolved.expose_secret(), "other");
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }
}
