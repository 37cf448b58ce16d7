//! Paths as text and back, and which paths may be a site's.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::shared::percent;

/// A path as text, one for one: `%` and what is no text become `%41`.
pub fn text(path: &Path) -> String {
    let mut text = String::new();
    let byte = |text: &mut String, byte: u8| {
        write!(text, "%{byte:02x}").expect("a text takes all");
    };
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' | '\0'..='\x1f' | '\x7f' => byte(&mut text, character as u8),
                _ => text.push(character),
            }
        }
        for odd in chunk.invalid() {
            byte(&mut text, *odd);
        }
    }
    text
}

pub fn path(text: &str) -> Option<PathBuf> {
    let bytes = percent::decode(text)?;
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// A folder below the tree; `..`, the tree itself and absolute paths are none.
/// It has no slash at its end: a link that stands there would be followed.
pub fn below(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    // A `.` between would be dropped by `components`.
    let dots = text.split('/').any(|part| part == ".");
    (plain && !dots && path.components().next().is_some()).then(|| path.components().collect())
}

/// Whether a template may yield a folder below the tree. Of what is filled in
/// nothing is known here; one with conditions may yield anything.
pub fn may_be_below(template: &str) -> bool {
    if template.contains("{%") {
        return true;
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, inside)) = rest.split_once("{{") {
        text += before;
        text.push('x');
        rest = inside.split_once("}}").map_or("", |(_, after)| after);
    }
    below(&(text + rest)).is_some()
}

/// `root/path`; the root itself has no slash behind it, which would follow a link.
pub fn at(root: &Path, path: &Path) -> PathBuf {
    match path.as_os_str().is_empty() {
        true => root.to_owned(),
        false => root.join(path),
    }
}

/// What we write before it is renamed. Nobody else's name is like that.
pub fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".reprise-") && name.ends_with(b".tmp")
}

pub fn temporary(beside: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    beside.with_file_name(format!(".reprise-{}-{number}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_text_and_the_same_path_again() {
        for bytes in [
            &b"a/b c"[..],
            b"50%",
            b"%41",
            b"\xff\xfe/x",
            b"new\nline",
            "\u{e9}".as_bytes(),
            b"",
        ] {
            let odd = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            assert_eq!(path(&text(&odd)), Some(odd));
        }
        assert_eq!(text(Path::new("50%\u{e9}")), "50%25\u{e9}");
    }

    #[test]
    fn a_template_that_leads_elsewhere_whatever_is_filled_in_is_none() {
        for (template, expect) in [
            ("sites/{{ site.id }}", true),
            ("{{ site.customer }}/{{ site.id }}/", true),
            ("sites/..{{ site.id }}", true),
            ("{% if site.odd %}..{% endif %}", true),
            ("../{{ site.id }}", false),
            ("/srv/{{ site.id }}", false),
            ("./{{ site.id }}", false),
            ("{{ site.id }}/..", false),
            ("", false),
        ] {
            assert_eq!(may_be_below(template), expect, "{template}");
        }
    }

    #[test]
    fn only_a_folder_below_the_tree_is_a_sites() {
        for good in ["a", "sites/a", "sites/a/"] {
            let found = below(good).expect(good);
            assert_eq!(text(&found), good.trim_end_matches('/'));
        }
        for bad in ["", "/", "/a", "..", "a/..", "a/../b", "./a", "a/./b", "."] {
            assert_eq!(below(bad), None, "{bad}");
        }
    }
}
