//! Run folders without training: a few with real contents of all three models, or thousands of copies.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use ndarray::Array2;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spikescope::recording::Recording;
use spikescope::runs::{RunContents, RunStatus, StageEntry, write};
use spikescope::training::{LossLog, LossPoint, ModelSnapshot, NetFormerSnapshot, PRESETS, Recipe, Snapshot};
use spikescope::views::RunState;

use super::fake::noise;

/// Write a run of this state; `number` makes its seed and its end.
pub fn keep(folder: &Path, recording: &Recording, state: &RunState, number: u64, summary: &Value) {
    let recipe = Recipe { seed: number, ..state.recipe.clone() };
    let last = state.losses.points.last().map_or(0, |p| p.step);
    let stages: Vec<StageEntry> =
        (1..=3).map(|k| StageEntry { name: format!("{k}"), steps: last.div_ceil(3), epochs: 4, seconds: 20.0 * k as f64 }).collect();
    let contents = RunContents {
        status: if number == 3 { RunStatus::Stopped } else { RunStatus::Complete },
        ended: UNIX_EPOCH + Duration::from_secs(1_795_255_353 + 4000 * number),
        device: "CPU (flex, 2 threads)",
        seconds: 120.0 + 10.0 * number as f64,
        steps: last,
        stages: &stages,
        snapshot: state.snapshot.as_deref(),
        ..RunContents::new(&recipe, recording, &state.losses, summary)
    };
    write(folder, &contents).unwrap();
}

/// A NetFormer on the areas of another run, with connections in blocks.
pub fn netformer(glm: &RunState) -> RunState {
    let mut recipe = Recipe::default();
    PRESETS.iter().find(|p| p.key == "netformer").unwrap().choose(&mut recipe, None);
    let old = glm.snapshot.as_ref().unwrap();
    let n = old.units.len();
    let area = |unit: usize| if unit < 20 { 0 } else { usize::from(unit >= 36) + 1 };
    let level = [[0.02, 0.0, 0.01], [0.09, 0.03, 0.0], [-0.01, -0.06, 0.02]];
    let attention =
        Array2::from_shape_fn((n, n), |(to, from)| level[area(to)][area(from)] as f32 + 0.02 * noise(to * 977 + from * 31) as f32);
    let own =
        NetFormerSnapshot { lag_one: attention.clone(), attention, r2: vec![0.2; n], static_share: 0.7, ..NetFormerSnapshot::default() };
    let terms = recipe.model.loss_terms();
    let point = |step: u64| LossPoint { step, stage: 1, validation: true, values: [0.9 + (-(step as f32) / 90.0).exp(); 6] };
    RunState {
        recipe,
        losses: std::sync::Arc::new(LossLog {
            terms,
            points: (1..40).map(|k| point(k * 10)).collect(),
            flat: Some(1.0),
            ..LossLog::default()
        }),
        snapshot: Some(std::sync::Arc::new(Snapshot { trials: vec![], model: ModelSnapshot::NetFormer(own), ..(**old).clone() })),
        ..glm.clone()
    }
}

/// A copy of a run with another seed and other results.
pub fn copy(from: &Path, to: &Path, seed: u64, summary: &Value) {
    fs::create_dir_all(to).unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(from.join("manifest.json")).unwrap()).unwrap();
    manifest["created"] = json!(spikescope::runs::utc(UNIX_EPOCH + Duration::from_secs(1_795_255_353 + 1800 * seed)));
    manifest["seconds"] = json!(60.0 + (seed % 97) as f64);
    manifest["status"] = json!(["complete", "complete", "complete", "stopped", "failed"][(seed % 5) as usize]);
    for entry in manifest["files"].as_array_mut().unwrap() {
        let name = entry["path"].as_str().unwrap().to_owned();
        let bytes = match name.as_str() {
            "summary.json" => format!("{summary}\n").into_bytes(),
            "recipe.toml" => {
                let text = fs::read_to_string(from.join(&name)).unwrap();
                let mut recipe = Recipe::parse(&text).unwrap();
                recipe.seed = seed;
                recipe.to_toml().unwrap().into_bytes()
            }
            // What a list does not look into need not be there.
            _ => continue,
        };
        entry["bytes"] = json!(bytes.len());
        entry["sha256"] = json!(Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect::<String>());
        fs::write(to.join(&name), bytes).unwrap();
    }
    fs::write(to.join("manifest.json"), manifest.to_string()).unwrap();
}

/// Three runs of three models on one recording, in `folder`.
pub fn three(folder: &Path, recording: &Recording, glm: &RunState, stndt: &RunState) -> [PathBuf; 3] {
    let at = ["glm", "stndt", "netformer"].map(|name| folder.join(name));
    let edges = json!([{ "supported": true }, { "supported": false }]);
    keep(&at[0], recording, glm, 1, &json!({ "test_loss": 0.19921, "flat_loss": 0.21028, "psth_loss": 0.20512, "edges": edges }));
    keep(&at[1], recording, stndt, 2, &json!({ "test_loss": 0.2011, "co_bps": 0.312, "fp_bps": 0.187, "flat_loss": 0.22 }));
    keep(&at[2], recording, &netformer(glm), 3, &json!({ "test_loss": 0.911, "prediction_r2": 0.23, "pearson": 0.61, "auc": 0.83 }));
    at
}
