//! Rates that a trained model infers for single trials, as a shade behind the ticks of the trials it was asked about.

use std::sync::Arc;

use eframe::egui::{self, Color32, ColorImage, Rect, TextureHandle, TextureOptions, pos2};

use super::layout::Layout;
use super::navigation::Range;
use crate::recording::Recording;
use crate::render::axis::grouped;
use crate::render::{RasterStyle, Rows};
use crate::training::Snapshot;
use crate::views::RunState;

/// Opacity of the highest rate.
const STRONGEST: f32 = 0.45;

/// Pictures of the trials in the newest snapshot.
#[derive(Default)]
pub struct InferredRates {
    /// Shown at all.
    pub on: bool,
    key: Option<(u64, Arc<Rows>, bool)>,
    trials: Vec<Shade>,
}

/// One trial.
struct Shade {
    start: f64,
    stop: f64,
    trial: usize,
    most_hz: f32,
    texture: TextureHandle,
}

/// The run's newest snapshot, when the run is one of this recording and knows rates of single trials.
pub fn offered<'a>(run: Option<&'a RunState>, recording: &Recording) -> Option<(&'a RunState, &'a Arc<Snapshot>)> {
    let run = run?;
    let same = run.data.as_ref().is_some_and(|data| data.0.fingerprint == recording.fingerprint);
    run.snapshot.as_ref().filter(|_| same).map(|snapshot| (run, snapshot))
}

/// Rates in Hz, `[rows][bins]` with NaN in rows that the model does not know, and the highest of them.
fn rates_hz(log_rate: &[Vec<f32>], units: &[usize], bin_s: f64, rows: &Rows) -> (Vec<Vec<f32>>, f32) {
    let mut rates = vec![vec![f32::NAN; log_rate.len()]; rows.len()];
    let mut most = 0.0f32;
    for (model_unit, unit) in units.iter().enumerate() {
        let Some(line) = rows.row(*unit).and_then(|row| rates.get_mut(row)) else { continue };
        for (cell, bin) in line.iter_mut().zip(log_rate) {
            if let Some(log_rate) = bin.get(model_unit) {
                *cell = (f64::from(*log_rate).exp() / bin_s) as f32;
                most = most.max(*cell);
            }
        }
    }
    (rates, most)
}

impl InferredRates {
    /// Draw behind the spikes what the snapshot knows; a note for below the plot.
    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    pub fn draw(
        &mut self,
        ui: &egui::Ui,
        layout: &Layout,
        run: &RunState,
        snapshot: &Snapshot,
        rows: &Arc<Rows>,
        view: (&Range, &Range),
        style: &RasterStyle,
    ) -> String {
        let key = (snapshot.version, Arc::clone(rows), style.dark);
        if self.key.as_ref() != Some(&key) {
            self.trials = shades(ui.ctx(), run, snapshot, rows, style);
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
}

fn shades(ctx: &egui::Context, run: &RunState, snapshot: &Snapshot, rows: &Rows, style: &RasterStyle) -> Vec<Shade> {
    let Some(data) = &run.data else { return Vec::new() };
    let limit = ctx.input(|i| i.max_texture_side);
    let one = |trial: &crate::training::TrialSnapshot| {
        let start = *data.1.starts.get(trial.trial)?;
        let (rates, most_hz) = rates_hz(&trial.log_rate, &snapshot.units, snapshot.bin_s, rows);
        let size = [trial.log_rate.len(), rates.len()];
        if size.contains(&0) || size.iter().any(|side| *side > limit) {
            return None;
        }
        let shade = |rate: &f32| style.accent.gamma_multiply(if rate.is_nan() { 0.0 } else { STRONGEST * rate / most_hz.max(1e-6) });
        let pixels: Vec<Color32> = rates.iter().flatten().map(shade).collect();
        let texture = ctx.load_texture("inferred rates", ColorImage::new(size, pixels), TextureOptions::NEAREST);
        Some(Shade { start, stop: start + size[0] as f64 * snapshot.bin_s, trial: trial.trial, most_hz, texture })
    };
    snapshot.trials.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_go_to_the_rows_of_their_units() {
        // Model units are units 2 and 0 of the recording; unit 0 is in row 1, unit 2 in row 0, unit 1 is not modelled.
        let rows = Rows { units: vec![Some(2), Some(0), Some(1)], row_of_unit: vec![1, 2, 0], bands: Vec::new() };
        let log = |p: f64| (p.ln()) as f32;
        let (rates, most) = rates_hz(&[vec![log(0.02), log(0.01)], vec![log(0.04), log(0.03)]], &[2, 0], 0.002, &rows);
        let near = |a: f32, b: f32| (a - b).abs() < 1e-3;
        assert!(near(rates[0][0], 10.0) && near(rates[0][1], 20.0) && near(rates[1][0], 5.0) && near(rates[1][1], 15.0), "{rates:?}");
        assert!(rates[2].iter().all(|r| r.is_nan()) && near(most, 20.0));
    }
}
