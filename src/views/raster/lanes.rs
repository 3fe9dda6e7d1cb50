//! Covariates as lanes below the raster: smallest and largest value per pixel, so that no peak is lost however far one zooms out.

use std::ops::Range as Places;
use std::sync::Arc;

use eframe::egui::{self, Align2, Mesh, Rect, Stroke, pos2};

use super::layout::{Layout, Pen};
use super::navigation::Range;
use crate::recording::{Covariate, Recording};
use crate::views::work::Background;

/// Samples per block whose extremes are known beforehand.
const BLOCK: usize = 256;

/// Smallest and largest value of every block of samples; an empty interval where all are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Extremes {
    blocks: Vec<(f64, f64)>,
    /// Smallest and largest of all.
    pub range: (f64, f64),
}

/// Lanes that are shown.
#[derive(Default)]
pub struct Lanes {
    /// Indices into `Recording::covariates`.
    pub shown: Vec<usize>,
    extremes: Vec<Background<usize, Arc<Extremes>>>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Extremes {
    /// Of all samples of a covariate.
    pub fn new(values: &[f64]) -> Self {
        let blocks: Vec<(f64, f64)> = values.chunks(BLOCK).map(|block| extremes(block.iter().copied())).collect();
        let range = blocks.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        Self { blocks, range }
    }

    /// Of the samples at `places`; `None` when there is no value.
    pub fn of(&self, values: &[f64], places: Places<usize>) -> Option<(f64, f64)> {
        let raw = |places: Places<usize>| extremes(values.get(places).unwrap_or_default().iter().copied());
        let (first, last) = (places.start.div_ceil(BLOCK), places.end / BLOCK);
        let (low, high) = if first >= last {
            raw(places)
        } else {
            let blocks = self.blocks.get(first..last).unwrap_or_default();
            let ends = [raw(places.start..first * BLOCK), raw(last * BLOCK..places.end)];
            blocks.iter().chain(&ends).fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        (low <= high).then_some((low, high))
    }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    // `min` and `max` pass NaN over.
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

impl Lanes {
    /// Show or hide a covariate.
    pub fn toggle(&mut self, covariate: usize) {
        match self.shown.iter().position(|c| *c == covariate) {
            Some(place) => drop(self.shown.remove(place)),
            None => self.shown.push(covariate),
        }
    }

    /// Draw the lanes there is room for; hovering tells the value.
    pub fn draw(&mut self, ui: &egui::Ui, pen: &Pen<'_>, layout: &Layout, recording: &Arc<Recording>, time: &Range) {
        self.extremes.resize_with(self.shown.len().max(self.extremes.len()), Background::default);
        for ((&covariate, rect), extremes) in self.shown.iter().zip(&layout.lanes).zip(&mut self.extremes) {
            let Some(series) = recording.covariates.get(covariate) else { continue };
            let theirs = Arc::clone(recording);
            let work = move || Arc::new(Extremes::new(theirs.covariates.get(covariate).map_or(&[], |c| &c.values)));
            let known = extremes.get(ui.ctx(), "covariate extremes", &covariate, work).cloned();
            lane(pen, layout, *rect, series, known.as_deref(), time);
            let response = ui.interact(*rect, ui.scope_id().with(("lane", covariate)), egui::Sense::hover());
            let name = format!("Covariate {}", title(series));
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
            if let Some(text) = response.hover_pos().and_then(|at| value_at(series, layout.seconds(time, at.x))) {
                egui::Tooltip::for_widget(&response).at_pointer().show(|ui| ui.label(text));
            }
        }
    }
}

fn title(series: &Covariate) -> String {
    if series.unit.is_empty() { series.name.clone() } else { format!("{} ({})", series.name, series.unit) }
}

/// The sample at or before a time, in words.
fn value_at(series: &Covariate, seconds: f64) -> Option<String> {
    let at = series.times.partition_point(|t| *t <= seconds).checked_sub(1)?;
    let (value, time) = (series.values.get(at)?, series.times.get(at)?);
    let unit = if series.unit.is_empty() { String::new() } else { format!(" {}", series.unit) };
    Some(format!("{}: {value:.4}{unit} at {}", series.name, crate::render::axis::time_text(*time, 1e-3)))
}

fn lane(pen: &Pen<'_>, layout: &Layout, rect: Rect, series: &Covariate, known: Option<&Extremes>, time: &Range) {
    let painter = pen.painter.with_clip_rect(rect);
    painter.hline(rect.x_range(), painter.round_to_pixel_center(rect.bottom() - 0.5), Stroke::new(1.0, pen.style.grid));
    let label = |y: f32, align: Align2, text: &str| {
        pen.line(pos2(rect.left() - 5.0, y), align, text, &pen.tiny, pen.style.weak, layout.gutter.width() - 8.0);
    };
    label(rect.center().y, Align2::RIGHT_CENTER, &title(series));
    let Some(known) = known.filter(|k| k.range.0 <= k.range.1) else { return };
    let (low, high) = known.range;
    label(rect.top(), Align2::RIGHT_TOP, &format!("{high:.3}"));
    label(rect.bottom(), Align2::RIGHT_BOTTOM, &format!("{low:.3}"));
    let y = |v: f64| rect.bottom() - 2.0 - ((v - low) / (high - low).max(1e-300)) as f32 * (rect.height() - 4.0);
    let pixels = pen.painter.pixels_per_point();
    let columns = (rect.width() * pixels).ceil().max(1.0) as usize;
    let place = |column: usize| series.times.partition_point(|t| *t < time.start + time.width() * column as f64 / columns as f64);
    let (mut mesh, mut from, mut last) = (Mesh::default(), place(0), None);
    for column in 0..columns {
        let to = place(column + 1);
        let here = known.of(&series.values, from..to);
        from = to;
        // Between samples the last value holds.
        let Some((low, high)) = here.or(last) else { continue };
        // Join neighbouring columns, so that a slope is a line and not dots.
        let (bottom, top) = last.map_or((low, high), |(a, b): (f64, f64)| (low.min(b), high.max(a)));
        let left = rect.left() + column as f32 / pixels;
        let (top, bottom) = (y(top), y(bottom).max(y(top) + 1.0));
        mesh.add_colored_rect(Rect::from_min_max(pos2(left, top), pos2(left + 1.0 / pixels, bottom)), pen.style.accent);
        last = Some((low, high));
    }
    painter.add(mesh);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn extremes_of_any_stretch_are_those_of_its_samples(
            values in prop::collection::vec(prop_oneof![5 => -1e3f64..1e3, 1 => Just(f64::NAN)], 1..3000),
            a in 0usize..3000, b in 0usize..3000,
        ) {
            let known = Extremes::new(&values);
            let places = a.min(b).min(values.len())..a.max(b).min(values.len());
            let finite: Vec<f64> = values[places.clone()].iter().copied().filter(|v| !v.is_nan()).collect();
            let truth = finite.iter().copied().reduce(f64::min).zip(finite.iter().copied().reduce(f64::max));
            prop_assert_eq!(known.of(&values, places), truth);
        }
    }

    #[test]
    fn a_lane_says_its_value_and_can_be_hidden_again() {
        let series = Covariate { name: "speed".into(), unit: "m/s".into(), times: vec![0.0, 1.0], values: vec![0.5, 0.25] };
        assert_eq!(value_at(&series, 1.5).as_deref(), Some("speed: 0.2500 m/s at 1.000 s"));
        assert_eq!((value_at(&series, -1.0), title(&series)), (None, "speed (m/s)".to_owned()));
        let mut lanes = Lanes::default();
        lanes.toggle(3);
        lanes.toggle(1);
        lanes.toggle(3);
        assert_eq!(lanes.shown, [1]);
    }
}
