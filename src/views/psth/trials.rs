//! Below the PSTH of a single unit: its spikes trial by trial, groups one below the other.

use eframe::egui::{self, Align2, FontId, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::super::widgets;
use super::compute::{Panel, Psth};
use crate::app::theme;
use crate::render::RasterStyle;

/// Ticks drawn at most.
const MOST_TICKS: usize = 30_000;

/// Draw; returns the row of the table and the event (seconds) of a trial that was clicked, or gone to with the arrow keys. `marked` is
/// the selected trial's row, `cursor` the window's cursor.
pub fn rows(ui: &mut Ui, psth: &Psth, panel: &Panel, marked: Option<usize>, cursor: Option<f64>) -> Option<(usize, f64)> {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let (groups, window) = (&psth.job.groups, &psth.job.window);
    let trials: usize = panel.trials.iter().map(Vec::len).sum();
    let spikes: usize = panel.trials.iter().flatten().map(|t| t.spikes.len()).sum();
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
    let place = |&(group, trial): &(usize, usize)| {
        let found = groups.groups.get(group)?;
        Some((*found.rows.get(trial)?, *found.events.get(trial)?))
    };
    // The run's selected trial; without a run the one whose event the cursor is at.
    let is_marked = |at: &(usize, usize)| match (marked, place(at)) {
        (Some(marked), Some((row, _))) => row == marked,
        (None, Some((_, event))) => cursor.is_some_and(|c| (c - event).abs() < 1e-9),
        _ => false,
    };
    for (line, &(group, trial)) in drawn.iter().enumerate() {
        let top = rect.top() + line as f32 * height;
        let line_rect = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height.max(1.0)));
        if is_marked(&(group, trial)) {
            painter.rect_filled(line_rect, 0.0, tokens.selected);
        }
        let Some(shown) = panel.trials.get(group).and_then(|t| t.get(trial)) else { continue };
        for &(start, stop) in &shown.gaps {
            let ends = [start, stop].map(|t| (rect.left() + share(t) * rect.width()).clamp(rect.left(), rect.right()));
            painter.rect_filled(line_rect.with_min_x(ends[0]).with_max_x(ends[1]), 0.0, tokens.muted);
        }
        let color = if single { style.area(panel.subject.area) } else { tokens.category(group) };
        for time in &shown.spikes {
            let x = rect.left() + share(*time) * rect.width();
            painter.vline(x, top..=top + (height * 0.9).max(1.0), Stroke::new(1.2, color));
        }
    }
    painter.vline(rect.left() + share(0.0) * rect.width(), rect.y_range(), Stroke::new(1.0, tokens.reference));
    painter.rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    painter.text(pos2(whole.left(), rect.top()), Align2::LEFT_TOP, "1", FontId::proportional(11.0), tokens.weak);
    painter.text(pos2(whole.left(), rect.bottom()), Align2::LEFT_BOTTOM, widgets::count(trials), FontId::proportional(11.0), tokens.weak);
    widgets::describe(&response, format!("Spikes of {trials} trials around {}: {spikes} spikes", groups.to.event()));
    if response.has_focus() {
        widgets::ring(ui, rect, tokens, true);
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, egui::EventFilter { vertical_arrows: true, ..Default::default() }));
        let now = drawn.iter().position(&is_marked);
        let pressed = |key| ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key));
        let last = drawn.len().saturating_sub(1);
        let next = match (pressed(egui::Key::ArrowDown), pressed(egui::Key::ArrowUp)) {
            (true, _) => Some(now.map_or(0, |at| (at + 1).min(last))),
            (_, true) => Some(now.map_or(last, |at| at.saturating_sub(1))),
            _ => None,
        };
        if let Some(found) = next.and_then(|at| drawn.get(at)).and_then(&place) {
            return Some(found);
        }
    }
    let at = response.hover_pos()?;
    let &(group, trial) = drawn.get(((at.y - rect.top()) / height).max(0.0) as usize)?;
    let found = groups.groups.get(group)?;
    let row = *found.rows.get(trial)?;
    let name = if found.name.is_empty() { String::new() } else { format!(" · {}", found.name) };
    let event = *found.events.get(trial)?;
    let shown = panel.trials.get(group)?.get(trial)?;
    let count = shown.spikes.len();
    let partly = if shown.gaps.is_empty() { "" } else { ", partly not observed" };
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(format!("trial {}{name}", row + 1));
        ui.label(format!("{count} spikes{partly}, event at {} s", widgets::number(event, 6)));
    });
    response.clicked().then_some((row, event))
}
