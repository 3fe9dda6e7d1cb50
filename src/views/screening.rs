//! The Screening view: the edge score of every ordered pair of areas against its nulls, before any training.

use std::sync::Arc;

use eframe::egui::{self, Align2, Color32, Rect, RichText, Sense, Stroke, StrokeKind, Ui, vec2};
use egui_plot::{Line, MarkerShape, PlotPoints, Points, VLine};

use super::work::Background;
use super::{Action, View, ViewContext, shown_area, widgets};
use crate::analysis::edge_score::EdgeScore;
use crate::analysis::edge_test::caution;
use crate::analysis::screening::{Screening, ScreeningPlan};
use crate::app::theme::{self, Tokens};
use crate::recording::Recording;
use crate::render::RasterStyle;
use crate::training::{DataRecipe, screen_recording};

/// What was asked for.
#[derive(Clone)]
struct Question {
    recording: Arc<Recording>,
    data: DataRecipe,
    plan: ScreeningPlan,
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        (&self.recording.fingerprint, &self.recording.areas, &self.recording.units.area, &self.data, &self.plan)
            == (&other.recording.fingerprint, &other.recording.areas, &other.recording.units.area, &other.data, &other.plan)
    }
}

/// The Screening view.
#[derive(Default)]
pub struct ScreeningView {
    /// Last peak of the filter, ms.
    peak_ms: Option<f64>,
    jitters: Option<usize>,
    asked: Option<Question>,
    work: Background<Question, Result<Arc<Screening>, String>>,
}

impl View for ScreeningView {
    fn title(&self) -> &'static str {
        "Screening"
    }

    fn help(&self) -> &'static str {
        "Every ordered pair of areas is scored at once, without training: how much better spikes of one area predict those of another within milliseconds than drive slower than the jitter window does. \
         Each pair is compared with copies in which the spikes of the sending area are moved within short intervals or belong to other trials, so that areas of any size and rate have a threshold of their own, and what other areas explain as well is taken out of its score. \
         A pair above its threshold is worth training for; click it to see its filter and its null."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see which of its areas drive which.");
            return;
        };
        if recording.areas.len() < 2 {
            let text = "All units belong to one area. Give areas in the Recording view: from a list, a column, depths or by hand.";
            if widgets::empty(ui, "One area only", text, Some("Go to Recording")) {
                context.actions.push(Action::Show("Recording"));
            }
            return;
        }
        let recipe = context.recipe.clone();
        let bin_s = recipe.data.trials.bin_s;
        let start = recipe.glm().map_or_else(ScreeningPlan::default, |glm| ScreeningPlan::for_recipe(glm, bin_s, recipe.seed));
        ui.horizontal_wrapped(|ui| {
            let peak = self.peak_ms.get_or_insert(1e3 * start.basis.1);
            widgets::amount(ui, "Slowest peak of the filter", peak, 1.0..=200.0, "ms", 0.5);
            let jitters = self.jitters.get_or_insert(start.jitters);
            let label = widgets::caption(ui, "Jittered copies", 60.0);
            ui.add(egui::DragValue::new(jitters).range(5..=1000).speed(0.5)).labelled_by(label.id);
            let plan = ScreeningPlan { basis: (start.basis.0, 1e-3 * *peak, start.basis.2), jitters: *jitters, ..start.clone() };
            let question = Question { recording: Arc::clone(recording), data: recipe.data.clone(), plan };
            if ui.add_enabled(!self.work.is_running(), widgets::primary(ui, "Screen all pairs")).clicked() {
                self.work.again();
                self.asked = Some(question);
            }
        });
        if let Some(question) = self.asked.clone() {
            let theirs = question.clone();
            self.work.watched(ui.ctx(), "screening", &question, move |watch| {
                match screen_recording(&theirs.recording, &theirs.data, &theirs.plan, watch) {
                    Ok(found) => found.map(|found| Ok(Arc::new(found))),
                    Err(error) => Some(Err(error.to_string())),
                }
            });
            self.work.progress(ui, "Screening all pairs");
        }
        match self.work.latest() {
            Some(Ok(found)) => {
                let found = Arc::clone(found);
                show(ui, context, recording, &found);
            }
            Some(Err(why)) => {
                ui.colored_label(theme::of(ui).error, why);
            }
            None if self.work.is_running() => {}
            None => {
                let text = "The score looks at the spikes only and takes seconds; no model is trained. Filters, trials and bins are those of the Train view.";
                widgets::empty(ui, "Not screened yet", text, None);
            }
        }
    }
}

fn show(ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Recording, found: &Screening) {
    let shown = context.selection.pair.filter(|&(s, t)| found.pair(s, t).is_some());
    let strongest = || {
        let between = found.pairs.iter().filter(|p| p.source != p.target);
        between.max_by(|a, b| (a.score / a.threshold).total_cmp(&(b.score / b.threshold))).map(|p| (p.source, p.target))
    };
    let pair = shown.or_else(strongest);
    widgets::note(
        ui,
        format!(
            "{} of {} trials, window {} ms, {} copies. Columns send, rows receive; a frame marks pairs above their threshold",
            widgets::count(found.trials.0),
            widgets::count(found.trials.1),
            widgets::number(found.window_s * 1e3, 3),
            found.jitters
        ),
    );
    let size = ui.available_size();
    let mut clicked = None;
    if size.x > 560.0 {
        let left = (size.x * 0.55).min(size.y * 1.1).max(300.0);
        ui.horizontal_top(|ui| {
            let down = egui::Layout::top_down(egui::Align::Min);
            clicked = ui.allocate_ui_with_layout(vec2(left, size.y), down, |ui| matrix(ui, recording, found, pair)).inner;
            ui.separator();
            ui.vertical(|ui| details(ui, found, pair));
        });
    } else {
        egui::ScrollArea::vertical().id_salt("screening").auto_shrink(false).show(ui, |ui| {
            let height = (size.x * 0.9).clamp(160.0, 420.0);
            clicked = ui.allocate_ui(vec2(size.x, height), |ui| matrix(ui, recording, found, pair)).inner;
            details(ui, found, pair);
        });
    }
    if let Some(pair) = clicked {
        context.selection.pair = Some(pair);
    }
}

/// Place of an area of the screening among those of the recording: its colour.
fn place(recording: &Recording, found: &Screening, area: usize) -> usize {
    found.areas.get(area).and_then(|name| recording.areas.iter().position(|a| a == name)).unwrap_or(area)
}

fn matrix(ui: &mut Ui, recording: &Recording, found: &Screening, selected: Option<(usize, usize)>) -> Option<(usize, usize)> {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let n = found.areas.len().max(1);
    let available = ui.available_size();
    let name = |area: usize| shown_area(found.areas.get(area).map_or("", String::as_str)).to_owned();
    let width = |area| ui.painter().layout_no_wrap(name(area), egui::FontId::proportional(12.0), Color32::PLACEHOLDER).size().x;
    let label = ((0..n).map(width).fold(0.0, f32::max) + 14.0).min(available.x * 0.3);
    let head = 20.0;
    let side = ((available.x - label) / n as f32).min((available.y - head - 6.0) / n as f32).clamp(30.0, 150.0);
    let mut clicked = None;
    egui::ScrollArea::both().id_salt("screening matrix").auto_shrink(false).show(ui, |ui| {
        let (rect, figure) = ui.allocate_exact_size(vec2(label + side * n as f32, head + side * n as f32), Sense::hover());
        widgets::describe(&figure, described(found));
        let origin = rect.min + vec2(label, head);
        for area in 0..n {
            let color = style.area(place(recording, found, area));
            let along = area as f32 * side;
            let column = Rect::from_min_size(origin + vec2(along, -head), vec2(side, head));
            widgets::text_in(ui, column, Align2::CENTER_CENTER, &name(area), 12.0, tokens.text);
            ui.painter().hline(column.x_range().shrink(side * 0.3), column.bottom() - 2.0, Stroke::new(2.5, color));
            let row = Rect::from_min_size(origin + vec2(-label, along), vec2(label - 8.0, side));
            widgets::text_in(ui, row, Align2::RIGHT_CENTER, &name(area), 12.0, tokens.text);
            ui.painter().vline(origin.x - 4.0, row.y_range().shrink(side * 0.3), Stroke::new(2.5, color));
        }
        for (pair, q) in found.pairs.iter().zip(&found.q) {
            let corner = origin + vec2(pair.source as f32 * side, pair.target as f32 * side);
            let rect = Rect::from_min_size(corner, vec2(side, side)).shrink(1.5);
            let response = ui.interact(rect, ui.scope_id().with(("screened", pair.source, pair.target)), Sense::click());
            let said = format!("{} → {}: {}", name(pair.source), name(pair.target), words(pair, *q));
            let on = selected == Some((pair.source, pair.target));
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, said.clone()));
            cell(ui, pair, rect, tokens);
            if on || response.has_focus() || response.hovered() {
                ui.painter().rect_stroke(rect.expand(1.0), 3.0, Stroke::new(2.0, tokens.accent), StrokeKind::Middle);
            }
            if response.clicked() {
                clicked = Some((pair.source, pair.target));
            }
            response.on_hover_ui(|ui| {
                ui.label(&said);
            });
        }
    });
    clicked
}

/// Score over threshold: 1 is the threshold, colour grows from its half to four times it.
fn cell(ui: &Ui, pair: &EdgeScore, rect: Rect, tokens: &Tokens) {
    let excess = pair.score / pair.threshold;
    let supported = pair.is_supported();
    let fill = if supported { tokens.sequential((excess.log2() / 2.0).clamp(0.25, 1.0)) } else { tokens.muted };
    ui.painter().rect_filled(rect, 3.0, fill);
    let color = if supported { tokens.text_on(fill) } else { tokens.weak };
    let size = (rect.width() / 4.6).clamp(9.0, 16.0);
    if rect.height() < 44.0 {
        widgets::text_in(ui, rect, Align2::CENTER_CENTER, &widgets::number(pair.score, 3), size, color);
    } else {
        let (top, bottom) = rect.split_top_bottom_at_fraction(0.55);
        widgets::text_in(ui, top, Align2::CENTER_BOTTOM, &widgets::number(pair.score, 3), size, color);
        widgets::text_in(
            ui,
            bottom,
            Align2::CENTER_TOP,
            &format!("null {}", widgets::number(pair.threshold, 3)),
            (size * 0.72).max(9.5),
            color,
        );
    }
    if supported {
        // Not by colour alone.
        ui.painter().rect_stroke(rect, 3.0, Stroke::new(2.0, tokens.text), StrokeKind::Inside);
    }
}

fn words(pair: &EdgeScore, q: f64) -> String {
    let second = match &pair.second {
        Some(second) if pair.is_supported() && second.is_supported() => ", a second factor is supported too",
        _ => "",
    };
    let standing = if pair.is_supported() { "above" } else { "below" };
    format!(
        "score {} {standing} threshold {}, q = {}{second}",
        widgets::number(pair.score, 3),
        widgets::number(pair.threshold, 3),
        widgets::number(q, 2)
    )
}

/// What is taken out of the score of a pair; nothing for pairs within an area.
fn beside(found: &Screening, pair: &EdgeScore) -> Option<String> {
    let name = |area: &usize| shown_area(found.areas.get(*area).map_or("", String::as_str));
    let others: Vec<&str> = pair.beside.iter().map(name).collect();
    let past = format!("the past of {}", name(&pair.target));
    let beside = if others.is_empty() { past } else { format!("{past} and of {}", others.join(", ")) };
    (pair.source != pair.target).then(|| format!("alone {}; what {beside} explains is taken out", widgets::number(pair.alone, 3)))
}

fn described(found: &Screening) -> String {
    let name = |area: usize| shown_area(found.areas.get(area).map_or("", String::as_str));
    let above: Vec<String> = found
        .pairs
        .iter()
        .filter(|p| p.is_supported() && p.source != p.target)
        .map(|p| format!("{} → {}", name(p.source), name(p.target)))
        .collect();
    let above = if above.is_empty() { "none".to_owned() } else { above.join(", ") };
    format!("Screening of {} ordered pairs; between areas above their threshold: {above}", found.pairs.len())
}

fn details(ui: &mut Ui, found: &Screening, pair: Option<(usize, usize)>) {
    let tokens = theme::of(ui);
    let Some((pair, q)) = pair.and_then(|(s, t)| found.pair(s, t)) else { return };
    let name = |area: usize| shown_area(found.areas.get(area).map_or("", String::as_str));
    ui.label(RichText::new(format!("{} → {}", name(pair.source), name(pair.target))).size(16.0));
    ui.label(RichText::new(words(pair, q)).small().color(tokens.weak));
    if let Some(others) = beside(found, pair) {
        ui.label(RichText::new(others).small().color(tokens.weak));
    }
    let height = ((ui.available_height() - 96.0) * 0.5).clamp(90.0, 260.0);
    widgets::y_title(ui, "Change of log-rate, as the score found it");
    let filter = found.filter(pair);
    let points: Vec<[f64; 2]> = filter.iter().enumerate().map(|(k, h)| [(k + 1) as f64 * found.bin_s * 1e3, *h]).collect();
    let color = if pair.is_supported() { tokens.accent } else { tokens.weak };
    let drawn = widgets::plot(ui, "screened filter", "Lag (ms)").height(height).include_x(0.0).include_y(0.0).show(ui, |plot| {
        plot.line(Line::new("Filter", PlotPoints::new(points)).color(color).width(2.2));
    });
    widgets::describe(&drawn.response, format!("Filter of {} lags found by the score", filter.len()));
    widgets::y_title(ui, "Copies, sorted");
    let sorted = |scores: &[f64]| -> Vec<[f64; 2]> {
        let mut scores = scores.to_vec();
        scores.sort_by(f64::total_cmp);
        scores.iter().enumerate().map(|(k, s)| [*s, (k + 1) as f64]).collect()
    };
    let drawn = widgets::plot(ui, "screened null", "Score").height(height).include_y(0.0).show(ui, |plot| {
        plot.points(Points::new("Jittered copy", PlotPoints::new(sorted(&pair.null))).color(tokens.reference).radius(3.0));
        let shuffled = Points::new("Senders of another trial", PlotPoints::new(sorted(&pair.shuffled)));
        plot.points(shuffled.color(tokens.reference).radius(4.0).shape(MarkerShape::Cross));
        plot.vline(VLine::new("Threshold", pair.threshold).color(tokens.reference).width(1.4).style(egui_plot::LineStyle::dashed_dense()));
        plot.vline(VLine::new("Data", pair.score).color(color).width(2.2));
    });
    let (jittered, shuffled) = (pair.null.len(), pair.shuffled.len());
    let score = widgets::number(pair.score, 3);
    widgets::describe(
        &drawn.response,
        format!("Score {score} against {jittered} jittered copies and {shuffled} with senders of other trials"),
    );
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, color, false, "data");
        widgets::line_label(ui, tokens.reference, true, "threshold");
        ui.label(RichText::new("● jittered").small().color(tokens.weak));
        if shuffled > 0 {
            ui.label(RichText::new("× senders of other trials").small().color(tokens.weak));
        }
    });
    found.notes.iter().for_each(|n| widgets::note(ui, n));
    widgets::note(ui, caution());
}
