//! Published experiments of NetFormer from one command each, and a run beside the baselines.

use super::*;

fn train(folder: &Path, arguments: &[&str]) -> Value {
    let fixed = ["train", "--device", "cpu", "--quiet", "--json"];
    last_json(&done(folder, &[&fixed[..], arguments].concat()))
}

#[test]
fn the_summary_of_plastic_synapses_has_every_correlation_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = ["--simulate", "stdp", "--sim-set", "synapses=25", "--sim-set", "rate_hz=200", "--sim-set", "steps=6000"];
    let model = ["--model", "netformer-stdp", "--set", "max_epochs=4", "--out", "run"];
    let summary = train(folder.path(), &[&simulation[..], &model[..]].concat());
    let synapses = &summary["synapses"];
    assert_eq!((synapses["count"].as_u64(), synapses["each"].as_array().map(Vec::len)), (Some(25), Some(25)));
    assert!(synapses["median"].as_f64().unwrap().abs() <= 1.0 && synapses["over"] == "test windows", "{synapses}");
    assert_eq!((synapses["each"][0]["from"].as_str(), synapses["each"][0]["to"].as_str()), (Some("input 1"), Some("neuron")));
    let ols = &summary["connectivity"]["ols"];
    for of in ["r2", "r2_from_history"] {
        assert!((0.3..1.0).contains(&ols[of].as_f64().unwrap()), "{of}: {ols}");
    }
    assert!(summary["prediction_r2"].as_f64().unwrap() > 0.0, "{summary}");
    let recipe = std::fs::read_to_string(folder.path().join("run/recipe.toml")).unwrap();
    assert!(
        recipe.contains("series = \"membrane potential\"") && recipe.contains("identity = 26") && recipe.contains("key_width = 26"),
        "{recipe}"
    );
}

#[test]
fn a_run_on_cell_types_is_scored_by_group_and_beside_the_baselines() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["simulate", "cell_types", "--out", "net.npz", "--set", "units=30", "--set", "steps=3000"]);
    let short = ["--set", "history=5", "--set", "identity=10", "--set", "max_epochs=3"];
    let summary = train(folder.path(), &[&["net.npz", "--model", "netformer-cell-types", "--out", "run"][..], &short[..]].concat());
    assert_eq!((summary["groups"]["by"].as_str(), summary["groups"]["means"].as_array().map(Vec::len)), (Some("cell type"), Some(16)));
    for of in ["netformer", "lag1"] {
        for pairs in ["different_units", "with_self"] {
            assert!(summary["connectivity"][of][pairs]["pearson"].as_f64().unwrap().abs() <= 1.0, "{of} {pairs}");
        }
    }
    assert!(summary["connectivity"]["lag1"]["different_units"]["pearson"].as_f64().unwrap() > 0.5);
    let beside = last_json(&done(folder.path(), &["connectivity", "net.npz", "--run", "run", "--json", "--out", "m.npz"]));
    let methods = beside["methods"].as_array().unwrap();
    assert_eq!(methods.iter().map(|m| m["method"].as_str().unwrap()).collect::<Vec<_>>(), ["netformer_run", "lag1", "ols"]);
    // The same numbers as the run told of itself.
    let own = methods[0]["scores"]["different_units"]["pearson"].as_f64().unwrap();
    let told = summary["connectivity"]["netformer"]["different_units"]["pearson"].as_f64().unwrap();
    assert!((own - told).abs() < 1e-4, "{own} and {told}");
    assert!(methods.iter().all(|m| m["scores"]["different_units"]["auc"].as_f64().is_some()));
    let text = done(folder.path(), &["connectivity", "net.npz", "--run", "run"]);
    assert!(text.contains("NetFormer (run)") && text.contains("lag-1 cross-correlation"), "{text}");
    done(folder.path(), &["simulate", "cell_types", "--out", "other.npz", "--set", "units=30", "--set", "steps=500", "--seed", "9"]);
    one_line(&refused(folder.path(), 2, &["connectivity", "other.npz", "--run", "run"]), "other data");
}

#[test]
fn external_inputs_are_read_beside_the_units_and_missing_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = ["--simulate", "task_rnn", "--sim-set", "task=go_no_go", "--sim-set", "trials=60", "--sim-set", "iterations=50"];
    let model = ["--model", "netformer-go-no-go", "--set", "max_epochs=3", "--out", "run"];
    let summary = train(folder.path(), &[&simulation[..], &model[..]].concat());
    assert_eq!(summary["connectivity"]["netformer"]["different_units"]["pairs"].as_u64(), Some(56), "eight units, no inputs among them");
    assert!(summary["connectivity"]["ols"]["r2"].as_f64().unwrap() > 0.3, "{summary}");
    let arguments = ["train", "--simulate", "toy", "--sim-set", "steps=500", "--model", "netformer-go-no-go", "--quiet", "--out", "none"];
    one_line(&refused(folder.path(), 1, &arguments), "no external inputs");
    let arguments = [
        "train",
        "--simulate",
        "toy",
        "--sim-set",
        "steps=500",
        "--model",
        "netformer-stdp",
        "--set",
        "signal=automatic",
        "--quiet",
        "--out",
        "none",
    ];
    one_line(&refused(folder.path(), 1, &arguments), "no covariate 'membrane potential'");
}

#[test]
fn the_spiking_ring_is_fitted_by_its_spikes() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = ["--simulate", "spiking_ring", "--sim-set", "units=20", "--sim-set", "steps=4000"];
    let model = ["--model", "netformer-spiking-ring", "--set", "max_epochs=1", "--set", "identity=8", "--out", "run"];
    let summary = train(folder.path(), &[&simulation[..], &model[..]].concat());
    // Spikes are rare in bins of 0.1 ms: a flat rate has a small loss, which traces of spikes would not have.
    let (loss, flat) = (summary["test_loss"].as_f64().unwrap(), summary["flat_loss"].as_f64().unwrap());
    assert!(loss.is_finite() && flat > 0.0 && flat < 0.2, "{loss} and {flat}");
}
