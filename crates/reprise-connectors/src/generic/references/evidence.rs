//! What a comparison found, as evidence: counts, and a few items whose texts
//! are cut and carry no password.

use reprise_model::{Orphans, References, ShardId, Side};
use serde_json::{Map, Value, json};

use super::compare::{Differences, Found, Pair, Read};

/// Of a text that evidence shows.
const MOST_CHARACTERS: usize = 120;

pub fn of(references: &References, shards: [&ShardId; 2], found: &Differences) -> Value {
    let [from, to] = shards;
    let pair = |pair: &Pair| {
        json!({
            "key": shown(&pair.key),
            "from": values(&references.from, &pair.from),
            "to": values(&references.to, &pair.to),
        })
    };
    json!({
        "from": side(&references.from, from, found.from),
        "to": side(&references.to, to, found.to),
        "broken_links": samples(&found.broken_links, |key| json!(shown(key))),
        "orphans": samples(&found.orphans, |key| json!(shown(key))),
        "orphans_allowed": references.orphans == Orphans::Allowed,
        "differs": samples(&found.differs, pair),
        "missing": samples(&found.missing, pair),
    })
}

/// `issues@s01`, or `issues@s01 at the target time`.
pub fn name(side: &Side, shard: &ShardId) -> String {
    let when = match side.at {
        reprise_model::End::Live => "",
        reprise_model::End::Target => " at the target time",
    };
    format!("{}@{shard}{when}", side.store)
}

/// What a fault says of the samples: the first of them.
pub fn first(samples: &[String]) -> String {
    samples.first().map(|key| shown(key)).unwrap_or_default()
}

fn side(side: &Side, shard: &ShardId, read: Read) -> Value {
    json!({
        "store": side.store,
        "shard": shard,
        "at": side.at,
        "key": side.key,
        "compare": side.compare,
        "items": read.items,
        "without_key": read.without_key,
    })
}

fn samples<T>(found: &Found<T>, show: impl Fn(&T) -> Value) -> Value {
    let samples: Vec<Value> = found.samples.iter().map(show).collect();
    json!({ "count": found.count, "samples": samples })
}

fn values(side: &Side, values: &[Option<String>]) -> Map<String, Value> {
    let names = side.compare.iter().cloned();
    let values = values.iter().map(|value| value.as_deref().map(shown));
    names.zip(values.map(|value| json!(value))).collect()
}

/// One line of a sane length; what stands before the `@` of an address is
/// where people put passwords.
fn shown(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = veiled(&line);
    match line.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

fn veiled(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_short_lines_without_passwords() {
        let check = |text: &str, expect: &str| assert_eq!(shown(text), expect);
        check("a/b.png", "a/b.png");
        check("a\nb\u{7}c", "a b c");
        check("https://ada:secret@h/x?y=1", "https://***@h/x?y=1");
        check("https://h/x@y", "https://h/x@y");
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), MOST_CHARACTERS + 3);
    }
}
