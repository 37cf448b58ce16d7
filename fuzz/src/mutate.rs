//! Changes to a JSON document that keep it JSON: what a fuzzer would need
//! hours to find in its text.

use serde_json::{Value, json};

use crate::choices::Choices;

/// Changes at most so many places.
const CHANGES: usize = 6;

/// Walks down by the choices and changes what it finds there.
pub fn mutate(document: &mut Value, choices: &mut Choices<'_>) {
    for _ in 0..1 + choices.below(CHANGES) {
        change(document, choices);
    }
}

fn change(value: &mut Value, choices: &mut Choices<'_>) {
    let deeper = !choices.byte().is_multiple_of(8);
    match value {
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = choices.below(items.len());
            change(&mut items[at], choices);
        }
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = choices.below(map.len());
            let inner = map.values_mut().nth(at).expect("it is within the map");
            change(inner, choices);
        }
        Value::Array(items) => rearrange(items, choices),
        Value::Object(map) if !map.is_empty() => {
            let at = choices.below(map.len());
            let key = map.keys().nth(at).expect("it is within the map").clone();
            map.remove(&key);
        }
        other => *other = instead(other, choices),
    }
}

fn rearrange(items: &mut Vec<Value>, choices: &mut Choices<'_>) {
    if items.is_empty() {
        return items.push(json!(choices.byte()));
    }
    let (one, other) = (choices.below(items.len()), choices.below(items.len()));
    match choices.byte() % 4 {
        0 => {
            items.remove(one);
        }
        1 => items.insert(other, items[one].clone()),
        2 => items.swap(one, other),
        _ => items.truncate(one),
    }
}

/// Another value in its place: near, or at the edge of what a type can hold.
fn instead(value: &Value, choices: &mut Choices<'_>) -> Value {
    let edges = [
        json!(0),
        json!(1),
        json!(-1),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e19),
        json!(1e-300),
        json!("9999-12-31T23:59:59Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!(""),
        json!("\u{1b}[2J"),
        Value::Null,
        json!([]),
        json!({}),
    ];
    match (value, choices.byte()) {
        (Value::Number(number), byte) if byte < 128 => {
            let near = number.as_i64().unwrap_or_default();
            json!(near.wrapping_add(i64::from(byte) - 64))
        }
        (Value::Bool(yes), byte) if byte < 128 => json!(!yes),
        (_, byte) => edges[usize::from(byte) % edges.len()].clone(),
    }
}
