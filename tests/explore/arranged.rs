//! What was not observed in every view, undo of what was arranged in the raster, and a long computation that is cancelled.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use spikescope::app::SpikescopeApp;

use super::data::{self, recording};
use super::support::{Window, settle, wait};
use super::{click, press, says, select, show};

#[test]
fn a_psth_is_no_dip_where_nobody_looked_and_says_how_many_trials_did() {
    // Every unit fires at 50 Hz whenever it is observed, in trials of 0.7 s with 0.1 s between them.
    let recording = data::gappy();
    for theme in [Theme::Light, Theme::Dark] {
        let mut harness = show([900.0, 620.0], theme, Arc::clone(&recording), None, Some("psth"));
        let said = harness.get_by_label_contains("PSTH of A, 4 units").accesskit_node().label().unwrap();
        assert!(said.contains("(0 to 40 of them observed in a bin)"), "{said}");
        assert!(says(&harness, "each bin is the mean of the 0 to 40 trials that observed it"));
        let peak: f64 = said.split("peak ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((peak - 50.0).abs() < 2.0, "{said}");
        keep(&mut harness, &format!("psth_gaps_{theme:?}"));
        select(&mut harness, |s| s.units = [2].into());
        keep(&mut harness, &format!("psth_gaps_unit_{theme:?}"));
        for (view, words) in [("rate_map", "partly not observed"), ("population", "mean per unit: A 50 Hz")] {
            let mut harness = show([900.0, 420.0], theme, Arc::clone(&recording), None, Some(view));
            select(&mut harness, |s| s.window = Some((2.0, 6.0)));
            assert!(says(&harness, words), "{view}");
            keep(&mut harness, &format!("{view}_gaps_{theme:?}"));
        }
        let harness = show([900.0, 620.0], theme, Arc::clone(&recording), None, Some("correlations"));
        assert!(says(&harness, "bins not wholly observed are left out"));
    }
}

/// Keep a picture to look at, when asked to.
fn keep(harness: &mut Window<'_>, name: &str) {
    if let Ok(folder) = std::env::var("SPIKESCOPE_PICTURES") {
        harness.render().unwrap().save(Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

#[test]
fn collapsing_colouring_row_height_and_trial_mode_are_undone_one_by_one() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    let menu = |harness: &mut Window<'_>, menu: &str, entry: &str| {
        harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, menu).click();
        settle(harness);
        let entries: Vec<_> =
            harness.query_all_by_label(entry).filter(|n| n.accesskit_node().role() != egui::accesskit::Role::Label).collect();
        entries.last().unwrap().click();
        drop(entries);
        settle(harness);
    };
    click(&mut harness, "Collapse LM");
    menu(&mut harness, "Colour", "depth");
    harness.get_by_label_contains("Spike raster of").focus();
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Plus);
    menu(&mut harness, "Rows", "trials");
    let steps = ["120 trials by unit", ", rows ", "colour: depth from", "LM 9 as their mean rate"];
    let seen = |h: &Window<'_>| steps.map(|text| says(h, text));
    assert_eq!(seen(&harness), [true, false, false, false]);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    let mut undo = |wanted: [bool; 4]| {
        press(&mut harness, Modifiers::COMMAND, Key::Z);
        assert_eq!(seen(&harness), wanted);
    };
    undo([false, true, true, true]);
    undo([false, false, true, true]);
    undo([false, false, false, true]);
    undo([false; 4]);
    for _ in 0..3 {
        press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    }
    assert_eq!(seen(&harness), [false, true, true, true]);
}

#[test]
fn a_long_computation_shows_how_far_it_is_and_is_cancelled() {
    // So many copies of so many spikes would take minutes.
    let mut harness = Harness::builder()
        .with_size(Vec2::new(900.0, 600.0))
        .with_max_steps(30)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(|cc| SpikescopeApp::from_state(cc, Some(data::many_spikes()), None, Some("correlogram")));
    wait(&mut harness, "showing a Cancel button", |h| h.query_by_label("Cancel").is_some());
    assert!(harness.state().is_busy(&harness.ctx));
    harness.get_by_label("Cancel").click();
    settle(&mut harness);
    assert!(says(&harness, "Correlograms: cancelled") && says(&harness, "Compute after all"));
    assert!(harness.query_by_label("Cancel").is_none());
    // Another question is not cancelled: without the band it is quick.
    click(&mut harness, "Jitter band");
    assert!(says(&harness, "Correlogram unit 0 (a) → unit 1 (a)") && !says(&harness, "cancelled"));
}
