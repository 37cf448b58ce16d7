//! JSON schemas (draft 2020-12) from a declaration, for editors.

use serde_json::{Map, Value, json};

use super::{Field, Kind, Shape};

const DURATION: &str = r"([0-9]+(ms|s|m|h|d))+";
const NAME: &str = r"^[A-Za-z0-9][A-Za-z0-9._-]*$";
const SHARE: &str = r"(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%";

pub(crate) fn schema(title: &str, shape: &'static Shape) -> Value {
    let mut schema = of_shape(shape);
    let mut whole = Map::new();
    whole.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    whole.insert("title".to_owned(), json!(title));
    if let Value::Object(rest) = schema.take() {
        whole.extend(rest);
    }
    Value::Object(whole)
}

fn of_kind(kind: &Kind) -> Value {
    let pattern = |pattern: String| json!({ "type": "string", "pattern": pattern });
    match kind {
        Kind::Version => json!({ "const": 1 }),
        Kind::Text | Kind::Live | Kind::Name | Kind::Template => pattern(r"\S".to_owned()),
        Kind::Duration => pattern(format!("^{DURATION}$")),
        Kind::Backoff => pattern(format!(r"^{DURATION}\.\.{DURATION}$")),
        Kind::Rate => pattern(r"^[0-9]+(\.[0-9]*)?/[smh]$".to_owned()),
        Kind::Count => json!({ "type": "integer", "minimum": 1 }),
        Kind::Port => json!({ "oneOf": [
            { "type": "integer", "minimum": 1, "maximum": 65_535 },
            { "type": "string", "pattern": r"\{\{" },
        ]}),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Json => json!({}),
        Kind::Status => json!({ "type": "integer", "minimum": 100, "maximum": 599 }),
        Kind::Wave => json!({ "oneOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": format!("^({SHARE}|rest)$") },
        ]}),
        Kind::Limit => json!({ "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": format!("^{SHARE}$") },
        ]}),
        Kind::Word(words) => json!({ "enum": words() }),
        Kind::List { of, least } => {
            json!({ "type": "array", "items": of_kind(of), "minItems": least })
        }
        Kind::Map { of, names, least } => json!({
            "type": "object",
            "propertyNames": { "pattern": if *names { NAME } else { r"\S" } },
            "additionalProperties": of_kind(of),
            "minProperties": least,
        }),
        Kind::Shape(shape) => of_shape(shape),
        Kind::Either(scalar, map) => json!({ "oneOf": [of_kind(scalar), of_kind(map)] }),
    }
}

fn of_field(field: &Field) -> Value {
    let mut schema = of_kind(&field.kind);
    if let Value::Object(schema) = &mut schema {
        let about = match field.default {
            Some(default) => format!("{} Default: {default}.", field.about),
            None => field.about.to_owned(),
        };
        schema.insert("description".to_owned(), json!(about));
    }
    schema
}

fn required(fields: &[&Field]) -> Vec<&'static str> {
    let required = fields.iter().filter(|field| field.required);
    required.map(|field| field.key).collect()
}

fn of_shape(shape: &'static Shape) -> Value {
    let fields: Vec<&Field> = shape.fields.iter().collect();
    let mut properties = Map::new();
    for field in &fields {
        properties.insert(field.key.to_owned(), of_field(field));
    }
    for key in shape.keys_of_other_cases(&fields) {
        properties.insert(key.to_owned(), json!(true));
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required(&fields),
        "additionalProperties": false,
    });
    if !shape.alternatives.is_empty() {
        schema["oneOf"] = alternatives(shape);
    }
    if shape.cases.is_some() {
        schema["allOf"] = cases(shape);
    }
    schema
}

fn alternatives(shape: &Shape) -> Value {
    let ways = shape.alternatives.iter().map(|keys| {
        let others = shape.alternatives.iter().flat_map(|other| other.iter());
        let forbidden: Map<String, Value> = others
            .filter(|key| !keys.contains(key))
            .map(|key| ((*key).to_owned(), json!(false)))
            .collect();
        json!({ "required": keys, "properties": forbidden })
    });
    ways.collect()
}

fn cases(shape: &'static Shape) -> Value {
    let Some(cases) = shape.cases else {
        return json!([]);
    };
    let branches = cases.by_word.iter().map(|(word, own)| {
        let fields = shape.fields_for(Some(word));
        let mut properties = Map::new();
        for field in *own {
            properties.insert(field.key.to_owned(), of_field(field));
        }
        for key in shape.keys_of_other_cases(&fields) {
            properties.insert(key.to_owned(), json!(false));
        }
        json!({
            "if": { "properties": { cases.key: { "const": word } }, "required": [cases.key] },
            "then": { "properties": properties, "required": required(&fields) },
        })
    });
    branches.collect()
}
