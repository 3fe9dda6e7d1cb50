//! A NetFormer in the background: it finds the connections of systems whose truth is known, shows them beside the
//! cross-correlation, is kept and read again, and nobody who watches changes the numbers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod trained;

use std::sync::Arc;

use spikescope::runs;
use spikescope::simulate;
use spikescope::training::{Phase, StartOptions, TrainingHandle};
use trained::{recipe, run};

/// The published settings of the linear toy system, for fewer epochs.
const TOY: [(&str, &str); 9] = [
    ("model.history", "1"),
    ("model.identity", "5"),
    ("model.key_width", "5"),
    ("model.layer_norm", "false"),
    ("model.scale", "false"),
    ("model.rate", "0.01"),
    ("model.schedule", "constant"),
    ("model.batch", "80"),
    ("model.standardise", "none"),
];

#[test]
fn the_connections_of_a_toy_system_are_found_shown_and_kept() {
    let recording = Arc::new(simulate::by_name("toy", &[("steps", "3100"), ("seed", "1")]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("run");
    let changes = [&TOY[..], &[("model.max_epochs", "700"), ("model.patience_epochs", "0")]].concat();
    let recipe = recipe("netformer", &recording, &changes);
    let options = StartOptions { run: Some(target.clone()), watched: true, ..StartOptions::default() };
    let (watched, snapshot) = run(&recording, recipe.clone(), options);
    let mut few = recipe;
    few.set("model.max_epochs", "10").unwrap();
    let (seen, _) = run(&recording, few.clone(), StartOptions { watched: true, ..StartOptions::default() });
    let (alone, _) = run(&recording, few, StartOptions::default());
    for key in ["test_loss", "pearson", "prediction_r2"] {
        assert_eq!(seen.summary[key], alone.summary[key], "{key}");
    }
    let number = |key: &str| watched.summary[key].as_f64().unwrap_or_else(|| unreachable!("{key} is missing in {}", watched.summary));
    assert!(number("pearson") > 0.9 && number("prediction_r2") > 0.9, "{}", watched.summary);
    assert!(number("test_loss") < 0.1 * number("flat_loss") && number("lag1_pearson").is_finite());
    assert_eq!(
        watched.summary["bins"]["train"].as_u64().unwrap(),
        (recording.activity.as_ref().unwrap().bins() as f64 * 0.7).round() as u64
    );

    let own = snapshot.netformer().unwrap();
    let units = recording.n_units();
    assert_eq!((own.attention.dim(), own.lag_one.dim(), own.r2.len()), ((units, units), (units, units), units));
    assert_eq!((own.truth.as_ref().unwrap().dim(), own.stretches.len()), ((units, units), snapshot.trials.len()));
    assert!(own.scores.last().unwrap().pearson > own.scores[0].pearson && own.static_share > 0.5);
    // The system connects all units, so that there is no AUC, and NaN is not equal to itself.
    let kept = runs::load(&target).unwrap().snapshot.unwrap();
    let read = kept.netformer().unwrap();
    assert_eq!((&read.attention, &read.stretches, &read.lag_one, &read.truth), (&own.attention, &own.stretches, &own.lag_one, &own.truth));
    assert_eq!((read.scores.len(), read.r2.clone(), kept.trials), (own.scores.len(), own.r2.clone(), snapshot.trials.clone()));
}

#[test]
fn spike_counts_are_predicted_by_log_rates_and_bad_settings_are_told() {
    let settings = [("trials", "40"), ("areas", "6x5"), ("units_per_edge", "4"), ("seed", "3")];
    let recording = Arc::new(simulate::by_name("glm", &settings).unwrap());
    let short = [("model.history", "3"), ("model.max_epochs", "2")];
    let (finished, snapshot) = run(&recording, recipe("netformer-counts", &recording, &short), StartOptions::default());
    assert!(finished.summary["test_loss"].as_f64().unwrap().is_finite());
    assert_eq!((snapshot.areas.len(), snapshot.area_sizes.clone()), (2, vec![6, 5]));
    assert!(snapshot.netformer().unwrap().truth.is_none(), "edges between areas are no weights between units");
    let refused = |preset: &str, changes: &[(&str, &str)]| {
        let handle = TrainingHandle::start(Arc::clone(&recording), recipe(preset, &recording, changes), StartOptions::default()).unwrap();
        match &handle.wait().phase {
            Phase::Failed(why) => why.clone(),
            other => unreachable!("expected a failed run, found {other:?}"),
        }
    };
    assert!(refused("netformer", &[("model.history", "5000")]).contains("shorten the history"));
    assert!(refused("netformer", &[("data.min_rate_hz", "5000")]).contains("5000 Hz"));
}
