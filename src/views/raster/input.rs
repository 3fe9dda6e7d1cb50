//! Keys and mouse of the raster, as its help describes them.

use std::collections::BTreeSet;

use eframe::egui::{self, Key, Modifiers, PointerButton, Pos2, Rect, Response, Ui};

use super::data::RasterData;
use super::layout::Layout;
use super::navigation::Range;
use super::panel::Panel;
use super::{Dragged, RasterView, events, plot_id};
use crate::views::Playback;

impl RasterView {
    /// Keys, while the raster has the focus or the pointer is over it and nothing else has the focus.
    pub(super) fn keys(&mut self, ui: &Ui, panel: &mut Panel, playback: &mut Playback, time: &mut Range, rows: &mut Range) {
        let id = plot_id(ui);
        let focused = ui.memory(|m| m.focused());
        let mine = focused == Some(id) || (focused.is_none() && ui.rect_contains_pointer(ui.max_rect()));
        if !mine || ui.ctx().any_popup_open() {
            return;
        }
        let pressed = |modifiers: Modifiers, key: Key| ui.input_mut(|i| i.consume_key(modifiers, key));
        for (key, sign) in [(Key::ArrowLeft, -1.0), (Key::ArrowRight, 1.0)] {
            // The more specific first: a pattern without modifiers also matches with Shift or Alt.
            for (modifiers, share) in [(Modifiers::SHIFT, 1.0), (Modifiers::ALT, 0.02), (Modifiers::NONE, 0.25)] {
                if pressed(modifiers, key) {
                    *time = time.moved(sign * share * time.width());
                }
            }
        }
        if pressed(Modifiers::NONE, Key::Home) {
            *time = time.moved(time.bounds.0 - time.start);
        }
        if pressed(Modifiers::NONE, Key::End) {
            *time = time.moved(time.bounds.1 - time.stop);
        }
        if pressed(Modifiers::NONE, Key::Space) && self.trials.is_none() {
            playback.playing = !playback.playing;
        }
        if pressed(Modifiers::NONE, Key::G) {
            self.toolbar.focus_go_to = true;
        }
        if pressed(Modifiers::NONE, Key::R) {
            fit(time, rows);
            playback.playing &= self.trials.is_some();
        }
        for (key, forward) in [(Key::Period, true), (Key::Comma, false)] {
            if pressed(Modifiers::NONE, key) {
                to_event(&panel.data, &mut panel.cursor, time, forward);
            }
        }
    }

    /// Wheel, drags and double-clicks.
    #[expect(clippy::too_many_arguments, reason = "one frame's state, taken apart so that it can be borrowed separately")]
    pub(super) fn mouse(
        &mut self,
        ui: &Ui,
        response: &Response,
        gutter: &Response,
        layout: &Layout,
        panel: &mut Panel,
        time: &mut Range,
        rows: &mut Range,
    ) {
        let (scroll, zoom, modifiers) = ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta(), i.modifiers));
        if let Some(at) = response.hover_pos() {
            let factor = f64::from(zoom) * f64::from(scroll.y * 0.005).exp();
            if factor != 1.0 {
                *time = time.zoomed(layout.seconds(time, at.x), factor);
            }
            if scroll.x != 0.0 {
                *time = time.moved(-f64::from(scroll.x / layout.plot.width()) * time.width());
            }
        }
        if let Some(at) = gutter.hover_pos() {
            let factor = f64::from(zoom) * f64::from(scroll.y * 0.005).exp();
            if factor != 1.0 {
                *rows = rows.zoomed(layout.row(rows, at.y), factor);
            }
        }
        let primary = response.drag_started_by(PointerButton::Primary);
        if let Some(from) = ui.input(|i| i.pointer.press_origin()) {
            if response.drag_started_by(PointerButton::Secondary) || (primary && modifiers.shift) {
                self.dragged = Some(Dragged::Zoom(from));
            } else if primary && modifiers.command {
                self.dragged = Some(Dragged::Select(from));
            }
        }
        let is_box = matches!(self.dragged, Some(Dragged::Zoom(_) | Dragged::Select(_)));
        if response.drag_stopped() {
            let to = response.interact_pointer_pos();
            match (self.dragged.take(), to) {
                (Some(Dragged::Zoom(from)), Some(to)) => zoom_into(layout, time, rows, from, to),
                (Some(Dragged::Select(from)), Some(to)) => {
                    panel.selected = rows_between(&panel.data, layout.row(rows, from.y), layout.row(rows, to.y));
                }
                _ => {}
            }
        } else if !is_box && response.dragged_by(PointerButton::Primary) {
            let by = response.drag_delta();
            *time = time.moved(-f64::from(by.x / layout.plot.width()) * time.width());
            *rows = rows.moved(-f64::from(by.y / layout.plot.height()) * rows.width());
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
        }
        if response.double_clicked_by(PointerButton::Primary) {
            fit(time, rows);
        }
    }
}

/// Units of all rows between two heights.
fn rows_between(data: &RasterData, a: f64, b: f64) -> BTreeSet<usize> {
    let (top, bottom) = (a.min(b).max(0.0).floor() as usize, a.max(b).max(0.0).ceil() as usize);
    (top..bottom.min(data.rows.len())).filter_map(|row| data.rows.unit(row)).collect()
}

/// A click on the row of `unit`: alone, in addition (Shift), in addition or no longer (Ctrl).
pub(super) fn select(selected: &mut BTreeSet<usize>, unit: usize, modifiers: Modifiers) {
    // A second click on the only selected unit takes the selection back.
    let only = selected.len() == 1 && selected.contains(&unit);
    if modifiers.command {
        if !selected.remove(&unit) {
            selected.insert(unit);
        }
    } else if modifiers.shift {
        selected.insert(unit);
    } else {
        selected.clear();
        if !only {
            selected.insert(unit);
        }
    }
}

/// Show everything.
pub(super) fn fit(time: &mut Range, rows: &mut Range) {
    (time.start, time.stop) = time.bounds;
    (rows.start, rows.stop) = rows.bounds;
}

fn zoom_into(layout: &Layout, time: &mut Range, rows: &mut Range, from: Pos2, to: Pos2) {
    let rect = Rect::from_two_pos(from, to).intersect(layout.plot);
    let (left, right) = (layout.seconds(time, rect.left()), layout.seconds(time, rect.right()));
    let (top, bottom) = (layout.row(rows, rect.top()), layout.row(rows, rect.bottom()));
    if rect.width() > 4.0 {
        *time = time.between(left, right);
    }
    // A flat box is meant for time alone.
    if rect.height() > 12.0 {
        *rows = rows.between(top.floor(), bottom.ceil());
    }
}

/// Show a time and put the cursor on it.
pub(super) fn go_to(cursor: &mut Option<f64>, time: &mut Range, seconds: f64) {
    *cursor = Some(seconds.clamp(time.bounds.0, time.bounds.1));
    if time.shown().is_none() {
        // From the full view nothing would move; look at ten seconds around the time.
        let half = 5.0f64.min((time.bounds.1 - time.bounds.0) / 4.0);
        *time = time.between(seconds - half, seconds + half);
    }
    *time = time.centred(seconds);
}

/// Go to the next (`forward`) or previous event.
pub(super) fn to_event(data: &RasterData, cursor: &mut Option<f64>, time: &mut Range, forward: bool) {
    let now = cursor.filter(|c| *c >= time.start && *c <= time.stop).unwrap_or((time.start + time.stop) / 2.0);
    if let Some((seconds, _)) = events::neighbour(&data.event_times, now, forward) {
        go_to(cursor, time, seconds);
    }
}
