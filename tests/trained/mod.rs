//! Short real runs for tests.

#![allow(dead_code, clippy::unwrap_used, reason = "a test module; every test target uses its own part of it")]

use std::path::Path;
use std::sync::Arc;

use spikescope::recording::Recording;
use spikescope::training::{DeviceChoice, Finished, PRESETS, Phase, Recipe, Snapshot, StartOptions, TrainingHandle};
use spikescope::views::RunState;

/// A recipe of a preset for the CPU, with changes.
pub fn recipe(preset: &str, recording: &Recording, changes: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, seed: 4, ..Recipe::default() };
    PRESETS.iter().find(|p| p.key == preset).unwrap().choose(&mut recipe, Some(recording));
    for (path, value) in changes {
        recipe.set(path, value).unwrap();
    }
    recipe
}

/// Train to the end; somebody who watches looks at the first and the fourth trial.
pub fn run(recording: &Arc<Recording>, recipe: Recipe, options: StartOptions) -> (Arc<Finished>, Arc<Snapshot>) {
    let state = state(recording, &recipe, options);
    match &state.progress.phase {
        Phase::Finished(finished) => (Arc::clone(finished), state.snapshot.unwrap()),
        other => unreachable!("expected a finished run, found {other:?}"),
    }
}

/// The same as the window sees it.
pub fn state(recording: &Arc<Recording>, recipe: &Recipe, options: StartOptions) -> RunState {
    let watched = options.watched;
    let handle = TrainingHandle::start(Arc::clone(recording), recipe.clone(), options).unwrap();
    while !handle.is_over() {
        if watched {
            handle.look(&[0, 3]);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (recipe, losses, snapshot, data) = (recipe.clone(), handle.losses(), handle.snapshot(), handle.data());
    RunState { recipe, losses, snapshot, data, progress: handle.wait() }
}

/// A watched run as the window sees it, kept in a folder when one is named.
pub fn watched(recording: &Arc<Recording>, recipe: &Recipe, folder: Option<&Path>) -> RunState {
    let options = StartOptions { watched: true, run: folder.map(Path::to_owned), ..StartOptions::default() };
    let state = state(recording, recipe, options);
    assert!(matches!(state.progress.phase, Phase::Finished(_)), "{:?}", state.progress.phase);
    state
}

/// A summary without what depends on the clock or the place.
pub fn numbers(summary: &serde_json::Value) -> serde_json::Value {
    let mut summary = summary.clone();
    let object = summary.as_object_mut().unwrap();
    object.remove("seconds");
    object.remove("run");
    for stage in object["stages"].as_array_mut().unwrap() {
        stage.as_object_mut().unwrap().remove("seconds");
    }
    summary
}
