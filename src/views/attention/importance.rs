//! Which units all others draw on: bars under the matrix, and the names of those at the top.

use eframe::egui::{self, Align2, FontId, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

use super::super::area_matrix::GUTTER;
use super::super::stndt_part::{area_of, unit_name};
use super::super::{RunState, Selection, shown_area, widgets};
use super::Map;
use crate::app::theme;
use crate::render::RasterStyle;
use crate::training::{Importance, Snapshot};

/// Height of the bars with their axis title.
pub const HEIGHT: f32 = 84.0;
/// Units listed.
const LISTED: usize = 10;

/// Units in descending importance.
pub fn order(importance: &Importance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..importance.mean.len()).collect();
    let mean = |unit: &usize| importance.mean.get(*unit).copied().unwrap_or(0.0);
    order.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    order
}

/// Agreement of the order between trials, in words.
fn consistency(importance: &Importance) -> String {
    match importance.consistency {
        r if r.is_nan() => "one trial: agreement between trials is not known".to_owned(),
        r => format!("order agrees between trials: rank correlation {}", widgets::number(f64::from(r), 2)),
    }
}

/// Bars under the columns of the matrix in `above`; returns the unit that was clicked.
pub fn bars(
    ui: &mut Ui,
    above: Rect,
    run: &RunState,
    snapshot: &Snapshot,
    importance: &Importance,
    map: &Map,
    selection: &Selection,
) -> Option<usize> {
    let tokens = theme::of(ui);
    let n = importance.mean.len().max(1);
    let (whole, _) = ui.allocate_exact_size(vec2(GUTTER + above.width(), HEIGHT - 12.0), Sense::hover());
    let rect = Rect::from_min_max(pos2(above.left(), whole.top() + 2.0), pos2(above.right(), whole.bottom() - 20.0));
    let response = ui.interact(rect, ui.scope_id().with("importance"), Sense::click());
    let sd = |unit: usize| importance.sd.get(unit).copied().unwrap_or(0.0);
    let most = importance.mean.iter().enumerate().map(|(u, m)| m + sd(u)).fold(0.0, f32::max).max(1e-9);
    let x = |unit: usize| rect.left() + unit as f32 / n as f32 * rect.width();
    let y = |share: f32| rect.bottom() - share / (most * 1.05) * rect.height();
    let even = 1.0 / n as f32;
    let one_trial = map.key.4.and_then(|_| map.values.mean_axis(ndarray::Axis(0)));
    for (unit, &mean) in importance.mean.iter().enumerate() {
        let selected = snapshot.units.get(unit).is_some_and(|u| selection.units.contains(u));
        let color = RasterStyle::of(ui).area(run.area_index(area_of(snapshot, unit)));
        let bar = Rect::from_min_max(pos2(x(unit), y(mean)), pos2(x(unit + 1) - if n < 150 { 0.6 } else { 0.0 }, rect.bottom()));
        ui.painter().rect_filled(bar, 0.0, color.gamma_multiply(if selected { 1.0 } else { 0.75 }));
        let (middle, thin) = (bar.center().x, Stroke::new(1.0, tokens.text));
        ui.painter().vline(middle, y(mean + sd(unit))..=y((mean - sd(unit)).max(0.0)), thin);
        if let Some(own) = one_trial.as_ref().and_then(|m| m.get(unit)) {
            ui.painter().circle_filled(pos2(middle, y(own.min(most))), 2.0, tokens.accent);
        }
        if selected {
            ui.painter().hline(bar.x_range(), rect.bottom() + 2.0, Stroke::new(3.0, tokens.accent));
        }
    }
    ui.painter().hline(rect.x_range(), y(even), Stroke::new(1.0, tokens.reference));
    let numbers = [(0.0, "0".to_owned()), (even, "even".to_owned()), (most, widgets::number(f64::from(most), 2))];
    for (share, text) in numbers.into_iter().filter(|(s, _)| *s == 0.0 || *s == even || y(even) - y(*s) > 12.0) {
        ui.painter().text(pos2(rect.left() - 5.0, y(share)), Align2::RIGHT_CENTER, text, FontId::proportional(10.5), tokens.weak);
    }
    let dots = if one_trial.is_some() { "; dots: this trial" } else { "" };
    let title = Rect::from_min_max(pos2(whole.left(), rect.bottom() + 4.0), whole.max);
    let text = format!("Attention to each unit, mean ± SD over trials{dots}");
    widgets::text_in(ui, title, Align2::RIGHT_CENTER, &text, 11.0, tokens.weak);
    widgets::describe(&response, summary(run, snapshot, importance));
    let at = response.hover_pos()?;
    let unit = (((at.x - rect.left()) / rect.width().max(1.0) * n as f32).max(0.0) as usize).min(n - 1);
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(format!("{} ({})", unit_name(run, snapshot, unit), run.area_name(area_of(snapshot, unit))));
        ui.label(share(importance, unit));
    });
    response.clicked().then_some(unit)
}

/// Share of the attention that goes to a unit: `0.031 ± 0.002, 1.9 times an even share`.
fn share(importance: &Importance, unit: usize) -> String {
    let mean = f64::from(importance.mean.get(unit).copied().unwrap_or(0.0));
    let sd = f64::from(importance.sd.get(unit).copied().unwrap_or(0.0));
    let times = mean * importance.mean.len() as f64;
    format!("{} ± {} SD, {} times an even share", widgets::number(mean, 3), widgets::number(sd, 2), widgets::number(times, 3))
}

fn summary(run: &RunState, snapshot: &Snapshot, importance: &Importance) -> String {
    let top: Vec<String> = order(importance).into_iter().take(3).map(|u| unit_name(run, snapshot, u)).collect();
    format!("Attention to each unit, most to {}; {}", top.join(", "), consistency(importance))
}

/// The units at the top; returns the one that was clicked.
pub fn list(ui: &mut Ui, run: &RunState, snapshot: &Snapshot, importance: &Importance, selection: &mut Selection) -> Option<usize> {
    let tokens = theme::of(ui);
    let mut clicked = None;
    widgets::section(ui, "Most attended units");
    widgets::note(ui, consistency(importance));
    let top: Vec<usize> = order(importance).into_iter().take(LISTED).collect();
    for (place, &unit) in top.iter().enumerate() {
        let area = area_of(snapshot, unit);
        let selected = snapshot.units.get(unit).is_some_and(|u| selection.units.contains(u));
        let times = importance.mean.get(unit).copied().unwrap_or(0.0) * importance.mean.len() as f32;
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 18.0;
            let (dot, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
            ui.painter().rect_filled(dot, 2.5, RasterStyle::of(ui).area(run.area_index(area)));
            let text = format!("{}. {} ({})", place + 1, unit_name(run, snapshot, unit), shown_area(&run.area_name(area)));
            let response = ui.selectable_label(selected, text).on_hover_text(share(importance, unit));
            if response.clicked() {
                clicked = Some(unit);
            }
            ui.label(RichText::new(format!("{} ×", widgets::number(f64::from(times), 3))).color(tokens.weak));
        });
    }
    widgets::note(ui, "×: times an even share");
    if ui.button(format!("Select these {}", top.len())).on_hover_text("Select them in the raster and all other views").clicked() {
        selection.areas.clear();
        selection.units = top.iter().filter_map(|&column| snapshot.units.get(column).copied()).collect();
    }
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_come_in_descending_order_and_agreement_in_words() {
        let importance = Importance { mean: vec![0.2, 0.5, 0.3], sd: vec![0.01, 0.02, 0.0], consistency: 0.93 };
        assert_eq!(order(&importance), [1, 2, 0]);
        assert_eq!(consistency(&importance), "order agrees between trials: rank correlation 0.93");
        assert!(consistency(&Importance { consistency: f32::NAN, ..importance.clone() }).contains("not known"));
        assert_eq!(share(&importance, 1), "0.5 ± 0.02 SD, 1.5 times an even share");
    }
}
