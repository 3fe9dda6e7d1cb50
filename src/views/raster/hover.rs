//! What the raster says about the place under the pointer, and what a click there does.

use eframe::egui::{self, PointerButton, Rect, Response, Sense, Ui};

use super::RasterView;
use super::drawing::{MeanRate, rate_text, unit_at};
use super::layout::Layout;
use super::marks::Marks;
use super::navigation::Range;
use super::panel::Panel;
use super::picture::Drawn;
use super::trials::TrialRows;
use crate::render::axis::{duration_text, grouped, time_text};
use crate::render::{Hit, unobserved};
use crate::views::ViewContext;

/// Spikes within this many points of the pointer are named.
const REACH: f32 = 7.0;

impl RasterView {
    /// Clicks select, hovering tells.
    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    pub(super) fn point(
        &mut self,
        ui: &Ui,
        context: &mut ViewContext<'_>,
        response: &Response,
        layout: &Layout,
        panel: &mut Panel,
        trials: Option<&TrialRows>,
        drawn: &Drawn,
        time: &Range,
        rows: &Range,
    ) {
        if response.clicked_by(PointerButton::Primary) {
            response.request_focus();
        }
        let Some(at) = response.hover_pos() else { return };
        let (seconds, row) = (layout.seconds(time, at.x), layout.row(rows, at.y));
        let Some((unit, name)) = unit_at(&panel.data, row) else {
            return folded_tip(response, panel, drawn, row, seconds);
        };
        if response.clicked_by(PointerButton::Primary) && !response.double_clicked() {
            panel.cursor = Some(seconds);
            let modifiers = ui.input(|i| i.modifiers);
            super::input::select(&mut panel.selected, unit, modifiers);
            if let Some(&(_, row, event)) = trials.and_then(|t| t.rows.get(unit)) {
                choose_trial(context, panel, row, event + seconds);
            }
        }
        if response.dragged() {
            return;
        }
        let data = &panel.data;
        let within = f64::from(REACH / layout.plot.width()) * time.width();
        let hit = data.field.hit(unit, seconds, within);
        let slot = drawn.slots.members.iter().find(|m| m.1 as usize == unit).map_or(usize::MAX, |m| m.0 as usize);
        let here = drawn.grid.column(seconds).map_or(0, |column| drawn.grid.at(column, slot));
        egui::Tooltip::for_widget(response).at_pointer().show(|ui| {
            ui.strong(name);
            match &hit {
                Some(hit) => {
                    ui.label(format!("spike at {}", time_text(hit.time, 1e-4)));
                    if let Some(text) = intervals(hit) {
                        ui.label(text);
                    }
                }
                None => drop(ui.label(format!("no spike here, {}", time_text(seconds, within / 10.0)))),
            };
            if trials.is_some_and(|t| unobserved::within(t.gaps(unit), seconds))
                || (trials.is_none() && unobserved::within(&data.gaps, seconds))
            {
                ui.label("not observed");
            } else if trials.is_some() && unobserved::within(&data.gaps, seconds) {
                ui.label("outside the trial's window");
            }
            for event in trials.iter().flat_map(|t| self.trial_events.shown(t)) {
                if let Some(time) = event.at(unit).filter(|t| (t - seconds).abs() <= within) {
                    ui.label(format!("{} at {}", event.name, time_text(time, 1e-3)));
                }
            }
            if here > 1 {
                let whose = match drawn.slots.units_per_slot {
                    1 => String::new(),
                    n => format!(" of up to {n} {}s", data.row_name),
                };
                ui.label(format!("{} spikes{whose} in this mark ({})", grouped(u64::from(here)), duration_text(drawn.grid.column_s)));
            }
        });
    }
}

/// Intervals to the neighbouring spikes.
fn intervals(hit: &Hit) -> Option<String> {
    let ms = |s: f64| if s < 1.0 { format!("{:.3} ms", s * 1e3) } else { format!("{s:.4} s") };
    match (hit.since, hit.until) {
        (None, None) => None,
        (Some(since), None) => Some(format!("ISI {} before, last spike", ms(since))),
        (None, Some(until)) => Some(format!("first spike, ISI {} after", ms(until))),
        (Some(since), Some(until)) => Some(format!("ISI {} before, {} after", ms(since), ms(until))),
    }
}

/// A click on a trial's row: the window's cursor goes there, and the run's trial, when it is one of them, is chosen in all views.
pub(super) fn choose_trial(context: &mut ViewContext<'_>, panel: &Panel, row: usize, seconds: f64) {
    context.selection.cursor = Some(seconds);
    let table = panel.data.events.as_ref().map(|e| e.table.as_str());
    let Some(trials) = context.run.and_then(|run| run.data.as_ref()).map(|data| &data.1) else { return };
    if trials.table.as_deref() == table
        && let Some(trial) = trials.rows.iter().position(|r| *r == row)
    {
        context.selection.trial = trial;
    }
}

fn folded_tip(response: &Response, panel: &Panel, drawn: &Drawn, row: f64, seconds: f64) {
    let rows = &panel.data.rows;
    let Some(band) = (row >= 0.0).then(|| rows.band(row as usize)).flatten().filter(|b| b.collapsed) else { return };
    let slot = rows.folded(&drawn.slots, rows.len() as f64).find(|(_, b)| b.rows == band.rows).map(|(slot, _)| slot);
    let mean = slot.and_then(|slot| MeanRate::of_slot(drawn, slot, band, &panel.data).at(seconds));
    if let Some((start, hz)) = mean {
        egui::Tooltip::for_widget(response).at_pointer().show(|ui| {
            ui.strong(super::drawing::band_name(band));
            ui.label(format!("mean of {} {}s: {}", band.units.len(), panel.data.row_name, rate_text(hz)));
            ui.label(time_text(start, drawn.grid.column_s));
        });
    }
}

/// The rate of all units under the pointer.
pub(super) fn population(ui: &Ui, id: egui::Id, layout: &Layout, strip: Rect, time: &Range, rate: &MeanRate) {
    let response = ui.interact(strip, id.with("rate"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, "Population rate: spikes of all rows per second"));
    if let Some((start, hz)) = response.hover_pos().and_then(|at| rate.at(layout.seconds(time, at.x))) {
        egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
            ui.label(format!("all rows: {}", rate_text(hz)));
            ui.label(format!("{} from {}", duration_text(rate.bin_s), time_text(start, rate.bin_s / 2.0)));
        });
    }
}

/// The condition or epoch under the pointer.
pub(super) fn marks(ui: &Ui, id: egui::Id, layout: &Layout, rect: Rect, marks: &Marks, time: &Range) {
    let response = ui.interact(rect, id.with("marks"), Sense::hover());
    let name = format!("Intervals of {}", marks.of.label());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
    if let Some(text) = response.hover_pos().and_then(|at| marks.at(layout.seconds(time, at.x))) {
        egui::Tooltip::for_widget(&response).at_pointer().show(|ui| ui.label(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_told_to_the_microsecond() {
        let hit = Hit { spike: 1, time: 1.0, since: Some(0.012_345), until: Some(2.5) };
        assert_eq!(intervals(&hit).as_deref(), Some("ISI 12.345 ms before, 2.5000 s after"));
        assert_eq!(intervals(&Hit { until: None, ..hit }).as_deref(), Some("ISI 12.345 ms before, last spike"));
        assert_eq!(intervals(&Hit { since: None, until: None, ..hit }), None);
    }
}
