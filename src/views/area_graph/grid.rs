//! The graph as a matrix: contribution in every cell, fainter the less certain, with its q-value.

use eframe::egui::{self, Align2, Rect, Sense, Stroke, StrokeKind, Ui, vec2};

use super::{Edge, described, said};
use crate::analysis::edge_test::Verdict;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::Snapshot;
use crate::views::kernels::name_width;
use crate::views::{RunState, widgets};

/// Above and left of the cells, for names; draws the names of `n` areas and gives the place of a cell.
pub(super) fn frame(ui: &mut Ui, run: &RunState, n: usize, cell: egui::Vec2, label: f32, figure: impl FnOnce() -> String) -> Rect {
    const HEAD: f32 = 20.0;
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let (rect, response) = ui.allocate_exact_size(vec2(label + cell.x * n as f32, HEAD + cell.y * n as f32), Sense::hover());
    widgets::describe(&response, figure());
    let origin = rect.min + vec2(label, HEAD);
    for area in 0..n {
        let (name, color) = (run.area_name(area), style.area(run.area_index(area)));
        let column = Rect::from_min_size(origin + vec2(area as f32 * cell.x, -HEAD), vec2(cell.x, HEAD));
        widgets::text_in(ui, column, Align2::CENTER_CENTER, &name, 12.0, tokens.text);
        ui.painter().hline(column.x_range().shrink(cell.x * 0.3), column.bottom() - 2.0, Stroke::new(2.5, color));
        let row = Rect::from_min_size(origin + vec2(-label, area as f32 * cell.y), vec2(label - 8.0, cell.y));
        widgets::text_in(ui, row, Align2::RIGHT_CENTER, &name, 12.0, tokens.text);
        ui.painter().vline(origin.x - 4.0, row.y_range().shrink(cell.y * 0.3), Stroke::new(2.5, color));
    }
    Rect::from_min_size(origin, vec2(cell.x * n as f32, cell.y * n as f32))
}

pub(super) fn show(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    edges: &[Edge],
    selected: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let n = snapshot.areas.len().max(1);
    widgets::note(ui, "Columns send, rows receive. Contribution to the receiving area's rate variance; a frame marks supported pairs");
    let available = ui.available_size();
    let label = (name_width(ui, run, n, 12.0) + 14.0).min(available.x * 0.3);
    let side = ((available.x - label) / n as f32).min((available.y - 26.0) / n as f32).clamp(34.0, 170.0);
    let most = edges.iter().map(|e| e.contribution.abs()).fold(1e-9, f64::max);
    let mut clicked = None;
    egui::ScrollArea::both().id_salt("edge matrix").auto_shrink(false).show(ui, |ui| {
        let all: Vec<&Edge> = edges.iter().collect();
        let cells = frame(ui, run, n, vec2(side, side), label, || format!("Matrix of edges: {}", described(run, &all)));
        for edge in edges {
            let corner = cells.min + vec2(edge.source as f32 * side, edge.target as f32 * side);
            let rect = Rect::from_min_size(corner, vec2(side, side)).shrink(1.5);
            let response = ui.interact(rect, ui.scope_id().with(("edge cell", edge.source, edge.target)), Sense::click());
            let (text, on) = (said(run, edge), selected == Some((edge.source, edge.target)));
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, text.clone()));
            let absent = edge.q.is_none() && edge.verdict == Verdict::NotSupported;
            let signed = if edge.positive { 1.0 } else { -1.0 } * (edge.contribution.abs() / most).sqrt();
            let fill = if absent { tokens.muted } else { tokens.pane.lerp_to_gamma(tokens.diverging(signed), edge.opacity()) };
            ui.painter().rect_filled(rect, 3.0, fill);
            let color = if absent { tokens.weak } else { tokens.text_on(fill) };
            let size = (side / 5.2).clamp(10.0, 16.0);
            let value = if absent { "–".to_owned() } else { format!("{} %", widgets::number(edge.contribution, 2)) };
            let second = edge.q.filter(|_| side > 44.0).map(|q| format!("q {}", widgets::number(q, 2)));
            match second {
                Some(second) => {
                    let (top, bottom) = rect.split_top_bottom_at_fraction(0.55);
                    widgets::text_in(ui, top, Align2::CENTER_BOTTOM, &value, size, color);
                    widgets::text_in(ui, bottom, Align2::CENTER_TOP, &second, (size * 0.75).max(9.5), color);
                }
                None => widgets::text_in(ui, rect, Align2::CENTER_CENTER, &value, size, color),
            }
            if edge.q.is_some() && edge.verdict == Verdict::Supported {
                ui.painter().rect_stroke(rect, 3.0, Stroke::new(2.0, tokens.text), StrokeKind::Inside);
            }
            if on || response.has_focus() || response.hovered() {
                ui.painter().rect_stroke(rect.expand(1.0), 3.0, Stroke::new(2.0, tokens.accent), StrokeKind::Middle);
            }
            if response.clicked() {
                clicked = Some((edge.source, edge.target));
            }
            response.on_hover_ui(|ui| {
                ui.label(&text);
            });
        }
    });
    clicked
}
