//! Weights in the official PyTorch layouts of STNDT and NetFormer become exactly the parameters of the golden vectors, with which
//! `golden_stndt` and `golden_netformer` reproduce the reference outputs; and a run made from them can be evaluated.
//! The files were written by `tests/fixtures/import/make_pt.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use spikescope::models::import::{self, Arrays, Imported};
use spikescope::runs;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The golden parameters by golden name, matrices `[out, in]`.
fn golden(name: &str) -> BTreeMap<String, ArrayD<f32>> {
    let mut npz = NpzReader::new(File::open(fixtures().join(format!("golden/{name}.npz"))).unwrap()).unwrap();
    let names: Vec<String> = npz.names().unwrap().into_iter().filter(|n| n.starts_with("init/")).collect();
    names.into_iter().map(|n| (n.trim_start_matches("init/").trim_end_matches(".npy").to_owned(), npz.by_name(&n).unwrap())).collect()
}

fn read(name: &str) -> Arrays {
    runs::read_weights(&fixtures().join("import").join(name)).unwrap()
}

/// Every golden parameter is there under our name with the same values, and nothing else is.
fn same(imported: &Imported, golden: &BTreeMap<String, ArrayD<f32>>, unused: &[&str]) {
    let mut left: Vec<&str> = imported.weights.keys().map(String::as_str).collect();
    for (name, array) in golden {
        let (stem, last) = name.rsplit_once('.').unwrap_or((name, ""));
        let part = stem.rsplit('.').next().unwrap();
        let norm = part.starts_with("ln_");
        let stem = match ["ln_space", "space_qk", "ln_mix", "ln_mixff", "mix_in", "mix_out"].contains(&part) {
            true => stem.replace(part, &format!("space.{part}")),
            false => stem.to_owned(),
        };
        let (ours, turned) = match (norm, last) {
            (true, "weight") => (format!("{stem}.gamma"), false),
            (true, _) => (format!("{stem}.beta"), false),
            (false, "") => (name.clone(), false),
            (false, last) => (format!("{stem}.{last}"), last == "weight"),
        };
        let expected = if turned { array.t().as_standard_layout().into_owned() } else { array.clone() };
        let got = imported.weights.get(&ours).unwrap_or_else(|| panic!("{ours} is missing"));
        assert_eq!((got.shape.as_slice(), got.values.as_slice()), (expected.shape(), expected.as_slice().unwrap()), "{ours}");
        left.retain(|name| *name != ours);
    }
    assert_eq!(left, unused);
}

#[test]
fn stndt_comes_from_a_state_dict_and_from_a_checkpoint() {
    let golden = golden("stndt_full");
    for file in ["stndt_full.pt", "stndt_full.pth"] {
        let imported = import::stndt(read(file)).unwrap();
        same(&imported, &golden, &[]);
        assert!(imported.weights.values().all(|a| !a.values.contains(&7.0)), "{file}: dead parameters were taken");
        // Two layers of weight and bias, and two tables of positions.
        assert_eq!(imported.left_out.len(), 6, "{file}: {:?}", imported.left_out);
    }
}

#[test]
fn netformer_comes_from_the_package_and_from_the_experiments() {
    same(&import::netformer(read("netformer_ln_scale.ckpt")).unwrap(), &golden("netformer_ln_scale"), &[]);
    // The toy model has layer norms that it does not use; they come along and the recipe leaves them out. Its numbers are f64.
    let norms = ["ln_in.beta", "ln_in.gamma", "ln_out.beta", "ln_out.gamma"];
    same(&import::netformer(read("netformer_toy.pt")).unwrap(), &golden("netformer_toy"), &norms);
}

#[test]
fn other_weights_are_refused_with_what_is_wrong() {
    let told = import::stndt(read("netformer_toy.pt")).unwrap_err().to_string();
    assert!(told.contains("not the weights of STNDT: 'embedder.0.weight' is missing"), "{told}");
    let told = import::netformer(read("stndt_full.pt")).unwrap_err().to_string();
    assert!(told.contains("not the weights of NetFormer"), "{told}");
    let mut more = read("netformer_ln_scale.ckpt");
    more.insert("state_dict.out.weight".into(), import::Array { shape: vec![1, 6], values: vec![0.0; 6] });
    assert!(import::netformer(more).unwrap_err().to_string().contains("'out.weight' has no place"));
    let mut fewer = read("stndt_full.pt");
    fewer.remove("transformer_encoder.layers.1.linear2.bias");
    assert!(import::stndt(fewer).unwrap_err().to_string().contains("'transformer_encoder.layers.1.linear2.bias' is missing"));
}

fn spikescope(arguments: &[&str]) -> (bool, String) {
    let home = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_spikescope"))
        .args(arguments)
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_STATE_HOME", home.path())
        .output()
        .unwrap();
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

#[test]
fn a_run_is_made_from_them_and_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("six.csv");
    // Six units for ten seconds: as many units and bins as the network has.
    let rows: String = (0..6000).map(|k| format!("u{},{}\n", k * 5 % 6, f64::from(k) / 600.0)).collect();
    std::fs::write(&csv, format!("unit,time_s\n{rows}")).unwrap();
    let (weights, out) = (fixtures().join("import/stndt_full.pth"), folder.path().join("run"));
    let text = |path: &PathBuf| path.display().to_string();
    let settings = [
        "data.trials.window_s=0.05",
        "data.trials.bin_s=0.005",
        "layers=2",
        "hidden=16",
        "context_forward=2",
        "context_backward=3",
        "held_out=none",
        "dropout=0",
        "dropout_embedding=0",
        "dropout_rates=0",
    ];
    let mut line = vec!["import-weights".to_owned(), "--weights".to_owned(), text(&weights), text(&csv), "--out".to_owned(), text(&out)];
    line.extend(["--model", "stndt", "--device", "cpu", "--as-read", "--json", "--quiet"].map(String::from));
    line.extend(settings.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]));
    let (done, told) = spikescope(&line.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(done, "{told}");
    let run = runs::load(&out).unwrap();
    assert!(run.manifest.steps == 0 && run.summary["test_loss"].as_f64().is_some_and(f64::is_finite), "{}", run.summary);
    let kept: BTreeMap<String, Vec<f32>> = run.weights().unwrap().into_iter().map(|a| (a.name, a.values)).collect();
    let imported: BTreeMap<String, Vec<f32>> =
        import::stndt(read("stndt_full.pth")).unwrap().weights.into_iter().map(|(n, a)| (n, a.values)).collect();
    assert_eq!(kept, imported);
    // What the run keeps can be read by numpy alone, and is refused as PyTorch names.
    let again = runs::read_weights(&out.join(runs::WEIGHTS)).unwrap();
    assert_eq!(again.len(), imported.len());
    // Other sizes are refused with what differs.
    let other: Vec<&str> = line.iter().map(|word| if word == "hidden=16" { "hidden=17" } else { word }).collect();
    let (done, told) = spikescope(&other);
    assert!(!done && told.contains("do not fit") && told.contains("ff_in"), "{told}");
}
