//! Readings of scalars: the small notations of our files.

use std::time::Duration;

use reprise_model::{Elapsed, HaltLimit, WaveSize, parse_duration};

use super::Kind;
use crate::Code;
use crate::diagnostic::mask_text;
use crate::nearest::did_you_mean;
use crate::yaml::Scalar;

/// A number of days that no duration of a recovery exceeds; longer is a typo.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What is wrong with a scalar.
pub(super) struct Problem {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
}

pub(crate) fn duration(text: &str) -> Option<Elapsed> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    let found = parse_duration(text).filter(|found| *found <= LONGEST)?;
    Some(Elapsed(found))
}

/// `1s..1m`: the least and the most, in that order.
pub(crate) fn backoff(text: &str) -> Option<(Elapsed, Elapsed)> {
    let (min, max) = text.split_once("..")?;
    let (min, max) = (duration(min)?, duration(max)?);
    (min <= max).then_some((min, max))
}

/// `20/s`, `300/m`, `1000/h`: starts per second.
pub(crate) fn rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let per = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    decimal(number)
        .filter(|number| *number > 0.0)
        .map(|number| number / per)
}

fn percent(text: &str) -> Option<f64> {
    decimal(text.strip_suffix('%')?).filter(|share| *share <= 100.0)
}

/// Digits, and a fraction if need be: no sign, exponent or infinity.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

fn number_of_sites(scalar: &Scalar) -> Option<u32> {
    u32::try_from(scalar.whole()?).ok()
}

pub(crate) fn wave(scalar: &Scalar) -> Option<WaveSize> {
    if scalar.text == "rest" {
        return Some(WaveSize::Rest);
    }
    let sites = number_of_sites(scalar).filter(|sites| *sites > 0);
    let share = || percent(&scalar.text).filter(|share| *share > 0.0);
    sites
        .map(WaveSize::Sites)
        .or_else(|| share().map(WaveSize::Percent))
}

pub(crate) fn limit(scalar: &Scalar) -> Option<HaltLimit> {
    let sites = number_of_sites(scalar).map(HaltLimit::Sites);
    sites.or_else(|| percent(&scalar.text).map(HaltLimit::Percent))
}

/// Why a text cannot name a store, a shard, a pool or a step.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    (!starts || !rest).then_some(
        "a name has letters, digits, `_`, `-`, `.`, and starts with one of the first two",
    )
}

/// Checks a scalar against a kind; the kinds of maps and lists match none.
pub(super) fn problem(kind: &Kind, scalar: &Scalar) -> Option<Problem> {
    let text = scalar.text.as_str();
    let well = match kind {
        Kind::Text | Kind::Live | Kind::Name | Kind::Template if !scalar.is_text() => {
            return Some(not_text(kind, scalar));
        }
        Kind::Text | Kind::Live | Kind::Name | Kind::Template => !text.trim().is_empty(),
        Kind::Version => return version(scalar),
        Kind::Duration => scalar.is_text() && duration(text).is_some(),
        Kind::Backoff => scalar.is_text() && backoff(text).is_some(),
        Kind::Rate => scalar.is_text() && rate(text).is_some(),
        Kind::Count => number_of_sites(scalar).is_some_and(|count| count > 0),
        Kind::Status => scalar
            .whole()
            .is_some_and(|code| (100..600).contains(&code)),
        Kind::Port => {
            let port = scalar.whole();
            port.is_some_and(|port| (1..65_536).contains(&port)) || text.contains("{{")
        }
        Kind::Flag => matches!(text, "true" | "false"),
        Kind::Json => true,
        Kind::Wave => wave(scalar).is_some(),
        Kind::Limit => limit(scalar).is_some(),
        Kind::Word(words) => return word(&words(), kind, scalar),
        Kind::Either(first, _) => return problem_of_either(first, kind, scalar),
        Kind::List { .. } | Kind::Map { .. } | Kind::Shape(_) => {
            return Some(wrong_type(kind, scalar));
        }
    };
    (!well).then(|| bad_value(kind, scalar))
}

fn problem_of_either(first: &Kind, whole: &Kind, scalar: &Scalar) -> Option<Problem> {
    let mut found = problem(first, scalar)?;
    if found.code == Code::WrongType {
        found.message = format!("expected {}, found {}", whole.expected(), scalar.what());
    }
    Some(found)
}

fn wrong_type(kind: &Kind, scalar: &Scalar) -> Problem {
    Problem {
        code: Code::WrongType,
        message: format!("expected {}, found {}", kind.expected(), scalar.what()),
        help: None,
    }
}

fn not_text(kind: &Kind, scalar: &Scalar) -> Problem {
    Problem {
        help: (!scalar.is_null()).then(|| "put it into quotes if it is meant as text".to_owned()),
        ..wrong_type(kind, scalar)
    }
}

fn bad_value(kind: &Kind, scalar: &Scalar) -> Problem {
    if scalar.is_null() || scalar.text.trim().is_empty() {
        return Problem {
            code: Code::WrongType,
            message: format!("expected {}, found nothing", kind.expected()),
            help: None,
        };
    }
    let shown = mask_text(&scalar.text);
    Problem {
        code: Code::BadValue,
        message: format!("`{shown}` is not {}", kind.expected()),
        help: reason(kind, &scalar.text).map(str::to_owned),
    }
}

/// The usual slips.
fn reason(kind: &Kind, text: &str) -> Option<&'static str> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match kind {
        Kind::Duration if digits => Some("add a unit: `ms`, `s`, `m`, `h` or `d`"),
        Kind::Duration if parse_duration(text).is_some() => Some("at most 366 days"),
        Kind::Backoff => Some("the shortest wait, `..`, the longest wait"),
        Kind::Rate if digits => Some("add a unit: `/s`, `/m` or `/h`"),
        Kind::Wave if text.ends_with('%') => Some("a share is above `0%` and at most `100%`"),
        Kind::Limit if text.ends_with('%') => Some("a share is at most `100%`"),
        _ => None,
    }
}

fn word(words: &[&'static str], kind: &Kind, scalar: &Scalar) -> Option<Problem> {
    if words.contains(&scalar.text.as_str()) {
        return None;
    }
    if !scalar.is_text() {
        return Some(wrong_type(kind, scalar));
    }
    let shown = mask_text(&scalar.text);
    Some(Problem {
        code: Code::BadValue,
        message: format!("`{shown}` is none of the words that are known here"),
        help: Some(did_you_mean(&scalar.text, "known", words.iter().copied())),
    })
}

fn version(scalar: &Scalar) -> Option<Problem> {
    let found = match scalar.whole() {
        Some(1) => return None,
        found => found,
    };
    let newer = found.is_some_and(|version| version > 1);
    let shown = mask_text(&scalar.text);
    Some(Problem {
        code: Code::Version,
        message: format!("the file has version `{shown}`, this reprise reads version 1"),
        help: Some(if newer {
            "it was written for a newer reprise; upgrade this one".to_owned()
        } else {
            "write `version: 1`".to_owned()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        let text = text.to_owned();
        Scalar { text, plain: true }
    }

    #[test]
    fn durations_and_pairs_of_them() {
        let seconds = |text: &str| duration(text).map(|found| found.0.as_secs());
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("366d"), Some(366 * 86_400));
        assert_eq!(seconds("367d"), None);
        assert_eq!(seconds(" 5m"), None);
        assert_eq!(seconds("5"), None);
        let pair = |text: &str| backoff(text).map(|(a, b)| (a.0.as_secs(), b.0.as_secs()));
        assert_eq!(pair("1s..1m"), Some((1, 60)));
        assert_eq!(pair("5s..5s"), Some((5, 5)));
        assert_eq!(pair("1m..1s"), None);
        assert_eq!(pair("1s ..1m"), None);
        assert_eq!(pair("1s"), None);
    }

    #[test]
    fn rates_are_starts_per_second() {
        assert_eq!(rate("20/s"), Some(20.0));
        assert_eq!(rate("30/m"), Some(0.5));
        assert_eq!(rate("1800/h"), Some(0.5));
        assert_eq!(rate("0.5/s"), Some(0.5));
        for wrong in ["0/s", "-1/s", "inf/s", "1e3/s", "20/d", "20", "/s", " 1/s"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn waves_and_limits() {
        assert_eq!(wave(&plain("1")), Some(WaveSize::Sites(1)));
        assert_eq!(wave(&plain("12.5%")), Some(WaveSize::Percent(12.5)));
        assert_eq!(wave(&plain("rest")), Some(WaveSize::Rest));
        assert_eq!(limit(&plain("0")), Some(HaltLimit::Sites(0)));
        assert_eq!(limit(&plain("0%")), Some(HaltLimit::Percent(0.0)));
        for wrong in ["0", "0%", "101%", "-1", "1.5", "half", "5 %", "99999999999"] {
            assert_eq!(wave(&plain(wrong)), None, "{wrong}");
        }
    }
}
