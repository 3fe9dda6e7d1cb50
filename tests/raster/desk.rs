//! A view on a desk of its own: what it shows, what it changed, made-up recordings to show.

use std::sync::Arc;

use eframe::egui::{self, Theme, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use image::RgbaImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spikescope::recording::{Column, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains};
use spikescope::render;
use spikescope::training::Recipe;
use spikescope::views::raster::RasterView;
use spikescope::views::{Action, RunState, Selection, View, ViewContext, work};

/// A view, what it shows and what it changed.
pub struct Desk<V> {
    pub view: V,
    pub recording: Option<Arc<Recording>>,
    pub run: Option<RunState>,
    pub selection: Selection,
    pub recipe: Recipe,
    pub actions: Vec<Action>,
    pub looks_at_run: bool,
}

impl<V: View> Desk<V> {
    pub fn new(view: V, recording: Option<Arc<Recording>>) -> Self {
        let (selection, recipe, actions) = (Selection::default(), Recipe::default(), Vec::new());
        Self { view, recording, run: None, selection, recipe, actions, looks_at_run: false }
    }

    pub fn ui(&mut self, ui: &mut egui::Ui) {
        let mut context = ViewContext {
            recording: self.recording.as_ref(),
            run: self.run.as_ref(),
            runs: Default::default(),
            selection: &mut self.selection,
            recipe: &mut self.recipe,
            actions: &mut self.actions,
            looks_at_run: &mut self.looks_at_run,
            more_trials: &mut Vec::new(),
        };
        self.view.ui(ui, &mut context);
    }
}

pub fn desk<V: View + 'static>(
    view: V,
    recording: Option<Recording>,
    theme: Theme,
    size: Vec2,
    pixels_per_point: f32,
) -> Harness<'static, Desk<V>> {
    let state = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
    render::install(&state);
    let desk = Desk::new(view, recording.map(Arc::new));
    Harness::builder()
        .with_size(size)
        .with_pixels_per_point(pixels_per_point)
        .with_theme(theme)
        .with_step_dt(1.0 / 60.0)
        .with_render_cursor(false)
        .renderer(WgpuTestRenderer::from_render_state(state))
        .build_ui_state(|ui, desk: &mut Desk<V>| desk.ui(ui), desk)
}

/// Run frames until nothing is being worked out and nothing moves, then render. A frame may begin work whose result begins other
/// work, so the quiet has to last for some frames.
pub fn settled<V: View + 'static>(harness: &mut Harness<'_, Desk<V>>) -> RgbaImage {
    let mut quiet = 0;
    for _ in 0..20_000 {
        harness.step();
        let busy = work::pending(&harness.ctx) > 0 || harness.query_by_label_contains("Working out trials").is_some();
        quiet = if busy { 0 } else { quiet + 1 };
        if quiet >= 4 && !harness.ctx.has_requested_repaint() || quiet >= 60 {
            break;
        }
        if busy {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    harness.render().unwrap()
}

/// Keep a picture to look at, when asked to.
pub fn keep(image: &RgbaImage, name: &str) {
    if let Ok(folder) = std::env::var("SPIKESCOPE_PICTURES") {
        image.save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

pub fn recording(trains: Vec<Vec<f64>>, areas: &[&str]) -> Recording {
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
pub fn tiny() -> Recording {
    let first: Vec<f64> = (0..10).map(f64::from).collect();
    let mut tiny = recording(vec![first, vec![0.5, 1.5, 2.5, 3.5, 8.5], vec![2.25, 4.25, 4.6, 6.75, 9.0]], &["A", "A", "B"]);
    let trials = IntervalTable { name: "trials".into(), start: vec![1.0, 4.0, 7.0], stop: vec![2.0, 5.0, 8.0], columns: Vec::new() };
    tiny.tables.push(trials);
    tiny
}

/// `n` spikes of 120 units at different rates with slow modulation, 20 minutes, three areas, one gap.
pub fn synthetic(n: usize) -> Recording {
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
pub fn plot(harness: &Harness<'_, Desk<RasterView>>) -> egui::Rect {
    harness.get_by_label_contains("Spike raster of").rect()
}

pub fn close(pixel: &image::Rgba<u8>, color: egui::Color32) -> bool {
    pixel.0.iter().zip(color.to_array()).take(3).all(|(a, b)| a.abs_diff(b) <= 3)
}
