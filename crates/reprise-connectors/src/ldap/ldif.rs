//! LDIF as slapcat writes it (RFC 2849, content only).

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::entry::Entry;

/// An entry with its values in the order of the file.
pub struct Raw {
    pub dn: String,
    pub lines: Vec<(String, Vec<u8>)>,
}

/// Reads all entries.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let entries = parse_raw(text)?.into_iter().map(|raw| {
        let mut entry = Entry::new(raw.dn);
        for (name, value) in raw.lines {
            entry.add(&name, value);
        }
        entry
    });
    Ok(entries.collect())
}

/// The same in order. `Err` names the line that is not understood.
pub fn parse_raw(text: &str) -> Result<Vec<Raw>, String> {
    let mut entries = Vec::new();
    let mut current: Option<Raw> = None;
    for (number, line) in unfolded(text) {
        if line.is_empty() {
            entries.extend(current.take());
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = attribute(&line).ok_or_else(|| format!("line {number} is no LDIF"))?;
        match &mut current {
            Some(entry) => entry.lines.push((name, value)),
            None if name.eq_ignore_ascii_case("dn") => {
                let dn = String::from_utf8(value)
                    .map_err(|_| format!("line {number}: a DN is UTF-8"))?;
                let lines = Vec::new();
                current = Some(Raw { dn, lines });
            }
            None if name.eq_ignore_ascii_case("version") => {}
            None => return Err(format!("line {number}: an entry begins with its DN")),
        }
    }
    entries.extend(current);
    Ok(entries)
}

/// Whether the last entry is whole: slapcat ends each with an empty line.
/// `Err` names the line after which the rest is missing.
pub fn ends_whole(text: &str) -> Result<(), String> {
    let lines = text.lines().enumerate();
    match lines.filter(|(_, line)| !line.starts_with('#')).last() {
        Some((index, line)) if !line.is_empty() => Err(format!(
            "it ends within an entry, after line {}: slapcat did not write it to its end",
            index + 1
        )),
        _ => Ok(()),
    }
}

/// Lines with their continuations, each with the number of its first line.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            (Some(_), None) | (None, _) => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

fn attribute(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, value) = line.split_once(':')?;
    let value = match value.strip_prefix(':') {
        Some(encoded) => STANDARD.decode(encoded.trim()).ok()?,
        None => value.strip_prefix(' ').unwrap_or(value).as_bytes().to_vec(),
    };
    Some((name.to_owned(), value))
}

pub fn write(entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    line(to, "dn", entry.dn.as_bytes())?;
    for (name, values) in &entry.attributes {
        for value in values {
            line(to, name, value)?;
        }
    }
    to.write_all(b"\n")
}

/// Anything that could be taken for something else is written in base64.
fn line(to: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    let edge = |byte: Option<&u8>| matches!(byte, Some(b' ' | b':' | b'<'));
    let plain = value.iter().all(|byte| (0x20..0x7f).contains(byte));
    if plain && !edge(value.first()) && value.last() != Some(&b' ') {
        write!(to, "{name}: ")?;
        to.write_all(value)?;
        to.write_all(b"\n")
    } else {
        writeln!(to, "{name}:: {}", STANDARD.encode(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_encoded_and_empty_values_are_read() {
        let text =
            "# head\ndn: uid=a,\n dc=x\ncn:: w5wgYmVy\nsn:\nmail: a: b\n\n\ndn: dc=x\ndc: x\n";
        let entries = parse(text).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].dn, "uid=a,dc=x");
        assert_eq!(entries[0].text("CN"), Some("Ü ber"));
        assert_eq!(entries[0].text("sn"), Some(""));
        assert_eq!(entries[0].text("mail"), Some("a: b"));
    }

    #[test]
    fn a_torn_file_is_an_error_with_its_line() {
        assert_eq!(
            parse("dn: dc=x\ndc: x\nobjectCl").err().unwrap(),
            "line 3 is no LDIF"
        );
        assert!(parse("cn: x\n").is_err());
        assert!(parse("dn: dc=x\ncn:: !!\n").is_err());
    }

    #[test]
    fn a_file_that_lacks_the_last_empty_line_is_not_whole() {
        for whole in ["", "dn: dc=x\ndc: x\n\n", "dn: dc=x\ndc: x\n\n# done\n"] {
            assert_eq!(ends_whole(whole), Ok(()), "{whole}");
        }
        for torn in [
            "dn: dc=x\ndc: x\n",
            "dn: dc=x\ndc: x",
            "dn: dc=x\ndc: x\n# c",
        ] {
            assert!(ends_whole(torn).unwrap_err().contains("line 2"), "{torn}");
        }
    }

    #[test]
    fn every_value_survives_a_round_trip() {
        let mut entry = Entry::new("cn=ü,dc=x");
        let values = [
            &b" a"[..],
            b"a ",
            b":",
            b"<",
            b"",
            b"\x00\xff",
            b"x\ny",
            b"plain",
        ];
        for value in values {
            entry.add("description", value.to_vec());
        }
        let mut text = Vec::new();
        write(&entry, &mut text).unwrap();
        let read = parse(std::str::from_utf8(&text).unwrap()).unwrap();
        assert!(read == vec![entry]);
    }
}
