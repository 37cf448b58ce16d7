//! The one form in which times are written here, read and written without
//! ceremony: a journal of a million tasks holds two million of them. Whatever
//! is not quite of this form is left to the full parser and the full printer.

const MICROS: i64 = 1_000_000;

/// Microseconds of `2026-03-01T12:00:00Z` or `2026-03-01T12:00:00.123456Z`.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    let (fraction, shape) = match text.len() {
        20 => (0, *b"dddd-dd-ddTdd:dd:dd"),
        27 if text[19] == b'.' => (number(&text[20..26])?, *b"dddd-dd-ddTdd:dd:dd"),
        _ => return None,
    };
    let in_shape = |(byte, expected): (&u8, u8)| match expected {
        b'd' => byte.is_ascii_digit(),
        other => *byte == other,
    };
    let ends = text[text.len() - 1] == b'Z';
    if !ends || !text.iter().zip(shape).all(in_shape) {
        return None;
    }
    let field = |from: usize, to: usize| number(&text[from..to]);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let is_date = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    // The last year is not whole in the full parser.
    if !is_date || year == 9999 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * MICROS + fraction)
}

/// A time as text, without a place on the heap.
pub(super) struct Text {
    bytes: [u8; 27],
    length: usize,
}

impl Text {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("digits and signs")
    }
}

/// The inverse, for instants from 1970 up to where the last year begins.
pub(super) fn text(micros: i64) -> Option<Text> {
    const LAST_YEAR: i64 = 253_370_764_800 * MICROS;
    if !(0..LAST_YEAR).contains(&micros) {
        return None;
    }
    let (seconds, fraction) = (micros / MICROS, micros % MICROS);
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut bytes = *b"0000-00-00T00:00:00.000000Z";
    put(&mut bytes[0..4], year);
    put(&mut bytes[5..7], month);
    put(&mut bytes[8..10], day);
    put(&mut bytes[11..13], second_of_day / 3600);
    put(&mut bytes[14..16], second_of_day / 60 % 60);
    put(&mut bytes[17..19], second_of_day % 60);
    if fraction == 0 {
        bytes[19] = b'Z';
        return Some(Text { bytes, length: 20 });
    }
    put(&mut bytes[20..26], fraction);
    Some(Text { bytes, length: 27 })
}

fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let add = |sum: i64, byte: &u8| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    };
    digits.iter().try_fold(0, add)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const FROM_MARCH_OF_0_TO_1970: i64 = 719_468;

/// Years begin in March here, so that the day that leap years add comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let months = (month + 9) % 12;
    let years = year - i64::from(month < 3);
    let leap_days = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    // 153 days in each five months from March on.
    let days_before = (153 * months + 2) / 5;
    365 * years + leap_days + days_before + day - 1 - FROM_MARCH_OF_0_TO_1970
}

/// Year, month and day. The mean length of a year tells which it is but for
/// one or two.
fn date(days: i64) -> (i64, i64, i64) {
    let first_of = |year: i64| days_since_1970(year, 3, 1);
    let mut year = (days + FROM_MARCH_OF_0_TO_1970) * 400 / 146_097 + 1;
    while first_of(year) > days {
        year -= 1;
    }
    let day_of_year = days - first_of(year);
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = (months + 2) % 12 + 1;
    (year + i64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> Option<i64> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(instant.as_microsecond())
    }

    /// Every kind of year, and every year that anybody is likely to meet.
    #[test]
    fn every_day_is_read_as_the_full_parser_reads_it() {
        let years = (1960..2110).chain((0..=9999).step_by(101));
        for year in years.chain([400, 1900, 2000, 9996, 9998, 9999]) {
            for month in 0..=13 {
                for day in [0, 1, 28, 29, 30, 31, 32] {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:58.000001Z");
                    let expected = full(&text).filter(|_| year < 9999);
                    assert_eq!(micros(text.as_bytes()), expected, "{text}");
                }
            }
        }
    }

    fn full_text(micros: i64) -> String {
        let instant = jiff::Timestamp::from_microsecond(micros).unwrap();
        match micros % MICROS {
            0 => format!("{instant:.0}"),
            _ => format!("{instant:.6}"),
        }
    }

    #[test]
    fn every_day_is_written_as_the_full_printer_writes_it() {
        let last = days_since_1970(9999, 1, 1);
        let every = (0..60_000).chain((60_000..last - 400).step_by(97));
        for day in every.chain(last - 400..last) {
            for rest in [0, 1, 86_399 * MICROS + 999_999] {
                let micros = day * 86_400 * MICROS + rest;
                assert_eq!(text(micros).unwrap().as_str(), full_text(micros));
            }
        }
    }

    #[test]
    fn what_the_full_printer_has_to_write_is_left_to_it() {
        let last_year = days_since_1970(9999, 1, 1) * 86_400 * MICROS;
        for micros in [-1, i64::MIN, last_year, i64::MAX] {
            assert!(text(micros).is_none(), "{micros}");
        }
        assert!(text(last_year - 1).is_some());
    }

    #[test]
    fn what_is_not_of_the_form_is_left_to_the_full_parser() {
        let left = [
            "",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:00z",
            "2026-03-01t12:00:00Z",
            "2026-03-01 12:00:00Z",
            "2026-03-01T12:00:60Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:60:00Z",
            "2026-03-01T12:00:00.1Z",
            "2026-03-01T12:00:00.1234567Z",
            "2026-03-01T12:00:00+00:00",
            "2026-03-01T12:00:00,123456Z",
            "2026-03-01T12:00:00.12345xZ",
            "+026-03-01T12:00:00Z",
            "2026-03-01T1\u{e9}:00:00Z",
            "12026-03-01T12:00:00.23456Z",
        ];
        for text in left {
            assert_eq!(micros(text.as_bytes()), None, "{text}");
        }
        let read = ["1969-12-31T23:59:59.999999Z", "2026-03-01T12:00:00Z"];
        for text in read {
            assert_eq!(micros(text.as_bytes()), full(text), "{text}");
        }
    }
}
