//! Keys and mouse of the raster, as its help describes them.

use std::collections::BTreeSet;

use eframe::egui::{self, Key, Modifiers, PointerButton, Pos2, Rect, Response, Ui};

use super::data::RasterData;
use super::layout::Layout;
use super::navigation::{Range, by_keys};
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
        *time = by_keys(ui, *time, panel.cursor);
        if pressed(Modifiers::NONE, Key::Space) && self.trials.is_none() {
            playback.playing = !playback.playing;
        }
        if ui.input(|i| i.modifiers.is_none() && i.key_pressed(Key::G)) {
            // The bar below the views asks for the time; it looks at keys that nothing else has the focus for.
            ui.memory_mut(|m| m.surrender_focus(id));
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
        let higher = pressed(Modifiers::NONE, Key::Plus) || pressed(Modifiers::NONE, Key::Equals);
        if higher || pressed(Modifiers::NONE, Key::Minus) {
            let middle = panel.at_row.map_or((rows.start + rows.stop) / 2.0, |row| row as f64 + 0.5);
            *rows = rows.zoomed(middle.clamp(rows.start, rows.stop), if higher { 1.5 } else { 1.0 / 1.5 });
        }
        for (key, sign) in [(Key::PageUp, -1.0), (Key::PageDown, 1.0)] {
            if pressed(Modifiers::NONE, key) {
                *rows = rows.moved(sign * 0.9 * rows.width());
            }
        }
    }

    /// Up and down go from row to row, as a click on it would: the new row is selected (Shift adds) and kept in view. Returns the
    /// unit of a row that was gone to. Only while the raster itself has the focus.
    pub(super) fn row_keys(ui: &Ui, panel: &mut Panel, rows: &mut Range) -> Option<usize> {
        if ui.memory(|m| m.focused()) != Some(plot_id(ui)) || ui.ctx().any_popup_open() {
            return None;
        }
        let pressed = |key: Key| {
            // With Shift first: a pattern without modifiers also matches with it.
            let with = |modifiers| ui.input_mut(|i| i.consume_key(modifiers, key));
            if with(Modifiers::SHIFT) { Some(true) } else { with(Modifiers::NONE).then_some(false) }
        };
        let (down, add) = match (pressed(Key::ArrowDown), pressed(Key::ArrowUp)) {
            (Some(add), _) => (true, add),
            (_, Some(add)) => (false, add),
            _ => return None,
        };
        let data = &panel.data;
        let first_selected = || panel.selected.iter().filter_map(|unit| data.rows.row(*unit)).min();
        let now = panel.at_row.filter(|row| data.rows.unit(*row).is_some_and(|u| panel.selected.contains(&u))).or_else(first_selected);
        let row = match (now, down) {
            (Some(row), true) => (row + 1..data.rows.len()).find(|row| data.rows.unit(*row).is_some())?,
            (Some(row), false) => (0..row).rev().find(|row| data.rows.unit(*row).is_some())?,
            (None, _) => (rows.start.max(0.0) as usize..data.rows.len()).find(|row| data.rows.unit(*row).is_some())?,
        };
        let unit = data.rows.unit(row)?;
        if !add {
            panel.selected.clear();
        }
        panel.selected.insert(unit);
        panel.at_row = Some(row);
        let (top, bottom) = (row as f64, row as f64 + 1.0);
        if top < rows.start {
            *rows = rows.moved(top - rows.start);
        } else if bottom > rows.stop {
            *rows = rows.moved(bottom - rows.stop);
        }
        Some(unit)
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
