//! Times as PostgreSQL writes them into backup labels and logs.

use reprise_model::Timestamp;

/// Abbreviations that mean one offset only in PostgreSQL's default set.
const ABBREVIATIONS: [(&str, &str); 22] = [
    ("UTC", "+00:00"),
    ("GMT", "+00:00"),
    ("WET", "+00:00"),
    ("BST", "+01:00"),
    ("WEST", "+01:00"),
    ("CET", "+01:00"),
    ("CEST", "+02:00"),
    ("SAST", "+02:00"),
    ("EET", "+02:00"),
    ("EEST", "+03:00"),
    ("MSK", "+03:00"),
    ("JST", "+09:00"),
    ("KST", "+09:00"),
    ("AEST", "+10:00"),
    ("AEDT", "+11:00"),
    ("EST", "-05:00"),
    ("EDT", "-04:00"),
    ("CDT", "-05:00"),
    ("MST", "-07:00"),
    ("MDT", "-06:00"),
    ("PST", "-08:00"),
    ("PDT", "-07:00"),
];

/// Reads `2026-11-22 16:00:00 CET`, `... 16:00:00 +03` and the logs'
/// `... 16:00:00.123456+00`. Absent for an abbreviation whose offset cannot
/// be told.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (date, rest) = text.split_once(' ')?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')
        .unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    format!("{date}T{clock}{}", offset(zone.trim())?)
        .parse()
        .ok()
}

fn offset(zone: &str) -> Option<String> {
    if let Some((_, offset)) = ABBREVIATIONS.iter().find(|(name, _)| *name == zone) {
        return Some((*offset).to_owned());
    }
    let sign = zone.chars().next().filter(|c| matches!(c, '+' | '-'))?;
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "00"),
        4 => digits.split_at(2),
        _ => return None,
    };
    Some(format!("{sign}{hours}:{minutes}"))
}

/// An instant as `recovery_target_time` takes it: with `+00:00`, because the
/// suffix `Z` is an abbreviation that is not loaded yet when it is read.
pub fn for_postgres(instant: Timestamp) -> String {
    let text = instant.to_string();
    let bare = text.strip_suffix('Z').unwrap_or(&text);
    format!("{}+00:00", bare.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_labels_and_logs_are_read() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(
                parse(text).map(|t| t.to_string()).as_deref(),
                expect,
                "{text}"
            );
        };
        check("2026-11-22 16:00:00 UTC", Some("2026-11-22T16:00:00Z"));
        check("2026-11-22 16:00:00 CET", Some("2026-11-22T15:00:00Z"));
        check("2026-11-22 16:00:00 +0530", Some("2026-11-22T10:30:00Z"));
        check(
            "2026-11-22 16:00:00.1234+00",
            Some("2026-11-22T16:00:00.123400Z"),
        );
        check("2026-11-22 16:00:00-03", Some("2026-11-22T19:00:00Z"));
        check("2026-11-22 16:00:00 IST", None);
        check("yesterday", None);
    }

    #[test]
    fn a_target_is_written_without_z() {
        let instant: Timestamp = "2026-11-22T16:00:00.25Z".parse().unwrap();
        assert_eq!(for_postgres(instant), "2026-11-22 16:00:00.250000+00:00");
    }
}
