//! One connection over time, and the best, a middling and the worst one below it.

use eframe::egui::{Align, Layout, Sense, Ui, UiBuilder, Vec2, vec2};
use egui_plot::{HoverPosition, Line, LineStyle, PlotPoints};

use super::course::Course;
use crate::app::theme;
use crate::views::widgets;

/// Smallest height of the large plot, and height of the small ones.
const LARGE: f32 = 150.0;
const SMALL: f32 = 130.0;

/// Draw; gives the connection that was clicked.
pub fn show(ui: &mut Ui, course: &Course, chosen: Option<usize>, pair: &dyn Fn((usize, usize)) -> String) -> Option<(usize, usize)> {
    let chosen = chosen?;
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        widgets::line_label(ui, tokens.accent, false, "inferred");
        if course.truth.is_some() {
            widgets::line_label(ui, tokens.truth, true, "true, on its own scale");
        }
        if !course.unseen.is_empty() {
            widgets::swatch_label(ui, tokens.muted, "not trained on");
        }
    });
    let room = ui.available_size();
    let small = room.y > LARGE + SMALL + 40.0;
    let height = if small { room.y - SMALL - 14.0 } else { room.y };
    plot(ui, "synapse", course, chosen, &title(course, chosen, "", pair), vec2(room.x, height));
    if !small {
        return None;
    }
    let examples = course.examples();
    let n = examples.len().max(1) as f32;
    let size = vec2(((room.x - 8.0 * (n - 1.0)) / n).max(60.0), SMALL);
    let mut clicked = None;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        for (name, entry) in examples {
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            let words = title(course, entry, name, pair);
            let mut inside = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::LEFT)));
            inside.set_clip_rect(rect.intersect(ui.clip_rect()));
            plot(&mut inside, name, course, entry, &words, size);
            let response = ui.interact(rect, ui.scope_id().with(("example", name)), Sense::click()).on_hover_text("Show this connection");
            response
                .widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, true, format!("Show the {name} connection")));
            if response.has_focus() {
                widgets::ring(ui, rect, tokens, true);
            }
            if response.clicked() {
                clicked = course.entries.get(entry).copied();
            }
        }
    });
    clicked
}

fn title(course: &Course, entry: usize, name: &str, pair: &dyn Fn((usize, usize)) -> String) -> String {
    let words = course.entries.get(entry).map_or_else(String::new, |at| pair(*at));
    let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
    match course.r.get(entry).filter(|r| r.is_finite()) {
        Some(r) => format!("{name}{words}, r = {}", widgets::number(*r, 3)),
        None => format!("{name}{words}"),
    }
}

fn plot(ui: &mut Ui, id: &str, course: &Course, entry: usize, title: &str, size: Vec2) {
    let tokens = theme::of(ui);
    if entry >= course.inferred.ncols() {
        return;
    }
    widgets::y_title(ui, &format!("Attention · {title}"));
    let points =
        |values: &mut dyn Iterator<Item = f64>| -> Vec<[f64; 2]> { course.seconds.iter().zip(values).map(|(t, v)| [*t, v]).collect() };
    let inferred = points(&mut course.inferred.column(entry).iter().copied());
    let truth = course.scaled_truth(entry).map(|values| points(&mut values.into_iter()));
    let real = |seconds: f64| {
        let at = course.seconds.partition_point(|t| *t < seconds).min(course.seconds.len().saturating_sub(1));
        let inferred = course.inferred.get((at, entry)).copied().unwrap_or(f64::NAN);
        let truth = course
            .truth
            .as_ref()
            .and_then(|t| t.get((at, entry)))
            .map_or_else(String::new, |v| format!("\ntrue weight {}", widgets::number(*v, 4)));
        format!("{} s\nattention {}{truth}", widgets::number(seconds, 4), widgets::number(inferred, 4))
    };
    let drawn = widgets::plot(ui, id, "Time (s)")
        .width(size.x - 4.0)
        .height((size.y - widgets::Y_TITLE - 4.0).max(50.0))
        .allow_drag(id == "synapse")
        .allow_boxed_zoom(id == "synapse")
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position } => Some(real(position.x)),
        })
        .show(ui, |plot| {
            if let Some(truth) = truth {
                plot.line(Line::new("true", PlotPoints::new(truth)).color(tokens.truth).width(1.6).style(LineStyle::dashed_dense()));
            }
            plot.line(Line::new("inferred", PlotPoints::new(inferred)).color(tokens.accent).width(2.0));
        });
    let frame = *drawn.transform.frame();
    for (from, to) in &course.unseen {
        let x = |t: f64| drawn.transform.position_from_point_x(t).clamp(frame.left(), frame.right());
        let span = eframe::egui::Rect::from_x_y_ranges(x(*from)..=x(*to), frame.y_range());
        ui.painter().rect_filled(span, 0.0, tokens.reference.gamma_multiply(0.14));
    }
    widgets::describe(&drawn.response, format!("Attention over time, {title}"));
}
