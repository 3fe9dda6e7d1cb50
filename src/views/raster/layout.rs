//! Where the parts of the raster are, and the pen they are drawn with.

use eframe::egui::emath::GuiRounding;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{self, Align2, Color32, FontId, Painter, Pos2, Rect, TextStyle, pos2, vec2};

use super::data::RasterData;
use super::drawing::band_label;
use super::navigation::Range;
use crate::render::RasterStyle;

/// Height of the population rate, points.
const STRIP: f32 = 46.0;
/// Height of the tick labels and of the notes below them.
const AXIS: f32 = 19.0;
/// See [`AXIS`].
const NOTES: f32 = 18.0;
/// From this height of a row on, unit ids are written beside it.
const ID_ROW: f32 = 11.0;
/// Height of the band of conditions or epochs.
const MARKS: f32 = 14.0;
/// Height of one covariate.
const LANE: f32 = 36.0;

/// Where the parts of the raster are, in points.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Area names and unit ids.
    pub gutter: Rect,
    /// Population rate; `None` when there is no room.
    pub strip: Option<Rect>,
    /// Conditions or epochs, or names of the marks in trials; `None` when none are shown or there is no room.
    pub marks: Option<Rect>,
    /// Spikes, on whole pixels.
    pub plot: Rect,
    /// Covariates below the spikes; as many as there is room for.
    pub lanes: Vec<Rect>,
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

    /// Width of a text in points.
    pub fn width(&self, text: &str, font: &FontId) -> f32 {
        self.painter.layout_no_wrap(text.to_owned(), font.clone(), self.style.text).size().x
    }

    /// One line of text, shortened with … to `width`.
    pub fn line(&self, at: Pos2, align: Align2, text: &str, font: &FontId, color: Color32, width: f32) {
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
        let has_line = data.marks.is_some() || data.trials.as_ref().is_some_and(|t| !t.events.is_empty());
        let marks = (has_line && whole.height() > 160.0).then_some(MARKS);
        let most_lanes = ((whole.height() - 200.0) / LANE).clamp(0.0, 8.0) as usize;
        let n_lanes = data.lanes.shown.len().min(most_lanes);
        let top = whole.top() + strip.map_or(4.0, |s| s + 6.0) + marks.map_or(0.0, |m| m + 3.0);
        let bottom = whole.bottom() - AXIS - NOTES - LANE * n_lanes as f32;
        let row = (bottom - top) / rows.width() as f32;
        let ids = if row >= ID_ROW {
            (visible_rows(data, rows).map(|(_, id)| pen.width(&id, &pen.tiny)).fold(0.0, f32::max)).min(72.0) + 6.0
        } else {
            0.0
        };
        let names = data.rows.bands.iter().map(|b| pen.width(&band_label(data, b), &pen.small)).fold(40.0, f32::max).min(120.0);
        let left = (whole.left() + names + ids + 26.0).min(whole.left() + 0.4 * whole.width());
        let plot = Rect::from_min_max(pos2(left, top), pos2(whole.right() - 10.0, bottom)).round_to_pixels(pixels);
        if plot.width() < 60.0 || plot.height() < 30.0 {
            return None;
        }
        let above = |below: f32, height: f32| Rect::from_min_max(pos2(plot.left(), below - height), pos2(plot.right(), below));
        let lane = |k: usize| above(plot.bottom() + LANE * (k + 1) as f32, LANE - 3.0);
        let axis = plot.bottom() + LANE * n_lanes as f32;
        Some(Self {
            gutter: Rect::from_min_max(pos2(whole.left(), plot.top()), pos2(plot.left(), plot.bottom())),
            strip: strip.map(|s| Rect::from_min_size(pos2(plot.left(), whole.top() + 2.0), vec2(plot.width(), s - 2.0))),
            marks: marks.map(|height| above(plot.top() - 3.0, height)),
            plot,
            lanes: (0..n_lanes).map(lane).collect(),
            axis: Rect::from_min_max(pos2(plot.left(), axis), pos2(whole.right(), axis + AXIS)),
            notes: Rect::from_min_max(pos2(whole.left(), axis + AXIS), whole.max),
            ids,
        })
    }

    /// Lines of pixels of the spikes.
    pub fn lines(&self, pen: &Pen<'_>) -> usize {
        (self.plot.height() * pen.painter.pixels_per_point()).max(1.0) as usize
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
pub fn visible_rows<'a>(data: &'a RasterData, rows: &Range) -> impl Iterator<Item = (usize, String)> + 'a {
    let (first, last) = (rows.start.floor().max(0.0) as usize, rows.stop.ceil().max(0.0) as usize);
    let shown = data.rows.units.iter().enumerate().take(last).skip(first);
    shown.filter_map(|(row, unit)| Some((row, data.recording.units.ids.get((*unit)?)?.clone())))
}
