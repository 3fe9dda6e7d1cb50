//! In trial mode: what was not observed in every row, and the other events of every trial, with a legend that names them.

use std::collections::BTreeSet;
use std::ops;

use eframe::egui::{Align2, Color32, Mesh, Rect, Stroke, Ui, pos2, vec2};

use super::data::RasterData;
use super::layout::{Layout, Pen};
use super::navigation::Range;
use super::trials::{TrialEvent, TrialRows};
use crate::render::RasterStyle;

/// Which of the other events are marked; all of them until one is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialEvents {
    hidden: BTreeSet<String>,
}

impl TrialEvents {
    /// Events that are marked.
    pub fn shown<'a>(&'a self, trials: &'a TrialRows) -> impl Iterator<Item = &'a TrialEvent> {
        trials.events.iter().filter(|e| !self.hidden.contains(&e.name))
    }

    /// A box for every event.
    pub fn choose(&mut self, ui: &mut Ui, trials: &TrialRows) {
        for event in &trials.events {
            let mut on = !self.hidden.contains(&event.name);
            if ui.checkbox(&mut on, &event.name).changed() {
                if on {
                    self.hidden.remove(&event.name);
                } else {
                    self.hidden.insert(event.name.clone());
                }
            }
        }
    }

    /// Names of the events that are not marked, for undo.
    pub fn hidden(&self) -> Vec<String> {
        self.hidden.iter().cloned().collect()
    }

    /// Leave these out.
    pub fn hide(&mut self, names: impl IntoIterator<Item = String>) {
        self.hidden = names.into_iter().collect();
    }
}

/// Places in the palette, those first that groups of rows (which begin at 0) use last and that stand out from both papers.
const COLOURS: [usize; 6] = [3, 4, 7, 5, 2, 1];

fn color(style: &RasterStyle, trials: &TrialRows, event: &TrialEvent) -> Color32 {
    let place = trials.events.iter().position(|e| e.name == event.name).unwrap_or(0);
    style.area(COLOURS.get(place % COLOURS.len()).copied().unwrap_or(0))
}

/// Rows in view, no more than there are lines of pixels: rows of the raster that share a line, and the first of the trials there.
fn rows_in_view<'a>(data: &'a RasterData, rows: &Range, lines: usize) -> impl Iterator<Item = (ops::Range<usize>, usize)> + 'a {
    let (first, last) = (rows.start.floor().max(0.0) as usize, rows.stop.ceil().max(0.0) as usize);
    let step = (last.saturating_sub(first)).div_ceil(lines.max(1)).max(1);
    (first..last).step_by(step).filter_map(move |row| Some((row..row + step, data.rows.unit(row)?)))
}

fn band(layout: &Layout, rows: &Range, these: &ops::Range<usize>, (left, right): (f32, f32)) -> Rect {
    let (top, bottom) = (layout.y(rows, these.start as f64), layout.y(rows, these.end as f64));
    Rect::from_min_max(pos2(left, top), pos2(right, bottom))
}

/// Behind the spikes: a shade where a trial was not observed.
pub fn gaps(pen: &Pen<'_>, layout: &Layout, data: &RasterData, trials: &TrialRows, time: &Range, rows: &Range) {
    if !trials.has_gaps() {
        return;
    }
    let mut mesh = Mesh::default();
    for (row, trial) in rows_in_view(data, rows, layout.lines(pen)) {
        for &(start, stop) in trials.gaps(trial).iter().filter(|(a, b)| *b > time.start && *a < time.stop) {
            let ends = (layout.x(time, start).max(layout.plot.left()), layout.x(time, stop).min(layout.plot.right()));
            mesh.add_colored_rect(band(layout, rows, &row, ends), pen.style.shade);
        }
    }
    pen.painter.with_clip_rect(layout.plot).add(mesh);
}

/// Over the spikes: a mark per event and row.
pub fn events(pen: &Pen<'_>, layout: &Layout, data: &RasterData, trials: &TrialRows, shown: &TrialEvents, view: (&Range, &Range)) {
    let (time, rows) = view;
    let mut mesh = Mesh::default();
    for event in shown.shown(trials).filter(|e| e.is_within(time.start, time.stop)) {
        let color = color(pen.style, trials, event);
        for (row, trial) in rows_in_view(data, rows, layout.lines(pen)) {
            if let Some(at) = event.at(trial).filter(|t| *t >= time.start && *t <= time.stop) {
                let x = layout.x(time, at);
                mesh.add_colored_rect(band(layout, rows, &row, (x - 1.0, x + 1.0)), color);
            }
        }
    }
    pen.painter.with_clip_rect(layout.plot).add(mesh);
}

/// Names of the marked events with their colours, in one line; returns them in words.
pub fn legend(pen: &Pen<'_>, rect: Rect, trials: &TrialRows, shown: &TrialEvents, time: &Range) -> Option<String> {
    let named: Vec<&TrialEvent> = shown.shown(trials).filter(|e| e.is_within(time.start, time.stop)).collect();
    let mut left = rect.left();
    for event in &named {
        let width = pen.width(&event.name, &pen.tiny).min(rect.right() - left - 14.0);
        if width < 12.0 {
            break;
        }
        let x = left + 3.0;
        pen.painter.vline(x, (rect.top() + 2.0)..=(rect.bottom() - 2.0), Stroke::new(2.0, color(pen.style, trials, event)));
        pen.line(pos2(x, rect.center().y) + vec2(5.0, 0.0), Align2::LEFT_CENTER, &event.name, &pen.tiny, pen.style.text, width + 1.0);
        left += width + 22.0;
    }
    let names: Vec<&str> = named.iter().map(|e| e.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("marks: {}", names.join(", ")))
}
