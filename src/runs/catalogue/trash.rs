//! Runs are thrown away by a rename into `.trash` beside them, and come back by another: nothing is copied, and nothing is deleted
//! until the user asks for it.
//!
//! ```text
//! runs/.trash/2026-11-21T10-02-33Z-0/my-run/
//! ```

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Entry, entry};
use crate::export::{WriteError, parent};
use crate::runs::lock::{holder, locked};
use crate::runs::{MANIFEST, RECIPE, RunError, utc};

/// Name of the folder, beside the runs.
pub const TRASH: &str = ".trash";

/// A run in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trashed {
    /// Where it was and will be again.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
}

/// A run in the trash as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct InTrash {
    /// Where it is and was.
    pub trashed: Trashed,
    /// What it is.
    pub entry: Entry,
    /// When it was thrown away, UTC, for example `2026-11-21T10:02:33Z`; empty where its folder does not say.
    pub thrown: String,
    /// Size of all its files, bytes.
    pub bytes: u64,
}

impl InTrash {
    /// Look at a run in the trash.
    pub fn read(trashed: Trashed) -> Self {
        let place = trashed.to.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        Self { entry: entry(&trashed.to), thrown: thrown(&place), bytes: size(&trashed.to), trashed }
    }
}

/// `2026-11-21T10-02-33Z-0` as `2026-11-21T10:02:33Z`.
fn thrown(place: &str) -> String {
    let time = place.rsplit_once('-').map_or("", |(time, _)| time);
    match time.split_once('T') {
        Some((date, clock)) if clock.ends_with('Z') => format!("{date}T{}", clock.replace('-', ":")),
        _ => String::new(),
    }
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// Delete a run that is in the trash, for good.
///
/// # Errors
/// [`RunError::NotARun`] for anything that is not in a trash; [`RunError::Locked`] when somebody trains it; [`RunError::Write`] when the
/// system refuses, with what is left still in the trash.
pub fn delete_for_good(trashed: &Trashed) -> Result<(), RunError> {
    let in_trash = trashed.to.ancestors().nth(2).and_then(Path::file_name).is_some_and(|name| name == TRASH);
    let is_folder = std::fs::symlink_metadata(&trashed.to).is_ok_and(|metadata| metadata.is_dir());
    if !in_trash || !is_folder {
        return Err(RunError::NotARun { path: trashed.to.clone() });
    }
    if holder(&trashed.to).is_some() {
        return Err(locked(&trashed.to));
    }
    std::fs::remove_dir_all(&trashed.to).map_err(WriteError::at(&trashed.to, "deleting the run"))?;
    tidy(&trashed.to);
    Ok(())
}

/// Move a run to the trash beside it.
///
/// # Errors
/// [`RunError::NotARun`] for a folder with other things in it; [`RunError::Locked`] while it is trained; [`RunError::Write`] when the
/// system refuses. The run is then where it was.
pub fn move_to_trash(folder: &Path, now: SystemTime) -> Result<Trashed, RunError> {
    let name = folder.file_name().ok_or_else(|| RunError::NoName { path: folder.to_owned() })?;
    if !folder.join(MANIFEST).exists() && !folder.join(RECIPE).exists() {
        return Err(RunError::NotARun { path: folder.to_owned() });
    }
    if holder(folder).is_some() {
        return Err(locked(folder));
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
