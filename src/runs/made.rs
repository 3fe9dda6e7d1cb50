//! Runs for tests, without training.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::{RunContents, RunStatus, write};
use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};
use crate::training::{LossLog, Recipe};

/// Two units in two areas.
pub(crate) fn recording() -> Recording {
    let parts = RecordingParts {
        name: "two".into(),
        spikes: SpikeTrains::from_units([vec![0.1, 0.2], vec![0.3]]),
        unit_ids: vec!["1".into(), "2".into()],
        unit_areas: vec!["V1".into(), "MT".into()],
        ..RecordingParts::default()
    };
    Recording::new(parts, Source::Simulated { simulator: "glm".into(), parameters: "trials=2".into(), seed: 4 }).unwrap()
}

/// Write a run on it; the seed decides when it ended.
pub(crate) fn run(folder: &Path, seed: u64, status: RunStatus, summary: &Value) {
    let recipe = Recipe { seed, ..Recipe::default() };
    let (losses, recording) = (LossLog { terms: recipe.model.loss_terms(), ..LossLog::default() }, recording());
    let contents = RunContents {
        status,
        message: (status == RunStatus::Failed).then_some("the loss became NaN"),
        ended: UNIX_EPOCH + Duration::from_secs(1_795_255_353 + seed),
        device: "CPU (flex)",
        seconds: 90.0,
        steps: 30,
        ..RunContents::new(&recipe, &recording, &losses, summary)
    };
    write(folder, &contents).unwrap();
}
