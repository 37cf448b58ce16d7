//! What the log notes beside a statement: its session's settings, of which
//! the time zone is there just where the statement used it.

/// Bytes between an event's header and what varies in length. A `load data`
/// has as many of its own after them.
pub const POST_HEADER: usize = 13;
/// No statement that ends a transaction is longer, with its checksum.
pub const SHORT: u64 = 600;

/// Of the settings, and of the database's name with its end.
pub fn lengths(post: &[u8; POST_HEADER]) -> (u64, u64) {
    let settings = u16::from_le_bytes([post[11], post[12]]);
    (u64::from(settings), u64::from(post[8]) + 1)
}

const TIME_ZONE: u8 = 5;

/// The session's zone was the server's own.
pub fn in_system_zone(settings: &[u8]) -> bool {
    zone(settings) == Some(b"SYSTEM")
}

/// The settings come by number; those that follow the zone are not looked at,
/// and some of them are newer than this program.
fn zone(mut settings: &[u8]) -> Option<&[u8]> {
    loop {
        let (&setting, rest) = settings.split_first()?;
        let length = match setting {
            // Flags, the way of auto-increments.
            0 | 3 => 4,
            // `sql_mode`.
            1 => 8,
            // A catalog, as old servers wrote it, with its end.
            2 => usize::from(*rest.first()?) + 2,
            // Character sets.
            4 => 6,
            TIME_ZONE => return rest.get(1..1 + usize::from(*rest.first()?)),
            // A catalog.
            6 => usize::from(*rest.first()?) + 1,
            _ => return None,
        };
        settings = rest.get(length..)?;
    }
}

/// Whether a transaction ends with this statement, whose checksum may follow.
pub fn ends(text: &[u8]) -> bool {
    let is = |text: &[u8]| matches!(text, b"COMMIT" | b"ROLLBACK") || text.starts_with(b"XA ");
    let unsigned = text.len().checked_sub(4).map(|end| &text[..end]);
    is(text) || unsigned.is_some_and(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_found_among_the_settings() {
        let before: &[u8] = b"\x00....\x01........\x06\x03std\x03....\x04......";
        let with = |zone: &[u8]| [before, zone, b"\x07..\x80..."].concat();
        let check = |settings: &[u8], expect: Option<&[u8]>| {
            assert_eq!(zone(settings), expect, "{settings:?}");
        };
        check(&with(b"\x05\x06SYSTEM"), Some(b"SYSTEM"));
        check(&with(b"\x05\x06+02:00"), Some(b"+02:00"));
        check(&with(b""), None);
        check(b"", None);
        check(b"\x05", None);
        check(b"\x05\x09SYSTEM", None);
        assert!(in_system_zone(&with(b"\x05\x06SYSTEM")));
    }

    #[test]
    fn a_transaction_ends_with_these_statements_alone() {
        for text in [
            "COMMIT",
            "COMMIT\u{1}\u{2}\u{3}\u{4}",
            "ROLLBACK",
            "XA COMMIT X'31',X'',1",
        ] {
            assert!(ends(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "BEGIN",
            "ROLLBACK TO `a`",
            "insert into t values ('COMMIT')",
        ] {
            assert!(!ends(text.as_bytes()), "{text}");
        }
    }
}
