//! What training is said to need of the memory is what it takes: the real binary, three models, each small and large; what the
//! program itself takes is the same in both. Linux tells how much a process has used.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

/// Estimated need and the most that was used, MB.
fn train(folder: &Path, arguments: &[&str], settings: &[&str]) -> (f64, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spikescope"));
    command.current_dir(folder).args(["train", "--device", "cpu", "--threads", "2", "--out", "run"]).args(arguments);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {told}");
    let number = |before: &str| -> f64 {
        let rest = told.split(before).nth(1).unwrap_or_else(|| panic!("{before} is missing in {told}"));
        let mut words = rest.split_whitespace();
        let value: f64 = words.next().unwrap().parse().unwrap();
        value
            * match words.next().unwrap() {
                "GB" => 1000.0,
                "kB" => 1e-3,
                _ => 1.0,
            }
    };
    (number("training needs about "), number("memory: at most "))
}

/// Estimated need and the most that was used by a small and a large run, MB.
struct Compared {
    estimated: [f64; 2],
    used: [f64; 2],
}

impl Compared {
    fn new(name: &str, arguments: &[&str], rest: &[&str], batches: [&str; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [few, many] = batches.map(|batch| train(folder.path(), arguments, &[rest, &[batch]].concat()));
        let told = Self { estimated: [few.0, many.0], used: [few.1, many.1] };
        println!("{name}: estimated {:.0?} MB, used {:.0?} MB", told.estimated, told.used);
        told
    }

    /// How much more was estimated than used for what the large run has more.
    fn ratio(&self) -> f64 {
        (self.estimated[1] - self.estimated[0]) / (self.used[1] - self.used[0])
    }
}

#[test]
fn the_glm_transformer_takes_what_is_estimated() {
    let data = ["--simulate", "glm", "--sim-set", "areas=40x40", "--sim-set", "trials=200", "--model", "glm-transformer"];
    let rest = ["model.max_epochs=1", "model.edge_jitters=2", "model.token_bins=5"];
    let ratio = Compared::new("GLM-Transformer", &data, &rest, ["model.batch=8", "model.batch=160"]).ratio();
    assert!((0.5..2.0).contains(&ratio), "estimated {ratio} times too much");
}

/// The small run takes most when its training is over and its scores are made, so what is used grows by less than training takes.
#[test]
fn stndt_takes_what_is_estimated() {
    let data = ["--simulate", "glm", "--sim-set", "areas=60x60", "--sim-set", "trials=400", "--sim-set", "bins=100", "--model", "stndt"];
    let rest = ["model.steps=1", "model.forward_bins=0"];
    let told = Compared::new("STNDT", &data, &rest, ["model.batch=4", "model.batch=256"]);
    assert!(told.estimated[1] < told.used[1], "more was estimated than the whole program took");
    assert!(told.used[1] - told.used[0] < 2.0 * (told.estimated[1] - told.estimated[0]), "less than half was estimated");
}

#[test]
fn netformer_takes_what_is_estimated() {
    let data = ["--simulate", "ring", "--sim-set", "units=120", "--sim-set", "steps=3000", "--model", "netformer"];
    let rest = ["model.max_epochs=1", "model.history=40", "model.identity=100"];
    let ratio = Compared::new("NetFormer", &data, &rest, ["model.batch=64", "model.batch=2048"]).ratio();
    assert!((0.5..2.0).contains(&ratio), "estimated {ratio} times too much");
}
