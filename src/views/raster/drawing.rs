//! Everything around the spikes: groups, unit ids, time axis, population rate, collapsed groups, events, gaps, notes.

use eframe::egui::{self, Align2, Color32, Rect, Stroke, pos2, vec2};

use super::data::RasterData;
use super::layout::{Layout, Pen, visible_rows};
use super::navigation::Range;
use super::picture::Drawn;
use crate::analysis::observed::Coverage;
use crate::render::axis::{self, duration_text, grouped};
use crate::render::{Band, DensityGrid, unobserved};
use crate::views::shown_area;

/// Name of a group, or of an area, as shown.
pub fn band_name(band: &Band) -> &str {
    shown_area(&band.name)
}

/// Name and number of units of a group.
pub fn band_label(data: &RasterData, band: &Band) -> String {
    let name = if data.rows.bands.len() == 1 && band.name.is_empty() { "all" } else { band_name(band) };
    format!("{name} ({})", band.units.len())
}

/// Behind the spikes (on the pane's own background: a large fill costs milliseconds on software Vulkan): gaps in observation, grid,
/// selected rows, the chosen trial.
pub fn backdrop(
    pen: &Pen<'_>,
    layout: &Layout,
    data: &RasterData,
    time: &Range,
    rows: &Range,
    selected: impl Iterator<Item = usize>,
    spans: &[(f64, f64)],
) {
    let (painter, plot) = (pen.painter.with_clip_rect(layout.plot), layout.plot);
    for row in selected.filter_map(|unit| data.rows.row(unit)) {
        let (top, bottom) = (layout.y(rows, row as f64), layout.y(rows, row as f64 + 1.0));
        let rect = Rect::from_min_max(pos2(plot.left(), top), pos2(plot.right(), bottom.max(top + 2.0)));
        painter.rect_filled(rect, 0.0, pen.style.selected);
    }
    for &(start, stop) in spans.iter().filter(|(a, b)| *b > time.start && *a < time.stop) {
        let rect = Rect::from_min_max(pos2(layout.x(time, start), plot.top()), pos2(layout.x(time, stop), plot.bottom()));
        painter.rect_filled(rect, 0.0, pen.style.selected);
    }
    unobserved::shade(&painter, plot, &data.gaps, (time.start, time.stop), pen.style.shade);
    for &(start, stop) in unobserved::between(&data.gaps, time.start, time.stop) {
        let (left, right) = (layout.x(time, start).max(plot.left()), layout.x(time, stop).min(plot.right()));
        if right - left > 84.0 {
            let at = pos2((left + right) / 2.0, plot.top() + 4.0);
            pen.line(at, Align2::CENTER_TOP, "not observed", &pen.small, pen.style.weak, right - left);
        }
    }
}

/// The visible part of a group beside the plot: its rows' height, from the left of the gutter to the plot.
pub fn band_rect(layout: &Layout, rows: &Range, band: &Band) -> Option<Rect> {
    let top = layout.y(rows, band.rows.start as f64).max(layout.gutter.top());
    let bottom = layout.y(rows, band.rows.end as f64).min(layout.gutter.bottom());
    let rect = Rect::from_min_max(pos2(layout.gutter.left(), top), pos2(layout.gutter.right(), bottom));
    (bottom - top >= 0.5).then_some(rect)
}

/// Beside the spikes: groups with their colours and names (the triangle collapses), unit ids where rows are high enough.
pub fn gutter(pen: &Pen<'_>, layout: &Layout, data: &RasterData, rows: &Range, dragged: Option<usize>) {
    let gutter = layout.gutter;
    let names = pen.painter.with_clip_rect(gutter.expand2(vec2(0.0, 6.0)));
    let pen = &Pen { painter: &names, style: pen.style, small: pen.small.clone(), tiny: pen.tiny.clone() };
    let bar_right = gutter.right() - layout.ids - 4.0;
    for (place, band) in data.rows.bands.iter().enumerate() {
        let Some(rect) = band_rect(layout, rows, band) else { continue };
        if dragged == Some(place) {
            pen.painter.rect_filled(rect.with_max_x(bar_right), 2.0, pen.style.selected);
        }
        let room = if rect.height() > 3.0 { 1.0 } else { 0.0 };
        let bar = Rect::from_min_max(pos2(bar_right - 4.0, rect.top() + room / 2.0), pos2(bar_right, rect.bottom() - room / 2.0));
        pen.painter.rect_filled(bar, 1.0, data.group_color(pen.style, band.group));
        if rect.height() >= 12.0 {
            let at = pos2(bar_right - 9.0, rect.center().y);
            pen.line(at, Align2::RIGHT_CENTER, &band_label(data, band), &pen.small, pen.style.text, at.x - gutter.left() - 12.0);
            triangle(pen, pos2(gutter.left() + 5.0, at.y), band.collapsed);
        }
    }
    if layout.ids > 0.0 {
        for (row, id) in visible_rows(data, rows) {
            let y = layout.y(rows, row as f64 + 0.5);
            if y > gutter.top() && y < gutter.bottom() {
                pen.line(pos2(gutter.right() - 5.0, y), Align2::RIGHT_CENTER, &id, &pen.tiny, pen.style.weak, layout.ids - 6.0);
            }
        }
    }
}

/// Points right when a click opens, down when it collapses.
fn triangle(pen: &Pen<'_>, at: egui::Pos2, collapsed: bool) {
    let corners = if collapsed {
        vec![at + vec2(-2.0, -4.0), at + vec2(3.0, 0.0), at + vec2(-2.0, 4.0)]
    } else {
        vec![at + vec2(-4.0, -2.0), at + vec2(4.0, -2.0), at + vec2(0.0, 3.0)]
    };
    pen.painter.add(egui::Shape::convex_polygon(corners, pen.style.weak, Stroke::NONE));
}

/// In collapsed groups: the mean rate of their units.
pub fn folded(pen: &Pen<'_>, layout: &Layout, data: &RasterData, drawn: &Drawn, time: &Range, rows: &Range) {
    for (slot, band) in data.rows.folded(&drawn.slots, rows.stop) {
        let Some(rect) = band_rect(layout, rows, band) else { continue };
        let rect = Rect::from_min_max(pos2(layout.plot.left(), rect.top()), pos2(layout.plot.right(), rect.bottom()));
        let mean = MeanRate::of_slot(drawn, slot, band, data);
        let top = if rect.height() > 26.0 { 11.0 } else { 1.0 };
        bars(
            &pen.painter.with_clip_rect(rect),
            layout,
            rect.with_min_y(rect.top() + top),
            time,
            &mean,
            data.group_color(pen.style, band.group),
        );
        if top > 1.0 {
            let text = format!("mean of {} {}s, up to {}", grouped(band.units.len() as u64), data.row_name, rate_text(mean.most_hz()));
            pen.line(rect.left_top() + vec2(4.0, 0.0), Align2::LEFT_TOP, &text, &pen.tiny, pen.style.weak, rect.width());
        }
    }
}

/// Over the spikes: borders between groups, event marks, cursor, frame. Returns a note when there are too many events to mark.
pub fn overlay(pen: &Pen<'_>, layout: &Layout, data: &RasterData, time: &Range, rows: &Range, cursor: Option<f64>) -> Option<String> {
    let (plot, style) = (layout.plot, pen.style);
    let painter = pen.painter.with_clip_rect(plot.union(layout.strip.unwrap_or(plot)));
    for band in data.rows.bands.iter().skip(1) {
        let y = layout.y(rows, band.rows.start as f64);
        if y > plot.top() && y < plot.bottom() {
            painter.hline(plot.x_range(), painter.round_to_pixel_center(y), Stroke::new(1.0, style.line));
        }
    }
    let events = super::events::between(&data.event_times, time.start, time.stop);
    let crowded = events.len() as f32 > plot.width() / 5.0;
    if !crowded {
        let top = layout.strip.map_or(plot.top(), |s| s.top());
        let labelled = layout.strip.is_some() && events.windows(2).all(|pair| layout.x(time, pair[1].0) - layout.x(time, pair[0].0) > 30.0);
        for &(seconds, row) in events {
            let x = painter.round_to_pixel_center(layout.x(time, seconds));
            painter.vline(x, top..=plot.bottom(), Stroke::new(1.0, style.event.gamma_multiply(0.5)));
            if labelled {
                let name = if data.row_name == "unit" {
                    row.to_string()
                } else {
                    data.events.as_ref().map_or(String::new(), |e| e.column.clone())
                };
                painter.text(pos2(x + 3.0, top), Align2::LEFT_TOP, name, pen.tiny.clone(), style.weak);
            }
        }
    }
    if let Some(seconds) = cursor.filter(|c| *c >= time.start && *c <= time.stop) {
        painter.vline(painter.round_to_pixel_center(layout.x(time, seconds)), plot.y_range(), Stroke::new(1.5, style.accent));
    }
    pen.painter.rect_stroke(plot, 0.0, Stroke::new(1.0, style.line), egui::StrokeKind::Outside);
    crowded.then(|| format!("{} events, zoom in to see their marks", grouped(events.len() as u64)))
}

/// Tick labels and the axis title.
pub fn time_axis(pen: &Pen<'_>, layout: &Layout, time: &Range, event: Option<&str>) {
    let most = ((layout.plot.width() / 84.0) as usize).max(2);
    let axis = axis::time_axis(time.start, time.stop, most);
    for (seconds, label) in &axis.ticks {
        let x = pen.painter.round_to_pixel_center(layout.x(time, *seconds));
        pen.painter.vline(x, layout.axis.top()..=layout.axis.top() + 4.0, Stroke::new(1.0, pen.style.line));
        let half = pen.width(label, &pen.small) / 2.0;
        let x = x.min(layout.axis.right() - half);
        pen.painter.text(pos2(x, layout.axis.top() + 5.0), Align2::CENTER_TOP, label, pen.small.clone(), pen.style.weak);
    }
    let title = event.map_or(axis.title.to_owned(), |event| axis.title.replace("time", &format!("time from {event}")));
    pen.painter.text(layout.notes.right_center() - vec2(10.0, 0.0), Align2::RIGHT_CENTER, title, pen.small.clone(), pen.style.text);
}

/// The line below the axis; `most` is the count of the last colour when colours are counts.
pub fn notes(pen: &Pen<'_>, layout: &Layout, text: &str, most: Option<u32>) {
    let middle = layout.notes.center().y;
    let mut right = layout.notes.right() - 90.0;
    if let Some(most) = most {
        let (low, high) = ("1".to_owned(), format!("{} spikes, square-root scale", grouped(u64::from(most))));
        let wide = [&low, &high].map(|t| pen.width(t, &pen.small));
        let bar = Rect::from_min_max(pos2(right - wide[1] - 100.0, middle - 4.0), pos2(right - wide[1] - 16.0, middle + 4.0));
        if bar.left() - wide[0] > layout.notes.left() + 160.0 {
            let mut mesh = egui::Mesh::default();
            for k in 0..42u16 {
                let left = bar.left() + 2.0 * f32::from(k);
                // Colour begins at one spike: the square root of 1 / most.
                let least = (1.0 / f64::from(most.max(1))).sqrt();
                let color = pen.style.sequential(least + (1.0 - least) * f64::from(k) / 41.0);
                mesh.add_colored_rect(Rect::from_min_max(pos2(left, bar.top()), pos2(left + 2.0, bar.bottom())), color);
            }
            pen.painter.add(mesh);
            pen.painter.text(bar.left_center() - vec2(5.0, 0.0), Align2::RIGHT_CENTER, low, pen.small.clone(), pen.style.weak);
            pen.painter.text(bar.right_center() + vec2(5.0, 0.0), Align2::LEFT_CENTER, high, pen.small.clone(), pen.style.weak);
            right = bar.left() - wide[0] - 18.0;
        }
    }
    pen.line(pos2(layout.notes.left() + 2.0, middle), Align2::LEFT_CENTER, text, &pen.small, pen.style.weak, right - layout.notes.left());
}

/// Spikes per second of observed time in bins of at least two pixels: of all units together, or the mean of a group.
pub struct MeanRate {
    /// Start of the first bin, seconds.
    pub start: f64,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Rate per bin in Hz; NaN where (next to) nothing was observed.
    pub rates: Vec<f64>,
}

impl MeanRate {
    /// Of all units together.
    pub fn of_all(drawn: &Drawn, data: &RasterData) -> Self {
        Self::new(&drawn.grid, drawn.px_per_column, 1.0, &data.coverage, |column| drawn.grid.all.get(column).copied().unwrap_or(0))
    }

    /// Mean over the units of a collapsed group, which share a slot.
    pub fn of_slot(drawn: &Drawn, slot: usize, band: &Band, data: &RasterData) -> Self {
        let coverage = data.group_coverage.get(&band.name).unwrap_or(&data.coverage);
        Self::new(&drawn.grid, drawn.px_per_column, band.units.len().max(1) as f64, coverage, |column| drawn.grid.at(column, slot))
    }

    fn new(grid: &DensityGrid, px_per_column: f64, units: f64, coverage: &Coverage, count: impl Fn(usize) -> u32) -> Self {
        let together = (2.0 / px_per_column.max(1e-3)).ceil().clamp(1.0, 4096.0) as usize;
        let bin_s = together as f64 * grid.column_s;
        // Bins lie at multiples of their width, so that they stay what they are while panning.
        let first = (grid.start / bin_s).floor();
        let skipped = ((grid.start - first * bin_s) / grid.column_s).round() as usize;
        let mut sums = vec![0u64; (grid.columns + skipped).div_ceil(together)];
        for column in 0..grid.columns {
            if let Some(sum) = sums.get_mut((column + skipped) / together) {
                *sum += u64::from(count(column));
            }
        }
        let start = grid.start - skipped as f64 * grid.column_s;
        let edge = |bin: usize| start + bin as f64 * bin_s;
        let seen: Vec<f64> = (0..sums.len()).map(|bin| coverage.seconds(edge(bin), edge(bin + 1))).collect();
        // A sliver of observed time at the edge of a gap says next to nothing about the rate.
        let least = 0.05 * seen.iter().copied().fold(0.0, f64::max);
        let rate = |(sum, seen): (&u64, &f64)| if *seen > least { *sum as f64 / (units * seen) } else { f64::NAN };
        Self { start, bin_s, rates: sums.iter().zip(&seen).map(rate).collect() }
    }

    /// The highest rate.
    pub fn most_hz(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    /// Bin at a time and its rate; not for bins that stick out of the picture.
    pub fn at(&self, seconds: f64) -> Option<(f64, f64)> {
        let bin = (seconds - self.start) / self.bin_s;
        let bin = (bin >= 0.0).then_some(bin as usize)?;
        Some((self.start + bin as f64 * self.bin_s, *self.rates.get(bin)?))
    }
}

fn bars(painter: &egui::Painter, layout: &Layout, rect: Rect, time: &Range, rate: &MeanRate, color: Color32) {
    let most = rate.most_hz().max(1e-12);
    let mut mesh = egui::Mesh::default();
    for (k, hz) in rate.rates.iter().enumerate().filter(|(_, hz)| **hz > 0.0) {
        let left = layout.x(time, rate.start + k as f64 * rate.bin_s);
        let right = layout.x(time, rate.start + (k + 1) as f64 * rate.bin_s);
        let height = rect.height() * (hz / most) as f32;
        mesh.add_colored_rect(Rect::from_min_max(pos2(left, rect.bottom() - height), pos2(right, rect.bottom())), color);
    }
    painter.add(mesh);
}

/// Draw the rate of all units together.
pub fn population(pen: &Pen<'_>, layout: &Layout, data: &RasterData, rect: Rect, time: &Range, rate: &MeanRate) {
    let (painter, style) = (pen.painter.with_clip_rect(rect), pen.style);
    unobserved::shade(&painter, rect, &data.gaps, (time.start, time.stop), style.shade);
    bars(&painter, layout, rect.with_min_y(rect.top() + 12.0), time, rate, style.event);
    pen.painter.hline(rect.x_range(), pen.painter.round_to_pixel_center(rect.bottom()), Stroke::new(1.0, style.line));
    let label = |y: f32, text: &str, color| {
        pen.line(pos2(rect.left() - 5.0, y), Align2::RIGHT_CENTER, text, &pen.tiny, color, layout.gutter.width() - 8.0)
    };
    if rate.most_hz() > 0.0 {
        label(rect.top() + 12.0, &rate_text(rate.most_hz()), style.weak);
    }
    label(rect.top() + 24.0, &format!("all {}s", data.row_name), style.weak);
    label(rect.bottom() - 3.0, "0", style.weak);
    let bins = format!("bins of {}", duration_text(rate.bin_s));
    let at = rect.right_top() + vec2(-3.0, 0.0);
    let width = pen.width(&bins, &pen.tiny);
    let behind = Rect::from_min_max(pos2(at.x - width - 3.0, at.y), pos2(rect.right(), at.y + pen.tiny.size + 3.0));
    painter.rect_filled(behind, 2.0, style.paper.gamma_multiply(0.8));
    painter.text(at, Align2::RIGHT_TOP, bins, pen.tiny.clone(), style.weak);
}

/// A rate as text.
pub fn rate_text(hz: f64) -> String {
    match hz {
        r if r.is_nan() => "not observed".to_owned(),
        r if r >= 1e4 => format!("{:.0} kHz", r / 1e3),
        r if r >= 1e3 => format!("{:.1} kHz", r / 1e3),
        r if r >= 10.0 || r == 0.0 => format!("{r:.0} Hz"),
        r => format!("{r:.1} Hz"),
    }
}

/// Unit at a row, with its id and group in words.
pub fn unit_at(data: &RasterData, row: f64) -> Option<(usize, String)> {
    let row = (row >= 0.0).then_some(row as usize)?;
    let unit = data.rows.unit(row)?;
    let area = data.recording.areas.get(*data.recording.units.area.get(unit)?).map_or("", String::as_str);
    Some((unit, format!("{} {} · {}", data.row_name, data.recording.units.ids.get(unit)?, shown_area(area))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_spikes_per_second_whatever_the_bins() {
        let grid = DensityGrid {
            start: 10.0,
            column_s: 0.5,
            columns: 5,
            slots: 1,
            counts: vec![1, 2, 3, 4, 5],
            by_column: false,
            all: vec![2, 4, 6, 8, 10],
            max: 5,
            total: 15,
            coarse: false,
        };
        let everything = Coverage::of([vec![(0.0, 100.0)]]);
        let all = MeanRate::new(&grid, 1.0, 1.0, &everything, |column| grid.all[column]);
        assert_eq!((all.start, all.bin_s, all.rates.clone()), (10.0, 1.0, vec![6.0, 14.0, 10.0]));
        let mean = MeanRate::new(&grid, 2.0, 4.0, &everything, |column| grid.at(column, 0));
        assert_eq!((mean.bin_s, mean.rates.clone()), (0.5, vec![0.5, 1.0, 1.5, 2.0, 2.5]));
        assert_eq!((all.at(11.5), all.at(9.0), mean.most_hz()), (Some((11.0, 14.0)), None, 2.5));
        // Half of the second bin and all of the third were not observed.
        let partly = MeanRate::new(&grid, 1.0, 1.0, &Coverage::of([vec![(0.0, 11.5)]]), |column| grid.all[column]);
        assert!(partly.rates[..2] == [6.0, 28.0] && partly.rates[2].is_nan(), "{:?}", partly.rates);
        assert_eq!([0.0, 2.34, 44.6, 1500.0, 25_000.0].map(rate_text), ["0 Hz", "2.3 Hz", "45 Hz", "1.5 kHz", "25 kHz"]);
    }
}
