//! Views of a spatiotemporal Transformer, with a run made of formulas.

use super::*;

fn state() -> (Option<Arc<Recording>>, Option<RunState>) {
    let recording = fake_stndt::recording();
    let run = fake_stndt::run(&recording);
    (Some(recording), Some(run))
}

const VIEWS_OF_STNDT: [&str; 5] = ["rates", "attention", "trajectories", "lesion", "decoding"];

#[test]
fn they_describe_what_they_draw() {
    let state = state();
    let said = |show: &str, text: &str| {
        let harness = picture([900.0, 640.0], Theme::Dark, 1.0, state.clone(), Some(show));
        assert!(harness.get_all_by_label_contains(text).count() > 0, "{show} does not say {text}");
    };
    said("rates", "Rate of unit 1, held out: ");
    said("rates", "true rate");
    said("rates", "co-bps 0.312 bits/spike");
    said("rates", "smoothing 0.21");
    said("attention", "Attention between 48 units in layer 1, mean over validation trials, most attended unit ");
    said("attention", "rank correlation 0.93");
    said("trajectories", "12 trials of 600 ms as curves in three directions that explain 79 % of the variance");
    said("lesion", "ready when the run has finished");
    said("decoding", "ready when the run has finished");
}

#[test]
fn without_their_run_they_say_what_to_train() {
    let recording = fake::recording();
    for show in VIEWS_OF_STNDT {
        let harness = picture([420.0, 320.0], Theme::Light, 1.0, (Some(Arc::clone(&recording)), None), Some(show));
        harness.get_by_label_contains("Train STNDT to see ");
        harness.get_by_label("Go to Train");
    }
    let run = fake::run(&recording);
    let harness = picture([420.0, 320.0], Theme::Light, 1.0, (Some(recording), Some(run)), Some("attention"));
    harness.get_by_label_contains("The run shown is one of GLM-Transformer");
}

#[test]
fn the_rates_of_a_glm_transformer_are_shown_without_a_score() {
    let recording = fake::recording();
    let mut run = fake::run(&recording);
    let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
    let bins = run.data.as_ref().unwrap().1.bins;
    snapshot.trials[0].log_rate = vec![vec![(20.0_f32 * 0.002).ln(); 48]; bins];
    run.snapshot = Some(Arc::new(snapshot));
    let harness = picture([720.0, 540.0], Theme::Light, 1.0, (Some(recording), Some(run)), Some("rates"));
    harness.get_by_label_contains("Rate of unit 0: ");
    harness.get_by_label_contains("unit 2: 7 spikes, inferred mean 20 Hz, mean of 84 training trials");
    assert!(harness.query_by_label_contains("co-bps").is_none());
}

#[test]
fn a_listed_unit_is_selected_in_all_views_and_its_rate_shown() {
    let (recording, run) = state();
    let mut harness = picture([900.0, 640.0], Theme::Light, 1.0, (recording.clone(), run.clone()), Some("attention"));
    harness.get_by_label_contains("1. unit ").click();
    settle(&mut harness);
    let chosen: Vec<usize> = harness.state().selection().units.iter().copied().collect();
    assert!(chosen.len() == 1 && chosen[0] % 11 == 3, "{chosen:?}");
    harness.get_by_label("Select these 10").click();
    settle(&mut harness);
    assert_eq!(harness.state().selection().units.len(), 10);
    let mut harness = picture([900.0, 640.0], Theme::Light, 1.0, (recording, run), Some("rates"));
    harness.state_mut().selection_mut().units = [37].into();
    settle(&mut harness);
    harness.get_by_label_contains("Rate of unit 37, held out");
    assert!(harness.query_by_label_contains("Rate of unit 1,").is_none());
}

#[test]
fn attention_is_shown_by_area_over_time_and_of_one_trial() {
    let mut harness = picture([900.0, 640.0], Theme::Light, 1.0, state(), Some("attention"));
    harness.get_by_label("Top units").click();
    settle(&mut harness);
    harness.get_by_label("Most attended units");
    harness.get_by_label("Areas").click();
    settle(&mut harness);
    harness.get_by_label_contains("Attention between areas in layer 1, mean over validation trials: V1 on V1 ");
    harness.get_by_label("Time").click();
    settle(&mut harness);
    harness.get_by_label_contains("Attention between 120 time bins in layer 1");
    assert!(harness.get_all_by_label_contains("a bin draws on 200 ms before and 20 ms after it").count() > 0);
    harness.get_by_label("One trial").click();
    harness.state_mut().selection_mut().trial = 2;
    settle(&mut harness);
    harness.get_by_label_contains("time bins in layer 1, trial 3");
    harness.state_mut().selection_mut().trial = 90;
    settle(&mut harness);
    harness.get_by_label_contains("Trial 91 comes with the next update; trial 1 is shown");
}

#[test]
fn several_trials_are_coloured_by_what_happened_in_them() {
    let mut harness = picture([900.0, 640.0], Theme::Light, 1.0, state(), Some("rates"));
    harness.get_by_label("Several trials").click();
    settle(&mut harness);
    harness.get_by_label_contains("Rates of unit 1, held out in 6 trials");
    harness.get_by_label("Colour by: direction");
    harness.get_by_label("left");
    harness.get_by_label("Score").click();
    settle(&mut harness);
    harness.get_by_label_contains("Score against optimiser step: co-bps 0.312 bits/spike, smoothing 0.21, true rates 0.41");
}

#[test]
fn trajectories_are_turned_by_keys_played_and_reset() {
    let mut harness = picture([720.0, 540.0], Theme::Light, 1.0, state(), Some("trajectories"));
    let before = harness.render().unwrap();
    harness.get_by_label_contains("as curves in three directions").focus();
    settle(&mut harness);
    harness.key_press(Key::ArrowLeft);
    settle(&mut harness);
    assert_ne!(harness.render().unwrap(), before);
    harness.get_by_label("Play").click();
    harness.run_steps(8);
    harness.get_by_label("Hold").click();
    settle(&mut harness);
    harness.get_by_label("Play");
    harness.get_by_label("Reset view").click();
    settle(&mut harness);
    harness.get_by_label("Colour by: direction");
}

#[test]
fn a_run_that_was_not_written_cannot_be_lesioned() {
    let (recording, run) = state();
    let run = fake::with_phase(run.unwrap(), fake::finished());
    let harness = picture([720.0, 540.0], Theme::Light, 1.0, (recording, Some(run)), Some("lesion"));
    harness.get_by_label_contains("This run was not written to a folder");
}

#[test]
fn they_survive_tiny_and_narrow_windows() {
    squeeze(&state(), &VIEWS_OF_STNDT);
}

/// Pictures of each view in both themes, compared with `tests/snapshots`.
#[test]
fn pictures() {
    let state = state();
    let mut results = egui_kittest::SnapshotResults::new();
    let shots: [(&str, &str, &[&str]); 5] = [
        ("rates", "rates", &[]),
        ("attention", "attention", &[]),
        ("trajectories", "trajectories", &[]),
        ("rates_several", "rates", &["Several trials"]),
        ("attention_of_bins", "attention", &["Time"]),
    ];
    for (name, show, press) in shots {
        compare(&mut results, name, [720.0, 540.0], &state, Some(show), press);
    }
    results.unwrap();
}
