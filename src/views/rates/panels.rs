//! One panel per unit: spikes as ticks, rates as lines, forward bins shaded, all panels on one time axis.

use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::super::widgets;
use super::compute::References;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::axis::nice_step;

/// A rate over the bins of the window.
pub struct Line {
    pub name: String,
    pub color: Color32,
    pub dashed: bool,
    /// Hz `[bins]`.
    pub rates: Vec<f64>,
}

/// What one panel shows.
pub struct Unit {
    pub column: usize,
    pub name: String,
    /// Colour index and name of the area.
    pub area: usize,
    pub area_name: String,
    pub held_out: bool,
    pub selected: bool,
    /// Seconds from the start of the window.
    pub spikes: Vec<f64>,
    pub lines: Vec<Line>,
}

/// The time that all panels share.
pub struct Frame {
    pub bins: usize,
    pub bin_s: f64,
    /// Bins that the network sees; later ones are predicted forward.
    pub observed: usize,
}

/// Left of the panels: name of the unit and numbers of its axis.
const GUTTER: f32 = 118.0;
const AXIS: f32 = 34.0;
/// Least height of a panel.
pub const LOWEST: f32 = 52.0;
/// Height of everything around the panels: legend, title and axis.
pub const AROUND: f32 = AXIS + widgets::Y_TITLE + 34.0;
/// Height of spikes.
const TICKS: f32 = 9.0;

/// What lines and ticks mean; returns the same in words, for the figure's description.
pub fn legend(ui: &mut Ui, found: &References, units: &[Unit], several: bool, forward: bool) -> String {
    let tokens = theme::of(ui);
    let reference = match found.trials.first() {
        Some(trial) if trial.truth.is_some() && !several => Some(("true rate".to_owned(), tokens.truth)),
        Some(trial) if !several || found.means.len() == 1 => found.means.get(trial.mean).map(|mean| (mean.words.clone(), tokens.reference)),
        _ => None,
    };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 14.0;
        if several {
            widgets::note(ui, format!("{} trials, one line each", found.trials.len()));
        } else {
            widgets::line_label(ui, tokens.accent, false, "inferred rate");
            widgets::note(ui, "ticks are spikes");
        }
        if let Some((name, color)) = &reference {
            widgets::line_label(ui, *color, true, name);
        }
        if units.iter().any(|u| u.held_out) {
            widgets::line_label(ui, tokens.warning, false, "held out: the network never sees these spikes");
        }
        if forward {
            widgets::swatch_label(ui, tokens.muted, "predicted forward");
        }
    });
    reference.map(|(name, _)| name).unwrap_or_default()
}

/// Draw all panels into `height` points; returns the unit whose name was clicked, and whether it is added to the others.
pub fn show(ui: &mut Ui, frame: &Frame, units: &[Unit], height: f32, reference: &str) -> Option<(usize, bool)> {
    let mut clicked = None;
    let n = units.len().max(1);
    widgets::y_title(ui, "Rate (Hz)");
    let row = ((height - AXIS - widgets::Y_TITLE - 8.0) / n as f32).max(LOWEST);
    let inner = (height - widgets::Y_TITLE - AXIS - 8.0).max(LOWEST);
    let gutter = GUTTER.min(ui.available_width() * 0.4);
    egui::ScrollArea::vertical().id_salt("rates").max_height(inner).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let width = ui.available_width();
        for unit in units {
            let (whole, _) = ui.allocate_exact_size(vec2(width, row), Sense::hover());
            let rect = Rect::from_min_max(whole.min + vec2(gutter, 4.0), whole.max - vec2(10.0, 6.0));
            let label = Rect::from_min_max(whole.min + vec2(2.0, 4.0), pos2(rect.left() - 34.0, rect.bottom()));
            if name(ui, unit, label) {
                clicked = Some((unit.column, ui.input(|i| i.modifiers.command)));
            }
            panel(ui, frame, unit, rect, reference);
        }
    });
    time_axis(ui, frame, gutter);
    clicked
}

/// Name of the unit at the left; true when it was clicked.
fn name(ui: &Ui, unit: &Unit, rect: Rect) -> bool {
    let tokens = theme::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("rate of", unit.column)), Sense::click());
    let held_out = if unit.held_out { ", held out" } else { "" };
    let said = format!("Select {} ({}){held_out}", unit.name, super::super::shown_area(&unit.area_name));
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, unit.selected, said.clone()));
    if unit.selected {
        ui.painter().rect_filled(rect, 3.0, tokens.selected);
    }
    ui.painter().vline(rect.left() + 2.0, rect.y_range().shrink(2.0), Stroke::new(3.0, RasterStyle::of(ui).area(unit.area)));
    let line = |k: f32| Rect::from_min_size(rect.min + vec2(8.0, 2.0 + 15.0 * k), vec2((rect.width() - 8.0).max(0.0), 15.0));
    widgets::text_in(ui, line(0.0), Align2::LEFT_CENTER, &unit.name, 12.0, tokens.text);
    widgets::text_in(ui, line(1.0), Align2::LEFT_CENTER, super::super::shown_area(&unit.area_name), 11.0, tokens.weak);
    if unit.held_out {
        widgets::text_in(ui, line(2.0), Align2::LEFT_CENTER, "held out", 11.0, tokens.warning);
    }
    response.clicked()
}

/// Upper end of the rate axis: a little above everything drawn.
fn top(unit: &Unit) -> f64 {
    let most = unit.lines.iter().flat_map(|l| l.rates.iter().copied()).filter(|v| v.is_finite()).fold(0.0, f64::max);
    (most * 1.08).max(1.0)
}

fn panel(ui: &Ui, frame: &Frame, unit: &Unit, rect: Rect, reference: &str) {
    let tokens = theme::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("rates", unit.column)), Sense::hover());
    let (top, seconds) = (top(unit), frame.bins as f64 * frame.bin_s);
    let plot = Rect::from_min_max(rect.min + vec2(0.0, if unit.spikes.is_empty() { 0.0 } else { TICKS + 3.0 }), rect.max);
    let x = |s: f64| rect.left() + (s / seconds.max(1e-9)) as f32 * rect.width();
    let y = |hz: f64| plot.bottom() - (hz / top) as f32 * plot.height();
    let painter = ui.painter().with_clip_rect(rect.expand(1.0).intersect(ui.clip_rect()));
    if frame.observed < frame.bins {
        let from = x(frame.observed as f64 * frame.bin_s);
        let shade = Rect::from_x_y_ranges(from..=rect.right(), rect.y_range());
        painter.rect_filled(shade, 0.0, tokens.muted);
    }
    if unit.held_out {
        painter.vline(rect.left() - 2.0, rect.y_range(), Stroke::new(3.0, tokens.warning));
    }
    let step = nice_step(top / (f64::from(plot.height()) / 22.0).clamp(2.0, 4.0));
    for k in 0..=((top / step) as usize).min(20) {
        let hz = k as f64 * step;
        painter.hline(rect.x_range(), y(hz), Stroke::new(1.0, if k == 0 { tokens.line } else { tokens.grid }));
        let at = pos2(rect.left() - 5.0, y(hz));
        ui.painter().text(at, Align2::RIGHT_CENTER, widgets::number(hz, 3), FontId::proportional(10.5), tokens.weak);
    }
    for &spike in &unit.spikes {
        painter.vline(x(spike), rect.top()..=rect.top() + TICKS, Stroke::new(1.2, tokens.text));
    }
    for line in unit.lines.iter().rev() {
        let point = |(bin, hz): (usize, &f64)| pos2(x((bin as f64 + 0.5) * frame.bin_s), y(*hz));
        let points: Vec<Pos2> = line.rates.iter().enumerate().filter(|(_, hz)| hz.is_finite()).map(point).collect();
        if line.dashed {
            painter.extend(Shape::dashed_line(&points, Stroke::new(1.5, line.color), 5.0, 3.0));
        } else {
            painter.add(Shape::line(points, Stroke::new(1.9, line.color)));
        }
    }
    tip(frame, unit, rect, &response);
    widgets::describe(&response, summary(unit, reference));
}

fn tip(frame: &Frame, unit: &Unit, rect: Rect, response: &egui::Response) {
    let Some(at) = response.hover_pos() else { return };
    let bin = ((at.x - rect.left()) / rect.width().max(1.0) * frame.bins as f32).max(0.0) as usize;
    egui::Tooltip::for_widget(response).at_pointer().show(|ui| {
        let ahead = if bin >= frame.observed { ", predicted forward" } else { "" };
        ui.strong(format!("{} at {} ms{ahead}", unit.name, widgets::number((bin as f64 + 0.5) * frame.bin_s * 1e3, 4)));
        for line in unit.lines.iter().take(10) {
            if let Some(hz) = line.rates.get(bin) {
                ui.label(format!("{}: {} Hz", line.name, widgets::number(*hz, 3)));
            }
        }
    });
}

fn summary(unit: &Unit, reference: &str) -> String {
    let mean = |line: &Line| widgets::number(line.rates.iter().sum::<f64>() / line.rates.len().max(1) as f64, 3);
    let held_out = if unit.held_out { ", held out" } else { "" };
    let inferred: Vec<&Line> = unit.lines.iter().filter(|l| !l.dashed).collect();
    let mut text = match inferred.as_slice() {
        [one] => format!("Rate of {}{held_out}: {} spikes, inferred mean {} Hz", unit.name, unit.spikes.len(), mean(one)),
        several => format!("Rates of {}{held_out} in {} trials", unit.name, several.len()),
    };
    if let Some(line) = unit.lines.iter().find(|l| l.dashed) {
        text.push_str(&format!(", {} {} Hz", if reference.is_empty() { &line.name } else { reference }, mean(line)));
    }
    text
}

fn time_axis(ui: &mut Ui, frame: &Frame, gutter: f32) {
    let tokens = theme::of(ui);
    let (whole, _) = ui.allocate_exact_size(vec2(ui.available_width(), AXIS), Sense::hover());
    let (left, right) = (whole.left() + gutter, whole.right() - 10.0);
    let ms = frame.bins as f64 * frame.bin_s * 1e3;
    let step = nice_step(ms / f64::from(((right - left) / 80.0).max(1.0)));
    for k in 0..=((ms / step + 1e-9) as usize).min(100) {
        let at = k as f64 * step;
        let x = left + (at / ms) as f32 * (right - left);
        ui.painter().vline(x, whole.top()..=whole.top() + 4.0, Stroke::new(1.0, tokens.line));
        let place = pos2(x, whole.top() + 5.0);
        ui.painter().text(place, Align2::CENTER_TOP, widgets::number(at, 4), FontId::proportional(11.0), tokens.weak);
    }
    let title = pos2((left + right) / 2.0, whole.bottom() - 1.0);
    ui.painter().text(title, Align2::CENTER_BOTTOM, "Time from the start of the window (ms)", FontId::proportional(11.5), tokens.weak);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_say_what_they_show() {
        let line = |dashed, rates| Line { name: "mean".into(), color: Color32::PLACEHOLDER, dashed, rates };
        let mut unit = Unit {
            column: 0,
            name: "unit 4".into(),
            area: 0,
            area_name: "a".into(),
            held_out: true,
            selected: false,
            spikes: vec![0.1, 0.2],
            lines: vec![line(false, vec![2.0, 4.0]), line(true, vec![5.0, 7.0])],
        };
        assert_eq!(summary(&unit, "true rate"), "Rate of unit 4, held out: 2 spikes, inferred mean 3 Hz, true rate 6 Hz");
        assert!(top(&unit) > 7.0);
        unit.lines = vec![line(false, vec![f64::NAN]), line(false, vec![])];
        assert_eq!(top(&unit), 1.0);
        assert_eq!(summary(&unit, ""), "Rates of unit 4, held out in 2 trials");
    }
}
