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
