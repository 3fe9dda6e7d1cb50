//! The Factors view: slow factors of each area, how units load on them, and the post-spike filter of every unit.

use std::sync::Arc;

use eframe::egui::{self, Color32, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::kernels::{lag_ms, waiting};
use super::stndt_part::{selected_columns, shown_trial, trial_field};
use super::{RunState, Selection, View, ViewContext, shown_area, widgets};
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::{GlmSnapshot, Snapshot};

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Factors,
    PostSpike,
}

const PARTS: [(Part, &str, &str); 2] = [
    (Part::Factors, "Slow factors", "Own dynamics of each area in one trial, and how its units load on them"),
    (Part::PostSpike, "Post-spike filters", "How a unit's own spike changes its log-rate in the milliseconds after it"),
];

/// Curves of post-spike filters drawn per area at most.
const DRAWN: usize = 150;

/// The Factors view.
#[derive(Default)]
pub struct FactorsView {
    part: Part,
}

impl View for FactorsView {
    fn title(&self) -> &'static str {
        "Factors"
    }

    fn help(&self) -> &'static str {
        "Each area has a few slow factors that vary from trial to trial; they are what the area does without spikes of other areas. \
         A factor is known up to its scale and sign, so each is drawn around its mean in units of log-rate of a unit with a typical loading; thin curves are other trials. \
         Post-spike filters show the refractory period and bursting of every unit; selected units are drawn in the accent colour."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let found = context.run.and_then(|run| Some((run, run.snapshot.clone()?))).filter(|(_, s)| s.glm().is_some());
        let Some((run, snapshot)) = found else { return waiting(ui, context, "No factors yet") };
        let Some(glm) = snapshot.glm() else { return };
        ui.horizontal_wrapped(|ui| {
            widgets::segmented(ui, &mut self.part, &PARTS);
            if self.part == Part::Factors {
                ui.separator();
                trial_field(ui, run, &snapshot, context.selection);
            }
        });
        match self.part {
            Part::Factors if glm.trials.iter().all(|t| t.factors.is_empty()) => waiting(ui, context, "No single trials yet"),
            Part::Factors => factors(ui, run, &snapshot, glm, context.selection),
            Part::PostSpike if glm.post_spike.is_empty() => waiting(ui, context, "Post-spike filters are trained in stage 4"),
            Part::PostSpike => post_spike(ui, run, &snapshot, glm, context.selection),
        }
    }
}

/// Scale of a factor: the root mean square of its units' loadings; 1 without loadings.
fn loading_scale(glm: &GlmSnapshot, area: usize, factor: usize) -> f64 {
    let Some(weights) = glm.loadings.get(area).and_then(|a| a.get(factor)).filter(|w| !w.is_empty()) else { return 1.0 };
    let square = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weights.len() as f64;
    if square > 0.0 { square.sqrt() } else { 1.0 }
}

/// A factor around its mean, in log-rate of a unit with a typical loading.
fn centred(values: &[f32], scale: f64) -> Vec<f64> {
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|v| (f64::from(*v) - mean) * scale).collect()
}

fn factors(ui: &mut Ui, run: &RunState, snapshot: &Arc<Snapshot>, glm: &GlmSnapshot, selection: &Selection) {
    let Some((place, _)) = shown_trial(snapshot, selection) else { return };
    widgets::note(
        ui,
        "Left: factor over the trial, thin curves are other trials. Right: loading of every unit, sorted, in units of a typical loading",
    );
    widgets::grid(ui, "factors", snapshot.areas.len(), 190.0, |ui, area, cell| {
        widgets::area_label(ui, run.area_index(area), &run.area_name(area));
        let height = (cell.y - 30.0).max(120.0);
        ui.horizontal_top(|ui| {
            let width = cell.x * 0.62;
            ui.allocate_ui(egui::vec2(width, height), |ui| {
                ui.vertical(|ui| curves(ui, run, snapshot, glm, area, place, egui::vec2(width, height)))
            });
            let rest = cell.x - width - 12.0;
            ui.allocate_ui(egui::vec2(rest, height), |ui| ui.vertical(|ui| loadings(ui, run, glm, area, egui::vec2(rest, height))));
        });
    });
}

/// Shades of an area's colour, one per factor; names tell them apart.
fn shade(color: Color32, factor: usize, text: Color32) -> Color32 {
    if factor.is_multiple_of(2) { color } else { color.lerp_to_gamma(text, 0.55) }
}

fn curves(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, glm: &GlmSnapshot, area: usize, place: usize, size: egui::Vec2) {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let color = style.area(run.area_index(area));
    widgets::y_title(ui, "Log-rate around its mean");
    let drawn = widgets::plot(ui, &format!("factor {area}"), "Time in trial (ms)")
        .width(size.x)
        .height((size.y - widgets::Y_TITLE).max(70.0))
        .include_y(0.0)
        .allow_drag(false)
        .label_formatter(|p| hover(p, "ms"))
        .show(ui, |plot| {
            plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            let order = (0..glm.trials.len()).filter(|t| *t != place).chain([place]);
            for trial in order {
                let Some(factors) = glm.trials.get(trial).and_then(|t| t.factors.get(area)) else { continue };
                for (factor, values) in factors.iter().enumerate() {
                    let values = centred(values, loading_scale(glm, area, factor));
                    let points = values.iter().enumerate().map(|(bin, v)| [bin as f64 * snapshot.bin_s * 1e3, *v]).collect();
                    let chosen = trial == place;
                    let name = if chosen { format!("Factor {}", factor + 1) } else { String::new() };
                    let color = shade(color, factor, tokens.text);
                    let line = Line::new(name, PlotPoints::new(points)).allow_hover(chosen);
                    let line = if factor.is_multiple_of(2) { line } else { line.style(LineStyle::dashed_loose()) };
                    plot.line(line.color(if chosen { color } else { color.gamma_multiply(0.3) }).width(if chosen { 2.2 } else { 1.0 }));
                }
            }
        });
    let count = glm.trials.get(place).and_then(|t| t.factors.get(area)).map_or(0, Vec::len);
    widgets::describe(
        &drawn.response,
        format!("{count} slow factors of {} in one trial; every second one is dashed", shown_area(&run.area_name(area))),
    );
}

fn loadings(ui: &mut Ui, run: &RunState, glm: &GlmSnapshot, area: usize, size: egui::Vec2) {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let Some(all) = glm.loadings.get(area).filter(|l| !l.is_empty()) else {
        widgets::note(ui, "This run was written by an older version, which did not keep loadings");
        return;
    };
    let color = style.area(run.area_index(area));
    widgets::y_title(ui, "Loading");
    let drawn = widgets::plot(ui, &format!("loadings {area}"), "Unit, by loading")
        .width(size.x)
        .height((size.y - widgets::Y_TITLE).max(70.0))
        .include_y(0.0)
        .allow_drag(false)
        .label_formatter(|p| hover(p, ""))
        .show(ui, |plot| {
            plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            for (factor, weights) in all.iter().enumerate() {
                let scale = loading_scale(glm, area, factor);
                let mut sorted: Vec<f64> = weights.iter().map(|w| f64::from(*w) / scale).collect();
                sorted.sort_by(|a, b| b.total_cmp(a));
                let points = sorted.iter().enumerate().map(|(k, w)| [(k + 1) as f64, *w]).collect();
                let points =
                    Points::new(format!("Factor {}", factor + 1), PlotPoints::new(points)).color(shade(color, factor, tokens.text));
                plot.points(points.radius(2.6).filled(factor.is_multiple_of(2)));
            }
        });
    widgets::describe(
        &drawn.response,
        format!("Loadings of {} units of {}", all.first().map_or(0, Vec::len), shown_area(&run.area_name(area))),
    );
}

fn post_spike(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, glm: &GlmSnapshot, selection: &Selection) {
    let tokens = theme::of(ui);
    let chosen = selected_columns(snapshot, selection);
    let truth = run.data.as_ref().and_then(|data| data.0.truth.as_ref()?.glm.clone());
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, tokens.text, false, "mean of the area");
        if !chosen.is_empty() {
            widgets::line_label(ui, tokens.accent, false, "selected units");
        }
        if truth.is_some() {
            widgets::line_label(ui, tokens.truth, true, "truth of the simulation");
        }
        widgets::note(ui, format!("one thin curve per unit, at most {DRAWN} per area"));
    });
    let mut first = 0;
    let starts: Vec<usize> = snapshot
        .area_sizes
        .iter()
        .map(|n| {
            first += n;
            first - n
        })
        .collect();
    let (low, high) = widgets::range(glm.post_spike.iter().flatten().map(|h| f64::from(*h))).unwrap_or((0.0, 0.0));
    widgets::grid(ui, "post-spike", snapshot.areas.len(), 150.0, |ui, area, cell| {
        let (Some(&first), Some(&size)) = (starts.get(area), snapshot.area_sizes.get(area)) else { return };
        let color = RasterStyle::of(ui).area(run.area_index(area));
        widgets::area_label(ui, run.area_index(area), &run.area_name(area));
        widgets::y_title(ui, "Change of log-rate");
        let points = |filter: &[f64], bin_s: f64| PlotPoints::new(filter.iter().enumerate().map(|(k, h)| [lag_ms(k, bin_s), *h]).collect());
        let of = |unit: usize| glm.post_spike.get(unit).map(|f| f.iter().map(|h| f64::from(*h)).collect::<Vec<f64>>());
        let filters: Vec<Vec<f64>> = (first..first + size).filter_map(of).collect();
        let lags = filters.iter().map(Vec::len).max().unwrap_or(0);
        let mean: Vec<f64> =
            (0..lags).map(|k| filters.iter().filter_map(|f| f.get(k)).sum::<f64>() / filters.len().max(1) as f64).collect();
        let drawn = widgets::plot(ui, &format!("post-spike {area}"), "Time after the spike (ms)")
            .width(cell.x)
            .height((cell.y - 30.0 - widgets::Y_TITLE).max(70.0))
            .include_x(0.0)
            .include_y(low.min(0.0))
            .include_y(high.max(0.0))
            .allow_drag(false)
            .label_formatter(|p| hover(p, "ms"))
            .show(ui, |plot| {
                plot.hline(HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
                for filter in filters.iter().take(DRAWN) {
                    plot.line(Line::new("", points(filter, snapshot.bin_s)).color(color.gamma_multiply(0.4)).width(1.0).allow_hover(false));
                }
                for filter in chosen.iter().filter(|c| (first..first + size).contains(*c)).filter_map(|&c| of(c)) {
                    plot.line(Line::new("Selected unit", points(&filter, snapshot.bin_s)).color(tokens.accent).width(2.0));
                }
                plot.line(Line::new("Mean", points(&mean, snapshot.bin_s)).color(tokens.text).width(2.4));
                if let Some(truth) = &truth {
                    let line = Line::new("Truth", points(&truth.post_spike, truth.bin_s)).color(tokens.truth).width(1.6);
                    plot.line(line.style(LineStyle::dashed_dense()));
                }
            });
        let least = mean.iter().copied().fold(0.0, f64::min);
        let text = format!(
            "Post-spike filters of {size} units of {}, lowest mean {}",
            shown_area(&run.area_name(area)),
            widgets::number(least, 2)
        );
        widgets::describe(&drawn.response, text);
    });
}

fn hover(position: &HoverPosition<'_>, unit: &str) -> Option<String> {
    match position {
        HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
            let x = format!("{} {unit}", widgets::number(position.x, 3));
            Some(format!("{plot_name}\n{}\n{}", x.trim_end(), widgets::number(position.y, 3)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_drawn_in_log_rate_of_a_typical_unit() {
        let glm = GlmSnapshot { loadings: vec![vec![vec![3.0, -4.0], vec![0.0, 0.0]]], ..GlmSnapshot::default() };
        assert!((loading_scale(&glm, 0, 0) - 12.5f64.sqrt()).abs() < 1e-9);
        assert_eq!((loading_scale(&glm, 0, 1), loading_scale(&glm, 7, 0)), (1.0, 1.0));
        assert_eq!(centred(&[1.0, 3.0], 2.0), [-2.0, 2.0]);
        assert!(centred(&[], 1.0).is_empty());
    }
}
