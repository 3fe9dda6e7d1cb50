//! Screening, testing and validating edges from the command line.

use super::{SHORT, done, last_json, one_line, refused};
use spikescope::runs;

#[test]
fn a_recording_is_screened_and_the_edges_of_a_run_are_tested() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(at, &["simulate", "glm", "--out", "two.npz", "--set", "areas=6x5", "--trials", "40", "--seed", "3"]);
    let screened = last_json(&done(at, &["edges", "two.npz", "--set", "edge_jitters=5", "--json", "--quiet"]));
    assert_eq!((screened["pairs"].as_array().unwrap().len(), screened["jitters"].as_u64()), (4, Some(5)));
    for key in ["source", "target", "score", "threshold", "p", "q", "supported", "null", "filter", "second_score"] {
        assert!(screened["pairs"][1].get(key).is_some(), "{key} is missing in {screened}");
    }
    assert!(done(at, &["edges", "two.npz", "--set", "edge_jitters=5", "--quiet"]).contains("A → B: score"));

    done(at, &[&["train", "two.npz", "--out", "run", "--quiet"], SHORT].concat());
    assert!(runs::edge_report(&at.join("run")).unwrap().is_none());
    let test =
        ["edges", "run", "--recording", "two.npz", "--nulls", "6", "--all-nulls", "--bootstrap", "3", "--halves", "2", "--json", "--quiet"];
    let tested = last_json(&done(at, &test));
    assert_eq!((tested["complete"].as_bool(), tested["edges"].as_array().unwrap().len()), (Some(true), 2));
    let edge = &tested["edges"][0];
    for key in ["verdict", "held_out_gain", "held_out_interval", "held_out_q", "contribution_percent", "found", "sentence"] {
        assert!(edge.get(key).is_some_and(|v| !v.is_null()), "{key} is missing in {edge}");
    }
    assert_eq!((edge["nulls"]["shuffle"]["copies"].as_u64(), edge["nulls"]["jitter"]["copies"].as_u64()), (Some(6), Some(6)));
    // The report is kept with the run, which is still a good one.
    let kept = runs::edge_report(&at.join("run")).unwrap().unwrap();
    assert_eq!((kept.edges.len(), kept.trials, kept.edges[0].nulls[0].contributions.len()), (2, (28, 8), 6));
    let run = runs::load(&at.join("run")).unwrap();
    assert!(run.manifest.files.iter().any(|f| f.path == runs::EDGE_ARRAYS) && run.snapshot.is_some());
    let mut arrays = spikescope::export::NpzSource::open(&at.join("run").join(runs::EDGE_ARRAYS)).unwrap();
    assert_eq!(arrays.array::<f64, ndarray::Ix2>("held_out").unwrap().dim(), (2, 8));
    assert_eq!(arrays.array::<f64, ndarray::Ix2>("null_jitter").unwrap().dim(), (2, 6));

    // One network more, trained from the next seed; the run's own tests are not made again.
    let more = last_json(&done(at, &[&test[..], &["--networks", "1"]].concat()));
    let networks = more["edges"][0]["networks"].as_array().unwrap();
    assert_eq!((networks.len(), networks[0]["halves"].as_u64()), (1, Some(2)));
    assert!(networks[0]["contribution_percent"].is_number() && networks[0]["supported"].is_boolean());
    assert!(more["edges"][0]["sentence"].as_str().unwrap().contains("Of 1 network trained anew"));
    assert_eq!(more["edges"][0]["held_out_gain"], edge["held_out_gain"]);

    // Another recording is refused, and so is a run of another model or none at all.
    done(at, &["simulate", "glm", "--out", "other.npz", "--set", "areas=6x5", "--trials", "40", "--seed", "4"]);
    one_line(&refused(at, 1, &["edges", "run", "--recording", "other.npz", "--quiet"]), "open the recording that it was trained on");
    assert!(refused(at, 1, &["edges", "run", "--quiet"]).contains("name it with --recording"));
    one_line(&refused(at, 1, &["edges", "nowhere.npz", "--quiet"]), "nowhere.npz");
}

#[test]
fn the_screening_is_validated_on_simulations() {
    let folder = tempfile::tempdir().unwrap();
    let line = [
        "validate",
        "edges",
        "--simulate",
        "glm",
        "--sim-set",
        "areas=4x4",
        "--sim-set",
        "trials=20",
        "--sim-set",
        "edges=none",
        "--simulations",
        "2",
        "--screen-only",
        "--set",
        "edge_jitters=5",
        "--out",
        "all.json",
        "--json",
    ];
    let found = last_json(&done(folder.path(), &line));
    assert_eq!((found["screening"]["simulations"].as_u64(), found["screening"]["pairs_without_edge"].as_u64()), (Some(2), Some(4)));
    assert!(found["tests"].is_null() && found["screening"]["power"].is_null());
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("all.json")).unwrap()).unwrap();
    assert_eq!(all["details"].as_array().unwrap().len(), 2);
    assert_eq!(all["details"][1]["seed"], 2);
    let wrong = refused(folder.path(), 2, &["validate", "edges", "--simulate", "nothing", "--simulations", "1"]);
    one_line(&wrong, "nothing");
}

#[test]
fn published_experiments_are_repeated_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["--trials", "30", "--units", "4", "--seeds", "2", "--cpu", "--quiet", "--out", "cells", "--set", "max_epochs=1"];
    let small = ["--set", "width=8", "--set", "hidden=8", "--set", "edge_jitters=2", "--json"];
    let go = |name: &str, more: &[&str]| last_json(&done(folder.path(), &[&["validate", name], &short[..], &small[..], more].concat()));
    let current = go("synaptic-current", &["--conn", "0.2"]);
    assert_eq!((current["summary"][0]["conn"].as_f64(), current["cells"].as_array().unwrap().len()), (Some(0.2), 1));
    let table = go("ablation", &["--data", "eif", "--variants", "own-dynamics,full"]);
    assert_eq!(table["summary"].as_array().unwrap().len(), 2);
    assert_eq!(table["summary"][0]["published_validation_loss"]["mean"], 0.25223);
    let four = go("four-areas", &["--nulls", "2"]);
    assert_eq!((four["networks"].as_u64(), four["cells"][0]["pairs"].as_array().unwrap().len()), (Some(1), 12));
    assert_eq!(go("four-areas", &["--nulls", "2"]), four, "what is there is read again");
    assert_eq!(std::fs::read_dir(folder.path().join("cells")).unwrap().count(), 4);
    one_line(&refused(folder.path(), 2, &["validate", "ablation", "--set", "betta=1", "--out", "cells"]), "betta");
}
