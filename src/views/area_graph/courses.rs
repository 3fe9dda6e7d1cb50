//! Time courses: for every ordered pair the mean coupling output over the trial, on common axes, with bands where they were computed
//! (after the grid of Xin & Kass 2025, Fig. 5c).

use eframe::egui::{self, Align2, Color32, Rect, Sense, Shape, Ui, pos2, vec2};

use super::grid::frame;
use super::{Edge, described, said};
use crate::analysis::edge_test::{Band, EdgeReport};
use crate::app::theme::{self, Tokens};
use crate::render::RasterStyle;
use crate::training::Snapshot;
use crate::views::RunState;
use crate::views::kernels::name_width;
use crate::views::widgets::{self, Curve};

pub(super) fn show(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    edges: &[Edge],
    report: Option<&EdgeReport>,
    selected: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let n = snapshot.areas.len().max(1);
    let values = edges.iter().flat_map(|e| e.course.iter().chain(e.band.iter().flat_map(|b| b.low.iter().chain(&b.high)))).copied();
    let (low, high) = widgets::range(values.chain([0.0])).unwrap_or((0.0, 1.0));
    let pad = 0.06 * (high - low).max(1e-6);
    let y = (low - pad, high + pad);
    let bins = edges.iter().map(|e| e.course.len()).max().unwrap_or(0);
    let x = (0.0, bins.max(1) as f64 * snapshot.bin_s * 1e3);
    let trials = match report {
        Some(report) => format!("mean of {} test trials", report.trials.1),
        None => format!("mean of the {} trials shown", snapshot.trials.len()),
    };
    widgets::note(
        ui,
        format!(
            "Columns send, rows receive. All panels: 0 to {} ms of the trial, coupling output {} to {} log-rate, {trials} and the ten best receivers",
            widgets::number(x.1, 3),
            widgets::number(low, 2),
            widgets::number(high, 2)
        ),
    );
    let available = ui.available_size();
    let label = (name_width(ui, run, n, 12.0) + 14.0).min(available.x * 0.3);
    let cell = vec2(((available.x - label) / n as f32).max(46.0), ((available.y - 26.0) / n as f32).max(38.0));
    let mut clicked = None;
    egui::ScrollArea::both().id_salt("time courses").auto_shrink(false).show(ui, |ui| {
        let all: Vec<&Edge> = edges.iter().collect();
        let cells = frame(ui, run, n, cell, label, || format!("Time courses of coupling: {}", described(run, &all)));
        for area in 0..n {
            let corner = cells.min + vec2(area as f32 * cell.x, area as f32 * cell.y);
            let rect = Rect::from_min_size(corner, cell).shrink(2.5);
            ui.painter().rect_filled(rect, 5.0, tokens.muted.gamma_multiply(0.35));
        }
        for edge in edges {
            let corner = cells.min + vec2(edge.source as f32 * cell.x, edge.target as f32 * cell.y);
            let rect = Rect::from_min_size(corner, cell).shrink(2.5);
            let response = ui.interact(rect, ui.scope_id().with(("course", edge.source, edge.target)), Sense::click());
            let (text, on) = (said(run, edge), selected == Some((edge.source, edge.target)));
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, text.clone()));
            ui.painter().rect_filled(rect, 5.0, if edge.course.is_empty() { tokens.muted.gamma_multiply(0.6) } else { tokens.card });
            let inside = rect.shrink2(vec2(4.0, 5.0));
            let color = style.area(run.area_index(edge.source)).gamma_multiply(edge.opacity().max(0.4));
            if let Some(band) = &edge.band {
                area_between(ui, inside, (x, y), band, snapshot.bin_s, color.gamma_multiply(0.28));
            }
            let points = edge.course.iter().enumerate().map(|(k, v)| [k as f64 * snapshot.bin_s * 1e3, *v]).collect();
            widgets::small_plot(ui, inside, x, y, &[Curve { points, color, dashed: false }], tokens);
            caption(ui, edge, inside, tokens);
            widgets::ring(ui, rect, tokens, on || response.has_focus() || response.hovered());
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

fn caption(ui: &Ui, edge: &Edge, rect: Rect, tokens: &Tokens) {
    let text = match edge.q {
        Some(q) => format!("q {}", widgets::number(q, 2)),
        None if edge.course.is_empty() => "n. s.".to_owned(),
        None => return,
    };
    widgets::text_in(ui, Rect::from_min_size(rect.min, vec2(rect.width(), 13.0)), Align2::RIGHT_TOP, &text, 10.0, tokens.weak);
}

/// A band as a strip of quads: it need not be convex.
fn area_between(ui: &Ui, rect: Rect, (x, y): ((f64, f64), (f64, f64)), band: &Band, bin_s: f64, color: Color32) {
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let place = |bin: usize, value: f64| {
        let across = ((bin as f64 * bin_s * 1e3 - x.0) / (x.1 - x.0)) as f32;
        let up = ((value - y.0) / (y.1 - y.0)) as f32;
        pos2(rect.left() + rect.width() * across, rect.bottom() - rect.height() * up)
    };
    let mut mesh = egui::Mesh::default();
    for (bin, (low, high)) in band.low.iter().zip(&band.high).enumerate() {
        mesh.colored_vertex(place(bin, *low), color);
        mesh.colored_vertex(place(bin, *high), color);
        if bin > 0 {
            let at = 2 * bin as u32;
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
}
