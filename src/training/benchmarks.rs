//! Published experiments, repeated on simulations with known truth. Every fit is a cell with a file of its own that is written as soon
//! as the fit is done, so a benchmark that was stopped goes on where it was, and several processes may share a folder when their
//! seeds differ. The false-coupling benchmark, which the window shows as well, is [`super::shared_background`].

pub mod ablation;
pub mod four_areas;
pub mod synaptic_current;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Command, DeviceChoice, GlmRecipe, ModelRecipe, Phase, Recipe, StartOptions, TrainingHandle};
use crate::analysis::watch::Watch;
use crate::export::write_atomically;
use crate::recording::Recording;
use crate::simulate::SimulateError;

/// How often a running fit is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Largest cell file that is read, bytes.
const LARGEST_FILE: u64 = 262_144;

/// Why a benchmark ends before its time.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// A fit or what follows it.
    #[error("{what}: {message}")]
    Fit {
        /// Which, in words.
        what: String,
        /// What happened.
        message: String,
    },
    /// A file.
    #[error("{path}: {message}")]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        message: String,
    },
}

/// Where and how the cells of a benchmark are made.
pub struct Bench<'a> {
    /// Folder of the cells.
    pub folder: &'a Path,
    /// Device that trains.
    pub device: DeviceChoice,
    /// Settings that differ from those of the experiment: full path and value. They are part of every cell.
    pub settings: &'a [(String, String)],
    /// Hears how far it is, and may stop it.
    pub watch: &'a Watch,
    /// Hears in words what is being done.
    pub tell: &'a dyn Fn(&str),
}

impl Bench<'_> {
    /// The recipe of an experiment with these settings.
    fn recipe(&self, model: GlmRecipe, seed: u64) -> Result<Recipe, BenchError> {
        let mut recipe = Recipe { seed, device: self.device, model: ModelRecipe::GlmTransformer(model), ..Recipe::default() };
        for (path, value) in self.settings {
            recipe.set(path, value).map_err(|e| BenchError::Fit { what: "settings".to_owned(), message: e.to_string() })?;
        }
        Ok(recipe)
    }

    /// The settings as they are kept with a cell.
    fn changed(&self) -> Vec<String> {
        self.settings.iter().map(|(path, value)| format!("{path}={value}")).collect()
    }

    /// Begin: the folder can be written, and `done` of `all` cells are there.
    fn begin(&self, done: usize, all: usize) -> Result<(), BenchError> {
        make_folder(self.folder)?;
        self.watch.tell(done, all);
        Ok(())
    }

    /// A part of a file name for the settings: cells with others are other files.
    fn mark(&self) -> String {
        let settings: Vec<String> =
            self.settings.iter().map(|(path, value)| format!("-{}{value}", path.rsplit('.').next().unwrap_or(path))).collect();
        settings.concat().chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect()
    }
}

/// The folder of the cells is there: told before the first fit, which takes minutes.
pub(super) fn make_folder(folder: &Path) -> Result<(), BenchError> {
    std::fs::create_dir_all(folder).map_err(|e| BenchError::File { path: folder.to_owned(), message: e.to_string() })
}

/// Train to the end and give the summary; `None` when the watch was stopped.
///
/// # Errors
/// In words, why the run failed.
pub(crate) fn train(recording: &Arc<Recording>, recipe: Recipe, options: StartOptions, watch: &Watch) -> Result<Option<Value>, String> {
    let (ring, rung) = crossbeam_channel::bounded::<()>(1);
    let wake = Arc::new(move || {
        // A bell that rings already needs no second pull.
        let _ = ring.try_send(());
    });
    let options = StartOptions { wake: Some(wake), ..options };
    let handle = TrainingHandle::start(Arc::clone(recording), recipe, options).map_err(|e| e.to_string())?;
    while !handle.is_over() {
        if watch.stopped() {
            handle.send(Command::Discard);
        }
        let _ = rung.recv_timeout(LOOK_EVERY);
    }
    match &handle.wait().phase {
        Phase::Finished(finished) => Ok(Some(finished.summary.clone())),
        Phase::Discarded => Ok(None),
        Phase::Failed(message) => Err(message.clone()),
        other => Err(format!("the training thread ended while it was {other:?}")),
    }
}

/// All cells of one kind in a folder; none when there is no such folder. Files of other kinds are left alone.
pub(super) fn kept<T: DeserializeOwned>(folder: &Path) -> Vec<T> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.filter_map(Result::ok).collect::<Vec<_>>()).unwrap_or_default();
    let cell = |path: PathBuf| -> Option<T> {
        let sensible = path.extension().is_some_and(|e| e == "json") && path.metadata().is_ok_and(|m| m.len() <= LARGEST_FILE);
        let text = sensible.then(|| std::fs::read_to_string(&path).ok())??;
        serde_json::from_str(&text).ok()
    };
    entries.into_iter().filter_map(|e| cell(e.path())).collect()
}

/// Keep a cell, whole or not at all. Gives it back as it will be read again: the last digit of a number may differ.
pub(super) fn keep<T: Serialize + DeserializeOwned>(path: &Path, cell: &T) -> Result<T, BenchError> {
    let error = |message: String| BenchError::File { path: path.to_owned(), message };
    let text = serde_json::to_string_pretty(cell).map_err(|e| error(e.to_string()))?;
    write_atomically(path, |file| std::io::Write::write_all(file, text.as_bytes())).map_err(|e| error(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| error(e.to_string()))
}

/// Where cells are kept when no folder is named.
pub fn default_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "spikescope").map(|dirs| dirs.data_dir().join("benchmarks"))
}

/// A finite number of a summary.
fn number(summary: &Value, pointer: &str) -> Option<f64> {
    summary.pointer(pointer).and_then(Value::as_f64).filter(|x| x.is_finite())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Settings with which a fit takes a second: what is learned then means nothing.
    pub(in crate::training) fn tiny() -> Vec<(String, String)> {
        [("max_epochs", "2"), ("width", "8"), ("hidden", "8"), ("layers", "1"), ("edge_jitters", "3"), ("batch", "16")]
            .map(|(key, value)| (format!("model.{key}"), value.to_owned()))
            .to_vec()
    }

    #[test]
    fn settings_are_part_of_the_name_and_wrong_ones_are_refused() {
        let (folder, watch) = (tempfile::tempdir().unwrap(), Watch::default());
        let bench = |settings| Bench { folder: folder.path(), device: DeviceChoice::Cpu, settings, watch: &watch, tell: &|_| () };
        let settings = vec![("model.beta".to_owned(), "0.5".to_owned()), ("data.split_column".to_owned(), "\"a/b\"".to_owned())];
        assert_eq!(bench(&settings).mark(), "-beta0.5-split_columnab");
        assert_eq!((bench(&[]).mark(), bench(&settings).changed()[0].as_str()), (String::new(), "model.beta=0.5"));
        let wrong = vec![("model.betta".to_owned(), "1".to_owned())];
        assert!(bench(&wrong).recipe(GlmRecipe::default(), 1).unwrap_err().to_string().contains("model.betta"));
        assert_eq!(bench(&settings).recipe(GlmRecipe::default(), 4).unwrap().glm().unwrap().beta, 0.5);
    }

    #[test]
    fn cells_of_another_kind_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        keep(&folder.path().join("a.json"), &vec![1.5, 2.5]).unwrap();
        keep(&folder.path().join("b.json"), &"text".to_owned()).unwrap();
        assert_eq!(kept::<Vec<f64>>(folder.path()), [[1.5, 2.5]]);
        assert!(kept::<Vec<f64>>(&folder.path().join("nowhere")).is_empty());
        assert!(keep(&folder.path().join("no/where.json"), &1).unwrap_err().to_string().contains("where.json"));
    }
}
