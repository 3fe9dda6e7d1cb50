//! The training thread: it obeys, it survives, and nobody who watches changes the numbers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod trained;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spikescope::recording::Recording;
use spikescope::runs;
use spikescope::simulate;
use spikescope::training::{Command, DeviceChoice, Phase, Progress, Recipe, StartOptions, Support, TrainingHandle};
use trained::numbers;

/// Two areas of 12 units, 120 trials, one strong edge.
fn recording() -> Arc<Recording> {
    let settings = [("trials", "120"), ("areas", "12x12"), ("units_per_edge", "6"), ("seed", "3")];
    Arc::new(simulate::by_name("glm", &settings).unwrap())
}

/// A small model on the CPU.
fn recipe(changes: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
    let small =
        [("model.width", "16"), ("model.hidden", "32"), ("model.batch", "16"), ("model.max_epochs", "4"), ("model.edge_jitters", "4")];
    for (path, value) in small.iter().chain(changes) {
        recipe.set(path, value).unwrap();
    }
    recipe
}

fn start(recipe: Recipe, options: StartOptions) -> TrainingHandle {
    TrainingHandle::start(recording(), recipe, options).unwrap()
}

/// Wait until the progress is as wanted; tests fail rather than hang.
fn until(handle: &TrainingHandle, what: &str, wanted: impl Fn(&Progress) -> bool) -> Arc<Progress> {
    let begun = Instant::now();
    loop {
        let progress = handle.progress();
        if wanted(&progress) {
            return progress;
        }
        assert!(begun.elapsed() < Duration::from_secs(240), "waited for {what}, but it is {:?}, {}", progress.phase, progress.doing);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn summary(progress: &Progress) -> serde_json::Value {
    match &progress.phase {
        Phase::Finished(finished) => finished.summary.clone(),
        other => unreachable!("expected a finished run, found {other:?}"),
    }
}

#[test]
fn watched_paused_or_left_alone_the_numbers_are_the_same() {
    let alone = start(recipe(&[]), StartOptions::default());
    let losses_alone = {
        until(&alone, "the end", |p| matches!(p.phase, Phase::Finished(_) | Phase::Failed(_)));
        alone.losses()
    };
    let alone = alone.wait();

    let wakes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&wakes);
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let watched = start(recipe(&[]), StartOptions { wake: Some(wake), watched: true, ..StartOptions::default() });
    watched.send(Command::Pause);
    until(&watched, "the pause", |p| p.phase == Phase::Paused);
    watched.send(Command::Resume);
    let mut versions = Vec::new();
    until(&watched, "the end", |p| {
        watched.look(&[0, 1, 119]);
        versions_of(&watched, &versions);
        matches!(p.phase, Phase::Finished(_) | Phase::Failed(_))
    });
    versions.push(watched.snapshot().unwrap().version);
    let losses_watched = watched.losses();
    let last = watched.snapshot().unwrap();
    let watched = watched.wait();

    assert_eq!(numbers(&summary(&alone)), numbers(&summary(&watched)));
    assert_eq!(losses_alone, losses_watched);
    assert!(wakes.load(Ordering::Relaxed) > 0, "the window was woken");
    let glm = last.glm().unwrap();
    assert!(!glm.latents.is_empty() && !glm.post_spike.is_empty() && !last.trials.is_empty());
}

fn versions_of(handle: &TrainingHandle, seen: &[u64]) {
    if let (Some(snapshot), Some(&before)) = (handle.snapshot(), seen.last()) {
        assert!(snapshot.version >= before, "versions only grow");
    }
}

#[test]
fn a_step_at_a_time_and_the_end_on_request() {
    let handle = start(recipe(&[("model.max_epochs", "100000"), ("model.patience_steps", "1000000")]), StartOptions::default());
    until(&handle, "the first step", |p| p.phase == Phase::Running && p.step > 0);
    handle.send(Command::Pause);
    let paused = until(&handle, "the pause", |p| p.phase == Phase::Paused).step;
    handle.send(Command::Step);
    until(&handle, "one step", |p| p.phase == Phase::Paused && p.step == paused + 1);
    handle.send(Command::Step);
    until(&handle, "one more step", |p| p.phase == Phase::Paused && p.step == paused + 2);
    handle.send(Command::Discard);
    let end = handle.wait();
    assert_eq!(end.phase, Phase::Discarded);
    assert_eq!(end.step, paused + 2, "nothing ran between the requests");
}

#[test]
fn stopping_keeps_what_was_learned() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let options = StartOptions { run: Some(target.clone()), ..StartOptions::default() };
    let handle = start(recipe(&[("model.max_epochs", "100000"), ("model.patience_steps", "1000000")]), options);
    until(&handle, "a few steps", |p| p.step > 20);
    handle.send(Command::StopAndKeep);
    let end = handle.wait();
    assert!(summary(&end)["test_loss"].as_f64().unwrap() > 0.0);
    let run = runs::load(&target).unwrap();
    assert_eq!(run.manifest.status, runs::RunStatus::Stopped);
    assert!(!run.weights().unwrap().is_empty());
    assert!(run.losses.points.iter().any(|p| p.validation));
}

#[test]
fn discarding_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let handle = start(
        recipe(&[("model.max_epochs", "100000"), ("model.patience_steps", "1000000")]),
        StartOptions { run: Some(target.clone()), ..StartOptions::default() },
    );
    until(&handle, "a step", |p| p.step > 0);
    handle.send(Command::Discard);
    assert_eq!(handle.wait().phase, Phase::Discarded);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{} is there", target.display());
}

fn failed(end: &Progress) -> String {
    match &end.phase {
        Phase::Failed(message) => message.clone(),
        other => unreachable!("expected a failure, found {other:?}"),
    }
}

fn failed_run(target: &Path) -> runs::LoadedRun {
    let run = runs::load(target).unwrap();
    assert_eq!(run.manifest.status, runs::RunStatus::Failed);
    assert!(!run.weights().unwrap().is_empty(), "the last good weights are kept");
    run
}

#[test]
fn a_panic_in_training_is_a_message_and_the_weights_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    // The callback runs on the training thread: a panic in it is a panic of the thread.
    let wakes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&wakes);
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        assert!(count.fetch_add(1, Ordering::Relaxed) != 12, "injected");
    });
    let handle = start(
        recipe(&[("model.max_epochs", "1000")]),
        StartOptions { run: Some(target.clone()), wake: Some(wake), ..StartOptions::default() },
    );
    let message = failed(&handle.wait());
    assert!(message.contains("internal error") && message.contains("injected"), "{message}");
    assert!(message.contains(&target.display().to_string()), "{message}");
    failed_run(&target);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let options = StartOptions { run: Some(target.clone()), ..StartOptions::default() };
    let message = failed(&start(recipe(&[("model.rate", "1000"), ("model.max_epochs", "100")]), options).wait());
    assert!(message.contains("finite") && message.contains("learning rate"), "{message}");
    failed_run(&target);
}

#[test]
fn data_that_cannot_be_trained_on_says_which_setting_to_change() {
    for (path, value, words) in [
        ("data.trials.window_s", "500", "window"),
        ("data.min_rate_hz", "9000", "lowest rate"),
        ("data.trials.condition", "colour", "no column 'colour'"),
        ("data.trials.window_s", "0.01", "lengthen the window"),
    ] {
        let message = failed(&start(recipe(&[(path, value)]), StartOptions::default()).wait());
        assert!(message.contains(words), "{path} = {value}: {message}");
    }
}

#[test]
fn the_true_edge_is_supported_and_found_and_no_other() {
    let changes = [("model.max_epochs", "60"), ("model.edge_jitters", "20"), ("model.batch", "32")];
    let handle = TrainingHandle::start(Arc::new(simulate::demo().unwrap()), recipe(&changes), StartOptions::default()).unwrap();
    let begun = Instant::now();
    while !handle.is_over() {
        assert!(begun.elapsed() < Duration::from_secs(600), "{:?}", handle.progress());
        std::thread::sleep(Duration::from_millis(20));
    }
    let snapshot = handle.snapshot().unwrap();
    for pair in snapshot.pairs() {
        let Support::Scored { score, null, supported } = pair.support else { unreachable!("every pair is scored") };
        assert_eq!(supported, (pair.source, pair.target) == (0, 1), "{} → {}: {score} against {null}", pair.source, pair.target);
        if !supported {
            assert!(pair.filter.iter().flatten().all(|&x| x == 0.0), "an unsupported pair stays at zero");
            assert_eq!(pair.contribution_percent, 0.0);
            assert_eq!(pair.candidate.len(), pair.filter[0].len(), "what the score found is there to be seen");
        } else {
            assert!(pair.candidate.is_empty());
        }
    }
    // The rates that are shown are those of the spikes: without what past spikes do they would be too high.
    let recording = simulate::demo().unwrap();
    let starts = recipe(&[]).data.trials.resolve(&recording).unwrap().starts;
    let (mut spikes, mut with, mut without) = (0, 0.0, 0.0);
    for (place, trial) in snapshot.trials.iter().enumerate() {
        let start = starts[trial.trial];
        for column in 0..snapshot.area_sizes[0] {
            spikes += recording.spikes.unit_between(snapshot.units[column], start, start + 0.5).len();
            with += snapshot.rates_hz(place, column).sum::<f64>() * snapshot.bin_s;
            without += trial.log_rate.iter().map(|bin| f64::from(bin[column]).exp()).sum::<f64>();
        }
    }
    let share = |rates: f64| rates / spikes as f64;
    assert!((share(with) - 1.0).abs() < 0.08 && share(without) > 1.05, "{spikes} spikes, {with} with and {without} without past spikes");
    let truth = summary(&handle.wait())["truth"].clone();
    for key in ["cos_send", "cos_receive", "filter_corr"] {
        assert!(truth["edges"][0][key].as_f64().unwrap() > 0.9, "{truth}");
    }
}

#[test]
fn published_staging_trains_every_pair() {
    let handle = start(recipe(&[("model.published_staging", "true")]), StartOptions::default());
    let end = until(&handle, "the end", |p| matches!(p.phase, Phase::Finished(_) | Phase::Failed(_)));
    let snapshot = handle.snapshot().unwrap();
    assert!(snapshot.pairs().iter().all(|p| p.support == Support::NotScored && p.filter.iter().flatten().any(|&x| x != 0.0)));
    assert_eq!(summary(&end)["stages"].as_array().unwrap().len(), 4);
}

#[test]
fn sampled_latents_and_other_shapes_train() {
    for changes in [
        &[("model.sample_latent", "true"), ("model.rank", "2")][..],
        &[("model.self_coupling", "false"), ("model.decoder_multiple", "0"), ("model.layers", "2"), ("model.heads", "2")],
        &[("model.legacy_trial_attention", "true")],
        &[("data.trials.window_s", "0.3"), ("data.trials.padding_s", "0"), ("model.token_bins", "7")],
    ] {
        let mut changes = changes.to_vec();
        changes.push(("model.max_epochs", "2"));
        let summary = summary(&start(recipe(&changes), StartOptions::default()).wait());
        assert!(summary["test_loss"].as_f64().unwrap().is_finite(), "{changes:?}");
    }
}
