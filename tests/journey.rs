//! The whole way in the real app, driven by label on software Vulkan: open, train, pause, resume, see the kernels, stop; and
//! what happens when something goes wrong or the window is closed on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Key, Modifiers, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use spikescope::app::{AppOptions, Command};
use spikescope::formats;
use spikescope::recording::Covariate;
use spikescope::runs::{self, LoadedRun, RunStatus};
use spikescope::simulate;
use spikescope::training::{DeviceChoice, ModelRecipe, Phase, Recipe};
use support::{Dropped, Window, settle, wait, window};

/// The demo's recipe, much smaller: it is the way through that is tested here, not the result.
fn small(max_epochs: usize) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    (glm.width, glm.hidden, glm.max_epochs, glm.edge_jitters) = (16, 32, max_epochs, 4);
    recipe
}

/// So many epochs that a run ends only when it is told to.
fn endless() -> Recipe {
    let mut recipe = small(1_000_000);
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    glm.patience_steps = 1_000_000_000;
    recipe
}

fn phase(harness: &Window<'_>) -> Option<Phase> {
    harness.state().run().map(|run| run.progress.phase.clone())
}

fn steps(harness: &Window<'_>) -> u64 {
    harness.state().run().map_or(0, |run| run.progress.step)
}

fn is_over(harness: &Window<'_>) -> bool {
    matches!(phase(harness), Some(Phase::Finished(_) | Phase::Failed(_) | Phase::Discarded))
}

fn shows(harness: &Window<'_>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

/// Press a button of the Train view once it can be pressed.
fn press(harness: &mut Window<'_>, label: &str) {
    wait(harness, label, |h| h.query_by_label(label).is_some_and(|button| !button.accesskit_node().is_disabled()));
    harness.get_by_label(label).click();
    harness.step();
}

/// The app with the demo open and training.
fn training<'a>(recipe: Recipe, runs: Option<&Path>) -> Window<'a> {
    let options =
        AppOptions { demo: true, train_at_once: true, recipe: Some(recipe), runs_dir: runs.map(Path::to_owned), ..AppOptions::default() };
    let mut harness = window([1320.0, 840.0], options);
    wait(&mut harness, "training", |h| steps(h) > 0);
    harness
}

/// The only run in a folder of runs.
fn only_run(folder: &Path) -> LoadedRun {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    runs::load(&entries[0]).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[test]
fn from_the_welcome_page_to_a_kept_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = AppOptions { recipe: Some(small(4)), runs_dir: Some(folder.path().join("runs")), ..AppOptions::default() };
    let mut harness = window([1320.0, 840.0], options);
    settle(&mut harness);
    harness.get_by_label("Try the demo").click();
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness.render().unwrap();
    harness.get_by_label("Train").click();
    settle(&mut harness);

    press(&mut harness, "Start training");
    wait(&mut harness, "training", |h| steps(h) > 0);
    assert!(shows(&harness, "step ") && shows(&harness, "1 · "), "progress is on the screen");

    // Held: nothing goes on, until one step is asked for, then all of it.
    press(&mut harness, "Pause");
    wait(&mut harness, "paused", |h| phase(h) == Some(Phase::Paused));
    harness.step();
    harness.get_by_label("Paused");
    let held = steps(&harness);
    for _ in 0..60 {
        harness.step();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(steps(&harness), held);
    press(&mut harness, "Step");
    wait(&mut harness, "one step", |h| steps(h) > held && phase(h) == Some(Phase::Paused));
    assert_eq!(steps(&harness), held + 1);
    press(&mut harness, "Resume");
    wait(&mut harness, "going on", |h| steps(h) > held + 1);

    // Before stage 3 the panel says that there is nothing yet; then it has the filter in words.
    wait(&mut harness, "kernels", |h| {
        h.query_all_by_label_contains("A → B: ").any(|panel| panel.accesskit_node().label().is_some_and(|l| l.contains("supported")))
    });
    harness.render().unwrap();
    wait(&mut harness, "over", is_over);
    settle(&mut harness);
    assert!(shows(&harness, "Training finished") && shows(&harness, "Run folder: "));
    harness.render().unwrap();

    let Some(Phase::Finished(finished)) = phase(&harness) else { panic!("{:?}", phase(&harness)) };
    let run = only_run(&folder.path().join("runs"));
    assert_eq!(finished.run.as_deref(), Some(run.path.as_path()));
    assert_eq!((run.manifest.status, run.recipe.clone()), (RunStatus::Complete, small(4)));
    let loss = |summary: &serde_json::Value| summary["test_loss"].as_f64().unwrap();
    assert!((loss(&run.summary) - loss(&finished.summary)).abs() < 1e-12 && !run.weights().unwrap().is_empty());
    let (kept, shown) = (run.snapshot.unwrap(), harness.state().run().unwrap().snapshot.clone().unwrap());
    assert_eq!((kept.stage, kept.pairs().len()), (4, 4));
    assert_eq!(kept.pairs(), shown.pairs(), "what was on the screen is what was kept");
}

#[test]
fn stopped_early_a_run_is_kept_and_discarded_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = training(endless(), Some(folder.path()));
    press(&mut harness, "Stop and keep");
    wait(&mut harness, "over", is_over);
    let run = only_run(folder.path());
    assert_eq!(run.manifest.status, RunStatus::Stopped);
    assert!(!run.weights().unwrap().is_empty());
    std::fs::remove_dir_all(run.path).unwrap();

    press(&mut harness, "Start training");
    wait(&mut harness, "training again", |h| !is_over(h) && steps(h) > 0);
    press(&mut harness, "Discard");
    wait(&mut harness, "over", is_over);
    settle(&mut harness);
    assert_eq!(phase(&harness), Some(Phase::Discarded));
    assert!(shows(&harness, "Run discarded") && is_empty(folder.path()));
}

#[test]
fn a_stopped_run_goes_on_from_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = training(endless(), Some(folder.path()));
    wait(&mut harness, "some steps", |h| steps(h) > 5);
    press(&mut harness, "Stop and keep");
    wait(&mut harness, "over", is_over);
    let run = only_run(folder.path()).path;
    let step = runs::resumable(&run).unwrap().checkpoint.unwrap().step;
    assert!(step > 5);
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::ResumeRun);
    wait(&mut harness, "going on", |h| !is_over(h) && steps(h) > step + 2);
    assert_eq!(runs::load(&run).unwrap().manifest.status, RunStatus::Running);
    // Discarded, it is the run that was stopped.
    press(&mut harness, "Discard");
    wait(&mut harness, "over", is_over);
    assert_eq!(only_run(folder.path()).manifest.status, RunStatus::Stopped);
    assert_eq!(runs::resumable(&run).unwrap().checkpoint.unwrap().step, step);
}

/// What the window asked of the system in the last frame.
fn asked(harness: &Window<'_>, command: &ViewportCommand) -> bool {
    harness.output().viewport_output.get(&ViewportId::ROOT).is_some_and(|out| out.commands.contains(command))
}

fn close_button(harness: &mut Window<'_>) {
    harness.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
    harness.step();
}

/// Close the window and answer what it asks.
fn close_and(harness: &mut Window<'_>, answer: &str) {
    close_button(harness);
    assert!(asked(harness, &ViewportCommand::CancelClose), "the window stays while it asks");
    harness.step();
    harness.get_by_label("A training is running");
    press(harness, answer);
}

#[test]
fn a_window_closed_while_training_asks_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = training(endless(), Some(folder.path()));
    close_and(&mut harness, "Cancel");
    let before = steps(&harness);
    wait(&mut harness, "going on", |h| steps(h) > before);
    assert!(!shows(&harness, "A training is running") && !is_over(&harness));
    // Opening something else asks too.
    harness.input_mut().dropped_files.push(Arc::new(Dropped("/another/file.nwb".into())));
    harness.run_steps(2);
    harness.get_by_label("Keep and open");
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    assert!(!shows(&harness, "A training is running") && !is_over(&harness));

    close_and(&mut harness, "Keep and quit");
    wait(&mut harness, "closing", |h| asked(h, &ViewportCommand::Close));
    assert_eq!(only_run(folder.path()).manifest.status, RunStatus::Stopped);
    close_button(&mut harness);
    assert!(!asked(&harness, &ViewportCommand::CancelClose), "a second question would keep the window open");
}

#[test]
fn a_window_closed_while_training_can_discard() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = training(endless(), Some(folder.path()));
    close_and(&mut harness, "Discard and quit");
    wait(&mut harness, "closing", |h| asked(h, &ViewportCommand::Close));
    assert!(is_empty(folder.path()));
    assert_eq!(phase(&harness), Some(Phase::Discarded));
}

#[test]
fn the_window_outlives_a_training_that_fails() {
    // No bin is left for the encoder's tokens: told when training begins.
    let mut recipe = small(4);
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    glm.token_bins = 1000;
    let options = AppOptions { demo: true, train_at_once: true, recipe: Some(recipe), ..AppOptions::default() };
    let mut harness = window([1320.0, 840.0], options);
    wait(&mut harness, "over", is_over);
    settle(&mut harness);
    let Some(Phase::Failed(why)) = phase(&harness) else { panic!("{:?}", phase(&harness)) };
    assert!(why.contains("1000") && shows(&harness, &why), "{why}");
    assert!(harness.state().messages().iter().any(|m| m.starts_with("Training ended with an error")), "{:?}", harness.state().messages());
    // The same window trains on with other settings.
    // The button is below what fits into the window, where a mouse cannot reach it without scrolling.
    harness.get_by_label("Reset model settings").click_accesskit();
    settle(&mut harness);
    press(&mut harness, "Start training");
    wait(&mut harness, "training", |h| !is_over(h) && steps(h) > 0);
    press(&mut harness, "Discard");
    wait(&mut harness, "over", is_over);
}

#[test]
fn a_loss_that_is_not_a_number_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = endless();
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    // Too fast even when it is halved three times.
    (glm.rate, glm.rate_encoder, glm.clip) = (1e3, 1.0, 1e6);
    let options = AppOptions {
        demo: true,
        train_at_once: true,
        recipe: Some(recipe),
        runs_dir: Some(folder.path().to_owned()),
        ..AppOptions::default()
    };
    let mut harness = window([1320.0, 840.0], options);
    wait(&mut harness, "over", is_over);
    settle(&mut harness);
    let Some(Phase::Failed(why)) = phase(&harness) else { panic!("{:?}", phase(&harness)) };
    assert!(why.contains("learning rate"), "{why}");
    assert!(shows(&harness, &why), "the Train view says it");
    let run = only_run(folder.path());
    assert_eq!(run.manifest.status, RunStatus::Failed);
    assert!(run.weights().unwrap().iter().flat_map(|w| &w.values).all(|v| v.is_finite()), "the last good weights were kept");
    harness.get_by_label("Raster").click();
    settle(&mut harness);
    harness.render().unwrap();
}

#[test]
fn the_keyboard_starts_and_holds_training() {
    let options = AppOptions { demo: true, recipe: Some(endless()), ..AppOptions::default() };
    let mut harness = window([1100.0, 720.0], options);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    wait(&mut harness, "training", |h| steps(h) > 0);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    wait(&mut harness, "paused", |h| phase(h) == Some(Phase::Paused));
    let held = steps(&harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    wait(&mut harness, "going on", |h| steps(h) > held && phase(h) == Some(Phase::Running));
}

/// Two areas of regular spikes, without trials.
fn csv(path: &Path) {
    let mut text = String::from("unit,time_s,area\n");
    for spike in 0..12_000 {
        let (unit, time) = (spike % 6, 0.005 * f64::from(spike) + 0.001 * f64::from(spike % 7));
        text.push_str(&format!("{unit},{time:.4},{}\n", if unit < 3 { "V1" } else { "MT" }));
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_dropped_csv_file_opens_and_trains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spikes ü.csv");
    csv(&path);
    let options = AppOptions { recipe: Some(endless()), runs_dir: Some(folder.path().join("runs")), ..AppOptions::default() };
    let mut harness = window([1320.0, 840.0], options);
    settle(&mut harness);
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    let recording = Arc::clone(harness.state().recording().unwrap());
    assert_eq!((recording.n_units(), recording.areas.clone()), (6, vec!["V1".to_owned(), "MT".to_owned()]));
    // A line says that something was assumed; the report is one click away.
    assert!(shows(&harness, "Import: "));
    harness.get_by_label("Report").click();
    settle(&mut harness);
    assert!(shows(&harness, "Import report: "));
    harness.get_by_label("Close report").click();
    settle(&mut harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    wait(&mut harness, "training", |h| steps(h) > 0 || is_over(h));
    press(&mut harness, "Stop and keep");
    wait(&mut harness, "over", is_over);
    assert_eq!(only_run(&folder.path().join("runs")).manifest.areas, recording.areas);
}

#[test]
fn broken_files_are_told_with_a_cause_and_leave_what_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let broken = [("noise.nwb", noise), ("words.csv", b"unit,time_s\n1,soon\n1,later\n".to_vec()), ("empty.npz", Vec::new())];
    let mut harness = window([1100.0, 720.0], AppOptions { demo: true, ..AppOptions::default() });
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    for (name, bytes) in broken {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        harness.input_mut().dropped_files.push(Arc::new(Dropped(path.clone())));
        let text = format!("{name} could not be opened");
        wait(&mut harness, &text, |h| h.state().messages().contains(&text));
        settle(&mut harness);
        harness.get_by_label("Details").click();
        harness.run_ok();
        let details = harness.query_all_by_label_contains(&path.to_string_lossy()).find_map(|n| n.accesskit_node().value()).unwrap();
        assert!(details.len() > path.to_string_lossy().len() + 20, "a cause beside the name: {details}");
        harness.get_by_label("×").click();
        harness.run_ok();
        assert!(harness.state().recording().is_some_and(|r| r.truth.is_some()), "the demo stays open");
    }
}

/// A small simulation with a behaviour to decode, in a file.
fn lorenz_file(folder: &Path) -> PathBuf {
    let settings = [("units", "12"), ("conditions", "4"), ("trials", "16"), ("bins", "30"), ("seed", "2"), ("baseline_hz", "20")];
    let mut recording = simulate::by_name("lorenz", &settings).unwrap();
    let times: Vec<f64> = (0..4000).map(|k| f64::from(k) * 0.01).collect();
    let values = times.iter().map(|t| (3.0 * t).sin()).collect();
    recording.covariates.push(Covariate { name: "hand velocity".into(), unit: "cm/s".into(), times, values });
    let path = folder.join("lorenz.npz");
    formats::save(&recording, &path).unwrap();
    path
}

/// A picture for people to look at: `SPIKESCOPE_PICTURES=/tmp/p cargo test --test journey rates`.
fn look(harness: &mut Window<'_>, name: &str) {
    if let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap();
        harness.render().unwrap().save(folder.join(format!("{name}.png"))).unwrap();
    }
}

#[test]
fn rates_attention_lesion_and_decoding_of_a_spatiotemporal_transformer() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::default() };
    let files = vec![lorenz_file(folder.path())];
    let options = AppOptions { files, recipe: Some(recipe), runs_dir: Some(folder.path().join("runs")), ..AppOptions::default() };
    let mut harness = window([1320.0, 840.0], options);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness.get_by_label("Train").click();
    settle(&mut harness);
    harness.get_by_label("Model: GLM-Transformer").click();
    settle(&mut harness);
    harness.get_by_label_contains("STNDT  ·").click();
    settle(&mut harness);
    harness.get_by_label("Model: STNDT");

    // Views of rates come to the front, and follow the model.
    press(&mut harness, "Start training");
    wait(&mut harness, "rates", |h| shows(h, "held out: ") && shows(h, "inferred mean"));
    wait(&mut harness, "attention", |h| shows(h, "Attention between 12 units in layer 1"));
    wait(&mut harness, "score", |h| shows(h, "true rates ") && shows(h, "co-bps ") && shows(h, "smoothing "));
    harness.render().unwrap();
    look(&mut harness, "training");
    harness.get_by_label("Lesion").click();
    harness.run_steps(3);
    assert!(shows(&harness, "This needs the trained network"));
    press(&mut harness, "Stop and keep");
    wait(&mut harness, "over", is_over);
    settle(&mut harness);

    press(&mut harness, "Silence units");
    wait(&mut harness, "lesion", |h| shows(h, "with all units; without "));
    look(&mut harness, "lesion");
    harness.get_by_label("Decoding").click();
    wait(&mut harness, "decoded", |h| shows(h, "from inferred rates"));
    settle(&mut harness);
    assert!(shows(&harness, "from smoothed spikes") && shows(&harness, "hand velocity of trial "));
    harness.render().unwrap();
    look(&mut harness, "decoding");
}
