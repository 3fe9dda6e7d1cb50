//! The raster with trials as rows, by label alone.

use std::sync::Arc;

use eframe::egui::{self, Theme, Vec2, pos2};
use egui_kittest::kittest::Queryable;
use spikescope::views::raster::RasterView;

use spikescope::training::TrialSnapshot;

use super::arranged::{choose, fake, rich};
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

#[test]
fn other_events_are_marked_with_a_legend_and_chosen() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(rich()), theme, Vec2::new(900.0, 520.0), scale);
        settled(&mut harness);
        harness.state_mut().selection.units = [3].into();
        choose(&mut harness, "Rows", "trials");
        let image = settled(&mut harness);
        keep(&image, &format!("trials_events_{theme:?}_{scale}x"));
        harness.get_by_label_contains("marks: stop_time, cue_time");
        // A cue half a second after the start, in every row: a line of one colour at its place.
        let area = plot(&harness);
        let x = ((area.left() + area.width() * (0.7 + 0.0044) / 2.2088) * scale) as u32;
        let column = |image: &image::RgbaImage, x: u32| {
            let pixel = |k: u32| image.get_pixel(x, ((area.top() + area.height() * (k as f32 + 0.5) / 50.0) * scale) as u32).0;
            (0..50).map(pixel).collect::<Vec<_>>()
        };
        let most = |pixels: &[[u8; 4]]| pixels.iter().map(|p| pixels.iter().filter(|q| *q == p).count()).max().unwrap();
        let near: Vec<u32> = (x - 3..=x + 3).collect();
        let paper = image.get_pixel(x + 40, ((area.top() + 5.0) * scale) as u32).0;
        let marked = |image: &image::RgbaImage| {
            near.iter().any(|&x| {
                let pixels = column(image, x);
                most(&pixels) > 40 && pixels.iter().filter(|p| **p == paper).count() < 10
            })
        };
        assert!(marked(&image), "no mark at the cue");
        harness.hover_at(pos2(area.left() + area.width() * 0.7044 / 2.2088, area.center().y));
        harness.run_ok();
        harness.get_by_label("cue_time at 0.500 s");
        harness.hover_at(pos2(5.0, 515.0));
        choose(&mut harness, "Show", "cue_time");
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
        let image = settled(&mut harness);
        assert!(harness.query_by_label_contains("marks: stop_time").is_some() && !marked(&image), "cue_time was left out");
    }
}

#[test]
fn rates_of_a_model_lie_behind_the_rows_of_their_trials() {
    for theme in [Theme::Light, Theme::Dark] {
        let recording = fake::recording();
        let mut run = fake::run(&recording);
        let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
        let bins = run.data.as_ref().unwrap().1.bins;
        let log_rate: Vec<Vec<f32>> = (0..bins).map(|b| vec![if b < bins / 2 { -2.0 } else { -20.0 }; snapshot.units.len()]).collect();
        snapshot.trials = [2, 3].map(|trial| TrialSnapshot { trial, log_rate: log_rate.clone() }).to_vec();
        run.snapshot = Some(Arc::new(snapshot));
        let mut harness = desk(RasterView::default(), Some((*recording).clone()), theme, Vec2::new(900.0, 700.0), 1.0);
        harness.state_mut().run = Some(run);
        harness.state_mut().selection.units = [1].into();
        choose(&mut harness, "Rows", "trials");
        settled(&mut harness);
        // No tip over the rows.
        harness.hover_at(pos2(300.0, 697.0));
        let without = settled(&mut harness);
        choose(&mut harness, "Show", "Inferred rates behind ticks");
        harness.key_press(egui::Key::Escape);
        harness.hover_at(pos2(300.0, 697.0));
        harness.run_ok();
        let image = settled(&mut harness);
        keep(&image, &format!("trials_rates_{theme:?}"));
        harness.get_by_label_contains("shade: inferred rates of 2 trials, up to 68 Hz");
        assert!(harness.state().looks_at_run);
        // Rows 2 and 3 of 120 are shaded in their first half, and nothing else is.
        let area = plot(&harness);
        let changed: std::collections::BTreeSet<u32> = (area.top() as u32 + 1..area.bottom() as u32 - 1)
            .filter(|y| {
                (area.left() as u32 + 1..area.right() as u32 - 1).filter(|x| image.get_pixel(*x, *y) != without.get_pixel(*x, *y)).count()
                    > 60
            })
            .collect();
        let row = |y: u32| ((y as f32 + 0.5 - area.top()) / area.height() * 120.0) as usize;
        let rows: std::collections::BTreeSet<usize> = changed.iter().map(|y| row(*y)).collect();
        assert!(rows.contains(&2) && rows.contains(&3) && rows.iter().all(|r| (1..=4).contains(r)), "{rows:?}");
    }
}

#[test]
fn what_was_not_observed_is_shaded_row_by_row_and_told() {
    let mut harness = desk(RasterView::default(), Some(rich()), Theme::Light, Vec2::new(900.0, 520.0), 1.0);
    settled(&mut harness);
    harness.state_mut().selection.units = [3].into();
    choose(&mut harness, "Rows", "trials");
    keep(&settled(&mut harness), "trials_gaps_Light");
    // Trials begin every 3 s and nobody looked from 700 to 760 s; the first one reaches before the beginning.
    harness.get_by_label_contains("of 400 trials were not observed all the time (shaded)");
    let area = plot(&harness);
    harness.hover_at(pos2(area.left() + area.width() * 0.4, area.top() + area.height() * 240.5 / 400.0));
    harness.run_ok();
    harness.get_by_label("not observed");
}
