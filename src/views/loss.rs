//! The Loss view: training and validation loss against steps, term by term, with the references a model must beat.

use eframe::egui::{self, Align2, Color32, RichText, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, PlotPoints, Points, VLine};

use super::{View, ViewContext, widgets};
use crate::app::theme::{self, Tokens};
use crate::training::{LossLog, LossPoint, LossTerm, MOST_TERMS};

/// Loss curves, references, table.
pub struct LossView {
    /// Whether a term is drawn, in the order of the log's terms.
    shown: [bool; MOST_TERMS],
    training: bool,
    whole_range: bool,
}

impl Default for LossView {
    fn default() -> Self {
        Self { shown: [true, false, false, false, false, false], training: true, whole_range: false }
    }
}

impl View for LossView {
    fn title(&self) -> &'static str {
        "Loss"
    }

    fn help(&self) -> &'static str {
        "The loss per time bin and unit falls as the model learns; validation decides when a stage ends. \
         Dashed lines are what must be beaten: a flat rate per unit and the PSTH; for simulations the true rates are the limit. \
         Choose terms to see what drives the total; the first steps are cut off unless you ask for the whole range."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(run) = context.run.filter(|run| !run.losses.points.is_empty()) else {
            let text = if context.run.is_some() {
                "Losses appear after the first steps."
            } else {
                "Start training in the Train view: the curves grow while the model learns."
            };
            if widgets::empty(ui, "No losses yet", text, (context.run.is_none()).then_some("Go to Train")) {
                context.actions.push(super::Action::Show("Train"));
            }
            return;
        };
        *context.looks_at_run = true;
        let log = &*run.losses;
        self.controls(ui, log);
        let table_height = 26.0 * (stages(log).len() + 1) as f32 + 14.0;
        let table = ui.available_height() > table_height + 170.0;
        let plot_height = if table { ui.available_height() - table_height } else { ui.available_height() };
        self.plot(ui, log, plot_height);
        if table {
            metric_table(ui, log);
        }
    }
}

impl LossView {
    fn controls(&mut self, ui: &mut Ui, log: &LossLog) {
        let tokens = theme::of(ui);
        ui.horizontal_wrapped(|ui| {
            for (shown, term) in self.shown.iter_mut().zip(log.terms) {
                ui.toggle_value(shown, term.name).on_hover_text(term.help);
            }
            ui.separator();
            ui.checkbox(&mut self.training, "Training").on_hover_text("Also draw the loss of the training batches");
            ui.checkbox(&mut self.whole_range, "Whole range").on_hover_text("Include the first steps, where the loss is far larger");
        });
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().interact_size.y = 14.0;
            for (place, term) in self.terms(log) {
                widgets::line_label(ui, term_color(tokens, place), false, &format!("{}, validation", term.name));
                if self.training {
                    widgets::line_label(ui, faint(term_color(tokens, place)), false, &format!("{}, training", term.name));
                }
            }
            let cut = self.cut(log);
            if cut > 0 {
                widgets::note(ui, format!("{} points above the range are not drawn", widgets::count(cut)));
            }
        });
    }

    /// The terms that are drawn, with their places.
    fn terms(&self, log: &LossLog) -> impl Iterator<Item = (usize, &'static LossTerm)> {
        log.terms.iter().enumerate().zip(self.shown).filter(|(_, shown)| *shown).map(|(term, _)| term)
    }

    fn shows_references(&self) -> bool {
        // References are data losses: comparable with the data term, and with the total, whose penalties are small.
        self.shown[0] || self.shown[1]
    }

    /// Points of the shown terms that lie above the range.
    fn cut(&self, log: &LossLog) -> usize {
        if self.whole_range {
            return 0;
        }
        let top = self.top(log);
        let above =
            |(place, _): (usize, &LossTerm)| log.points.iter().filter(|p| (p.validation || self.training) && value(p, place) > top).count();
        self.terms(log).map(above).sum()
    }

    fn plot(&self, ui: &mut Ui, log: &LossLog, height: f32) {
        let tokens = theme::of(ui);
        let top = if self.whole_range { f64::INFINITY } else { self.top(log) };
        let summary = summary(log);
        widgets::y_title(ui, "Loss (per bin and unit)");
        let drawn = widgets::plot(ui, "loss", "Optimiser step")
            .height(height - widgets::Y_TITLE)
            .label_formatter(|position| match position {
                HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                    Some(format!("{plot_name}\nstep {:.0}\n{}", position.x, widgets::number(position.y, 5)))
                }
                HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position } => {
                    Some(format!("step {:.0}\n{}", position.x.max(0.0), widgets::number(position.y, 5)))
                }
            })
            .show(ui, |plot| {
                if self.shows_references() {
                    for (name, value) in references(log) {
                        plot.hline(HLine::new(name, value).color(tokens.reference).width(1.2).style(LineStyle::dashed_dense()));
                    }
                }
                for (stage, begin) in stages(log).into_iter().filter(|(_, begin)| *begin > 0) {
                    plot.vline(VLine::new(format!("Stage {stage} begins"), begin as f64).color(tokens.line).width(1.0));
                }
                for (place, LossTerm { name, .. }) in self.terms(log) {
                    let color = term_color(tokens, place);
                    if self.training {
                        let points = series(log, place, false, top);
                        plot.line(
                            Line::new(format!("{name}, training"), PlotPoints::new(points))
                                .color(faint(color))
                                .width(1.0)
                                .allow_band(false),
                        );
                    }
                    let points = series(log, place, true, top);
                    plot.line(Line::new(format!("{name}, validation"), PlotPoints::new(points.clone())).color(color).width(2.2));
                    if points.len() <= 200 {
                        plot.points(Points::new(format!("{name}, validation"), PlotPoints::new(points)).color(color).radius(2.4));
                    }
                }
            });
        // Stage names stay at the top edge, however the plot is moved.
        let frame = *drawn.transform.frame();
        for (stage, begin) in stages(log) {
            let x = drawn.transform.position_from_point_x(begin as f64).max(frame.left()) + 4.0;
            let place = egui::Rect::from_min_max(egui::pos2(x, frame.top() + 1.0), egui::pos2(frame.right(), frame.top() + 16.0));
            widgets::text_in(ui, place, Align2::LEFT_TOP, &format!("stage {stage}"), 11.0, tokens.weak);
        }
        if self.shows_references() {
            let lowest = references(log).map(|(_, v)| v).fold(f64::INFINITY, f64::min);
            for (place, (name, value)) in references(log).enumerate() {
                // Side by side, so that close references do not cover each other; the lowest has the curves above it.
                let right = frame.right() - 3.0 - 118.0 * place as f32;
                let y = drawn.transform.position_from_point_y(value);
                let below = value == lowest && y + 16.0 < frame.bottom();
                let (top, align) = if below { (y + 1.0, Align2::RIGHT_TOP) } else { (y - 15.0, Align2::RIGHT_BOTTOM) };
                let rect = egui::Rect::from_min_max(egui::pos2(right - 115.0, top), egui::pos2(right, top + 14.0));
                if frame.contains_rect(rect) {
                    widgets::text_in(ui, rect, align, &format!("{name} {}", widgets::number(value, 5)), 11.0, tokens.weak);
                }
            }
        }
        widgets::describe(&drawn.response, summary);
    }

    /// Upper end of the range that shows how the model improves: the first steps are far above everything that follows.
    fn top(&self, log: &LossLog) -> f64 {
        let values = self.terms(log).flat_map(|(place, _)| log.points.iter().map(move |p| value(p, place)));
        let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let low = values.first().copied().unwrap_or(0.0);
        // Three quarters of the points are far closer to the end than to the beginning.
        let usual = values.get(values.len().saturating_sub(1) * 3 / 4).copied().unwrap_or(f64::INFINITY);
        let highest_reference = if self.shows_references() { references(log).map(|(_, v)| v).fold(low, f64::max) } else { low };
        let high = usual.max(highest_reference);
        high + 0.5 * (high - low)
    }
}

/// Value of the term at a place among the log's terms.
fn value(point: &LossPoint, place: usize) -> f64 {
    point.values.get(place).map_or(f64::NAN, |v| f64::from(*v))
}

fn term_color(tokens: &Tokens, place: usize) -> Color32 {
    if place == 0 { tokens.accent } else { tokens.category(place) }
}

fn faint(color: Color32) -> Color32 {
    color.gamma_multiply(0.45)
}

fn references(log: &LossLog) -> impl Iterator<Item = (&'static str, f64)> {
    let references = [("Flat rate", log.flat), ("PSTH", log.psth), ("True rates", log.oracle)];
    references.into_iter().filter_map(|(name, value)| value.map(|v| (name, f64::from(v))))
}

fn series(log: &LossLog, place: usize, validation: bool, top: f64) -> Vec<[f64; 2]> {
    log.points
        .iter()
        .filter(|p| p.validation == validation)
        .map(|p| [p.step as f64, value(p, place)])
        .filter(|p| p[1].is_finite() && p[1] <= top)
        .collect()
}

/// Stages in order with their first step.
fn stages(log: &LossLog) -> Vec<(u8, u64)> {
    let mut stages: Vec<(u8, u64)> = Vec::new();
    for point in &log.points {
        if stages.last().is_none_or(|(stage, _)| *stage != point.stage) {
            stages.push((point.stage, point.step));
        }
    }
    stages
}

/// Best validation loss of a stage (of all when `None`).
fn best(log: &LossLog, stage: Option<u8>) -> Option<f64> {
    let points = log.points.iter().filter(|p| p.validation && stage.is_none_or(|s| s == p.stage));
    widgets::range(points.map(|p| f64::from(p.total()))).map(|(low, _)| low)
}

fn summary(log: &LossLog) -> String {
    let mut text = format!("Loss against optimiser step, {} points", log.points.len());
    if let Some(best) = best(log, None) {
        text.push_str(&format!(", best validation loss {}", widgets::number(best, 5)));
    }
    for (name, value) in references(log) {
        text.push_str(&format!(", {} {}", name.to_lowercase(), widgets::number(value, 5)));
    }
    text
}

fn metric_table(ui: &mut Ui, log: &LossLog) {
    let tokens = theme::of(ui);
    let flat = log.flat.map(f64::from);
    let head = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).small().color(tokens.weak));
    egui::ScrollArea::horizontal().id_salt("metrics").show(ui, |ui| {
        egui::Grid::new("loss table").num_columns(5).spacing([18.0, 4.0]).show(ui, |ui| {
            for title in ["Stage", "Steps", "Training, last", "Validation, best", "Below flat rate"] {
                head(ui, title);
            }
            ui.end_row();
            let stages = stages(log);
            for (place, (stage, begin)) in stages.iter().enumerate() {
                let end = stages.get(place + 1).map_or_else(|| log.points.last().map_or(*begin, |p| p.step), |(_, next)| *next);
                let last = log.points.iter().rev().find(|p| p.stage == *stage && !p.validation).map(|p| f64::from(p.total()));
                let best = best(log, Some(*stage));
                ui.label(format!("{stage}"));
                ui.label(widgets::count(end.saturating_sub(*begin) as usize));
                ui.label(last.map_or_else(|| "–".to_owned(), |v| widgets::number(v, 5)));
                ui.label(best.map_or_else(|| "–".to_owned(), |v| widgets::number(v, 5)));
                ui.label(
                    best.zip(flat).map_or_else(|| "–".to_owned(), |(b, f)| format!("{} %", widgets::number((1.0 - b / f) * 100.0, 3))),
                );
                ui.end_row();
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Recipe;

    fn point(step: u64, stage: u8, validation: bool, total: f32) -> LossPoint {
        LossPoint { step, stage, validation, values: [total, total - 0.01, 0.01, 0.0, 0.0, 0.0] }
    }

    fn log() -> LossLog {
        let mut points = vec![point(1, 1, false, 5.0)];
        points.extend((2..60).map(|s| point(s, if s < 30 { 1 } else { 2 }, s % 5 == 0, 0.3 - s as f32 * 0.001)));
        LossLog { terms: Recipe::default().model.loss_terms(), points, flat: Some(0.28), psth: None, oracle: Some(0.2) }
    }

    #[test]
    fn the_first_steps_are_cut_and_references_are_not() {
        let view = LossView::default();
        let top = view.top(&log());
        assert!(top < 1.0 && top > 0.28, "{top}");
        assert!(series(&log(), 0, false, top).iter().all(|p| p[0] > 1.0));
        assert_eq!(view.cut(&log()), log().points.iter().filter(|p| f64::from(p.total()) > top).count());
        assert_eq!(LossView { whole_range: true, ..LossView::default() }.cut(&log()), 0);
        assert_eq!(series(&log(), 0, false, f64::INFINITY).len() + series(&log(), 0, true, f64::INFINITY).len(), 59);
    }

    #[test]
    fn stages_and_best_values_come_from_the_log() {
        assert_eq!(stages(&log()), [(1, 1), (2, 30)]);
        let best_of_stage = best(&log(), Some(1)).unwrap_or_default();
        assert!((best_of_stage - 0.275).abs() < 1e-6, "{best_of_stage}");
        assert!(best(&log(), Some(3)).is_none());
    }

    #[test]
    fn the_summary_names_best_and_references() {
        let text = summary(&log());
        assert!(text.contains("best validation loss 0.245") && text.contains("flat rate 0.28") && !text.contains("psth"), "{text}");
    }
}
