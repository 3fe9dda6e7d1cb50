//! Below the PSTH of a single unit: its spikes trial by trial, groups one below the other.

use eframe::egui::{self, Align2, FontId, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::super::widgets;
use super::compute::{Panel, Psth};
use crate::app::theme;
use crate::render::RasterStyle;

/// Ticks drawn at most.
const MOST_TICKS: usize = 30_000;

/// Draw; returns the row of the table and the event (seconds) of a trial that was clicked. `marked` is the selected trial's row.
pub fn rows(ui: &mut Ui, psth: &Psth, panel: &Panel, marked: Option<usize>) -> Option<(usize, f64)> {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let (groups, window) = (&psth.job.groups, &psth.job.window);
    let trials: usize = panel.trials.iter().map(Vec::len).sum();
    let spikes: usize = panel.trials.iter().flatten().map(Vec::len).sum();
    // Whole trials are left out evenly, so that what is shown stays exact.
    let step = spikes.div_ceil(MOST_TICKS).max(1);
    let note = if step > 1 { format!(", every {step}th trial is drawn") } else { String::new() };
    widgets::note(ui, format!("{} trials, {} spikes{note}", widgets::count(trials), widgets::count(spikes)));
    let (whole, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
    // As wide as the plot above: its numbers take about this much.
    let rect = Rect::from_min_max(whole.min + vec2(34.0, 0.0), whole.max - vec2(4.0, 2.0));
    let painter = ui.painter().with_clip_rect(whole.intersect(ui.clip_rect()));
    let drawn: Vec<(usize, usize)> = panel
        .trials
        .iter()
        .enumerate()
        .flat_map(|(group, trials)| (0..trials.len()).map(move |trial| (group, trial)))
        .step_by(step)
        .collect();
    let height = rect.height() / drawn.len().max(1) as f32;
    let share = |t: f64| ((t - window.start_s) / (window.stop_s() - window.start_s)) as f32;
    let single = groups.groups.len() < 2;
    for (line, &(group, trial)) in drawn.iter().enumerate() {
        let top = rect.top() + line as f32 * height;
        let row = groups.groups.get(group).and_then(|g| g.rows.get(trial)).copied();
        if row.is_some() && row == marked {
            painter.rect_filled(Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height.max(1.0))), 0.0, tokens.selected);
        }
        let color = if single { style.area(panel.subject.area) } else { tokens.category(group) };
        for time in panel.trials.get(group).and_then(|t| t.get(trial)).into_iter().flatten() {
            let x = rect.left() + share(*time) * rect.width();
            painter.vline(x, top..=top + (height * 0.9).max(1.0), Stroke::new(1.2, color));
        }
    }
    painter.vline(rect.left() + share(0.0) * rect.width(), rect.y_range(), Stroke::new(1.0, tokens.reference));
    painter.rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    painter.text(pos2(whole.left(), rect.top()), Align2::LEFT_TOP, "1", FontId::proportional(11.0), tokens.weak);
    painter.text(pos2(whole.left(), rect.bottom()), Align2::LEFT_BOTTOM, widgets::count(trials), FontId::proportional(11.0), tokens.weak);
    widgets::describe(&response, format!("Spikes of {trials} trials around {}: {spikes} spikes", groups.to.event()));
    let at = response.hover_pos()?;
    let &(group, trial) = drawn.get(((at.y - rect.top()) / height).max(0.0) as usize)?;
    let found = groups.groups.get(group)?;
    let row = *found.rows.get(trial)?;
    let name = if found.name.is_empty() { String::new() } else { format!(" · {}", found.name) };
    let event = *found.events.get(trial)?;
    let count = panel.trials.get(group)?.get(trial)?.len();
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(format!("trial {}{name}", row + 1));
        ui.label(format!("{count} spikes, event at {} s", widgets::number(event, 6)));
    });
    response.clicked().then_some((row, event))
}
