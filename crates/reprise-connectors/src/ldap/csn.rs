//! Change sequence numbers: `20261122123036.306454Z#000000#000#000000`, the
//! only times of a directory with real microseconds.

use std::fmt;

use reprise_model::Timestamp;

/// The text as slapd writes it sorts as time does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Csn {
    pub time: Timestamp,
    text: String,
}

impl Csn {
    pub fn parse(text: &str) -> Option<Self> {
        let (stamp, _) = text.split_once('#')?;
        let digits = stamp.get(..14)?;
        let rest = stamp.get(14..)?;
        let field = |from: usize, to: usize| digits.get(from..to);
        let iso = format!(
            "{}-{}-{}T{}:{}:{}{rest}",
            field(0, 4)?,
            field(4, 6)?,
            field(6, 8)?,
            field(8, 10)?,
            field(10, 12)?,
            field(12, 14)?,
        );
        Some(Self {
            time: iso.parse().ok()?,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Csn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_read_and_what_is_no_csn_is_not() {
        let csn = Csn::parse("20261122123036.306454Z#000000#000#000000").unwrap();
        assert_eq!(csn.time.to_string(), "2026-11-22T12:30:36.306454Z");
        let later = Csn::parse("20261122123036.306454Z#000001#000#000000").unwrap();
        assert!(csn < later);
        assert_eq!(Csn::parse("20261122123036.306454Z"), None);
        assert_eq!(Csn::parse("2026é#"), None);
    }
}
