//! Rows of the raster: grouped, sorted, coloured, collapsed, reordered, selected; what is drawn beside and behind them.

use std::sync::Arc;

use eframe::egui::{self, Modifiers, Theme, Vec2, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use spikescope::recording::{Column, Covariate, IntervalTable, NamedColumn, Recording};
use spikescope::render::RasterStyle;
use spikescope::training::TrialSnapshot;
use spikescope::views::raster::RasterView;

use super::desk::{Desk, close, desk, keep, plot, recording, settled, synthetic, tiny};

#[path = "../window/fake.rs"]
#[allow(dead_code)]
pub mod fake;

type Raster<'a> = Harness<'a, Desk<RasterView>>;

/// Choose `entry` in the menu called `menu`.
pub fn choose(harness: &mut Raster<'_>, menu: &str, entry: &str) {
    harness.get_by_label(menu).click();
    harness.run_ok();
    harness.get_by_label(entry).click();
    harness.run_ok();
}

fn selected(harness: &Raster<'_>) -> Vec<usize> {
    harness.state().selection.units.iter().copied().collect()
}

/// Two areas, 40 units with depth and quality, a trial table with a condition, epochs, a covariate.
pub fn rich() -> Recording {
    let mut rich = synthetic(60_000);
    let quality = Column::Text((0..120).map(|u| ["good", "fair", "poor"][u % 3].to_owned()).collect());
    rich.units.columns.push(NamedColumn { name: "quality".into(), description: String::new(), values: quality });
    for table in &mut rich.tables {
        let n = table.start.len();
        let choice = Column::Text((0..n).map(|k| if k % 2 == 0 { "left" } else { "right" }.to_owned()).collect());
        table.columns.push(NamedColumn { name: "choice".into(), description: String::new(), values: choice });
        let cue = Column::Float(table.start.iter().map(|t| t + 0.5).collect());
        table.columns.push(NamedColumn { name: "cue_time".into(), description: String::new(), values: cue });
    }
    rich.tables.push(IntervalTable { name: "epochs".into(), start: vec![0.0, 700.0], stop: vec![650.0, 1200.0], columns: vec![] });
    let times: Vec<f64> = (0..24_000).map(|k| 0.05 * f64::from(k)).collect();
    let values = times.iter().map(|t| (t / 40.0).sin() * (t / 3.0).cos()).collect();
    rich.covariates.push(Covariate { name: "hand_speed".into(), unit: "m/s".into(), values, times });
    rich
}

#[test]
fn groups_orders_and_colours_are_chosen_by_name() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(rich()), theme, Vec2::new(1100.0, 620.0), scale);
        settled(&mut harness);
        choose(&mut harness, "Group by", "quality");
        harness.get_by_label_contains("120 units by quality (good 40, fair 40, poor 40), sorted by rate");
        choose(&mut harness, "Sort by", "similarity of activity");
        settled(&mut harness);
        harness.get_by_label_contains("sorted by similarity of activity");
        choose(&mut harness, "Colour", "depth");
        harness.get_by_label_contains("colour: depth from 0 (dark) to 99 (bright)");
        keep(&settled(&mut harness), &format!("arranged_quality_{theme:?}_{scale}x"));
        choose(&mut harness, "Group by", "nothing");
        harness.get_by_label_contains("120 units by nothing (all units 120)");
    }
}

#[test]
fn an_area_collapses_to_its_mean_rate_and_opens_again() {
    for theme in [Theme::Light, Theme::Dark] {
        let mut harness = desk(RasterView::default(), Some(rich()), theme, Vec2::new(1000.0, 600.0), 1.0);
        settled(&mut harness);
        harness.get_by_label("Collapse M1").click();
        keep(&settled(&mut harness), &format!("arranged_collapsed_{theme:?}"));
        harness.get_by_label_contains("(PMd 40, M1 40 as their mean rate, hippocampus CA1 40)");
        // Spikes of the collapsed area are not drawn one by one, but are told: all of them stay in the recording.
        let area = plot(&harness);
        harness.hover_at(area.center());
        harness.run_ok();
        harness.get_by_label_contains("mean of 40 units: ");
        harness.get_by_label("Open M1").click();
        settled(&mut harness);
        harness.get_by_label_contains("(PMd 40, M1 40, hippocampus CA1 40)");
    }
}

#[test]
fn areas_are_dragged_to_another_place_and_selected_by_name() {
    let mut harness = desk(RasterView::default(), Some(rich()), Theme::Light, Vec2::new(1000.0, 600.0), 1.0);
    settled(&mut harness);
    let area = plot(&harness);
    let beside = |share: f32| pos2(area.left() - 30.0, area.top() + area.height() * share);
    harness.drag_at(beside(0.1));
    harness.step();
    for share in [0.3, 0.6, 0.9] {
        harness.hover_at(beside(share));
        harness.step();
    }
    harness.drop_at(beside(0.9));
    harness.run_ok();
    settled(&mut harness);
    harness.get_by_label_contains("(M1 40, hippocampus CA1 40, PMd 40)");
    harness.hover_at(beside(0.1));
    harness.run_steps(30);
    harness.drag_at(beside(0.1));
    harness.drop_at(beside(0.1));
    harness.run_ok();
    assert_eq!(selected(&harness), (40..80).collect::<Vec<_>>());
}

#[test]
fn clicks_and_boxes_select() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(800.0, 420.0), 1.0);
    settled(&mut harness);
    let area = plot(&harness);
    let at = |share: f32, row: f32| pos2(area.left() + area.width() * share, area.top() + area.height() * row / 3.0);
    let button = |pos, pressed, modifiers| egui::Event::PointerButton { pos, button: egui::PointerButton::Primary, pressed, modifiers };
    let click = |harness: &mut Raster<'_>, row: f32, modifiers: Modifiers| {
        harness.hover_at(at(0.33, row));
        // Long enough after the last click not to be a double click.
        harness.run_steps(40);
        harness.event_modifiers(button(at(0.33, row), true, modifiers), modifiers);
        harness.step();
        harness.event_modifiers(button(at(0.33, row), false, modifiers), modifiers);
        harness.run_ok();
        selected(harness)
    };
    assert_eq!(click(&mut harness, 0.5, Modifiers::NONE), [0]);
    assert_eq!(click(&mut harness, 2.5, Modifiers::SHIFT), [0, 2]);
    assert_eq!(click(&mut harness, 1.5, Modifiers::SHIFT), [0, 1, 2]);
    assert_eq!(click(&mut harness, 0.5, Modifiers::COMMAND), [1, 2]);
    assert_eq!(click(&mut harness, 1.5, Modifiers::NONE), [1]);
    assert_eq!(click(&mut harness, 1.5, Modifiers::NONE), [0usize; 0]);
    let window = harness.state().selection.window;
    harness.hover_at(at(0.2, 1.4));
    harness.run_steps(40);
    harness.event_modifiers(button(at(0.2, 1.4), true, Modifiers::COMMAND), Modifiers::COMMAND);
    harness.step();
    harness.event_modifiers(egui::Event::PointerMoved(at(0.5, 2.0)), Modifiers::COMMAND);
    harness.step();
    harness.event_modifiers(egui::Event::PointerMoved(at(0.6, 2.8)), Modifiers::COMMAND);
    harness.step();
    keep(&harness.render().unwrap(), "arranged_box");
    harness.event_modifiers(button(at(0.6, 2.8), false, Modifiers::COMMAND), Modifiers::COMMAND);
    harness.run_ok();
    assert_eq!((selected(&harness), harness.state().selection.window), (vec![1, 2], window));
}

#[test]
fn conditions_epochs_and_covariates_are_shown_when_asked_for() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(rich()), theme, Vec2::new(1000.0, 640.0), scale);
        settled(&mut harness);
        choose(&mut harness, "Show", "hand_speed");
        harness.get_by_label("Covariate hand_speed (m/s)");
        harness.get_by_label("epochs").click();
        harness.run_ok();
        harness.get_by_label("Intervals of epochs");
        harness.get_by_label("trials · choice").click();
        harness.run_ok();
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
        harness.get_by_label_contains("400 intervals of trials · choice, zoom in to see them");
        harness.state_mut().selection.window = Some((300.0, 330.0));
        keep(&settled(&mut harness), &format!("arranged_marks_{theme:?}_{scale}x"));
        let band = harness.get_by_label("Intervals of trials · choice").rect();
        harness.hover_at(band.left_center() + Vec2::new(4.0, 0.0));
        harness.run_ok();
        harness.get_by_label("choice: left");
    }
}

#[test]
fn inferred_rates_lie_behind_the_ticks_of_their_trial() {
    for theme in [Theme::Light, Theme::Dark] {
        let recording = fake::recording();
        let mut run = fake::run(&recording);
        let mut snapshot = (**run.snapshot.as_ref().unwrap()).clone();
        // One rate for all units in the first half of trial 3, next to none in the second.
        let bins = run.data.as_ref().unwrap().1.bins;
        let log_rate = (0..bins).map(|b| vec![if b < bins / 2 { -2.0 } else { -20.0 }; snapshot.units.len()]).collect();
        snapshot.trials = vec![TrialSnapshot { trial: 3, log_rate }];
        run.snapshot = Some(Arc::new(snapshot));
        let start = run.data.as_ref().unwrap().1.starts[3];
        let mut harness = desk(RasterView::default(), Some((*recording).clone()), theme, Vec2::new(900.0, 500.0), 1.0);
        harness.state_mut().run = Some(run);
        harness.state_mut().selection.window = Some((start - 0.5, start + 1.0));
        // The selected trial's own shade would lie over the place that is looked at.
        harness.state_mut().selection.trial = 100;
        settled(&mut harness);
        assert!(!harness.state().looks_at_run);
        choose(&mut harness, "Show", "Inferred rates behind ticks");
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
        let image = settled(&mut harness);
        keep(&image, &format!("arranged_rates_{theme:?}"));
        assert!(harness.state().looks_at_run, "the run goes on publishing while its rates are shown");
        harness.get_by_label_contains("shade: inferred rate of trial 3, up to 68 Hz");
        // Most of the pixels of a line are paper; in the first half of the trial they are shaded.
        let area = plot(&harness);
        let line = |seconds: f64| {
            let x = area.left() + area.width() * ((seconds - start + 0.5) / 1.5) as f32;
            let mut seen: Vec<[u8; 4]> =
                (0..200).map(|k| image.get_pixel(x as u32, (area.top() + area.height() * (k as f32 + 0.5) / 200.0) as u32).0).collect();
            seen.sort_unstable();
            seen.chunk_by(|a, b| a == b).max_by_key(|c| c.len()).map(|c| c[0]).unwrap()
        };
        let (inside, late, before) = (line(start + 0.1), line(start + 0.4), line(start - 0.3));
        assert_eq!(late, before, "no rate, no shade");
        assert_ne!(inside, before);
    }
}

#[test]
fn rows_of_a_few_pixels_have_even_gaps() {
    // 90 units that fire all the time, on a height that is no multiple of 90: every row gets the same ink.
    let trains: Vec<Vec<f64>> = (0..90).map(|_| (0..4000).map(|k| f64::from(k) * 0.01).collect()).collect();
    for (theme, height) in [(Theme::Light, 560.0), (Theme::Light, 631.0), (Theme::Dark, 560.0)] {
        let mut harness = desk(RasterView::default(), Some(recording(trains.clone(), &["A"])), theme, Vec2::new(500.0, height), 1.0);
        let image = settled(&mut harness);
        keep(&image, &format!("arranged_gaps_{theme:?}_{height}"));
        let (area, style) = (plot(&harness), RasterStyle::new(theme == Theme::Dark));
        let row_px = area.height() / 90.0;
        assert!(row_px > 4.0 && row_px.fract() > 0.1 && row_px.fract() < 0.9, "{row_px}");
        let x = area.center().x as u32;
        let paper = image.get_pixel(x, (area.top() + 89.97 * row_px) as u32).0[2];
        let full = style.area(0).b();
        let ink = |y: u32| f32::from(image.get_pixel(x, y).0[2].abs_diff(paper)) / f32::from(full.abs_diff(paper));
        let profile: Vec<f32> = (0..area.height() as u32).map(|y| ink(area.top() as u32 + y)).collect();
        // Ink of a row: what lies between the middles of the gaps above and below it, pixels shared by share.
        let upto = |y: f32| profile.iter().enumerate().map(|(k, ink)| ink * (y - k as f32).clamp(0.0, 1.0)).sum::<f32>();
        let inks: Vec<f32> = (1..89).map(|r| upto((r + 1) as f32 * row_px - 0.5) - upto(r as f32 * row_px - 0.5)).collect();
        let (least, most) = (inks.iter().copied().fold(f32::MAX, f32::min), inks.iter().copied().fold(0.0, f32::max));
        assert!(most - least < 0.35, "{theme:?} {height}: ink of a row from {least} to {most} px");
        assert!((least - (row_px - 1.0)).abs() < 0.5, "{least} of {row_px}");
    }
}

#[test]
fn spikes_are_at_their_pixel_after_ten_hours() {
    // Ten hours in, a window of 2 ms: f32 seconds would be 4 ms apart there.
    let hours = 36_000.0;
    let times: Vec<f64> = [0.0, 0.1e-3, 0.5e-3, 0.9e-3, 1.7e-3].iter().map(|t| hours + t).collect();
    let mut first = vec![0.5];
    first.extend(&times);
    let mut harness =
        desk(RasterView::default(), Some(recording(vec![first, vec![1.0]], &["A"])), Theme::Dark, Vec2::new(900.0, 400.0), 1.0);
    let (start, stop) = (hours - 0.1e-3, hours + 1.9e-3);
    harness.state_mut().selection.window = Some((start, stop));
    let image = settled(&mut harness);
    keep(&image, "arranged_ten_hours");
    let (area, style) = (plot(&harness), RasterStyle::new(true));
    let y = (area.top() + area.height() * 0.2) as u32;
    let columns = area.width().round() as usize;
    let found: Vec<usize> =
        (0..columns).filter(|c| close(image.get_pixel(area.left().round() as u32 + *c as u32, y), style.area(0))).collect();
    let expected: Vec<usize> =
        times.iter().map(|t| ((t - start) / (stop - start) * columns as f64).floor() as usize).flat_map(|c| [c, c + 1]).collect();
    let near = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1);
    assert!(near, "{found:?} instead of {expected:?}");
}
