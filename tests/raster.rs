//! The views of a recording (raster, unit table, recording) in real egui frames on software Vulkan: spikes are drawn where they
//! are, at every size, in both themes; mouse and keys do what the help says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, Theme, Vec2, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use image::RgbaImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::recording::{
    AreaRule, Column, Covariate, IntervalTable, NamedColumn, NoteKind, Recording, RecordingParts, Source, SpikeTrains, TrueEdge, Truth,
};
use spikescope::render::{self, Colouring, RasterStyle};
use spikescope::training::Recipe;
use spikescope::views::raster::RasterView;
use spikescope::views::recording::RecordingView;
use spikescope::views::units::UnitTableView;
use spikescope::views::{Action, Selection, View, ViewContext};

/// A view, what it shows and what it changed.
struct Desk<V> {
    view: V,
    recording: Option<Arc<Recording>>,
    selection: Selection,
    recipe: Recipe,
    actions: Vec<Action>,
}

impl<V: View> Desk<V> {
    fn ui(&mut self, ui: &mut egui::Ui) {
        let mut looks = false;
        let mut context = ViewContext {
            recording: self.recording.as_ref(),
            run: None,
            selection: &mut self.selection,
            recipe: &mut self.recipe,
            actions: &mut self.actions,
            looks_at_run: &mut looks,
        };
        self.view.ui(ui, &mut context);
    }
}

fn desk<V: View + 'static>(
    view: V,
    recording: Option<Recording>,
    theme: Theme,
    size: Vec2,
    pixels_per_point: f32,
) -> Harness<'static, Desk<V>> {
    let state = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
    render::install(&state);
    let desk =
        Desk { view, recording: recording.map(Arc::new), selection: Selection::default(), recipe: Recipe::default(), actions: Vec::new() };
    Harness::builder()
        .with_size(size)
        .with_pixels_per_point(pixels_per_point)
        .with_theme(theme)
        .with_step_dt(1.0 / 60.0)
        .with_render_cursor(false)
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(|ui, desk: &mut Desk<V>| desk.ui(ui), desk)
}

/// Run frames until `text` is no longer said (work in the background is done), then render.
fn settled<V: View + 'static>(harness: &mut Harness<'_, Desk<V>>, text: &str) -> RgbaImage {
    for _ in 0..2000 {
        harness.step();
        if harness.query_by_label_contains(text).is_none() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    harness.run_ok();
    harness.render().unwrap()
}

fn raster(harness: &mut Harness<'_, Desk<RasterView>>) -> RgbaImage {
    settled(harness, "Sorting")
}

/// Keep a picture to look at, when asked to.
fn keep(image: &RgbaImage, name: &str) {
    if let Ok(folder) = std::env::var("SPIKESCOPE_PICTURES") {
        image.save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

fn recording(trains: Vec<Vec<f64>>, areas: &[&str]) -> Recording {
    let n = trains.len();
    let values = Column::Float((0..n).map(|u| ((u * 37) % 100) as f64).collect());
    let parts = RecordingParts {
        name: "test".into(),
        spikes: SpikeTrains::from_units(trains),
        unit_ids: (0..n).map(|u| format!("{}", 100 + u)).collect(),
        unit_areas: (0..n).map(|u| areas[u * areas.len() / n].to_owned()).collect(),
        unit_columns: vec![NamedColumn { name: "depth".into(), description: String::new(), values }],
        ..RecordingParts::default()
    };
    Recording::new(parts, Source::File("test.nwb".into())).unwrap()
}

/// Three units, twenty spikes; rows by rate are units 0, 1 (area A) and 2 (area B).
fn tiny() -> Recording {
    let first: Vec<f64> = (0..10).map(f64::from).collect();
    let mut tiny = recording(vec![first, vec![0.5, 1.5, 2.5, 3.5, 8.5], vec![2.25, 4.25, 4.6, 6.75, 9.0]], &["A", "A", "B"]);
    let trials = IntervalTable { name: "trials".into(), start: vec![1.0, 4.0, 7.0], stop: vec![2.0, 5.0, 8.0], columns: Vec::new() };
    tiny.tables.push(trials);
    tiny
}

/// `n` spikes of 120 units at different rates with slow modulation, 20 minutes, three areas, one gap.
fn synthetic(n: usize) -> Recording {
    let (units, duration) = (120, 1200.0);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let weight = |u: usize| 0.15 + 2.0 / (1.0 + (u % 40) as f64 / 6.0);
    let total: f64 = (0..units).map(weight).sum();
    let trains = (0..units)
        .map(|u| {
            let count = (n as f64 * weight(u) / total).round() as usize;
            let phase = u as f64 * 0.11;
            let mut times = Vec::with_capacity(count);
            while times.len() < count {
                let t: f64 = random.random_range(0.0..duration);
                let rate = 0.5 + 0.5 * (t / 60.0 * std::f64::consts::TAU / 4.0 + phase).sin();
                if random.random_range(0.0..1.0) < 0.15 + 0.85 * rate && !(700.0..760.0).contains(&t) {
                    times.push(t);
                }
            }
            times.sort_by(f64::total_cmp);
            times
        })
        .collect();
    let mut made = recording(trains, &["PMd", "M1", "hippocampus CA1"]);
    made.observed = vec![(0.0, 700.0), (760.0, duration)];
    let start: Vec<f64> = (0..400).map(|k| 3.0 * f64::from(k)).collect();
    made.tables.push(IntervalTable { name: "trials".into(), stop: start.iter().map(|t| t + 2.0).collect(), start, columns: Vec::new() });
    made
}

/// The rectangle of the plot in points.
fn plot(harness: &Harness<'_, Desk<RasterView>>) -> egui::Rect {
    harness.get_by_label_contains("Spike raster of").rect()
}

fn close(pixel: &image::Rgba<u8>, color: egui::Color32) -> bool {
    pixel.0.iter().zip(color.to_array()).take(3).all(|(a, b)| a.abs_diff(b) <= 3)
}

#[test]
fn without_a_recording_it_says_so_and_offers_to_open_one() {
    for theme in [Theme::Light, Theme::Dark] {
        let mut harness = desk(RasterView::default(), None, theme, Vec2::new(700.0, 400.0), 1.0);
        keep(&raster(&mut harness), &format!("raster_empty_{theme:?}"));
        harness.get_by_label("No recording is open");
        harness.get_by_label("Try the demo").click();
        harness.run();
        assert!(matches!(harness.state().actions.as_slice(), [Action::OpenDemo]));
    }
}

#[test]
fn every_spike_of_a_small_recording_is_drawn_at_its_pixel_and_nothing_else() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 1.0), (Theme::Light, 2.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(tiny()), theme, Vec2::new(800.0, 420.0), scale);
        // Without event marks, which are drawn over the spikes.
        harness.get_by_label("Events").click();
        harness.run_ok();
        harness.get_by_label("none").click();
        let image = raster(&mut harness);
        keep(&image, &format!("raster_tiny_{theme:?}_{scale}x"));
        let (plot, style) = (plot(&harness), RasterStyle::new(theme == Theme::Dark));
        let tiny = tiny();
        let (start, stop) = (-0.018, 9.018);
        let (columns, wide) = ((plot.width() * scale).round() as usize, (1.5 * scale).round() as usize);
        for unit in 0..3 {
            let mut expected = vec![false; columns];
            for time in tiny.spikes.unit(unit) {
                let column = ((time - start) / (stop - start) * columns as f64).floor() as usize;
                let left = column - (wide - 1) / 2;
                expected[left..left + wide].fill(true);
            }
            let color = style.area(usize::from(unit == 2));
            let y = (plot.top() + plot.height() * (unit as f32 + 0.4) / 3.0) * scale;
            let found: Vec<bool> =
                (0..columns).map(|c| close(image.get_pixel((plot.left() * scale).round() as u32 + c as u32, y as u32), color)).collect();
            let which = |row: &[bool]| (0..columns).filter(|c| row[*c]).collect::<Vec<_>>();
            assert_eq!(which(&found), which(&expected), "{theme:?} {scale} unit {unit}");
        }
        harness.get_by_label_contains("3 units by area (A 2, B 1), sorted by rate");
        harness.get_by_label_contains("one tick is one spike; 20 spikes");
    }
}

#[test]
fn a_million_spikes_show_their_density_and_zoom_in_to_ticks() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RasterView::default(), Some(synthetic(1_000_000)), theme, Vec2::new(1000.0, 600.0), scale);
        let image = raster(&mut harness);
        keep(&image, &format!("raster_1m_{theme:?}_{scale}x"));
        let plot = plot(&harness);
        harness.get_by_label_contains("one mark stands for up to");
        // Where nothing was observed there are no spikes: every pixel has the colour of the shade.
        let style = RasterStyle::new(theme == Theme::Dark);
        let x = |seconds: f32| ((plot.left() + plot.width() * (seconds + 2.4) / 1204.8) * scale) as u32;
        let y = |share: f32| ((plot.top() + plot.height() * share) * scale) as u32;
        let shaded = |seconds: f32| (35..65).filter(|k| close(image.get_pixel(x(seconds), y(*k as f32 / 100.0)), style.shade)).count();
        assert!(shaded(730.0) >= 29, "{}", shaded(730.0));
        assert_eq!(shaded(300.0), 0);
        harness.state_mut().selection.window = Some((300.0, 303.0));
        let image = raster(&mut harness);
        keep(&image, &format!("raster_1m_zoomed_{theme:?}_{scale}x"));
        harness.get_by_label_contains("one tick");
        harness.state_mut().selection.window = Some((300.0, 330.0));
        harness.state_mut().selection.units = (20..24).collect();
        harness.state_mut().selection.cursor = Some(312.0);
        keep(&raster(&mut harness), &format!("raster_1m_selected_{theme:?}_{scale}x"));
    }
}

#[test]
fn counts_can_be_coloured_and_rows_may_outnumber_pixels() {
    let trains: Vec<Vec<f64>> = (0..3000).map(|u| (0..20).map(|k| f64::from(k) + f64::from(u) * 1e-4).collect()).collect();
    let view = RasterView::default().with_colouring(Colouring::Count);
    let mut harness = desk(view, Some(recording(trains, &["A", "B"])), Theme::Dark, Vec2::new(700.0, 400.0), 1.0);
    keep(&raster(&mut harness), "raster_3000_units_Dark");
    harness.get_by_label_contains("of up to");
    let view = RasterView::default().with_colouring(Colouring::Count);
    let mut harness = desk(view, Some(synthetic(300_000)), Theme::Light, Vec2::new(900.0, 500.0), 1.0);
    keep(&raster(&mut harness), "raster_counts_Light");
    harness.get_by_label_contains("one mark stands for up to");
}

#[test]
fn keys_step_jump_and_fit() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(800.0, 420.0), 1.0);
    raster(&mut harness);
    harness.get_by_label_contains("Spike raster of").focus();
    harness.state_mut().selection.window = Some((4.0, 6.0));
    harness.run_ok();
    let near = |a: Option<(f64, f64)>, b: (f64, f64)| {
        assert!(a.is_some_and(|a| (a.0 - b.0).abs() < 1e-6 && (a.1 - b.1).abs() < 1e-6), "{a:?} instead of {b:?}");
    };
    let press = |harness: &mut Harness<'_, Desk<RasterView>>, modifiers: Modifiers, key: Key| {
        harness.key_press_modifiers(modifiers, key);
        harness.run_ok();
        harness.state().selection.window
    };
    near(press(&mut harness, Modifiers::NONE, Key::ArrowRight), (4.5, 6.5));
    near(press(&mut harness, Modifiers::SHIFT, Key::ArrowLeft), (2.5, 4.5));
    near(press(&mut harness, Modifiers::ALT, Key::ArrowRight), (2.54, 4.54));
    near(press(&mut harness, Modifiers::NONE, Key::Home), (-0.018, 1.982));
    near(press(&mut harness, Modifiers::NONE, Key::End), (7.018, 9.018));
    near(press(&mut harness, Modifiers::NONE, Key::Comma), (6.0, 8.0));
    near(press(&mut harness, Modifiers::NONE, Key::Comma), (3.0, 5.0));
    near(press(&mut harness, Modifiers::NONE, Key::Period), (6.0, 8.0));
    assert_eq!(press(&mut harness, Modifiers::NONE, Key::R), None);
    assert_eq!(harness.state().selection.cursor, Some(7.0));
    harness.key_press(Key::G);
    harness.run_ok();
    harness.event(egui::Event::Text("2".to_owned()));
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.run_ok();
    assert_eq!(harness.state().selection.cursor, Some(2.0));
    let (start, stop) = harness.state().selection.window.unwrap();
    assert!(start < 2.0 && stop > 2.0 && stop - start < 9.0);
}

#[test]
fn space_scrolls_until_paused() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(800.0, 420.0), 1.0);
    raster(&mut harness);
    harness.state_mut().selection.window = Some((1.0, 3.0));
    harness.get_by_label_contains("Spike raster of").focus();
    harness.run_ok();
    harness.key_press(Key::Space);
    harness.run_steps(6);
    let moved = harness.state().selection.window.unwrap();
    assert!(moved.0 > 1.05 && (moved.1 - moved.0 - 2.0).abs() < 1e-6, "{moved:?}");
    harness.get_by_label_contains("Pause").click();
    harness.run_steps(2);
    let paused = harness.state().selection.window;
    harness.run_steps(4);
    assert_eq!(harness.state().selection.window, paused);
}

#[test]
fn the_mouse_zooms_pans_boxes_selects_and_names_spikes() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Dark, Vec2::new(800.0, 420.0), 1.0);
    raster(&mut harness);
    let area = plot(&harness);
    let at = |seconds: f32, row: f32| pos2(area.left() + area.width() * (seconds + 0.018) / 9.036, area.top() + area.height() * row / 3.0);
    harness.hover_at(at(4.25, 2.5));
    harness.run_ok();
    harness.get_by_label("unit 102 · B");
    harness.get_by_label("spike at 4.2500 s");
    keep(&harness.render().unwrap(), "raster_tooltip_Dark");
    harness.drag_at(at(4.25, 2.5));
    harness.drop_at(at(4.25, 2.5));
    harness.run_ok();
    assert_eq!(harness.state().selection.units.iter().copied().collect::<Vec<_>>(), [2]);
    assert!((harness.state().selection.cursor.unwrap() - 4.25).abs() < 0.02);
    // Wheel at 4.5 s: that time stays under the pointer.
    harness.hover_at(at(4.5, 0.5));
    harness.run_ok();
    let (unit, source, phase, modifiers) =
        (egui::MouseWheelUnit::Point, egui::MouseWheelSource::Wheel, egui::TouchPhase::Move, Modifiers::NONE);
    harness.event(egui::Event::MouseWheel { unit, delta: Vec2::new(0.0, 200.0), source, phase, modifiers });
    harness.run_steps(40);
    let (start, stop) = harness.state().selection.window.unwrap();
    assert!(stop - start < 5.0 && ((4.5 - start) / (stop - start) - 0.5).abs() < 0.02, "{start} {stop}");
    // Drag by a tenth of the plot.
    let width = stop - start;
    let to = area.center() - Vec2::new(area.width() / 10.0, 0.0);
    harness.drag_at(area.center());
    harness.run_ok();
    harness.hover_at(to);
    harness.run_ok();
    harness.drop_at(to);
    harness.run_ok();
    let moved = harness.state().selection.window.unwrap();
    assert!((moved.0 - start - width / 10.0).abs() < 0.02 * width, "{moved:?} from {start}");
    // A box with the right button, from the full view.
    harness.state_mut().selection.window = None;
    harness.run_ok();
    let press =
        |pos, pressed| egui::Event::PointerButton { pos, button: egui::PointerButton::Secondary, pressed, modifiers: Modifiers::NONE };
    harness.hover_at(at(2.0, 1.2));
    harness.run_ok();
    harness.event(press(at(2.0, 1.2), true));
    harness.run_ok();
    harness.hover_at(at(6.0, 2.8));
    harness.run_ok();
    keep(&harness.render().unwrap(), "raster_box_Dark");
    harness.event(press(at(6.0, 2.8), false));
    harness.run_ok();
    let (start, stop) = harness.state().selection.window.unwrap();
    assert!((start - 2.0).abs() < 0.03 && (stop - 6.0).abs() < 0.03, "{start} {stop}");
    harness.get_by_label_contains("rows 2 to 3");
    // Double-click shows all again.
    harness.hover_at(area.center());
    harness.run_steps(30);
    for pressed in [true, false, true, false] {
        let (pos, button, modifiers) = (area.center(), egui::PointerButton::Primary, Modifiers::NONE);
        harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers });
        harness.step();
    }
    harness.run_ok();
    assert_eq!(harness.state().selection.window, None);
}

#[test]
fn another_order_can_be_chosen_and_crowded_events_are_told() {
    let mut harness = desk(RasterView::default(), Some(synthetic(20_000)), Theme::Light, Vec2::new(1000.0, 500.0), 1.0);
    raster(&mut harness);
    harness.get_by_label_contains("400 events, zoom in");
    harness.get_by_label("Sort by").click();
    harness.run_ok();
    harness.get_by_label("depth").click();
    harness.run_ok();
    harness.get_by_label_contains("sorted by depth");
}

#[test]
fn a_window_without_the_renderer_says_so() {
    let state = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
    let desk = Desk {
        view: RasterView::default(),
        recording: Some(Arc::new(tiny())),
        selection: Selection::default(),
        recipe: Recipe::default(),
        actions: Vec::new(),
    };
    let mut harness = Harness::builder()
        .with_size(Vec2::new(800.0, 420.0))
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(|ui, desk: &mut Desk<RasterView>| desk.ui(ui), desk);
    harness.render().unwrap();
    harness.run_ok();
    harness.get_by_label_contains("cannot be drawn");
}

fn selected<V>(harness: &Harness<'_, Desk<V>>) -> Vec<usize> {
    harness.state().selection.units.iter().copied().collect()
}

#[test]
fn the_unit_table_sorts_filters_and_selects() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(UnitTableView::default(), Some(synthetic(20_000)), theme, Vec2::new(820.0, 420.0), scale);
        harness.run_ok();
        harness.get_by_label("120 units");
        harness.get_by_label("unit 100").click();
        harness.run_ok();
        assert_eq!(selected(&harness), [0]);
        harness.get_by_label("depth").click();
        harness.run_ok();
        harness.get_by_label("sorted, largest first");
        // Depth is (37 u) mod 100: unit 27 of 120 has 99, unit 54 has 98.
        harness.get_by_label("unit 127").click();
        harness.run_ok();
        assert_eq!(selected(&harness), [27]);
        harness.get_by_label("unit 154").click_modifiers(Modifiers::COMMAND);
        harness.run_ok();
        assert_eq!(selected(&harness), [27, 54]);
        keep(&harness.render().unwrap(), &format!("units_{theme:?}_{scale}x"));
        harness.get_by_label("Filter").focus();
        harness.event(egui::Event::Text("depth > 95 and area = 'M1'".to_owned()));
        harness.run_ok();
        let expected: Vec<usize> = (40..80).filter(|u| (u * 37) % 100 > 95).collect();
        harness.get_by_label_contains(&format!("{} of 120 units", expected.len()));
        harness.get_by_label("Select shown").click();
        harness.run_ok();
        assert_eq!(selected(&harness), expected);
        harness.get_by_label("Copy as CSV").click();
        harness.step();
        let copied = harness.output().platform_output.commands.iter().find_map(|c| match c {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        let copied = copied.unwrap();
        assert!(copied.starts_with("id,area,spikes,rate_hz,depth\n"), "{copied}");
        assert_eq!(copied.lines().count(), expected.len() + 1);
        harness.get_by_label("Filter").focus();
        harness.event(egui::Event::Text(" and rat".to_owned()));
        harness.run_ok();
        harness.get_by_label_contains("there is no column 'rat'");
        keep(&harness.render().unwrap(), &format!("units_error_{theme:?}_{scale}x"));
        harness.get_by_label("Clear filter").click();
        harness.run_ok();
        harness.get_by_label_contains("120 units");
    }
}

#[test]
fn ten_thousand_units_show_only_the_rows_in_view() {
    let trains = (0..10_000).map(|u| vec![f64::from(u)]).collect();
    let mut harness = desk(UnitTableView::default(), Some(recording(trains, &["A", "B"])), Theme::Light, Vec2::new(700.0, 400.0), 1.0);
    harness.run_ok();
    harness.get_by_label("10\u{a0}000 units");
    assert!(harness.query_by_label("unit 100").is_some());
    assert!(harness.query_by_label("unit 9000").is_none());
    assert!(harness.query_all_by_role(egui::accesskit::Role::Row).count() < 60);
}

/// A recording with everything the recording view can show.
fn rich() -> Recording {
    let mut rich = synthetic(20_000);
    rich.units.ids = (0..120).map(|u| format!("{}", 1000 * (1 + u / 60) + u)).collect();
    rich.name = "nlb_mc_maze".into();
    for table in &mut rich.tables {
        let n = table.start.len();
        let text = Column::Text((0..n).map(|k| if k % 2 == 0 { "left" } else { "right" }.to_owned()).collect());
        table.columns.push(NamedColumn { name: "choice".into(), description: "Chosen side".into(), values: text });
        let go = Column::Float(table.start.iter().map(|t| t + 0.25).collect());
        table.columns.push(NamedColumn { name: "go_cue_time".into(), description: String::new(), values: go });
    }
    let times: Vec<f64> = (0..12_000).map(|k| 0.1 * f64::from(k)).collect();
    rich.covariates.push(Covariate {
        name: "hand_speed".into(),
        unit: "m/s".into(),
        values: times.iter().map(|t| t.sin()).collect(),
        times,
    });
    rich.report.add(NoteKind::Assumed, "units/spike_times", "Times are in seconds");
    rich.report.add(NoteKind::Repaired, "units/spike_times, unit 1003", "214 spike times were not in order and were sorted");
    rich.report.add(NoteKind::LeftOut, "units/spike_times, unit 1007", "3 spike times are NaN and were left out");
    rich.report.add(NoteKind::Advice, "electrodes", "Every unit's electrode points to PMd; ids suggest 60 and 60 units in two areas");
    let edge = TrueEdge { source: 0, target: 1, send: vec![0.1; 40], receive: vec![0.1; 40], filter: vec![0.1, 0.3, 0.2] };
    rich.truth = Some(Truth { edges: vec![edge], glm: None, rates: None });
    rich
}

#[test]
fn the_recording_view_tells_what_is_there_and_what_training_uses() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RecordingView::default(), Some(rich()), theme, Vec2::new(900.0, 1500.0), scale);
        let image = settled(&mut harness, "Working out trials");
        keep(&image, &format!("recording_{theme:?}_{scale}x"));
        harness.get_by_label("nlb_mc_maze");
        harness.get_by_label_contains("380 trials used");
        harness.get_by_label("Left out (1)");
        harness.get_by_label("3 spike times are NaN and were left out");
        harness.get_by_label_contains("trials · 400 rows · 4 columns");
        harness.get_by_label("hand_speed");
        harness.get_by_label_contains("PMd to");
        harness.get_by_label_contains("unit id / 1000: 1 (60), 2 (60)").click();
        harness.run_ok();
        settled(&mut harness, "Working out trials");
        assert!(matches!(harness.state().recipe.data.areas, AreaRule::UnitId { divide_by: 1000, .. }));
        harness.get_by_label("Units: 1 (60), 2 (60)");
        harness.state_mut().recipe.data.trials.bin_s = 7.0;
        settled(&mut harness, "Working out trials");
        harness.get_by_label_contains("bin width is 7 s");
    }
    let mut harness = desk(RecordingView::default(), None, Theme::Dark, Vec2::new(700.0, 400.0), 1.0);
    harness.run();
    harness.get_by_label("No recording is open");
}

/// Frame times, printed: `cargo test --release --test raster -- --ignored --nocapture frame_times`. A frame here is layout, counting,
/// drawing on the software device and reading the picture back; `empty` is the same without a raster.
#[test]
#[ignore = "prints frame times"]
fn frame_times() {
    let timed = |name: &str, harness: &mut Harness<'_, Desk<RasterView>>, frame: &mut dyn FnMut(&mut Desk<RasterView>, usize)| {
        let mut times: Vec<f64> = (0..40)
            .map(|k| {
                frame(harness.state_mut(), k);
                let start = std::time::Instant::now();
                harness.step();
                harness.render().unwrap();
                start.elapsed().as_secs_f64() * 1e3
            })
            .skip(5)
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name}: p50 {:.1} ms, p90 {:.1} ms", times[times.len() / 2], times[times.len() * 9 / 10]);
    };
    let mut empty = desk(RasterView::default(), None, Theme::Dark, Vec2::new(1000.0, 600.0), 1.0);
    timed("empty", &mut empty, &mut |_, _| ());
    for n in [1_000_000, 10_000_000] {
        let mut harness = desk(RasterView::default(), Some(synthetic(n)), Theme::Dark, Vec2::new(1000.0, 600.0), 1.0);
        let sorting = std::time::Instant::now();
        raster(&mut harness);
        println!("{n} spikes: sorted and drawn after {:.2} s", sorting.elapsed().as_secs_f64());
        timed("full view, still", &mut harness, &mut |_, _| ());
        timed("nearly full view, panning", &mut harness, &mut |d, k| d.selection.window = Some((k as f64, 1150.0 + k as f64)));
        let seconds = 1.8e7 / n as f64;
        timed("18 000 ticks, panning", &mut harness, &mut |d, k| {
            d.selection.window = Some((300.0 + 0.1 * k as f64, 300.0 + seconds + 0.1 * k as f64))
        });
        timed("a second, panning", &mut harness, &mut |d, k| d.selection.window = Some((300.0 + 0.01 * k as f64, 301.0 + 0.01 * k as f64)));
        harness.get_by_label_contains("one tick");
    }
}
