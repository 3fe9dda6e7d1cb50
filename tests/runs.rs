//! Runs in the window: queued, trained, listed, sorted, named, noted, thrown away, brought back, shown again and compared; and the
//! same on the command line. Driven by label in the real app on software Vulkan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "window/fake.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake;
#[path = "window/fake_stndt.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_stndt;
#[path = "runs/made.rs"]
mod made;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, Theme};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use serde_json::{Value, json};
use spikescope::app::{AppOptions, Command, JobState, SpikescopeApp};
use spikescope::recording::Recording;
use spikescope::runs::catalogue::{Mark, move_to_trash};
use spikescope::runs::{self, RunStatus};
use spikescope::training::{DeviceChoice, ModelRecipe, Phase, Recipe};
use spikescope::views::VIEWS;
use support::{Window, settle, wait, window};

fn app<'a>(size: [f32; 2], theme: Theme, scale: f32, show: Option<&str>, recording: &Arc<Recording>, folder: &Path) -> Window<'a> {
    let (show, recording, folder) = (show.map(str::to_owned), Arc::clone(recording), folder.to_owned());
    support::shown(size, theme, scale, move |cc| {
        let mut app = SpikescopeApp::from_state(cc, Some(recording), None, show.as_deref());
        app.add_run_folder(folder);
        app
    })
}

fn show(harness: &mut Window<'_>, key: &str) {
    let index = VIEWS.iter().position(|v| v.key == key).unwrap();
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Show(index));
    settle(harness);
}

fn shows(harness: &Window<'_>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

/// Names of the rows from top to bottom.
fn rows(harness: &Window<'_>) -> Vec<String> {
    let mut rows: Vec<(f32, String)> = harness
        .query_all_by_role(Role::Row)
        .filter_map(|node| Some((node.rect().top(), node.accesskit_node().label()?)))
        .filter_map(|(top, label)| Some((top, label.strip_prefix("run ")?.rsplit_once(',')?.0.to_owned())))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.dedup();
    rows.into_iter().map(|(_, name)| name).collect()
}

fn row<'a>(harness: &'a Window<'_>, name: &str) -> egui_kittest::Node<'a> {
    let prefix = format!("run {name}, ");
    harness.query_all_by_role(Role::Row).find(|node| node.accesskit_node().label().is_some_and(|l| l.starts_with(&prefix))).unwrap()
}

fn three_runs(dir: &Path) -> (Arc<Recording>, [PathBuf; 3]) {
    let recording = fake::recording();
    let (glm, stndt) = (fake::run(&recording), fake_stndt::run(&fake_stndt::recording()));
    let folders = made::three(dir, &recording, &glm, &stndt);
    (recording, folders)
}

#[test]
fn runs_are_sorted_named_noted_pinned_thrown_away_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(dir.path());
    let mut harness = app([1320.0, 1000.0], Theme::Light, 1.0, None, &recording, dir.path());
    show(&mut harness, "runs");
    wait(&mut harness, "listed", |h| rows(h).len() == 3);
    assert_eq!(rows(&harness), ["netformer", "stndt", "glm"], "newest first");
    harness.get_by_role_and_label(Role::Button, "Test loss").click();
    settle(&mut harness);
    assert_eq!(rows(&harness), ["glm", "stndt", "netformer"], "smallest loss first");
    harness.get_by_label_contains("Losses of different models are different quantities");
    harness.get_by_role_and_label(Role::Button, "Test loss").click();
    settle(&mut harness);
    assert_eq!(rows(&harness), ["netformer", "stndt", "glm"]);
    harness.get_by_role_and_label(Role::Button, "co-bps").click();
    settle(&mut harness);
    assert_eq!(rows(&harness)[0], "stndt", "the only one with this score; others come behind it");

    row(&harness, "glm").click();
    settle(&mut harness);
    harness.get_by_role_and_label(Role::TextInput, "Name").focus();
    harness.step();
    harness.get_by_role_and_label(Role::TextInput, "Name").type_text("Baseline");
    harness.step();
    harness.get_by_role_and_label(Role::TextInput, "Note").focus();
    harness.step();
    harness.get_by_role_and_label(Role::TextInput, "Note").type_text("before the warm-up");
    harness.step();
    harness.key_press(Key::Enter);
    wait(&mut harness, "noted", |_| Mark::read(&folders[0]).is_ok_and(|m| m.note == "before the warm-up" && m.name == "Baseline"));
    settle(&mut harness);
    wait(&mut harness, "renamed", |h| rows(h).contains(&"Baseline".to_owned()));
    harness.get_by_label("Pin to the top").click();
    wait(&mut harness, "pinned", |h| rows(h).first().is_some_and(|name| name == "Baseline"));
    assert!(Mark::read(&folders[0]).unwrap().pinned);

    row(&harness, "stndt").click();
    settle(&mut harness);
    harness.get_by_label("Move to trash").click();
    wait(&mut harness, "in the trash", |h| !folders[1].exists() && rows(h).len() == 2);
    settle(&mut harness);
    assert!(harness.state().messages().iter().any(|m| m.contains("Ctrl+Z")), "{:?}", harness.state().messages());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait(&mut harness, "back", |h| folders[1].exists() && rows(h).len() == 3);
    settle(&mut harness);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    wait(&mut harness, "thrown away again", |h| !folders[1].exists() && rows(h).len() == 2);
}

#[test]
fn what_was_thrown_away_before_a_restart_comes_back_or_is_deleted_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(dir.path());
    for folder in &folders[..2] {
        move_to_trash(folder, std::time::SystemTime::now()).unwrap();
    }
    // Another start of the program.
    let mut harness = app([1100.0, 700.0], Theme::Light, 1.0, Some("runs"), &recording, dir.path());
    wait(&mut harness, "listed", |h| rows(h).len() == 1 && shows(h, "Trash (2)"));
    harness.get_by_label("Trash (2)").click();
    settle(&mut harness);
    support::pictures(&mut harness, "trash");
    let bring_back = harness.query_all_by_label("Bring back").count();
    assert_eq!(bring_back, 2);
    harness.get_by_label("Delete stndt").click();
    settle(&mut harness);
    assert!(dir.path().join(".trash").exists() && shows(&harness, "Really delete stndt"), "one click deletes nothing");
    harness.get_by_label("Really delete stndt").click();
    wait(&mut harness, "deleted", |h| shows(h, "Trash (1)"));
    assert!(!folders[1].exists() && !folders[0].exists());
    harness.get_by_label("Bring back").click();
    wait(&mut harness, "back", |h| folders[0].exists() && rows(h).len() == 2);
    assert!(!dir.path().join(".trash").exists() && !shows(&harness, "Trash ("));
}

#[test]
fn the_command_line_throws_away_brings_back_and_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let (_, folders) = three_runs(dir.path());
    let (place, [glm, stndt, _]) = (dir.path().to_str().unwrap(), folders.each_ref().map(|f| f.to_str().unwrap()));
    let done = |arguments: &[&str]| {
        let (code, out, error) = spikescope(arguments);
        assert_eq!(code, 0, "{error}");
        out
    };
    assert!(done(&["runs", place, "--trash"]).contains("The trash is empty"));
    assert!(done(&["runs", "--throw-away", glm, "--throw-away", stndt]).contains("is in the trash"));
    let told: Value = serde_json::from_str(&done(&["runs", place, "--trash", "--json"])).unwrap();
    assert!(told.as_array().unwrap().iter().any(|t| t["name"] == "glm" && t["from"] == glm && t["bytes"].as_u64() > Some(1000)), "{told}");
    assert!(done(&["runs", place, "--bring-back", "glm"]).contains("is back") && folders[0].exists());
    let (code, _, error) = spikescope(&["runs", place, "--delete", "glm"]);
    assert!(code == 2 && error.contains("no 'glm' in the trash") && folders[0].exists(), "{error}");
    assert!(done(&["runs", place, "--delete", "stndt"]).contains("is deleted"));
    assert!(!folders[1].exists() && !dir.path().join(".trash").exists());
}

#[test]
fn what_is_no_run_is_shown_with_the_reason_and_the_keyboard_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(dir.path());
    std::fs::write(folders[2].join("manifest.json"), "{torn").unwrap();
    std::fs::create_dir(dir.path().join("photos")).unwrap();
    let mut harness = app([1000.0, 700.0], Theme::Light, 1.0, Some("runs"), &recording, dir.path());
    wait(&mut harness, "listed", |h| rows(h).len() == 2);
    harness.get_by_label_contains("2 folders cannot be read as runs");
    harness.get_by_label("All recordings").click();
    wait(&mut harness, "all listed", |h| rows(h).len() == 4);
    harness.get_by_label("run photos, no run");
    settle(&mut harness);
    harness.get_by_label("run netformer, unreadable").click();
    settle(&mut harness);
    harness.get_by_label_contains("this is not JSON");
    assert!(harness.get_by_label("Show in all views").accesskit_node().is_disabled());

    let list = |h: &Window<'_>| h.query_all_by_role(Role::ListBox).next().is_some();
    assert!(list(&harness));
    harness.get_by_role(Role::ListBox).focus();
    settle(&mut harness);
    harness.key_press(Key::ArrowUp);
    settle(&mut harness);
    harness.key_press(Key::ArrowUp);
    settle(&mut harness);
    let first = harness.state().selection().runs.clone();
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    settle(&mut harness);
    let both = harness.state().selection().runs.clone();
    assert_eq!((first.len(), both.len(), &both[0]), (1, 2, &first[0]));
    harness.key_press(Key::Delete);
    wait(&mut harness, "thrown away", |h| rows(h).len() == 2 && dir.path().join(".trash").exists());
    harness.get_by_role_and_label(Role::TextInput, "Search").focus();
    harness.step();
    harness.get_by_role_and_label(Role::TextInput, "Search").type_text("nothing like this");
    settle(&mut harness);
    harness.get_by_label("No run matches");
    harness.get_by_label("Clear search").click();
    wait(&mut harness, "all again", |h| rows(h).len() == 2);
}

#[test]
fn three_models_are_compared_and_what_cannot_be_compared_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(dir.path());
    let mut harness = app([1320.0, 900.0], Theme::Light, 1.0, None, &recording, dir.path());
    show(&mut harness, "runs");
    wait(&mut harness, "listed", |h| rows(h).len() == 3);
    row(&harness, "glm").click();
    settle(&mut harness);
    for name in ["stndt", "netformer"] {
        row(&harness, name).click_modifiers(Modifiers::COMMAND);
        settle(&mut harness);
    }
    assert_eq!(harness.state().selection().runs, folders);
    harness.get_by_label("Compare (3)").click();
    wait(&mut harness, "compared", |h| shows(h, "Settings that differ"));
    settle(&mut harness);
    harness.get_by_label_contains("The models have losses of their own");
    harness.get_by_label("Between areas").click();
    settle(&mut harness);
    harness.get_by_label_contains("Matrix A  contribution, columns send, rows receive, largest: V1 → V1");
    assert!(shows(&harness, "different quantities: choose Share of the whole"));
    harness.get_by_label("Share of the whole").click();
    settle(&mut harness);
    harness.get_by_label_contains("Matrix B − A");
    harness.get_by_label_contains("Matrix C − A");
    harness.get_by_label("Effect").click();
    settle(&mut harness);
    assert!(shows(&harness, "attention of an STNDT has no sign"));
    harness.get_by_label("Kernels").click();
    settle(&mut harness);
    harness.get_by_label_contains("Coupling kernels V1 → LM: A  glm peak");
    assert!(shows(&harness, "B: this model has no coupling filters"));
    harness.get_by_label("Between units").click();
    settle(&mut harness);
    harness.get_by_label("netformer: mean attention between 48 units, columns send, rows receive");
    assert!(shows(&harness, "A: a GLM-Transformer couples areas"));
    harness.get_by_label("Losses").click();
    settle(&mut harness);
    harness.get_by_label("Relative to a flat rate").click();
    settle(&mut harness);
    harness.get_by_label_contains("Validation loss, relative to a flat rate: A  glm best");
    harness.get_by_label("Leave out stndt").click();
    wait(&mut harness, "two left", |h| h.state().selection().runs.len() == 2);
}

/// The demo's recipe, much smaller: it is the way through that is tested here, not the result.
fn small(max_epochs: usize, seed: u64) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, seed, ..Recipe::demo() };
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    (glm.width, glm.hidden, glm.max_epochs, glm.edge_jitters, glm.patience_steps) = (16, 32, max_epochs, 3, 1_000_000_000);
    recipe
}

fn states(harness: &Window<'_>) -> Vec<JobState> {
    harness.state().queue().jobs().iter().map(|job| job.state.clone()).collect()
}

#[test]
fn queued_runs_train_one_after_another_and_a_kept_one_is_shown_beside_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let runs_dir = dir.path().join("runs");
    let options = AppOptions {
        demo: true,
        train_at_once: true,
        recipe: Some(small(1_000_000, 1)),
        runs_dir: Some(runs_dir.clone()),
        ..AppOptions::default()
    };
    let mut harness = window([1320.0, 1000.0], options);
    wait(&mut harness, "training", |h| h.state().run().is_some_and(|run| run.progress.step > 0));
    for _ in 0..2 {
        harness.get_by_role_and_label(Role::Button, "Queue").click();
        harness.step();
        harness.step();
    }
    assert_eq!(states(&harness), [JobState::Training, JobState::Waiting, JobState::Waiting]);
    harness.get_by_label("Pause queued run 2").click();
    harness.step();
    harness.step();
    assert_eq!(states(&harness)[1], JobState::Held);
    harness.get_by_label("Earlier queued run 3").click();
    harness.step();
    harness.step();
    let ids: Vec<u64> = harness.state().queue().jobs().iter().map(|job| job.id).collect();
    assert_eq!(ids, [0, 2, 1]);
    // The Runs view shows what trains at its top.
    show(&mut harness, "runs");
    wait(&mut harness, "a row that runs", |h| h.query_all_by_label_contains(", running").next().is_some());
    harness.get_by_label("Stop queued run 1").click();
    wait(&mut harness, "the next one", |h| states(h)[1] == JobState::Training && h.state().run().is_some_and(|r| r.progress.step > 0));
    assert_eq!(states(&harness), [JobState::Done, JobState::Training, JobState::Held]);
    // The one that trains has a folder too.
    let folders = std::fs::read_dir(&runs_dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.join("manifest.json").exists());
    let kept: Vec<PathBuf> = folders.filter(|p| runs::load(p).is_ok_and(|run| run.manifest.status == RunStatus::Stopped)).collect();
    assert_eq!(kept.len(), 1);
    let name = kept[0].file_name().unwrap().to_string_lossy().into_owned();
    wait(&mut harness, "listed", |h| rows(h).contains(&name));
    settle(&mut harness);
    // The row is wider than its view; its name is not.
    harness.get_by_label(&name).click();
    wait(&mut harness, "selected", |h| shows(h, "Show in all views"));
    harness.get_by_label("Show in all views").click();
    wait(&mut harness, "shown", |h| shows(h, "Showing a kept run"));
    assert!(matches!(harness.state().shown_run().unwrap().progress.phase, Phase::Finished(_)));
    assert!(matches!(harness.state().run().unwrap().progress.phase, Phase::Preparing | Phase::Running), "training goes on");
    harness.get_by_label("Back to the run that trains").click();
    wait(&mut harness, "back", |h| !shows(h, "Showing a kept run"));
    harness.get_by_label("Use this recipe").click();
    wait(&mut harness, "taken", |h| h.state().messages().iter().any(|m| m.contains("settings of that run")));

    harness.get_by_label("Stop queued run 2").click();
    wait(&mut harness, "over", |h| states(h)[1] == JobState::Done);
    for _ in 0..10 {
        harness.step();
    }
    assert_eq!(states(&harness), [JobState::Done, JobState::Done, JobState::Held], "what is held does not begin");
    harness.get_by_label("Remove queued run 3").click();
    harness.step();
    harness.step();
    assert_eq!(states(&harness), [JobState::Done, JobState::Done]);
    assert_eq!(std::fs::read_dir(&runs_dir).unwrap().count(), 2, "every run has a folder of its own");
}

#[test]
fn without_runs_the_view_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = app([900.0, 600.0], Theme::Dark, 1.0, Some("runs"), &fake::recording(), dir.path());
    wait(&mut harness, "empty", |h| shows(h, "No runs yet"));
    harness.get_by_label("Go to Train");
    let gone = dir.path().join("gone");
    harness.state_mut().add_run_folder(gone);
    wait(&mut harness, "a problem", |h| shows(h, "take the folder off the list"));
}

#[test]
fn pictures_of_runs_and_comparisons() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(dir.path());
    Mark { name: "Baseline".into(), note: "before the warm-up".into(), pinned: true, ..Mark::default() }.write(&folders[0]).unwrap();
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let mut harness = app([1100.0, 420.0], theme, 1.0, Some("runs"), &recording, dir.path());
        wait(&mut harness, "listed", |h| rows(h).len() == 3);
        settle(&mut harness);
        results.add(harness.try_snapshot(format!("runs_{name}")));
        let mut harness = app([1100.0, 700.0], theme, 1.0, Some("compare"), &recording, dir.path());
        harness.state_mut().selection_mut().runs = folders.to_vec();
        wait(&mut harness, "compared", |h| shows(h, "Settings that differ"));
        harness.get_by_label("Between areas").click();
        settle(&mut harness);
        harness.get_by_label("Share of the whole").click();
        settle(&mut harness);
        results.add(harness.try_snapshot(format!("compare_areas_{name}")));
    }
}

fn spikescope(arguments: &[&str]) -> (i32, String, String) {
    let output = Process::new(env!("CARGO_BIN_EXE_spikescope")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_lists_and_compares_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (_, folders) = three_runs(dir.path());
    std::fs::create_dir(dir.path().join("photos")).unwrap();
    Mark { note: "good".into(), ..Mark::default() }.write(&folders[1]).unwrap();
    let (place, [a, b, c]) = (dir.path().to_str().unwrap(), folders.each_ref().map(|f| f.to_str().unwrap()));
    let (code, out, _) = spikescope(&["runs", place, "--sort", "test_loss"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, 0);
    assert!(lines[0].starts_with("Name") && lines[0].contains("Test loss"), "{out}");
    assert!(lines[1].starts_with("glm") && lines[2].starts_with("stndt") && lines[3].starts_with("netformer"), "{out}");
    assert!(out.contains("photos") && out.contains("not a run folder"), "{out}");
    let (_, out, _) = spikescope(&["runs", place, "--json", "--sort", "seed", "--reverse"]);
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(rows.iter().map(|r| r["name"].as_str().unwrap()).collect::<Vec<_>>(), ["netformer", "stndt", "glm", "photos"]);
    assert_eq!((&rows[1]["results"]["co_bps"], &rows[1]["note"], &rows[1]["settings"]["seed"]), (&json!(0.312), &json!("good"), &json!(2)));
    let (code, _, error) = spikescope(&["runs", place, "--sort", "beauty"]);
    assert!(code == 2 && error.contains("co_bps"), "{error}");
    let (code, _, error) = spikescope(&["runs", &format!("{place}/gone")]);
    assert!(code == 1 && error.contains("gone"), "{error}");

    let (code, out, _) = spikescope(&["compare", a, b, c]);
    assert_eq!(code, 0);
    for part in ["A  glm", "model.kind", "Test loss (per bin and unit)", "A and B: correlation", "couples areas", "has no sign"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _) = spikescope(&["compare", a, c, "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["agreement"]["areas_effect"][0]["entries"], &told["same_data"]), (&json!(6), &json!(true)));
    assert!(told["agreement"]["areas_effect"][0]["pearson"].as_f64().unwrap() > 0.5, "{told}");
    let (code, _, error) = spikescope(&["compare", a, &format!("{place}/photos")]);
    assert!(code == 1 && error.contains("photos"), "{error}");
}

#[test]
fn thousands_of_runs_are_listed_and_only_those_in_view_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let template = tempfile::tempdir().unwrap();
    let (recording, folders) = three_runs(template.path());
    for k in 0..2000u64 {
        let score = 0.2 + 0.1 * fake::noise(k as usize);
        made::copy(&folders[1], &dir.path().join(format!("sample-{k:04}")), k, &json!({ "co_bps": score, "test_loss": 0.3 - 0.1 * score }));
    }
    let mut harness = app([1000.0, 600.0], Theme::Light, 1.0, Some("runs"), &recording, dir.path());
    wait(&mut harness, "listed", |h| shows(h, "2\u{a0}000 runs"));
    harness.get_by_role_and_label(Role::Button, "co-bps").click();
    settle(&mut harness);
    let drawn = rows(&harness);
    assert!((5..60).contains(&drawn.len()), "{}", drawn.len());
    let best = (0..2000).max_by(|a, b| fake::noise(*a).total_cmp(&fake::noise(*b))).unwrap();
    assert_eq!(drawn[0], format!("sample-{best:04}"));
}
