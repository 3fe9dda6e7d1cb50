//! What goes into a run folder, from the values that training ends with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use image::RgbaImage;

use super::manifest::FileEntry;
use super::writer::{Fault, Staging};
use super::{
    EDGES, FIGURES, LAYOUT, MANIFEST, METRICS, Manifest, NamedArray, RECIPE, RESULTS, RunError, RunStatus, RunWriter, SUMMARY, StageEntry,
    Used, WEIGHTS,
};
use super::{edges, metrics, results, utc, weights};
use crate::export::{encode_png, write_atomically};
use crate::recording::Recording;
use crate::training::{LossLog, Recipe, Snapshot};

/// Everything that is kept of a run.
pub struct RunContents<'a> {
    /// Recipe.
    pub recipe: &'a Recipe,
    /// The recording that was opened (areas as the file has them; the recipe holds the rule).
    pub recording: &'a Recording,
    /// How it ended.
    pub status: RunStatus,
    /// Why it failed, when it did.
    pub message: Option<&'a str>,
    /// What happened on the way and was dealt with.
    pub messages: &'a [String],
    /// What was taken of the recording, when that is known.
    pub used: Option<&'a Used>,
    /// The file that the recording was opened from, when that is known.
    pub opened_from: Option<&'a Path>,
    /// When it ended.
    pub ended: SystemTime,
    /// Name of the device that trained.
    pub device: &'a str,
    /// Seconds of training, pauses left out.
    pub seconds: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// The stages that were reached.
    pub stages: &'a [StageEntry],
    /// Losses.
    pub losses: &'a LossLog,
    /// Last snapshot, if training got that far.
    pub snapshot: Option<&'a Snapshot>,
    /// Parameters (the best ones); may be empty.
    pub weights: &'a [NamedArray],
    /// The line of `train --json`; JSON null when the run failed before there was one.
    pub summary: &'a serde_json::Value,
}

impl<'a> RunContents<'a> {
    /// A complete run with nothing else in it: trained on the CPU in no time, without weights and snapshot.
    pub fn new(recipe: &'a Recipe, recording: &'a Recording, losses: &'a LossLog, summary: &'a serde_json::Value) -> Self {
        Self {
            recipe,
            recording,
            status: RunStatus::Complete,
            message: None,
            messages: &[],
            used: None,
            opened_from: None,
            ended: SystemTime::UNIX_EPOCH,
            device: "CPU",
            seconds: 0.0,
            steps: 0,
            stages: &[],
            losses,
            snapshot: None,
            weights: &[],
            summary,
        }
    }
}

/// Write a run folder at `target`, whole or not at all; a run that is there is replaced.
///
/// # Errors
/// [`RunError`] names the file and the remedy; the target is then as it was.
pub fn write(target: &Path, run: &RunContents<'_>) -> Result<PathBuf, RunError> {
    let mut writer = RunWriter::new(target)?;
    fill(&mut writer.staging, &mut writer.fault, run)?;
    writer.finish(manifest(run))
}

/// All files but the manifest.
pub(super) fn fill(staging: &mut Staging, fault: &mut Fault, run: &RunContents<'_>) -> Result<(), RunError> {
    let recipe = run.recipe.to_toml().map_err(RunError::contents(RECIPE))?;
    staging.file(RECIPE, fault, |f| f.write_all(recipe.as_bytes()))?;
    let lines = metrics::to_lines(run.losses);
    staging.file(METRICS, fault, |f| f.write_all(lines.as_bytes()))?;
    if let Some(snapshot) = run.snapshot {
        let arrays = results::to_arrays(snapshot, run.losses).map_err(RunError::contents(RESULTS))?;
        staging.file(RESULTS, fault, |f| arrays.write_to(f))?;
        if snapshot.glm().is_some() {
            let table = edges::table(snapshot);
            staging.file(EDGES, fault, |f| table.write_to(f))?;
        }
    }
    if !run.weights.is_empty() {
        let bytes = weights::pack(run.weights).map_err(RunError::contents(WEIGHTS))?;
        staging.file(WEIGHTS, fault, |f| f.write_all(&bytes))?;
    }
    let mut summary = run.summary.to_string();
    summary.push('\n');
    staging.file(SUMMARY, fault, |f| f.write_all(summary.as_bytes()))
}

/// The manifest, without its list of files.
pub(super) fn manifest(run: &RunContents<'_>) -> Manifest {
    Manifest {
        program: "spikescope".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        layout: LAYOUT,
        status: run.status,
        message: run.message.map(str::to_owned),
        messages: run.messages.to_vec(),
        created: utc(run.ended),
        recording: run.recording.into(),
        used: run.used.cloned(),
        opened_from: run.opened_from.map(Path::to_owned),
        model: model_kind(run.recipe),
        areas: run.snapshot.map(|s| s.areas.clone()).unwrap_or_default(),
        seed: run.recipe.seed,
        device: run.device.to_owned(),
        seconds: run.seconds,
        steps: run.steps,
        stages: run.stages.to_vec(),
        files: Vec::new(),
    }
}

/// The word that `kind` has in the recipe file.
fn model_kind(recipe: &Recipe) -> String {
    let kind = recipe.get("model.kind").ok();
    kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Add pictures (name without ending, picture) to a finished run, or replace them. Each file is written whole or not at all,
/// the manifest last.
///
/// # Errors
/// [`RunError`]; the run is still a good one, perhaps with fewer pictures.
pub fn add_figures(folder: &Path, figures: &[(&str, RgbaImage)]) -> Result<(), RunError> {
    let encoded = |(name, picture): &(&str, RgbaImage)| {
        encode_png(picture).map(|bytes| (format!("{FIGURES}/{name}.png"), bytes)).map_err(RunError::contents(FIGURES))
    };
    add_files(folder, &figures.iter().map(encoded).collect::<Result<Vec<_>, _>>()?)
}

/// Add files (path inside the folder, with `/`, and content) to a finished run, or replace them.
///
/// # Errors
/// [`RunError`]; the run is still a good one, perhaps with fewer of them.
pub(super) fn add_files(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), RunError> {
    let mut manifest = Manifest::read_as_written(folder)?;
    for (path, bytes) in files {
        let place = folder.join(path);
        let parent = crate::export::parent(&place);
        std::fs::create_dir_all(&parent).map_err(crate::export::WriteError::at(&parent, "making the folder"))?;
        write_atomically(&place, |f| f.write_all(bytes))?;
        manifest.files.retain(|f| f.path != *path);
        manifest.files.push(FileEntry::of(path, bytes));
    }
    let json = manifest.to_json()?;
    write_atomically(&folder.join(MANIFEST), |f| f.write_all(json.as_bytes()))?;
    Ok(())
}
