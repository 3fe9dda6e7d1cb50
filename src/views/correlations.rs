//! The Count correlations view: how the spike counts of every two units go together, units side by side by area.

use std::sync::Arc;

use eframe::egui::{self, Align2, Rect, Sense, Stroke, Ui, UiBuilder, pos2, vec2};
use ndarray::Array2;

use super::alignment::{Alignment, Groups};
use super::raster::navigation::time_bounds;
use super::work::Background;
use super::{Action, Selection, View, ViewContext, shown_area, widgets};
use crate::analysis::aligned::{EventWindow, count_into, quantile};
use crate::analysis::rates::{binned, count_correlations, group_means, without_condition_means};
use crate::app::theme;
use crate::recording::Recording;
use crate::render::axis::duration_text;
use crate::render::heatmap::{HeatScale, Heatmap, Matrix, colour_bar};
use crate::render::{RasterStyle, RowPlan, Rows};

/// Samples (bins or trials) at most.
const MOST_SAMPLES: usize = 10_000;
/// Units at most: a matrix of more does not fit a screen and takes long.
const MOST_UNITS: usize = 2000;

/// Where counts are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Samples {
    #[default]
    Bins,
    Trials,
}

/// One cell per pair of units or of areas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Cells {
    #[default]
    Units,
    Areas,
}

/// Counts of which stretches.
#[derive(Debug, Clone, PartialEq)]
enum Stretches {
    /// Equal bins of this time.
    Bins { window: (f64, f64), bins: usize },
    /// One window per trial; condition means are taken away when trials are split.
    Trials { groups: Groups, window: EventWindow },
}

#[derive(Clone)]
struct Job {
    recording: Arc<Recording>,
    units: Vec<usize>,
    stretches: Stretches,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.recording, &other.recording) && self.units == other.units && self.stretches == other.stretches
    }
}

struct Found {
    job: Job,
    version: u64,
    samples: usize,
    units: Array2<f32>,
    /// Areas that have units here, with how many.
    areas: Vec<(usize, usize)>,
    /// Means within and between those areas.
    means: Array2<f32>,
    /// A round number that few correlations of different units exceed.
    limit: f64,
}

/// The Count correlations view.
pub struct CorrelationsView {
    samples: Samples,
    cells: Cells,
    alignment: Alignment,
    bin_ms: f64,
    after_s: f64,
    /// End of the colour scale; `None` follows the values.
    limit: Option<f64>,
    work: Background<Job, Found>,
    versions: u64,
    picture: Heatmap,
}

impl Default for CorrelationsView {
    fn default() -> Self {
        Self {
            samples: Samples::default(),
            cells: Cells::default(),
            alignment: Alignment::default(),
            bin_ms: 100.0,
            after_s: 0.5,
            limit: None,
            work: Background::default(),
            versions: 0,
            picture: Heatmap::default(),
        }
    }
}

impl View for CorrelationsView {
    fn title(&self) -> &'static str {
        "Count correlations"
    }

    fn help(&self) -> &'static str {
        "The correlation of spike counts of every two units, in equal bins of the visible time or in one window per trial, with units side by side by area; red is together, blue is opposite, white is none. \
         Split trials by a column to take the mean of every condition away: what is left are noise correlations. \
         Click a cell to select its two units for the correlogram, or switch to areas for means within and between them."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording.filter(|r| r.spikes.n_spikes() > 0) else {
            if widgets::empty(ui, "No spikes to show", "Open a recording to see which units go together.", Some("Open a recording…")) {
                context.actions.push(Action::OpenDialog);
            }
            return;
        };
        self.controls(ui, recording, context);
        let Some(stretches) = self.stretches(recording, context) else {
            widgets::empty(ui, "The recording has no trials", "Take counts in bins of the visible time instead.", None);
            return;
        };
        let (units, all) = units(recording, context.selection);
        let job = Job { recording: Arc::clone(recording), units, stretches };
        let version = self.versions + 1;
        let theirs = job.clone();
        self.work.get(ui.ctx(), "count correlations", &job, move || correlate(theirs, version));
        let Some(found) = self.work.latest().filter(|f| Arc::ptr_eq(&f.job.recording, recording)) else {
            ui.spinner();
            return;
        };
        self.versions = self.versions.max(found.version);
        let limit = self.limit.unwrap_or(found.limit) as f32;
        notes(ui, found, all, limit);
        if found.samples < 3 {
            widgets::empty(
                ui,
                "Too few samples",
                "Correlations need at least three bins or trials: use narrower bins or more trials.",
                None,
            );
            return;
        }
        let (values, sizes) = match self.cells {
            Cells::Units => (&found.units, found.areas.clone()),
            Cells::Areas => (&found.means, found.areas.iter().map(|(a, _)| (*a, 1)).collect()),
        };
        // The picture keeps a number of its own: units and areas are two matrices of one version.
        let number = 2 * found.version + u64::from(self.cells == Cells::Areas);
        let scale = HeatScale::Diverging { limit };
        let chosen = matrix(ui, &mut self.picture, number, values, &sizes, found, scale, self.cells);
        match (chosen, self.cells) {
            (Some((row, column)), Cells::Units) => {
                if let (Some(&a), Some(&b)) = (found.job.units.get(row), found.job.units.get(column)) {
                    context.selection.unit_pair = Some((a, b));
                }
            }
            (Some((row, column)), Cells::Areas) => {
                let area = |k: usize| found.areas.get(k).map(|(a, _)| *a);
                choose_areas(context, recording, area(row), area(column));
            }
            (None, _) => {}
        }
    }
}

/// Select both areas, and their pair where a run has them: column sends, row receives.
fn choose_areas(context: &mut ViewContext<'_>, recording: &Recording, target: Option<usize>, source: Option<usize>) {
    let (Some(target), Some(source)) = (target, source) else { return };
    context.selection.units.clear();
    context.selection.areas.clear();
    context.selection.choose_area(recording, source, true);
    if target != source {
        context.selection.choose_area(recording, target, true);
    }
    let named = |area: usize| {
        let name = recording.areas.get(area)?;
        context.run?.snapshot.as_ref()?.areas.iter().position(|a| a == name)
    };
    if let (Some(source), Some(target)) = (named(source), named(target)) {
        context.selection.pair = Some((source, target));
    }
}

impl CorrelationsView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording, context: &ViewContext<'_>) {
        ui.horizontal_wrapped(|ui| {
            let samples = [
                (Samples::Bins, "Bins", "Counts in equal bins of the visible time"),
                (Samples::Trials, "Trials", "One count per trial, in a window after the event"),
            ];
            widgets::segmented(ui, &mut self.samples, &samples);
            match self.samples {
                Samples::Bins => {
                    widgets::amount(ui, "Bin", &mut self.bin_ms, 1.0..=60_000.0, "ms", 1.0);
                }
                Samples::Trials => {
                    self.alignment.controls(ui, recording, context.run);
                    widgets::amount(ui, "Window", &mut self.after_s, 0.005..=60.0, "s", 0.01);
                }
            }
            let cells =
                [(Cells::Units, "By unit", "One cell per pair of units"), (Cells::Areas, "By area", "Means within and between areas")];
            widgets::segmented(ui, &mut self.cells, &cells);
            let mut limit = self.limit.or(self.work.latest().map(|found| found.limit)).unwrap_or(1.0);
            if widgets::amount(ui, "Colours to", &mut limit, 0.01..=1.0, "", 0.005) {
                self.limit = Some(limit);
            }
        });
    }

    fn stretches(&self, recording: &Recording, context: &ViewContext<'_>) -> Option<Stretches> {
        match self.samples {
            Samples::Bins => {
                let window = context.selection.window.unwrap_or_else(|| time_bounds(recording));
                // Wider bins rather than only the beginning, where there would be too many.
                let bin_s = (self.bin_ms / 1e3).max((window.1 - window.0) / MOST_SAMPLES as f64);
                // Whole bins from the start of the window.
                let bins = ((window.1 - window.0) / bin_s + 1e-9).floor().max(1.0) as usize;
                let stop = window.0 + (bins as f64 * bin_s).min(window.1 - window.0);
                Some(Stretches::Bins { window: (window.0, stop), bins })
            }
            Samples::Trials => {
                let groups = self.alignment.resolve(recording, context.run, &context.selection.trials)?;
                Some(Stretches::Trials { groups, window: EventWindow::around(0.0, self.after_s, self.after_s) })
            }
        }
    }
}

/// Selected units (all without a selection) side by side by area, and how many there would be without a limit.
fn units(recording: &Recording, selection: &Selection) -> (Vec<usize>, usize) {
    let rows = Rows::of(recording, &RowPlan::default());
    let several = selection.units.len() > 1;
    let all: Vec<usize> = rows.units.into_iter().flatten().filter(|u| !several || selection.units.contains(u)).collect();
    let n = all.len();
    // Every area keeps its share when there are too many.
    let step = n.div_ceil(MOST_UNITS).max(1);
    (all.into_iter().step_by(step).collect(), n)
}

fn correlate(job: Job, version: u64) -> Found {
    let recording = &job.recording;
    let (samples, columns): (usize, Vec<Vec<f32>>) = match &job.stretches {
        Stretches::Bins { window, bins } => {
            (*bins, job.units.iter().map(|&u| binned(recording.spikes.unit(u), window.0, window.1, *bins)).collect())
        }
        Stretches::Trials { groups, window } => {
            let events: Vec<f64> = groups.groups.iter().flat_map(|g| g.events.iter().copied()).take(MOST_SAMPLES).collect();
            let count = |&unit: &usize| {
                let mut counts = Array2::zeros((events.len(), window.bins));
                count_into(&mut counts, recording.spikes.unit(unit), &events, window);
                counts.rows().into_iter().map(|row| row.sum() as f32).collect()
            };
            (events.len(), job.units.iter().map(count).collect())
        }
    };
    let mut counts =
        Array2::from_shape_fn((samples, columns.len()), |(s, u)| columns.get(u).and_then(|c| c.get(s)).copied().unwrap_or(0.0));
    if let Stretches::Trials { groups, .. } = &job.stretches {
        let condition: Vec<usize> =
            groups.groups.iter().enumerate().flat_map(|(k, g)| std::iter::repeat_n(k, g.events.len())).take(samples).collect();
        without_condition_means(&mut counts, &condition);
    }
    let mut areas: Vec<(usize, usize)> = Vec::new();
    let mut place = Vec::with_capacity(job.units.len());
    for area in job.units.iter().map(|&u| recording.units.area.get(u).copied().unwrap_or(0)) {
        match areas.last_mut() {
            Some(last) if last.0 == area => last.1 += 1,
            _ => areas.push((area, 1)),
        }
        place.push(areas.len() - 1);
    }
    let units = count_correlations(counts.view());
    let means = group_means(&units, &place, areas.len());
    Found { version, samples, limit: limit(&units), means, units, areas, job }
}

/// The 98 % quantile of magnitudes off the diagonal, rounded up.
fn limit(correlations: &Array2<f32>) -> f64 {
    let mut sizes: Vec<f64> =
        correlations.indexed_iter().filter(|((a, b), r)| a < b && r.is_finite()).map(|(_, r)| f64::from(r.abs())).collect();
    sizes.sort_by(f64::total_cmp);
    let most = quantile(&sizes, 0.98);
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|end| most <= *end).unwrap_or(1.0)
}

fn notes(ui: &mut Ui, found: &Found, all: usize, limit: f32) {
    ui.horizontal_wrapped(|ui| {
        colour_bar(ui, HeatScale::Diverging { limit }, "correlation", &RasterStyle::of(ui));
        let mut text = vec![match &found.job.stretches {
            Stretches::Bins { window, bins } => {
                format!("{} bins of {}", widgets::count(*bins), duration_text((window.1 - window.0) / *bins as f64))
            }
            Stretches::Trials { groups, .. } if groups.groups.len() > 1 => {
                format!("{} trials, means of {} conditions taken away", widgets::count(found.samples), groups.groups.len())
            }
            Stretches::Trials { .. } => format!("{} trials", widgets::count(found.samples)),
        }];
        if all > found.job.units.len() {
            text.push(format!("{} of {} units", widgets::count(found.job.units.len()), widgets::count(all)));
        }
        widgets::note(ui, text.join("  ·  "));
    });
}

/// Draw the matrix; returns row and column that were clicked.
#[expect(clippy::too_many_arguments, reason = "one matrix, its picture and what its rows and columns are")]
fn matrix(
    ui: &mut Ui,
    picture: &mut Heatmap,
    number: u64,
    values: &Array2<f32>,
    sizes: &[(usize, usize)],
    found: &Found,
    scale: HeatScale,
    cells: Cells,
) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let n = values.nrows().max(1);
    let (gutter, head) = (76.0, 22.0);
    let available = ui.available_size();
    let side = (available.x - gutter - 4.0).min(available.y - head - 4.0).max(60.0);
    let (whole, _) = ui.allocate_exact_size(vec2(gutter + side, head + side), Sense::hover());
    let rect = Rect::from_min_size(whole.min + vec2(gutter, head), vec2(side, side));
    let response = ui.interact(rect, ui.scope_id().with("correlations"), Sense::click());
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect));
    inside.set_clip_rect(rect.intersect(ui.clip_rect()));
    let flat: Vec<f32> = values.iter().copied().collect();
    picture.show(&inside, rect, number, Matrix { values: &flat, rows: n, columns: n }, scale, &RasterStyle::of(ui));
    let at = |k: usize| k as f32 / n as f32 * side;
    let mut first = 0;
    for &(area, size) in sizes {
        let name = shown_area(found.job.recording.areas.get(area).map_or("", String::as_str));
        let (low, high) = (at(first), at(first + size));
        let row = Rect::from_min_max(pos2(whole.left(), rect.top() + low), pos2(rect.left() - 8.0, rect.top() + high));
        let column = Rect::from_min_max(pos2(rect.left() + low, whole.top()), pos2(rect.left() + high, rect.top() - 5.0));
        if high - low > 10.0 {
            widgets::text_in(ui, row, Align2::RIGHT_CENTER, name, 11.5, tokens.text);
            widgets::text_in(ui, column, Align2::CENTER_CENTER, name, 11.5, tokens.text);
        }
        ui.painter().vline(rect.left() - 4.0, (rect.top() + low)..=(rect.top() + high - 1.0), Stroke::new(3.0, style.area(area)));
        ui.painter().hline((rect.left() + low)..=(rect.left() + high - 1.0), rect.top() - 3.0, Stroke::new(3.0, style.area(area)));
        if first > 0 {
            ui.painter().hline(rect.x_range(), rect.top() + low, Stroke::new(1.0, tokens.text));
            ui.painter().vline(rect.left() + low, rect.y_range(), Stroke::new(1.0, tokens.text));
        }
        first += size;
    }
    if cells == Cells::Areas && side / n as f32 > 34.0 {
        for ((row, column), r) in values.indexed_iter() {
            let cell = Rect::from_min_size(rect.min + vec2(at(column), at(row)), vec2(side / n as f32, side / n as f32));
            let color = tokens.text_on(scale.color(*r, &RasterStyle::of(ui)));
            widgets::text_in(ui, cell, Align2::CENTER_CENTER, &widgets::number(f64::from(*r), 2), 12.0, color);
        }
    }
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, tokens.line), egui::StrokeKind::Outside);
    widgets::describe(&response, summary(found));
    let pointer = response.hover_pos()?;
    let place = |value: f32, low: f32| (((value - low) / side * n as f32).max(0.0) as usize).min(n - 1);
    let (row, column) = (place(pointer.y, rect.top()), place(pointer.x, rect.left()));
    let r = values.get((row, column)).copied().unwrap_or(f32::NAN);
    egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
        ui.strong(format!("{} and {}", name_of(found, cells, row), name_of(found, cells, column)));
        ui.label(if r.is_nan() {
            "a count never changes: no correlation".to_owned()
        } else {
            format!("correlation {}", widgets::number(f64::from(r), 3))
        });
    });
    response.clicked().then_some((row, column))
}

fn name_of(found: &Found, cells: Cells, place: usize) -> String {
    let recording = &found.job.recording;
    match cells {
        Cells::Areas => shown_area(found.areas.get(place).and_then(|(a, _)| recording.areas.get(*a)).map_or("", String::as_str)).to_owned(),
        Cells::Units => {
            let unit = found.job.units.get(place).copied().unwrap_or(usize::MAX);
            let area = recording.units.area.get(unit).and_then(|&a| recording.areas.get(a)).map_or("", String::as_str);
            format!("unit {} ({})", recording.units.ids.get(unit).map_or("?", String::as_str), shown_area(area))
        }
    }
}

/// Means within and between areas, in words.
fn summary(found: &Found) -> String {
    let mut parts = Vec::new();
    for (a, _) in found.areas.iter().enumerate() {
        for b in a..found.areas.len() {
            let mean = found.means.get((a, b)).copied().unwrap_or(f32::NAN);
            if !mean.is_nan() && parts.len() < 6 {
                let (x, y) = (name_of(found, Cells::Areas, a), name_of(found, Cells::Areas, b));
                let pair = if a == b { format!("within {x}") } else { format!("{x} with {y}") };
                parts.push(format!("{pair} {}", widgets::number(f64::from(mean), 2)));
            }
        }
    }
    format!("Count correlations of {} units, mean {}", widgets::count(found.job.units.len()), parts.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::alignment::{AlignTo, Group};
    use super::super::raster::events::EventColumn;
    use super::*;
    use crate::recording::{RecordingParts, Source, SpikeTrains};

    /// Units 0 and 2 fire together in every other second, unit 1 in the others.
    fn recording() -> Arc<Recording> {
        let train =
            |odd: bool| (0..100).filter(|k| (k % 2 == 1) == odd).flat_map(|k| [f64::from(k) + 0.2, f64::from(k) + 0.4]).collect::<Vec<_>>();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([train(false), train(true), train(false)]),
            unit_ids: ["0", "1", "2"].map(String::from).to_vec(),
            unit_areas: ["a", "b", "a"].map(String::from).to_vec(),
            ..RecordingParts::default()
        };
        Arc::new(Recording::new(parts, Source::File("x".into())).unwrap())
    }

    #[test]
    fn counts_in_bins_tell_who_fires_together() {
        let recording = recording();
        let (units, all) = units(&recording, &Selection::default());
        assert_eq!((all, units.len()), (3, 3));
        let found = correlate(Job { recording, units: vec![0, 2, 1], stretches: Stretches::Bins { window: (0.0, 100.0), bins: 100 } }, 1);
        assert!((found.units[[0, 1]] - 1.0).abs() < 1e-5 && (found.units[[0, 2]] + 1.0).abs() < 1e-5);
        assert_eq!((found.areas.clone(), found.limit), (vec![(0, 2), (1, 1)], 1.0));
        assert_eq!(summary(&found), "Count correlations of 3 units, mean within a 1, a with b −1");
    }

    #[test]
    fn condition_means_explain_all_of_it() {
        let recording = recording();
        let group = |odd: usize| Group {
            name: odd.to_string(),
            events: (0..50).map(|k| (2 * k + odd) as f64).collect(),
            rows: (0..50).map(|k| 2 * k + odd).collect(),
        };
        let to = AlignTo::Column(EventColumn { table: "t".into(), column: "start_time".into() });
        let groups = Groups { to, table: Some("t".into()), groups: vec![group(0), group(1)], all: 100, restricted: false, length_s: 1.0 };
        let stretches = Stretches::Trials { groups: groups.clone(), window: EventWindow::around(0.0, 0.9, 0.9) };
        let found = correlate(Job { recording: Arc::clone(&recording), units: vec![0, 1, 2], stretches }, 1);
        assert!(found.units.iter().all(|r| r.is_nan()), "within a condition no count changes");
        let together = Group { name: String::new(), events: (0..100).map(f64::from).collect(), rows: (0..100).collect() };
        let stretches =
            Stretches::Trials { groups: Groups { groups: vec![together], ..groups }, window: EventWindow::around(0.0, 0.9, 0.9) };
        let found = correlate(Job { recording, units: vec![0, 1, 2], stretches }, 2);
        assert!((found.units[[0, 2]] - 1.0).abs() < 1e-5);
    }
}
