//! Exploring a recording in the real app: by label and keyboard alone from opening to undo, what is selected followed by every
//! view, time that plays, layouts that come back, and pictures of the views.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "explore/arranged.rs"]
mod arranged;
#[path = "explore/data.rs"]
mod data;
#[path = "window/fake.rs"]
#[allow(dead_code, reason = "the fake run has more states than these tests need")]
mod fake;
#[path = "explore/keyboard.rs"]
mod keyboard;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use data::{TRIALS, recording};
use eframe::egui::{self, Key, Modifiers, PointerButton, Pos2, Theme, Vec2, pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use spikescope::app::{AppOptions, Command, Named, SpikescopeApp, Stride};
use spikescope::formats;
use spikescope::recording::Recording;
use spikescope::training::{Recipe, TrialSnapshot};
use spikescope::views::{RunState, Selection, VIEWS};
use support::{Window, settle, wait, window};

fn show<'a>(size: [f32; 2], theme: Theme, recording: Arc<Recording>, run: Option<RunState>, view: Option<&str>) -> Window<'a> {
    let view = view.map(str::to_owned);
    let mut harness = Harness::builder()
        .with_size(Vec2::from(size))
        .with_theme(theme)
        .with_max_steps(30)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(move |cc| SpikescopeApp::from_state(cc, Some(recording), run, view.as_deref()));
    settle(&mut harness);
    harness
}

fn select(harness: &mut Window<'_>, change: impl FnOnce(&mut Selection)) {
    change(harness.state_mut().selection_mut());
    settle(harness);
}

fn click(harness: &mut Window<'_>, label: &str) {
    // Text with the same words, in a table or beside a field, is nothing to click on.
    let nodes: Vec<_> = harness.query_all_by_label(label).filter(|n| n.accesskit_node().role() != egui::accesskit::Role::Label).collect();
    assert_eq!(nodes.len(), 1, "{label}");
    nodes[0].click();
    drop(nodes);
    settle(harness);
}

fn says(harness: &Window<'_>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

fn type_text(harness: &mut Window<'_>, text: &str) {
    for letter in text.chars() {
        harness.event(egui::Event::Text(letter.to_string()));
    }
    settle(harness);
}

fn press(harness: &mut Window<'_>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    settle(harness);
}

fn open(harness: &mut Window<'_>, path: &Path) {
    let before = harness.state().recording().map(Arc::as_ptr);
    if before.is_some() {
        press(harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::O);
    }
    harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Path").focus();
    harness.step();
    press(harness, Modifiers::COMMAND, Key::A);
    type_text(harness, &path.to_string_lossy());
    press(harness, Modifiers::NONE, Key::Enter);
    wait(harness, "open", |h| h.state().recording().is_some_and(|r| Some(Arc::as_ptr(r)) != before));
    settle(harness);
    if says(harness, "Close report") {
        click(harness, "Close report");
    }
}

#[test]
fn from_opening_to_undo_by_label_and_keyboard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cue.nwb");
    formats::save(&recording(), &path).unwrap();
    let mut harness = window([1500.0, 950.0], AppOptions::default());
    settle(&mut harness);
    open(&mut harness, &path);

    // Group by area and choose one.
    click(&mut harness, "PSTH");
    click(&mut harness, "By area");
    assert!(says(&harness, "PSTH of V1, 12 units") && says(&harness, "PSTH of AL, 6 units"));
    click(&mut harness, "Select V1, 12 units");
    let selection = harness.state().selection().clone();
    assert_eq!((selection.areas, selection.units.len()), (BTreeSet::from([0]), 12));
    assert!(!says(&harness, "PSTH of LM"), "only the chosen area is left");

    // Align to the cue, split by direction: left answers twice as strongly, 80 ms after it.
    click(&mut harness, "Align to: trials · start_time");
    click(&mut harness, "trials · cue_time");
    click(&mut harness, "Split by: nothing");
    click(&mut harness, "direction");
    let said = harness.get_by_label_contains("PSTH of V1, 12 units around cue_time").accesskit_node().label().unwrap();
    let peak = |group: &str| {
        let text = said.split(&format!("{group}: peak ")).nth(1).unwrap();
        let number = |part: &str| part.split_whitespace().next().unwrap().parse::<f64>().unwrap();
        (number(text), number(text.split(" at ").nth(1).unwrap()))
    };
    let (left, right) = (peak("left"), peak("right"));
    assert!(left.0 > 1.5 * right.0 && (left.1 - 0.09).abs() < 0.04, "{said}");

    // Through time: go to, step, next event.
    press(&mut harness, Modifiers::NONE, Key::G);
    type_text(&mut harness, "20");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().selection().window, Some((15.0, 25.0)));
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_eq!(harness.state().selection().window, Some((17.5, 27.5)));
    press(&mut harness, Modifiers::NONE, Key::Period);
    let cursor = harness.state().selection().cursor.unwrap();
    let starts = &recording().tables[0].start;
    assert!(starts.iter().any(|s| (s - cursor).abs() < 1e-6) && cursor > 20.0, "{cursor}");

    // Back, one by one, and forth again.
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!((harness.state().selection().window, harness.state().selection().cursor), (Some((17.5, 27.5)), Some(20.0)));
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!((harness.state().selection().window, harness.state().selection().units.len()), (None, 12));
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(harness.state().selection().units.is_empty() && says(&harness, "PSTH of LM"));
    for _ in 0..3 {
        press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    }
    assert_eq!((harness.state().selection().window, harness.state().selection().units.len()), (Some((17.5, 27.5)), 12));
}

#[test]
fn a_pinned_view_keeps_its_selection() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    click(&mut harness, "PSTH");
    select(&mut harness, |s| s.units = [2].into());
    assert!(says(&harness, "PSTH of unit 102"));
    click(&mut harness, "Pin: PSTH");
    select(&mut harness, |s| s.units = [5].into());
    assert!(says(&harness, "PSTH of unit 102") && !says(&harness, "PSTH of unit 105"));
    click(&mut harness, "Pin: PSTH");
    assert!(says(&harness, "PSTH of unit 105"));
}

#[test]
fn units_selected_in_the_table_are_correlated() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    click(&mut harness, "Units");
    click(&mut harness, "unit 100");
    harness.get_by_label("unit 101").click_modifiers(Modifiers::COMMAND);
    settle(&mut harness);
    assert_eq!(harness.state().selection().units, BTreeSet::from([0, 1]));
    click(&mut harness, "Correlogram");
    let said = harness.get_by_label_contains("Correlogram unit 100 (V1) → unit 101 (V1)").accesskit_node().label().unwrap();
    assert!(said.contains("at 4 ms"), "{said}");
    click(&mut harness, "Swap");
    let said = harness.get_by_label_contains("Correlogram unit 101 (V1) → unit 100 (V1)").accesskit_node().label().unwrap();
    assert!(said.contains("at −4 ms"), "{said}");
    // More units: a grid; one of its panels alone.
    select(&mut harness, |s| (s.unit_pair, s.units) = (None, (0..4).collect()));
    assert_eq!(harness.query_all_by_label_contains("pairs of spikes").count(), 16);
    harness.get_by_label_contains("Correlogram unit 102 (V1) → unit 103 (V1)").click();
    settle(&mut harness);
    assert_eq!(harness.state().selection().unit_pair, Some((2, 3)));
    click(&mut harness, "All selected units");
    assert_eq!(harness.state().selection().unit_pair, None);
}

#[test]
fn the_unit_table_filters_by_what_it_computes_and_its_order_is_undone() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    click(&mut harness, "Units");
    harness.get_by_label("Filter").focus();
    harness.step();
    type_text(&mut harness, "area == 'LM' and presence > 0.9 and cv_isi > 0.5");
    assert!(says(&harness, "9 of 27 units"));
    click(&mut harness, "Select shown");
    assert_eq!(harness.state().selection().units.len(), 9);
    click(&mut harness, "Clear filter");
    let top = |h: &Window<'_>| {
        let rows = h.query_all_by_label_contains("unit 1").filter(|n| n.accesskit_node().role() == egui::accesskit::Role::Row);
        rows.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top())).and_then(|n| n.accesskit_node().label()).unwrap()
    };
    assert_eq!(top(&harness), "unit 100");
    click(&mut harness, "rate (Hz)");
    assert_eq!(top(&harness), "unit 101", "unit 101 has spikes of its own and those that follow unit 100");
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Undo);
    settle(&mut harness);
    assert_eq!(top(&harness), "unit 100");
}

#[test]
fn ten_thousand_units_are_filtered_and_only_rows_in_view_are_made() {
    let mut harness = show([900.0, 500.0], Theme::Light, data::many_units(), None, Some("units"));
    let rows =
        |h: &Window<'_>| h.query_all_by_label_contains("unit ").filter(|n| n.accesskit_node().role() == egui::accesskit::Role::Row).count();
    assert!((5..60).contains(&rows(&harness)), "{} rows", rows(&harness));
    click(&mut harness, "Select shown");
    assert_eq!(harness.state().selection().units.len(), 10_000);
    harness.get_by_label("Filter").focus();
    harness.step();
    type_text(&mut harness, "depth > 500 and area == 'area 0'");
    assert!(says(&harness, "100 of 10\u{a0}000 units"));
    click(&mut harness, "Select shown");
    assert_eq!(harness.state().selection().units, (0..10_000).step_by(100).collect());
}

#[test]
fn time_plays_loops_and_steps_from_bar_and_keyboard() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    select(&mut harness, |s| s.window = Some((10.0, 12.0)));
    let start = |h: &Window<'_>| h.state().selection().window.unwrap().0;
    harness.key_press(Key::Space);
    harness.run_steps(12);
    assert!(start(&harness) > 10.05 && harness.state().selection().playback.playing);
    harness.get_by_label("Pause time").click();
    harness.run_steps(2);
    settle(&mut harness);
    let paused = start(&harness);
    harness.run_steps(5);
    assert_eq!(start(&harness), paused);
    for (label, by) in [("Step forward", 0.5), ("Step back", -0.5)] {
        let before = start(&harness);
        click(&mut harness, label);
        assert!((start(&harness) - before - by).abs() < 1e-9, "{label}");
    }
    let before = start(&harness);
    press(&mut harness, Modifiers::SHIFT, Key::ArrowRight);
    assert!((start(&harness) - before - 2.0).abs() < 1e-9);
    press(&mut harness, Modifiers::ALT, Key::ArrowLeft);
    assert!((start(&harness) - before - 1.96).abs() < 1e-9);
    // A loop stays inside the visible time.
    click(&mut harness, "Loop");
    let (a, b) = harness.state().selection().looped.unwrap();
    harness.get_by_label("Play time").click();
    for _ in 0..150 {
        harness.step();
        let selection = harness.state().selection();
        assert!(selection.cursor.is_none_or(|c| (a..b).contains(&c)) && selection.window == Some((a, b)));
    }
    assert!(harness.state().selection().playback.playing, "a loop does not end");
    harness.get_by_label("Pause time").click();
    click(&mut harness, "End loop");
    press(&mut harness, Modifiers::NONE, Key::R);
    assert_eq!((harness.state().selection().looped, harness.state().selection().window), (None, None));
    // Undo of what was played is one step.
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(harness.state().selection().window.is_some());
}

#[test]
fn keys_typed_into_a_field_move_nothing() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    select(&mut harness, |s| s.window = Some((10.0, 12.0)));
    click(&mut harness, "Units");
    harness.get_by_label("Filter").focus();
    harness.step();
    for key in [Key::Space, Key::ArrowRight, Key::Home, Key::G, Key::R] {
        harness.key_press(key);
        harness.step();
    }
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!((harness.state().selection().window, harness.state().selection().playback.playing), (Some((10.0, 12.0)), false));
}

#[test]
fn layouts_are_kept_for_each_recording_and_can_be_reset_and_undone() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.nwb"), folder.path().join("second.csv"));
    formats::save(&recording(), &first).unwrap();
    std::fs::write(&second, "unit,time_s,area\n1,0.5,a\n1,1.5,a\n2,0.7,b\n2,1.9,b\n").unwrap();
    let settings = folder.path().join("settings.json");
    let mut harness = window([1500.0, 950.0], AppOptions { settings_path: Some(settings.clone()), ..AppOptions::default() });
    settle(&mut harness);
    open(&mut harness, &first);
    let ctx = harness.ctx.clone();
    let shape = |h: &Window<'_>| h.state().layout_shape();
    let explore = shape(&harness);
    let mut seen = BTreeSet::new();
    for named in Named::ALL {
        harness.state_mut().execute(&ctx, Command::Layout(named));
        settle(&mut harness);
        seen.insert(shape(&harness));
    }
    assert_eq!(seen.len(), Named::ALL.len());
    let teach = shape(&harness);
    open(&mut harness, &second);
    harness.state_mut().execute(&ctx, Command::ResetLayout);
    settle(&mut harness);
    assert_eq!(shape(&harness), explore);
    harness.state_mut().execute(&ctx, Command::Undo);
    settle(&mut harness);
    assert_eq!(shape(&harness), teach);
    harness.state_mut().execute(&ctx, Command::ResetLayout);
    settle(&mut harness);
    open(&mut harness, &first);
    assert_eq!(shape(&harness), teach, "the first recording has its layout back");
    drop(harness);
    // A layout that does not fit is refused, told, and not used.
    let text = std::fs::read_to_string(&settings).unwrap().replace("\"lesson\"", "\"hologram\"").replace("\"recording\"", "\"hologram\"");
    std::fs::write(&settings, text).unwrap();
    let mut harness = window([1500.0, 950.0], AppOptions { settings_path: Some(settings), ..AppOptions::default() });
    settle(&mut harness);
    open(&mut harness, &first);
    assert_eq!(shape(&harness), explore);
    assert!(harness.state().messages().iter().any(|m| m.contains("layout")), "{:?}", harness.state().messages());
}

fn drag(harness: &mut Window<'_>, from: Pos2, to: Pos2) {
    harness.event(egui::Event::PointerMoved(from));
    harness.step();
    let button = |pos, pressed| egui::Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
    harness.event(button(from, true));
    harness.step();
    for k in 1..=4 {
        harness.event(egui::Event::PointerMoved(from + (to - from) * (k as f32 / 4.0)));
        harness.step();
    }
    harness.event(button(to, false));
    settle(harness);
}

#[test]
fn trials_brushed_among_the_latents_restrict_the_psth() {
    let recording = fake::recording();
    let run = fake::run(&recording);
    let mut harness = show([1500.0, 950.0], Theme::Light, recording, Some(run), None);
    let ctx = harness.ctx.clone();
    harness.state_mut().execute(&ctx, Command::Layout(Named::Latents));
    settle(&mut harness);
    let plot = harness.get_by_label_contains("Latents of V1").rect();
    drag(&mut harness, plot.center() + Vec2::new(0.0, -plot.height() * 0.4), plot.max - Vec2::splat(4.0));
    let chosen = harness.state().selection().trials.rows.len();
    assert!(chosen > 0 && chosen < 120, "{chosen}");
    assert_eq!(harness.state().selection().trials.table.as_deref(), Some("trials"));
    assert!(says(&harness, &format!("{chosen} trials chosen")) && says(&harness, &format!("{chosen} selected of 120 trials")));
    harness.get_all_by_label("Clear selected trials").next().unwrap().click();
    settle(&mut harness);
    assert!(harness.state().selection().trials.rows.is_empty() && !says(&harness, "selected of"));
}

/// The run of `fake` with rates for its first trials: 20 Hz for every unit, 40 Hz from 0.1 s on.
fn with_rates(mut run: RunState) -> RunState {
    let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
    let data = run.data.clone().unwrap();
    let rate = |bin: usize| if bin as f64 * 0.002 < 0.1 { 20.0f32 } else { 40.0 };
    let log_rate: Vec<Vec<f32>> = (0..data.1.bins).map(|bin| vec![(rate(bin) * 0.002).ln(); snapshot.units.len()]).collect();
    snapshot.trials = [0, 4].map(|trial| TrialSnapshot { trial, log_rate: log_rate.clone() }).to_vec();
    run.snapshot = Some(Arc::new(snapshot));
    run
}

#[test]
fn rates_of_a_model_are_drawn_over_the_psth_and_say_of_how_many_trials() {
    let recording = fake::recording();
    let run = with_rates(fake::run(&recording));
    let mut harness = show([900.0, 600.0], Theme::Light, recording, Some(run), Some("psth"));
    assert!(says(&harness, "model, mean of 2 trials"));
    // Another table's events have no prediction; the same trials split by direction have.
    click(&mut harness, "Split by: nothing");
    click(&mut harness, "direction");
    assert!(says(&harness, "model, mean of 2 trials") && says(&harness, "up ("));
}

#[test]
fn maps_of_time_follow_and_drive_the_window() {
    for view in ["rate_map", "population"] {
        let mut harness = show([900.0, 600.0], Theme::Light, recording(), None, Some(view));
        let label = if view == "rate_map" { "Rate map: 27 units" } else { "Population rate, " };
        let plot = harness.get_by_label_contains(label).rect();
        harness.hover_at(plot.center());
        harness.step();
        let wheel = egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: Vec2::new(0.0, 300.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: Modifiers::NONE,
        };
        harness.event(wheel);
        settle(&mut harness);
        let zoomed = harness.state().selection().window.expect("the wheel zooms");
        let middle = (zoomed.0 + zoomed.1) / 2.0;
        assert!(zoomed.1 - zoomed.0 < 100.0 && (middle - 72.5).abs() < 5.0, "{zoomed:?}");
        drag(&mut harness, plot.center(), plot.center() + Vec2::new(-100.0, 0.0));
        assert!(harness.state().selection().window.unwrap().0 > zoomed.0, "dragging to the left shows later times");
        select(&mut harness, |s| s.window = Some((30.0, 40.0)));
        assert!(says(&harness, "30.00 s to 40.00 s"));
        harness.get_by_label_contains(label).click();
        settle(&mut harness);
        assert!((harness.state().selection().cursor.unwrap() - 35.0).abs() < 0.1);
        assert_eq!(harness.state().selection().units.len(), usize::from(view == "rate_map"));
    }
}

#[test]
fn areas_and_pairs_are_chosen_in_the_population_rate_and_the_correlations() {
    let mut harness = show([900.0, 600.0], Theme::Light, recording(), None, Some("population"));
    click(&mut harness, "Select area LM");
    assert_eq!(harness.state().selection().areas, BTreeSet::from([1]));
    let said = harness.get_by_label_contains("Population rate, ").accesskit_node().label().unwrap();
    assert!(said.contains("LM") && !said.contains("V1"), "{said}");

    let mut harness = show([900.0, 700.0], Theme::Light, recording(), None, Some("correlations"));
    let said = harness.get_by_label_contains("Count correlations of 27 units").accesskit_node().label().unwrap();
    let value =
        |pair: &str| said.split(&format!("{pair} ")).nth(1).unwrap().split(',').next().unwrap().replace('−', "-").parse::<f64>().unwrap();
    assert!(value("within V1") > 0.1 && value("V1 with AL").abs() < 0.05, "{said}");
    let plot = harness.get_by_label_contains("Count correlations of 27 units").rect();
    let at = plot.min + Vec2::splat(2.0);
    drag(&mut harness, at, at);
    let (a, b) = harness.state().selection().unit_pair.unwrap();
    assert!(a == b && a < 12);
    click(&mut harness, "By area");
    let plot = harness.get_by_label_contains("Count correlations of 27 units").rect();
    let at = pos2(plot.left() + plot.width() * 0.9, plot.top() + 3.0);
    drag(&mut harness, at, at);
    assert_eq!(harness.state().selection().areas, BTreeSet::from([0, 2]));
    // Noise correlations: the answer to the cue is the same in every trial of a direction.
    click(&mut harness, "Trials");
    click(&mut harness, "Split by: nothing");
    click(&mut harness, "direction");
    assert!(says(&harness, "means of 2 conditions taken away"));
}

#[test]
fn a_single_unit_shows_its_trials_and_a_click_on_one_puts_the_cursor() {
    let mut harness = show([900.0, 700.0], Theme::Light, recording(), None, Some("psth"));
    select(&mut harness, |s| s.units = [3].into());
    let trials = harness.get_by_label_contains(&format!("Spikes of {TRIALS} trials")).rect();
    let at = trials.center();
    drag(&mut harness, at, at);
    let cursor = harness.state().selection().cursor.unwrap();
    assert!(recording().tables[0].start.iter().any(|s| (s - cursor).abs() < 1e-9));
}

#[test]
fn every_view_of_a_recording_survives_any_size_and_almost_no_data() {
    let keys: Vec<&str> = VIEWS.iter().map(|v| v.key).collect();
    for view in ["psth", "correlogram", "rate_map", "population", "correlations", "units"] {
        assert!(keys.contains(&view));
        for recording in [recording(), data::silent(), data::one_spike()] {
            for size in [[46.0, 34.0], [320.0, 200.0]] {
                let mut harness = show(size, Theme::Dark, Arc::clone(&recording), None, Some(view));
                select(&mut harness, |s| s.units = [0].into());
            }
        }
    }
}

#[test]
fn pictures_of_the_views() {
    let mut results = SnapshotResults::new();
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        for view in ["psth", "correlogram", "rate_map", "population", "correlations"] {
            let mut harness = show([720.0, 480.0], theme, recording(), None, Some(view));
            select(&mut harness, |s| {
                s.units = if view == "correlogram" { [0, 1].into() } else { BTreeSet::new() };
                s.window = (view != "psth" && view != "correlations").then_some((20.0, 40.0));
                s.cursor = Some(30.0);
            });
            results.add(harness.try_snapshot(format!("{view}_{name}")));
        }
    }
}

#[test]
fn an_edited_recipe_of_the_demo_is_not_taken_to_another_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cue.nwb");
    formats::save(&recording(), &path).unwrap();
    let mut harness = window([1320.0, 840.0], AppOptions { demo: true, ..AppOptions::default() });
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);
    click(&mut harness, "Train");
    harness.get_by_label("Coupling factors").focus();
    settle(&mut harness);
    harness.key_combination_modifiers(Modifiers::COMMAND, &[Key::A]);
    harness.get_by_label("Coupling factors").type_text("2");
    settle(&mut harness);
    let edited = harness.state().recipe().model.clone();
    assert!(edited != Recipe::demo().model && edited != Recipe::default().model);
    open(&mut harness, &path);
    assert_eq!(harness.state().recipe().model, Recipe::default().model);
}

#[test]
fn every_new_command_has_a_name_and_steps_are_named_by_their_width() {
    let titles: Vec<&'static str> = VIEWS.iter().map(|v| (v.make)().title()).collect();
    let name = |forward, stride| Command::StepTime { forward, stride }.name(&titles);
    assert_eq!(
        [Stride::Quarter, Stride::Full, Stride::Fine].map(|s| name(true, s)),
        ["Step forward", "Step forward a whole window", "Step forward a little"]
    );
}
