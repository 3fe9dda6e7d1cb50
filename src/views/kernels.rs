//! The Coupling kernels view: a grid target × source of coupling filters, and the selected pair in full: filter, sending and
//! receiving weights, coupling factor of one trial, each with the truth when it is known.

use eframe::egui::{self, Align2, Color32, Rect, RichText, Sense, Ui, Vec2, pos2, vec2};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoints, Points};

use super::pair_truth::{self, PairTruth};
use super::widgets::{self, Curve};
use super::{RunState, View, ViewContext};
use crate::app::theme::{self, Tokens};
use crate::training::{PairSnapshot, Phase, Snapshot, Support};

/// Grid of filters and the selected pair.
#[derive(Default)]
pub struct KernelsView;

impl View for KernelsView {
    fn title(&self) -> &'static str {
        "Coupling kernels"
    }

    fn help(&self) -> &'static str {
        "Each panel shows how a spike of the sending area (column) changes the log-rate of the receiving area (row) at later times. \
         Pairs that are not supported stay at zero: their score does not exceed what jittered spike times give. \
         A filter is an association given each area's own slow dynamics, not proof of a causal connection."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some((run, snapshot)) = context.run.and_then(|run| Some((run, run.snapshot.as_deref()?))) else {
            return waiting(ui, context, "No coupling filters yet");
        };
        if snapshot.pairs.is_empty() {
            return waiting(ui, context, "No coupling filters yet");
        }
        let pair = selected_pair(context.selection.pair, snapshot);
        let (clicked, trial) = (show(ui, run, snapshot, pair, context.selection.trial), context.selection.trial);
        if let Some(pair) = clicked {
            context.selection.pair = Some(pair);
        }
        context.selection.trial = trial;
    }
}

/// What views of the snapshot show before there is one.
pub(super) fn waiting(ui: &mut Ui, context: &mut ViewContext<'_>, title: &str) {
    let (text, over) = match context.run.map(|run| &run.progress.phase) {
        None => ("Start training in the Train view; this view follows the model while it learns.", true),
        Some(Phase::Preparing) => ("The run is being prepared; this view fills as soon as the model has something to show.", false),
        Some(Phase::Running | Phase::Finishing) => ("This view fills as soon as the model has come to it.", false),
        Some(Phase::Paused) => ("Training is paused; this view fills when it has gone on for a while.", false),
        Some(Phase::Finished(_) | Phase::Discarded | Phase::Failed(_)) => {
            ("The last run ended without it; start another one in the Train view.", true)
        }
    };
    if widgets::empty(ui, title, text, over.then_some("Go to Train")) {
        context.actions.push(super::Action::Show("Train"));
    }
}

/// The pair to enlarge: the selected one, else the strongest supported coupling between two areas.
fn selected_pair(selected: Option<(usize, usize)>, snapshot: &Snapshot) -> Option<&PairSnapshot> {
    let found = selected.and_then(|(source, target)| snapshot.pairs.iter().find(|p| p.source == source && p.target == target));
    let strength = |p: &&PairSnapshot| peak(p).map_or(0.0, |(_, value)| value.abs()) * if p.support.is_fitted() { 1.0 } else { 0.01 };
    let strongest = |pairs: &mut dyn Iterator<Item = &'_ PairSnapshot>| {
        pairs.max_by(|a, b| strength(a).total_cmp(&strength(b))).map(|p| (p.source, p.target))
    };
    found.or_else(|| {
        let best =
            strongest(&mut snapshot.pairs.iter().filter(|p| p.source != p.target)).or_else(|| strongest(&mut snapshot.pairs.iter()))?;
        snapshot.pairs.iter().find(|p| (p.source, p.target) == best)
    })
}

/// Lag index and value of the largest deflection of the first factor's filter.
pub(super) fn peak(pair: &PairSnapshot) -> Option<(usize, f64)> {
    let filter = pair.filter.first()?;
    filter.iter().enumerate().filter(|(_, v)| v.is_finite()).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map(|(k, v)| (k, f64::from(*v)))
}

/// Lag of filter entry `k` in milliseconds: entry 0 acts one bin later.
pub(super) fn lag_ms(k: usize, bin_s: f64) -> f64 {
    (k + 1) as f64 * bin_s * 1e3
}

fn show(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: Option<&PairSnapshot>, trial: usize) -> Option<(usize, usize)> {
    let size = ui.available_size();
    if size.x > 500.0 && size.x > 1.05 * size.y {
        let left = (size.x * 0.47).min(size.y * 1.05).max(230.0);
        ui.horizontal_top(|ui| {
            let down = egui::Layout::top_down(egui::Align::Min);
            let clicked = ui.allocate_ui_with_layout(vec2(left, size.y), down, |ui| grid(ui, run, snapshot, pair)).inner;
            ui.separator();
            ui.vertical(|ui| detail(ui, run, snapshot, pair, trial));
            clicked
        })
        .inner
    } else if size.y > 420.0 {
        let height = (size.y * 0.45).min(size.x * 0.9);
        let clicked = ui.allocate_ui(vec2(size.x, height), |ui| grid(ui, run, snapshot, pair)).inner;
        ui.separator();
        detail(ui, run, snapshot, pair, trial);
        clicked
    } else {
        grid(ui, run, snapshot, pair)
    }
}

/// The grid; returns the pair that was clicked.
fn grid(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, selected: Option<&PairSnapshot>) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let n = snapshot.areas.len().max(1);
    let y = common_range(run, snapshot);
    let last = snapshot.pairs.iter().flat_map(|p| p.filter.first()).map(Vec::len).max().unwrap_or(1);
    widgets::note(
        ui,
        format!(
            "Columns send, rows receive. All panels: lag 0 to {} ms, change of log-rate {} to {}",
            widgets::number(lag_ms(last.saturating_sub(1), snapshot.bin_s), 3),
            widgets::number(y.0, 2),
            widgets::number(y.1, 2)
        ),
    );
    let mut clicked = None;
    let available = ui.available_size();
    let label = (name_width(ui, run, n, 12.0) + 24.0).min(available.x * 0.3);
    let head = 20.0;
    let width = ((available.x - label) / n as f32).max(46.0);
    let cell = vec2(width, ((available.y - head - 4.0) / n as f32).min(width * 1.3).max(38.0));
    egui::ScrollArea::both().id_salt("kernel grid").auto_shrink(false).show(ui, |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(label + cell.x * n as f32, head + cell.y * n as f32), Sense::hover());
        for area in 0..n {
            let (name, color) = (run.area_name(area), tokens.area(run.area_index(area)));
            let along = area as f32;
            let column = Rect::from_min_size(rect.min + vec2(label + along * cell.x, 0.0), vec2(cell.x, head));
            named(ui, column, Align2::CENTER_CENTER, &name, color, tokens);
            let row = Rect::from_min_size(rect.min + vec2(0.0, head + along * cell.y), vec2(label - 6.0, cell.y));
            named(ui, row, Align2::RIGHT_CENTER, &name, color, tokens);
        }
        for pair in snapshot.pairs.iter().filter(|p| p.source < n && p.target < n) {
            let corner = rect.min + vec2(label + pair.source as f32 * cell.x, head + pair.target as f32 * cell.y);
            let place = Rect::from_min_size(corner, cell).shrink(2.5);
            let is_selected = selected.is_some_and(|s| (s.source, s.target) == (pair.source, pair.target));
            if panel(ui, run, snapshot, pair, place, y, is_selected) {
                clicked = Some((pair.source, pair.target));
            }
        }
    });
    clicked
}

/// Width of the longest area name in points.
pub(super) fn name_width(ui: &Ui, run: &RunState, n: usize, size: f32) -> f32 {
    let width = |area| ui.painter().layout_no_wrap(run.area_name(area), egui::FontId::proportional(size), Color32::PLACEHOLDER).size().x;
    (0..n).map(width).fold(0.0, f32::max)
}

fn named(ui: &Ui, rect: Rect, align: Align2, name: &str, color: Color32, tokens: &Tokens) {
    let dot = 7.0;
    let text = Rect::from_min_max(rect.min + vec2(dot + 5.0, 0.0), rect.max);
    widgets::text_in(ui, text, align, name, 12.0, tokens.text);
    let width = ui.painter().layout_no_wrap(name.to_owned(), egui::FontId::proportional(12.0), tokens.text).size().x.min(text.width());
    let left = if align == Align2::CENTER_CENTER { text.center().x - width / 2.0 } else { text.right() - width };
    ui.painter().rect_filled(Rect::from_center_size(pos2(left - 8.0, rect.center().y), Vec2::splat(dot)), 2.0, color);
}

/// One panel of the grid. True when clicked (mouse, Enter or Space).
fn panel(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: &PairSnapshot, rect: Rect, y: (f64, f64), selected: bool) -> bool {
    let tokens = theme::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("pair", pair.source, pair.target)), Sense::click());
    let title = format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target));
    let words = words(snapshot, pair);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, format!("{title}: {words}")));
    let fitted = pair.support.is_fitted();
    let fill = if !fitted {
        tokens.muted.gamma_multiply(0.6)
    } else if selected {
        tokens.selected
    } else {
        tokens.card
    };
    ui.painter().rect_filled(rect, 5.0, fill);
    let inner = rect.shrink2(vec2(4.0, 5.0));
    let color = tokens.area(run.area_index(pair.source));
    let mut curves = Vec::new();
    let truth = pair_truth::of(run, pair);
    if let Some(filter) = truth.as_ref().and_then(true_curve) {
        curves.push(Curve { points: filter, color: tokens.truth, dashed: true });
    }
    if fitted {
        for filter in &pair.filter {
            curves.push(Curve { points: curve(filter.iter().map(|v| f64::from(*v)), snapshot.bin_s), color, dashed: false });
        }
    }
    let last = curves.iter().filter_map(|c| c.points.last()).map(|p| p[0]).fold(lag_ms(0, snapshot.bin_s) * 2.0, f64::max);
    widgets::small_plot(ui, inner, (0.0, last), y, &curves, tokens);
    if let Support::Scored { score, null, supported: false } = pair.support {
        let roomy = rect.height() > 58.0 && rect.width() > 92.0;
        let text = if roomy { "not supported" } else { "n. s." };
        widgets::text_in(ui, Rect::from_min_size(inner.min, vec2(inner.width(), 14.0)), Align2::LEFT_TOP, text, 11.0, tokens.weak);
        if roomy {
            let below = Rect::from_min_max(pos2(inner.left(), inner.bottom() - 13.0), inner.max);
            let text = format!("score {} < {}", widgets::number(f64::from(score), 2), widgets::number(f64::from(null), 2));
            widgets::text_in(ui, below, Align2::LEFT_BOTTOM, &text, 10.5, tokens.weak);
        }
    }
    widgets::ring(ui, rect, tokens, selected || response.has_focus() || response.hovered());
    let clicked = response.clicked();
    response.on_hover_ui(|ui| {
        ui.strong(&title);
        ui.label(&words);
    });
    clicked
}

/// What a pair shows, in words: support, peak, contribution.
pub(super) fn words(snapshot: &Snapshot, pair: &PairSnapshot) -> String {
    let number = |v: f32| widgets::number(f64::from(v), 3);
    let support = match pair.support {
        Support::NotScored => "not scored yet".to_owned(),
        Support::Scored { score, null, supported: true } => format!("supported, score {} above threshold {}", number(score), number(null)),
        Support::Scored { score, null, supported: false } => {
            return format!("not supported, score {} below threshold {}", number(score), number(null));
        }
    };
    let peak = peak(pair).map_or_else(String::new, |(k, v)| {
        format!(", peak {} at {} ms", widgets::number(v, 3), widgets::number(lag_ms(k, snapshot.bin_s), 3))
    });
    format!("{support}{peak}, contribution {} %", number(pair.contribution_percent))
}

fn curve(filter: impl Iterator<Item = f64>, bin_s: f64) -> Vec<[f64; 2]> {
    filter.enumerate().map(|(k, v)| [lag_ms(k, bin_s), v]).collect()
}

fn true_curve(truth: &PairTruth) -> Option<Vec<[f64; 2]>> {
    Some(curve(truth.filter.as_ref()?.iter().copied(), truth.bin_s))
}

/// One range for all panels, so that they can be compared: zero is always inside.
fn common_range(run: &RunState, snapshot: &Snapshot) -> (f64, f64) {
    let fitted = snapshot.pairs.iter().filter(|p| p.support.is_fitted()).flat_map(|p| p.filter.iter().flatten().map(|v| f64::from(*v)));
    let truth = snapshot.pairs.iter().filter_map(|p| pair_truth::of(run, p)?.filter).flatten();
    let (low, high) = widgets::range(fitted.chain(truth).chain([0.0])).unwrap_or((0.0, 0.0));
    let pad = 0.06 * (high - low).max(1e-6);
    (low - pad, high + pad)
}

/// The selected pair in full.
fn detail(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, pair: Option<&PairSnapshot>, trial: usize) {
    let Some(pair) = pair else {
        widgets::note(ui, "Select a pair in the grid");
        return;
    };
    let tokens = theme::of(ui);
    let (source, target) = (tokens.area(run.area_index(pair.source)), tokens.area(run.area_index(pair.target)));
    let truth = pair_truth::of(run, pair).filter(|t| t.filter.is_some());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target))).size(16.0));
        ui.label(RichText::new(words(snapshot, pair)).small().color(tokens.weak));
    });
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, source, false, "inferred");
        if truth.is_some() {
            widgets::line_label(ui, tokens.truth, true, "truth of the simulation");
        }
    });
    let size = ui.available_size();
    let factor = factor(snapshot, pair, trial).filter(|_| size.y > 330.0);
    let gap = ui.spacing().item_spacing.y;
    let shares = match (&factor, size.y > 200.0) {
        (Some(_), _) => [0.42, 0.30],
        (None, true) => [0.56, 0.44],
        (None, false) => [1.0, 0.0],
    };
    filter_plot(ui, snapshot, pair, truth.as_ref(), source, size.y * shares[0] - 2.0 * gap);
    let height = size.y * shares[1] - 3.0 * gap;
    if height > 0.0 {
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
            for (rank, filter) in pair.filter.iter().enumerate() {
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
    let shown = snapshot.trials.iter().find(|t| t.trial == trial)?;
    let place = snapshot.pairs.iter().position(|p| (p.source, p.target) == (pair.source, pair.target))?;
    shown.coupling.get(place)?.first().filter(|f| !f.is_empty()).cloned()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(source: usize, target: usize, peak: f32, supported: bool) -> PairSnapshot {
        PairSnapshot {
            source,
            target,
            support: Support::Scored { score: 1.0, null: 2.0, supported },
            filter: vec![vec![0.0, peak, 0.0]],
            send: vec![],
            receive: vec![],
            contribution_percent: 1.0,
            mean_output: 0.0,
        }
    }

    fn snapshot(pairs: Vec<PairSnapshot>) -> Snapshot {
        let areas = vec!["A".to_owned(), "B".to_owned()];
        Snapshot {
            version: 1,
            stage: 3,
            step: 1,
            bin_s: 0.002,
            areas,
            area_sizes: vec![1, 1],
            units: vec![0, 1],
            pairs,
            post_spike: vec![],
            latent_trials: vec![],
            latents: vec![],
            trials: vec![],
            truth: vec![],
        }
    }

    #[test]
    fn lags_start_one_bin_after_the_spike() {
        assert_eq!((lag_ms(0, 0.002), lag_ms(4, 0.002)), (2.0, 10.0));
        assert_eq!(peak(&pair(0, 1, -3.0, true)), Some((1, -3.0)));
    }

    #[test]
    fn the_strongest_supported_cross_pair_is_shown_unless_one_is_selected() {
        let snapshot = snapshot(vec![pair(0, 0, 9.0, true), pair(1, 0, 3.0, false), pair(0, 1, 1.0, true), pair(1, 1, 5.0, true)]);
        let ids = |p: Option<&PairSnapshot>| p.map(|p| (p.source, p.target));
        assert_eq!(ids(selected_pair(None, &snapshot)), Some((0, 1)));
        assert_eq!(ids(selected_pair(Some((1, 0)), &snapshot)), Some((1, 0)));
        assert_eq!(ids(selected_pair(Some((7, 0)), &snapshot)), Some((0, 1)));
    }

    #[test]
    fn words_say_what_is_not_supported_and_give_units() {
        let snapshot = snapshot(vec![]);
        assert_eq!(words(&snapshot, &pair(0, 1, 1.0, false)), "not supported, score 1 below threshold 2");
        assert_eq!(words(&snapshot, &pair(0, 1, 1.0, true)), "supported, score 1 above threshold 2, peak 1 at 4 ms, contribution 1 %");
    }
}
