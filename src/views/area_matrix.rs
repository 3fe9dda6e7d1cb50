//! A square matrix whose rows and columns are units side by side by area (or areas): the picture, bars in the areas' colours,
//! borders between areas, and the cell under the pointer.

use eframe::egui::{self, Align2, Rect, Response, Sense, Stroke, Ui, UiBuilder, Vec2, pos2, vec2};
use ndarray::Array2;

use super::shown_area;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix};

/// Left of the matrix, for names of areas.
pub const GUTTER: f32 = 76.0;
/// Above the matrix, for names of areas.
pub const HEAD: f32 = 22.0;

/// Rows that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Place of the area among the areas of the recording: its colour.
    pub area: usize,
    /// Name of the area as the file has it.
    pub name: String,
    /// Rows.
    pub size: usize,
}

/// Where the matrix was drawn.
pub struct Drawn {
    /// The matrix without names.
    pub rect: Rect,
    /// Mouse and focus.
    pub response: Response,
    /// Row and column under the pointer.
    pub at: Option<(usize, usize)>,
}

/// Side of the matrix that fits into `size` together with its names.
pub fn side(size: Vec2) -> f32 {
    (size.x - GUTTER - 4.0).min(size.y - HEAD - 4.0).max(60.0)
}

/// Colours of such a matrix.
pub fn style(ui: &Ui) -> RasterStyle {
    let tokens = theme::of(ui);
    // A unit with itself is to be seen as left out, not as a value near zero.
    RasterStyle { missing: tokens.reference.lerp_to_gamma(tokens.pane, 0.1), ..RasterStyle::of(ui) }
}

/// Draw `values` as a square of `side` points; the picture is made again when `version` changed. With `numbers`, cells that are
/// large enough carry their values.
#[expect(clippy::too_many_arguments, reason = "one matrix, its picture and what its rows and columns are")]
pub fn show(
    ui: &mut Ui,
    id: &str,
    picture: &mut Heatmap,
    version: u64,
    values: &Array2<f32>,
    blocks: &[Block],
    scale: HeatScale,
    side: f32,
    numbers: Option<&dyn Fn(f32) -> String>,
) -> Drawn {
    let tokens = theme::of(ui);
    let style = style(ui);
    let n = values.nrows().max(1);
    let (whole, _) = ui.allocate_exact_size(vec2(GUTTER + side, HEAD + side), Sense::hover());
    let rect = Rect::from_min_size(whole.min + vec2(GUTTER, HEAD), vec2(side, side));
    let response = ui.interact(rect, ui.scope_id().with(id), Sense::click());
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect));
    inside.set_clip_rect(rect.intersect(ui.clip_rect()));
    // No copy where the values lie row by row: of a thousand units it would be megabytes in every frame.
    let values_in_rows = values.as_standard_layout();
    let flat = values_in_rows.as_slice().unwrap_or_default();
    picture.show(&inside, rect, version, Matrix { values: flat, rows: n, columns: n }, scale, &style);
    let at = |k: usize| k as f32 / n as f32 * side;
    // Cells smaller than this would leave gaps in a grey diagonal.
    if side / (n as f32) < 2.0 && values.diag().iter().all(|v| v.is_nan()) {
        inside.painter().line_segment([rect.min, rect.max], Stroke::new(2.0, style.missing));
    }
    let mut first = 0;
    for block in blocks {
        let name = shown_area(&block.name);
        let (low, high) = (at(first), at(first + block.size));
        let row = Rect::from_min_max(pos2(whole.left(), rect.top() + low), pos2(rect.left() - 8.0, rect.top() + high));
        let column = Rect::from_min_max(pos2(rect.left() + low, whole.top()), pos2(rect.left() + high, rect.top() - 5.0));
        if high - low > 10.0 {
            super::widgets::text_in(ui, row, Align2::RIGHT_CENTER, name, 11.5, tokens.text);
            super::widgets::text_in(ui, column, Align2::CENTER_CENTER, name, 11.5, tokens.text);
        }
        let bar = Stroke::new(3.0, style.area(block.area));
        ui.painter().vline(rect.left() - 4.0, (rect.top() + low)..=(rect.top() + high - 1.0), bar);
        ui.painter().hline((rect.left() + low)..=(rect.left() + high - 1.0), rect.top() - 3.0, bar);
        if first > 0 {
            ui.painter().hline(rect.x_range(), rect.top() + low, Stroke::new(1.0, tokens.text));
            ui.painter().vline(rect.left() + low, rect.y_range(), Stroke::new(1.0, tokens.text));
        }
        first += block.size;
    }
    let cell = side / n as f32;
    if let Some(words) = numbers.filter(|_| cell > 34.0) {
        for ((row, column), value) in values.indexed_iter() {
            let place = Rect::from_min_size(rect.min + vec2(at(column), at(row)), vec2(cell, cell));
            let color = tokens.text_on(scale.color(*value, &style));
            super::widgets::text_in(ui, place, Align2::CENTER_CENTER, &words(*value), 12.0, color);
        }
    }
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    let place = |value: f32, low: f32| (((value - low) / side * n as f32).max(0.0) as usize).min(n - 1);
    let at = response.hover_pos().map(|pointer| (place(pointer.y, rect.top()), place(pointer.x, rect.left())));
    Drawn { rect, response, at }
}
