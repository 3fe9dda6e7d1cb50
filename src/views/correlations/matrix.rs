//! The matrix of the Count correlations view: colours, areas along its sides, what a cell says, mouse and arrow keys.

use eframe::egui::{self, Rect, Stroke, Ui, vec2};
use ndarray::Array2;

use super::super::{area_matrix, named_unit, shown_area, widgets};
use super::Cells;
use super::compute::Found;
use crate::app::theme;
use crate::render::heatmap::{HeatScale, Heatmap};

/// Draw the matrix; returns row and column that were clicked, or chosen with the keyboard: `cell` is where the arrow keys are.
#[expect(clippy::too_many_arguments, reason = "one matrix, its picture and what its rows and columns are")]
pub fn matrix(
    ui: &mut Ui,
    picture: &mut Heatmap,
    number: u64,
    values: &Array2<f32>,
    sizes: &[(usize, usize)],
    found: &Found,
    scale: HeatScale,
    cells: Cells,
    cell: &mut (usize, usize),
) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let n = values.nrows().max(1);
    let block = |&(area, size): &(usize, usize)| area_matrix::Block {
        area,
        name: found.job.recording.areas.get(area).cloned().unwrap_or_default(),
        size,
    };
    let blocks: Vec<area_matrix::Block> = sizes.iter().map(block).collect();
    let words = |r: f32| widgets::number(f64::from(r), 2);
    let side = area_matrix::side(ui.available_size());
    let numbers: Option<&dyn Fn(f32) -> String> = if cells == Cells::Areas { Some(&words) } else { None };
    let drawn = area_matrix::show(ui, "correlations", picture, number, values, &blocks, scale, side, numbers);
    let (rect, response, pointed) = (drawn.rect, drawn.response, drawn.at);
    widgets::describe(&response, summary(found));
    let at = |k: usize| k as f32 / n as f32 * side;
    *cell = (cell.0.min(n - 1), cell.1.min(n - 1));
    if response.has_focus() {
        arrows(ui, &response, cell, n);
        let size = (side / n as f32).max(4.0);
        let ring = Rect::from_min_size(rect.min + vec2(at(cell.1), at(cell.0)), vec2(size, size));
        ui.painter().rect_stroke(ring, 0.0, Stroke::new(2.0, tokens.accent), egui::StrokeKind::Outside);
    }
    let by_key = response.clicked() && !response.clicked_by(egui::PointerButton::Primary);
    let told = if by_key { Some(*cell) } else { pointed.or(response.has_focus().then_some(*cell)) };
    let (row, column) = told?;
    let r = values.get((row, column)).copied().unwrap_or(f32::NAN);
    let tip = egui::Tooltip::for_widget(&response);
    let tip = if pointed.is_some() { tip.at_pointer() } else { tip };
    tip.show(|ui| {
        ui.strong(format!("{} and {}", name_of(found, cells, row), name_of(found, cells, column)));
        ui.label(if r.is_nan() {
            "a count never changes: no correlation".to_owned()
        } else {
            format!("correlation {}", widgets::number(f64::from(r), 3))
        });
    });
    response.clicked().then_some((row, column))
}

/// Arrow keys move the cell.
fn arrows(ui: &Ui, response: &egui::Response, cell: &mut (usize, usize), n: usize) {
    let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
    let pressed = |key| ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key));
    if pressed(egui::Key::ArrowDown) {
        cell.0 = (cell.0 + 1).min(n - 1);
    }
    if pressed(egui::Key::ArrowUp) {
        cell.0 = cell.0.saturating_sub(1);
    }
    if pressed(egui::Key::ArrowRight) {
        cell.1 = (cell.1 + 1).min(n - 1);
    }
    if pressed(egui::Key::ArrowLeft) {
        cell.1 = cell.1.saturating_sub(1);
    }
}

fn name_of(found: &Found, cells: Cells, place: usize) -> String {
    let recording = &found.job.recording;
    match cells {
        Cells::Areas => shown_area(found.areas.get(place).and_then(|(a, _)| recording.areas.get(*a)).map_or("", String::as_str)).to_owned(),
        Cells::Units => {
            let unit = found.job.units.get(place).copied().unwrap_or(usize::MAX);
            named_unit(recording, unit)
        }
    }
}

/// Means within and between areas, in words.
pub fn summary(found: &Found) -> String {
    let mut parts = Vec::new();
    for (a, _) in found.areas.iter().enumerate() {
        for b in a..found.areas.len() {
            let mean = found.means.get((a, b)).copied().unwrap_or(f32::NAN);
            if !mean.is_nan() && parts.len() < 6 {
                let (x, y) = (name_of(found, Cells::Areas, a), name_of(found, Cells::Areas, b));
                let pair = if a == b { format!("within {x}") } else { format!("{x} with {y}") };
                parts.push(format!("{pair} {}", widgets::number(f64::from(mean), 2)));
            }
        }
    }
    format!("Count correlations of {} units, mean {}", widgets::count(found.job.units.len()), parts.join(", "))
}
