//! The graph itself: areas as nodes, ordered pairs as curved arrows that can be pointed at and clicked.

use eframe::egui::epaint::QuadraticBezierShape;
use eframe::egui::{self, Align2, Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};

use super::layout::{Placing, places};
use super::{Edge, described, said};
use crate::analysis::edge_test::Verdict;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::Snapshot;
use crate::views::{RunState, shown_area, widgets};

/// Radius of a node, points.
const NODE: f32 = 25.0;
/// Thinnest and thickest arrow, points.
const WIDTHS: (f32, f32) = (1.6, 9.0);
/// Distance from which an arrow can be clicked, points.
const REACH: f32 = 8.0;
/// Points along an arrow that are looked at by the pointer.
const SAMPLES: usize = 24;

/// One arrow as it is drawn.
struct Arrow {
    points: [Pos2; 3],
    width: f32,
}

impl Arrow {
    /// From node to node with a bow to its left, so that both directions are seen; it ends at the rims.
    fn new(from: Pos2, to: Pos2, width: f32) -> Self {
        let along = to - from;
        let length = along.length().max(1.0);
        let side = vec2(along.y, -along.x) / length;
        let middle = from + along * 0.5 + side * (0.16 * length).clamp(14.0, 70.0);
        let rim = |center: Pos2, gap: f32| center + (middle - center).normalized() * (NODE + gap);
        Self { points: [rim(from, 3.0), middle, rim(to, 6.0 + width)], width }
    }

    fn at(&self, t: f32) -> Pos2 {
        let [a, b, c] = self.points.map(Pos2::to_vec2);
        (a * (1.0 - t).powi(2) + b * (2.0 * t * (1.0 - t)) + c * t.powi(2)).to_pos2()
    }

    fn distance(&self, pointer: Pos2) -> f32 {
        (0..=SAMPLES).map(|k| self.at(k as f32 / SAMPLES as f32).distance(pointer)).fold(f32::INFINITY, f32::min)
    }

    fn head(&self) -> [Pos2; 3] {
        let [_, middle, tip] = self.points;
        let along = (tip - middle).normalized();
        let side = vec2(-along.y, along.x);
        let size = 5.0 + 1.1 * self.width;
        [tip + along * size, tip - along * 2.0 + side * size * 0.75, tip - along * 2.0 - side * size * 0.75]
    }
}

/// Draw; returns the pair of a clicked arrow.
pub(super) fn show(
    ui: &mut Ui,
    run: &RunState,
    snapshot: &Snapshot,
    edges: &[&Edge],
    placing: Placing,
    selected: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let size = ui.available_size().max(vec2(120.0, 120.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    widgets::describe(&response, format!("Area graph: {}", described(run, edges)));
    let room = rect.shrink2(vec2((NODE + 30.0).min(rect.width() * 0.3), (NODE + 24.0).min(rect.height() * 0.3)));
    let names: Vec<String> = (0..snapshot.areas.len()).map(|area| shown_area(&run.area_name(area)).to_owned()).collect();
    let weights: Vec<(usize, usize, f64)> = edges.iter().map(|e| (e.source, e.target, e.contribution)).collect();
    let at = places(placing, &names, &weights, room);
    let most = edges.iter().map(|e| e.contribution.abs()).fold(1e-9, f64::max);
    let width = |edge: &Edge| WIDTHS.0 + (WIDTHS.1 - WIDTHS.0) * (edge.contribution.abs() / most).sqrt() as f32;
    let mut arrows: Vec<(&Edge, Arrow)> =
        edges.iter().filter_map(|e| Some((*e, Arrow::new(*at.get(e.source)?, *at.get(e.target)?, width(e))))).collect();
    // Strong ones last, on top.
    arrows.sort_by(|a, b| a.0.contribution.abs().total_cmp(&b.0.contribution.abs()));
    let nearest = response.hover_pos().and_then(|pointer| {
        let close = arrows.iter().map(|(e, a)| (*e, a.distance(pointer) - a.width / 2.0)).filter(|(_, d)| *d < REACH);
        close.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(e, _)| e)
    });
    let painter = ui.painter_at(rect);
    let mut clicked = None;
    for (edge, arrow) in &arrows {
        let pointed = nearest.is_some_and(|n| std::ptr::eq(n, *edge));
        let chosen = selected == Some((edge.source, edge.target));
        // Every arrow is a button of its own for the keyboard and for screen readers, at its middle.
        let place = Rect::from_center_size(arrow.at(0.5), Vec2::splat(14.0));
        let button = ui.interact(place, ui.scope_id().with(("arrow", edge.source, edge.target)), Sense::click());
        let text = said(run, edge);
        button.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, chosen, text.clone()));
        if button.clicked() {
            clicked = Some((edge.source, edge.target));
        }
        if pointed || chosen || button.has_focus() {
            painter.add(curve(arrow, Stroke::new(arrow.width + 5.0, tokens.accent.gamma_multiply(if pointed { 0.35 } else { 0.55 }))));
        }
        let color = edge.color(tokens).gamma_multiply(edge.opacity());
        let dashed = edge.q.is_some() && edge.verdict != Verdict::Supported;
        if dashed {
            let points: Vec<Pos2> = (0..=SAMPLES).map(|k| arrow.at(k as f32 / SAMPLES as f32)).collect();
            painter.extend(Shape::dashed_line(&points, Stroke::new(arrow.width.min(3.5), color), 7.0, 5.0));
        } else {
            painter.add(curve(arrow, Stroke::new(arrow.width, color)));
        }
        painter.add(Shape::convex_polygon(arrow.head().to_vec(), color, Stroke::NONE));
    }
    // Numbers after all arrows, so that none is crossed out.
    let labels =
        arrows.iter().filter(|(e, _)| arrows.len() <= 8 || e.verdict == Verdict::Supported || selected == Some((e.source, e.target)));
    for (edge, arrow) in labels {
        let text = format!("{} %", widgets::number(edge.contribution, 2));
        let galley = painter.layout_no_wrap(text, egui::FontId::proportional(11.0), tokens.text);
        let place = Rect::from_center_size(arrow.at(0.5), galley.size() + vec2(6.0, 2.0));
        painter.rect_filled(place, 3.0, tokens.pane.gamma_multiply(0.88));
        painter.galley(place.min + vec2(3.0, 1.0), galley, tokens.text);
    }
    for (area, &center) in at.iter().enumerate() {
        let color = style.area(run.area_index(area));
        painter.circle(center, NODE, tokens.card, Stroke::new(3.0, color));
        let name = names.get(area).map_or("", String::as_str);
        let inside = Rect::from_center_size(center, vec2(2.0 * NODE - 10.0, 18.0));
        let fits = painter.layout_no_wrap(name.to_owned(), egui::FontId::proportional(13.0), tokens.text).size().x <= inside.width();
        if fits {
            widgets::text_in(ui, inside, Align2::CENTER_CENTER, name, 13.0, tokens.text);
        } else {
            let below = Rect::from_min_size(pos2(center.x - 60.0, center.y + NODE + 2.0), vec2(120.0, 16.0));
            widgets::text_in(ui, below, Align2::CENTER_CENTER, name, 12.0, tokens.text);
        }
    }
    if edges.is_empty() {
        widgets::text_in(ui, rect, Align2::CENTER_CENTER, "No edge reaches this threshold", 13.0, tokens.weak);
    }
    if let Some(edge) = nearest {
        if response.clicked() {
            clicked = Some((edge.source, edge.target));
        }
        let text = said(run, edge);
        response.on_hover_ui_at_pointer(|ui| {
            ui.label(&text);
            ui.weak("Click for the evidence");
        });
        ui.ctx().set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    clicked
}

fn curve(arrow: &Arrow, stroke: Stroke) -> Shape {
    Shape::QuadraticBezier(QuadraticBezierShape::from_points_stroke(arrow.points, false, Color32::TRANSPARENT, stroke))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_of_both_directions_lie_apart_and_end_at_the_rims() {
        let (a, b) = (pos2(0.0, 0.0), pos2(200.0, 0.0));
        let (there, back) = (Arrow::new(a, b, 3.0), Arrow::new(b, a, 3.0));
        assert!(there.at(0.5).distance(back.at(0.5)) > 20.0);
        assert!(there.points[0].distance(a) > NODE && there.head()[0].distance(b) < NODE + 6.0);
        assert!(there.distance(there.at(0.4)) < 5.0 && there.distance(pos2(100.0, 150.0)) > 50.0);
    }
}
