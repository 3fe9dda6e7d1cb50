//! Panels of the PSTH view: curves with bands, how many trials observed each bin, and below a single unit its trials.

use std::ops::Range;

use eframe::egui::{self, Rect, Ui, vec2};
use egui_plot::{FilledArea, HoverPosition, Line, LineStyle, PlotPoint, PlotPoints, PlotTransform, VLine};

use super::super::alignment::Groups;
use super::super::{Selection, ViewContext, shown_area, widgets};
use super::compute::{Panel, Psth};
use super::trials;
use crate::analysis::aligned::RateCurve;
use crate::app::theme;
use crate::recording::Recording;
use crate::render::RasterStyle;
use crate::render::axis::duration_text;

/// Draw all panels; a single unit with its trials below.
pub fn panels(ui: &mut Ui, psth: &Psth, context: &mut ViewContext<'_>) {
    let groups = &psth.job.groups;
    let selection = &mut *context.selection;
    if let [panel] = psth.panels.as_slice()
        && !panel.trials.is_empty()
        && ui.available_height() > 230.0
    {
        let height = ui.available_height() * 0.55;
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| ui.vertical(|ui| draw(ui, psth, panel, selection, height)));
        let of_run = context.run.and_then(|run| run.data.as_deref()).filter(|data| data.1.table == groups.table);
        let marked = of_run.and_then(|data| data.1.rows.get(selection.trial)).copied();
        if let Some((row, event)) = trials::rows(ui, psth, panel, marked, selection.cursor) {
            selection.cursor = Some(event);
            if let Some(trial) = of_run.and_then(|data| data.1.rows.iter().position(|r| *r == row)) {
                selection.trial = trial;
            }
        }
        return;
    }
    widgets::grid(ui, "psth", psth.panels.len(), 150.0, |ui, index, size| {
        if let Some(panel) = psth.panels.get(index) {
            draw(ui, psth, panel, selection, size.y);
        }
    });
}

/// One panel: name, axes, curves.
fn draw(ui: &mut Ui, psth: &Psth, panel: &Panel, selection: &mut Selection, height: f32) {
    let (recording, groups) = (&psth.job.recording, &psth.job.groups);
    let tokens = theme::of(ui);
    let name = panel_name(panel, recording);
    let chosen = match panel.subject.unit {
        Some(unit) => selection.units.len() == 1 && selection.units.contains(&unit),
        None => selection.areas.contains(&panel.subject.area),
    };
    let heading = widgets::area_button(ui, panel.subject.area, &name, chosen, &format!("Select {name}"));
    if heading.on_hover_text("Select in all views").clicked() {
        match panel.subject.unit {
            Some(unit) => selection.units = [unit].into(),
            None => selection.choose_area(recording, panel.subject.area, false),
        }
    }
    widgets::y_title(ui, if panel.subject.unit.is_some() { "Rate (Hz)" } else { "Mean rate per unit (Hz)" });
    let centres = psth.job.window.centres();
    let single = groups.groups.len() < 2;
    let style = RasterStyle::of(ui);
    let color = |index: usize| if single { style.area(panel.subject.area) } else { tokens.category(index) };
    let id = format!("psth {name}");
    let drawn = widgets::plot(ui, &id, &format!("Time from {} (s)", groups.to.event()))
        .height((height - 54.0).max(70.0))
        .include_y(0.0)
        .allow_drag(false)
        .allow_zoom(false)
        .label_formatter(|at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                let text = format!("{plot_name}\n{} Hz at {} s", widgets::number(position.y, 3), widgets::number(position.x, 3));
                Some(text + &trials_at(psth, panel, &name, plot_name, position.x))
            }
            _ => None,
        })
        .show(ui, |plot| {
            plot.vline(VLine::new("", 0.0).color(tokens.reference).width(1.0).style(LineStyle::dashed_dense()).allow_hover(false));
            for (index, curve) in panel.curves.iter().enumerate() {
                for bins in runs(&curve.low) {
                    let part = |values: &[f64]| values.get(bins.clone()).unwrap_or_default().to_vec();
                    let area = FilledArea::new("", &part(&centres), &part(&curve.low), &part(&curve.high));
                    plot.add(area.fill_color(color(index).gamma_multiply(0.22)).allow_hover(false));
                }
            }
            for (index, curve) in panel.curves.iter().enumerate() {
                for bins in runs(&curve.mean) {
                    let points: PlotPoints<'_> =
                        centres.iter().zip(&curve.mean).take(bins.end).skip(bins.start).map(|(x, y)| [*x, *y]).collect();
                    plot.line(Line::new(group_name(groups, index, &name), points).color(color(index)).width(1.8));
                }
            }
            for (index, model) in panel.model.iter().enumerate() {
                let points: PlotPoints<'_> = centres.iter().zip(model).filter(|(_, y)| y.is_finite()).map(|(x, y)| [*x, *y]).collect();
                let color = if single { tokens.text } else { color(index) };
                plot.line(Line::new("model", points).color(color).width(1.5).style(LineStyle::dashed_loose()));
            }
        });
    observed_trials(ui, psth, panel, &drawn.transform, drawn.response.rect);
    widgets::describe(&drawn.response, summary(psth, panel, &name));
}

/// Stretches of bins that have a value: a curve is not drawn across what nobody observed.
fn runs(values: &[f64]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (bin, _) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        match runs.last_mut() {
            Some(run) if run.end == bin => run.end = bin + 1,
            _ => runs.push(bin..bin + 1),
        }
    }
    runs
}

/// Name of a group; that of the panel when trials are not split.
fn group_name(groups: &Groups, index: usize, panel: &str) -> String {
    groups.groups.get(index).map(|g| g.name.clone()).filter(|n| !n.is_empty()).unwrap_or_else(|| panel.to_owned())
}

/// For the tip of a curve: how many trials observed the bin, where that differs.
fn trials_at(psth: &Psth, panel: &Panel, panel_name: &str, curve_name: &str, seconds: f64) -> String {
    let window = &psth.job.window;
    let named = |index: &usize| group_name(&psth.job.groups, *index, panel_name) == curve_name;
    let curve = (0..panel.curves.len()).find(named).and_then(|index| panel.curves.get(index));
    let Some(curve) = curve.filter(|c| c.observed.iter().any(|n| *n < c.trials)) else { return String::new() };
    let bin = ((seconds - window.start_s) / window.bin_s).max(0.0) as usize;
    let n = curve.observed.get(bin).copied().unwrap_or(0);
    format!("\n{n} of {} trials observed it", curve.trials)
}

/// Where bins are the mean over different numbers of trials: a bar per bin at the top of the plot, a shade where no trial observed.
fn observed_trials(ui: &Ui, psth: &Psth, panel: &Panel, place: &PlotTransform, plot: Rect) {
    let Some(first) = panel.curves.first().filter(|_| psth.is_partly_observed()) else { return };
    let bins = first.observed.len();
    let n = |bin: usize| panel.curves.iter().filter_map(|c| c.observed.get(bin)).sum::<usize>();
    let all: usize = panel.curves.iter().map(|c| c.trials).sum();
    let (tokens, window) = (theme::of(ui), &psth.job.window);
    let x = |edge: usize| place.position_from_point(&PlotPoint::new(window.start_s + edge as f64 * window.bin_s, 0.0)).x;
    let painter = ui.painter().with_clip_rect(plot.intersect(ui.clip_rect()));
    let most = (plot.height() * 0.06).clamp(4.0, 12.0);
    let mut unseen = (0..bins).filter(|bin| n(*bin) == 0).peekable();
    while let Some(first) = unseen.next() {
        let mut last = first;
        while let Some(next) = unseen.next_if_eq(&(last + 1)) {
            last = next;
        }
        let gap = Rect::from_x_y_ranges(x(first)..=x(last + 1), plot.y_range());
        painter.rect_filled(gap, 0.0, tokens.muted);
        if gap.width() > 84.0 {
            let at = gap.center_top() + vec2(0.0, 4.0);
            painter.text(at, egui::Align2::CENTER_TOP, "not observed", egui::FontId::proportional(11.0), tokens.weak);
        }
    }
    for bin in 0..bins {
        let columns = x(bin)..=x(bin + 1);
        let height = most * n(bin) as f32 / all.max(1) as f32;
        painter.rect_filled(Rect::from_x_y_ranges(columns, plot.top()..=plot.top() + height), 0.0, tokens.weak.gamma_multiply(0.45));
    }
}

/// Name of a panel: unit with its area, or the area with its number of units.
fn panel_name(panel: &Panel, recording: &Recording) -> String {
    let area = shown_area(recording.areas.get(panel.subject.area).map_or("", String::as_str));
    match panel.subject.unit {
        Some(unit) => format!("unit {} · {area}", recording.units.ids.get(unit).map_or("?", String::as_str)),
        None => format!("{area}, {} units", panel.subject.units.len()),
    }
}

/// The panel in words: where every group peaks.
fn summary(psth: &Psth, panel: &Panel, name: &str) -> String {
    let groups = &psth.job.groups;
    let centres = psth.job.window.centres();
    let peak = |(index, curve): (usize, &RateCurve)| {
        let (bin, rate) = curve.mean.iter().enumerate().filter(|(_, r)| r.is_finite()).max_by(|a, b| a.1.total_cmp(b.1))?;
        let group = groups.groups.get(index).map(|g| g.name.as_str()).filter(|n| !n.is_empty());
        let group = group.map(|n| format!("{n}: ")).unwrap_or_default();
        Some(format!(
            "{group}peak {} Hz at {} s, {} trials{}",
            widgets::number(*rate, 3),
            widgets::number(*centres.get(bin)?, 3),
            curve.trials,
            match curve.observed_range() {
                (fewest, most) if fewest < curve.trials => format!(" ({fewest} to {most} of them observed in a bin)"),
                _ => String::new(),
            }
        ))
    };
    let peaks: Vec<String> = panel.curves.iter().enumerate().filter_map(peak).collect();
    let (before, after) = (duration_text(-psth.job.window.start_s.min(0.0)), duration_text(psth.job.window.stop_s().max(0.0)));
    format!("PSTH of {name} around {}, {before} before to {after} after: {}", groups.to.event(), peaks.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_end_where_nothing_was_observed() {
        assert_eq!(runs(&[f64::NAN, 1.0, 2.0, f64::NAN, 3.0]), [1..3, 4..5]);
        assert!(runs(&[]).is_empty() && runs(&[f64::NAN]).is_empty());
    }
}
