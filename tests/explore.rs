//! Exploring a recording in the real app: by label and keyboard alone from opening to undo, what is selected followed by every
//! view, time that plays, layouts that come back, and pictures of the views.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "explore/data.rs"]
mod data;
#[path = "window/fake.rs"]
#[allow(dead_code, reason = "the fake run has more states than these tests need")]
mod fake;
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

/// Press Tab until what has the focus is called as wished; the names on the way.
fn tab_until(harness: &mut Window<'_>, most: usize, wished: impl Fn(&str) -> bool) -> Result<(), BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for _ in 0..most {
        harness.key_press(Key::Tab);
        harness.run_steps(2);
        let Some(node) = harness.query_all_by(|n| n.is_focused()).next() else { continue };
        let name = node.accesskit_node().label().or_else(|| node.accesskit_node().value()).unwrap_or_default();
        // Borders between panes and the backgrounds of tabs are stops of the tiling library, which gives them no names.
        assert!(!name.trim().is_empty() || node.accesskit_node().role() == egui::accesskit::Role::Unknown, "no name: {node:?}");
        if wished(&name) {
            return Ok(());
        }
        names.insert(name);
    }
    Err(names)
}

/// Press Tab until what begins with this label has the focus.
fn tab_to(harness: &mut Window<'_>, label: &str) {
    tab_until(harness, 300, |name| name.starts_with(label)).unwrap_or_else(|names| panic!("Tab never comes to '{label}': {names:#?}"));
}

/// Go to a menu with Tab, open it with Enter, and choose an entry the same way.
fn choose_by_keys(harness: &mut Window<'_>, menu: &str, entry: &str) {
    tab_to(harness, menu);
    press(harness, Modifiers::NONE, Key::Enter);
    tab_until(harness, 300, |name| name == entry).unwrap_or_else(|names| panic!("Tab never comes to '{entry}': {names:#?}"));
    press(harness, Modifiers::NONE, Key::Enter);
}

#[test]
fn from_opening_to_undo_without_a_mouse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cue.nwb");
    formats::save(&recording(), &path).unwrap();
    let mut harness = window([1500.0, 1400.0], AppOptions::default());
    settle(&mut harness);
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::O);
    type_text(&mut harness, &path.to_string_lossy());
    press(&mut harness, Modifiers::NONE, Key::Enter);
    wait(&mut harness, "open", |h| h.state().recording().is_some());
    settle(&mut harness);

    // Rows of the raster: grouped by nothing and by area again, sorted by depth, one selected with the arrow keys.
    choose_by_keys(&mut harness, "Group by", "nothing");
    assert!(says(&harness, "27 units by nothing"));
    choose_by_keys(&mut harness, "Group by", "area");
    choose_by_keys(&mut harness, "Sort by", "depth");
    assert!(says(&harness, "27 units by area (V1 12, LM 9, AL 6), sorted by depth"));
    tab_to(&mut harness, "Spike raster of");
    for _ in 0..3 {
        press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    }
    assert_eq!(harness.state().selection().units, BTreeSet::from([2]));
    tab_to(&mut harness, "Groups of the raster's rows");
    press(&mut harness, Modifiers::NONE, Key::ArrowLeft);
    assert!(says(&harness, "V1 12 as their mean rate"));

    // The PSTH of that unit, aligned to the cue and split by direction.
    assert!(says(&harness, "PSTH of unit 102"));
    choose_by_keys(&mut harness, "Align to: ", "trials · cue_time");
    choose_by_keys(&mut harness, "Split by: ", "direction");
    let said = harness.get_by_label_contains("PSTH of unit 102 · V1 around cue_time").accesskit_node().label().unwrap();
    assert!(said.contains("left: peak ") && said.contains("right: peak "), "{said}");
    // Its trials, one after the other.
    tab_to(&mut harness, "Spikes of 120 trials");
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    let first = harness.state().selection().cursor.unwrap();
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    let second = harness.state().selection().cursor.unwrap();
    assert!((first - 1.3).abs() < 1e-6 && (second - 3.7).abs() < 1e-6, "{first} {second}: trials of the left direction");

    // Escape gives the keys of the whole window back: go to a time, zoom, step, next event.
    press(&mut harness, Modifiers::NONE, Key::Escape);
    press(&mut harness, Modifiers::NONE, Key::G);
    type_text(&mut harness, "20");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().selection().window, Some((15.0, 25.0)));
    press(&mut harness, Modifiers::NONE, Key::Z);
    assert_eq!(harness.state().selection().window, Some((17.5, 22.5)));
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_eq!(harness.state().selection().window, Some((18.75, 23.75)));

    // Back, one by one: window, zoom, going to 20 s, two trials, the collapsed group.
    for window in [Some((17.5, 22.5)), Some((15.0, 25.0)), None] {
        press(&mut harness, Modifiers::COMMAND, Key::Z);
        assert_eq!(harness.state().selection().window, window);
    }
    for cursor in [Some(first), None] {
        press(&mut harness, Modifiers::COMMAND, Key::Z);
        assert_eq!(harness.state().selection().cursor, cursor);
    }
    assert!(says(&harness, "V1 12 as their mean rate"));
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(!says(&harness, "V1 12 as their mean rate") && says(&harness, "sorted by depth"));
    for _ in 0..3 {
        press(&mut harness, Modifiers::COMMAND, Key::Z);
    }
    assert!(harness.state().selection().units.is_empty() && says(&harness, "sorted by depth"));
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(says(&harness, "sorted by rate"));
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert!(says(&harness, "sorted by depth"));
}

#[test]
fn every_control_of_a_view_is_reached_with_tab_and_has_a_name() {
    let mut seen = 0;
    for view in ["raster", "psth", "correlogram", "rate_map", "population", "correlations", "units"] {
        let mut harness = show([1000.0, 700.0], Theme::Light, recording(), None, Some(view));
        select(&mut harness, |s| s.units = [0, 1, 2].into());
        let names = tab_until(&mut harness, 120, |_| false).unwrap_err();
        let wanted: &[&str] = match view {
            "raster" => {
                &["Rows", "Sort by", "Group by", "Colour", "Show", "Fit", "Spike raster of", "Groups of the raster's rows", "Collapse V1"]
            }
            "psth" => &[
                "By unit",
                "By area",
                "Align to: ",
                "Split by: ",
                "Before",
                "After",
                "Bin",
                "Smoothing SD",
                "None",
                "SEM",
                "Bootstrap",
                "Select unit 100",
            ],
            "correlogram" => &[
                "Reference: ",
                "Target: ",
                "Rate",
                "Counts",
                "Whole recording",
                "Visible time",
                "Lags up to",
                "Bin",
                "Jitter band",
                "Jitter window",
                "Copies",
                "Correlogram unit 100 (V1) → unit 101 (V1)",
            ],
            "rate_map" => &["Sort by: ", "Smoothing SD: ", "Share of own peak", "Rate", "Selected units only", "Rate map: "],
            "population" => &["Smoothing SD: ", "Select area V1", "Select area AL", "Population rate, "],
            "correlations" => &["Bins", "Trials", "Bin", "By unit", "By area", "Colours to", "Count correlations of "],
            _ => &["Filter", "Select shown", "Clear selection", "Copy as CSV", "rate (Hz)", "Unit table, 27 rows"],
        };
        for label in wanted {
            assert!(names.iter().any(|n| n.starts_with(label)), "{view}: Tab does not come to '{label}': {names:#?}");
            seen += 1;
        }
    }
    assert!(seen > 50);
}

#[test]
fn rows_of_the_unit_table_cells_of_the_correlations_and_maps_are_moved_through_with_arrow_keys() {
    let mut harness = show([900.0, 600.0], Theme::Light, recording(), None, Some("units"));
    tab_to(&mut harness, "Unit table, 27 rows");
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(harness.state().selection().units, BTreeSet::from([1, 2]));

    let mut harness = show([900.0, 700.0], Theme::Light, recording(), None, Some("correlations"));
    tab_to(&mut harness, "Count correlations of 27 units");
    for key in [Key::ArrowDown, Key::ArrowDown, Key::ArrowRight, Key::Enter] {
        press(&mut harness, Modifiers::NONE, key);
    }
    let pair = harness.state().selection().unit_pair.unwrap();
    assert!(pair.0 != pair.1 && pair.0 < 12 && pair.1 < 12, "{pair:?}");

    let mut harness = show([900.0, 600.0], Theme::Light, recording(), None, Some("rate_map"));
    tab_to(&mut harness, "Rate map: 27 units");
    press(&mut harness, Modifiers::NONE, Key::Z);
    let (start, stop) = harness.state().selection().window.unwrap();
    press(&mut harness, Modifiers::NONE, Key::ArrowLeft);
    assert!((harness.state().selection().window.unwrap().0 - (start - (stop - start) / 4.0)).abs() < 1e-6);
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(harness.state().selection().units.len(), 2);
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
    snapshot.trials = [0, 4].map(|trial| TrialSnapshot { trial, coupling: vec![], factors: vec![], log_rate: log_rate.clone() }).to_vec();
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
