//! Exploring without a mouse: every control is reached with Tab, has a name and is worked with keys.

use std::collections::BTreeSet;

use eframe::egui::{self, Key, Modifiers, Theme};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use spikescope::app::AppOptions;
use spikescope::formats;

use super::data::recording;
use super::support::{Window, settle, wait, window};
use super::{press, says, select, show, type_text};

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
fn borders_between_views_have_names_and_are_moved_by_keys() {
    let mut harness = show([1500.0, 950.0], Theme::Light, recording(), None, None);
    settle(&mut harness);
    let width = |harness: &Window<'_>| harness.get_by_label_contains("Spike raster of").rect().width();
    let before = width(&harness);
    tab_to(&mut harness, "Border between ");
    let name = harness.query_all_by(|n| n.is_focused()).next().unwrap().accesskit_node().label().unwrap();
    assert_eq!(harness.get_by_label(&name).accesskit_node().role(), egui::accesskit::Role::Splitter);
    // Arrow keys move the border and nothing else, least of all the time window.
    let window = harness.state().selection().window;
    let borders: Vec<String> = harness.query_all_by_label_contains("Border between ").filter_map(|n| n.accesskit_node().label()).collect();
    assert!(borders.len() > 1 && borders.iter().all(|b| !b.contains("  ") && !b.ends_with(' ')), "{borders:?}");
    let mut changed = false;
    for border in borders {
        tab_to(&mut harness, &border);
        for key in [Key::ArrowRight, Key::ArrowDown] {
            press(&mut harness, Modifiers::NONE, key);
        }
        changed |= (width(&harness) - before).abs() > 20.0;
        assert!(harness.get_by_label(&border).is_focused(), "{border} keeps the focus");
    }
    assert!(changed, "the raster is as wide as before");
    assert_eq!(harness.state().selection().window, window);
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
