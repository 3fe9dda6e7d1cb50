//! Everything around the spikes: areas, unit ids, time axis, population rate, events, gaps, notes.

use eframe::egui::emath::GuiRounding;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{self, Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, TextStyle, pos2, vec2};

use super::data::RasterData;
use super::navigation::Range;
use crate::render::axis::{self, duration_text, grouped};
use crate::render::{RasterStyle, SpikeIndex};

/// Height of the population rate, points.
const STRIP: f32 = 46.0;
/// Height of the tick labels and of the notes below them.
const AXIS: f32 = 19.0;
/// See [`AXIS`].
const NOTES: f32 = 18.0;
/// From this height of a row on, unit ids are written beside it.
const ID_ROW: f32 = 11.0;

/// Where the parts of the raster are, in points.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Area names and unit ids.
    pub gutter: Rect,
    /// Population rate; `None` when there is no room.
    pub strip: Option<Rect>,
    /// Spikes, on whole pixels.
    pub plot: Rect,
    /// Tick labels.
    pub axis: Rect,
    /// Notes and axis title.
    pub notes: Rect,
    /// Width of the unit ids, 0 when they are not shown.
    pub ids: f32,
}

/// Fonts and painter of one frame.
pub struct Pen<'a> {
    /// Where to draw.
    pub painter: &'a Painter,
    /// Colours.
    pub style: &'a RasterStyle,
    /// Small text.
    pub small: FontId,
    /// Unit ids.
    pub tiny: FontId,
}

impl<'a> Pen<'a> {
    /// A pen for `ui`.
    pub fn new(ui: &egui::Ui, painter: &'a Painter, style: &'a RasterStyle) -> Self {
        let small = TextStyle::Small.resolve(ui.style());
        let tiny = FontId::new((small.size - 1.0).max(8.0), small.family.clone());
        Self { painter, style, small, tiny }
    }

    fn width(&self, text: &str, font: &FontId) -> f32 {
        self.painter.layout_no_wrap(text.to_owned(), font.clone(), self.style.text).size().x
    }

    /// One line of text, shortened with … to `width`.
    fn line(&self, at: Pos2, align: Align2, text: &str, font: &FontId, color: Color32, width: f32) {
        let mut job = LayoutJob::single_section(text.to_owned(), TextFormat::simple(font.clone(), color));
        job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
        let galley = self.painter.layout_job(job);
        let rect = align.anchor_size(at, galley.size());
        self.painter.galley(rect.min, galley, color);
    }
}

impl Layout {
    /// Divide `whole`; `None` when it is too small to draw in.
    pub fn new(pen: &Pen<'_>, whole: Rect, data: &RasterData, rows: &Range) -> Option<Self> {
        let pixels = pen.painter.pixels_per_point();
        let strip = (whole.height() > 190.0).then_some(STRIP);
        let top = whole.top() + strip.map_or(4.0, |s| s + 6.0);
        let bottom = whole.bottom() - AXIS - NOTES;
        let row = (bottom - top) / rows.width() as f32;
        let ids = if row >= ID_ROW {
            (visible_rows(data, rows).map(|(_, id)| pen.width(&id, &pen.tiny)).fold(0.0, f32::max)).min(72.0) + 6.0
        } else {
            0.0
        };
        let names = data.rows.bands.iter().map(|b| pen.width(&band_label(data, b), &pen.small)).fold(40.0, f32::max).min(110.0);
        let left = (whole.left() + names + ids + 16.0).min(whole.left() + 0.4 * whole.width());
        let plot = Rect::from_min_max(pos2(left, top), pos2(whole.right() - 10.0, bottom)).round_to_pixels(pixels);
        if plot.width() < 60.0 || plot.height() < 30.0 {
            return None;
        }
        Some(Self {
            gutter: Rect::from_min_max(pos2(whole.left(), plot.top()), pos2(plot.left(), plot.bottom())),
            strip: strip.map(|s| Rect::from_min_size(pos2(plot.left(), whole.top() + 2.0), vec2(plot.width(), s - 2.0))),
            plot,
            axis: Rect::from_min_max(pos2(plot.left(), plot.bottom()), pos2(whole.right(), plot.bottom() + AXIS)),
            notes: Rect::from_min_max(pos2(whole.left(), plot.bottom() + AXIS), whole.max),
            ids,
        })
    }

    /// Points of a time.
    pub fn x(&self, time: &Range, seconds: f64) -> f32 {
        (f64::from(self.plot.left()) + (seconds - time.start) / time.width() * f64::from(self.plot.width())) as f32
    }

    /// Seconds at a point.
    pub fn seconds(&self, time: &Range, x: f32) -> f64 {
        time.start + f64::from(x - self.plot.left()) / f64::from(self.plot.width()) * time.width()
    }

    /// Points of the top of a row.
    pub fn y(&self, rows: &Range, row: f64) -> f32 {
        (f64::from(self.plot.top()) + (row - rows.start) / rows.width() * f64::from(self.plot.height())) as f32
    }

    /// Row (fractional) at a point.
    pub fn row(&self, rows: &Range, y: f32) -> f64 {
        rows.start + f64::from(y - self.plot.top()) / f64::from(self.plot.height()) * rows.width()
    }
}

/// Rows in view with the ids of their units.
fn visible_rows<'a>(data: &'a RasterData, rows: &Range) -> impl Iterator<Item = (usize, String)> + 'a {
    let (first, last) = (rows.start.floor().max(0.0) as usize, rows.stop.ceil().max(0.0) as usize);
    let shown = data.rows.units.iter().enumerate().take(last).skip(first);
    shown.map(|(row, &unit)| (row, data.recording.units.ids.get(unit).cloned().unwrap_or_default()))
}

fn area_name(data: &RasterData, area: usize) -> &str {
    data.recording.areas.get(area).map(String::as_str).filter(|n| !n.is_empty()).unwrap_or("no area")
}

fn band_label(data: &RasterData, band: &crate::render::Band) -> String {
    format!("{} ({})", area_name(data, band.area), band.rows.len())
}

/// Behind the spikes (on the pane's own background: a large fill costs milliseconds on software Vulkan): gaps in observation, grid, selected rows, the chosen trial.
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
    for unit in selected {
        let Some(&row) = data.rows.row_of_unit.get(unit) else { continue };
        let (top, bottom) = (layout.y(rows, f64::from(row)), layout.y(rows, f64::from(row) + 1.0));
        let rect = Rect::from_min_max(pos2(plot.left(), top), pos2(plot.right(), bottom.max(top + 2.0)));
        painter.rect_filled(rect, 0.0, pen.style.selected);
    }
    for &(start, stop) in spans.iter().filter(|(a, b)| *b > time.start && *a < time.stop) {
        let rect = Rect::from_min_max(pos2(layout.x(time, start), plot.top()), pos2(layout.x(time, stop), plot.bottom()));
        painter.rect_filled(rect, 0.0, pen.style.selected);
    }
    for &(start, stop) in data.gaps.iter().filter(|(a, b)| *b > time.start && *a < time.stop) {
        let (left, right) = (layout.x(time, start).max(plot.left()), layout.x(time, stop).min(plot.right()));
        painter.rect_filled(Rect::from_min_max(pos2(left, plot.top()), pos2(right, plot.bottom())), 0.0, pen.style.shade);
        if right - left > 84.0 {
            pen.line(
                pos2((left + right) / 2.0, plot.top() + 4.0),
                Align2::CENTER_TOP,
                "not observed",
                &pen.small,
                pen.style.weak,
                right - left,
            );
        }
    }
}

/// Beside the spikes: areas with their colours and names, unit ids where rows are high enough.
pub fn gutter(pen: &Pen<'_>, layout: &Layout, data: &RasterData, rows: &Range) {
    let gutter = layout.gutter;
    let names = pen.painter.with_clip_rect(gutter.expand2(vec2(0.0, 6.0)));
    let pen = &Pen { painter: &names, style: pen.style, small: pen.small.clone(), tiny: pen.tiny.clone() };
    let bar_right = gutter.right() - layout.ids - 4.0;
    for band in &data.rows.bands {
        let (top, bottom) =
            (layout.y(rows, band.rows.start as f64).max(gutter.top()), layout.y(rows, band.rows.end as f64).min(gutter.bottom()));
        if bottom - top < 0.5 {
            continue;
        }
        let room = if bottom - top > 3.0 { 1.0 } else { 0.0 };
        pen.painter.rect_filled(
            Rect::from_min_max(pos2(bar_right - 4.0, top + room / 2.0), pos2(bar_right, bottom - room / 2.0)),
            1.0,
            pen.style.area(band.area),
        );
        if bottom - top >= 12.0 {
            let at = pos2(bar_right - 9.0, (top + bottom) / 2.0);
            pen.line(at, Align2::RIGHT_CENTER, &band_label(data, band), &pen.small, pen.style.text, at.x - gutter.left());
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

/// Over the spikes: borders between areas, event marks, cursor, frame. Returns a note when there are too many events to mark.
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
                painter.text(pos2(x + 3.0, top), Align2::LEFT_TOP, row.to_string(), pen.tiny.clone(), style.weak);
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
pub fn time_axis(pen: &Pen<'_>, layout: &Layout, time: &Range) {
    let most = ((layout.plot.width() / 84.0) as usize).max(2);
    let axis = axis::time_axis(time.start, time.stop, most);
    for (seconds, label) in &axis.ticks {
        let x = pen.painter.round_to_pixel_center(layout.x(time, *seconds));
        pen.painter.vline(x, layout.plot.bottom()..=layout.plot.bottom() + 4.0, Stroke::new(1.0, pen.style.line));
        let half = pen.width(label, &pen.small) / 2.0;
        let x = x.min(layout.axis.right() - half);
        pen.painter.text(pos2(x, layout.axis.top() + 5.0), Align2::CENTER_TOP, label, pen.small.clone(), pen.style.weak);
    }
    pen.painter.text(layout.notes.right_center() - vec2(10.0, 0.0), Align2::RIGHT_CENTER, axis.title, pen.small.clone(), pen.style.text);
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
                // Colour begins at one spike: the shader's square root of 1 / most.
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

/// Spikes of all units per second, in round bins of at least two pixels and one millisecond.
pub struct PopulationRate {
    /// Start of the first bin, seconds.
    pub start: f64,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Spikes per bin.
    pub counts: Vec<u32>,
}

impl PopulationRate {
    /// Count what `time` shows on `width` points.
    pub fn new(index: &SpikeIndex, time: &Range, width: f32) -> Self {
        let bin_s = axis::nice_step(2.0 * time.width() / f64::from(width.max(1.0))).max(1e-3);
        let start = (time.start / bin_s).floor() * bin_s;
        let n = ((time.stop - start) / bin_s).ceil().clamp(0.0, 1e5) as usize;
        Self { start, bin_s, counts: index.histogram(start, bin_s, n) }
    }

    /// Rate of a bin in spikes per second.
    pub fn rate(&self, bin: usize) -> Option<f64> {
        Some(f64::from(*self.counts.get(bin)?) / self.bin_s)
    }

    /// Bin at a time.
    pub fn bin(&self, seconds: f64) -> Option<usize> {
        let bin = (seconds - self.start) / self.bin_s;
        (bin >= 0.0).then_some(bin as usize)
    }
}

/// Draw the population rate.
pub fn population(pen: &Pen<'_>, layout: &Layout, rect: Rect, time: &Range, rate: &PopulationRate) {
    let (painter, style) = (pen.painter.with_clip_rect(rect), pen.style);
    let max = rate.counts.iter().copied().max().unwrap_or(0);
    let base = rect.bottom();
    let mut mesh = egui::Mesh::default();
    for (k, &count) in rate.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        let left = layout.x(time, rate.start + k as f64 * rate.bin_s);
        let right = layout.x(time, rate.start + (k + 1) as f64 * rate.bin_s);
        let height = (rect.height() - 12.0) * count as f32 / max as f32;
        mesh.add_colored_rect(Rect::from_min_max(pos2(left, base - height), pos2(right, base)), style.event);
    }
    painter.add(mesh);
    pen.painter.hline(rect.x_range(), pen.painter.round_to_pixel_center(base), Stroke::new(1.0, style.line));
    let label = |y: f32, text: &str, color| {
        pen.line(pos2(rect.left() - 5.0, y), Align2::RIGHT_CENTER, text, &pen.tiny, color, layout.gutter.width() - 8.0)
    };
    if max > 0 {
        label(rect.top() + 12.0, &rate_text(f64::from(max) / rate.bin_s), style.weak);
    }
    label(rect.top() + 24.0, "all units", style.weak);
    label(base - 3.0, "0", style.weak);
    let bins = format!("bins of {}", duration_text(rate.bin_s));
    let at = rect.right_top() + vec2(-3.0, 0.0);
    let width = pen.width(&bins, &pen.tiny);
    let behind = Rect::from_min_max(pos2(at.x - width - 3.0, at.y), pos2(rect.right(), at.y + pen.tiny.size + 3.0));
    painter.rect_filled(behind, 2.0, style.paper.gamma_multiply(0.8));
    painter.text(at, Align2::RIGHT_TOP, bins, pen.tiny.clone(), style.weak);
}

/// A rate of many spikes.
pub fn rate_text(hz: f64) -> String {
    if hz >= 1e4 {
        format!("{:.0} kHz", hz / 1e3)
    } else if hz >= 1e3 {
        format!("{:.1} kHz", hz / 1e3)
    } else {
        format!("{hz:.0} Hz")
    }
}

/// The area whose band is at a row.
pub fn area_at(data: &RasterData, row: f64) -> Option<(usize, String)> {
    let row = (row >= 0.0).then_some(row as usize)?;
    let band = data.rows.bands.iter().find(|b| b.rows.contains(&row))?;
    Some((band.area, format!("{} · {} units", area_name(data, band.area), grouped(band.rows.len() as u64))))
}

/// Unit at a row, with its id and area in words.
pub fn unit_at(data: &RasterData, row: f64) -> Option<(usize, String)> {
    let unit = *data.rows.units.get((row >= 0.0).then_some(row as usize)?)?;
    let area = data.recording.units.area.get(unit).copied().unwrap_or(0);
    Some((unit, format!("unit {} · {}", data.recording.units.ids.get(unit)?, area_name(data, area))))
}
