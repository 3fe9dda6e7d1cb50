//! The Rate map view: the smoothed rate of every unit over time, as colour.

use std::sync::Arc;

use eframe::egui::{self, Align2, Stroke, Ui, UiBuilder, pos2};
use ndarray::Array2;

use super::raster::navigation::time_bounds;
use super::time_plot::TimePlot;
use super::work::Background;
use super::{Selection, View, ViewContext, shown_area, widgets};
use crate::analysis::observed::Observed;
use crate::analysis::rates::rate_map;
use crate::analysis::watch::Watch;
use crate::app::theme;
use crate::recording::Recording;
use crate::render::axis::{duration_text, time_text};
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, colour_bar};
use crate::render::{RasterStyle, RowOrder, RowPlan, Rows};

/// Time bins at most: more than pixels shows nothing more.
const MOST_BINS: usize = 1200;

/// What colour means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Colour {
    Rate,
    #[default]
    Share,
}

/// Smoothing of a rate over time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Smoothing {
    /// A hundredth of the visible time.
    #[default]
    Automatic,
    /// Standard deviation of the Gaussian, seconds.
    Fixed(f64),
}

impl Smoothing {
    /// Standard deviation for a window of this width, seconds.
    pub(super) fn sd_s(self, width_s: f64) -> f64 {
        match self {
            Self::Automatic => width_s / 100.0,
            Self::Fixed(sd) => sd,
        }
    }

    fn label(self) -> String {
        match self {
            Self::Automatic => "automatic".to_owned(),
            Self::Fixed(sd) => duration_text(sd),
        }
    }

    /// The menu.
    pub(super) fn control(&mut self, ui: &mut Ui) {
        widgets::caption(ui, "Smoothing SD", 90.0);
        widgets::combo(ui, "smoothing", "Smoothing SD", &self.label(), 90.0, |ui| {
            let fixed = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 60.0].map(Self::Fixed);
            for choice in [Self::Automatic].into_iter().chain(fixed) {
                ui.selectable_value(self, choice, choice.label());
            }
        });
    }

    /// Time bins for a plot of this many pixels; a wide kernel needs no narrow bins.
    pub(super) fn bins(self, pixels: f32, width_s: f64) -> usize {
        let needed = (8.0 * width_s / self.sd_s(width_s).max(1e-6)).ceil();
        // A multiple of 50, so that dragging a border does not compute anew for every pixel.
        let room = (f64::from(pixels) / 50.0).ceil() * 50.0;
        needed.min(room).clamp(20.0, MOST_BINS as f64) as usize
    }
}

/// Everything a map depends on.
#[derive(Clone)]
struct Job {
    recording: Arc<Recording>,
    units: Vec<usize>,
    window: (f64, f64),
    bins: usize,
    sd_s: f64,
    share: bool,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.recording, &other.recording)
            && (&self.units, self.window, self.bins, self.sd_s, self.share)
                == (&other.units, other.window, other.bins, other.sd_s, other.share)
    }
}

struct Map {
    job: Job,
    version: u64,
    /// NaN where nothing was observed.
    values: Array2<f32>,
    /// Part of the window was not observed.
    gaps: bool,
}

/// The Rate map view.
#[derive(Default)]
pub struct RateMapView {
    order: RowOrder,
    colour: Colour,
    smoothing: Smoothing,
    selected_only: bool,
    rows: Option<(Arc<Recording>, RowOrder, Rows)>,
    work: Background<Job, Map>,
    versions: u64,
    picture: Heatmap,
}

impl View for RateMapView {
    fn title(&self) -> &'static str {
        "Rate map"
    }

    fn help(&self) -> &'static str {
        "One row per unit, grouped by area; colour is its firing rate, smoothed by a Gaussian, either in Hz or as a share of the unit's own largest rate in view. \
         The map follows the window's time: the wheel zooms at the pointer, dragging moves, a double click shows everything and a click puts the cursor. \
         Click a row to select its unit in all views (or go from row to row with the up and down keys); hover for its rate. Time that was not observed is grey."
    }

    fn ordering(&self) -> serde_json::Value {
        self.order.label().into()
    }

    fn restore_ordering(&mut self, ordering: &serde_json::Value) {
        let Some((recording, _, _)) = &self.rows else { return };
        if let Some(order) = offered(recording).into_iter().find(|o| Some(o.label().as_str()) == ordering.as_str()) {
            self.order = order;
        }
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see the rates of its units.");
            return;
        };
        if recording.spikes.n_spikes() == 0 {
            widgets::empty(ui, "The recording has no spikes", "Open a recording with spikes.", None);
            return;
        }
        self.controls(ui, recording, context.selection);
        let (units, bands) = self.units(recording, context.selection);
        let gutter = 84.0;
        let plot = TimePlot::new(ui, "rate map", gutter, 26.0, context.selection, time_bounds(recording));
        let (start, stop) = (plot.time.start, plot.time.stop);
        let job = Job {
            recording: Arc::clone(recording),
            bins: self.smoothing.bins(plot.rect.width(), stop - start),
            sd_s: self.smoothing.sd_s(stop - start),
            units,
            window: (start, stop),
            share: self.colour == Colour::Share,
        };
        let versions = self.versions + 1;
        let theirs = job.clone();
        self.work.watched(ui.ctx(), "rate map", &job, move |watch| map(theirs, versions, watch));
        let Some(shown) = self.work.latest().filter(|m| Arc::ptr_eq(&m.job.recording, recording) && m.job.units == job.units) else {
            ui.put(plot.rect, egui::Spinner::new());
            return;
        };
        self.versions = self.versions.max(shown.version);
        let style = RasterStyle::of(ui);
        let values = shown.values.as_slice().unwrap_or_default();
        let matrix = Matrix { values, rows: shown.values.nrows(), columns: shown.values.ncols() };
        let scale = if shown.job.share { HeatScale::Sequential { low: 0.0, high: 1.0 } } else { HeatScale::sequential_of(values) };
        // While the map of a new window is computed the old one is shown where it belongs.
        let mut inside = ui.new_child(UiBuilder::new().max_rect(plot.rect));
        inside.set_clip_rect(plot.rect.intersect(ui.clip_rect()));
        let block = self.picture.show(&inside, plot.span(shown.job.window.0, shown.job.window.1), shown.version, matrix, scale, &style);
        bands_beside(ui, recording, &plot, &bands, shown.values.nrows());
        selected_rows(ui, &plot, &shown.job.units, context.selection);
        plot.frame(ui, context.selection);
        legend(ui, shown, scale, block, &style);
        row_keys(ui, &plot, &shown.job.units, context.selection);
        point(&plot, shown, context.selection);
        let name = format!(
            "Rate map: {} units, {} to {}, smoothed over {}{}",
            widgets::count(shown.job.units.len()),
            time_text(start, 0.01),
            time_text(stop, 0.01),
            duration_text(shown.job.sd_s),
            if shown.gaps { ", partly not observed" } else { "" }
        );
        widgets::describe(&plot.response, name);
    }
}

/// Orders that need no learning.
fn offered(recording: &Recording) -> Vec<RowOrder> {
    RowOrder::offered(recording).into_iter().filter(|order| *order != RowOrder::Similarity).collect()
}

impl RateMapView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording, selection: &Selection) {
        ui.horizontal_wrapped(|ui| {
            widgets::caption(ui, "Sort by", 90.0);
            widgets::combo(ui, "map order", "Sort by", &self.order.label(), 90.0, |ui| {
                for order in offered(recording) {
                    let label = order.label();
                    ui.selectable_value(&mut self.order, order, label);
                }
            });
            self.smoothing.control(ui);
            widgets::caption(ui, "Colour", 190.0);
            let colours = [
                (Colour::Share, "Share of own peak", "Every unit from 0 to its largest rate in view"),
                (Colour::Rate, "Rate", "The same scale for all units, Hz"),
            ];
            widgets::segmented(ui, &mut self.colour, &colours);
            ui.add_enabled(!selection.units.is_empty(), egui::Checkbox::new(&mut self.selected_only, "Selected units only"));
        });
    }

    /// Units from the top, and the areas with their first row and number of rows.
    fn units(&mut self, recording: &Arc<Recording>, selection: &Selection) -> (Vec<usize>, Vec<(usize, usize, usize)>) {
        if !self.rows.as_ref().is_some_and(|(r, order, _)| Arc::ptr_eq(r, recording) && *order == self.order) {
            if !offered(recording).contains(&self.order) {
                self.order = RowOrder::default();
            }
            let plan = RowPlan { order: self.order.clone(), ..RowPlan::default() };
            self.rows = Some((Arc::clone(recording), self.order.clone(), Rows::of(recording, &plan)));
        }
        let all = self.rows.as_ref().map(|(_, _, rows)| rows.units.clone()).unwrap_or_default();
        let only = self.selected_only && !selection.units.is_empty();
        let units: Vec<usize> = all.into_iter().flatten().filter(|u| !only || selection.units.contains(u)).collect();
        let mut bands: Vec<(usize, usize, usize)> = Vec::new();
        for (row, area) in units.iter().map(|&u| recording.units.area.get(u).copied().unwrap_or(0)).enumerate() {
            match bands.last_mut() {
                Some(band) if band.0 == area => band.2 += 1,
                _ => bands.push((area, row, 1)),
            }
        }
        (units, bands)
    }
}

fn map(job: Job, version: u64, watch: &Watch) -> Option<Map> {
    let trains: Vec<&[f64]> = job.units.iter().map(|&unit| job.recording.spikes.unit(unit)).collect();
    let observed = Observed::of(&job.recording);
    let mut values = rate_map(&trains, &observed, job.window, job.bins, job.sd_s, watch);
    if job.share {
        for mut row in values.rows_mut() {
            let most = row.iter().copied().fold(0.0, f32::max);
            // What was not observed stays missing.
            row.mapv_inplace(|r| if most > 0.0 { r / most } else { r });
        }
    }
    let gaps = observed.is_broken(job.window.0, job.window.1);
    (!watch.stopped()).then_some(Map { job, version, values, gaps })
}

/// Names and colours of areas at the left, with lines between them.
fn bands_beside(ui: &Ui, recording: &Recording, plot: &TimePlot, bands: &[(usize, usize, usize)], rows: usize) {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let y = |row: usize| plot.rect.top() + row as f32 / rows.max(1) as f32 * plot.rect.height();
    for &(area, first, n) in bands {
        let place = egui::Rect::from_min_max(pos2(plot.gutter.left(), y(first)), pos2(plot.gutter.right() - 6.0, y(first + n)));
        let name = format!("{} ({n})", shown_area(recording.areas.get(area).map_or("", String::as_str)));
        if place.height() > 11.0 {
            widgets::text_in(ui, place, Align2::RIGHT_CENTER, &name, 11.5, tokens.text);
        }
        ui.painter().vline(plot.gutter.right(), y(first)..=(y(first + n) - 1.0), Stroke::new(3.0, style.area(area)));
        if first > 0 {
            ui.painter().hline(plot.rect.x_range(), y(first), Stroke::new(1.0, tokens.pane));
        }
    }
}

/// A mark at the right of selected rows, while not everything is selected.
fn selected_rows(ui: &Ui, plot: &TimePlot, units: &[usize], selection: &Selection) {
    let tokens = theme::of(ui);
    if selection.units.is_empty() {
        return;
    }
    let height = plot.rect.height() / units.len().max(1) as f32;
    for (row, _) in units.iter().enumerate().filter(|(_, u)| selection.units.contains(u)) {
        let top = plot.rect.top() + row as f32 * height;
        ui.painter().vline(plot.rect.right() + 3.0, top..=top + height.max(1.0), Stroke::new(4.0, tokens.accent));
    }
}

fn legend(ui: &mut Ui, shown: &Map, scale: HeatScale, block: usize, style: &RasterStyle) {
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, scale, if shown.job.share { "of the unit's peak" } else { "Hz" }, style);
        let bin = (shown.job.window.1 - shown.job.window.0) / shown.job.bins as f64;
        let averaged = if block > 1 { format!("  ·  {block} × {block} cells averaged") } else { String::new() };
        widgets::note(ui, format!("bins of {}, smoothed over {} (SD){averaged}", duration_text(bin), duration_text(shown.job.sd_s)));
        if shown.gaps {
            widgets::swatch_label(ui, style.missing, "not observed");
        }
    });
}

/// With the focus, up and down select the row above or below (Shift adds it).
fn row_keys(ui: &Ui, plot: &TimePlot, units: &[usize], selection: &mut Selection) {
    if !plot.response.has_focus() || units.is_empty() {
        return;
    }
    let arrows = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(plot.response.id, arrows));
    let pressed = |modifiers, key| ui.input_mut(|i| i.consume_key(modifiers, key));
    // With Shift first: a pattern without modifiers also matches with it.
    let shifted = [egui::Key::ArrowDown, egui::Key::ArrowUp].map(|key| pressed(egui::Modifiers::SHIFT, key));
    let plain = [egui::Key::ArrowDown, egui::Key::ArrowUp].map(|key| pressed(egui::Modifiers::NONE, key));
    let (add, down, up) = (shifted.contains(&true), shifted[0] || plain[0], shifted[1] || plain[1]);
    if !(down || up) {
        return;
    }
    let mut chosen = units.iter().enumerate().filter(|(_, u)| selection.units.contains(u)).map(|(row, _)| row);
    // From the end that the key goes towards, so that Shift goes on where it was.
    let now = if down { chosen.next_back() } else { chosen.next() };
    let next = match now {
        Some(row) if down => (row + 1).min(units.len() - 1),
        Some(row) => row.saturating_sub(1),
        None => 0,
    };
    if !add {
        selection.units.clear();
    }
    selection.units.extend(units.get(next));
}

/// Hover tells, a click selects.
fn point(plot: &TimePlot, shown: &Map, selection: &mut Selection) {
    let Some(at) = plot.response.hover_pos() else { return };
    let row = ((at.y - plot.rect.top()) / plot.rect.height() * shown.values.nrows() as f32) as usize;
    let Some(&unit) = shown.job.units.get(row) else { return };
    if plot.response.clicked_by(egui::PointerButton::Primary) {
        selection.units = [unit].into();
    }
    let (start, stop) = shown.job.window;
    let seconds = plot.seconds(at.x);
    let bin = ((seconds - start) / (stop - start) * shown.job.bins as f64).max(0.0) as usize;
    let value = shown.values.get((row, bin)).copied().unwrap_or(f32::NAN);
    let recording = &shown.job.recording;
    let area = recording.units.area.get(unit).and_then(|&a| recording.areas.get(a)).map_or("", String::as_str);
    egui::Tooltip::for_widget(&plot.response).at_pointer().show(|ui| {
        ui.strong(format!("unit {} · {}", recording.units.ids.get(unit).map_or("?", String::as_str), shown_area(area)));
        let unit = if shown.job.share { "of its peak in view" } else { "Hz" };
        ui.label(match value.is_nan() {
            true => format!("not observed at {}", time_text(seconds, 0.001)),
            false => format!("{} {unit} at {}", widgets::number(f64::from(value), 3), time_text(seconds, 0.001)),
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_pixels_and_kernel() {
        assert_eq!(Smoothing::Automatic.bins(640.0, 10.0), 650);
        assert_eq!(Smoothing::Fixed(1.0).bins(640.0, 10.0), 80, "eight bins a standard deviation are enough");
        assert_eq!(Smoothing::Fixed(0.001).bins(100_000.0, 10.0), MOST_BINS);
        assert_eq!(Smoothing::Automatic.bins(0.0, 10.0), 20);
        assert_eq!(Smoothing::Automatic.sd_s(50.0), 0.5);
    }
}
