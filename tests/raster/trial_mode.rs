//! The raster with trials as rows, by label alone.

use eframe::egui::{self, Theme, Vec2, pos2};
use egui_kittest::kittest::Queryable;
use spikescope::views::raster::RasterView;

use super::arranged::{choose, rich};
use super::desk::{desk, keep, plot, settled};

#[test]
fn trials_of_the_selected_units_are_aligned_sorted_and_split() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(rich()), theme, Vec2::new(1100.0, 640.0), scale);
        settled(&mut harness);
        harness.state_mut().selection.units = [3, 41].into();
        harness.state_mut().selection.window = Some((10.0, 20.0));
        choose(&mut harness, "Rows", "trials");
        settled(&mut harness);
        harness.get_by_label_contains("800 trials by unit (unit 103 400, unit 141 400), sorted by trial, -0.2");
        choose(&mut harness, "Align to", "trials · cue_time");
        settled(&mut harness);
        choose(&mut harness, "Sort by", "choice");
        choose(&mut harness, "Group by", "choice");
        let image = settled(&mut harness);
        keep(&image, &format!("trials_{theme:?}_{scale}x"));
        harness.get_by_label_contains("800 trials by choice (left 400, right 400), sorted by choice");
        // The window of the recording is not that of the trials.
        assert_eq!(harness.state().selection.window, Some((10.0, 20.0)));
        // A click takes the window's cursor to the trial and leaves the units as they are.
        let area = plot(&harness);
        let at = pos2(area.left() + area.width() * 0.5, area.top() + 3.0);
        harness.hover_at(at);
        harness.run_steps(40);
        for pressed in [true, false] {
            let (pos, button, modifiers) = (at, egui::PointerButton::Primary, egui::Modifiers::NONE);
            harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers });
            harness.step();
        }
        harness.run_ok();
        assert!(harness.state().selection.cursor.is_some_and(|c| c > -0.3 && c < 1200.0));
        assert_eq!(harness.state().selection.units.iter().copied().collect::<Vec<_>>(), [3, 41]);
        choose(&mut harness, "Rows", "units");
        settled(&mut harness);
        harness.get_by_label_contains("120 units by area");
    }
}

#[test]
fn without_a_selection_the_most_active_unit_is_shown_and_another_selection_is_followed() {
    let mut harness = desk(RasterView::default(), Some(rich()), Theme::Light, Vec2::new(900.0, 500.0), 1.0);
    settled(&mut harness);
    choose(&mut harness, "Rows", "trials");
    settled(&mut harness);
    harness.get_by_label_contains("400 trials by unit (unit 1");
    harness.state_mut().selection.units = [7].into();
    settled(&mut harness);
    harness.get_by_label_contains("400 trials by unit (unit 107 400)");
}
