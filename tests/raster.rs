//! The views of a recording (raster, unit table, recording) in real egui frames on software Vulkan: spikes are drawn where they
//! are, at every size, in both themes; mouse and keys do what the help says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "raster/arranged.rs"]
mod arranged;
#[path = "raster/desk.rs"]
mod desk;
#[path = "raster/pictures.rs"]
mod pictures;
#[path = "raster/trial_mode.rs"]
mod trial_mode;

use std::sync::Arc;

use desk::{Desk, close, desk, keep, plot, recording, settled, synthetic, tiny};
use eframe::egui::{self, Key, Modifiers, Theme, Vec2, pos2};
use eframe::egui_wgpu::WgpuSetup;
use eframe::wgpu;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable};
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use spikescope::recording::{AreaRule, Column, Covariate, NamedColumn, NoteKind, Recording, TrueEdge, Truth};
use spikescope::render::RasterStyle;
use spikescope::views::raster::RasterView;
use spikescope::views::recording::RecordingView;
use spikescope::views::units::UnitTableView;
use spikescope::views::{Action, Events};

#[test]
fn without_a_recording_it_says_so_and_offers_to_open_one() {
    for theme in [Theme::Light, Theme::Dark] {
        let mut harness = desk(RasterView::default(), None, theme, Vec2::new(700.0, 400.0), 1.0);
        keep(&settled(&mut harness), &format!("raster_empty_{theme:?}"));
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
        harness.state_mut().selection.events = Events::Hidden;
        let image = settled(&mut harness);
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
        let image = settled(&mut harness);
        keep(&image, &format!("raster_1m_{theme:?}_{scale}x"));
        let plot = plot(&harness);
        harness.get_by_label_contains("density: ");
        // Where nothing was observed there are no spikes: every pixel has the colour of the shade.
        let style = RasterStyle::new(theme == Theme::Dark);
        let x = |seconds: f32| ((plot.left() + plot.width() * (seconds + 2.4) / 1204.8) * scale) as u32;
        let y = |share: f32| ((plot.top() + plot.height() * share) * scale) as u32;
        let shaded = |seconds: f32| (35..65).filter(|k| close(image.get_pixel(x(seconds), y(*k as f32 / 100.0)), style.shade)).count();
        assert!(shaded(730.0) >= 29, "{}", shaded(730.0));
        assert_eq!(shaded(300.0), 0);
        harness.state_mut().selection.window = Some((300.0, 303.0));
        let image = settled(&mut harness);
        keep(&image, &format!("raster_1m_zoomed_{theme:?}_{scale}x"));
        harness.get_by_label_contains("one tick");
        harness.state_mut().selection.window = Some((300.0, 330.0));
        harness.state_mut().selection.units = (20..24).collect();
        harness.state_mut().selection.cursor = Some(312.0);
        keep(&settled(&mut harness), &format!("raster_1m_selected_{theme:?}_{scale}x"));
    }
}

#[test]
fn counts_can_be_coloured_and_rows_may_outnumber_pixels() {
    let trains: Vec<Vec<f64>> = (0..3000).map(|u| (0..20).map(|k| f64::from(k) + f64::from(u) * 1e-4).collect()).collect();
    let view = RasterView::default().coloured_by_count();
    let mut harness = desk(view, Some(recording(trains, &["A", "B"])), Theme::Dark, Vec2::new(700.0, 400.0), 1.0);
    keep(&settled(&mut harness), "raster_3000_units_Dark");
    harness.get_by_label_contains("of up to");
    let view = RasterView::default().coloured_by_count();
    let mut harness = desk(view, Some(synthetic(300_000)), Theme::Light, Vec2::new(900.0, 500.0), 1.0);
    keep(&settled(&mut harness), "raster_counts_Light");
    harness.get_by_label_contains("density: ");
}

#[test]
fn keys_step_jump_and_fit() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(800.0, 420.0), 1.0);
    settled(&mut harness);
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
    // Zoom around the cursor at 7 s, and out again.
    near(press(&mut harness, Modifiers::NONE, Key::Z), (-0.018 + 7.018 / 2.0, -0.018 + 7.018 / 2.0 + 9.036 / 2.0));
    assert_eq!(press(&mut harness, Modifiers::SHIFT, Key::Z), None);
    // Row by row; Shift adds. Higher rows, and the page keys scroll them.
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    assert_eq!(selected(&harness), [0]);
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(selected(&harness), [1, 2]);
    press(&mut harness, Modifiers::NONE, Key::ArrowUp);
    assert_eq!(selected(&harness), [1]);
    for _ in 0..3 {
        press(&mut harness, Modifiers::NONE, Key::Plus);
    }
    harness.get_by_label_contains("rows 2 to 2.");
    press(&mut harness, Modifiers::NONE, Key::PageDown);
    harness.get_by_label_contains("rows 2 to 3");
    for _ in 0..3 {
        press(&mut harness, Modifiers::NONE, Key::Minus);
    }
    assert!(harness.query_by_label_contains(", rows ").is_none());
}

#[test]
fn groups_are_chosen_collapsed_and_moved_by_keys() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Dark, Vec2::new(800.0, 420.0), 1.0);
    settled(&mut harness);
    harness.get_by_label_contains("Groups of the raster's rows").focus();
    harness.run_ok();
    let press = |harness: &mut Harness<'_, Desk<RasterView>>, modifiers: Modifiers, key: Key| {
        harness.key_press_modifiers(modifiers, key);
        harness.run_ok();
    };
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(selected(&harness), [0, 1]);
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    harness.get_by_label("Groups of the raster's rows, B (1)");
    keep(&harness.render().unwrap(), "raster_group_focus_Dark");
    press(&mut harness, Modifiers::NONE, Key::ArrowLeft);
    harness.get_by_label_contains("(A 2, B 1 as their mean rate)");
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    press(&mut harness, Modifiers::ALT, Key::ArrowUp);
    harness.get_by_label_contains("(B 1, A 2)");
    press(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(selected(&harness), [2]);
}

#[test]
fn space_scrolls_until_paused() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Light, Vec2::new(800.0, 420.0), 1.0);
    settled(&mut harness);
    harness.state_mut().selection.window = Some((1.0, 3.0));
    harness.get_by_label_contains("Spike raster of").focus();
    harness.run_ok();
    harness.key_press(Key::Space);
    harness.run_steps(6);
    let moved = harness.state().selection.window.unwrap();
    assert!(moved.0 > 1.05 && (moved.1 - moved.0 - 2.0).abs() < 1e-6, "{moved:?}");
    harness.key_press(Key::Space);
    harness.run_steps(2);
    let paused = harness.state().selection.window;
    harness.run_steps(4);
    assert_eq!(harness.state().selection.window, paused);
}

#[test]
fn the_mouse_zooms_pans_boxes_selects_and_names_spikes() {
    let mut harness = desk(RasterView::default(), Some(tiny()), Theme::Dark, Vec2::new(800.0, 420.0), 1.0);
    settled(&mut harness);
    let area = plot(&harness);
    let at = |seconds: f32, row: f32| pos2(area.left() + area.width() * (seconds + 0.018) / 9.036, area.top() + area.height() * row / 3.0);
    harness.hover_at(at(4.25, 2.5));
    harness.run_ok();
    harness.get_by_label("unit 102 · B");
    harness.get_by_label("spike at 4.2500 s");
    harness.get_by_label("ISI 2.0000 s before, 350.000 ms after");
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
    settled(&mut harness);
    harness.get_by_label_contains("400 events, zoom in");
    harness.get_by_label("Sort by").click();
    harness.run_ok();
    harness.get_by_label("depth").click();
    harness.run_ok();
    harness.get_by_label_contains("sorted by depth");
}

#[test]
fn a_window_without_the_renderer_says_so_and_draws_all_the_same() {
    let state = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
    let desk = Desk::new(RasterView::default(), Some(Arc::new(tiny())));
    let mut harness = Harness::builder()
        .with_size(Vec2::new(800.0, 420.0))
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(|ui, desk: &mut Desk<RasterView>| desk.ui(ui), desk);
    settled(&mut harness);
    let image = settled(&mut harness);
    keep(&image, "raster_without_renderer");
    harness.get_by_label_contains("drawn without the graphics device: the raster renderer is not installed");
    // The spikes are there all the same: unit 0 at 5 s is in the first row.
    let (plot, style) = (plot(&harness), RasterStyle::new(true));
    let x = (plot.left() + plot.width() * (5.0 + 0.018) / 9.036) as u32;
    let y = (plot.top() + plot.height() * 0.4 / 3.0) as u32;
    assert!((x - 1..=x + 1).any(|x| close(image.get_pixel(x, y), style.area(0))), "no spike at {x}, {y}");
}

/// The raster on a graphics device with these limits: what is drawn, and the note that says why.
fn on_small_device(limits: wgpu::Limits, recording: Recording) -> (image::RgbaImage, egui::Rect, String) {
    let WgpuSetup::CreateNew(mut setup) = default_wgpu_setup() else { panic!("the setup for tests makes a device") };
    setup.device_descriptor = Arc::new(move |_| wgpu::DeviceDescriptor { required_limits: limits.clone(), ..Default::default() });
    let state = create_render_state(WgpuSetup::CreateNew(setup), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
    spikescope::render::install(&state);
    let mut harness = Harness::builder()
        .with_size(Vec2::new(800.0, 420.0))
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(|ui, desk: &mut Desk<RasterView>| desk.ui(ui), Desk::new(RasterView::default(), Some(Arc::new(recording))));
    settled(&mut harness);
    // The first picture is refused; the next one is drawn otherwise.
    let image = settled(&mut harness);
    let plot = plot(&harness);
    let said = harness.get_by_label_contains("Spike raster of").accesskit_node().label().unwrap();
    // Zooming, panning and another size do not bring it down either.
    for window in [Some((1.0, 2.0)), Some((2.0, 8.0)), None] {
        harness.state_mut().selection.window = window;
        settled(&mut harness);
    }
    harness.set_size(Vec2::new(640.0, 300.0));
    settled(&mut harness);
    settled(&mut harness);
    (image, plot, said)
}

#[test]
fn a_graphics_device_that_is_too_small_draws_the_same_spikes_and_says_so() {
    let none = wgpu::Limits { max_storage_buffers_per_shader_stage: 0, ..wgpu::Limits::default() };
    let (image, plot, said) = on_small_device(none, tiny());
    keep(&image, "raster_small_device");
    assert!(said.contains("drawn without the graphics device: "), "{said}");
    let style = RasterStyle::new(true);
    let x = (plot.left() + plot.width() * (5.0 + 0.018) / 9.036) as u32;
    let y = (plot.top() + plot.height() * 0.4 / 3.0) as u32;
    assert!((x - 1..=x + 1).any(|x| close(image.get_pixel(x, y), style.area(0))), "no spike at {x}, {y}");
    // Room for the colours of three units, not of a hundred and twenty.
    let little = wgpu::Limits { max_storage_buffer_binding_size: 256, ..wgpu::Limits::default() };
    let (_, _, said) = on_small_device(little, synthetic(20_000));
    assert!(said.contains("this graphics device binds at most 256"), "{said}");
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
        assert!(copied.starts_with("id,area,spikes,rate_hz,cv_isi,presence,depth\n"), "{copied}");
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
    rich.truth = Some(Truth { edges: vec![edge], ..Truth::default() });
    rich
}

#[test]
fn the_recording_view_tells_what_is_there_and_what_training_uses() {
    for (theme, scale) in [(Theme::Light, 1.0), (Theme::Dark, 2.0)] {
        let mut harness = desk(RecordingView::default(), Some(rich()), theme, Vec2::new(900.0, 1500.0), scale);
        let image = settled(&mut harness);
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
        settled(&mut harness);
        assert!(matches!(harness.state().recipe.data.areas, AreaRule::UnitId { divide_by: 1000, .. }));
        harness.get_by_label("Units: 1 (60), 2 (60)");
        harness.state_mut().recipe.data.trials.bin_s = 7.0;
        settled(&mut harness);
        harness.get_by_label_contains("bin width is 7 s");
    }
    let mut harness = desk(RecordingView::default(), None, Theme::Dark, Vec2::new(700.0, 400.0), 1.0);
    harness.run();
    harness.get_by_label("No recording is open");
}
