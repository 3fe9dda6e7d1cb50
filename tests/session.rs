//! What survives the window: sessions that are offered after a crash, settings and sessions that are damaged, runs that outlive
//! the window, and training while nobody draws. The real app, driven by label on software Vulkan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "session/again.rs"]
mod again;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use eframe::App as _;
use eframe::egui::{self, ViewportEvent, ViewportId};
use egui_kittest::kittest::Queryable as _;
use std::sync::Arc;

use spikescope::app::{AppOptions, BlackBox, Break, Command, Fault, Named, Survivors};
use spikescope::doctor::Privacy;
use spikescope::formats::shelf::Shelf;
use spikescope::recording::{AreaEdit, AreaRule, Sidecar};
use spikescope::runs::{self, RunStatus};
use spikescope::training::{Command as Training, DeviceChoice, ModelRecipe, Phase, Recipe, TrainingWatch};
use support::{Window, pictures, settle, wait, window};

/// A CSV file with three units in `folder`.
fn csv(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let rows: String = (0..300).map(|k| format!("{},{}\n", k % 3, f64::from(k) * 0.05)).collect();
    std::fs::write(&path, format!("unit,time_s\n{rows}")).unwrap();
    path
}

fn options(home: &Path) -> AppOptions {
    AppOptions {
        state_dir: Some(home.join("state")),
        settings_path: Some(home.join("settings.json")),
        shelf: Some(Shelf::new(home.join("recordings"))),
        ..AppOptions::default()
    }
}

fn messages(harness: &Window<'_>) -> String {
    harness.state().messages().join("\n")
}

fn sessions(home: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.join("state/sessions")).map(|e| e.map(|e| e.unwrap().path()).collect()).unwrap_or_default();
    let mut json: Vec<PathBuf> = entries;
    json.retain(|p: &PathBuf| p.extension().is_some_and(|e| e == "json"));
    json
}

/// Step until the session on disk holds `part`.
fn saved(harness: &mut Window<'_>, home: &Path, part: &str) {
    wait(harness, "saved", |_| sessions(home).iter().any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(part))));
}

fn open(harness: &mut Window<'_>, path: &Path) {
    let ctx = harness.ctx.clone();
    harness.state_mut().open_path(&ctx, path);
    wait(harness, "open", |h| h.state().recording().is_some());
    settle(harness);
}

fn execute(harness: &mut Window<'_>, command: Command) {
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, command);
    settle(harness);
}

#[test]
fn after_a_crash_the_last_session_is_offered_and_comes_back_when_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let file = csv(home.path(), "größe 1.csv");
    let layout;
    {
        let mut harness = window([1280.0, 800.0], options(home.path()));
        open(&mut harness, &file);
        execute(&mut harness, Command::Layout(Named::Latents));
        let selection = harness.state_mut().selection_mut();
        (selection.window, selection.cursor, selection.units) = (Some((1.0, 4.0)), Some(2.5), [0, 2].into());
        layout = harness.state().layout_shape();
        saved(&mut harness, home.path(), "\"cursor\": 2.5");
        // The window dies here: nobody says goodbye.
    }
    let mut harness = window([1280.0, 800.0], options(home.path()));
    settle(&mut harness);
    assert!(messages(&harness).contains("The last session did not end in the normal way"), "{}", messages(&harness));
    assert!(messages(&harness).contains("größe 1"), "{}", messages(&harness));
    assert!(harness.state().recording().is_none(), "nothing comes back by itself");
    pictures(&mut harness, "offer");
    harness.get_all_by_label("Restore the last session").next().unwrap().click();
    harness.step();
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    let (state, selection) = (harness.state(), harness.state().selection());
    assert_eq!((selection.window, selection.cursor, selection.units.clone()), (Some((1.0, 4.0)), Some(2.5), [0, 2].into()));
    assert_eq!(state.layout_shape(), layout);
    assert!(messages(&harness).contains("The last session is restored"), "{}", messages(&harness));
    // Ours holds it now; the old file goes, and a normal end leaves nothing to offer.
    saved(&mut harness, home.path(), "\"cursor\": 2.5");
    wait(&mut harness, "taken over", |_| sessions(home.path()).len() == 1);
    harness.state_mut().on_exit();
    drop(harness);
    let mut harness = window([900.0, 640.0], options(home.path()));
    settle(&mut harness);
    assert_eq!(messages(&harness), "");
    // It can still be had from the menu.
    execute(&mut harness, Command::RestoreSession);
    wait(&mut harness, "open again", |h| h.state().recording().is_some());
    assert_eq!(harness.state().recording().unwrap().n_units(), 3);
}

#[test]
fn areas_made_by_hand_come_back_even_without_the_shelf() {
    let home = tempfile::tempdir().unwrap();
    let file = csv(home.path(), "a.csv");
    {
        let mut harness = window([1280.0, 800.0], options(home.path()));
        open(&mut harness, &file);
        let recording = harness.state().recording().unwrap().clone();
        let edit = AreaEdit::Assign { units: vec![1], area: "V1".into() };
        let sidecar = Sidecar { areas: vec![edit], ..Sidecar::of(&recording) };
        Shelf::new(home.path().join("recordings")).save(&sidecar).unwrap();
        execute(&mut harness, Command::CloseRecording);
        open(&mut harness, &file);
        assert!(harness.state().recording().unwrap().areas.iter().any(|a| a == "V1"));
        let selection = harness.state_mut().selection_mut();
        (selection.units, selection.cursor) = ([1].into(), Some(7.25));
        saved(&mut harness, home.path(), "\"cursor\": 7.25");
    }
    std::fs::remove_dir_all(home.path().join("recordings")).unwrap();
    let mut harness = window([1280.0, 800.0], options(home.path()));
    settle(&mut harness);
    execute(&mut harness, Command::RestoreSession);
    wait(&mut harness, "areas", |h| h.state().recording().is_some_and(|r| r.areas.iter().any(|a| a == "V1")));
    assert_eq!(harness.state().selection().units, [1].into());
}

#[test]
fn a_recording_that_changed_or_went_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = csv(home.path(), "a.csv");
    {
        let mut harness = window([1280.0, 800.0], options(home.path()));
        open(&mut harness, &file);
        let selection = harness.state_mut().selection_mut();
        (selection.units, selection.cursor) = ([1].into(), Some(7.25));
        saved(&mut harness, home.path(), "\"cursor\": 7.25");
    }
    std::fs::rename(&file, home.path().join("b.csv")).unwrap();
    {
        let mut harness = window([1280.0, 800.0], options(home.path()));
        settle(&mut harness);
        execute(&mut harness, Command::RestoreSession);
        wait(&mut harness, "told", |h| messages(h).contains("a.csv could not be opened"));
        assert!(messages(&harness).contains("tries again"));
    }
    std::fs::write(&file, "unit,time_s\n7,0.5\n8,1.5\n").unwrap();
    let mut harness = window([1280.0, 800.0], options(home.path()));
    settle(&mut harness);
    execute(&mut harness, Command::RestoreSession);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    assert!(messages(&harness).contains("without the selection (the data have changed since)"), "{}", messages(&harness));
    assert!(harness.state().selection().units.is_empty());
}

#[test]
fn two_windows_at_once_keep_two_sessions() {
    let home = tempfile::tempdir().unwrap();
    let (first, second) = (csv(home.path(), "first.csv"), csv(home.path(), "second.csv"));
    let mut one = window([900.0, 640.0], options(home.path()));
    open(&mut one, &first);
    saved(&mut one, home.path(), "first.csv");
    let mut two = window([900.0, 640.0], options(home.path()));
    settle(&mut two);
    assert_eq!(messages(&two), "", "the session of a window that lives is not offered");
    open(&mut two, &second);
    saved(&mut two, home.path(), "second.csv");
    assert_eq!(sessions(home.path()).len(), 2);
    drop((one, two));
    let mut third = window([900.0, 640.0], options(home.path()));
    settle(&mut third);
    assert!(messages(&third).contains("second was open"), "the newest is offered: {}", messages(&third));
    assert_eq!(sessions(home.path()).iter().filter(|p| std::fs::read_to_string(p).unwrap().contains("first.csv")).count(), 1);
}

#[test]
fn damaged_and_newer_files_are_set_aside_and_the_window_opens() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("state/sessions")).unwrap();
    std::fs::write(home.path().join("settings.json"), b"{\"theme\": \xff").unwrap();
    std::fs::write(home.path().join("state/sessions/torn.json"), "{\"version\": 1, \"open\":").unwrap();
    std::fs::write(home.path().join("state/sessions/new.json"), "{\"version\": 99}").unwrap();
    let mut harness = window([900.0, 640.0], options(home.path()));
    settle(&mut harness);
    assert!(messages(&harness).contains("Settings could not be used as they are"), "{}", messages(&harness));
    assert!(messages(&harness).contains("A saved session could not be used"), "{}", messages(&harness));
    for kept in ["settings.unreadable.json", "state/sessions/torn.unreadable.json", "state/sessions/new.version-99.json"] {
        assert!(home.path().join(kept).exists(), "{kept}");
    }
    harness.get_by_label("Try the demo");
}

#[test]
fn a_folder_that_cannot_be_written_keeps_no_session_and_disturbs_nobody() {
    let home = tempfile::tempdir().unwrap();
    // A file where the folder should be: no user, root included, can write there.
    std::fs::write(home.path().join("state"), "in the way").unwrap();
    let file = csv(home.path(), "a.csv");
    let mut harness = window([900.0, 640.0], options(home.path()));
    open(&mut harness, &file);
    harness.state_mut().on_exit();
    assert_eq!(messages(&harness), "");
}

/// The demo's recipe, much smaller, with so many epochs that it ends when it is told to.
fn endless() -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
    recipe.data.areas = AreaRule::Recorded;
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    (glm.width, glm.hidden, glm.max_epochs, glm.edge_jitters, glm.patience_steps) = (16, 32, 1_000_000, 4, 1_000_000_000);
    recipe
}

fn training(home: &Path, recipe: Recipe, broken: Option<Break>) -> (AppOptions, Survivors) {
    let survivors = Survivors::default();
    let options = AppOptions {
        demo: true,
        train_at_once: true,
        recipe: Some(recipe),
        runs_dir: Some(home.join("runs")),
        survivors: survivors.clone(),
        break_window: broken,
        ..options(home)
    };
    (options, survivors)
}

fn steps(harness: &Window<'_>) -> u64 {
    harness.state().run().map_or(0, |run| run.progress.step)
}

/// The only run in a folder of runs.
fn only_run(home: &Path) -> runs::LoadedRun {
    let folders: Vec<PathBuf> = std::fs::read_dir(home.join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    runs::load(&folders[0]).unwrap()
}

/// Stop and keep what a window left behind, and wait until it is written.
fn stop(survivors: &Survivors) {
    let going = survivors.going();
    going.iter().for_each(|run| run.send(Training::StopAndKeep));
    for _ in 0..60_000 {
        if going.iter().all(TrainingWatch::is_over) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the training does not end");
}

/// A window that breaks while it trains: the run goes on and is kept, and the next start offers the session with the run.
fn breaks(how: Break) {
    let home = tempfile::tempdir().unwrap();
    let (options_then, survivors) = training(home.path(), endless(), Some(how));
    let died = catch_unwind(AssertUnwindSafe(|| {
        let mut harness = window([1280.0, 800.0], options_then);
        for _ in 0..20_000 {
            harness.step();
            // The harness draws only when it is asked for a picture; a lost device is noticed then.
            if steps(&harness) > 20 && harness.render().is_err() {
                panic!("the picture could not be drawn");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }));
    assert!(died.is_err());
    assert_eq!(survivors.going().len(), 1, "the training goes on without the window");
    stop(&survivors);
    let run = only_run(home.path());
    assert!(matches!(run.manifest.status, RunStatus::Stopped) && run.manifest.steps > 20, "{:?}", run.manifest.status);
    assert!(!run.weights().unwrap().is_empty());
    let mut harness = window([1280.0, 800.0], options(home.path()));
    settle(&mut harness);
    assert!(
        messages(&harness).contains("did not end in the normal way") && messages(&harness).contains("demo was open"),
        "{}",
        messages(&harness)
    );
    execute(&mut harness, Command::RestoreSession);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    assert_eq!(harness.state().recipe().glm().unwrap().width, 16);
}

#[test]
fn a_panic_in_a_frame_costs_no_training_and_no_session() {
    breaks(Break::Panic);
}

#[test]
fn a_lost_graphics_device_costs_no_training_and_no_session() {
    breaks(Break::Device);
}

fn close(harness: &mut Window<'_>) {
    harness.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
    harness.step();
    harness.step();
}

#[test]
fn training_can_go_on_without_the_window() {
    let home = tempfile::tempdir().unwrap();
    let mut recipe = endless();
    let ModelRecipe::GlmTransformer(glm) = &mut recipe.model else { unreachable!() };
    glm.max_epochs = 12;
    let (options, survivors) = training(home.path(), recipe, None);
    let mut harness = window([1280.0, 800.0], options);
    wait(&mut harness, "training", |h| steps(h) > 0);
    close(&mut harness);
    settle(&mut harness);
    for answer in ["Keep and quit", "Discard and quit", "Cancel"] {
        harness.get_by_label(answer);
    }
    pictures(&mut harness, "close_while_training");
    harness.get_by_label("Keep training without the window").click();
    harness.step();
    harness.step();
    harness.state_mut().on_exit();
    drop(harness);
    let going = survivors.going();
    assert_eq!(going.len(), 1, "it trains on");
    while !going[0].is_over() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(matches!(going[0].progress().phase, Phase::Finished(_)), "{:?}", going[0].progress().phase);
    assert!(matches!(only_run(home.path()).manifest.status, RunStatus::Complete));
}

#[test]
fn a_hidden_window_neither_stops_nor_blocks_training() {
    let home = tempfile::tempdir().unwrap();
    let (options, survivors) = training(home.path(), endless(), None);
    let mut harness = window([1280.0, 800.0], options);
    wait(&mut harness, "training", |h| steps(h) > 0);
    // No frame is drawn from here on, as when the window is minimised; the training wakes it in vain.
    let run = survivors.going().remove(0);
    let before = run.progress().step;
    while run.progress().step < before + 200 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Shown again it is up to date with the next frame, and still obeys.
    harness.step();
    assert!(steps(&harness) >= before + 200);
    execute(&mut harness, Command::Discard);
    wait(&mut harness, "discarded", |h| h.state().run().is_some_and(|run| run.progress.phase == Phase::Discarded));
}

#[test]
fn numbers_can_be_typed_with_a_decimal_comma() {
    let mut harness = window([1280.0, 900.0], AppOptions { demo: true, ..AppOptions::default() });
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    harness.get_by_label("Train").click();
    settle(&mut harness);
    for (typed, value) in [("0,05", 0.05), ("0.025", 0.025), ("−1,5", 0.025)] {
        harness.get_by_label("Lowest rate").focus();
        settle(&mut harness);
        harness.key_combination_modifiers(egui::Modifiers::COMMAND, &[egui::Key::A]);
        for letter in typed.chars() {
            harness.event(egui::Event::Text(letter.to_string()));
            harness.step();
        }
        settle(&mut harness);
        assert!(
            (harness.state().recipe().data.min_rate_hz - value).abs() < 1e-12,
            "{typed}: {}",
            harness.state().recipe().data.min_rate_hz
        );
    }
    harness.get_by_label_contains("must be");
}

#[test]
fn the_system_report_is_shown_and_copied() {
    let mut harness = window([1000.0, 760.0], AppOptions::default());
    settle(&mut harness);
    execute(&mut harness, Command::SystemReport);
    wait(&mut harness, "a report", |h| h.query_by_label("Copy").is_some());
    settle(&mut harness);
    pictures(&mut harness, "system_report");
    harness.get_by_label("Copy").click();
    let mut copied = String::new();
    for _ in 0..3 {
        harness.step();
        for command in &harness.output().platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                copied.clone_from(text);
            }
        }
    }
    for part in ["Spikescope", "Processor", "Self-test stndt on CPU", "Training step"] {
        assert!(copied.contains(part), "{part} is missing in {copied}");
    }
    harness.key_press(egui::Key::Escape);
    settle(&mut harness);
    assert!(harness.query_by_label("Copy").is_none());
}

#[test]
fn a_fault_elsewhere_in_the_program_is_told_with_its_report() {
    let home = tempfile::tempdir().unwrap();
    let black_box = Arc::new(BlackBox::new(Some(home.path().join("reports")), "a".into(), Privacy::default()));
    let options = AppOptions { demo: true, black_box: Some(Arc::clone(&black_box)), ..options(home.path()) };
    let mut harness = window([900.0, 640.0], options);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    // As the panic hook does, from whichever thread.
    let report = black_box.report(&Fault { what: "a thread fell over".into(), ..Fault::default() }).unwrap();
    wait(&mut harness, "told", |h| messages(h).contains("a report was written"));
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains("a thread fell over") && text.contains("recording: demo"), "{text}");
}
