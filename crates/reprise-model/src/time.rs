//! Instants and durations, with the exactness that point-in-time recovery needs.

mod quick;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC, in whole microseconds: the resolution of PostgreSQL's
/// commit times. Written as RFC 3339 with `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const EPOCH: Self = Self(0);
    /// The year 0 begins: earlier instants cannot be written as RFC 3339.
    pub const EARLIEST: Self = Self(-62_167_219_200_000_000);
    /// 26 hours before the year 10000, in any offset still before it.
    pub const LATEST: Self = Self(253_402_207_200_000_000);

    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        (self.0 - earlier.0) as f64 / 1e6
    }

    /// At most [`Timestamp::LATEST`]: what is added may come from a vendor, and
    /// an instant that cannot be read back would make a journal unreadable.
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros)).min(Self::LATEST)
    }

    /// At least [`Timestamp::EARLIEST`].
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros)).max(Self::EARLIEST)
    }

    /// `20260301T120000.000000Z`: sorts as time does and is safe in a file name.
    pub fn compact(self) -> String {
        self.to_string()
            .chars()
            .filter(|c| !matches!(c, '-' | ':'))
            .collect()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) if self.0 % 1_000_000 == 0 => write!(f, "{instant:.0}"),
            Ok(instant) => write!(f, "{instant:.6}"),
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is not an unambiguous instant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    #[error("`{0}` has no offset; write `Z` or an offset such as `+02:00`")]
    NoOffset(String),
    #[error("`{0}` is not a time in RFC 3339, such as 2026-03-01T12:00:00Z")]
    Malformed(String),
    #[error("`{0}` is finer than a microsecond")]
    TooFine(String),
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// RFC 3339 with an offset or `Z`; anything ambiguous is refused, and
    /// nothing is rounded.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        if let Some(micros) = quick::micros(text.as_bytes()) {
            return Ok(Self(micros));
        }
        let bad = || TimestampError::Malformed(text.to_owned());
        let shape = text.as_bytes();
        let full_date_time = shape.len() >= 19
            && shape.is_ascii()
            && matches!(shape[10], b'T' | b't' | b' ')
            && shape[13] == b':'
            && shape[16] == b':';
        if !full_date_time {
            return Err(bad());
        }
        let rest = &text[19..];
        let fraction = rest
            .strip_prefix('.')
            .map_or(0, |f| f.bytes().take_while(u8::is_ascii_digit).count());
        let offset = if fraction > 0 {
            &rest[1 + fraction..]
        } else {
            rest
        };
        match offset.as_bytes() {
            [] => return Err(TimestampError::NoOffset(text.to_owned())),
            b"Z" | b"z" | [b'+' | b'-', _, _, b':', _, _] => {}
            _ => return Err(bad()),
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| bad())?;
        if instant.as_nanosecond() % 1000 != 0 {
            return Err(TimestampError::TooFine(text.to_owned()));
        }
        let read = Self(instant.as_microsecond());
        // An offset can move an instant out of the years that can be written.
        match (Self::EARLIEST..=Self::LATEST).contains(&read) {
            true => Ok(read),
            false => Err(bad()),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match quick::text(self.0) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl serde::de::Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in RFC 3339")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// A span of time as files and JSON carry it: a number of seconds.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub struct Elapsed(pub Duration);

impl Elapsed {
    pub fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Serialize for Elapsed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Elapsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // The longest is written as the next number that there is, which is
        // too long; it must be read back: it may come from a vendor.
        if seconds == u64::MAX as f64 {
            return Ok(Self(Duration::MAX));
        }
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Reads `250ms`, `90s`, `5m`, `2h`, `1d`, and sums such as `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        rest = &rest[letters..];
        let number = u32::try_from(number).ok()?;
        total = total.checked_add(unit.checked_mul(number)?)?;
    }
    Some(total)
}

/// Writes a duration for people: the two largest units, `1h 04m`, `2m 05s`, `3.2s`, `45ms`.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() == 0 => "0s".to_owned(),
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_needs_an_offset_and_survives_a_round_trip() {
        let check = |text: &str, expect: Result<&str, TimestampError>| {
            let read = text.parse::<Timestamp>().map(|t| t.to_string());
            assert_eq!(read, expect.map(str::to_owned), "{text}");
        };
        let malformed = |t: &str| Err(TimestampError::Malformed(t.to_owned()));
        check("2026-03-01T12:00:00Z", Ok("2026-03-01T12:00:00Z"));
        check(
            "2026-03-01T12:00:00.25+02:00",
            Ok("2026-03-01T10:00:00.250000Z"),
        );
        check(
            "2026-03-01 12:00:00.000001-00:30",
            Ok("2026-03-01T12:30:00.000001Z"),
        );
        check(
            "2026-03-01T12:00:00",
            Err(TimestampError::NoOffset("2026-03-01T12:00:00".into())),
        );
        check(
            "2026-03-01T12:00:00.0000001Z",
            Err(TimestampError::TooFine(
                "2026-03-01T12:00:00.0000001Z".into(),
            )),
        );
        check("2026-03-01", malformed("2026-03-01"));
        check("yesterday", malformed("yesterday"));
        check("2026-02-30T12:00:00Z", malformed("2026-02-30T12:00:00Z"));
        check(
            "2026-03-01T12:00:00 CET",
            malformed("2026-03-01T12:00:00 CET"),
        );
        check(
            "2026-03-01T12:00:00+02",
            malformed("2026-03-01T12:00:00+02"),
        );
        check(
            "2026-03-01T12:00:00+01:00[Europe/Paris]",
            malformed("2026-03-01T12:00:00+01:00[Europe/Paris]"),
        );
    }

    #[test]
    fn no_instant_is_written_that_cannot_be_read() {
        let far = Timestamp::from_micros(0).saturating_add(Duration::MAX);
        assert_eq!(far, Timestamp::LATEST);
        assert_eq!(far.to_string().parse(), Ok(far));
        let long_ago = far.saturating_sub(Duration::MAX);
        assert_eq!(long_ago, Timestamp::EARLIEST);
        assert_eq!(long_ago.to_string().parse(), Ok(long_ago));
        let before = "0000-01-01T00:00:00+02:00";
        let refused = Err(TimestampError::Malformed(before.to_owned()));
        assert_eq!(before.parse::<Timestamp>(), refused);
    }

    #[test]
    fn the_longest_time_is_read_back() {
        for longest in [Duration::MAX, Duration::from_secs(u64::MAX)] {
            let written = serde_json::to_string(&Elapsed(longest)).unwrap();
            let read: Elapsed = serde_json::from_str(&written).unwrap();
            assert_eq!(read.0, Duration::MAX);
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(
                parse_duration(text),
                expect.map(Duration::from_millis),
                "{text}"
            );
        };
        check("250ms", Some(250));
        check("1h30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        check("0s", Some(0));
        check("", None);
        check("5", None);
        check("5 m", None);
        check("-5m", None);
        assert_eq!(format_duration(Duration::from_secs(125)), "2m 05s");
        assert_eq!(format_duration(Duration::from_millis(3200)), "3.2s");
        assert_eq!(format_duration(Duration::from_secs(90_000)), "1d 01h");
    }
}
