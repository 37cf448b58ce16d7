//! What must not be shown, replaced by asterisks of the same length in bytes.
//!
//! A live end is best written as `${NAME}`, but somebody will write the URL
//! with its password into the file, make a mistake in the next line, and
//! paste the message into a ticket.

use std::ops::Range;

use crate::reference::references;

/// Parts of keys whose values are never shown.
const SECRET_WORDS: [&str; 9] = [
    "live",
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "api_key",
    "apikey",
];

/// Whether the value under this key is to be hidden.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// For text whose structure is not known: everything after a secret key on
/// its line and in the deeper lines below, and the passwords of URLs.
pub fn by_look(text: &str) -> String {
    let mut ranges = Vec::new();
    let mut offset = 0;
    let mut deeper_than = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty();
        match deeper_than {
            Some(limit) if indent > limit || blank => ranges.push(offset..offset + line.len()),
            Some(_) | None => {
                deeper_than = None;
                if let Some(at) = value_of_secret(line) {
                    ranges.push(offset + at..offset + line.len());
                    deeper_than = Some(indent);
                }
            }
        }
        offset += line.len();
    }
    by_ranges(text, &ranges)
}

/// Where the value starts, if the line has a key that names a secret.
fn value_of_secret(line: &str) -> Option<usize> {
    line.match_indices([':', '=']).find_map(|(at, _)| {
        let key = line[..at].trim_end_matches(['"', '\'', ' ']);
        let word = key.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        word.take(1).any(is_secret_key).then_some(at + 1)
    })
}

pub fn by_ranges(text: &str, secrets: &[Range<usize>]) -> String {
    let mut hidden = vec![false; text.len()];
    for range in secrets {
        hidden[range.clone()].fill(true);
        for reference in references(&text[range.clone()]).flatten() {
            let span = reference.span;
            hidden[range.start + span.start..range.start + span.end].fill(false);
        }
    }
    for range in url_passwords(text) {
        hidden[range].fill(true);
    }
    for range in assigned_passwords(text) {
        hidden[range].fill(true);
    }
    veil(text, &hidden)
}

pub fn all_but(text: &str, shown: &[Range<usize>]) -> String {
    let mut hidden = vec![true; text.len()];
    for range in shown {
        hidden[range.clone()].fill(false);
    }
    veil(text, &hidden)
}

/// The part between `scheme://user:` and the last `@` of the same word.
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let rest = &text[start..];
        let length = rest
            .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let Some(end) = word.rfind('@') else { continue };
        let Some(colon) = word[..end].find(':') else {
            continue;
        };
        let password = &word[colon + 1..end];
        if !is_reference(password) {
            found.push(start + colon + 1..start + end);
        }
    }
    found
}

/// The rest of the line after `password=`, as connection strings have it. A
/// quoted password may hold anything, so its end is not looked for.
fn assigned_passwords(text: &str) -> Vec<Range<usize>> {
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, word) in folded.match_indices("password") {
        let after = at + word.len();
        let blank = folded[after..].len() - folded[after..].trim_start_matches(' ').len();
        let start = after + blank;
        if !folded[start..].starts_with('=') {
            continue;
        }
        let value = &text[start + 1..];
        let length = value.find('\n').unwrap_or(value.len());
        if !value.starts_with("${") {
            found.push(start + 1..start + 1 + length);
        }
    }
    found
}

fn is_reference(text: &str) -> bool {
    let mut all = references(text);
    matches!((all.next(), all.next()), (Some(Ok(one)), None) if one.span == (0..text.len()))
}

/// Control characters are replaced as well: a file must not be able to speak
/// to the terminal that shows it.
fn veil(text: &str, hidden: &[bool]) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let stand_in = if character.is_whitespace() {
            character
        } else if character.is_control() {
            '?'
        } else if hidden[at] {
            '*'
        } else {
            character
        };
        if stand_in == character {
            shown.push(character);
        } else {
            shown.extend(std::iter::repeat_n(stand_in, character.len_utf8()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_veiled_and_offsets_stay() {
        let check = |text: &str, expect: &str| {
            assert_eq!(by_look(text), expect);
            assert_eq!(by_look(text).len(), text.len());
        };
        check("name: acme", "name: acme");
        check("live: hunter2", "live: *******");
        check("live: ${URL}", "live: ${URL}");
        check("live: pé${URL}", "live: ***${URL}");
        check(
            "  live: |\n    hunter2\n  x: y",
            "  live: *\n    *******\n  x: y",
        );
        check("{ \"live\": x, y: z }", "{ \"live\": ** ** * *");
        check("url: https://u:pw@host/x", "url: https://u:**@host/x");
        check("url: https://u:${P}@host/x", "url: https://u:${P}@host/x");
        check("url: https://u:p@w@host/x", "url: https://u:***@host/x");
        check("API_TOKEN=abc", "API_TOKEN=***");
        check(
            "liev: host=h password = 'a b'",
            "liev: host=h password = ** **",
        );
        check("name: \u{1b}[2J\u{9b}", "name: ?[2J??");
    }
}
