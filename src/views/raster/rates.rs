//! Rates that a trained model infers for single trials, as a shade behind the ticks of the trials it was asked about: at their place in
//! the recording, or in the row of their trial.

use std::sync::Arc;

use eframe::egui::{self, Color32, ColorImage, Rect, TextureHandle, TextureOptions, pos2};

use super::layout::Layout;
use super::navigation::Range;
use super::trials::TrialRows;
use crate::recording::Recording;
use crate::render::axis::grouped;
use crate::render::{RasterStyle, Rows};
use crate::views::RunState;
use crate::views::model_rates::ModelRates;

/// Opacity of the highest rate.
const STRONGEST: f32 = 0.45;

/// Pictures of the trials in the newest snapshot.
#[derive(Default)]
pub struct InferredRates {
    /// Shown at all.
    pub on: bool,
    key: Option<(u64, Arc<Rows>, bool)>,
    trials: Vec<Shade>,
    row_key: Option<(u64, usize, bool)>,
    rows: Option<RowShades>,
}

/// One trial in the recording.
struct Shade {
    start: f64,
    stop: f64,
    trial: usize,
    most_hz: f32,
    texture: TextureHandle,
}

/// Rows of trials, each a line of the texture.
struct RowShades {
    /// Row of the trials, start of its first bin from the event (s), length (s).
    lines: Vec<(usize, f64, f64)>,
    trials: usize,
    most_hz: f32,
    texture: Option<TextureHandle>,
}

/// Rates of the run's newest snapshot, when the run is one of this recording.
pub fn offered(run: Option<&RunState>, recording: &Recording) -> Option<ModelRates> {
    ModelRates::of(run?, recording)
}

/// Opacity by rate; nothing where the model knows nothing.
fn shade(style: &RasterStyle, rate: f32, most: f32) -> Color32 {
    style.accent.gamma_multiply(if rate.is_nan() { 0.0 } else { STRONGEST * rate / most.max(1e-6) })
}

/// Rates in Hz of the trial at `place`, `[rows][bins]` with NaN in rows that the model does not know, and the highest of them.
fn rates_hz(rates: &ModelRates, place: usize, rows: &Rows) -> (Vec<Vec<f32>>, f32) {
    let bins = rates.trials().get(place).map_or(0, |t| t.bins);
    let mut lines = vec![vec![f32::NAN; bins]; rows.len()];
    let mut most = 0.0f32;
    for (column, unit) in rates.units().iter().enumerate() {
        let Some(line) = rows.row(*unit).and_then(|row| lines.get_mut(row)) else { continue };
        for (cell, hz) in line.iter_mut().zip(rates.hz(place, column)) {
            *cell = hz as f32;
            most = most.max(*cell);
        }
    }
    (lines, most)
}

impl InferredRates {
    /// Draw behind the spikes what the snapshot knows; a note for below the plot.
    pub fn draw(
        &mut self,
        ui: &egui::Ui,
        layout: &Layout,
        rates: &ModelRates,
        rows: &Arc<Rows>,
        view: (&Range, &Range),
        style: &RasterStyle,
    ) -> String {
        let key = (rates.version(), Arc::clone(rows), style.dark);
        if self.key.as_ref() != Some(&key) {
            self.trials = shades(ui.ctx(), rates, rows, style);
            self.key = Some(key);
        }
        let (time, visible) = view;
        let painter = ui.painter_at(layout.plot);
        let mut seen: Vec<&Shade> = Vec::new();
        for shade in self.trials.iter().filter(|s| s.stop > time.start && s.start < time.stop) {
            let rect = Rect::from_min_max(
                pos2(layout.x(time, shade.start), layout.y(visible, 0.0)),
                pos2(layout.x(time, shade.stop), layout.y(visible, rows.len() as f64)),
            );
            painter.image(shade.texture.id(), rect, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), Color32::WHITE);
            seen.push(shade);
        }
        match seen.as_slice() {
            [] => match self.trials.first() {
                Some(shade) => format!("the inferred rates are those of trial {}, which is not in view", shade.trial),
                None => "the model has no rates of single trials yet".to_owned(),
            },
            [shade] => format!("shade: inferred rate of trial {}, up to {} Hz", shade.trial, grouped(shade.most_hz.round() as u64)),
            many => {
                let most = many.iter().map(|s| s.most_hz).fold(0.0, f32::max);
                format!("shade: inferred rates of {} trials, up to {} Hz", many.len(), grouped(most.round() as u64))
            }
        }
    }

    /// The same with trials as rows of the table `table`; `rows` are where the rows are.
    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    pub fn draw_trials(
        &mut self,
        ui: &egui::Ui,
        layout: &Layout,
        rates: &ModelRates,
        trials: &Arc<TrialRows>,
        rows: &Rows,
        view: (&Range, &Range),
        style: &RasterStyle,
    ) -> String {
        let key = (rates.version(), Arc::as_ptr(trials) as usize, style.dark);
        if self.row_key != Some(key) {
            self.rows = Some(row_shades(ui.ctx(), rates, trials, style));
            self.row_key = Some(key);
        }
        let (time, visible) = view;
        let Some(shades) = &self.rows else { return String::new() };
        let n = shades.lines.len();
        if let Some(texture) = &shades.texture {
            let painter = ui.painter_at(layout.plot);
            for (k, &(trial, start, length)) in shades.lines.iter().enumerate() {
                let Some(row) = rows.row(trial).filter(|r| (*r as f64) < visible.stop && (*r + 1) as f64 > visible.start) else { continue };
                let rect = Rect::from_min_max(
                    pos2(layout.x(time, start), layout.y(visible, row as f64)),
                    pos2(layout.x(time, start + length), layout.y(visible, row as f64 + 1.0)),
                );
                // The middle of the line: neighbouring lines must not bleed in.
                let v = (k as f32 + 0.5) / n as f32;
                painter.image(texture.id(), rect, Rect::from_min_max(pos2(0.0, v), pos2(1.0, v)), Color32::WHITE);
            }
        }
        match shades.trials {
            0 => "the model has no rates of these trials yet".to_owned(),
            1 => format!("shade: inferred rate of 1 trial, up to {} Hz", grouped(shades.most_hz.round() as u64)),
            many => format!("shade: inferred rates of {many} trials, up to {} Hz", grouped(shades.most_hz.round() as u64)),
        }
    }
}

fn shades(ctx: &egui::Context, rates: &ModelRates, rows: &Rows, style: &RasterStyle) -> Vec<Shade> {
    let limit = ctx.input(|i| i.max_texture_side);
    let one = |(place, trial): (usize, &crate::views::model_rates::TrialRates)| {
        let (lines, most_hz) = rates_hz(rates, place, rows);
        let size = [trial.bins, lines.len()];
        if size.contains(&0) || size.iter().any(|side| *side > limit) {
            return None;
        }
        let pixels: Vec<Color32> = lines.iter().flatten().map(|rate| shade(style, *rate, most_hz)).collect();
        let texture = ctx.load_texture("inferred rates", ColorImage::new(size, pixels), TextureOptions::NEAREST);
        Some(Shade { start: trial.start, stop: trial.start + size[0] as f64 * rates.bin_s(), trial: trial.trial, most_hz, texture })
    };
    rates.trials().iter().enumerate().filter_map(one).collect()
}

/// Lines for those rows of trials whose trial and unit the model knows.
fn row_shades(ctx: &egui::Context, rates: &ModelRates, trials: &TrialRows, style: &RasterStyle) -> RowShades {
    let limit = ctx.input(|i| i.max_texture_side);
    let (mut lines, mut values, mut most_hz) = (Vec::new(), Vec::new(), 0.0f32);
    let bins = rates.trials().iter().map(|t| t.bins).max().unwrap_or(0).min(limit);
    let mut seen = std::collections::BTreeSet::new();
    for (row, &(unit, table_row, event)) in trials.rows.iter().enumerate() {
        let Some(place) = rates.trials().iter().position(|t| t.row == table_row) else { continue };
        let Some(column) = rates.units().iter().position(|u| *u == unit) else { continue };
        let Some(trial) = rates.trials().get(place).filter(|_| lines.len() < limit) else { continue };
        let line: Vec<f32> = rates.hz(place, column).map(|hz| hz as f32).chain(std::iter::repeat(f32::NAN)).take(bins).collect();
        most_hz = line.iter().copied().fold(most_hz, f32::max);
        lines.push((row, trial.start - event, bins as f64 * rates.bin_s()));
        values.push(line);
        seen.insert(table_row);
    }
    let pixels: Vec<Color32> = values.iter().flatten().map(|rate| shade(style, *rate, most_hz)).collect();
    let texture = (!pixels.is_empty())
        .then(|| ctx.load_texture("inferred rates of rows", ColorImage::new([bins, lines.len()], pixels), TextureOptions::NEAREST));
    RowShades { lines, trials: seen.len(), most_hz, texture }
}
