//! `${NAME}`: a reference to a variable of the environment.
//!
//! `$$` stands for one dollar. A dollar before anything else is itself, so
//! that passwords and shell words need no care unless they hold `${`.

use std::ops::Range;

/// A well-formed reference and where it stands, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    pub name: &'a str,
    pub span: Range<usize>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Malformed {
    pub span: Range<usize>,
    pub why: &'static str,
}

/// What a text is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Reference(Reference<'a>),
    Malformed(Malformed),
}

/// Only the references, malformed ones included.
pub(crate) fn references(text: &str) -> impl Iterator<Item = Result<Reference<'_>, Malformed>> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Literal(_) => None,
        Piece::Reference(reference) => Some(Ok(reference)),
        Piece::Malformed(malformed) => Some(Err(malformed)),
    })
}

pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (piece, length) = next_piece(&text[at..], at)?;
        at += length;
        Some(piece)
    })
}

fn next_piece(rest: &str, at: usize) -> Option<(Piece<'_>, usize)> {
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with("$$") {
        return Some((Piece::Literal("$"), 2));
    }
    if let Some(inner) = rest.strip_prefix("${") {
        return Some(braced(inner, at));
    }
    // The first character is literal whatever it is; the piece ends before the next dollar.
    let length = rest
        .char_indices()
        .skip(1)
        .find(|(_, character)| *character == '$')
        .map_or(rest.len(), |(index, _)| index);
    Some((Piece::Literal(&rest[..length]), length))
}

/// What follows `${`, with `at` the offset of the dollar.
fn braced(inner: &str, at: usize) -> (Piece<'_>, usize) {
    let malformed = |length: usize, why| {
        let span = at..at + length;
        (Piece::Malformed(Malformed { span, why }), length)
    };
    let Some(close) = inner
        .find(['}', '\n'])
        .filter(|i| inner[*i..].starts_with('}'))
    else {
        return malformed(2, "it has no closing `}`");
    };
    let (name, length) = (&inner[..close], close + 3);
    if name.is_empty() {
        return malformed(length, "there is no name between the braces");
    }
    if !is_variable_name(name) {
        return malformed(
            length,
            "a name has letters, digits and `_`, and does not start with a digit",
        );
    }
    let span = at..at + length;
    (Piece::Reference(Reference { name, span }), length)
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_literals_and_references() {
        let check = |text: &str, expect: &str| {
            let shown: Vec<String> = pieces(text)
                .map(|piece| match piece {
                    Piece::Literal(text) => text.to_owned(),
                    Piece::Reference(reference) => format!("<{}>", reference.name),
                    Piece::Malformed(malformed) => format!("!{:?}!", malformed.span),
                })
                .collect();
            assert_eq!(shown.concat(), expect, "{text}");
        };
        check("", "");
        check("plain", "plain");
        check("${A}", "<A>");
        check("x${A}y${_B1}z", "x<A>y<_B1>z");
        check("$$ and $${A}", "$ and ${A}");
        check("cost $5 é$é$", "cost $5 é$é$");
        check("${A", "!0..2!A");
        check("a${}", "a!1..4!");
        check("${1A}${A B}", "!0..5!!5..11!");
    }
}
