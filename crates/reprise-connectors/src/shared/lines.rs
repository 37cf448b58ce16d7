//! A file of JSON lines, a head and its entries, that is whole or not there.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use reprise_model::Fault;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::room;

#[derive(Serialize, Deserialize)]
struct Counted<H> {
    #[serde(flatten)]
    head: H,
    keys: usize,
}

/// Renamed into place when it is whole and durable.
pub fn write<H: Serialize, E: Serialize>(
    path: &Path,
    head: &H,
    entries: &[E],
) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Of its own process: two that make the same one do not mix.
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let put = write_to(&draft, folder, head, entries)
        .and_then(|()| std::fs::rename(&draft, path))
        .and_then(|()| std::fs::File::open(folder)?.sync_all());
    put.map_err(|error| {
        // What is half written would only take room.
        let _ = std::fs::remove_file(&draft);
        let fault = Fault::permanent(format!("cannot write {}: {error}", path.display()));
        room::explain(folder, fault)
    })
}

fn write_to<H: Serialize, E: Serialize>(
    draft: &Path,
    folder: &Path,
    head: &H,
    entries: &[E],
) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = BufWriter::new(std::fs::File::create(draft)?);
    let keys = entries.len();
    serde_json::to_writer(&mut file, &Counted { head, keys })?;
    for entry in entries {
        file.write_all(b"\n")?;
        serde_json::to_writer(&mut file, entry)?;
    }
    file.write_all(b"\n")?;
    file.into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()
}

/// Nothing where the file is not there, not whole, or of another kind.
pub fn read<H: DeserializeOwned, E: DeserializeOwned>(path: &Path) -> Option<(H, Vec<E>)> {
    let mut lines = BufReader::new(std::fs::File::open(path).ok()?).lines();
    let head: Counted<H> = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    let entries = lines
        .map(|line| serde_json::from_str(&line.ok()?).ok())
        .collect::<Option<Vec<E>>>()?;
    (head.keys == entries.len()).then_some((head.head, entries))
}

/// The name of a file for any text, one for one.
pub fn file_name(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            other => format!("_{other:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        let head = serde_json::json!({ "of": "a" });
        write(&path, &head, &[1, 2, 3]).unwrap();
        let whole = read::<serde_json::Value, u32>(&path).unwrap();
        assert_eq!(whole, (head, vec![1, 2, 3]));
        let bytes = std::fs::read(&path).unwrap();
        // Without its last newline it is whole still.
        for cut in 0..bytes.len() - 1 {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(read::<serde_json::Value, u32>(&path).is_none(), "{cut}");
        }
    }
}
