//! Runs of an earlier session: shown again, resumed, still in the queue; and what is kept for runs to come.

use eframe::App as _;
use egui_kittest::kittest::Queryable as _;
use spikescope::app::{AppOptions, Command, JobState};
use spikescope::runs::{self, RunStatus};
use spikescope::views::VIEWS;

use super::support::{Window, pictures, settle, wait, window};
use super::{csv, endless, execute, messages, only_run, open, options, saved, steps, stop, training};

fn queue(harness: &Window<'_>) -> Vec<JobState> {
    harness.state().queue().jobs().iter().map(|job| job.state.clone()).collect()
}

#[test]
fn the_run_that_was_shown_and_the_queue_come_back_and_begin_nothing_by_themselves() {
    let home = tempfile::tempdir().unwrap();
    let (folder, before);
    {
        let (options, survivors) = training(home.path(), endless(), None);
        let mut harness = window([1280.0, 900.0], options);
        wait(&mut harness, "training", |h| steps(h) > 0);
        let ctx = harness.ctx.clone();
        harness.state_mut().execute(&ctx, Command::QueueTraining);
        harness.step();
        assert_eq!(queue(&harness), [JobState::Training, JobState::Waiting]);
        folder = harness.state().queue().jobs()[0].folder.clone().unwrap();
        saved(&mut harness, home.path(), "\"waiting\"");
        saved(&mut harness, home.path(), "\"shown\": \"");
        // The window goes, and its training is stopped and kept.
        drop(harness);
        stop(&survivors);
        let run = runs::load(&folder).unwrap();
        assert!(run.manifest.status == RunStatus::Stopped && run.can_resume());
        before = run.manifest.steps;
    }
    let now = AppOptions { runs_dir: Some(home.path().join("runs")), ..options(home.path()) };
    let mut harness = window([1280.0, 900.0], now);
    settle(&mut harness);
    assert!(messages(&harness).contains("2 runs of the queue were not trained to the end"), "{}", messages(&harness));
    execute(&mut harness, Command::RestoreSession);
    wait(&mut harness, "the run", |h| h.state().shown_run().is_some());
    settle(&mut harness);
    assert_eq!(harness.state().shown_run().unwrap().progress.step, before);
    assert!(harness.state().run().is_none(), "nothing begins by itself");
    assert_eq!(queue(&harness), [JobState::Held, JobState::Held]);
    assert!(messages(&harness).contains("are held until you let them go on"), "{}", messages(&harness));
    assert!(!messages(&harness).contains("did not end in the normal way"), "what was offered is done: {}", messages(&harness));
    pictures(&mut harness, "restored_queue");
    harness.get_all_by_label("Start the queue").next().unwrap().click();
    wait(&mut harness, "going on", |h| steps(h) > before);
    let job = harness.state().queue().training().unwrap().clone();
    assert_eq!(job.folder.as_ref(), Some(&folder), "the run that was interrupted goes on in its folder");
    assert_eq!(queue(&harness), [JobState::Training, JobState::Waiting]);
    // A window that ends well with runs that wait says so at the next start.
    harness.state_mut().on_exit();
    drop(harness);
    let now = AppOptions { runs_dir: Some(home.path().join("runs")), ..options(home.path()) };
    let mut harness = window([900.0, 640.0], now);
    settle(&mut harness);
    assert!(messages(&harness).contains("not trained to the end in the last session"), "{}", messages(&harness));
}

#[test]
fn a_run_goes_on_from_the_runs_view_and_its_recording_is_opened_first() {
    let home = tempfile::tempdir().unwrap();
    let file = csv(home.path(), "other.csv");
    let (then, survivors) = training(home.path(), endless(), None);
    let mut harness = window([1280.0, 900.0], then);
    wait(&mut harness, "training", |h| steps(h) > 0);
    drop(harness);
    stop(&survivors);
    let before = only_run(home.path()).manifest.steps;
    let now = AppOptions { runs_dir: Some(home.path().join("runs")), ..options(home.path()) };
    let mut harness = window([1280.0, 900.0], now);
    open(&mut harness, &file);
    let runs_view = VIEWS.iter().position(|view| view.key == "runs").unwrap();
    execute(&mut harness, Command::Show(runs_view));
    wait(&mut harness, "offered", |h| h.query_by_label("Show all recordings").is_some());
    harness.get_by_label("Show all recordings").click();
    settle(&mut harness);
    let name = only_run(home.path()).path.file_name().unwrap().to_string_lossy().into_owned();
    harness.get_by_label(&name).click();
    wait(&mut harness, "selected", |h| h.query_by_label("Resume training").is_some());
    harness.get_by_label("Resume training").click();
    wait(&mut harness, "going on", |h| steps(h) > before);
    assert!(harness.state().recording().unwrap().name.contains("demo"));
    assert_eq!(queue(&harness), [JobState::Training], "it can be paused and stopped like every run");
    execute(&mut harness, Command::Discard);
}

#[test]
fn what_a_lost_gpu_means_is_chosen_in_the_window_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let file = csv(home.path(), "a.csv");
    for round in 0..2 {
        let mut harness = window([1280.0, 900.0], options(home.path()));
        open(&mut harness, &file);
        let train = VIEWS.iter().position(|view| view.key == "train").unwrap();
        execute(&mut harness, Command::Show(train));
        if round == 0 {
            harness.get_by_label("When the GPU is lost: continue on the CPU").click();
            settle(&mut harness);
            harness.get_by_label("stop, to be resumed").click();
            settle(&mut harness);
        }
        harness.get_by_label("When the GPU is lost: stop, to be resumed");
        harness.state_mut().on_exit();
        drop(harness);
        let settings = std::fs::read_to_string(home.path().join("settings.json")).unwrap();
        assert!(settings.contains("\"on_device_lost\": \"stop\""), "{settings}");
    }
}
