//! Sweeps in the window: the form, members that are trained one after another, a window that is closed in between, and the results.

use std::path::{Path, PathBuf};

use super::*;
use spikescope::formats;
use spikescope::runs::{self, RunStatus};
use spikescope::simulate;
use spikescope::training::sweep::{Plan, RangeChange, member_folder, read_plan, write_plan};
use spikescope::training::{DeviceChoice, PRESETS, Recipe};

/// A small recording with true rates, as a file.
fn lorenz(home: &Path) -> PathBuf {
    let settings = [("units", "16"), ("conditions", "10"), ("trials", "12"), ("bins", "40"), ("baseline_hz", "20"), ("seed", "3")];
    let path = home.join("lorenz.npz");
    formats::save(&simulate::by_name("lorenz", &settings).unwrap(), &path).unwrap();
    path
}

/// What a few members of a sweep learn within a second each.
fn plan(recording: &Recording, members: usize) -> Plan {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::default() };
    PRESETS.iter().find(|p| p.key == "stndt").unwrap().choose(&mut recipe, Some(recording));
    for (path, value) in
        [("layers", "1"), ("hidden", "32"), ("batch", "32"), ("steps", "150"), ("patience_steps", "150"), ("contrast_weight", "0")]
    {
        recipe.set(&format!("model.{path}"), value).unwrap();
    }
    let mut plan = Plan::new(&recipe, members, 2, recording).unwrap();
    for change in ["rate=4e-3..1e-2", "dropout=off", "dropout_rates=0..0.1", "dropout_embedding=0..0.1", "warm_up_steps=10..20"] {
        change.parse::<RangeChange>().unwrap().apply(&mut plan.ranges).unwrap();
    }
    plan
}

/// The window on the recording, with the Sweep view in front.
fn opened<'a>(home: &Path, file: &Path) -> Window<'a> {
    let options = AppOptions { files: vec![file.to_owned()], runs_dir: Some(home.join("runs")), ..AppOptions::default() };
    let mut harness = window([1500.0, 900.0], options);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Show(index("sweep")));
    settle(&mut harness);
    harness
}

fn trains(harness: &Window<'_>) -> bool {
    harness.state().run().is_some_and(|run| matches!(run.progress.phase, Phase::Running | Phase::Paused))
}

fn says(harness: &Window<'_>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

#[test]
fn a_sweep_is_planned_held_stopped_and_offered_again() {
    let home = tempfile::tempdir().unwrap();
    let file = lorenz(home.path());
    let mut harness = opened(home.path(), &file);
    harness.get_by_label_contains("sweeps are for STNDT and NDT");
    assert!(harness.get_by_label("Start sweep").accesskit_node().is_disabled());
    let in_form = |h: &Window<'_>| h.query_all_by_label("Model: GLM-Transformer").count();
    assert!(in_form(&harness) > 0);
    harness.get_all_by_label("Model: GLM-Transformer").last().unwrap().click();
    settle(&mut harness);
    harness.get_by_label("NDT").click();
    settle(&mut harness);
    assert_eq!(harness.state().recipe().model.preset().key, "ndt");
    assert!(harness.query_by_label("Contrast · Weight").is_none(), "NDT has no contrast to draw");
    harness.get_by_label("Network · Dropout").click();
    settle(&mut harness);
    harness.get_by_label_contains("as in Train: 0.1");
    harness.get_by_label("Optimiser · Learning rate, to").focus();
    settle(&mut harness);
    harness.key_combination_modifiers(Modifiers::COMMAND, &[Key::A]);
    harness.event(egui::Event::Text("7".to_owned()));
    harness.key_press(Key::Enter);
    settle(&mut harness);
    harness.get_by_label_contains("must be between 0 and 1");
    assert!(harness.get_by_label("Start sweep").accesskit_node().is_disabled());
    harness.get_by_label("Published ranges").click();
    settle(&mut harness);
    harness.get_by_label("Network · Dropout before the readout").click_accesskit();
    settle(&mut harness);
    harness.get_by_label("Start sweep").click();
    wait(&mut harness, "training", trains);
    harness.get_by_label("Pause").click();
    wait(&mut harness, "held", |h| says(h, ", held, validation co-bps"));
    harness.get_by_label("Resume").click();
    wait(&mut harness, "resumed", |h| says(h, ", training, "));
    harness.get_by_label("Stop").click();
    wait(&mut harness, "stopped", |h| h.state().run().is_some_and(|run| matches!(run.progress.phase, Phase::Finished(_))));
    wait(&mut harness, "offered again", |h| h.query_by_label("Go on").is_some() && says(h, "member 1, stopped"));
    settle(&mut harness);
    let sweeps: Vec<PathBuf> = std::fs::read_dir(home.path().join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(sweeps.len(), 1, "{sweeps:?}");
    let plan = read_plan(&sweeps[0]).unwrap().unwrap();
    let off: Vec<&str> = plan.ranges.iter().filter(|r| !r.drawn).map(|r| r.path.as_str()).collect();
    assert_eq!((plan.members, off), (20, vec!["model.dropout_rates"]));
    let member = runs::load(&member_folder(&sweeps[0], 0)).unwrap();
    assert_eq!((member.manifest.status, &member.recipe), (RunStatus::Stopped, &plan.recipe(0).unwrap()));
    assert_eq!(harness.state().queue().jobs().len(), 1, "no other member begins");
    // Members are ordinary runs.
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Show(index("runs")));
    wait(&mut harness, "listed", |h| says(h, "run sample-0000, stopped"));
    settle(&mut harness);
}

#[test]
fn a_sweep_goes_on_in_another_window_is_ranked_and_averaged() {
    let home = tempfile::tempdir().unwrap();
    let file = lorenz(home.path());
    let recording = formats::open(&file, &formats::OpenOptions::default(), &|_, _| true).unwrap();
    let folder = home.path().join("runs/lorenz-sweep");
    let plan = plan(&recording, 4);
    write_plan(&folder, &plan).unwrap();
    {
        let mut first = opened(home.path(), &file);
        assert!(says(&first, "STNDT 0 of 4 done") && says(&first, "member 1, waiting"));
        first.get_by_label("Go on").click();
        wait(&mut first, "one is done", |h| says(h, "STNDT 1 of 4 done"));
        wait(&mut first, "the next trains", trains);
    }
    // The member that trained when the window was dropped is kept or interrupted; either way it goes on.
    let done = runs::load(&member_folder(&folder, 0)).unwrap().manifest;
    let mut harness = opened(home.path(), &file);
    wait(&mut harness, "found again", |h| h.query_by_label("Go on").is_some());
    wait(&mut harness, "not trained elsewhere", |h| !says(h, "running, validation"));
    harness.get_by_label("Go on").click();
    wait(&mut harness, "finished", |h| h.state().messages().iter().any(|m| m.contains("Sweep finished: 4 of 4")));
    wait(&mut harness, "all are done", |h| says(h, "STNDT 4 of 4 done"));
    wait(&mut harness, "averaged", |h| says(h, "on validation, "));
    settle(&mut harness);
    assert_eq!(runs::load(&member_folder(&folder, 0)).unwrap().manifest, done, "what is complete is not trained again");
    assert!(harness.query_by_label("Go on").is_none());
    assert!(says(&harness, "Score of 4 members against Optimiser · Learning rate; best is member "));
    assert!(says(&harness, "Score against members averaged: "));
    assert!(says(&harness, "On the same ") && says(&harness, "smoothing "));
    // The list is in the order of the scores, and what is chosen there is shown everywhere.
    let mut scores: Vec<(usize, f64)> =
        (0..4).map(|at| (at, runs::load(&member_folder(&folder, at)).unwrap().summary["validation_co_bps"].as_f64().unwrap())).collect();
    scores.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let best = format!("member {}, complete, validation co-bps", scores[0].0 + 1);
    harness.get_by_label_contains(&best).click();
    settle(&mut harness);
    assert_eq!(harness.state().selection().runs, [member_folder(&folder, scores[0].0)]);
    // A message may still lie over the list: not by pointer.
    harness.get_by_label("Score against: Optimiser · Learning rate").click_accesskit();
    settle(&mut harness);
    // Farther down in the list than is seen at once.
    harness.get_by_label("Optimiser · Weight decay").click_accesskit();
    settle(&mut harness);
    assert!(says(&harness, "against Optimiser · Weight decay, log₁₀"));
    harness.get_by_label("Show in all views").click_accesskit();
    wait(&mut harness, "shown", |h| says(h, "Showing a kept run: sample-"));
    settle(&mut harness);
    pictures(&folder, &recording);
}

/// The view alone on a finished sweep, compared with `tests/snapshots`.
fn pictures(folder: &Path, recording: &Recording) {
    let mut results = egui_kittest::SnapshotResults::new();
    let runs = folder.parent().unwrap();
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        for (size, scale, look) in [([960.0, 560.0], 1.0, ""), ([400.0, 640.0], 1.0, "_narrow"), ([960.0, 560.0], 2.0, "_2x")] {
            let (recording, runs) = (Arc::new(recording.clone()), runs.to_owned());
            let mut harness = support::shown(size, theme, scale, move |cc| {
                let mut app = SpikescopeApp::from_state(cc, Some(recording), None, Some("sweep"));
                app.add_run_folder(runs);
                app
            });
            wait(&mut harness, "averaged", |h| says(h, "on validation, "));
            settle(&mut harness);
            match scale > 1.0 || size[0] < 500.0 {
                false => results.add(harness.try_snapshot(format!("sweep{look}_{name}"))),
                true => {
                    // Looked at by people: SPIKESCOPE_PICTURES=/tmp/p.
                    let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES").map(PathBuf::from) else { continue };
                    std::fs::create_dir_all(&folder).unwrap();
                    harness.render().unwrap().save(folder.join(format!("sweep{look}_{name}.png"))).unwrap();
                }
            }
        }
    }
    results.unwrap();
}

#[test]
fn without_a_recording_or_a_folder_it_says_what_to_do() {
    let harness = picture([500.0, 400.0], Theme::Light, 1.0, (None, None), Some("sweep"));
    harness.get_by_label("Nothing to sweep over yet");
    let recording = fake_stndt::recording();
    let mut harness = picture([500.0, 400.0], Theme::Dark, 1.0, (Some(recording), None), Some("sweep"));
    wait(&mut harness, "looked", |h| says(h, "A new sweep"));
    harness.get_by_label_contains("does not write runs to disk");
}
