//! The views that need the network itself, on a small run that was really trained and written: lesions and decoding.

use std::sync::Arc;

use eframe::egui::Theme;
use egui_kittest::kittest::Queryable as _;
use spikescope::views::RunState;

use super::support::{settle, wait};
use super::trained::{recipe, watched};
use super::{fake_stndt, picture};

fn trained(folder: &std::path::Path) -> RunState {
    let recording = fake_stndt::recording();
    let small = [("hidden", "16"), ("layers", "2"), ("batch", "16"), ("steps", "24"), ("warm_up_steps", "4"), ("contrast_weight", "0")];
    let small = small.map(|(name, value)| (format!("model.{name}"), value));
    let changes: Vec<(&str, &str)> = small.iter().map(|(path, value)| (path.as_str(), *value)).collect();
    watched(&recording, &recipe("stndt", &recording, &changes), Some(&folder.join("run")))
}

#[test]
fn units_are_silenced_and_behaviour_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let recording = Arc::clone(&run.data.as_ref().unwrap().0);
    for (theme, name, scale) in [(Theme::Light, "light", 1.0), (Theme::Dark, "dark", 2.0)] {
        let state = || (Some(Arc::clone(&recording)), Some(run.clone()));
        let mut lesion = picture([720.0, 540.0], theme, scale, state(), Some("lesion"));
        lesion.get_by_label("Silence units").click();
        lesion.step();
        wait(&mut lesion, "silenced", |h| h.query_by_label_contains("co-bps (bits/spike) ").is_some());
        settle(&mut lesion);
        let said = "most attended units";
        assert!(lesion.query_all_by_label_contains(said).next().is_some());
        lesion.get_by_label_contains("random units, mean ± 2 SEM of 5 draws");

        let mut decoding = picture([720.0, 540.0], theme, scale, state(), Some("decoding"));
        wait(&mut decoding, "decoded", |h| h.query_all_by_label_contains("R²").next().is_some());
        settle(&mut decoding);
        if let Some(folder) = std::env::var_os("SPIKESCOPE_PICTURES").map(std::path::PathBuf::from) {
            std::fs::create_dir_all(&folder).unwrap();
            lesion.render().unwrap().save(folder.join(format!("lesion_run_{name}.png"))).unwrap();
            decoding.render().unwrap().save(folder.join(format!("decoding_run_{name}.png"))).unwrap();
        }
    }
}
