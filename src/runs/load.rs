//! Reading run folders: one whole run, or the manifests of all runs in a folder.

use std::path::{Path, PathBuf};

use super::checkpoint::{Header, newest, run_id};
use super::live::resumable;
use super::writer::{owner_of, recover};
use super::{METRICS, Manifest, NamedArray, OLD_WEIGHTS, RECIPE, RESULTS, RunError, RunStatus, SUMMARY, WEIGHTS};
use super::{metrics, results, weights};
use crate::export::NpzSource;
use crate::training::{Finished, LossLog, Phase, Progress, Recipe, Snapshot, StageProgress};

/// A run as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRun {
    /// The folder.
    pub path: PathBuf,
    /// What the run is.
    pub manifest: Manifest,
    /// Recipe.
    pub recipe: Recipe,
    /// Losses.
    pub losses: LossLog,
    /// Final snapshot; `None` when training did not get that far.
    pub snapshot: Option<Snapshot>,
    /// The line of `train --json`; JSON null when the run failed before there was one, or has not ended.
    pub summary: serde_json::Value,
    /// What is wrong with checkpoints that were passed over.
    pub notes: Vec<String>,
    /// Where weights come from while the run has not ended.
    checkpoint: Option<(PathBuf, Header)>,
}

/// A run in a listing: its manifest or why it cannot be read.
#[derive(Debug)]
pub struct RunEntry {
    /// The folder.
    pub path: PathBuf,
    /// What the run is.
    pub manifest: Result<Manifest, RunError>,
}

/// Read a run; one that is being trained or was interrupted as far as it has come. Every file is compared with the size and checksum in the manifest before it is looked into.
///
/// # Errors
/// [`RunError`] names the file and the remedy.
pub fn load(folder: &Path) -> Result<LoadedRun, RunError> {
    recover(folder);
    let manifest = Manifest::read(folder)?;
    let text = |name: &str| -> Result<String, RunError> {
        let bytes = manifest.file(folder, name)?.read(folder)?;
        String::from_utf8(bytes).map_err(|e| RunError::damaged(&folder.join(name))(format!("this is not UTF-8 text ({e})")))
    };
    let recipe = Recipe::parse(&text(RECIPE)?).map_err(|e| RunError::damaged(&folder.join(RECIPE))(e.to_string()))?;
    if !manifest.status.is_over() {
        // The checkpoint that is read may just be replaced by a newer one.
        let first = unfinished(folder, manifest.clone(), recipe.clone());
        return first.or_else(|_| unfinished(folder, manifest, recipe));
    }
    let losses = metrics::from_lines(&text(METRICS)?, recipe.model.loss_terms()).map_err(RunError::damaged(&folder.join(METRICS)))?;
    let summary = serde_json::from_str(&text(SUMMARY)?).map_err(|e| RunError::damaged(&folder.join(SUMMARY))(e.to_string()))?;
    let snapshot = match manifest.has(RESULTS) {
        false => None,
        true => {
            let bytes = manifest.file(folder, RESULTS)?.read(folder)?;
            let mut npz = NpzSource::from_bytes(&folder.join(RESULTS), bytes)?;
            Some(results::from_arrays(&mut npz, manifest.areas.clone(), &recipe.model)?)
        }
    };
    Ok(LoadedRun { path: folder.to_owned(), manifest, recipe, losses, snapshot, summary, notes: Vec::new(), checkpoint: None })
}

/// A run that is being trained or was interrupted: what its newest good checkpoint has.
fn unfinished(folder: &Path, manifest: Manifest, recipe: Recipe) -> Result<LoadedRun, RunError> {
    let id = run_id(&recipe, &manifest.recording.fingerprint)?;
    let (checkpoint, notes) = newest(folder, &id);
    let losses = LossLog { terms: recipe.model.loss_terms(), ..LossLog::default() };
    let summary = serde_json::Value::Null;
    let mut run = LoadedRun { path: folder.to_owned(), manifest, recipe, losses, snapshot: None, summary, notes, checkpoint: None };
    if let Some((place, header)) = checkpoint {
        run.losses = header.losses(&place, &run.recipe)?;
        match header.snapshot(&place, &run.recipe) {
            Ok(snapshot) => run.snapshot = snapshot,
            Err(error) => run.notes.push(error.to_string()),
        }
        (run.manifest.steps, run.manifest.seconds) = (header.step, header.seconds);
        (run.manifest.stages, run.manifest.areas) = (header.stages.clone(), header.areas.clone());
        run.checkpoint = Some((place, header));
    }
    Ok(run)
}

/// All runs directly inside `folder`, newest first. What is no run is passed over; a run that cannot be read is listed with
/// the reason.
///
/// # Errors
/// [`RunError::Read`] when the folder itself cannot be read.
pub fn list(folder: &Path) -> Result<Vec<RunEntry>, RunError> {
    let read = || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect() };
    let unreadable = |source| RunError::Read { path: folder.to_owned(), source };
    for owner in read().map_err(unreadable)?.iter().filter_map(|p| owner_of(p)) {
        recover(&owner);
    }
    let hidden = |p: &Path| p.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
    let mut runs: Vec<RunEntry> = read()
        .map_err(unreadable)?
        .into_iter()
        .filter(|p| !hidden(p))
        .map(|path| RunEntry { manifest: Manifest::read(&path), path })
        .filter(|entry| !matches!(entry.manifest, Err(RunError::NotARun { .. })))
        .collect();
    let created = |entry: &RunEntry| entry.manifest.as_ref().map(|m| m.created.clone()).unwrap_or_default();
    runs.sort_by(|a, b| created(b).cmp(&created(a)).then_with(|| a.path.cmp(&b.path)));
    Ok(runs)
}

impl LoadedRun {
    /// Parameters of the model, in alphabetical order of their names; empty when none were kept.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing or damaged.
    pub fn weights(&self) -> Result<Vec<NamedArray>, RunError> {
        if let Some((place, header)) = &self.checkpoint {
            return header.best(place);
        }
        let Some(name) = [WEIGHTS, OLD_WEIGHTS].into_iter().find(|name| self.manifest.has(name)) else { return Ok(Vec::new()) };
        let bytes = self.manifest.file(&self.path, name)?.read(&self.path)?;
        weights::unpack(bytes).map_err(RunError::damaged(&self.path.join(name)))
    }

    /// Whether training can go on: it was interrupted, stopped or failed, and left a checkpoint (or had not come to one).
    pub fn can_resume(&self) -> bool {
        resumable(&self.path).is_ok()
    }

    /// The progress that views show for a run on disk.
    pub fn progress(&self) -> Progress {
        let manifest = &self.manifest;
        let phase = match manifest.status {
            RunStatus::Failed => Phase::Failed(manifest.message.clone().unwrap_or_default()),
            RunStatus::Interrupted => Phase::Failed(format!(
                "the program ended while this run was being trained; what it had at step {} is shown, and resuming goes on from there",
                manifest.steps
            )),
            RunStatus::Running => Phase::Running,
            RunStatus::Complete | RunStatus::Stopped => {
                Phase::Finished(std::sync::Arc::new(Finished { run: Some(self.path.clone()), summary: self.summary.clone() }))
            }
        };
        Progress {
            phase,
            doing: if manifest.status == RunStatus::Running { "trained by another process".to_owned() } else { String::new() },
            device: manifest.device.clone(),
            stages: manifest.stages.iter().map(|s| StageProgress { name: s.name.clone(), fraction: 1.0, done: true }).collect(),
            stage: manifest.stages.len().saturating_sub(1),
            step: manifest.steps,
            epoch: manifest.stages.last().map_or(0, |s| usize::try_from(s.epochs).unwrap_or(usize::MAX)),
            steps_per_s: if manifest.seconds > 0.0 { (manifest.steps as f64 / manifest.seconds) as f32 } else { 0.0 },
            eta_s: Some(0.0),
            elapsed_s: manifest.seconds as f32,
        }
    }
}

#[cfg(test)]
mod tests;
