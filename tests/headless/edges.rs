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
