//! All connections over time as two maps, inferred and true, with a bar for the correlation of each.

use eframe::egui::{self, Align2, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

use super::course::Course;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::axis::time_axis;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, colour_bar};
use crate::views::widgets;

/// Width of the bars of correlations with their axis, and of names of connections.
const BARS: f32 = 96.0;
const NAMES: f32 = 132.0;
/// Above and below the maps.
const HEAD: f32 = 20.0;
const AXIS: f32 = 34.0;
/// Rows at least this high have names.
const NAMED: f32 = 11.0;

/// Draw; gives the connection that was clicked.
pub fn show(
    ui: &mut Ui,
    course: &Course,
    pictures: &mut [Heatmap; 2],
    version: u64,
    pair: &dyn Fn((usize, usize)) -> String,
) -> Option<(usize, usize)> {
    let (tokens, style) = (theme::of(ui), RasterStyle::of(ui));
    let scale = HeatScale::Sequential { low: 0.0, high: 1.0 };
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, scale, "of each row's own range", &style);
        widgets::note(ui, "rows are connections, the best correlation at the top; grey does not change");
    });
    let (rows_n, times) = (course.order.len(), course.seconds.len());
    if rows_n == 0 || times == 0 {
        return None;
    }
    let size = vec2(ui.available_width(), (ui.available_height() - 2.0).max(HEAD + AXIS + 40.0));
    let (whole, _) = ui.allocate_exact_size(size, Sense::hover());
    let height = whole.height() - HEAD - AXIS;
    let row = height / rows_n as f32;
    let names = if row >= NAMED { NAMES.min(0.25 * whole.width()) } else { 8.0 };
    let bars = if course.r.iter().any(|r| r.is_finite()) { BARS.min(0.2 * whole.width()) } else { 0.0 };
    let maps = if course.truth.is_some() { 2.0 } else { 1.0 };
    let width = ((whole.width() - names - bars - 10.0 * maps) / maps).max(20.0);
    let map = |k: f32| Rect::from_min_size(pos2(whole.left() + names + k * (width + 10.0), whole.top() + HEAD), vec2(width, height));
    let mut pointed = None;
    for (k, (values, title)) in [(&course.maps.0, "Inferred"), (&course.maps.1, "True")].into_iter().enumerate() {
        if k == 1 && course.truth.is_none() {
            continue;
        }
        let rect = map(k as f32);
        let matrix = Matrix { values, rows: rows_n, columns: times };
        if let Some(picture) = pictures.get_mut(k) {
            picture.show(ui, rect, version, matrix, scale, &style);
        }
        let head = Rect::from_min_max(pos2(rect.left(), whole.top()), pos2(rect.right(), rect.top()));
        widgets::text_in(ui, head, Align2::LEFT_CENTER, title, 13.0, tokens.text);
        axis(ui, rect, course);
        ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
        let response = ui.interact(rect, ui.scope_id().with(("synapse map", k)), Sense::click());
        let words =
            course.agreement().map_or_else(String::new, |(_, median)| format!(", median correlation {}", widgets::number(median, 3)));
        widgets::describe(&response, format!("{title} strengths of {rows_n} connections over time{words}"));
        if let Some(at) = response.hover_pos() {
            let place = |value: f32, extent: f32, n: usize| ((value / extent * n as f32).max(0.0) as usize).min(n - 1);
            let (line, time) = (place(at.y - rect.top(), height, rows_n), place(at.x - rect.left(), width, times));
            pointed = Some((line, response.clicked()));
            tooltip(&response, course, line, time, pair);
        }
    }
    if names > NAMED {
        for (line, entry) in course.order.iter().enumerate() {
            let top = whole.top() + HEAD + line as f32 * row;
            let rect = Rect::from_min_max(pos2(whole.left(), top), pos2(whole.left() + names - 6.0, top + row));
            let text = course.entries.get(*entry).map_or_else(String::new, |at| pair(*at));
            widgets::text_in(ui, rect, Align2::RIGHT_CENTER, &text, 11.0, tokens.weak);
        }
    }
    if bars > 0.0 {
        let left = whole.left() + names + maps * (width + 10.0);
        correlations(
            ui,
            Rect::from_min_max(pos2(left, whole.top() + HEAD), pos2(whole.right() - 4.0, whole.top() + HEAD + height)),
            course,
        );
    }
    let (line, clicked) = pointed?;
    let top = whole.top() + HEAD + line as f32 * row;
    let frame = Rect::from_min_max(pos2(whole.left() + names, top), pos2(whole.left() + names + maps * (width + 10.0) - 10.0, top + row));
    ui.painter().rect_stroke(frame, 0.0, Stroke::new(1.0, tokens.text), egui::StrokeKind::Outside);
    course.order.get(line).and_then(|entry| course.entries.get(*entry)).copied().filter(|_| clicked)
}

fn tooltip(response: &egui::Response, course: &Course, line: usize, time: usize, pair: &dyn Fn((usize, usize)) -> String) {
    let Some(&entry) = course.order.get(line) else { return };
    egui::Tooltip::for_widget(response).at_pointer().show(|ui| {
        ui.label(RichText::new(course.entries.get(entry).map_or_else(String::new, |at| pair(*at))).strong());
        let number = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |v| widgets::number(*v, 4));
        ui.label(format!("{} s", number(course.seconds.get(time))));
        ui.label(format!("attention {}", number(course.inferred.get((time, entry)))));
        if let Some(truth) = &course.truth {
            ui.label(format!("true weight {}", number(truth.get((time, entry)))));
        }
        if let Some(r) = course.r.get(entry).filter(|r| r.is_finite()) {
            ui.label(format!("correlation in time {}", widgets::number(*r, 3)));
        }
    });
}

/// Numbers of the time axis, and a line where training ends.
fn axis(ui: &Ui, rect: Rect, course: &Course) {
    let tokens = theme::of(ui);
    let (Some(&first), Some(&last)) = (course.seconds.first(), course.seconds.last()) else { return };
    let x = |t: f64| rect.left() + ((t - first) / (last - first).max(1e-12)) as f32 * rect.width();
    let axis = time_axis(first, last.max(first + 1e-9), ((rect.width() / 84.0) as usize).max(2));
    for (seconds, label) in &axis.ticks {
        let at = ui.painter().round_to_pixel_center(x(*seconds));
        ui.painter().vline(at, rect.bottom()..=rect.bottom() + 4.0, Stroke::new(1.0, tokens.line));
        ui.painter().text(pos2(at, rect.bottom() + 5.0), Align2::CENTER_TOP, label, egui::FontId::proportional(11.0), tokens.weak);
    }
    let title = pos2(rect.center().x, rect.bottom() + AXIS);
    ui.painter().text(title, Align2::CENTER_BOTTOM, axis.title, egui::FontId::proportional(11.5), tokens.weak);
    if let Some((from, _)) = course.unseen.first().filter(|(from, _)| *from > first) {
        let at = x(*from);
        ui.painter().vline(at, rect.y_range(), Stroke::new(1.5, tokens.text));
        let place = Rect::from_min_max(pos2(at, rect.top() - HEAD), pos2(rect.right(), rect.top()));
        widgets::text_in(ui, place, Align2::LEFT_CENTER, "not trained on", 11.0, tokens.weak);
    }
}

/// One bar per connection, from −1 to 1.
fn correlations(ui: &Ui, rect: Rect, course: &Course) {
    let tokens = theme::of(ui);
    let zero = rect.center().x;
    let row = rect.height() / course.order.len().max(1) as f32;
    let head = Rect::from_min_max(pos2(rect.left(), rect.top() - HEAD), pos2(rect.right(), rect.top()));
    widgets::text_in(ui, head, Align2::CENTER_CENTER, "Correlation", 11.5, tokens.text);
    for (line, entry) in course.order.iter().enumerate() {
        let Some(r) = course.r.get(*entry).filter(|r| r.is_finite()) else { continue };
        let end = zero + *r as f32 * rect.width() / 2.0;
        let gap = if row > 4.0 { 1.0 } else { 0.0 };
        let (top, bottom) = (rect.top() + line as f32 * row, rect.top() + (line + 1) as f32 * row - gap);
        let bar = Rect::from_min_max(pos2(zero.min(end), top), pos2(zero.max(end), bottom.max(top + 0.5)));
        ui.painter().rect_filled(bar, 0.0, if *r >= 0.0 { tokens.accent } else { tokens.category(1) });
    }
    ui.painter().vline(zero, rect.y_range(), Stroke::new(1.0, tokens.text));
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    for (value, label) in [(-1.0, "−1"), (0.0, "0"), (1.0, "1")] {
        let x = zero + value * rect.width() / 2.0;
        ui.painter().text(pos2(x, rect.bottom() + 5.0), Align2::CENTER_TOP, label, egui::FontId::proportional(11.0), tokens.weak);
    }
}
