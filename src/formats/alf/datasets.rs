//! Datasets of an ALF folder: files called `object.attribute(.more).extension`, perhaps with a `_namespace_` in front and the id of
//! the database at the end, in folders below each other (`alf/probe00/pykilosort`).
//! Naming: <https://int-brain-lab.github.io/ONE/alf_intro.html>.

use std::path::{Path, PathBuf};

/// Deeper folders belong to something else.
const DEEPEST: usize = 8;
const MOST_FOLDERS: usize = 500;
/// Folders from a probe up to its session: `pykilosort`, `probe00`, `alf`.
const UP: usize = 4;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dataset {
    pub(super) object: String,
    pub(super) attribute: String,
    pub(super) extension: String,
    pub(super) path: PathBuf,
}

impl Dataset {
    /// From a file name, `None` when it is not of this form.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        // `_ibl_trials.table.pqt`
        let bare = match name.strip_prefix('_').and_then(|n| n.split_once('_')) {
            Some((_, rest)) => rest,
            None => name,
        };
        let parts: Vec<&str> = bare.split('.').collect();
        let [object, attribute, .., extension] = parts.as_slice() else { return None };
        (!object.is_empty()).then(|| Self {
            object: (*object).to_owned(),
            attribute: (*attribute).to_owned(),
            extension: extension.to_lowercase(),
            path: path.to_owned(),
        })
    }
}

/// The datasets of one folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) datasets: Vec<Dataset>,
}

impl Folder {
    fn read(path: &Path) -> (Self, Vec<PathBuf>) {
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            // Links are not followed: they can lead in circles.
            let Ok(kind) = entry.file_type() else { continue };
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if !kind.is_dir() {
                files.push(entry.path());
            }
        }
        files.sort();
        folders.sort();
        (Self { path: path.to_owned(), datasets: files.iter().filter_map(|f| Dataset::of(f)).collect() }, folders)
    }

    /// The dataset `object.attribute` in one of the forms `extensions`, in the order of preference.
    pub(super) fn find(&self, object: &str, attribute: &str, extensions: &[&str]) -> Option<&Dataset> {
        let fits = |d: &&Dataset| d.object == object && d.attribute == attribute;
        extensions.iter().find_map(|e| self.datasets.iter().filter(fits).find(|d| d.extension == *e))
    }

    /// Path of `object.attribute.npy`.
    pub(super) fn npy(&self, object: &str, attribute: &str) -> Option<&Path> {
        self.find(object, attribute, &["npy"]).map(|d| d.path.as_path())
    }

    /// Whether spikes with their clusters are here.
    pub(super) fn has_spikes(&self) -> bool {
        self.npy("spikes", "clusters").is_some() && (self.npy("spikes", "times").is_some() || self.npy("spikes", "samples").is_some())
    }
}

/// What an ALF tree holds.
#[derive(Default)]
pub(super) struct Found {
    /// Folders with spikes.
    pub(super) probes: Vec<Folder>,
    /// Folders with trials.
    trials: Vec<Folder>,
}

impl Found {
    /// Everything in `root` and below.
    pub(super) fn walk(root: &Path) -> Self {
        let mut found = Self::default();
        let mut waiting = vec![(root.to_owned(), 0)];
        let mut visited = 0;
        while let Some((path, depth)) = waiting.pop() {
            visited += 1;
            let (folder, below) = Folder::read(&path);
            if depth < DEEPEST && visited < MOST_FOLDERS {
                waiting.extend(below.into_iter().rev().map(|b| (b, depth + 1)));
            }
            if has_trials(&folder) {
                found.trials.push(folder.clone());
            }
            if folder.has_spikes() {
                found.probes.push(folder);
            }
        }
        found
    }

    /// Sessions below `root`, as paths from there: one recording each.
    pub(super) fn sessions(&self, root: &Path) -> Vec<PathBuf> {
        let mut sessions: Vec<PathBuf> = self.probes.iter().map(|p| session(root, &p.path)).collect();
        sessions.sort();
        sessions.dedup();
        sessions
    }

    /// Only what belongs to one session.
    pub(super) fn keep(&mut self, root: &Path, chosen: &Path) {
        self.probes.retain(|p| session(root, &p.path) == chosen);
        self.trials.retain(|t| t.path.starts_with(root.join(chosen)));
    }

    /// The folder with the trials of these probes: below, else above, where a single probe was opened.
    pub(super) fn trials(&self, root: &Path) -> Option<Folder> {
        let above = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        self.trials.first().cloned().or_else(|| above.ancestors().skip(1).take(UP).map(|p| Folder::read(p).0).find(has_trials))
    }
}

/// What stands before `alf` or the probe in the path of a folder.
fn session(root: &Path, folder: &Path) -> PathBuf {
    let below = folder.strip_prefix(root).unwrap_or(folder);
    let names: Vec<String> = below.iter().map(|n| n.to_string_lossy().to_lowercase()).collect();
    let end = names.iter().position(|n| n == "alf" || n.starts_with("probe")).unwrap_or(names.len());
    below.iter().take(end).collect()
}

fn has_trials(folder: &Folder) -> bool {
    folder.datasets.iter().any(|d| d.object == "trials" && matches!(d.attribute.as_str(), "table" | "intervals"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sessions_end_where_probes_begin() {
        let of = |path: &str| session(Path::new("/d"), Path::new(path));
        assert_eq!(of("/d/Cori/2016-12-14/001/alf/probe00/pykilosort"), Path::new("Cori/2016-12-14/001"));
        assert_eq!((of("/d/probe01"), of("/d/alf"), of("/d/mouse")), (PathBuf::new(), PathBuf::new(), PathBuf::from("mouse")));
    }

    #[test]
    fn names_are_taken_apart() {
        let parts = |name: &str| Dataset::of(Path::new(name)).map(|d| (d.object, d.attribute, d.extension));
        let of = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(parts("a/spikes.times.npy"), of("spikes", "times", "npy"));
        assert_eq!(parts("_ibl_trials.table.0a1b2c3d-0000.pqt"), of("trials", "table", "pqt"));
        assert_eq!(parts("channels.brainLocationIds_ccf_2017.npy"), of("channels", "brainLocationIds_ccf_2017", "npy"));
        assert_eq!((parts("params.py"), parts("spike_times.npy"), parts("README")), (None, None, None));
    }
}
