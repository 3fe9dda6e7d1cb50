//! The bar under the views that moves through time: play, speed, step, go to, events, loop, and a small map of the whole
//! recording in which the visible window can be dragged. It works on the selection, so every view follows.

use std::sync::Arc;

use eframe::egui::{self, FontId, PointerButton, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::{Command, theme};
use crate::analysis::observed::Observed;
use crate::analysis::rates::binned;
use crate::recording::Recording;
use crate::render::axis::{duration_text, time_text};
use crate::render::{parse_time, unobserved};
use crate::views::raster::events::{EventColumn, neighbour};
use crate::views::raster::navigation::{Range, ZOOM_STEP, by_keys, gaps, time_bounds, zoom_at};
use crate::views::work::Background;
use crate::views::{Events, SPEEDS, Selection, widgets};

/// Bins of the small map.
const MAP_BINS: usize = 600;
/// Spikes looked at for the small map: beyond, every k-th is taken.
const MAP_SPIKES: usize = 20_000_000;

/// How far a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// A quarter of the visible time.
    Quarter,
    /// All of it.
    Full,
    /// A fiftieth.
    Fine,
}

impl Stride {
    /// All.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Full, Self::Fine];

    /// Share of the visible time.
    pub fn share(self) -> f64 {
        match self {
            Self::Quarter => 0.25,
            Self::Full => 1.0,
            Self::Fine => 0.02,
        }
    }
}

/// What is known of the recording whose time is shown.
struct Known {
    recording: Arc<Recording>,
    bounds: (f64, f64),
    gaps: Vec<(f64, f64)>,
    columns: Vec<EventColumn>,
    /// Marked events: column, and times with rows, ascending.
    events: (Option<EventColumn>, Vec<(f64, usize)>),
}

/// The bar.
#[derive(Default)]
pub struct Timeline {
    known: Option<Known>,
    map: Background<String, Vec<f32>>,
    text: String,
    not_a_time: bool,
    focus: bool,
    /// Dragging makes a loop from here, seconds.
    loop_from: Option<f64>,
}

impl Timeline {
    /// Know this recording.
    pub fn follow(&mut self, recording: &Arc<Recording>, selection: &Selection) {
        if self.known.as_ref().is_none_or(|k| k.recording.fingerprint != recording.fingerprint) {
            let bounds = time_bounds(recording);
            self.known = Some(Known {
                bounds,
                gaps: gaps(&recording.observed, bounds),
                columns: EventColumn::offered(recording),
                events: (None, Vec::new()),
                recording: Arc::clone(recording),
            });
        }
        if let Some(known) = &mut self.known {
            let wanted = selection.events.column(&known.recording).filter(|c| known.columns.contains(c));
            if wanted != known.events.0 {
                let times = wanted.as_ref().map(|c| c.times(&known.recording)).unwrap_or_default();
                known.events = (wanted, times);
            }
        }
    }

    /// First and last time of the recording, seconds.
    pub fn bounds(&self) -> Option<(f64, f64)> {
        self.known.as_ref().map(|k| k.bounds)
    }

    /// True when events can be stepped through.
    pub fn has_events(&self) -> bool {
        self.known.as_ref().is_some_and(|k| !k.events.1.is_empty())
    }

    /// Put the keyboard into the time field.
    pub fn ask_for_time(&mut self) {
        self.focus = true;
    }

    /// Move through time as a command asks.
    pub fn execute(&mut self, command: Command, selection: &mut Selection) {
        let Some(known) = &self.known else { return };
        let time = Range::time(selection.window, known.bounds);
        let moved = |selection: &mut Selection, by: f64| selection.window = time.moved(by).shown();
        match command {
            Command::Play => selection.playback.playing = !selection.playback.playing,
            Command::StepTime { forward, stride } => {
                moved(selection, if forward { 1.0 } else { -1.0 } * stride.share() * time.width());
            }
            Command::TimeStart => moved(selection, known.bounds.0 - time.start),
            Command::TimeEnd => moved(selection, known.bounds.1 - time.stop),
            Command::AllTime => {
                selection.window = None;
                selection.playback.playing = false;
            }
            Command::ZoomTime { closer } => {
                let factor = if closer { ZOOM_STEP } else { 1.0 / ZOOM_STEP };
                selection.window = time.zoomed(zoom_at(&time, selection.cursor), factor).shown();
            }
            Command::NextEvent { forward } => {
                let middle = (time.start + time.stop) / 2.0;
                let now = selection.cursor.filter(|c| *c >= time.start && *c <= time.stop).unwrap_or(middle);
                if let Some((seconds, _)) = neighbour(&known.events.1, now, forward) {
                    selection.go_to(seconds, known.bounds);
                }
            }
            Command::Loop => {
                selection.looped = match selection.looped {
                    Some(_) => None,
                    None => Some((time.start, time.stop)),
                };
            }
            _ => {}
        }
    }

    /// Draw the bar; returns a chosen command.
    pub fn ui(&mut self, ui: &mut Ui, selection: &mut Selection) -> Option<Command> {
        let mut chosen = None;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let mut button = |ui: &mut Ui, on: bool, text: &str, name: &str, command: Command| {
                let tip = format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx())).replace(" ()", "");
                let response = ui.add_enabled(on, egui::Button::new(text).min_size(vec2(24.0, 0.0))).on_hover_text(tip);
                response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, on, name));
                if response.clicked() {
                    chosen = Some(command);
                }
            };
            let (sign, name) = if selection.playback.playing { ("‖", "Pause time") } else { ("▶", "Play time") };
            button(ui, true, "⇤", "Start of the recording", Command::TimeStart);
            button(ui, true, "←", "Step back", Command::StepTime { forward: false, stride: Stride::Quarter });
            button(ui, true, sign, name, Command::Play);
            button(ui, true, "→", "Step forward", Command::StepTime { forward: true, stride: Stride::Quarter });
            button(ui, true, "⇥", "End of the recording", Command::TimeEnd);
            let events = self.has_events();
            button(ui, events, "<", "Previous event", Command::NextEvent { forward: false });
            button(ui, events, ">", "Next event", Command::NextEvent { forward: true });
            let looped = if selection.looped.is_some() { "End loop" } else { "Loop" };
            button(ui, true, looped, looped, Command::Loop);
            widgets::combo(ui, "time speed", "Speed", &format!("{}×", selection.playback.speed), 62.0, |ui| {
                for speed in SPEEDS {
                    ui.selectable_value(&mut selection.playback.speed, speed, format!("{speed}×"));
                }
            });
            self.event_menu(ui, selection);
            self.time_field(ui, selection);
            self.small_map(ui, selection);
        });
        chosen
    }

    fn event_menu(&mut self, ui: &mut Ui, selection: &mut Selection) {
        let Some(known) = self.known.as_ref().filter(|k| !k.columns.is_empty()) else { return };
        let now = known.events.0.as_ref().map_or("no events".to_owned(), EventColumn::label);
        widgets::combo(ui, "time events", "Events", &now, 130.0, |ui| {
            if ui.selectable_label(known.events.0.is_none(), "no events").clicked() {
                selection.events = Events::Hidden;
            }
            for column in &known.columns {
                if ui.selectable_label(known.events.0.as_ref() == Some(column), column.label()).clicked() {
                    selection.events = Events::Column(column.clone());
                }
            }
        });
    }

    fn time_field(&mut self, ui: &mut Ui, selection: &mut Selection) {
        let Some(bounds) = self.bounds() else { return };
        let field = ui.add(egui::TextEdit::singleline(&mut self.text).hint_text("12.5 s or 2:30").desired_width(106.0));
        field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Time to go to"));
        if std::mem::take(&mut self.focus) {
            field.request_focus();
        }
        self.not_a_time &= !field.changed();
        if field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) && !self.text.trim().is_empty() {
            match parse_time(&self.text) {
                Some(seconds) => selection.go_to(seconds, bounds),
                None => {
                    self.not_a_time = true;
                    field.request_focus();
                }
            }
        }
        if self.not_a_time {
            ui.colored_label(theme::of(ui).error, "write a time such as 12.5 s, 250 ms or 2:30");
        }
    }

    /// The whole recording: how much is fired when, what is not observed, the loop, the cursor and the visible window.
    fn small_map(&mut self, ui: &mut Ui, selection: &mut Selection) {
        let Some(known) = &self.known else { return };
        let width = ui.available_width();
        if width < 60.0 {
            return;
        }
        let tokens = theme::of(ui);
        let bounds = known.bounds;
        // A little margin before time 0 is not worth a minus.
        let step = (bounds.1 - bounds.0) / 100.0;
        let end = |at: f64| time_text(if at.abs() < step { 0.0 } else { at }, step);
        let label = |text: String| ui.painter().layout_no_wrap(text, FontId::proportional(10.5), tokens.weak);
        // Beside the map, not on it: there they would lie over the activity and under the window.
        let ends = (width > 260.0).then(|| [label(end(bounds.0)), label(end(bounds.1))]);
        let (room, _) = ui.allocate_exact_size(vec2(width, 30.0), Sense::hover());
        let margin = |k: usize| ends.as_ref().and_then(|e| e.get(k)).map_or(0.0, |galley| galley.size().x + 5.0);
        let whole = Rect::from_min_max(room.min + vec2(margin(0), 0.0), room.max - vec2(margin(1), 0.0));
        if let Some([first, last]) = ends {
            let top = |galley: &egui::Galley| room.center().y - galley.size().y / 2.0;
            ui.painter().galley(pos2(room.left(), top(&first)), Arc::clone(&first), tokens.weak);
            ui.painter().galley(pos2(room.right() - last.size().x, top(&last)), Arc::clone(&last), tokens.weak);
        }
        let response = ui.interact(whole, ui.scope_id().with("time map"), Sense::click_and_drag());
        let rect = whole.shrink2(vec2(2.0, 1.0));
        let share = |seconds: f64| ((seconds - bounds.0) / (bounds.1 - bounds.0).max(1e-9)) as f32;
        let x = |seconds: f64| rect.left() + share(seconds).clamp(0.0, 1.0) * rect.width();
        let seconds = |x: f32| bounds.0 + f64::from(((x - rect.left()) / rect.width()).clamp(0.0, 1.0)) * (bounds.1 - bounds.0);
        let painter = ui.painter_at(whole);
        painter.rect_filled(rect, 3.0, tokens.pane);
        unobserved::shade(&painter, rect, &known.gaps, bounds, tokens.muted);
        let recording = Arc::clone(&known.recording);
        let key = recording.fingerprint.clone();
        if let Some(counts) = self.map.get(ui.ctx(), "time map", &key, move || overview(&recording, bounds)) {
            let most = counts.iter().copied().fold(1e-9, f32::max);
            let point = |(bin, count): (usize, &f32)| {
                let along = rect.left() + (bin as f32 + 0.5) / counts.len() as f32 * rect.width();
                pos2(along, rect.bottom() - 1.0 - count / most * (rect.height() - 3.0))
            };
            let bins: Vec<(usize, &f32)> = counts.iter().enumerate().collect();
            for part in bins.split(|(_, rate)| rate.is_nan()) {
                painter.add(Shape::line(part.iter().copied().map(point).collect(), Stroke::new(1.0, tokens.weak)));
            }
        }
        if let Some((start, stop)) = selection.looped {
            let band = Rect::from_x_y_ranges(x(start)..=x(stop).max(x(start) + 2.0), rect.top()..=rect.top() + 5.0);
            painter.rect_filled(band, 0.0, tokens.warning);
        }
        let time = Range::time(selection.window, bounds);
        let window = Rect::from_x_y_ranges(x(time.start)..=x(time.stop).max(x(time.start) + 3.0), rect.y_range());
        painter.rect_filled(window, 2.0, tokens.accent.gamma_multiply(0.18));
        painter.rect_stroke(window, 2.0, Stroke::new(1.5, tokens.accent), egui::StrokeKind::Inside);
        if let Some(cursor) = selection.cursor {
            painter.vline(x(cursor), rect.y_range(), Stroke::new(1.5, tokens.text));
        }
        let shown = format!("{} shown from {}", duration_text(time.width()), time_text(time.start, time.width() / 100.0));
        widgets::describe(&response, format!("Map of the whole recording, {} to {}: {shown}", end(bounds.0), end(bounds.1)));
        if response.has_focus() {
            painter.rect_stroke(rect, 3.0, Stroke::new(2.0, tokens.text), egui::StrokeKind::Inside);
            let arrows = egui::EventFilter { horizontal_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(response.id, arrows));
            let moved = by_keys(ui, time, selection.cursor);
            if moved != time {
                selection.window = moved.shown();
            }
        }
        if let Some(at) = response.interact_pointer_pos() {
            let here = seconds(at.x);
            let shift = ui.input(|i| i.modifiers.shift);
            if response.drag_started_by(PointerButton::Primary) && shift {
                self.loop_from = Some(here);
            }
            match self.loop_from {
                Some(from) => selection.looped = Some((from.min(here), from.max(here))),
                None if time.shown().is_some() => selection.window = time.centred(here).shown(),
                None => selection.cursor = Some(here),
            }
            if response.drag_stopped() {
                self.loop_from = None;
            }
        }
        let tip = "Click or drag to move the visible time; Shift-drag marks a stretch that playing repeats";
        response.on_hover_text(format!("{shown}\n{tip}"));
    }
}

/// Spikes per second of all units in equal bins; NaN where (next to) nothing was observed.
fn overview(recording: &Recording, (start, stop): (f64, f64)) -> Vec<f32> {
    let step = recording.spikes.n_spikes().div_ceil(MAP_SPIKES).max(1);
    let mut sum = vec![0.0; MAP_BINS];
    // Whole units are left out when there are too many spikes: the shape of activity shows with fewer.
    for unit in (0..recording.n_units()).step_by(step) {
        for (total, count) in sum.iter_mut().zip(binned(recording.spikes.unit(unit), start, stop, MAP_BINS)) {
            *total += count;
        }
    }
    let width = (stop - start) / MAP_BINS as f64;
    // Where a file does not say what was observed, a bin at the edge would seem busier than it is.
    let seconds = match recording.observed.is_empty() {
        true => vec![width; MAP_BINS],
        false => Observed::of(recording).per_bin(start, stop, MAP_BINS),
    };
    let least = 0.05 * seconds.iter().copied().fold(0.0, f64::max);
    sum.iter().zip(seconds).map(|(count, seconds)| if seconds > least { (f64::from(*count) / seconds) as f32 } else { f32::NAN }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{IntervalTable, RecordingParts, Source, SpikeTrains};

    fn recording() -> Arc<Recording> {
        let table = IntervalTable { name: "trials".into(), start: vec![10.0, 50.0], stop: vec![11.0, 51.0], columns: vec![] };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.0, 30.0, 100.0]]),
            unit_ids: vec!["0".into()],
            unit_areas: vec!["a".into()],
            tables: vec![table],
            ..RecordingParts::default()
        };
        Arc::new(Recording::new(parts, Source::File("x".into())).unwrap())
    }

    #[test]
    fn commands_move_the_window_and_the_cursor() {
        let (mut timeline, mut selection) = (Timeline::default(), Selection { window: Some((20.0, 24.0)), ..Selection::default() });
        timeline.execute(Command::Play, &mut selection);
        assert!(!selection.playback.playing, "nothing is known yet");
        timeline.follow(&recording(), &selection);
        let mut go = |command| {
            timeline.execute(command, &mut selection);
            selection.clone()
        };
        let step = |forward, stride| Command::StepTime { forward, stride };
        assert_eq!(go(step(true, Stride::Quarter)).window, Some((21.0, 25.0)));
        assert_eq!(go(step(false, Stride::Full)).window, Some((17.0, 21.0)));
        let fine = go(step(true, Stride::Fine)).window.unwrap();
        assert!((fine.0 - 17.08).abs() < 1e-9);
        let next = go(Command::NextEvent { forward: true });
        assert_eq!((next.cursor, next.window), (Some(50.0), Some((48.0, 52.0))));
        assert_eq!(go(Command::NextEvent { forward: false }).cursor, Some(10.0));
        let closer = go(Command::ZoomTime { closer: true }).window.unwrap();
        assert!((closer.1 - closer.0 - 2.0).abs() < 1e-9 && closer.0 < 10.0 && closer.1 > 10.0, "{closer:?}");
        assert!((go(Command::ZoomTime { closer: false }).window.unwrap().1 - 12.0).abs() < 1e-9);
        assert!((go(Command::TimeStart).window.unwrap().0 - timeline_start()).abs() < 1e-9);
        assert!(go(Command::Loop).looped.is_some() && go(Command::Loop).looped.is_none());
        assert!(go(Command::Play).playback.playing);
        let all = go(Command::AllTime);
        assert_eq!((all.window, all.playback.playing), (None, false));
    }

    fn timeline_start() -> f64 {
        time_bounds(&recording()).0
    }

    #[test]
    fn the_small_map_counts_every_spike_and_knows_what_was_not_observed() {
        let mut recording = (*recording()).clone();
        let bounds = time_bounds(&recording);
        let width = (bounds.1 - bounds.0) as f32 / MAP_BINS as f32;
        assert!((overview(&recording, bounds).iter().sum::<f32>() * width - 3.0).abs() < 1e-4);
        recording.observed = vec![(0.0, 50.0)];
        let rates = overview(&recording, bounds);
        assert!(rates.get(450).unwrap().is_nan() && rates.iter().filter(|r| **r > 0.0).count() == 2);
    }
}
