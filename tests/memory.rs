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

fn compare(name: &str, arguments: &[&str], small: &[&str], large: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (few, used_by_few) = train(folder.path(), arguments, small);
    let (many, used_by_many) = train(folder.path(), arguments, large);
    let (estimated, measured) = (many - few, used_by_many - used_by_few);
    println!(
        "{name}: estimated {few:.0} and {many:.0} MB, used {used_by_few:.0} and {used_by_many:.0} MB: {estimated:.0} more for {measured:.0} more"
    );
    assert!(measured > 20.0, "{name}: too small to be told from chance: {measured} MB");
    let ratio = estimated / measured;
    assert!((0.5..2.0).contains(&ratio), "{name}: {estimated:.0} MB were estimated, {measured:.0} MB were used");
}

#[test]
fn the_glm_transformer_takes_what_is_estimated() {
    let data = ["--simulate", "glm", "--sim-set", "areas=40x40", "--sim-set", "trials=200", "--model", "glm-transformer"];
    let rest = ["model.max_epochs=1", "model.edge_jitters=2", "model.token_bins=5"];
    compare("GLM-Transformer", &data, &[&rest[..], &["model.batch=8"]].concat(), &[&rest[..], &["model.batch=160"]].concat());
}

#[test]
fn stndt_takes_what_is_estimated() {
    let data = ["--simulate", "glm", "--sim-set", "areas=60x60", "--sim-set", "trials=80", "--sim-set", "bins=100", "--model", "stndt"];
    let rest = ["model.steps=2", "model.forward_bins=0"];
    compare("STNDT", &data, &[&rest[..], &["model.batch=4"]].concat(), &[&rest[..], &["model.batch=64"]].concat());
}

#[test]
fn netformer_takes_what_is_estimated() {
    let data = ["--simulate", "ring", "--sim-set", "units=120", "--sim-set", "steps=3000", "--model", "netformer"];
    let rest = ["model.max_epochs=1", "model.history=40", "model.identity=100"];
    compare("NetFormer", &data, &[&rest[..], &["model.batch=64"]].concat(), &[&rest[..], &["model.batch=2048"]].concat());
}
