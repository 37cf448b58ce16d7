//! The name that somebody probably meant.

use strsim::damerau_levenshtein;

/// The candidate closest to `word`, when it is close enough to be a slip: at
/// most one edit in three letters. Of equals, the first.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let letters = word.chars().count();
    let slip = (letters / 3).max(1);
    candidates
        .into_iter()
        // A difference in length is a lower bound of the distance, and cheap.
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= slip)
        .map(|candidate| (damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= slip)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
