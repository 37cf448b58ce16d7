//! Numbers for people.

use std::time::Duration;

use reprise_model::format_duration;

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.4 GB`: powers of 1000.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Seconds as a duration; what is negative is written with its sign.
pub fn seconds(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
    let sign = if seconds < 0.0 && duration >= Duration::from_millis(1) {
        "-"
    } else {
        ""
    };
    format!("{sign}{}", format_duration(duration))
}

pub fn maybe_seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), seconds)
}

/// `1 site`, `2 sites`.
pub fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_scaled() {
        let check = |number: u64, grouped: &str, scaled: &str| {
            assert_eq!(count(number), grouped);
            assert_eq!(bytes(number), scaled);
        };
        check(0, "0", "0 B");
        check(999, "999", "999 B");
        check(1_000, "1,000", "1.0 kB");
        check(999_949, "999,949", "999.9 kB");
        check(999_950, "999,950", "1.0 MB");
        check(u64::MAX, "18,446,744,073,709,551,615", "18446.7 PB");
    }

    #[test]
    fn seconds_keep_their_sign() {
        assert_eq!(seconds(125.0), "2m 05s");
        assert_eq!(seconds(-3.0), "-3.0s");
        assert_eq!(seconds(-0.000_4), "0s");
        assert_eq!(maybe_seconds(None), "-");
    }
}
