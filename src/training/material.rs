//! What a run is made from: the data of its model, the model on them, and the summary of what came out.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::baseline::BaselineLearner;
use super::data::{DataError, Prepared};
use super::device::TrainingDevice;
use super::glm::{GlmLearner, GlmTrainer, check_window};
use super::learner::Learner;
use super::netformer::{ActivityData, NetFormerLearner};
use super::stndt::StndtLearner;
use super::thread::Kept;
use super::{ModelRecipe, Recipe, References};
use crate::recording::{Recording, Trials};
use crate::runs::{DataDiffers, LoadedRun, RecordingEntry, RunStatus, Selection, Used, compare_data};

/// What a model is trained on.
pub(super) enum Material {
    /// Spikes cut into trials.
    Trials(Arc<Prepared>),
    /// Activity in bins, cut in time.
    Activity(Arc<ActivityData>),
}

impl Material {
    pub(super) fn new(recording: &Arc<Recording>, recipe: &Recipe) -> Result<Self, DataError> {
        Ok(match &recipe.model {
            ModelRecipe::GlmTransformer(_) | ModelRecipe::Stndt(_) | ModelRecipe::Baseline(_) => {
                Self::Trials(Arc::new(Prepared::new(recording, &recipe.data)?))
            }
            ModelRecipe::NetFormer(model) => Self::Activity(Arc::new(ActivityData::new(recording, &recipe.data, model)?)),
        })
    }

    /// The recording as the run sees it, and its trials.
    pub(super) fn shown(&self) -> (Arc<Recording>, Trials) {
        match self {
            Self::Trials(data) => (Arc::clone(&data.recording), data.trials.clone()),
            Self::Activity(data) => (Arc::clone(&data.recording), data.trials.clone()),
        }
    }

    /// Trials whose detail is kept with a run.
    pub(super) fn kept_trials(&self) -> Vec<usize> {
        match self {
            Self::Trials(data) => data.split.test.iter().copied().take(8).collect(),
            Self::Activity(data) => data.last_trials(),
        }
    }

    /// What was taken of the recording, to know it again.
    pub(super) fn used(&self) -> Used {
        let (recording, trials) = self.shown();
        let mut selection = Selection::default();
        selection.add_times(&trials.starts).add([trials.bins, trials.pad_bins]).add_times(&[trials.bin_s]);
        let (areas, sets) = match self {
            Self::Trials(data) => {
                let (binned, split) = (&data.binned, &data.split);
                selection.add(binned.units.iter().copied());
                let sets = [&split.train, &split.validation, &split.test];
                sets.iter().for_each(|set| {
                    selection.add(set.iter().copied());
                });
                (binned.areas.iter().cloned().zip(binned.area_sizes.iter().copied()).collect(), sets.map(Vec::len))
            }
            Self::Activity(data) => {
                selection.add(data.units.iter().copied());
                let sets = [&data.train, &data.validation, &data.test];
                sets.iter().for_each(|set| {
                    selection.add(set.iter().flat_map(|run| [run.start, run.end]));
                });
                let areas = data.areas.iter().cloned().zip(data.area_sizes.iter().copied()).collect();
                (areas, sets.map(|set| set.iter().map(ExactSizeIterator::len).sum()))
            }
        };
        Used {
            recording_units: recording.n_units(),
            recording_spikes: recording.spikes.block().len(),
            areas,
            trials: trials.starts.len(),
            bins: trials.bins,
            bin_s: trials.bin_s,
            sets,
            selection: selection.hex(),
        }
    }

    /// Name and sizes of the three sets, for the summary.
    pub(super) fn sizes(&self) -> (&'static str, Value) {
        let bins = |part: &[std::ops::Range<usize>]| part.iter().map(ExactSizeIterator::len).sum::<usize>();
        match self {
            Self::Trials(data) => (
                "trials",
                json!({ "train": data.split.train.len(), "validation": data.split.validation.len(), "test": data.split.test.len() }),
            ),
            Self::Activity(data) => {
                ("bins", json!({ "train": bins(&data.train), "validation": bins(&data.validation), "test": bins(&data.test) }))
            }
        }
    }
}

/// Whether a run on disk was made from this recording: the same data, and the same units, trials, bins, areas and sets by the run's
/// recipe. Counts spikes, so not for the window's thread.
///
/// # Errors
/// [`CheckError::Differs`] with what differs, or why the recipe takes nothing from this recording.
pub fn check_data(run: &LoadedRun, recording: &Arc<Recording>) -> Result<(), CheckError> {
    let now = Material::new(recording, &run.recipe)?.used();
    compare_data(&run.manifest.recording, run.manifest.used.as_ref(), &RecordingEntry::from(&**recording), &now)?;
    Ok(())
}

/// Why a run does not go with a recording.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CheckError {
    /// Other data.
    #[error(transparent)]
    Differs(#[from] DataDiffers),
    /// The run's recipe takes nothing from this recording.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// The model of the recipe on its data.
pub(super) fn learner<'a>(recipe: &Recipe, data: &'a Material, device: TrainingDevice) -> Result<Box<dyn Learner + 'a>, DataError> {
    match (&recipe.model, data) {
        (ModelRecipe::GlmTransformer(glm), Material::Trials(data)) => {
            check_window(glm, data.binned.bins)?;
            Ok(Box::new(GlmLearner::new(GlmTrainer::new(glm, recipe.seed, data, device), data)))
        }
        (ModelRecipe::Baseline(own), Material::Trials(data)) => Ok(Box::new(BaselineLearner::new(own, data)?)),
        (ModelRecipe::Stndt(stndt), Material::Trials(data)) => Ok(Box::new(StndtLearner::new(stndt, recipe.seed, data, &device)?)),
        (ModelRecipe::NetFormer(own), Material::Activity(data)) => Ok(Box::new(NetFormerLearner::new(own, recipe.seed, data, &device)?)),
        // `Material::new` looks at the same recipe.
        _ => Err(DataError::Model("the data were prepared for another model".to_owned())),
    }
}

/// The line of `train --json`: what every run has, and the results of its model.
pub(super) fn summary(
    data: &Material,
    references: &References,
    results: Map<String, Value>,
    kept: &Kept,
    status: RunStatus,
    run: Option<&std::path::Path>,
) -> Value {
    let mut summary = json!({
        "status": status.word(),
        "run": run.map(|p| p.display().to_string()),
        "flat_loss": references.flat,
        "psth_loss": references.psth,
        "seconds": kept.seconds,
        "stages": kept.stages.iter().map(|s| json!({
            "name": s.name, "steps": s.steps, "epochs": s.epochs, "seconds": s.seconds, "validation_loss": s.validation_loss,
        })).collect::<Vec<_>>(),
    });
    let (name, sizes) = data.sizes();
    summary[name] = sizes;
    let mut results = results;
    let true_edges = results.remove("true_edges");
    if references.oracle.is_some() || true_edges.is_some() {
        summary["truth"] = json!({ "oracle_loss": references.oracle, "edges": true_edges.unwrap_or_else(|| json!([])) });
    }
    for (key, value) in results {
        summary[key] = value;
    }
    summary
}
