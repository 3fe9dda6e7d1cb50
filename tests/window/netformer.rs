//! Views of a NetFormer, with short real runs: the synapses of a plastic neuron, areas of a recording with several, cell types.

use super::trained::{recipe, watched as trained};
use super::*;
use spikescope::simulate;
use spikescope::training::Recipe;

fn stdp() -> Arc<Recording> {
    let settings = [("synapses", "25"), ("steps", "6000"), ("rate_hz", "200")];
    Arc::new(simulate::by_name("stdp", &settings).unwrap())
}

fn synapses() -> (Option<Arc<Recording>>, Option<RunState>) {
    let recording = stdp();
    let run = trained(&recording, &recipe("netformer-stdp", &recording, &[("model.max_epochs", "2")]), None);
    (Some(recording), Some(run))
}

/// A network of cell types with a covariate that has two states.
fn cells() -> (Option<Arc<Recording>>, Option<RunState>) {
    let mut recording = simulate::by_name("cell_types", &[("units", "40"), ("steps", "2500"), ("seed", "3")]).unwrap();
    let times: Vec<f64> = (0..2500).map(|k| f64::from(k) * 0.1).collect();
    let values = times.iter().map(|t| if ((t / 25.0) as usize).is_multiple_of(2) { 0.0 } else { 1.0 }).collect();
    recording.covariates.push(spikescope::recording::Covariate { name: "running".into(), unit: String::new(), times, values });
    let recording = Arc::new(recording);
    let changes = [("model.history", "9"), ("model.identity", "20"), ("model.max_epochs", "2")];
    let run = trained(&recording, &recipe("netformer-cell-types", &recording, &changes), None);
    (Some(recording), Some(run))
}

/// Three areas of spikes, without truth between units.
fn areas() -> (Option<Arc<Recording>>, Option<RunState>) {
    let recording = fake::recording();
    let changes = [("model.history", "3"), ("model.identity", "8"), ("model.max_epochs", "1")];
    let run = trained(&recording, &recipe("netformer-counts", &recording, &changes), None);
    (Some(recording), Some(run))
}

const VIEWS_OF_NETFORMER: [&str; 6] = ["connectivity", "synapses", "by_group", "attention_time", "prediction", "trust"];

fn says(harness: &Window<'_>, text: &str) {
    assert!(harness.get_all_by_label_contains(text).count() > 0, "nothing says {text}");
}

#[test]
fn a_synapse_is_watched_while_it_is_learned() {
    let recording = stdp();
    let mut harness = picture([1100.0, 760.0], Theme::Light, 1.0, (Some(recording), None), None);
    harness.get_by_label("Train").click();
    settle(&mut harness);
    harness.get_by_label("Model: GLM-Transformer").click();
    settle(&mut harness);
    // Farther down in the list than is seen at once.
    harness.get_by_label_contains("NetFormer, plastic synapses").click_accesskit();
    settle(&mut harness);
    assert_eq!(harness.state().recipe().model.preset().key, "netformer-stdp");
    wait(&mut harness, "summed up", |h| !h.get_by_label("Start training").accesskit_node().is_disabled());
    harness.get_by_label("Start training").click();
    settle_running(&mut harness);
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Show(index("synapses")));
    wait(&mut harness, "inferred beside true", |h| {
        h.query_all_by_label_contains("true, on its own scale").next().is_some()
            && h.query_all_by_label_contains("Attention over time, ").next().is_some()
    });
    says(&harness, "correlation in time with the truth: median");
    harness.get_by_label("All").click();
    wait(&mut harness, "all synapses", |h| h.query_all_by_label_contains("True strengths of 25 connections over time").next().is_some());
    says(&harness, "Inferred strengths of 25 connections over time");
    harness.state_mut().execute(&ctx, Command::Show(index("train")));
    wait(&mut harness, "train", |h| h.query_by_label("Discard").is_some());
    harness.get_by_label("Discard").click();
    wait(&mut harness, "over", |h| h.state().run().is_some_and(|run| !matches!(run.progress.phase, Phase::Running | Phase::Preparing)));
}

/// Until the run has shown something.
fn settle_running(harness: &mut Window<'_>) {
    wait(harness, "shown", |h| h.state().run().is_some_and(|run| run.snapshot.as_ref().is_some_and(|s| s.netformer().is_some())));
}

#[test]
fn areas_of_a_recording_are_one_click_away() {
    let mut harness = picture([1000.0, 420.0], Theme::Light, 1.0, areas(), Some("connectivity"));
    says(&harness, "NetFormer, 48 receiving by 48 sending");
    harness.get_by_label("Areas").click();
    settle(&mut harness);
    says(&harness, "NetFormer, 3 receiving by 3 sending");
    says(&harness, "Cross-correlation, 3 receiving by 3 sending");
    harness.get_by_label("Group by: area").click();
    settle(&mut harness);
    harness.get_by_label("probe").click();
    settle(&mut harness);
    says(&harness, "NetFormer, 2 receiving by 2 sending");
    harness.get_by_label("Range of time").click();
    settle(&mut harness);
    harness.get_by_label("Play").click();
    harness.run_steps(8);
    harness.get_by_label("Hold").click();
    settle(&mut harness);
    assert!(harness.state().selection().cursor.is_some(), "playing moves the time of all views");
}

#[test]
fn other_simple_methods_are_set_beside_the_cross_correlation() {
    let state = cells();
    let mut harness = picture([1200.0, 520.0], Theme::Light, 1.0, state, Some("connectivity"));
    assert!(harness.query_by_label_contains("least squares, one bin back: Pearson").is_none());
    harness.get_by_label("Also by: none").click();
    settle(&mut harness);
    harness.get_by_label("least squares, one bin back").click();
    settle(&mut harness);
    says(&harness, "least squares, one bin back, 40 receiving by 40 sending");
    says(&harness, "Cross-correlation, 40 receiving by 40 sending");
    harness.get_by_label_contains("least squares, one bin back: Pearson ");
    harness.get_by_label("Groups").click();
    settle(&mut harness);
    says(&harness, "least squares, one bin back, 4 receiving by 4 sending");
    harness.get_by_label("Also by: least squares, one bin back").click();
    settle(&mut harness);
    harness.get_by_label("mutual information").click();
    settle(&mut harness);
    says(&harness, "mutual information, 4 receiving by 4 sending");
}

#[test]
fn synapses_are_shown_one_by_one_and_all_at_once() {
    let state = synapses();
    let mut harness = picture([1000.0, 700.0], Theme::Light, 1.0, state.clone(), Some("connectivity"));
    says(&harness, "1 of 26 units are predicted");
    harness.get_by_label("Show their synapses");
    let harness_of_truth = picture([600.0, 400.0], Theme::Light, 1.0, state.clone(), Some("truth"));
    harness_of_truth.get_by_label("Go to Trust");
    harness = picture([1000.0, 700.0], Theme::Light, 1.0, state, Some("synapses"));
    says(&harness, "Attention over time, input ");
    says(&harness, "correlation in time with the truth: median");
    harness.get_by_label("Show the worst connection").click();
    settle(&mut harness);
    harness.get_by_label("Best").click();
    settle(&mut harness);
    harness.get_by_label("All").click();
    settle(&mut harness);
    says(&harness, "Inferred strengths of 25 connections over time, median correlation");
}

#[test]
fn groups_states_predictions_and_limits_are_told() {
    let state = cells();
    let mut harness = picture([1000.0, 700.0], Theme::Dark, 1.0, state.clone(), Some("by_group"));
    says(&harness, "Truth, 4 groups, strongest");
    says(&harness, "over 6 stretches of the recording");
    harness.get_by_label("Bars").click();
    settle(&mut harness);
    says(&harness, "pairs of groups in 2 states");
    harness.get_by_label("Difference").click();
    settle(&mut harness);
    says(&harness, "differ by more than twice their spread");
    let mut harness = picture([1000.0, 700.0], Theme::Light, 1.0, state.clone(), Some("attention_time"));
    says(&harness, "coloured by 2 states");
    harness.get_by_label("Similarity").click();
    settle(&mut harness);
    says(&harness, "Correlation of attention between ");
    let mut harness = picture([1000.0, 700.0], Theme::Light, 1.0, state.clone(), Some("prediction"));
    says(&harness, "Predicted and actual activity of unit ");
    says(&harness, "R² of 40 units, mean ");
    harness.get_by_label("Worst").click();
    settle(&mut harness);
    let mut harness = picture([1000.0, 700.0], Theme::Light, 1.0, state, Some("trust"));
    says(&harness, "Cross-correlation: Lag-1 correlation against True weight, Pearson ");
    harness.get_by_label("Modes").click();
    settle(&mut harness);
    says(&harness, "40 eigenvalues of Mean attention in the complex plane");
    harness.get_by_label("How far to trust this").click();
    settle(&mut harness);
    says(&harness, "Strong recurrence makes false edges");
    says(&harness, "explained by identities alone");
    says(&harness, "Compared when the run has finished and was written to a folder");
}

#[test]
fn a_kept_run_is_read_again_and_compared_with_other_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Arc::new(simulate::by_name("toy", &[("steps", "700")]).unwrap());
    let run = |seed: u64, name: &str| {
        let recipe = Recipe { seed, ..recipe("netformer-toy-linear", &recording, &[("model.max_epochs", "3")]) };
        trained(&recording, &recipe, Some(&folder.path().join(name)))
    };
    let (mut first, _) = (run(1, "first"), run(2, "second"));
    // As a run that was loaded: without the network itself.
    let kept = spikescope::runs::load(&folder.path().join("first")).unwrap();
    first.snapshot = kept.snapshot.map(Arc::new);
    assert!(first.snapshot.as_ref().unwrap().netformer().unwrap().model.is_none());
    let state = (Some(recording), Some(first));
    let mut harness = picture([900.0, 900.0], Theme::Light, 1.0, state.clone(), Some("trust"));
    harness.get_by_label("How far to trust this").click();
    settle(&mut harness);
    says(&harness, "seed 2 (second)");
    says(&harness, "Mean correlation between runs");
    let harness = picture([900.0, 700.0], Theme::Light, 1.0, state.clone(), Some("synapses"));
    says(&harness, "The true weights do not change");
    let harness = picture([900.0, 700.0], Theme::Light, 1.0, state, Some("prediction"));
    says(&harness, "Predicted and actual activity of unit ");
}

#[test]
fn without_their_run_they_say_what_to_train() {
    let recording = fake::recording();
    for show in VIEWS_OF_NETFORMER {
        let harness = picture([420.0, 320.0], Theme::Light, 1.0, (Some(Arc::clone(&recording)), None), Some(show));
        harness.get_by_label_contains("Train NetFormer to see ");
        harness.get_by_label("Go to Train");
    }
    let run = fake::run(&recording);
    let harness = picture([420.0, 320.0], Theme::Light, 1.0, (Some(recording), Some(run)), Some("trust"));
    harness.get_by_label_contains("The run shown is one of GLM-Transformer");
}

#[test]
fn they_survive_tiny_and_narrow_windows() {
    for state in [synapses(), areas()] {
        squeeze(&state, &VIEWS_OF_NETFORMER);
    }
}

/// Pictures of each view in both themes, compared with `tests/snapshots`. The runs are short but real: on the CPU the same recipe
/// gives the same numbers.
#[test]
fn pictures() {
    let (cells, areas, synapses) = (cells(), areas(), synapses());
    let mut results = egui_kittest::SnapshotResults::new();
    let shots: [(&str, &str, &(_, _), &[&str]); 10] = [
        ("connectivity", "connectivity", &cells, &[]),
        ("connectivity_areas", "connectivity", &areas, &["Areas"]),
        ("synapse", "synapses", &synapses, &[]),
        ("synapses_all", "synapses", &synapses, &["All"]),
        ("by_group", "by_group", &cells, &[]),
        ("by_group_bars", "by_group", &cells, &["Bars"]),
        ("attention_plane", "attention_time", &cells, &[]),
        ("prediction", "prediction", &cells, &[]),
        ("trust", "trust", &cells, &[]),
        ("trust_panel", "trust", &cells, &["How far to trust this"]),
    ];
    for (name, show, state, press) in shots {
        compare(&mut results, name, [720.0, 480.0], state, Some(show), press);
    }
    results.unwrap();
}

/// Large pictures for people to look at: `SPIKESCOPE_PICTURES=/tmp/p cargo test --test window netformer::look`.
#[test]
fn look() {
    let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let (cells, areas, synapses) = (cells(), areas(), synapses());
    let shots: [(&str, &str, &(_, _), &[&str]); 17] = [
        ("cells", "connectivity", &cells, &[]),
        ("cells_groups", "connectivity", &cells, &["Groups"]),
        ("cells_range", "connectivity", &cells, &["Range of time"]),
        ("areas", "connectivity", &areas, &["Areas"]),
        ("synapse_map", "connectivity", &synapses, &[]),
        ("one", "synapses", &synapses, &[]),
        ("all", "synapses", &synapses, &["All"]),
        ("cells_strongest", "synapses", &cells, &["All"]),
        ("matrices", "by_group", &cells, &[]),
        ("bars", "by_group", &cells, &["Bars"]),
        ("difference", "by_group", &cells, &["Difference"]),
        ("plane", "attention_time", &cells, &[]),
        ("similarity", "attention_time", &cells, &["Similarity"]),
        ("prediction", "prediction", &cells, &[]),
        ("scatter", "trust", &cells, &[]),
        ("modes", "trust", &cells, &["Modes"]),
        ("panel", "trust", &cells, &["How far to trust this"]),
    ];
    let only = std::env::var("SPIKESCOPE_VIEW").ok();
    let sizes = std::env::var("SPIKESCOPE_SIZES").is_ok();
    for (name, show, state, clicks) in shots {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let mut looks = vec![(Theme::Light, "light", 1.0, [900.0, 620.0]), (Theme::Dark, "dark", 1.0, [900.0, 620.0])];
        if sizes {
            looks.extend([
                (Theme::Light, "wide", 1.0, [1300.0, 340.0]),
                (Theme::Light, "narrow", 1.0, [380.0, 640.0]),
                (Theme::Dark, "2x", 2.0, [900.0, 620.0]),
            ]);
        }
        for (theme, look, scale, size) in looks {
            let mut harness = picture(size, theme, scale, state.clone(), Some(show));
            for click in clicks {
                harness.get_by_label(click).click();
                settle(&mut harness);
            }
            harness.render().unwrap().save(folder.join(format!("{show}_{name}_{look}.png"))).unwrap();
        }
    }
}
