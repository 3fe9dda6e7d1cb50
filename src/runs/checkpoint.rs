//! Checkpoints of a run that is being trained: everything that is needed to go on, in folders of their own inside the run folder.
//!
//! ```text
//! my-run/checkpoints/00000012/
//!   state.safetensors    weights now, moments of the optimiser, losses and scores so far, as named arrays
//!   state.json           where training is: stage, epoch, batch, step, early stopping, schedule; reals as the hex of their bits
//!   weights.safetensors  best weights so far
//!   metrics.jsonl        losses so far
//!   results.npz          the newest snapshot, when there is one
//!   checkpoint.json      which run this belongs to, step, sizes and SHA-256 of the files; written last
//! ```
//!
//! A checkpoint is filled beside its place, forced to disk and then renamed: there is a whole one or none. Reading goes from the
//! newest to the oldest and takes the first that is whole and belongs to this run; the others are told.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::FileEntry;
use super::writer::{Fault, Staging};
use super::{METRICS, NamedArray, RESULTS, RunError, StageEntry, WEIGHTS};
use super::{metrics, results, weights};
use crate::export::{NpzSource, WriteError, sync_folder};
use crate::models::params::Values;
use crate::training::{LossLog, Recipe, Snapshot};

/// Folder of checkpoints inside a run folder.
pub const CHECKPOINTS: &str = "checkpoints";
const STATE: &str = "state.safetensors";
const PLACE: &str = "state.json";
const HEADER: &str = "checkpoint.json";
/// Layout of checkpoints that this program writes; others are not gone on from.
const LAYOUT: u32 = 1;

/// Everything that is needed to go on with a run.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Counts the checkpoints of a run, resumed or not.
    pub number: u64,
    /// Optimiser steps so far.
    pub step: u64,
    /// True when the validation loss had improved since the one before.
    pub improved: bool,
    /// Seconds of training so far, pauses left out.
    pub seconds: f64,
    /// Stages that are done.
    pub stages: Vec<StageEntry>,
    /// Small values.
    pub values: Map<String, Value>,
    /// Arrays of f32.
    pub arrays: Values,
    /// Best weights so far.
    pub best: Arc<Values>,
    /// Losses so far.
    pub losses: LossLog,
    /// Newest snapshot.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// What `checkpoint.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    layout: u32,
    /// Recipe and recording in one hash, see [`run_id`].
    run: String,
    number: u64,
    pub(super) step: u64,
    improved: bool,
    pub(super) seconds: f64,
    pub(super) stages: Vec<StageEntry>,
    /// Areas of the snapshot.
    pub(super) areas: Vec<String>,
    pub(super) files: Vec<FileEntry>,
}

/// Names a run by what decides its result, the device left out: a checkpoint of another run is not gone on from.
pub(super) fn run_id(recipe: &Recipe, fingerprint: &str) -> Result<String, RunError> {
    let recipe = Recipe { device: crate::training::DeviceChoice::Auto, ..recipe.clone() };
    let text = recipe.to_toml().map_err(RunError::contents(super::RECIPE))?;
    Ok(FileEntry::of("", format!("{text}\n{fingerprint}").as_bytes()).sha256)
}

/// Which checkpoints stay when a newer one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    /// So many of the newest; besides them the newest one that improved stays.
    pub(super) newest: usize,
    /// The one that training went on from, until it is clear that the resumed run is kept.
    pub(super) from: Option<u64>,
}

/// Write a checkpoint and remove those that are no longer kept.
///
/// # Errors
/// [`RunError::Write`]; the checkpoints before are then untouched.
pub(super) fn write(run: &Path, id: &str, checkpoint: &Checkpoint, keep: Keep, fault: &mut Fault) -> Result<(), RunError> {
    let folder = run.join(CHECKPOINTS);
    let place = folder.join(name(checkpoint.number));
    let at = |doing| WriteError::at(&place, doing);
    fault("begin a checkpoint").and_then(|()| fs::create_dir_all(&folder)).map_err(at("making its folder"))?;
    let mut staging = Staging::new(&folder, ".checkpoint.", &place)?;
    let mut put = |name: &str, bytes: &[u8]| staging.file(name, fault, |f| f.write_all(bytes));
    put(STATE, &weights::pack(&named(&checkpoint.arrays)).map_err(RunError::contents(STATE))?)?;
    put(PLACE, serde_json::to_string(&checkpoint.values).map_err(RunError::contents(PLACE))?.as_bytes())?;
    put(WEIGHTS, &weights::pack(&named(&checkpoint.best)).map_err(RunError::contents(WEIGHTS))?)?;
    put(METRICS, metrics::to_lines(&checkpoint.losses).as_bytes())?;
    // What is only shown must not keep a checkpoint from being written.
    if let Some(Ok(arrays)) = checkpoint.snapshot.as_ref().map(|snapshot| results::to_arrays(snapshot, &checkpoint.losses)) {
        staging.file(RESULTS, fault, |f| arrays.write_to(f))?;
    }
    let header = Header {
        layout: LAYOUT,
        run: id.to_owned(),
        number: checkpoint.number,
        step: checkpoint.step,
        improved: checkpoint.improved,
        seconds: checkpoint.seconds,
        stages: checkpoint.stages.clone(),
        areas: checkpoint.snapshot.as_ref().map(|s| s.areas.clone()).unwrap_or_default(),
        files: staging.files(),
    };
    let json = serde_json::to_string_pretty(&header).map_err(RunError::contents(HEADER))?;
    staging.file(HEADER, fault, |f| f.write_all(json.as_bytes()))?;
    staging.sync().map_err(at("forcing the folder to disk"))?;
    // A damaged one, or one that was left behind when training went back to an older one.
    if place.exists() {
        fs::remove_dir_all(&place).map_err(at("removing the damaged checkpoint"))?;
    }
    fault("checkpoint takes its place").and_then(|()| fs::rename(staging.path(), &place)).map_err(at("putting it in its place"))?;
    staging.placed();
    sync_folder(&folder).map_err(at("forcing the folder to disk"))?;
    prune(&folder, checkpoint.number, keep);
    Ok(())
}

/// For the bench: write a checkpoint into `run` and say how large it is.
///
/// # Errors
/// As of a checkpoint that is written.
pub(crate) fn checkpoint_bytes(run: &Path, recipe: &Recipe, checkpoint: &Checkpoint, keep: usize) -> Result<u64, RunError> {
    write(run, &run_id(recipe, "")?, checkpoint, Keep { newest: keep, from: None }, &mut super::no_fault())?;
    let header = header(&run.join(CHECKPOINTS).join(name(checkpoint.number)))?;
    Ok(header.files.iter().map(|file| file.bytes).sum())
}

/// Remove what is not kept. What cannot be removed costs disk space only.
fn prune(folder: &Path, newest: u64, keep: Keep) {
    let (mut kept, mut best) = (0, false);
    for (number, place) in numbered(folder) {
        let header = if number <= newest { header(&place).ok() } else { None };
        let stays = header.is_some_and(|header| {
            kept += 1;
            let newest_best = header.improved && !best;
            best |= header.improved;
            kept <= keep.newest.max(1) || newest_best || keep.from == Some(number)
        });
        if !stays {
            let _ = fs::remove_dir_all(place);
        }
    }
    // What a process that was killed left half written; this one writes one at a time.
    for litter in entries(folder).into_iter().filter(|path| hidden(path)) {
        let _ = fs::remove_dir_all(litter);
    }
}

/// Remove the checkpoints after one (all for `None`).
pub(super) fn forget_after(run: &Path, number: Option<u64>) {
    for (own, place) in numbered(&run.join(CHECKPOINTS)) {
        if number.is_none_or(|number| own > number) {
            let _ = fs::remove_dir_all(place);
        }
    }
}

/// The newest checkpoint of a run folder that is whole and belongs to it, and what is wrong with newer ones.
pub(super) fn newest(run: &Path, id: &str) -> (Option<(PathBuf, Header)>, Vec<String>) {
    let mut messages = Vec::new();
    for (_, place) in numbered(&run.join(CHECKPOINTS)) {
        match whole(&place, id) {
            Ok(header) => return (Some((place, header)), messages),
            Err(error) => messages.push(format!("the checkpoint {} is not used: {error}", place.display())),
        }
    }
    (None, messages)
}

/// The header of a checkpoint, when all its files are what was written.
fn whole(place: &Path, id: &str) -> Result<Header, RunError> {
    let header = header(place)?;
    let foreign = RunError::damaged(&place.join(HEADER));
    if header.layout != LAYOUT {
        return Err(foreign(format!("it has layout {}, this program goes on from layout {LAYOUT}", header.layout)));
    }
    if header.run != id {
        return Err(foreign("it belongs to a run with another recipe or recording".to_owned()));
    }
    for file in &header.files {
        file.read(place)?;
    }
    Ok(header)
}

fn header(place: &Path) -> Result<Header, RunError> {
    let path = place.join(HEADER);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(RunError::Missing { path }),
        Err(source) => return Err(RunError::Read { path, source }),
    };
    serde_json::from_slice(&text).map_err(|e| RunError::damaged(&path)(format!("it cannot be understood ({e})")))
}

impl Header {
    fn bytes(&self, place: &Path, name: &str) -> Result<Vec<u8>, RunError> {
        let file = self.files.iter().find(|f| f.path == name).ok_or_else(|| RunError::Missing { path: place.join(name) })?;
        file.read(place)
    }

    pub(super) fn losses(&self, place: &Path, recipe: &Recipe) -> Result<LossLog, RunError> {
        let damaged = RunError::damaged(&place.join(METRICS));
        let text = String::from_utf8(self.bytes(place, METRICS)?).map_err(|e| damaged(e.to_string()))?;
        metrics::from_lines(&text, recipe.model.loss_terms()).map_err(damaged)
    }

    pub(super) fn snapshot(&self, place: &Path, recipe: &Recipe) -> Result<Option<Snapshot>, RunError> {
        if !self.files.iter().any(|f| f.path == RESULTS) {
            return Ok(None);
        }
        let mut npz = NpzSource::from_bytes(&place.join(RESULTS), self.bytes(place, RESULTS)?)?;
        Ok(Some(results::from_arrays(&mut npz, self.areas.clone(), &recipe.model)?))
    }

    pub(super) fn best(&self, place: &Path) -> Result<Vec<NamedArray>, RunError> {
        weights::unpack(self.bytes(place, WEIGHTS)?).map_err(RunError::damaged(&place.join(WEIGHTS)))
    }

    /// Everything that is needed to go on.
    pub(super) fn read(self, place: &Path, recipe: &Recipe) -> Result<Checkpoint, RunError> {
        let values =
            serde_json::from_slice(&self.bytes(place, PLACE)?).map_err(|e| RunError::damaged(&place.join(PLACE))(e.to_string()))?;
        let arrays = weights::unpack(self.bytes(place, STATE)?).map_err(RunError::damaged(&place.join(STATE)))?;
        Ok(Checkpoint {
            losses: self.losses(place, recipe)?,
            snapshot: self.snapshot(place, recipe).ok().flatten().map(Arc::new),
            best: Arc::new(values_of(self.best(place)?)),
            arrays: values_of(arrays),
            values,
            number: self.number,
            step: self.step,
            improved: self.improved,
            seconds: self.seconds,
            stages: self.stages,
        })
    }
}

/// Arrays of f32 as they are kept; all tensors of our models are of this kind.
pub(crate) fn named(values: &Values) -> Vec<NamedArray> {
    let array = |(name, data): (&String, &TensorData)| {
        Some(NamedArray { name: name.clone(), shape: data.shape().iter().copied().collect(), values: data.try_to_vec::<f32>().ok()? })
    };
    values.iter().filter_map(array).collect()
}

fn values_of(arrays: Vec<NamedArray>) -> Values {
    arrays.into_iter().map(|array| (array.name, TensorData::new(array.values, array.shape))).collect()
}

fn name(number: u64) -> String {
    format!("{number:08}")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Checkpoints by their number, the newest first. Numbers count, not the times of files: clocks jump.
fn numbered(folder: &Path) -> Vec<(u64, PathBuf)> {
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    let mut found: Vec<(u64, PathBuf)> = entries(folder).into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found
}
