//! Whole runs, there and back, and what becomes of damaged ones.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::recording::Recording;
use crate::runs::made::recording;
use crate::runs::{LAYOUT, MANIFEST, RunContents, StageEntry, add_figures, write};
use crate::training::LossPoint;

struct Values {
    recipe: Recipe,
    recording: Recording,
    losses: LossLog,
    snapshot: Snapshot,
    weights: Vec<NamedArray>,
    stages: Vec<StageEntry>,
    summary: serde_json::Value,
}

impl Values {
    fn new() -> Self {
        // One snapshot from the generator of the round-trip test, the same in every run.
        let snapshot = results::tests::snapshot().new_tree(&mut TestRunner::deterministic()).unwrap().current();
        let mut recipe = Recipe { seed: 11, ..Recipe::default() };
        recipe.set("model.beta", "0.25").unwrap();
        let terms = recipe.model.loss_terms();
        Self {
            recipe,
            recording: recording(),
            losses: LossLog {
                terms,
                points: vec![LossPoint { step: 3, stage: 1, validation: true, values: [0.3, 0.1, 0.2, 0.0, 1e-9, 0.0] }],
                flat: Some(0.5),
                psth: None,
                oracle: Some(0.25),
            },
            snapshot,
            weights: vec![NamedArray { name: "readout.weight".into(), shape: vec![2, 2], values: vec![1.0, 2.0, 3.0, 4.0] }],
            stages: vec![StageEntry { name: "1 · mean dynamics".into(), steps: 30, epochs: 3, seconds: 1.5 }],
            summary: serde_json::json!({ "test_loss": 0.125 }),
        }
    }

    fn contents(&self, ended: u64) -> RunContents<'_> {
        RunContents {
            ended: UNIX_EPOCH + Duration::from_secs(ended),
            device: "CPU (flex)",
            seconds: 1.5,
            steps: 30,
            stages: &self.stages,
            snapshot: Some(&self.snapshot),
            weights: &self.weights,
            ..RunContents::new(&self.recipe, &self.recording, &self.losses, &self.summary)
        }
    }
}

#[test]
fn a_run_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let (values, path) = (Values::new(), folder.path().join("run"));
    write(&path, &values.contents(1_795_255_353)).unwrap();
    let run = load(&path).unwrap();
    assert_eq!(run.recipe, values.recipe);
    assert_eq!(run.losses, values.losses);
    assert_eq!(run.snapshot.as_ref(), Some(&values.snapshot));
    assert_eq!(run.summary, values.summary);
    assert_eq!(run.weights().unwrap(), values.weights);
    assert_eq!(run.manifest.created, "2026-11-21T10:02:33Z");
    assert_eq!((run.manifest.model.as_str(), run.manifest.seed), ("glm-transformer", 11));
    assert_eq!(run.manifest.recording.fingerprint, values.recording.fingerprint);
    assert_eq!(run.manifest.stages, values.stages);
    let progress = run.progress();
    assert!(matches!(&progress.phase, Phase::Finished(f) if f.run.as_deref() == Some(path.as_path())));
    assert_eq!((progress.step, progress.steps_per_s), (30, 20.0));
}

#[test]
fn a_failed_run_keeps_its_message_and_needs_no_results() {
    let folder = tempfile::tempdir().unwrap();
    let (values, path) = (Values::new(), folder.path().join("run"));
    let contents = RunContents {
        status: RunStatus::Failed,
        message: Some("the loss became NaN"),
        snapshot: None,
        weights: &[],
        summary: &serde_json::Value::Null,
        ..values.contents(0)
    };
    write(&path, &contents).unwrap();
    let run = load(&path).unwrap();
    assert_eq!((run.snapshot.clone(), run.weights().unwrap()), (None, vec![]));
    assert_eq!(run.progress().phase, Phase::Failed("the loss became NaN".into()));
}

#[test]
fn every_damage_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (values, path) = (Values::new(), folder.path().join("run"));
    let look = || load(&path).and_then(|run| run.weights().map(drop)).unwrap_err().to_string();
    for name in [RECIPE, METRICS, RESULTS, SUMMARY, WEIGHTS, MANIFEST] {
        write(&path, &values.contents(0)).unwrap();
        let file = path.join(name);
        let good = fs::read(&file).unwrap();
        fs::write(&file, &good[..good.len() / 2]).unwrap();
        assert!(look().contains(name), "truncated {name}: {}", look());
        fs::write(&file, []).unwrap();
        assert!(look().contains(name), "empty {name}: {}", look());
        if name != MANIFEST {
            let mut bad = good.clone();
            bad[good.len() / 2] ^= 1;
            fs::write(&file, bad).unwrap();
            assert!(look().contains(name) && look().contains("SHA-256"), "changed {name}: {}", look());
        }
        fs::remove_file(&file).unwrap();
        assert!(look().contains(name), "missing {name}: {}", look());
        fs::remove_dir_all(&path).unwrap();
    }
    assert!(matches!(load(&path), Err(RunError::NotARun { .. })));
}

#[test]
fn a_changed_manifest_never_panics_and_never_leads_outside() {
    let folder = tempfile::tempdir().unwrap();
    let (values, path) = (Values::new(), folder.path().join("run"));
    write(&path, &values.contents(0)).unwrap();
    let manifest = path.join(MANIFEST);
    let good = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, good.replace(RECIPE, "../recipe.toml")).unwrap();
    assert!(load(&path).is_err());
    fs::write(&manifest, good.replace("\"path\": \"recipe.toml\"", "\"path\": \"/etc/hostname\"")).unwrap();
    assert!(load(&path).is_err());
    fs::write(&manifest, good.replace(&format!("\"layout\": {LAYOUT}"), &format!("\"layout\": {}", LAYOUT + 1))).unwrap();
    assert!(load(&path).unwrap_err().to_string().contains("use a newer Spikescope"));
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone().into_bytes();
        bad[at] = bad[at].wrapping_add(1);
        fs::write(&manifest, bad).unwrap();
        let _ = load(&path).map(|run| run.weights());
    }
}

/// The checksum keeps changed files from the readers; here the readers meet them.
#[test]
fn readers_refuse_changed_results_without_the_checksum_too() {
    let values = Values::new();
    let mut bytes = std::io::Cursor::new(Vec::new());
    results::to_arrays(&values.snapshot, &values.losses).unwrap().write_to(&mut bytes).unwrap();
    let good = bytes.into_inner();
    for length in (0..good.len()).step_by(97) {
        let read = NpzSource::from_bytes(Path::new("r.npz"), good[..length].to_vec());
        assert!(
            read.and_then(|mut npz| results::from_arrays(&mut npz, values.snapshot.areas.clone(), &values.recipe.model)).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn runs_are_listed_newest_first_and_broken_ones_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (values, place) = (Values::new(), |name: &str| folder.path().join(name));
    write(&place("old"), &values.contents(100)).unwrap();
    write(&place("new"), &values.contents(200)).unwrap();
    write(&place("broken"), &values.contents(300)).unwrap();
    fs::write(place("broken").join(MANIFEST), "{\"program\": \"spikescope\", \"layout\": 1}").unwrap();
    fs::create_dir(place("no run")).unwrap();
    fs::write(place("notes.txt"), "x").unwrap();
    // As left by a program that died between its two renames.
    fs::rename(place("old"), place(".old.replaced")).unwrap();
    let runs = list(folder.path()).unwrap();
    let names: Vec<_> = runs.iter().map(|r| (r.path.file_name().unwrap().to_str().unwrap(), r.manifest.is_ok())).collect();
    assert_eq!(names, [("new", true), ("old", true), ("broken", false)]);
    assert!(list(&place("nowhere")).is_err());
}

#[test]
fn figures_are_added_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (values, path) = (Values::new(), folder.path().join("run"));
    write(&path, &values.contents(0)).unwrap();
    let picture = image::RgbaImage::new(3, 2);
    add_figures(&path, &[("loss", picture.clone()), ("kernels", picture.clone())]).unwrap();
    add_figures(&path, &[("loss", image::RgbaImage::new(4, 2))]).unwrap();
    let run = load(&path).unwrap();
    assert_eq!(run.manifest.files.iter().filter(|f| f.path.starts_with("figures/")).count(), 2);
    assert_eq!(image::open(path.join("figures/loss.png")).unwrap().width(), 4);
    assert!(add_figures(folder.path(), &[("loss", picture)]).is_err());
}
