//! Distinguished names: compared as directories compare them, and made of
//! values that cannot break out of their place.

/// A name in the form in which equal names are equal text: one RDN an item,
/// the nearest first, lower case, without spaces around signs. Case is folded
/// everywhere: a directory whose naming attributes tell case apart is rare,
/// and there two names that look alike would be a collision, which is found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct DnKey(Vec<String>);

impl DnKey {
    pub fn of(dn: &str) -> Self {
        Self(split(dn, ',').iter().map(|rdn| rdn_key(rdn)).collect())
    }

    /// Of an attribute's value that names an entry.
    pub fn of_value(value: &[u8]) -> Self {
        Self::of(&String::from_utf8_lossy(value))
    }

    /// Whether it is `base` or stands below it.
    pub fn is_in(&self, base: &DnKey) -> bool {
        !base.0.is_empty() && self.0.ends_with(&base.0)
    }

    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Its RDNs, the farthest first: those of a name above begin those below.
    pub fn from_top(&self) -> impl Iterator<Item = &str> {
        self.0.iter().rev().map(String::as_str)
    }

    /// The same name with `from` at its end replaced by `to`.
    pub fn moved(dn: &str, from: &DnKey, to: &str) -> String {
        let parts = split(dn, ',');
        let kept = parts.len().saturating_sub(from.0.len());
        let mut moved: Vec<&str> = parts[..kept].iter().map(|part| part.trim()).collect();
        moved.push(to);
        moved.join(",")
    }
}

/// Attribute and value of each part of an RDN: one, or several joined by `+`.
pub fn rdn_parts(rdn: &str) -> Vec<(String, String)> {
    split(rdn, '+')
        .iter()
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unescape(value.trim())))
        .collect()
}

pub fn first_rdn(dn: &str) -> String {
    split(dn, ',').first().cloned().unwrap_or_default()
}

/// All but the first RDN.
pub fn parent(dn: &str) -> String {
    let parts = split(dn, ',');
    parts.get(1..).unwrap_or_default().join(",")
}

fn rdn_key(rdn: &str) -> String {
    let mut parts: Vec<String> = rdn_parts(rdn)
        .into_iter()
        .map(|(name, value)| {
            let words: Vec<&str> = value.split_whitespace().collect();
            format!("{}={}", name.to_lowercase(), words.join(" ").to_lowercase())
        })
        .collect();
    parts.sort();
    // No separator of our own can stand in a value by accident.
    parts.join("\u{0}")
}

/// Splits where `sign` is not escaped.
fn split(text: &str, sign: char) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut escaped = false;
    for c in text.chars() {
        if !escaped && c == sign {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        escaped = !escaped && c == '\\';
        part.push(c);
    }
    if !text.trim().is_empty() {
        parts.push(part);
    }
    parts
}

fn unescape(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let pair = value.get(at + 1..at + 3);
        // A sign is no digit, although a number may have one.
        let pair = pair.filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.extend(bytes.get(at + 1));
                at += 2;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value as it may stand in a DN (RFC 4514), whatever is in it.
pub fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        let at_edge = (c == ' ' && (index == 0 || index == last)) || (c == '#' && index == 0);
        match c {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => out.extend(['\\', c]),
            _ if at_edge => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_directory_takes_for_equal_have_equal_keys() {
        let key = DnKey::of("uid=Ann, OU=Site 1,dc=acme");
        assert_eq!(key, DnKey::of("UID = ann,ou=site  1,DC=ACME"));
        assert_eq!(DnKey::of("cn=a\\2Cb,dc=x"), DnKey::of("cn=a\\,b,dc=x"));
        assert_ne!(DnKey::of("cn=a\\,b,dc=x"), DnKey::of("cn=a,cn=b,dc=x"));
        assert_eq!(DnKey::of("cn=a+uid=b,dc=x"), DnKey::of("uid=b+cn=a,dc=x"));
    }

    #[test]
    fn a_site_whose_name_ends_like_anothers_is_not_in_it() {
        let base = DnKey::of("ou=1,dc=acme");
        assert!(DnKey::of("uid=a,ou=1,dc=acme").is_in(&base));
        assert!(!DnKey::of("uid=a,ou=11,dc=acme").is_in(&base));
        assert!(!DnKey::of("uid=a,dc=acme").is_in(&DnKey::of("")));
    }

    #[test]
    fn a_value_cannot_break_out_of_its_place() {
        let dn = format!("ou={},ou=sites,dc=acme", escape("x,ou=other+cn=y"));
        assert_eq!(DnKey::of(&dn).depth(), 3);
        assert!(!DnKey::of(&dn).is_in(&DnKey::of("ou=other,ou=sites,dc=acme")));
        assert_eq!(unescape(&escape(" #a\\\"<>; ")), " #a\\\"<>; ");
    }

    #[test]
    fn a_subtree_moves_with_its_top() {
        let from = DnKey::of("ou=a,dc=x");
        let moved = DnKey::moved("uid=u,ou=A,dc=x", &from, "ou=b,dc=y");
        assert_eq!(moved, "uid=u,ou=b,dc=y");
    }
}
