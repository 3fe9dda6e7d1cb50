//! A plot along the time of the recording that follows and drives the window's time window and cursor: wheel zooms at the
//! pointer, drag pans, a click puts the cursor, a double click shows everything, and with the focus the keys of time move it. The caller paints what is in it.

use eframe::egui::{self, Align2, FontId, PointerButton, Rect, Response, Sense, Stroke, Ui, pos2, vec2};

use super::Selection;
use super::raster::navigation::{Range, by_keys};
use crate::app::theme;
use crate::render::axis;

/// Where time goes on the screen.
pub struct TimePlot {
    /// The plot, without axis and gutter.
    pub rect: Rect,
    /// Left of the plot, for names of rows.
    pub gutter: Rect,
    /// Time shown.
    pub time: Range,
    /// Mouse and focus.
    pub response: Response,
}

/// Height below the plot for numbers and title.
const AXIS: f32 = 34.0;

impl TimePlot {
    /// Take the available space but `below` points, with a gutter of `gutter` points at the left, and let the mouse move time.
    pub fn new(ui: &mut Ui, id: &str, gutter: f32, below: f32, selection: &mut Selection, bounds: (f64, f64)) -> Self {
        let size = vec2(ui.available_width(), (ui.available_height() - below).max(AXIS + 30.0));
        let (whole, _) = ui.allocate_exact_size(size, Sense::hover());
        let gutter = gutter.min(whole.width() * 0.4);
        let rect = Rect::from_min_max(whole.min + vec2(gutter, 4.0), whole.max - vec2(8.0, AXIS));
        let gutter = Rect::from_min_max(pos2(whole.left(), rect.top()), pos2(rect.left() - 4.0, rect.bottom()));
        let response = ui.interact(rect, ui.scope_id().with(id), Sense::click_and_drag());
        let time = Range::time(selection.window, bounds);
        let mut plot = Self { rect, gutter, time, response };
        plot.mouse(ui, selection);
        plot
    }

    fn mouse(&mut self, ui: &Ui, selection: &mut Selection) {
        let before = self.time;
        if let Some(at) = self.response.hover_pos() {
            let (scroll, zoom) = ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta()));
            let factor = f64::from(zoom) * f64::from(scroll.y * 0.005).exp();
            if factor != 1.0 {
                self.time = self.time.zoomed(self.seconds(at.x), factor);
            }
            if scroll.x != 0.0 {
                self.time = self.time.moved(-f64::from(scroll.x / self.rect.width()) * self.time.width());
            }
        }
        if self.response.dragged_by(PointerButton::Primary) {
            self.time = self.time.moved(-f64::from(self.response.drag_delta().x / self.rect.width()) * self.time.width());
        }
        if self.response.double_clicked() {
            (self.time.start, self.time.stop) = self.time.bounds;
        } else if self.response.clicked()
            && let Some(at) = self.response.interact_pointer_pos()
        {
            selection.cursor = Some(self.seconds(at.x));
        }
        if self.response.has_focus() {
            let arrows = egui::EventFilter { horizontal_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(self.response.id, arrows));
            self.time = by_keys(ui, self.time, selection.cursor);
        }
        if self.time != before {
            selection.window = self.time.shown();
        }
    }

    /// Screen position of a time.
    pub fn x(&self, seconds: f64) -> f32 {
        self.rect.left() + ((seconds - self.time.start) / self.time.width()) as f32 * self.rect.width()
    }

    /// Time at a screen position, seconds.
    pub fn seconds(&self, x: f32) -> f64 {
        self.time.start + f64::from((x - self.rect.left()) / self.rect.width().max(1.0)) * self.time.width()
    }

    /// Part of the plot from one time to another.
    pub fn span(&self, start: f64, stop: f64) -> Rect {
        Rect::from_x_y_ranges(self.x(start)..=self.x(stop), self.rect.y_range())
    }

    /// Numbers and title of the time axis, the cursor, and what is highlighted.
    pub fn frame(&self, ui: &Ui, selection: &Selection) {
        let tokens = theme::of(ui);
        let painter = ui.painter();
        let axis = axis::time_axis(self.time.start, self.time.stop, ((self.rect.width() / 84.0) as usize).max(2));
        let line = Stroke::new(1.0, tokens.line);
        painter.hline(self.rect.x_range(), self.rect.bottom(), line);
        for (seconds, label) in &axis.ticks {
            let x = painter.round_to_pixel_center(self.x(*seconds));
            painter.vline(x, self.rect.bottom()..=self.rect.bottom() + 4.0, line);
            painter.text(pos2(x, self.rect.bottom() + 5.0), Align2::CENTER_TOP, label, FontId::proportional(11.0), tokens.weak);
        }
        let title = pos2(self.rect.center().x, self.rect.bottom() + AXIS);
        painter.text(title, Align2::CENTER_BOTTOM, axis.title, FontId::proportional(11.5), tokens.weak);
        let inside = ui.painter().with_clip_rect(self.rect.intersect(ui.clip_rect()));
        if let Some(cursor) = selection.cursor {
            inside.vline(self.x(cursor), self.rect.y_range(), Stroke::new(1.5, tokens.accent));
        }
        if self.response.has_focus() {
            painter.rect_stroke(self.rect, 0.0, Stroke::new(1.5, tokens.accent), egui::StrokeKind::Outside);
        }
    }
}
