//! Small JSON files that the window keeps for itself (settings, sessions): read with care, and never lost. What cannot be used is
//! set aside under a name of its own, with a sentence for the user; nothing here is fatal.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// No file of ours is nearly as large; more is not read into memory.
const MOST_BYTES: u64 = 64 << 20;

/// What was found at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// Nothing is there.
    Nothing,
    /// A JSON object of a version that is known.
    Known(Value),
    /// A JSON object that a newer program wrote; the file is where it was.
    Newer(Value, u64),
    /// The file is there but cannot be used; the text says why.
    Unusable(String),
}

/// Read `path`, whose versions up to `version` are known. A file without a version counts as the first one.
pub fn read(path: &Path, version: u32) -> Kept {
    let bytes = match read_bytes(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Kept::Nothing,
        Err(problem) => return Kept::Unusable(problem),
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(value) if value.is_object() => match value.get("version") {
            None => Kept::Known(value),
            Some(found) => match found.as_u64() {
                Some(found) if found > u64::from(version) => Kept::Newer(value, found),
                Some(_) => Kept::Known(value),
                None => Kept::Unusable("its version is not a number".to_owned()),
            },
        },
        Ok(_) => Kept::Unusable("it holds no JSON object".to_owned()),
        Err(e) => Kept::Unusable(e.to_string()),
    }
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MOST_BYTES { Err("it is larger than 64 MB".to_owned()) } else { Ok(Some(bytes)) }
}

/// A name beside `path` that is not taken: `settings.json` with the tag `unreadable` gives `settings.unreadable.json`, then
/// `settings.unreadable-2.json`, and so on.
pub fn beside(path: &Path, tag: &str) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>, other: &str| part.map_or_else(|| other.to_owned(), |p| p.to_string_lossy().into_owned());
    let (stem, extension) = (part(path.file_stem(), "settings"), part(path.extension(), "json"));
    let name = |number: usize| match number {
        1 => path.with_file_name(format!("{stem}.{tag}.{extension}")),
        n => path.with_file_name(format!("{stem}.{tag}-{n}.{extension}")),
    };
    // Whoever has had a thousand of them does not need the oldest.
    (1..1000).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(1))
}

/// Rename a file that cannot be used; the end of a sentence says what became of it.
pub fn set_aside(path: &Path, tag: &str) -> String {
    let place = beside(path, tag);
    match fs::rename(path, &place) {
        Ok(()) => format!("the file was set aside as {}", place.display()),
        Err(e) => format!("the file could not be set aside ({e})"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_there_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(read(&path, 1), Kept::Nothing);
        for (text, part) in [(&b"{"[..], "EOF"), (b"[1]", "no JSON object"), (b"{\"version\": \"x\"}", "version"), (b"\xff\xfe{}", "")] {
            fs::write(&path, text).unwrap();
            assert!(matches!(read(&path, 1), Kept::Unusable(why) if why.contains(part)), "{text:?}");
        }
        fs::write(&path, "{\"version\": 2}").unwrap();
        assert!(matches!(read(&path, 1), Kept::Newer(_, 2)));
        assert!(matches!(read(&path, 2), Kept::Known(_)));
        assert!(matches!(read(folder.path(), 2), Kept::Unusable(_)), "a folder is no file");
        // Deeper than any stack should follow.
        fs::write(&path, format!("{{\"a\": {}", "[".repeat(1_000_000))).unwrap();
        assert!(matches!(read(&path, 1), Kept::Unusable(_)));
    }

    #[test]
    fn nothing_that_was_set_aside_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        for k in 1..4 {
            fs::write(&path, format!("bad {k}")).unwrap();
            assert!(set_aside(&path, "unreadable").contains("set aside as"));
        }
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((text("a.unreadable.json"), text("a.unreadable-3.json")), ("bad 1".to_owned(), "bad 3".to_owned()));
        assert!(set_aside(&path, "unreadable").contains("could not be set aside"));
    }
}
