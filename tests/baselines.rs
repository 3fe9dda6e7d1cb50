//! Older methods as models of the program: fitted in the training thread, kept as runs, shown in the window; and the view that
//! compares what all methods take for coupling.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use serde_json::Value;
use spikescope::analysis::watch::Watch;
use spikescope::app::SpikescopeApp;
use spikescope::recording::Recording;
use spikescope::runs::{self, RunStatus};
use spikescope::simulate;
use spikescope::training::shared_background::{Method, Plan, read, run};
use spikescope::training::{DeviceChoice, PRESETS, Phase, Recipe, StartOptions, TrainingHandle};
use support::{Window, settle, wait};

/// Two areas of 8 units with a strong edge A → B.
fn recording() -> Arc<Recording> {
    let settings = [("trials", "80"), ("areas", "8x8"), ("units_per_edge", "6"), ("coupling", "2"), ("factors", "0"), ("seed", "5")];
    Arc::new(simulate::by_name("glm", &settings).unwrap())
}

fn recipe(key: &str, changes: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::default() };
    PRESETS.iter().find(|preset| preset.key == key).unwrap().choose(&mut recipe, None);
    for (path, value) in changes {
        recipe.set(path, value).unwrap();
    }
    recipe
}

fn trained(recipe: Recipe, folder: Option<&Path>) -> Value {
    let options = StartOptions { run: folder.map(Path::to_owned), watched: true, ..StartOptions::default() };
    let handle = TrainingHandle::start(recording(), recipe, options).unwrap();
    match &handle.wait().phase {
        Phase::Finished(finished) => finished.summary.clone(),
        other => panic!("{other:?}"),
    }
}

fn percent(summary: &Value, source: &str, target: &str) -> f64 {
    let edges = summary["edges"].as_array().unwrap();
    let edge = edges.iter().find(|e| e["source"] == source && e["target"] == target).unwrap();
    assert!(edge["contribution_fitted_percent"].is_number(), "{edge}");
    edge["contribution_percent"].as_f64().unwrap()
}

#[test]
fn every_method_finds_a_strong_edge_and_its_run_is_kept() {
    let home = tempfile::tempdir().unwrap();
    for (key, changes) in [
        ("glm", &[("model.splines", "5"), ("model.ridge", "10")][..]),
        ("glm", &[("model.splines", "5"), ("model.group_lasso", "8"), ("model.trial_gain", "true"), ("model.own_area", "false")]),
        ("ccg", &[("model.threshold", "4")]),
    ] {
        let folder = home.path().join(key);
        let summary = trained(recipe(key, changes), Some(&folder));
        let (edge, back) = (percent(&summary, "A", "B"), percent(&summary, "B", "A"));
        assert!(edge > 5.0 && edge > 2.0 * back.abs(), "{key}: A → B {edge} %, B → A {back} %");
        // Correlograms are no fit of rates: added up over pairs they may predict worse than a flat rate.
        let loss = |name: &str| summary[name].as_f64().unwrap();
        assert!(key == "ccg" || loss("test_loss") < loss("flat_loss"), "{summary}");
        let run = runs::load(&folder).unwrap();
        assert_eq!((run.manifest.status, run.recipe.model.preset().key), (RunStatus::Complete, key));
        let snapshot = run.snapshot.unwrap();
        let pair = snapshot.pairs().iter().find(|p| (p.source, p.target) == (0, 1)).unwrap();
        assert!((f64::from(pair.contribution_percent) - edge).abs() < 1e-3);
        let coupled: f32 = pair.send[0].iter().take(6).map(|w| w.abs()).sum::<f32>() / 6.0;
        let others: f32 = pair.send[0].iter().skip(6).map(|w| w.abs()).sum::<f32>() / 2.0;
        assert!(coupled > 2.0 * others, "{key}: sending weights {:?}", pair.send);
    }
}

#[test]
fn regression_says_its_rank_and_what_it_explains_on_other_trials() {
    let summary = trained(recipe("rrr", &[]), None);
    let edge = &summary["edges"][0];
    assert!(edge["rank"].is_number() && edge["explained"].as_f64().unwrap() <= edge["explained_fitted"].as_f64().unwrap() + 0.02, "{edge}");
}

#[test]
fn without_trial_varying_dynamics_there_is_one_stage_less_and_every_pair_is_fitted() {
    let small = [("model.max_epochs", "6"), ("model.width", "8"), ("model.hidden", "16"), ("model.batch", "16")];
    let summary = trained(recipe("glm-transformer-mean", &small), None);
    let stages: Vec<&str> = summary["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(stages, ["1 · mean dynamics", "3 · coupling", "4 · post-spike filters"]);
    assert!(summary["edges"].as_array().unwrap().iter().all(|e| e["score"].is_null()), "nothing is scored");
    assert!(percent(&summary, "A", "B").is_finite());
}

fn show<'a>(theme: Theme, view: &str) -> Window<'a> {
    let view = view.to_owned();
    let mut harness = Harness::builder()
        .with_size(Vec2::new(1100.0, 700.0))
        .with_theme(theme)
        .with_max_steps(30)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(move |cc| SpikescopeApp::from_state(cc, None, None, Some(&view)));
    settle(&mut harness);
    harness
}

fn says(harness: &Window<'_>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

#[test]
fn the_view_shows_what_a_folder_holds() {
    let home = tempfile::tempdir().unwrap();
    let plan =
        Plan { rhos: vec![0.0, 0.4], seeds: vec![1, 2], trials: 40, units: 6, methods: vec![Method::Rrr, Method::Ccg], ..Plan::default() };
    run(&plan, home.path(), DeviceChoice::Cpu, &Watch::default(), &|_| ()).unwrap();
    assert_eq!(read(home.path(), &plan).len(), 8);
    let mut harness = show(Theme::Light, "shared_background");
    let name = |harness: &mut Window<'_>, folder: &Path| {
        harness.get_by_role_and_label(Role::TextInput, "Folder").focus();
        harness.step();
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.step();
        harness.get_by_role_and_label(Role::TextInput, "Folder").type_text(&folder.display().to_string());
        settle(harness);
    };
    name(&mut harness, &home.path().join("none"));
    assert!(says(&harness, "published values only"), "an empty figure says what it shows");
    name(&mut harness, home.path());
    wait(&mut harness, "the cells", |h| says(h, "Reduced-rank regression at rho 0.4"));
    assert!(says(&harness, "in 2 simulations"));
    harness.get_by_label("Fitted trials").click();
    settle(&mut harness);
    assert!(says(&harness, "Reduced-rank regression at rho 0: "));
}
