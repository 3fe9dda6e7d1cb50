//! Connections between areas: one matrix per run, their differences from the first, and how well they agree.

use eframe::egui::{self, Align2, Color32, Rect, RichText, Sense, Stroke, Ui, vec2};
use ndarray::Array2;

use super::{color, letter, tables};
use crate::analysis::agreement::shares;
use crate::app::theme::{self, Tokens};
use crate::runs::comparison::{AreaMatrix, Comparison, Kind, shared_areas};
use crate::views::{shown_area, widgets};

/// In which unit matrices are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Scale {
    #[default]
    Own,
    Share,
}

/// What is chosen on this page.
#[derive(Default)]
pub struct Areas {
    kind: Kind,
    scale: Scale,
}

/// A matrix as it is drawn.
struct Panel {
    title: String,
    mark: Option<usize>,
    unit: String,
    values: Result<Array2<f64>, String>,
    limit: f64,
    diverging: bool,
}

impl Areas {
    /// The page.
    pub fn ui(&mut self, ui: &mut Ui, comparison: &Comparison) {
        ui.horizontal_wrapped(|ui| {
            let kinds = [
                (Kind::Strength, "Strength", "How much: contribution of coupling, mean |attention|, or attention"),
                (Kind::Effect, "Effect", "How much and which way: peak of the coupling filter, or mean attention"),
            ];
            widgets::segmented(ui, &mut self.kind, &kinds);
            ui.separator();
            let scales = [
                (Scale::Own, "Own units", "Every run in the unit of its model"),
                (Scale::Share, "Share of the whole", "Every entry as a share of the sum of all magnitudes, so that models can be compared"),
            ];
            widgets::segmented(ui, &mut self.scale, &scales);
        });
        let [strength, effect] = &comparison.areas;
        let [strengths_agree, effects_agree] = &comparison.areas_agree;
        let (matrices, agree) = match self.kind {
            Kind::Strength => (strength, strengths_agree),
            Kind::Effect => (effect, effects_agree),
        };
        let areas = shared_areas(matrices.iter().flatten());
        // Both rows of matrices in view where there is room for them.
        let side = (ui.available_height() * 0.5 - 110.0).clamp(118.0, 260.0);
        egui::ScrollArea::both().id_salt("compared areas").auto_shrink(false).show(ui, |ui| {
            if areas.is_empty() {
                let tokens = theme::of(ui);
                ui.label(RichText::new("No area is in two of these runs").color(tokens.weak));
                for (at, matrix) in matrices.iter().enumerate() {
                    if let Err(why) = matrix {
                        widgets::note(ui, format!("{}: {why}", letter(at)));
                    }
                }
                return;
            }
            let missing: Vec<String> = matrices
                .iter()
                .enumerate()
                .filter_map(|(at, matrix)| Some((at, matrix.as_ref().ok()?)))
                .flat_map(|(at, matrix)| {
                    matrix.areas.iter().filter(|a| !areas.contains(a)).map(move |a| format!("{} ({})", shown_area(a), letter(at)))
                })
                .collect();
            let own = self.panels(matrices, &areas);
            panels(ui, &areas, &own, side);
            ui.add_space(4.0);
            widgets::section(ui, "Difference from A");
            panels(ui, &areas, &self.differences(matrices, &areas), side);
            if !missing.is_empty() {
                widgets::note(ui, format!("Areas of one run only, not shown: {}", missing.join(", ")));
            }
            ui.add_space(4.0);
            widgets::section(ui, "Agreement between different areas");
            tables::agreement(ui, "areas", agree);
        });
    }

    fn values(&self, matrix: &AreaMatrix, areas: &[String]) -> Result<Array2<f64>, String> {
        let values = matrix.of(areas);
        match self.scale {
            Scale::Own => Ok(values),
            Scale::Share => shares(values.view()).map(|v| v * 100.0).ok_or_else(|| "all entries are zero".to_owned()),
        }
    }

    fn panels(&self, matrices: &[Result<AreaMatrix, String>], areas: &[String]) -> Vec<Panel> {
        let mut panels: Vec<Panel> = Vec::new();
        for (at, matrix) in matrices.iter().enumerate() {
            let values = matrix.as_ref().map_err(Clone::clone).and_then(|m| self.values(m, areas));
            let (quantity, unit) = matrix.as_ref().map_or(("", ""), |m| (m.quantity, m.unit));
            let unit = if self.scale == Scale::Share { "% of the whole" } else { unit };
            let limit = values.as_ref().map_or(0.0, largest);
            let title = if quantity.is_empty() { letter(at).to_string() } else { format!("{}  {quantity}", letter(at)) };
            panels.push(Panel { title, mark: Some(at), unit: unit.to_owned(), values, limit, diverging: self.kind == Kind::Effect });
        }
        share_limits(&mut panels);
        panels
    }

    /// Every run less the first.
    fn differences(&self, matrices: &[Result<AreaMatrix, String>], areas: &[String]) -> Vec<Panel> {
        let mut panels: Vec<Panel> = Vec::new();
        for (at, matrix) in matrices.iter().enumerate().skip(1) {
            let values = match (matrices.first(), matrix) {
                (Some(Ok(first)), Ok(matrix)) if self.scale == Scale::Own && !first.is_like(matrix) => {
                    let (a, b) = (first.quantity, matrix.quantity);
                    Err(format!("{b} and {a} are different quantities: choose Share of the whole to see a difference"))
                }
                (Some(Ok(first)), Ok(matrix)) => self.values(matrix, areas).and_then(|v| Ok(v - self.values(first, areas)?)),
                (Some(Err(why)), _) => Err(format!("A: {why}")),
                (_, Err(why)) => Err(format!("{}: {why}", letter(at))),
                (None, _) => continue,
            };
            let unit = match (self.scale, matrix) {
                (Scale::Share, _) => "percentage points",
                (Scale::Own, Ok(matrix)) => matrix.unit,
                (Scale::Own, Err(_)) => "",
            };
            let limit = values.as_ref().map_or(0.0, largest);
            panels
                .push(Panel { title: format!("{} − A", letter(at)), mark: None, unit: unit.to_owned(), values, limit, diverging: true });
        }
        share_limits(&mut panels);
        panels
    }
}

fn largest(values: &Array2<f64>) -> f64 {
    widgets::range(values.iter().map(|v| v.abs())).map_or(0.0, |(_, high)| high)
}

/// Matrices of one unit have one scale.
fn share_limits(panels: &mut [Panel]) {
    let limits: Vec<(String, f64)> = panels.iter().map(|p| (p.unit.clone(), p.limit)).collect();
    for panel in panels {
        let same = limits.iter().filter(|(unit, _)| *unit == panel.unit).map(|(_, limit)| *limit);
        panel.limit = same.fold(0.0, f64::max);
        if panel.limit <= 0.0 {
            panel.limit = 1.0;
        }
    }
}

/// Matrices side by side, each with its colour scale.
fn panels(ui: &mut Ui, areas: &[String], panels: &[Panel], most: f32) {
    let n = panels.len().max(1) as f32;
    let names = areas.iter().map(|a| shown_area(a).chars().count()).max().unwrap_or(2) as f32;
    let gutter = (names * 6.6 + 10.0).clamp(26.0, 92.0);
    let width = ((ui.available_width() - 14.0 * n) / n).clamp(gutter + 118.0, gutter + most);
    ui.horizontal_top(|ui| {
        for panel in panels {
            ui.allocate_ui(vec2(width, 10.0), |ui| {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    one(ui, areas, panel, width - gutter, gutter);
                });
            });
            ui.add_space(6.0);
        }
    });
}

fn one(ui: &mut Ui, areas: &[String], panel: &Panel, side: f32, gutter: f32) {
    let tokens = theme::of(ui);
    match panel.mark {
        Some(at) => {
            widgets::swatch_label(ui, color(tokens, at), &panel.title);
        }
        None => {
            ui.label(RichText::new(&panel.title).strong());
        }
    }
    let values = match &panel.values {
        Ok(values) => values,
        Err(why) => {
            ui.label(RichText::new(why).small().color(tokens.weak));
            return;
        }
    };
    let head = 16.0;
    let (whole, figure) = ui.allocate_exact_size(vec2(gutter + side, head + side), Sense::hover());
    let origin = whole.min + vec2(gutter, head);
    let cell = side / areas.len().max(1) as f32;
    let mut told = Vec::new();
    for ((row, column), value) in values.indexed_iter() {
        let rect = Rect::from_min_size(origin + vec2(column as f32 * cell, row as f32 * cell), vec2(cell, cell)).shrink(1.0);
        let fill = fill(tokens, panel, *value);
        ui.painter().rect_filled(rect, 2.0, fill);
        let text = if value.is_finite() { widgets::number(*value, 2) } else { "–".to_owned() };
        if cell > 32.0 {
            let ink = if value.is_finite() { tokens.text_on(fill) } else { tokens.weak };
            widgets::text_in(ui, rect, Align2::CENTER_CENTER, &text, 11.5, ink);
        }
        let words = format!("{} → {}: {text} {}", shown_area(&areas[column]), shown_area(&areas[row]), panel.unit);
        let hover = ui.interact(rect, ui.scope_id().with((&panel.title, row, column)), Sense::hover());
        if hover.hovered() {
            ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.5, tokens.accent), egui::StrokeKind::Inside);
        }
        hover.on_hover_text(&words);
        told.push((value.abs(), words));
    }
    for (at, area) in areas.iter().enumerate() {
        let along = at as f32 * cell;
        let row = Rect::from_min_size(whole.min + vec2(0.0, head + along), vec2(gutter - 5.0, cell));
        let column = Rect::from_min_size(origin + vec2(along, -head), vec2(cell, head));
        widgets::text_in(ui, row, Align2::RIGHT_CENTER, shown_area(area), 11.5, tokens.text);
        widgets::text_in(ui, column, Align2::CENTER_CENTER, shown_area(area), 11.5, tokens.text);
    }
    told.retain(|(size, _)| size.is_finite());
    told.sort_by(|a, b| b.0.total_cmp(&a.0));
    let strongest: Vec<String> = told.into_iter().take(3).map(|(_, words)| words).collect();
    widgets::describe(&figure, format!("Matrix {}, columns send, rows receive, largest: {}", panel.title, strongest.join("; ")));
    let low = if panel.diverging { -panel.limit } else { 0.0 };
    ui.horizontal(|ui| {
        ui.set_max_width(gutter + side);
        widgets::color_bar(ui, &widgets::number(low, 2), &widgets::number(panel.limit, 2), "", |x| {
            fill(tokens, panel, low + x * (panel.limit - low))
        });
    });
    widgets::note(ui, &panel.unit);
}

fn fill(tokens: &Tokens, panel: &Panel, value: f64) -> Color32 {
    match (value.is_finite(), panel.diverging) {
        (false, _) => tokens.muted,
        (true, true) => tokens.diverging(value / panel.limit),
        (true, false) => tokens.sequential(value / panel.limit),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ndarray::array;

    fn matrix(quantity: &'static str, values: Array2<f64>) -> Result<AreaMatrix, String> {
        Ok(AreaMatrix { quantity, unit: quantity, areas: vec!["V1".into(), "LM".into()], values })
    }

    #[test]
    fn different_quantities_are_not_subtracted_but_their_shares_are() {
        let matrices = [matrix("contribution", array![[2.0, 2.0], [4.0, 0.0]]), matrix("attention", array![[0.1, 0.1], [0.1, 0.1]])];
        let areas = shared_areas(matrices.iter().flatten());
        let own = Areas::default().differences(&matrices, &areas);
        assert!(own[0].values.as_ref().is_err_and(|why| why.contains("different quantities")));
        let shares = Areas { scale: Scale::Share, ..Areas::default() }.differences(&matrices, &areas);
        let values = shares[0].values.as_ref().unwrap();
        assert!((values[[1, 0]] + 25.0).abs() < 1e-9 && (values[[1, 1]] - 25.0).abs() < 1e-9, "{values}");
        assert_eq!((shares[0].diverging, shares[0].limit), (true, 25.0));
    }

    #[test]
    fn equal_quantities_have_one_scale() {
        let matrices = [matrix("a", array![[2.0, 0.0], [0.0, 0.0]]), matrix("a", array![[0.0, 8.0], [0.0, 0.0]]), Err("no".to_owned())];
        let areas = shared_areas(matrices.iter().flatten());
        let panels = Areas::default().panels(&matrices, &areas);
        assert_eq!((panels[0].limit, panels[1].limit), (8.0, 8.0));
        assert_eq!(panels[2].values, Err("no".to_owned()));
        let differences = Areas::default().differences(&matrices, &areas);
        assert_eq!(differences[0].values, Ok(array![[-2.0, 8.0], [0.0, 0.0]]));
        assert!(differences[1].values.as_ref().is_err_and(|why| why.starts_with("C: ")));
    }
}
