//! Where the raster looks: zoom, pan and jump as plain arithmetic on a range within bounds (time in seconds, or rows).

use eframe::egui::{Key, Modifiers, Ui};

use crate::recording::Recording;

/// A visible range and the limits it stays within.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Low edge.
    pub start: f64,
    /// High edge.
    pub stop: f64,
    /// What can be seen at most.
    pub bounds: (f64, f64),
    /// Narrowest width.
    pub least: f64,
}

/// Narrowest time window, seconds.
const LEAST_WINDOW_S: f64 = 5e-4;

impl Range {
    /// A time window; `None` shows everything.
    pub fn time(window: Option<(f64, f64)>, bounds: (f64, f64)) -> Self {
        Self::new(window, bounds, LEAST_WINDOW_S)
    }

    /// A range of `n` rows; `None` shows all.
    pub fn rows(rows: Option<(f64, f64)>, n: usize) -> Self {
        Self::new(rows, (0.0, n.max(1) as f64), 1.0)
    }

    fn new(shown: Option<(f64, f64)>, bounds: (f64, f64), least: f64) -> Self {
        let (start, stop) = shown.unwrap_or(bounds);
        Self { start, stop, bounds, least }.kept()
    }

    /// Width.
    pub fn width(&self) -> f64 {
        self.stop - self.start
    }

    /// What to store: `None` when everything is visible.
    pub fn shown(&self) -> Option<(f64, f64)> {
        let slack = 1e-9 * (self.bounds.1 - self.bounds.0);
        let all = self.start <= self.bounds.0 + slack && self.stop >= self.bounds.1 - slack;
        (!all).then_some((self.start, self.stop))
    }

    /// Within bounds, not too narrow, finite.
    fn kept(self) -> Self {
        let (low, high) = self.bounds;
        if !self.start.is_finite() || !self.stop.is_finite() {
            return Self { start: low, stop: high, ..self };
        }
        let full = high - low;
        let width = (self.stop - self.start).clamp(self.least.min(full), full);
        let middle = (self.start + self.stop) / 2.0;
        let start = (middle - width / 2.0).clamp(low, (high - width).max(low));
        Self { start, stop: start + width, ..self }
    }

    /// Zoom by `factor` (2 shows half as much) so that `at` stays where it is.
    pub fn zoomed(self, at: f64, factor: f64) -> Self {
        let width = (self.width() / factor.clamp(1e-6, 1e6)).clamp(self.least, (self.bounds.1 - self.bounds.0).max(self.least));
        let share = ((at - self.start) / self.width()).clamp(0.0, 1.0);
        let start = at - share * width;
        Self { start, stop: start + width, ..self }.kept()
    }

    /// Move by `by`.
    pub fn moved(self, by: f64) -> Self {
        Self { start: self.start + by, stop: self.stop + by, ..self }.kept()
    }

    /// The same width, centred on `on`.
    pub fn centred(self, on: f64) -> Self {
        self.moved(on - (self.start + self.stop) / 2.0)
    }

    /// From `a` to `b` in either order.
    pub fn between(self, a: f64, b: f64) -> Self {
        Self { start: a.min(b), stop: a.max(b), ..self }.kept()
    }
}

/// One press of the key that zooms shows this many times less.
pub const ZOOM_STEP: f64 = 2.0;

/// Time that stays where it is when keys zoom: the cursor in view, else the middle.
pub fn zoom_at(time: &Range, cursor: Option<f64>) -> f64 {
    cursor.filter(|c| (time.start..=time.stop).contains(c)).unwrap_or((time.start + time.stop) / 2.0)
}

/// The time window after the keys of this frame: left and right step a quarter of it (Shift all of it, Alt a fiftieth), Home and End go
/// to the ends, Z zooms in and Shift+Z out. For plots that have the focus.
pub fn by_keys(ui: &Ui, mut time: Range, cursor: Option<f64>) -> Range {
    let pressed = |modifiers: Modifiers, key: Key| ui.input_mut(|i| i.consume_key(modifiers, key));
    for (key, sign) in [(Key::ArrowLeft, -1.0), (Key::ArrowRight, 1.0)] {
        // The more specific first: a pattern without modifiers also matches with Shift or Alt.
        for (modifiers, share) in [(Modifiers::SHIFT, 1.0), (Modifiers::ALT, 0.02), (Modifiers::NONE, 0.25)] {
            if pressed(modifiers, key) {
                time = time.moved(sign * share * time.width());
            }
        }
    }
    if pressed(Modifiers::NONE, Key::Home) {
        time = time.moved(time.bounds.0 - time.start);
    }
    if pressed(Modifiers::NONE, Key::End) {
        time = time.moved(time.bounds.1 - time.stop);
    }
    // Ctrl+Z is undo and not asked for here.
    if !ui.input(|i| i.modifiers.command) {
        for (modifiers, factor) in [(Modifiers::SHIFT, 1.0 / ZOOM_STEP), (Modifiers::NONE, ZOOM_STEP)] {
            if pressed(modifiers, Key::Z) {
                time = time.zoomed(zoom_at(&time, cursor), factor);
            }
        }
    }
    time
}

/// First to last of everything that has a time, a little wider, so that spikes at the ends can be seen.
pub fn time_bounds(recording: &Recording) -> (f64, f64) {
    let stretches = recording.observed.iter().copied();
    let (first, last) = recording
        .time_range()
        .into_iter()
        .chain(stretches)
        .filter(|(a, b)| a.is_finite() && b.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (a, b)| (low.min(a), high.max(b)));
    if first > last {
        return (0.0, 1.0);
    }
    let margin = (0.002 * (last - first)).max(1e-3);
    (first - margin, last + margin)
}

/// Stretches of `bounds` in which nothing was observed; none when the recording does not say.
pub fn gaps(observed: &[(f64, f64)], bounds: (f64, f64)) -> Vec<(f64, f64)> {
    if observed.is_empty() {
        return Vec::new();
    }
    let mut gaps = Vec::new();
    let mut end = bounds.0;
    for &(start, stop) in observed {
        // Less than a millisecond is rounding of the file, not a gap.
        if start - end > 1e-3 {
            gaps.push((end, start));
        }
        end = end.max(stop);
    }
    if bounds.1 - end > 1e-3 {
        gaps.push((end, bounds.1));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: f64, stop: f64) -> Range {
        Range::time(Some((start, stop)), (0.0, 100.0))
    }

    #[test]
    fn zoom_keeps_the_time_under_the_pointer() {
        let zoomed = range(20.0, 60.0).zoomed(30.0, 2.0);
        assert_eq!((zoomed.start, zoomed.stop), (25.0, 45.0));
        let out = range(20.0, 60.0).zoomed(30.0, 0.1);
        assert_eq!(out.shown(), None);
        let deep = (0..200).fold(range(0.0, 100.0), |r, _| r.zoomed(12.5, 1.5));
        assert!((deep.width() - LEAST_WINDOW_S).abs() < 1e-12 && deep.start <= 12.5 && deep.stop >= 12.5);
    }

    #[test]
    fn moves_end_at_the_bounds() {
        assert_eq!(range(20.0, 60.0).moved(-50.0).shown(), Some((0.0, 40.0)));
        assert_eq!(range(20.0, 60.0).moved(70.0).shown(), Some((60.0, 100.0)));
        assert_eq!(range(20.0, 60.0).centred(50.0).shown(), Some((30.0, 70.0)));
        assert_eq!(range(20.0, 60.0).between(12.0, 3.0).shown(), Some((3.0, 12.0)));
        assert_eq!(range(f64::NAN, 60.0).shown(), None);
        assert_eq!(range(-50.0, 500.0).shown(), None);
        assert_eq!(Range::rows(Some((3.0, 3.2)), 10).width(), 1.0);
        assert_eq!(Range::rows(None, 0).width(), 1.0);
    }

    #[test]
    fn gaps_are_what_was_not_observed() {
        assert_eq!(gaps(&[], (0.0, 10.0)), []);
        assert_eq!(gaps(&[(1.0, 3.0), (3.0, 4.0), (6.0, 10.0)], (0.0, 10.0)), [(0.0, 1.0), (4.0, 6.0)]);
        assert_eq!(gaps(&[(0.0, 8.0), (2.0, 3.0)], (0.0, 10.0)), [(8.0, 10.0)]);
    }
}
