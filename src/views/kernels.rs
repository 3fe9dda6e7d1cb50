//! The Coupling kernels view: a grid target × source of coupling filters, with the truth when it is known, and the selected pair
//! in full beside it.

use eframe::egui::{self, Align2, Color32, Rect, Sense, Ui, Vec2, pos2, vec2};

use super::pair_detail::detail;
use super::pair_truth::{self, PairTruth};
use super::widgets::{self, Curve};
use super::{RunState, View, ViewContext};
use crate::app::theme::{self, Tokens};
use crate::render::RasterStyle;
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
         Pairs that are not supported stay at zero: their score does not exceed what jittered spike times give; grey is the filter it found. \
         A filter is an association given each area's own slow dynamics, not proof of a causal connection."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        *context.looks_at_run = true;
        let Some((run, snapshot)) = context.run.and_then(|run| Some((run, run.snapshot.as_deref()?))) else {
            return waiting(ui, context, "No coupling filters yet");
        };
        if snapshot.pairs().is_empty() {
            return waiting(ui, context, "No coupling filters yet");
        }
        let pair = selected_pair(context.selection.pair, snapshot, |p| pair_truth::of(run, p).is_some_and(|t| t.filter.is_some()));
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

/// The pair to enlarge: the selected one, else the strongest supported coupling between two areas; before there is any, a pair
/// with a true coupling (`is_true`).
fn selected_pair(selected: Option<(usize, usize)>, snapshot: &Snapshot, is_true: impl Fn(&PairSnapshot) -> bool) -> Option<&PairSnapshot> {
    let found = selected.and_then(|(source, target)| snapshot.pairs().iter().find(|p| p.source == source && p.target == target));
    let strength = |p: &PairSnapshot| {
        let height = peak(p).map_or(0.0, |(_, value)| value.abs()) * if standing(p) == Standing::Trained { 1.0 } else { 0.01 };
        height + if is_true(p) { 1e-9 } else { 0.0 }
    };
    // The first of equals.
    let strongest = |between: bool| {
        let pairs = snapshot.pairs().iter().filter(|p| !between || p.source != p.target);
        pairs.min_by(|a, b| strength(b).total_cmp(&strength(a)))
    };
    found.or_else(|| strongest(true)).or_else(|| strongest(false))
}

/// Where a pair stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Coupling is trained from stage 3 on.
    NotYet,
    /// The score says that the data do not support it.
    Unsupported,
    /// It has a filter.
    Trained,
}

/// Where a pair stands: before its score is known, a filter of zeros says only that training has not come to it.
pub(super) fn standing(pair: &PairSnapshot) -> Standing {
    match pair.support {
        Support::Scored { supported: false, .. } => Standing::Unsupported,
        Support::NotScored if pair.filter.iter().flatten().all(|v| *v == 0.0) => Standing::NotYet,
        Support::NotScored | Support::Scored { .. } => Standing::Trained,
    }
}

/// Lag index and value of the largest deflection of the first factor's filter.
pub(super) fn peak(pair: &PairSnapshot) -> Option<(usize, f64)> {
    let filter = pair.filter.first()?;
    filter
        .iter()
        .enumerate()
        .filter(|(_, v)| v.is_finite() && **v != 0.0)
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
        .map(|(k, v)| (k, f64::from(*v)))
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
    let style = RasterStyle::of(ui);
    let n = snapshot.areas.len().max(1);
    let y = common_range(run, snapshot);
    let last = snapshot.pairs().iter().flat_map(|p| p.filter.first()).map(Vec::len).max().unwrap_or(1);
    let scale = format!(
        "Columns send, rows receive. All panels: lag 0 to {} ms, change of log-rate {} to {}",
        widgets::number(lag_ms(last.saturating_sub(1), snapshot.bin_s), 3),
        widgets::number(y.0, 2),
        widgets::number(y.1, 2)
    );
    // Before any filter there is no scale.
    let any = snapshot
        .pairs()
        .iter()
        .any(|p| standing(p) == Standing::Trained || !p.candidate.is_empty() || pair_truth::of(run, p).is_some_and(|t| t.filter.is_some()));
    widgets::note(ui, if any { scale } else { "Columns send, rows receive".to_owned() });
    let mut clicked = None;
    let available = ui.available_size();
    let label = (name_width(ui, run, n, 12.0) + 24.0).min(available.x * 0.3);
    let head = 20.0;
    let width = ((available.x - label) / n as f32).max(46.0);
    let cell = vec2(width, ((available.y - head - 4.0) / n as f32).min(width * 1.3).max(38.0));
    egui::ScrollArea::both().id_salt("kernel grid").auto_shrink(false).show(ui, |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(label + cell.x * n as f32, head + cell.y * n as f32), Sense::hover());
        for area in 0..n {
            let (name, color) = (run.area_name(area), style.area(run.area_index(area)));
            let along = area as f32;
            let column = Rect::from_min_size(rect.min + vec2(label + along * cell.x, 0.0), vec2(cell.x, head));
            named(ui, column, Align2::CENTER_CENTER, &name, color, tokens);
            let row = Rect::from_min_size(rect.min + vec2(0.0, head + along * cell.y), vec2(label - 6.0, cell.y));
            named(ui, row, Align2::RIGHT_CENTER, &name, color, tokens);
        }
        for pair in snapshot.pairs().iter().filter(|p| p.source < n && p.target < n) {
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
    let style = RasterStyle::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("pair", pair.source, pair.target)), Sense::click());
    let title = format!("{} → {}", run.area_name(pair.source), run.area_name(pair.target));
    let words = words(snapshot, pair);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, format!("{title}: {words}")));
    let standing = standing(pair);
    let fitted = standing == Standing::Trained;
    let fill = if !fitted {
        tokens.muted.gamma_multiply(0.6)
    } else if selected {
        tokens.selected
    } else {
        tokens.card
    };
    ui.painter().rect_filled(rect, 5.0, fill);
    let inner = rect.shrink2(vec2(4.0, 5.0));
    let color = style.area(run.area_index(pair.source));
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
    if !pair.candidate.is_empty() {
        curves.push(Curve { points: candidate_curve(pair, snapshot.bin_s), color: tokens.weak.gamma_multiply(0.7), dashed: false });
    }
    let last = curves.iter().filter_map(|c| c.points.last()).map(|p| p[0]).fold(lag_ms(0, snapshot.bin_s) * 2.0, f64::max);
    widgets::small_plot(ui, inner, (0.0, last), y, &curves, tokens);
    if standing == Standing::NotYet && truth_is_unknown(&truth) {
        widgets::text_in(ui, inner, Align2::CENTER_CENTER, if rect.width() > 92.0 { "from stage 3 on" } else { "…" }, 11.0, tokens.weak);
    }
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

fn truth_is_unknown(truth: &Option<PairTruth>) -> bool {
    truth.as_ref().is_none_or(|t| t.filter.is_none())
}

/// What a pair shows, in words: support, peak, contribution.
pub(super) fn words(snapshot: &Snapshot, pair: &PairSnapshot) -> String {
    let number = |v: f32| widgets::number(f64::from(v), 3);
    let support = match pair.support {
        Support::NotScored if standing(pair) == Standing::NotYet => return "coupling is trained from stage 3 on".to_owned(),
        Support::NotScored => "not scored".to_owned(),
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

pub(super) fn curve(filter: impl Iterator<Item = f64>, bin_s: f64) -> Vec<[f64; 2]> {
    filter.enumerate().map(|(k, v)| [lag_ms(k, bin_s), v]).collect()
}

pub(super) fn true_curve(truth: &PairTruth) -> Option<Vec<[f64; 2]>> {
    Some(curve(truth.filter.as_ref()?.iter().copied(), truth.bin_s))
}

/// The filter that the score of an unsupported pair found: drawn in grey, never as a result.
pub(super) fn candidate_curve(pair: &PairSnapshot, bin_s: f64) -> Vec<[f64; 2]> {
    curve(pair.candidate.iter().map(|v| f64::from(*v)), bin_s)
}

/// One range for all panels, so that they can be compared: zero is always inside. Guesses of unsupported pairs count only when
/// there is nothing else to see.
fn common_range(run: &RunState, snapshot: &Snapshot) -> (f64, f64) {
    let fitted =
        snapshot.pairs().iter().filter(|p| standing(p) == Standing::Trained).flat_map(|p| p.filter.iter().flatten().map(|v| f64::from(*v)));
    let truth = snapshot.pairs().iter().filter_map(|p| pair_truth::of(run, p)?.filter).flatten();
    let seen: Vec<f64> = fitted.chain(truth).collect();
    let guesses = snapshot.pairs().iter().filter(|_| seen.is_empty()).flat_map(|p| p.candidate.iter().map(|v| f64::from(*v)));
    let (low, high) = widgets::range(seen.iter().copied().chain(guesses).chain([0.0])).unwrap_or((0.0, 0.0));
    let pad = 0.06 * (high - low).max(1e-6);
    (low - pad, high + pad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{GlmSnapshot, ModelSnapshot};

    fn pair(source: usize, target: usize, peak: f32, supported: bool) -> PairSnapshot {
        PairSnapshot {
            source,
            target,
            support: Support::Scored { score: 1.0, null: 2.0, supported },
            filter: vec![vec![0.0, peak, 0.0]],
            candidate: vec![],
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
            trials: vec![],
            model: ModelSnapshot::Glm(GlmSnapshot { pairs, ..GlmSnapshot::default() }),
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
        assert_eq!(ids(selected_pair(None, &snapshot, |_| false)), Some((0, 1)));
        assert_eq!(ids(selected_pair(Some((1, 0)), &snapshot, |_| false)), Some((1, 0)));
        assert_eq!(ids(selected_pair(Some((7, 0)), &snapshot, |_| false)), Some((0, 1)));
    }

    #[test]
    fn before_there_is_coupling_the_true_pair_is_shown() {
        let snapshot = snapshot(vec![pair(0, 0, 0.0, true), pair(1, 0, 0.0, true), pair(0, 1, 0.0, true)]);
        let ids = |p: Option<&PairSnapshot>| p.map(|p| (p.source, p.target));
        assert_eq!(ids(selected_pair(None, &snapshot, |p| p.target == 1)), Some((0, 1)));
        assert_eq!(ids(selected_pair(None, &snapshot, |_| false)), Some((1, 0)));
    }

    #[test]
    fn before_stage_three_zeros_are_not_a_result() {
        let mut early = pair(0, 1, 0.0, true);
        early.support = Support::NotScored;
        assert_eq!(standing(&early), Standing::NotYet);
        assert_eq!(words(&snapshot(vec![]), &early), "coupling is trained from stage 3 on");
        assert_eq!(peak(&early), None);
        early.filter = vec![vec![0.0, 0.1]];
        assert_eq!(standing(&early), Standing::Trained);
        assert_eq!(standing(&pair(0, 1, 1.0, false)), Standing::Unsupported);
    }

    #[test]
    fn the_guess_of_an_unsupported_pair_has_lags_and_a_scale_of_its_own() {
        let guess = PairSnapshot { candidate: vec![0.5, -0.25], ..pair(0, 1, 0.0, false) };
        assert_eq!(candidate_curve(&guess, 0.002), [[2.0, 0.5], [4.0, -0.25]]);
        assert_eq!(standing(&guess), Standing::Unsupported);
    }

    #[test]
    fn words_say_what_is_not_supported_and_give_units() {
        let snapshot = snapshot(vec![]);
        assert_eq!(words(&snapshot, &pair(0, 1, 1.0, false)), "not supported, score 1 below threshold 2");
        assert_eq!(words(&snapshot, &pair(0, 1, 1.0, true)), "supported, score 1 above threshold 2, peak 1 at 4 ms, contribution 1 %");
    }
}
