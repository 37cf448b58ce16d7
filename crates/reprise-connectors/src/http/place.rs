//! Places in an answer: `next`, `items[].id`, `[].state`.

use serde_json::Value;

/// The value at a place without a list in it.
pub(super) fn at<'a>(answer: &'a Value, place: &str) -> Option<&'a Value> {
    let mut keys = place.split('.').filter(|key| !key.is_empty());
    keys.try_fold(answer, |value, key| value.get(key))
}

/// The items of the list that a place goes through, and the place in each.
pub(super) fn items<'a, 'p>(answer: &'a Value, place: &'p str) -> Option<(&'a [Value], &'p str)> {
    let (list, inside) = place.split_once("[]")?;
    let items = at(answer, list)?.as_array()?;
    Some((items, inside))
}

/// An id or a state as text: vendors write numbers as well.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_lead_into_answers() {
        let answer = json!({ "page": { "items": [{ "app": { "id": 7 } }, {}] }, "next": null });
        let (found, inside) = items(&answer, "page.items[].app.id").unwrap();
        let ids: Vec<_> = found
            .iter()
            .map(|item| at(item, inside).and_then(text))
            .collect();
        assert_eq!(ids, [Some("7".to_owned()), None]);
        assert_eq!(at(&answer, "next"), Some(&Value::Null));
        assert!(items(&answer, "items[].id").is_none());
        let bare = json!(["a", "b"]);
        let (found, inside) = items(&bare, "[]").unwrap();
        assert_eq!(at(&found[1], inside).and_then(text).unwrap(), "b");
    }
}
