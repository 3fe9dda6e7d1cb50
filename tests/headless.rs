//! The command line as a user meets it: the real binary, real files, exit codes and messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "headless/edges.rs"]
mod edges;
#[path = "headless/netformer.rs"]
mod netformer;
#[path = "headless/rates.rs"]
mod rates;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use spikescope::runs::{self, RunStatus};

/// Settings that make training short: it is the way through that is tested here, not the result.
const SHORT: &[&str] =
    &["--device", "cpu", "--set", "max_epochs=2", "--set", "edge_jitters=3", "--set", "batch=8", "--set", "width=16", "--set", "hidden=16"];

fn spikescope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spikescope"));
    command.current_dir(folder).args(arguments).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("SPIKESCOPE_LOG");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    spikescope(folder, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Standard output of a command that must succeed.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Standard error of a command that must fail with this exit code.
fn refused(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    stderr(&output)
}

/// The last line of standard output as JSON.
fn last_json(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// A failure is told in one line that begins with `error:` and has this in it.
fn one_line(text: &str, part: &str) {
    assert!(
        text.starts_with("error: ") && text.trim_end().lines().count() == 1 && text.contains(part),
        "expected one line with '{part}':\n{text}"
    );
}

fn csv(folder: &Path) -> PathBuf {
    let mut text = String::from("unit,time_s,area\n");
    for spike in 0..300 {
        let (unit, time) = (spike % 3, 0.01 * f64::from(spike) + 0.001);
        text.push_str(&format!("{unit},{time:.4},{}\n", if unit == 0 { "V1" } else { "MT" }));
    }
    let path = folder.join("spikes ü.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn info_tells_what_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = csv(folder.path());
    let file = file.to_str().unwrap();
    let info = last_json(&done(folder.path(), &["info", file, "--json"]));
    assert_eq!((info["n_units"].as_u64(), info["n_spikes"].as_u64()), (Some(3), Some(300)));
    assert_eq!(info["spikes_per_unit"], serde_json::json!([100, 100, 100]));
    assert!((info["t_first"].as_f64().unwrap() - 0.001).abs() < 1e-9 && (info["t_last"].as_f64().unwrap() - 2.991).abs() < 1e-9);
    let text = done(folder.path(), &["info", file]);
    assert!(text.contains("V1") && text.contains("MT") && text.contains("300"), "{text}");
}

#[test]
fn simulate_train_and_look_at_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let simulate =
        |out: &str, seed: &str| done(at, &["simulate", "glm", "--out", out, "--set", "areas=6x5", "--trials", "40", "--seed", seed]);
    let told = simulate("two.npz", "3");
    assert!(told.contains("11 units in 2 areas") && told.contains("two.npz"), "{told}");
    simulate("again.npz", "3");
    simulate("other.nwb", "4");
    let info = |file: &str| last_json(&done(at, &["info", file, "--json"]));
    assert_eq!(info("two.npz")["n_units"], 11);
    assert_eq!(info("two.npz")["spikes_per_unit"], info("again.npz")["spikes_per_unit"]);
    assert_ne!(info("two.npz")["spikes_per_unit"], info("other.nwb")["spikes_per_unit"]);

    let train = |more: &[&'static str]| [&["train", "two.npz", "--out", "runs/first"], SHORT, more].concat();
    let output = run(at, &train(&["--seed", "5", "--json"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).matches("100 %").count() >= 4, "a bar for every stage:\n{}", stderr(&output));
    let summary = last_json(&stdout(&output));
    for key in ["run", "test_loss", "flat_loss", "psth_loss", "seconds", "stages", "edges", "truth"] {
        assert!(summary.get(key).is_some_and(|v| !v.is_null()), "{key} is missing in {summary}");
    }
    for key in ["source", "target", "contribution_percent", "mean_output", "filter_peak_ms"] {
        assert!(summary["edges"][0].get(key).is_some(), "{key} is missing in {summary}");
    }
    for key in ["source", "target", "cos_send", "cos_receive", "filter_corr"] {
        assert!(summary["truth"]["edges"][0].get(key).is_some(), "{key} is missing in {summary}");
    }
    assert!(summary["truth"]["oracle_loss"].is_f64());

    let loaded = runs::load(&at.join("runs/first")).unwrap();
    assert_eq!((loaded.manifest.status, loaded.manifest.seed), (RunStatus::Complete, 5));
    assert_eq!(loaded.summary["test_loss"], summary["test_loss"]);
    assert_eq!((loaded.recipe.glm().unwrap().max_epochs, loaded.recipe.glm().unwrap().batch), (2, 8));
    assert!(!loaded.weights().unwrap().is_empty() && !loaded.losses.points.is_empty());
    let snapshot = loaded.snapshot.unwrap();
    assert_eq!((snapshot.areas.len(), snapshot.area_sizes.clone(), snapshot.stage), (2, vec![6, 5], 4));
    assert!(
        !at.join("runs").read_dir().unwrap().any(|e| e.unwrap().file_name().to_string_lossy().starts_with('.')),
        "no litter beside the run"
    );

    // The recipe of the run gives the same numbers again; the run is replaced, and quiet is quiet.
    let again = run(at, &["train", "two.npz", "--out", "runs/second", "--recipe", "runs/first/recipe.toml", "--quiet", "--json"]);
    assert_eq!((again.status.code(), stderr(&again).as_str()), (Some(0), ""));
    assert_eq!(last_json(&stdout(&again))["test_loss"], summary["test_loss"]);
    let text = done(at, &train(&["--seed", "6", "--quiet"]));
    assert!(text.contains("Test loss") && text.contains("runs/first"), "{text}");
    assert_eq!(runs::load(&at.join("runs/first")).unwrap().manifest.seed, 6);
    assert_eq!(runs::list(&at.join("runs")).unwrap().len(), 2);

    // Areas by another rule: one area has no pairs of areas, but trains.
    let text = done(at, &[&["train", "two.npz", "--out", "runs/one", "--areas", "one", "--quiet", "--json"], SHORT].concat());
    assert_eq!(runs::load(&at.join("runs/one")).unwrap().snapshot.unwrap().areas.len(), 1, "{text}");
}

#[test]
fn a_simulation_is_trained_on_without_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let line = [
        "train",
        "--simulate",
        "glm",
        "--sim-set",
        "areas=4x4",
        "--sim-set",
        "trials=30",
        "--out",
        "run",
        "--published-staging",
        "--quiet",
        "--json",
    ];
    let summary = last_json(&done(folder.path(), &[&line, SHORT].concat()));
    assert!(summary["test_loss"].is_f64(), "{summary}");
    assert!(runs::load(&folder.path().join("run")).unwrap().recipe.glm().unwrap().published_staging);
}

#[test]
fn wrong_usage_is_code_2_and_says_what_is_possible() {
    let folder = tempfile::tempdir().unwrap();
    let file = csv(folder.path());
    let file = file.to_str().unwrap();
    let at = folder.path();
    refused(at, 2, &["train"]);
    refused(at, 2, &["info"]);
    refused(at, 2, &["info", file, "--jsno"]);
    refused(at, 2, &["train", file, "--out", "run", "--device", "quantum"]);
    one_line(&refused(at, 2, &["train", file, "--out", "run", "--set", "model.betta=1"]), "model.beta");
    one_line(&refused(at, 2, &["train", file, "--out", "run", "--set", "model.batch=0"]), "model.batch");
    one_line(&refused(at, 2, &["simulate", "lorentz", "--out", "x.nwb"]), "glm");
    one_line(&refused(at, 2, &["simulate", "glm", "--out", "x.nwb", "--set", "trails=3"]), "trials");
    one_line(&refused(at, 2, &["screenshot", "--view", "sonnet", "--out", "x.png", file]), "raster");
    one_line(&refused(at, 2, &["screenshot", "--view", "raster", "--out", "x.png", file, file]), "one recording");
    assert_eq!(std::fs::read_dir(at).unwrap().count(), 1, "wrong usage writes nothing");
}

#[test]
fn failures_are_code_1_and_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = csv(at);
    let file = file.to_str().unwrap();
    one_line(&refused(at, 1, &["info", "nowhere.nwb"]), "nowhere.nwb");
    std::fs::write(at.join("empty.nwb"), "").unwrap();
    one_line(&refused(at, 1, &["info", "empty.nwb"]), "empty.nwb");
    one_line(&refused(at, 1, &["trian"]), "no such file and no such command");
    one_line(&refused(at, 1, &[]), "no display");
    one_line(&refused(at, 1, &[file]), "no display");
    one_line(&refused(at, 1, &["demo", "--no-train"]), "no display");
    one_line(&refused(at, 1, &["train", file, "--out", "run", "--recipe", "nothing.toml"]), "nothing.toml");
    std::fs::write(at.join("bad.toml"), "seed = ").unwrap();
    one_line(&refused(at, 1, &["train", file, "--out", "run", "--recipe", "bad.toml"]), "bad.toml");
    one_line(&refused(at, 1, &["train", file, "--out", "run", "--areas", "column:shank"]), "shank");
    std::fs::create_dir(at.join("photos")).unwrap();
    std::fs::write(at.join("photos/cat.png"), "x").unwrap();
    one_line(&refused(at, 1, &["train", file, "--out", "photos"]), "choose another folder");
    assert!(at.join("photos/cat.png").exists() && !at.join("run").exists());
    one_line(&refused(at, 1, &["simulate", "glm", "--trials", "2", "--out", "no/such/folder/x.nwb"]), "no/such/folder");
    one_line(&refused(at, 1, &["screenshot", "--view", "loss", "--out", "x.png", "nowhere"]), "nowhere");
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(done(folder.path(), &["--version"]).contains(env!("CARGO_PKG_VERSION")));
    let help = done(folder.path(), &["--help"]);
    for command in ["demo", "info", "simulate", "train", "screenshot", "bench"] {
        assert!(help.contains(command), "{help}");
        done(folder.path(), &[command, "--help"]);
    }
    assert!(done(folder.path(), &["simulate", "--help"]).contains("units_per_edge"));
    assert!(done(folder.path(), &["screenshot", "--help"]).contains("kernels"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = csv(folder.path());
    let mut child =
        spikescope(folder.path(), &["info", file.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn views_are_drawn_into_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = csv(at);
    let line = ["screenshot", "--view", "raster", "--out", "raster.png", "--size", "400x300", "--scale", "2", file.to_str().unwrap()];
    let output = spikescope(at, &line).env_remove("XDG_RUNTIME_DIR").output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "no noise from the graphics driver");
    let raster = image::open(at.join("raster.png")).unwrap().into_rgba8();
    assert_eq!(raster.dimensions(), (800, 600));
    let colours: std::collections::HashSet<[u8; 4]> = raster.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 5, "the picture is not empty");
    let draw = |theme: &str| {
        done(at, &["screenshot", "--view", "window", "--out", "window.png", "--size", "500x400", "--theme", theme, "--demo"]);
        let picture = image::open(at.join("window.png")).unwrap().into_luma8();
        picture.pixels().map(|p| u64::from(p.0[0])).sum::<u64>() / u64::from(picture.width() * picture.height())
    };
    let (light, dark) = (draw("light"), draw("dark"));
    assert!(light > 150 && dark < 100, "mean brightness light {light}, dark {dark}");
}

#[test]
fn the_demo_without_a_display_leaves_a_run_with_figures() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("There is no display here"), "{}", stderr(&output));
    assert!(stderr(&output).matches("100 %").count() >= 4, "{}", stderr(&output));
    assert!(stdout(&output).contains("spikescope-demo"), "{}", stdout(&output));
    let place = folder.path().join("spikescope-demo");
    let loaded = runs::load(&place).unwrap();
    assert_eq!(loaded.manifest.recording.name, "demo");
    for name in ["raster", "loss", "kernels", "matrix"] {
        assert!(image::open(place.join(format!("figures/{name}.png"))).unwrap().width() >= 800, "{name}");
    }
    // A run can be drawn again later.
    done(folder.path(), &["screenshot", "--view", "kernels", "--out", "kernels.png", "spikescope-demo"]);
    assert!(folder.path().join("kernels.png").exists());
}

#[test]
fn benches_print_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let load = last_json(&done(folder.path(), &["bench", "load", "--spikes", "2000", "--units", "10", "--rounds", "2", "--json"]));
    assert_eq!(load["spikes"], 2000);
    let step = last_json(&done(
        folder.path(),
        &[
            "bench",
            "step",
            "--model",
            "glm",
            "--size",
            "two50",
            "--batch",
            "2",
            "--device",
            "cpu",
            "--threads",
            "2",
            "--steps",
            "2",
            "--json",
        ],
    ));
    for (line, key) in [(&load, "median_ms"), (&load, "min_ms"), (&step, "median_ms"), (&step, "min_ms")] {
        assert!(line[key].as_f64().unwrap() > 0.0, "{line}");
    }
    assert_eq!((step["steps"].as_u64(), step["size"].as_str()), (Some(2), Some("two50")));
    assert!(step["device"].as_str().is_some_and(|d| !d.is_empty()));
    let ui = last_json(&done(folder.path(), &["bench", "ui", "--frames", "10", "--json"]));
    for key in ["idle_p50_ms", "idle_p99_ms", "training_p50_ms", "training_p99_ms"] {
        assert!(ui[key].as_f64().unwrap() > 0.0, "{key}: {ui}");
    }
}

#[test]
fn simulated_networks_are_written_with_their_truth_and_their_connections_found() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = ["simulate", "cell_types", "--out", "net.npz", "--set", "units=40", "--set", "steps=6000", "--seed", "3"];
    assert!(done(folder.path(), &simulate).contains("40 units in 1 area, continuous activity, 0 spikes"));
    let info = last_json(&done(folder.path(), &["info", "net.npz", "--json"]));
    assert_eq!((info["activity"]["bins"].as_u64(), info["activity"]["name"].as_str()), (Some(6000), Some("state")));
    let found = last_json(&done(folder.path(), &["connectivity", "net.npz", "--method", "ols,te", "--json", "--out", "m.npz"]));
    let names: Vec<&str> = found["methods"].as_array().unwrap().iter().map(|m| m["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["ols", "te", "lag1"], "correlation is always shown beside the others");
    for method in found["methods"].as_array().unwrap() {
        let score = &method["scores"]["different_units"];
        let (auc, least) = (score["auc"].as_f64().unwrap(), if method["method"] == "te" { 0.6 } else { 0.8 });
        assert!(auc > least && score["pairs"] == 1560, "{method}");
        assert_eq!(method["group_means"].as_array().unwrap().len(), 16);
    }
    let mut matrices = spikescope::export::NpzSource::open(&folder.path().join("m.npz")).unwrap();
    let lag1: ndarray::Array2<f64> = matrices.array("lag1").unwrap();
    let truth: ndarray::Array2<f64> = matrices.array("truth").unwrap();
    assert_eq!((lag1.dim(), truth.dim()), ((40, 40), (40, 40)));
    let text = done(folder.path(), &["connectivity", "net.npz", "--out", "m.csv"]);
    assert!(text.contains("lag-1 cross-correlation") && text.contains("by cell type"), "{text}");
    let table = std::fs::read_to_string(folder.path().join("m.csv")).unwrap();
    assert!(table.starts_with("receiving_unit,from_0,from_1") && table.lines().count() == 41);
    // Spikes without a truth: the strongest connections.
    let text = done(folder.path(), &["connectivity", csv(folder.path()).to_str().unwrap(), "--bin-ms", "10"]);
    assert!(text.contains("spike counts, 3 units, 300 bins of 10 ms"), "{text}");
    assert!(text.contains("0 → 1: 0.99") || text.contains("0 → 1: 1.0"), "one unit after the other: {text}");
    one_line(&refused(folder.path(), 2, &["connectivity", "net.npz", "--out", "m.txt"]), ".csv or .npz");
    one_line(&refused(folder.path(), 1, &["connectivity", "net.npz", "--spikes"]), "neither spikes nor continuous activity");
}
