//! One ordered pair of areas in full: its filter, sending and receiving weights and the coupling factor of a trial, each with the
//! truth when it is known.

use eframe::egui::{Color32, RichText, Ui};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::kernels::{Standing, candidate_curve, curve, standing, true_curve, words};
use super::pair_truth::{self, PairTruth};
use super::{RunState, widgets};
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::{PairSnapshot, Snapshot};

/// The selected pair in full.
pub(super) fn detail(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: Option<&PairSnapshot>, trial: usize) {
    let Some(pair) = pair else {
        widgets::note(ui, "Select a pair in the grid");
        return;
    };
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let (source, target) = (style.area(run.area_index(pair.source)), style.area(run.area_index(pair.target)));
    let truth = pair_truth::of(run, pair).filter(|t| t.filter.is_some());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target))).size(16.0));
        ui.label(RichText::new(words(snapshot, pair)).small().color(tokens.weak));
    });
    let trained = standing(pair) == Standing::Trained;
    ui.horizontal_wrapped(|ui| {
        if trained {
            widgets::line_label(ui, source, false, "inferred");
        }
        if !pair.candidate.is_empty() {
            widgets::line_label(ui, tokens.weak, false, "found by the score, not supported");
        }
        if truth.is_some() {
            widgets::line_label(ui, tokens.truth, true, "truth of the simulation");
        }
    });
    if !trained && truth.is_none() && pair.candidate.is_empty() {
        widgets::note(ui, untrained(pair));
        return;
    }
    let size = ui.available_size();
    let factor = factor(snapshot, pair, trial).filter(|_| trained && size.y > 330.0);
    let gap = ui.spacing().item_spacing.y;
    let shares = match (&factor, size.y > 200.0) {
        (Some(_), _) => [0.42, 0.30],
        (None, true) => [0.56, 0.44],
        (None, false) => [1.0, 0.0],
    };
    filter_plot(ui, snapshot, pair, truth.as_ref(), source, size.y * shares[0] - 2.0 * gap);
    let height = size.y * shares[1] - 3.0 * gap;
    if !trained {
        widgets::note(ui, untrained(pair));
    } else if height > 0.0 {
        ui.columns(2, |columns| {
            if let [left, right] = columns {
                let send = truth.as_ref().map(|t| t.send.as_slice());
                weights(
                    left,
                    "send",
                    &format!("Unit of {}, by weight", run.area_name(pair.source)),
                    "Sending weight",
                    &pair.send,
                    send,
                    source,
                    height,
                );
                let receive = truth.as_ref().map(|t| t.receive.as_slice());
                weights(
                    right,
                    "receive",
                    &format!("Unit of {}, by weight", run.area_name(pair.target)),
                    "Receiving weight",
                    &pair.receive,
                    receive,
                    target,
                    height,
                );
            }
        });
    }
    if let Some(factor) = factor {
        factor_plot(ui, snapshot, &factor, trial, source, ui.available_height() - 2.0);
    }
}

fn untrained(pair: &PairSnapshot) -> &'static str {
    match standing(pair) {
        Standing::Unsupported => {
            "The data do not support this pair: its score stays below what jittered spike times give, so it has no weights. The grey filter is what the score found, no better than chance."
        }
        Standing::NotYet | Standing::Trained => "Weights and filters are trained from stage 3 on, once the slow dynamics are known.",
    }
}

fn filter_plot(ui: &mut Ui, snapshot: &Snapshot, pair: &PairSnapshot, truth: Option<&PairTruth>, color: Color32, height: f32) {
    let tokens = theme::of(ui);
    widgets::y_title(ui, "Change of log-rate");
    let response = widgets::plot(ui, "filter", "Lag (ms)")
        .height((height - widgets::Y_TITLE).max(60.0))
        .include_x(0.0)
        .include_y(0.0)
        .label_formatter(|p| hover(p, "ms", ""))
        .show(ui, |plot| {
            plot.hline(egui_plot::HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            if let Some(filter) = truth.and_then(true_curve) {
                let points = PlotPoints::new(filter);
                plot.line(Line::new("Truth", points).color(tokens.truth).width(1.6).style(LineStyle::dashed_dense()));
            }
            if !pair.candidate.is_empty() {
                let points = PlotPoints::new(candidate_curve(pair, snapshot.bin_s));
                plot.line(Line::new("Not supported", points).color(tokens.weak).width(1.6));
            }
            for (rank, filter) in pair.filter.iter().enumerate().filter(|_| standing(pair) == Standing::Trained) {
                let name = if pair.filter.len() > 1 { format!("Factor {}", rank + 1) } else { "Inferred".to_owned() };
                let points = PlotPoints::new(curve(filter.iter().map(|v| f64::from(*v)), snapshot.bin_s));
                plot.line(Line::new(name, points).color(color.gamma_multiply(1.0 / (1.0 + 0.5 * rank as f32))).width(2.6));
            }
        })
        .response;
    widgets::describe(&response, format!("Coupling filter: {}", words(snapshot, pair)));
}

/// Weights as dots, sorted by the inferred weight, with the truth of the same unit behind them.
#[expect(clippy::too_many_arguments, reason = "a plot is drawn from its labels, values and colours")]
fn weights(ui: &mut Ui, id: &str, x: &str, y: &str, values: &[Vec<f32>], truth: Option<&[Option<f64>]>, color: Color32, height: f32) {
    let tokens = theme::of(ui);
    let first: &[f32] = values.first().map_or(&[], Vec::as_slice);
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_by(|&a, &b| first.get(b).unwrap_or(&0.0).total_cmp(first.get(a).unwrap_or(&0.0)));
    widgets::y_title(ui, y);
    let response = widgets::plot(ui, id, x)
        .height((height - widgets::Y_TITLE).max(60.0))
        .include_y(0.0)
        .label_formatter(|p| hover(p, "", "rank "))
        .show(ui, |plot| {
            plot.hline(egui_plot::HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            if let Some(truth) = truth {
                let points: Vec<[f64; 2]> =
                    order.iter().enumerate().filter_map(|(x, &unit)| Some([(x + 1) as f64, (*truth.get(unit)?)?])).collect();
                plot.points(Points::new("Truth", PlotPoints::new(points)).color(tokens.truth).radius(2.6).filled(false));
            }
            for (rank, values) in values.iter().enumerate() {
                let points: Vec<[f64; 2]> =
                    order.iter().enumerate().filter_map(|(x, &unit)| Some([(x + 1) as f64, f64::from(*values.get(unit)?)])).collect();
                let name = if rank == 0 { "Inferred".to_owned() } else { format!("Factor {}", rank + 1) };
                plot.points(
                    Points::new(name, PlotPoints::new(points)).color(color.gamma_multiply(1.0 / (1.0 + 0.5 * rank as f32))).radius(2.8),
                );
            }
        })
        .response;
    let top = order.first().and_then(|&unit| first.get(unit)).copied().unwrap_or(0.0);
    widgets::describe(&response, format!("{y} of {} units, largest {}", first.len(), widgets::number(f64::from(top), 3)));
}

fn hover(position: &HoverPosition<'_>, unit: &str, prefix: &str) -> Option<String> {
    let (name, p) = match position {
        HoverPosition::NearDataPoint { plot_name, position, .. } => (*plot_name, position),
        HoverPosition::Elsewhere { position } => ("", position),
    };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let x = format!("{prefix}{}{unit}", widgets::number(p.x, 3));
    Some(format!("{name}{}{x}\n{}", if name.is_empty() { "" } else { "\n" }, widgets::number(p.y, 3)))
}

/// Coupling factor of the chosen trial (of the first one served when the chosen one is not).
fn factor(snapshot: &Snapshot, pair: &PairSnapshot, trial: usize) -> Option<Vec<f32>> {
    let shown = snapshot.trials.iter().position(|t| t.trial == trial)?;
    let glm = snapshot.glm()?;
    let place = glm.pairs.iter().position(|p| (p.source, p.target) == (pair.source, pair.target))?;
    glm.trials.get(shown)?.coupling.get(place)?.first().filter(|f| !f.is_empty()).cloned()
}

fn factor_plot(ui: &mut Ui, snapshot: &Snapshot, factor: &[f32], trial: usize, color: Color32, height: f32) {
    let tokens = theme::of(ui);
    widgets::y_title(ui, "Coupling factor");
    let response = widgets::plot(ui, "factor", &format!("Time in trial {} (ms)", trial + 1))
        .height((height - widgets::Y_TITLE).max(60.0))
        .include_y(0.0)
        .label_formatter(|p| hover(p, "ms", ""))
        .show(ui, |plot| {
            plot.hline(egui_plot::HLine::new("", 0.0).color(tokens.line).width(1.0).allow_hover(false));
            let points = factor.iter().enumerate().map(|(t, v)| [t as f64 * snapshot.bin_s * 1e3, f64::from(*v)]).collect();
            plot.line(Line::new("Coupling factor", PlotPoints::new(points)).color(color).width(1.6).allow_band(false));
        })
        .response;
    widgets::describe(&response, format!("Coupling factor over time in trial {}, {} bins", trial + 1, factor.len()));
}
