//! The nearest right name to a wrong one, and lists of names for messages.

/// The candidate that was most likely meant, if any is near enough.
pub(crate) fn nearest<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(wrong);
    candidates
        .into_iter()
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&folded, &fold(name)),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, name)| name)
}

fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

/// "did you mean `x`? known: `x`, `y`" as help for an unknown name.
pub(crate) fn did_you_mean<'a>(
    wrong: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let all = list(candidates.clone());
    match nearest(wrong, candidates) {
        Some(name) => format!("did you mean `{name}`? {what}: {all}"),
        None if all.is_empty() => format!("{what}: none"),
        None => format!("{what}: {all}"),
    }
}

/// `` `a`, `b`, `c` ``
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_candidate_is_proposed() {
        let check = |wrong: &str, expect: Option<&str>| {
            let names = ["timeout", "needs", "action", "on_conflict"];
            assert_eq!(nearest(wrong, names), expect, "{wrong}");
        };
        check("tiemout", Some("timeout"));
        check("need", Some("needs"));
        check("on-conflict", Some("on_conflict"));
        check("Action", Some("action"));
        check("colour", None);
    }
}
