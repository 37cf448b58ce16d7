//! `%41` as `A`.

/// The bytes that a text stands for; nothing where an escape is cut off or odd.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |byte: &u8| (*byte as char).to_digit(16);
        let [high, low, tail @ ..] = rest else {
            return None;
        };
        bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        rest = tail;
    }
    Some(bytes)
}
