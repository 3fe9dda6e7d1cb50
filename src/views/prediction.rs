//! The Prediction view: what NetFormer predicts for every next bin against what came, unit by unit.

use std::sync::Arc;

use eframe::egui::{self, Align2, Rect, Sense, Stroke, Ui, pos2, vec2};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoints};

use super::netformer_part::{Following, Network, Shown, pick_unit, short_name};
use super::stndt_part::choose;
use super::{View, ViewContext, widgets};
use crate::analysis::watch::Watch;
use crate::app::theme;
use crate::training::NetFormerModel;

/// Bins shown at first, and at most.
const BINS: usize = 300;
const MOST_BINS: usize = 4000;
/// Height of the bars below.
const BARS: f32 = 120.0;

/// What is computed.
#[derive(Clone, PartialEq)]
struct Settings {
    unit: usize,
    /// First window among all, and how many.
    from: usize,
    bins: usize,
}

/// One unit in a stretch of time.
struct Traces {
    settings: Settings,
    seconds: Vec<f64>,
    predicted: Vec<f64>,
    actual: Vec<f64>,
    /// Stretches of these bins in which time goes on, as ranges of places.
    runs: Vec<std::ops::Range<usize>>,
}

/// The Prediction view.
#[derive(Default)]
pub struct PredictionView {
    network: Network,
    work: Following<Settings, Traces>,
    /// `None` until the user picks: then the best predicted one is shown.
    unit: Option<usize>,
    /// First window shown; `None` for the begin of the test part.
    from: Option<usize>,
    bins: Option<usize>,
}

impl View for PredictionView {
    fn title(&self) -> &'static str {
        "Prediction"
    }

    fn help(&self) -> &'static str {
        "NetFormer predicts the activity of every unit in the next bin from the bins before it; solid is what came, dashed what was predicted, one bin ahead at a time. \
         R² is the share of a unit's variance that is predicted, on validation windows while training and on test windows afterwards; below 0 a constant would do better. \
         Connections of units that are not predicted mean nothing; a good prediction alone does not make them right either."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(shown) = self.network.shown(ui, context, "No predictions yet", "how well the next bin is predicted") else { return };
        let order = ranked(&shown.own.r2);
        let unit = self.unit.filter(|u| *u < shown.model.predicted()).or_else(|| order.first().copied()).unwrap_or(0);
        let all = shown.model.all_windows().len();
        let begin = shown.model.first_test().unwrap_or(0);
        let bins = self.bins.unwrap_or(BINS).min(all.max(1));
        let from = self.from.unwrap_or(begin).min(all.saturating_sub(bins));
        let settings = Settings { unit, from, bins };
        let theirs = settings.clone();
        self.work.get(ui, "prediction", &settings, &shown.model, move |model, watch| compute(model, theirs, watch));
        self.controls(ui, &shown, &order, &settings, all);
        self.work.progress(ui, "predictions");
        let below = if shown.own.r2.len() > 1 && ui.available_height() > 250.0 { BARS } else { 0.0 };
        match self.work.latest() {
            Some(traces) => traces_plot(ui, &shown, traces, ui.available_height() - below),
            None => widgets::note(ui, "Predictions are being computed"),
        }
        if below > 0.0
            && let Some(unit) = bars(ui, &shown, &order, unit)
        {
            self.unit = Some(unit);
            choose(shown.snapshot, context.selection, unit, false);
        }
    }
}

impl PredictionView {
    fn controls(&mut self, ui: &mut Ui, shown: &Shown<'_>, order: &[usize], settings: &Settings, all: usize) {
        ui.horizontal_wrapped(|ui| {
            let name = |unit: usize| short_name(shown.run, shown.snapshot, unit);
            let mut unit = settings.unit;
            pick_unit(ui, "Unit", &mut unit, shown.model.predicted(), &name);
            let places = [("Best", 0), ("Median", order.len() / 2), ("Worst", order.len().saturating_sub(1))];
            for (words, place) in places {
                if order.len() > 2 && ui.button(words).on_hover_text("By R² of the prediction").clicked() {
                    unit = order.get(place).copied().unwrap_or(unit);
                }
            }
            if unit != settings.unit {
                self.unit = Some(unit);
            }
            ui.separator();
            let windows = shown.model.all_windows();
            let label = widgets::caption(ui, "From", 180.0);
            let mut from = settings.from;
            let seconds = |place: usize| windows.get(place).map_or(0.0, |w| shown.model.seconds(*w));
            ui.spacing_mut().slider_width = 140.0;
            let slider = egui::Slider::new(&mut from, 0..=all.saturating_sub(settings.bins))
                .custom_formatter(|place, _| format!("{} s", widgets::number(seconds(place as usize), 5)));
            if ui.add(slider).labelled_by(label.id).changed() {
                self.from = Some(from);
            }
            let label = widgets::caption(ui, "Bins", 60.0);
            let mut bins = settings.bins;
            if ui.add(egui::DragValue::new(&mut bins).range(10..=MOST_BINS.min(all.max(10))).speed(2.0)).labelled_by(label.id).changed() {
                self.bins = Some(bins);
            }
        });
    }
}

/// Units from the best predicted to the worst.
fn ranked(r2: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..r2.len()).collect();
    let key = |unit: usize| r2.get(unit).copied().filter(|v| v.is_finite()).unwrap_or(f32::NEG_INFINITY);
    order.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    order
}

fn compute(model: &Arc<NetFormerModel>, settings: Settings, watch: &Watch) -> Option<Traces> {
    let windows: Vec<usize> = model.all_windows().iter().copied().skip(settings.from).take(settings.bins).collect();
    let column = settings.unit;
    let (mut predicted, mut actual) = (Vec::new(), Vec::new());
    for part in windows.chunks(200) {
        if watch.stopped() {
            return None;
        }
        let (p, a) = model.predictions(part);
        predicted.extend(p.outer_iter().map(|row| f64::from(row.get(column).copied().unwrap_or(f32::NAN))));
        actual.extend(a.outer_iter().map(|row| f64::from(row.get(column).copied().unwrap_or(f32::NAN))));
    }
    let seconds: Vec<f64> = windows.iter().map(|w| model.seconds(*w) + model.bin_s() / 2.0).collect();
    let mut runs = Vec::new();
    let mut begin = 0;
    for at in 1..=windows.len() {
        let goes_on = windows.get(at).zip(windows.get(at - 1)).is_some_and(|(now, before)| *now == before + 1);
        if !goes_on {
            runs.push(begin..at);
            begin = at;
        }
    }
    Some(Traces { settings, seconds, predicted, actual, runs })
}

fn traces_plot(ui: &mut Ui, shown: &Shown<'_>, traces: &Traces, height: f32) {
    let tokens = theme::of(ui);
    let name = short_name(shown.run, shown.snapshot, traces.settings.unit);
    let r2 = shown.own.r2.get(traces.settings.unit).copied().filter(|v| v.is_finite());
    let r2 = r2.map_or_else(String::new, |r2| format!(", R² {}", widgets::number(f64::from(r2), 3)));
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, tokens.truth, false, "what came");
        widgets::line_label(ui, tokens.accent, true, "predicted");
        ui.strong(format!("{name}{r2}"));
    });
    let unit = match (shown.model.counts(), shown.model.recording().activity.is_some()) {
        (true, _) => "spikes per bin",
        (false, true) => "as the network reads it",
        (false, false) => "counts as the network reads them",
    };
    widgets::y_title(ui, &format!("Activity ({unit})"));
    let point = |values: &[f64], at: usize| Some([*traces.seconds.get(at)?, *values.get(at)?]);
    let drawn = widgets::plot(ui, "prediction", "Time (s)")
        .height((height - widgets::Y_TITLE - 34.0).max(80.0))
        .label_formatter(|position| {
            let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = position;
            let at = traces.seconds.partition_point(|t| *t < position.x).min(traces.seconds.len().saturating_sub(1));
            let value = |values: &[f64]| widgets::number(values.get(at).copied().unwrap_or(f64::NAN), 4);
            let time = widgets::number(traces.seconds.get(at).copied().unwrap_or(f64::NAN), 5);
            Some(format!("{time} s\ncame {}\npredicted {}", value(&traces.actual), value(&traces.predicted)))
        })
        .show(ui, |plot| {
            for run in &traces.runs {
                let of = |values: &[f64]| -> Vec<[f64; 2]> { run.clone().filter_map(|at| point(values, at)).collect() };
                plot.line(Line::new("came", PlotPoints::new(of(&traces.actual))).color(tokens.truth).width(1.3));
                plot.line(
                    Line::new("predicted", PlotPoints::new(of(&traces.predicted)))
                        .color(tokens.accent)
                        .width(1.9)
                        .style(LineStyle::dashed_dense()),
                );
            }
        });
    widgets::describe(&drawn.response, format!("Predicted and actual activity of {name} in {} bins{r2}", traces.seconds.len()));
}

/// R² of every unit, best first; gives the unit that was clicked.
fn bars(ui: &mut Ui, shown: &Shown<'_>, order: &[usize], selected: usize) -> Option<usize> {
    let tokens = theme::of(ui);
    let r2 = |unit: usize| shown.own.r2.get(unit).copied().unwrap_or(0.0);
    let mean = order.iter().map(|u| f64::from(r2(*u))).sum::<f64>() / order.len().max(1) as f64;
    widgets::y_title(ui, &format!("R² of every unit, best first (mean {})", widgets::number(mean, 3)));
    let (whole, _) = ui.allocate_exact_size(vec2(ui.available_width(), (BARS - 30.0).min(ui.available_height()).max(30.0)), Sense::hover());
    let rect = Rect::from_min_max(whole.min + vec2(34.0, 6.0), whole.max - vec2(4.0, 4.0));
    let low = order.iter().map(|u| r2(*u)).fold(0.0, f32::min).max(-1.0);
    let high = (1.15 * order.first().map_or(1.0, |u| r2(*u))).clamp(0.02, 1.0);
    let y = |value: f32| rect.bottom() - (value.clamp(low, high) - low) / (high - low) * rect.height();
    let width = rect.width() / order.len().max(1) as f32;
    for (place, unit) in order.iter().enumerate() {
        let left = rect.left() + place as f32 * width;
        let gap = if width > 4.0 { 1.0 } else { 0.0 };
        let (top, bottom) = (y(r2(*unit).max(0.0)), y(r2(*unit).min(0.0)));
        let bar = Rect::from_min_max(pos2(left, top), pos2(left + width - gap, bottom.max(top + 1.0)));
        ui.painter().rect_filled(bar, 0.0, if *unit == selected { tokens.category(1) } else { tokens.accent });
    }
    ui.painter().hline(rect.x_range(), y(0.0), Stroke::new(1.0, tokens.text));
    for value in [0.0, high].into_iter().chain((low < -0.25 * high).then_some(low)) {
        let text = widgets::number(f64::from(value), 2);
        ui.painter().text(pos2(rect.left() - 5.0, y(value)), Align2::RIGHT_CENTER, text, egui::FontId::proportional(11.0), tokens.weak);
    }
    let response = ui.interact(rect, ui.scope_id().with("r2 bars"), Sense::click());
    let best = order.first().map_or_else(String::new, |u| short_name(shown.run, shown.snapshot, *u));
    let said = format!("R² of {} units, mean {}, best {best}", order.len(), widgets::number(mean, 3));
    widgets::describe(&response, said);
    let at = response.hover_pos()?;
    let place = (((at.x - rect.left()) / width.max(1e-6)).max(0.0) as usize).min(order.len().saturating_sub(1));
    let unit = order.get(place).copied()?;
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(short_name(shown.run, shown.snapshot, unit));
        ui.label(format!("R² {}", widgets::number(f64::from(r2(unit)), 3)));
    });
    response.clicked().then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_ranked_by_how_well_they_are_predicted() {
        assert_eq!(ranked(&[0.1, f32::NAN, 0.9, -3.0]), [2, 0, 3, 1]);
        assert!(ranked(&[]).is_empty());
    }
}
