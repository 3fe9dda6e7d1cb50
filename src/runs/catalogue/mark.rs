//! What a user writes beside a run: a name, a note, a pin. One small file in the run folder, written whole or not at all; the run
//! itself is not touched.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::export::{WriteError, write_atomically};

/// Name of the file inside the run folder.
pub const NOTES: &str = "notes.json";

/// A note is read and shown in every list; a longer file is not ours.
const LARGEST: u64 = 1 << 20;

/// Name, note and pin of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Shown in place of the folder's name; empty for that.
    pub name: String,
    /// Free text.
    pub note: String,
    /// At the top of every list.
    pub pinned: bool,
    /// What a newer program wrote; it is kept.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Mark {
    /// The mark of a run; empty without a file.
    ///
    /// # Errors
    /// In words, when there is a file that cannot be understood.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(NOTES);
        let wrong = |what: String| format!("{}: {what}; it is set aside as {NOTES}.damaged when you write a note", path.display());
        match std::fs::metadata(&path) {
            Err(_) => return Ok(Self::default()),
            Ok(metadata) if metadata.len() > LARGEST => return Err(wrong(format!("{} bytes are too many for a note", metadata.len()))),
            Ok(_) => {}
        }
        let text = std::fs::read(&path).map_err(|e| wrong(format!("the note cannot be read ({e})")))?;
        serde_json::from_slice(&text).map_err(|e| wrong(format!("the note cannot be understood ({e})")))
    }

    /// Write the mark into the run folder; an empty one leaves no file. A file that cannot be understood is set aside first.
    ///
    /// # Errors
    /// [`WriteError`] names the file and what to do; the old mark is then still there.
    pub fn write(&self, folder: &Path) -> Result<(), WriteError> {
        let path = folder.join(NOTES);
        if !folder.is_dir() {
            return Err(WriteError::at(&path, "finding the run folder")(std::io::ErrorKind::NotFound.into()));
        }
        if Self::read(folder).is_err() {
            let aside = folder.join(format!("{NOTES}.damaged"));
            std::fs::rename(&path, &aside).map_err(WriteError::at(&path, "setting the damaged note aside"))?;
        }
        if *self == Self::default() {
            return match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(WriteError::at(&path, "removing the empty note")(e)),
                _ => Ok(()),
            };
        }
        write_atomically(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }
}
