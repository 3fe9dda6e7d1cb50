//! The Correlogram view: how spikes of two units follow each other, for a pair or for all pairs of the selected units, with what
//! interval jitter would leave.

mod compute;

use std::sync::Arc;

use eframe::egui::{self, Rect, Sense, Stroke, Ui, pos2, vec2};
use egui_plot::{Bar, BarChart, FilledArea, HoverPosition, Line, PlotPoints};

use super::raster::navigation::time_bounds;
use super::work::Background;
use super::{Selection, View, ViewContext, named_unit, widgets};
use crate::analysis::correlogram::{Jitter, Lags};
use crate::app::theme;
use crate::recording::Recording;
use crate::render::RasterStyle;
use compute::{Found, Job, PairResult};

/// Units in the grid at most.
const MOST_UNITS: usize = 10;

/// Counts or rate of the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Scale {
    #[default]
    Rate,
    Counts,
}

/// Which spikes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Extent {
    #[default]
    Whole,
    Window,
}

/// The Correlogram view.
pub struct CorrelogramView {
    scale: Scale,
    extent: Extent,
    max_ms: f64,
    bin_ms: f64,
    jitter: bool,
    window_ms: f64,
    copies: f64,
    work: Background<Job, Result<Found, String>>,
}

impl Default for CorrelogramView {
    fn default() -> Self {
        Self {
            scale: Scale::default(),
            extent: Extent::default(),
            max_ms: 50.0,
            bin_ms: 1.0,
            jitter: true,
            window_ms: 20.0,
            copies: 100.0,
            work: Background::default(),
        }
    }
}

impl View for CorrelogramView {
    fn title(&self) -> &'static str {
        "Correlogram"
    }

    fn help(&self) -> &'static str {
        "How often the target fires at every lag from a spike of the reference: positive lags mean that the target fires later, one unit alone gives its autocorrelogram. \
         The grey band is what remains, at 95 % of lags, when every spike is moved at random inside its own window (interval jitter): peaks above it are faster than that window. \
         Select several units to see all their pairs, click a panel to see that pair alone, and choose whether to use the whole recording or the visible time window."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see how its units fire together.");
            return;
        };
        if recording.n_units() == 0 {
            widgets::empty(ui, "The recording has no units", "Open a recording with spikes.", None);
            return;
        }
        self.controls(ui, recording, context.selection);
        let units = units(recording, context.selection);
        let job = self.job(recording, context, &units);
        let theirs = job.clone();
        self.work.watched(ui.ctx(), "correlograms", &job, move |watch| compute::correlate(&theirs, watch));
        self.work.progress(ui, "Correlograms");
        let found = match self.work.latest() {
            Some(Ok(found)) if Arc::ptr_eq(&found.recording, recording) => found,
            Some(Err(problem)) => {
                let tokens = theme::of(ui);
                ui.colored_label(tokens.error, problem);
                return;
            }
            _ => {
                if self.work.is_running() {
                    ui.spinner();
                }
                return;
            }
        };
        self.notes(ui, found, context.selection);
        if let [pair] = found.pairs.as_slice() {
            let height = ui.available_height();
            self.plot(ui, found, pair, height);
        } else if let Some(pair) = self.grid(ui, found) {
            context.selection.unit_pair = Some(pair);
        }
    }
}

/// Units whose pairs are shown: the chosen pair, else the selected units, else the two most active ones.
fn units(recording: &Recording, selection: &Selection) -> Vec<usize> {
    let exists = |unit: &usize| *unit < recording.n_units();
    if let Some((reference, target)) = selection.unit_pair.filter(|(a, b)| exists(a) && exists(b)) {
        return vec![reference, target];
    }
    let selected: Vec<usize> = selection.units.iter().copied().filter(exists).take(MOST_UNITS).collect();
    if selected.is_empty() { most_active(recording) } else { selected }
}

/// The two units with the most spikes, in the order of the recording: units that hardly fire say nothing about each other.
fn most_active(recording: &Recording) -> Vec<usize> {
    let mut first = Vec::with_capacity(3);
    for unit in 0..recording.n_units() {
        first.push(unit);
        if first.len() > 2 {
            let fewest = first.iter().enumerate().rev().min_by_key(|(_, u)| recording.spikes.unit(**u).len()).map_or(2, |(at, _)| at);
            first.remove(fewest);
        }
    }
    first
}

impl CorrelogramView {
    fn controls(&mut self, ui: &mut Ui, recording: &Recording, selection: &mut Selection) {
        ui.horizontal_wrapped(|ui| {
            let now = units(recording, selection);
            let pair = selection.unit_pair.or(match now.as_slice() {
                [unit] => Some((*unit, *unit)),
                [reference, target] => Some((*reference, *target)),
                _ => None,
            });
            let mut chosen = pair;
            unit_menu(ui, recording, "Reference", pair.map(|p| p.0), |unit| chosen = Some((unit, chosen.map_or(unit, |p| p.1))));
            unit_menu(ui, recording, "Target", pair.map(|p| p.1), |unit| chosen = Some((chosen.map_or(unit, |p| p.0), unit)));
            if chosen != pair {
                selection.unit_pair = chosen;
            }
            if pair.is_some_and(|(a, b)| a != b) && ui.button("Swap").on_hover_text("Exchange reference and target").clicked() {
                selection.unit_pair = pair.map(|(a, b)| (b, a));
            }
            if selection.unit_pair.is_some()
                && ui.button("All selected units").on_hover_text("Back to all pairs of the selected units").clicked()
            {
                selection.unit_pair = None;
            }
            ui.separator();
            let scales = [
                (Scale::Rate, "Rate", "Spikes of the target per second around a spike of the reference"),
                (Scale::Counts, "Counts", "Pairs of spikes"),
            ];
            widgets::segmented(ui, &mut self.scale, &scales);
            let extents =
                [(Extent::Whole, "Whole recording", "All spikes"), (Extent::Window, "Visible time", "Spikes in the visible time window")];
            widgets::segmented(ui, &mut self.extent, &extents);
            widgets::amount(ui, "Lags up to", &mut self.max_ms, 1.0..=2000.0, "ms", 0.5);
            widgets::amount(ui, "Bin", &mut self.bin_ms, 0.1..=100.0, "ms", 0.05);
            ui.checkbox(&mut self.jitter, "Jitter band");
            if self.jitter {
                widgets::amount(ui, "Jitter window", &mut self.window_ms, 1.0..=1000.0, "ms", 0.5);
                widgets::amount(ui, "Copies", &mut self.copies, 20.0..=1000.0, "", 1.0);
            }
        });
    }

    fn job(&self, recording: &Arc<Recording>, context: &ViewContext<'_>, units: &[usize]) -> Job {
        let window = match self.extent {
            Extent::Whole => None,
            Extent::Window => Some(context.selection.window.unwrap_or_else(|| time_bounds(recording))),
        };
        let jitter = Jitter { window_s: self.window_ms / 1e3, copies: self.copies.round() as u32, seed: context.recipe.seed };
        Job {
            recording: Arc::clone(recording),
            units: units.to_vec(),
            window,
            lags: Lags::up_to(self.max_ms / 1e3, self.bin_ms / 1e3),
            jitter: self.jitter.then_some(jitter),
            pair_only: context.selection.unit_pair.is_some() || units.len() <= 2,
        }
    }

    fn notes(&self, ui: &mut Ui, found: &Found, selection: &Selection) {
        let mut text = Vec::new();
        if selection.units.is_empty() && selection.unit_pair.is_none() {
            text.push("no unit is selected: the two with the most spikes are shown".to_owned());
        } else if selection.unit_pair.is_none() && selection.units.len() > MOST_UNITS {
            text.push(format!("showing {MOST_UNITS} of {} selected units", widgets::count(selection.units.len())));
        }
        if let Some(jitter) = found.jitter {
            text.push(format!(
                "band: 95 % of {} copies jittered in windows of {} ms",
                jitter.copies,
                widgets::number(jitter.window_s * 1e3, 3)
            ));
        }
        if self.work.is_running() {
            text.push("computing…".to_owned());
        }
        if !text.is_empty() {
            widgets::note(ui, text.join("  ·  "));
        }
    }

    /// The pair alone.
    fn plot(&self, ui: &mut Ui, found: &Found, pair: &PairResult, height: f32) {
        let tokens = theme::of(ui);
        let style = RasterStyle::of(ui);
        let (reference, target) = (named_unit(&found.recording, pair.reference), named_unit(&found.recording, pair.target));
        let title =
            if pair.reference == pair.target { format!("Autocorrelogram of {reference}") } else { format!("{reference} → {target}") };
        ui.strong(&title);
        let factor = self.factor(pair);
        let what = if self.scale == Scale::Rate { "Rate of the target (Hz)" } else { "Pairs of spikes" };
        widgets::y_title(ui, what);
        let centres: Vec<f64> = found.lags.centres().into_iter().map(|s| s * 1e3).collect();
        let width = found.lags.bin_s * 1e3;
        let scaled = |values: &[f64]| values.iter().map(|v| v * factor).collect::<Vec<f64>>();
        let bars: Vec<Bar> = centres.iter().zip(&pair.counts).map(|(x, n)| Bar::new(*x, f64::from(*n) * factor).width(width)).collect();
        let color = style.area(pair.area);
        let tips = tips(found, pair, self.scale, factor);
        let drawn = widgets::plot(ui, "correlogram", "Lag (ms)")
            .height((height - 60.0).max(90.0))
            .include_y(0.0)
            .allow_drag(false)
            .allow_zoom(false)
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position } => {
                    let place = (position.x / width).round() + (tips.len() / 2) as f64;
                    (place >= 0.0).then(|| tips.get(place as usize).cloned()).flatten()
                }
            })
            .show(ui, |plot| {
                let filled = |bar: Bar| bar.fill(color).stroke(Stroke::new(0.6, color));
                plot.bar_chart(BarChart::new("", bars.into_iter().map(filled).collect()).color(color).allow_hover(false));
                if let Some(band) = &pair.band {
                    let (low, high) = (scaled(&band.low), scaled(&band.high));
                    plot.add(FilledArea::new("", &centres, &low, &high).fill_color(tokens.text.gamma_multiply(0.28)).allow_hover(false));
                    let mean: PlotPoints<'_> = centres.iter().zip(scaled(&band.mean)).map(|(x, y)| [*x, y]).collect();
                    plot.line(Line::new("", mean).color(tokens.text).width(1.2).allow_hover(false));
                }
            });
        widgets::describe(&drawn.response, self.summary(&title, pair));
    }

    fn factor(&self, pair: &PairResult) -> f64 {
        if self.scale == Scale::Rate { pair.per_second } else { 1.0 }
    }

    fn summary(&self, title: &str, pair: &PairResult) -> String {
        let total: u64 = pair.counts.iter().map(|&n| u64::from(n)).sum();
        let peak = match pair.peak {
            Some((lag, excess)) => format!(
                "largest deviation from jitter at {} ms, {} times the band",
                widgets::number(lag * 1e3, 3),
                widgets::number(excess, 2)
            ),
            None => "no jitter band".to_owned(),
        };
        format!("Correlogram {title}: {total} pairs of spikes; {peak}")
    }

    /// All pairs: reference down, target across; returns the pair that was clicked.
    fn grid(&self, ui: &mut Ui, found: &Found) -> Option<(usize, usize)> {
        let tokens = theme::of(ui);
        let n = found.units.len();
        let mut clicked = None;
        let (label, head) = (64.0, 18.0);
        let available = ui.available_size();
        let cell = vec2(((available.x - label) / n as f32).max(46.0), ((available.y - head - 20.0) / n as f32).max(40.0));
        egui::ScrollArea::both().id_salt("correlograms").auto_shrink(false).show(ui, |ui| {
            let (whole, _) = ui.allocate_exact_size(vec2(label + cell.x * n as f32, head + cell.y * n as f32 + 16.0), Sense::hover());
            let origin = whole.min + vec2(label, head);
            for (k, &unit) in found.units.iter().enumerate() {
                let id = found.recording.units.ids.get(unit).map_or("?", String::as_str);
                let column = Rect::from_min_size(origin + vec2(k as f32 * cell.x, -head), vec2(cell.x, head));
                widgets::text_in(ui, column, egui::Align2::CENTER_CENTER, id, 11.0, tokens.text);
                let row = Rect::from_min_size(origin + vec2(-label, k as f32 * cell.y), vec2(label - 6.0, cell.y));
                widgets::text_in(ui, row, egui::Align2::RIGHT_CENTER, id, 11.0, tokens.text);
            }
            let foot = Rect::from_min_size(origin + vec2(0.0, n as f32 * cell.y), vec2(cell.x * n as f32, 16.0));
            let (from, to) = (found.lags.side as f64 * found.lags.bin_s * 1e3, "target across, reference down");
            widgets::text_in(
                ui,
                foot,
                egui::Align2::CENTER_CENTER,
                &format!("{to}; lags −{from} to {from} ms; each panel from 0 to its own largest value"),
                11.0,
                tokens.weak,
            );
            for pair in &found.pairs {
                let place = |unit: usize| found.units.iter().position(|u| *u == unit).unwrap_or(0) as f32;
                let corner = origin + vec2(place(pair.target) * cell.x, place(pair.reference) * cell.y);
                if self.panel(ui, found, pair, Rect::from_min_size(corner, cell).shrink(2.0)) {
                    clicked = Some((pair.reference, pair.target));
                }
            }
        });
        clicked
    }

    fn panel(&self, ui: &mut Ui, found: &Found, pair: &PairResult, rect: Rect) -> bool {
        let tokens = theme::of(ui);
        let style = RasterStyle::of(ui);
        let response = ui.interact(rect, ui.scope_id().with(("pair", pair.reference, pair.target)), Sense::click());
        let (reference, target) = (named_unit(&found.recording, pair.reference), named_unit(&found.recording, pair.target));
        let title = format!("{reference} → {target}");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, self.summary(&title, pair)));
        ui.painter().rect_filled(rect, 2.0, tokens.card);
        let inner = rect.shrink(3.0);
        let top = pair.counts.iter().copied().max().unwrap_or(0).max(1) as f32;
        let band_top = pair.band.as_ref().and_then(|b| b.high.iter().copied().max_by(f64::total_cmp)).unwrap_or(0.0) as f32;
        let top = top.max(band_top);
        let width = inner.width() / pair.counts.len().max(1) as f32;
        let y = |value: f32| inner.bottom() - value / top * inner.height();
        for (k, &count) in pair.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
            let left = inner.left() + k as f32 * width;
            ui.painter().rect_filled(
                Rect::from_min_max(pos2(left, y(count as f32)), pos2(left + width.max(1.0), inner.bottom())),
                0.0,
                style.area(pair.area),
            );
        }
        if let Some(band) = &pair.band {
            let line = |values: &[f64]| {
                values.iter().enumerate().map(|(k, v)| pos2(inner.left() + (k as f32 + 0.5) * width, y(*v as f32))).collect()
            };
            for values in [&band.low, &band.high] {
                ui.painter().add(egui::Shape::line(line(values), Stroke::new(1.0, tokens.text)));
            }
        }
        let strong = pair.peak.is_some_and(|(_, excess)| excess.abs() > 3.0) && pair.reference != pair.target;
        if strong || response.hovered() || response.has_focus() {
            widgets::ring(ui, rect, tokens, true);
        }
        let tip = self.summary(&title, pair);
        let response = response.on_hover_text(tip);
        response.clicked()
    }
}

/// What hovering over every lag says.
fn tips(found: &Found, pair: &PairResult, scale: Scale, factor: f64) -> Vec<String> {
    let unit = if scale == Scale::Rate { " Hz" } else { "" };
    let scaled = |value: f64| widgets::number(value * factor, 4);
    let tip = |(k, (lag, &count)): (usize, (f64, &u32))| {
        let mut text = format!("lag {} ms\n{}{unit}, {count} pairs of spikes", widgets::number(lag * 1e3, 4), scaled(f64::from(count)));
        let band = pair.band.as_ref().and_then(|b| Some((b.low.get(k)?, b.mean.get(k)?, b.high.get(k)?)));
        if let Some((low, mean, high)) = band {
            text.push_str(&format!("\njitter: {}{unit} ({} to {})", scaled(*mean), scaled(*low), scaled(*high)));
        }
        text
    };
    found.lags.centres().into_iter().zip(&pair.counts).enumerate().map(tip).collect()
}

fn unit_menu(ui: &mut Ui, recording: &Recording, name: &str, now: Option<usize>, mut choose: impl FnMut(usize)) {
    widgets::caption(ui, name, 90.0);
    let value = now.and_then(|u| recording.units.ids.get(u)).map_or("several", String::as_str);
    widgets::combo(ui, name, name, value, 90.0, |ui| {
        let height = ui.text_style_height(&egui::TextStyle::Button) + 2.0 * ui.spacing().button_padding.y;
        // Only the rows in view are made: there may be thousands of units.
        egui::ScrollArea::vertical().max_height(300.0).show_rows(ui, height, recording.n_units(), |ui, rows| {
            for unit in rows {
                if ui.selectable_label(now == Some(unit), named_unit(recording, unit)).clicked() {
                    choose(unit);
                    ui.close();
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{RecordingParts, Source, SpikeTrains};

    #[test]
    fn without_a_selection_the_two_most_active_units_are_shown() {
        let shown = |counts: &[usize]| {
            let parts = RecordingParts {
                spikes: SpikeTrains::from_units(counts.iter().map(|n| (0..*n).map(|k| k as f64).collect())),
                unit_ids: (0..counts.len()).map(|u| u.to_string()).collect(),
                unit_areas: vec![String::new(); counts.len()],
                ..RecordingParts::default()
            };
            units(&Recording::new(parts, Source::File("x".into())).unwrap(), &Selection::default())
        };
        assert_eq!((shown(&[3, 9, 1, 8, 2]), shown(&[4, 4, 4]), shown(&[1]), shown(&[])), (vec![1, 3], vec![0, 1], vec![0], vec![]));
    }
}
