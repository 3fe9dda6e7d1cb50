//! Runs are thrown away by a rename into `.trash` beside them, and come back by another: nothing is copied and nothing is deleted.
//!
//! ```text
//! runs/.trash/2026-11-21T10-02-33Z-0/my-run/
//! ```

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::export::{WriteError, parent};
use crate::runs::{MANIFEST, RECIPE, RunError, utc};

/// Name of the folder, beside the runs.
pub const TRASH: &str = ".trash";

/// A run in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Where it was and will be again.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
}

/// Move a run to the trash beside it.
///
/// # Errors
/// [`RunError::NotARun`] for a folder with other things in it; [`RunError::Write`] when the system refuses. The run is then where it
/// was.
pub fn move_to_trash(folder: &Path, now: SystemTime) -> Result<Trashed, RunError> {
    let name = folder.file_name().ok_or_else(|| RunError::NoName { path: folder.to_owned() })?;
    if !folder.join(MANIFEST).exists() && !folder.join(RECIPE).exists() {
        return Err(RunError::NotARun { path: folder.to_owned() });
    }
    let trash = parent(folder).join(TRASH);
    let time = utc(now).replace(':', "-");
    let mut number = 0;
    let place = loop {
        let place = trash.join(format!("{time}-{number}"));
        std::fs::create_dir_all(&trash).map_err(WriteError::at(&trash, "making the trash folder"))?;
        match std::fs::create_dir(&place) {
            Ok(()) => break place,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(e) => return Err(WriteError::at(&place, "making a folder in the trash")(e).into()),
        }
    };
    let to = place.join(name);
    if let Err(e) = std::fs::rename(folder, &to) {
        tidy(&to);
        return Err(WriteError::at(folder, "moving the run to the trash")(e).into());
    }
    Ok(Trashed { from: folder.to_owned(), to })
}

/// Put a run back where it was.
///
/// # Errors
/// [`RunError::Occupied`] when something else is there by now, [`RunError::Write`] when the system refuses; the run then stays in the
/// trash.
pub fn restore(trashed: &Trashed) -> Result<(), RunError> {
    if trashed.from.exists() {
        let what = "something that came after it was thrown away".to_owned();
        return Err(RunError::Occupied { path: trashed.from.clone(), what });
    }
    std::fs::rename(&trashed.to, &trashed.from).map_err(WriteError::at(&trashed.from, "taking the run out of the trash"))?;
    tidy(&trashed.to);
    Ok(())
}

/// Remove the folders around a run that has left the trash, where they are empty.
fn tidy(left: &Path) {
    for folder in left.ancestors().skip(1).take(2) {
        // Refused when something else is in it, which is right.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Runs in the trash of a folder, newest first.
pub fn trashed_in(folder: &Path) -> Vec<Trashed> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|e| e.path()).filter(|p| p.is_dir()).collect()
    };
    let mut places = inside(&folder.join(TRASH));
    places.sort_by(|a, b| b.cmp(a));
    let of = |to: PathBuf| Some(Trashed { from: folder.join(to.file_name()?), to });
    places.iter().flat_map(|place| inside(place)).filter_map(of).collect()
}
