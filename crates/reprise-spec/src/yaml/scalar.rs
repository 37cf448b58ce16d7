//! Scalars: what a spelling means under YAML's core schema.

use serde_json::{Number, Value};

/// A scalar as it was written. `plain` is false for quoted and block scalars,
/// which are always text.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scalar {
    pub text: String,
    pub plain: bool,
}

impl Scalar {
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// Whether it is text under the core schema: neither null, nor a boolean,
    /// nor a number.
    pub fn is_text(&self) -> bool {
        matches!(self.to_json(), Value::String(_))
    }

    /// The whole number it spells, if it does.
    pub fn whole(&self) -> Option<u64> {
        self.to_json().as_u64()
    }

    pub fn what(&self) -> String {
        match self.to_json() {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(_) => format!("the number {}", self.text),
            Value::String(_) | Value::Array(_) | Value::Object(_) => "text".to_owned(),
        }
    }

    pub fn to_json(&self) -> Value {
        let text = || Value::String(self.text.clone());
        if !self.plain {
            return text();
        }
        if self.is_null() {
            return Value::Null;
        }
        match self.text.as_str() {
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            spelling => number(spelling).map_or_else(text, Value::Number),
        }
    }
}

fn number(spelling: &str) -> Option<Number> {
    let unsigned = spelling.strip_prefix(['-', '+']).unwrap_or(spelling);
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if !numeric {
        return None;
    }
    let spelling = spelling.strip_prefix('+').unwrap_or(spelling);
    let whole = spelling.parse::<u64>().map(Number::from);
    let whole = whole.or_else(|_| spelling.parse::<i64>().map(Number::from));
    whole
        .ok()
        .or_else(|| Number::from_f64(spelling.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_spellings_have_types() {
        let check = |text: &str, expect: Value| {
            let plain = true;
            let text = text.to_owned();
            assert_eq!(Scalar { text, plain }.to_json(), expect);
        };
        check("", Value::Null);
        check("~", Value::Null);
        check("true", json!(true));
        check("yes", json!("yes"));
        check("200", json!(200));
        check("-3", json!(-3));
        check("0.5", json!(0.5));
        check("1e3", json!(1000.0));
        check("1.2.3", json!("1.2.3"));
        check("2026-03-01", json!("2026-03-01"));
        check("5%", json!("5%"));
        check("20/s", json!("20/s"));
        check("1e", json!("1e"));
        check("e1", json!("e1"));
    }
}
