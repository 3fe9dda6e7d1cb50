//! Sweeps and scores of models that infer rates.

use super::{done, last_json, one_line, refused, run, stderr};

/// Settings that make training short.
const SHORT: &[&str] =
    &["--device", "cpu", "--set", "model.steps=12", "--set", "layers=1", "--set", "hidden=8", "--set", "model.batch=16", "--quiet"];

#[test]
fn a_sweep_is_ranked_goes_on_where_it_stopped_and_makes_an_ensemble() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let settings = ["--set", "units=8", "--set", "conditions=6", "--set", "bins=30", "--set", "baseline_hz=5"];
    done(at, &[&["simulate", "lorenz", "--out", "l.npz", "--trials", "10", "--seed", "3"], &settings[..]].concat());
    let sweep = |samples: &str, more: &[&'static str]| {
        let command = ["sweep", "l.npz", "--model", "stndt", "--samples", samples, "--out", "sweep", "--json"];
        run(at, &[&command[..], SHORT, more].concat())
    };
    let first = sweep("2", &[]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let ranking = last_json(std::str::from_utf8(&first.stdout).unwrap());
    let runs = ranking["runs"].as_array().unwrap();
    assert_eq!((runs.len(), ranking["failed"].as_u64()), (2, Some(0)));
    let score = |at: usize| runs[at]["validation_co_bps"].as_f64().unwrap();
    assert!(score(0) >= score(1) && runs[0]["settings"].as_array().unwrap().len() > 5, "{ranking}");

    // Only the third sample is new, and only its shard trains it.
    let again = sweep("3", &["--shard", "1/2"]);
    assert_eq!(stderr(&again).matches("sample ").count(), 1, "{}", stderr(&again));
    assert!(stderr(&again).contains("sample 3 of 3"));
    assert_eq!(stderr(&sweep("3", &[])).matches("sample ").count(), 0);

    let members = ["sweep/sample-0000", "sweep/sample-0001", "sweep/sample-0002"];
    let one = last_json(&done(at, &["evaluate", members[0], "--recording", "l.npz", "--trials", "validation", "--json"]));
    let kept = one["co_bps"].as_f64().unwrap();
    let own = runs.iter().find(|r| r["run"].as_str().unwrap().ends_with("sample-0000")).unwrap();
    assert!((kept - own["validation_co_bps"].as_f64().unwrap()).abs() < 1e-4, "the kept weights score as they did: {one} {own}");
    for key in ["flat_co_bps", "smoothing_co_bps", "oracle_co_bps", "rate_r2"] {
        assert!(one[key].is_number(), "{key} is missing in {one}");
    }
    let all =
        [&["evaluate"], &members[..], &["--recording", "l.npz", "--top", "2", "--submission", "rates.h5", "--dataset", "lorenz", "--json"]]
            .concat();
    let all = last_json(&done(at, &all));
    assert_eq!((all["runs"].as_array().unwrap().len(), all["validation_curve"].as_array().unwrap().len()), (2, 3));
    let file = hdf5_pure::File::open(at.join("rates.h5")).unwrap();
    let shape = file.dataset("lorenz/eval_rates_heldout").unwrap().shape().unwrap();
    assert_eq!(shape, [all["trials"].as_u64().unwrap(), 30, all["held_out_units"].as_u64().unwrap()]);

    // A folder with sweeps lists their members as runs; another sweep does not get into this one's folder.
    let listed = last_json(&done(at, &["runs", ".", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    let other = |more: &[&'static str], code, why| {
        let command = [&["sweep", "l.npz", "--model", "stndt", "--samples", "3", "--out", "sweep"], SHORT, more].concat();
        one_line(&refused(at, code, &command), why);
    };
    other(&["--sweep-seed", "9"], 1, "another sweep is kept here");
    other(&["--search", "tpe"], 1, "another sweep is kept here");
    other(&["--range", "rate=2e-3..1e-3"], 2, "lower end");
    other(&["--range", "layers=1..3"], 2, "not a setting that a sweep draws");

    one_line(&refused(at, 1, &["evaluate", members[0], "--simulate", "lorenz"]), "--recording or --simulate");
    one_line(&refused(at, 2, &["sweep", "l.npz", "--model", "glm-transformer", "--out", "x"]), "sweeps are for STNDT and NDT");
    one_line(&refused(at, 2, &["evaluate", members[0], "--recording", "l.npz", "--behaviour", "speed"]), "no covariate 'speed'");
    one_line(&refused(at, 2, &["evaluate", members[0], "--recording", "l.npz", "--produced", "tp"]), "no column of numbers called 'tp'");
}
