//! The numpy lines of `docs/interchange.md`, taken from the document and run by a Python with numpy on a run folder: what they read
//! is what the run holds. Where there is no such Python the test says that it did not run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use spikescope::runs;
use spikescope::simulate;
use spikescope::training::{DeviceChoice, Phase, Recipe, StartOptions, TrainingHandle};

/// A Python that has numpy: the one that is named, or the system's.
fn python() -> Option<String> {
    let named = std::env::var("SPIKESCOPE_PYTHON").ok();
    let has_numpy = |python: &String| Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|out| out.status.success());
    named.into_iter().chain(["python3", "/tmp/imp-venv/bin/python"].map(String::from)).find(has_numpy)
}

#[test]
fn docs_interchange() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("my-run");
    let mut recipe = Recipe { device: DeviceChoice::Cpu, ..Recipe::demo() };
    for (key, value) in [("width", "16"), ("hidden", "32"), ("max_epochs", "1"), ("edge_jitters", "1")] {
        recipe.set(&format!("model.{key}"), value).unwrap();
    }
    let options = StartOptions { run: Some(out.clone()), ..StartOptions::default() };
    let end = TrainingHandle::start(Arc::new(simulate::demo().unwrap()), recipe, options).unwrap().wait();
    assert!(matches!(end.phase, Phase::Finished(_)), "{:?}", end.phase);
    let run = runs::load(&out).unwrap();
    let weights = run.weights().unwrap();
    assert!(weights.iter().any(|a| a.name.starts_with("read_in.0")) && out.join("weights.safetensors").exists());

    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/interchange.md")).unwrap();
    for array in &weights {
        for part in array.name.split('.').filter(|part| part.parse::<usize>().is_err()) {
            assert!(text.contains(part), "docs/interchange.md does not name '{part}' of {}", array.name);
        }
    }
    let Some(python) = python() else { return println!("no Python with numpy: the lines of docs/interchange.md were not run") };
    let lines = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let asked = r#"
results = np.load("my-run/results.npz")
assert results.files and all(results[name] is not None for name in results.files)
print(json.dumps({k: [list(v.shape), float(np.abs(v.astype("f8")).sum())] for k, v in weights.items()}))
"#;
    let told = Command::new(python).current_dir(folder.path()).args(["-c", &format!("{lines}{asked}")]).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let read: BTreeMap<String, (Vec<usize>, f64)> = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(read.len(), weights.len());
    for array in weights {
        let (shape, sum) = &read[&array.name];
        let expected: f64 = array.values.iter().map(|v| f64::from(*v).abs()).sum();
        assert!(*shape == array.shape && (sum - expected).abs() <= 1e-9 * expected.max(1.0), "{}", array.name);
    }
}
