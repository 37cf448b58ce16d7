//! Places in the write-ahead log, and the names of the files that hold them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte position in the log, written `16/B374D848`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a place in the log");
        let (high, low) = text.trim().split_once('/').ok_or_else(bad)?;
        let high = u32::from_str_radix(high, 16).map_err(|_| bad())?;
        let low = u32::from_str_radix(low, 16).map_err(|_| bad())?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One file of the log: the `number`th piece of `size` bytes, on a timeline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Segment {
    pub timeline: u32,
    pub number: u64,
}

impl Segment {
    /// The segment that holds the byte at `lsn`.
    pub fn holding(timeline: u32, lsn: Lsn, size: u64) -> Self {
        Self {
            timeline,
            number: lsn.0 / size,
        }
    }

    pub fn start(self, size: u64) -> Lsn {
        Lsn(self.number * size)
    }

    pub fn end(self, size: u64) -> Lsn {
        Lsn((self.number + 1) * size)
    }

    /// The file's name, such as `00000001000000000000001B`.
    pub fn name(self, size: u64) -> String {
        let per_id = 0x1_0000_0000 / size;
        format!(
            "{:08X}{:08X}{:08X}",
            self.timeline,
            self.number / per_id,
            self.number % per_id
        )
    }

    pub fn parse(name: &str, size: u64) -> Option<Self> {
        let hex = |part: &str| u32::from_str_radix(part, 16).ok();
        if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let per_id = 0x1_0000_0000 / size;
        Some(Self {
            timeline: hex(&name[..8])?,
            number: u64::from(hex(&name[8..16])?) * per_id + u64::from(hex(&name[16..])?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_a_round_trip() {
        let lsn: Lsn = "16/B374D848".parse().unwrap();
        assert_eq!(lsn, Lsn(0x16_B374_D848));
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert!("16".parse::<Lsn>().is_err());
    }

    #[test]
    fn segments_are_named_as_postgresql_names_them() {
        let check = |size: u64, lsn: u64, name: &str| {
            let segment = Segment::holding(1, Lsn(lsn), size);
            assert_eq!(segment.name(size), name);
            assert_eq!(Segment::parse(name, size), Some(segment));
        };
        check(16 << 20, 0x1B00_0028, "00000001000000000000001B");
        check(16 << 20, 0x1_0000_0000, "000000010000000100000000");
        check(1 << 30, 0x2_4000_0000, "000000010000000200000001");
        check(1 << 20, 0x0FF0_0000, "0000000100000000000000FF");
        assert_eq!(
            Segment::parse("00000001000000000000001B.partial", 16 << 20),
            None
        );
    }
}
