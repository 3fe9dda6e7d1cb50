//! The Population rate view: the mean rate per unit of every area over time.

use std::sync::Arc;

use eframe::egui::{self, Align2, FontId, Shape, Stroke, Ui, pos2, vec2};
use ndarray::Array2;

use super::raster::navigation::time_bounds;
use super::rate_map::Smoothing;
use super::time_plot::TimePlot;
use super::work::Background;
use super::{View, ViewContext, shown_area, widgets};
use crate::analysis::observed::Observed;
use crate::analysis::rates::{population_rates, rate_map};
use crate::analysis::watch::Watch;
use crate::app::theme;
use crate::recording::Recording;
use crate::render::RasterStyle;
use crate::render::axis::{duration_text, nice_step, time_text};

/// Everything the curves depend on.
#[derive(Clone)]
struct Job {
    recording: Arc<Recording>,
    window: (f64, f64),
    bins: usize,
    sd_s: f64,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.recording, &other.recording) && (self.window, self.bins, self.sd_s) == (other.window, other.bins, other.sd_s)
    }
}

struct Curves {
    job: Job,
    /// Hz per unit, `[areas, bins]`; NaN where nothing was observed.
    rates: Array2<f32>,
    /// Not observed, seconds.
    gaps: Vec<(f64, f64)>,
}

/// The Population rate view.
#[derive(Default)]
pub struct PopulationView {
    smoothing: Smoothing,
    work: Background<Job, Curves>,
}

impl View for PopulationView {
    fn title(&self) -> &'static str {
        "Population rate"
    }

    fn help(&self) -> &'static str {
        "The firing rate of every area over time, as the mean over its units, smoothed by a Gaussian. \
         The plot follows the window's time: the wheel zooms at the pointer, dragging moves, a double click shows everything and a click puts the cursor. \
         Click an area's name to select it in all views; when areas are selected only those are drawn."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording else {
            super::nothing_open(ui, context, "Open a recording to see the rates of its areas.");
            return;
        };
        if recording.spikes.n_spikes() == 0 {
            widgets::empty(ui, "The recording has no spikes", "Open a recording with spikes.", None);
            return;
        }
        ui.horizontal_wrapped(|ui| {
            self.smoothing.control(ui);
            for (area, name) in recording.areas.iter().enumerate() {
                let name = shown_area(name);
                let on = context.selection.areas.contains(&area);
                let response = widgets::area_button(ui, area, name, on, &format!("Select area {name}"));
                if response.clicked() {
                    context.selection.choose_area(recording, area, ui.input(|i| i.modifiers.command));
                }
            }
        });
        widgets::y_title(ui, "Mean rate per unit (Hz)");
        let plot = TimePlot::new(ui, "population rate", 40.0, 20.0, context.selection, time_bounds(recording));
        let width = plot.time.width();
        let job = Job {
            recording: Arc::clone(recording),
            window: (plot.time.start, plot.time.stop),
            bins: self.smoothing.bins(plot.rect.width(), width),
            sd_s: self.smoothing.sd_s(width),
        };
        let theirs = job.clone();
        self.work.watched(ui.ctx(), "population rate", &job, move |watch| curves(theirs, watch));
        let Some(shown) = self.work.latest().filter(|c| Arc::ptr_eq(&c.job.recording, recording)) else {
            ui.put(plot.rect, egui::Spinner::new());
            return;
        };
        let areas: Vec<usize> =
            (0..shown.rates.nrows()).filter(|a| context.selection.areas.is_empty() || context.selection.areas.contains(a)).collect();
        let most = areas.iter().flat_map(|&a| shown.rates.row(a).to_vec()).fold(0.0, f32::max).max(1e-3);
        lines(ui, &plot, shown, &areas, most);
        spans(ui, &plot, &context.selection.trial_spans(recording, context.run));
        plot.frame(ui, context.selection);
        widgets::note(ui, format!("smoothed over {} (SD)", duration_text(shown.job.sd_s)));
        tip(&plot, shown, &areas);
        widgets::describe(&plot.response, summary(shown, &areas));
    }
}

fn curves(job: Job, watch: &Watch) -> Option<Curves> {
    let recording = &job.recording;
    let trains: Vec<&[f64]> = (0..recording.n_units()).map(|unit| recording.spikes.unit(unit)).collect();
    let observed = Observed::of(recording);
    let map = rate_map(&trains, &observed, job.window, job.bins, job.sd_s, watch);
    let gaps = observed.gaps(job.window.0, job.window.1);
    let rates = population_rates(&map, &recording.units.area, recording.areas.len());
    (!watch.stopped()).then_some(Curves { rates, gaps, job })
}

fn lines(ui: &Ui, plot: &TimePlot, shown: &Curves, areas: &[usize], most: f32) {
    let tokens = theme::of(ui);
    let style = RasterStyle::of(ui);
    let y = |rate: f32| plot.rect.bottom() - rate / (most * 1.05) * plot.rect.height();
    let step = nice_step(f64::from(most) / 3.0) as f32;
    for k in 0..=(most / step) as usize {
        let rate = k as f32 * step;
        ui.painter().hline(plot.rect.x_range(), y(rate), Stroke::new(1.0, tokens.grid));
        let text = widgets::number(f64::from(rate), 3);
        ui.painter().text(pos2(plot.rect.left() - 5.0, y(rate)), Align2::RIGHT_CENTER, text, FontId::proportional(11.0), tokens.weak);
    }
    let painter = ui.painter().with_clip_rect(plot.rect.intersect(ui.clip_rect()));
    let (start, stop) = shown.job.window;
    for &(from, to) in &shown.gaps {
        let gap = plot.span(from, to);
        painter.rect_filled(gap, 0.0, tokens.muted);
        if gap.intersect(plot.rect).width() > 84.0 {
            let at = pos2(gap.intersect(plot.rect).center().x, plot.rect.top() + 3.0);
            painter.text(at, Align2::CENTER_TOP, "not observed", FontId::proportional(11.0), tokens.weak);
        }
    }
    for &area in areas {
        let point =
            |(bin, rate): (usize, &f32)| pos2(plot.x(start + (stop - start) * (bin as f64 + 0.5) / shown.job.bins as f64), y(*rate));
        // A line from gap to gap, none across.
        let rates: Vec<(usize, &f32)> = shown.rates.row(area).into_iter().enumerate().collect();
        for part in rates.split(|(_, rate)| rate.is_nan()).filter(|part| !part.is_empty()) {
            // What was observed for one bin alone is a dash of that bin's width: a line of one point would not be seen.
            let points: Vec<_> = match part {
                &[(bin, rate)] => {
                    [-0.5, 0.5].map(|side| point((bin, rate)) + vec2(side * plot.rect.width() / shown.job.bins as f32, 0.0)).to_vec()
                }
                part => part.iter().copied().map(point).collect(),
            };
            painter.add(Shape::line(points, Stroke::new(1.7, style.area(area))));
        }
    }
}

/// Selected trials as bands, where there is room to tell them apart.
fn spans(ui: &Ui, plot: &TimePlot, spans: &[(f64, f64)]) {
    let tokens = theme::of(ui);
    let painter = ui.painter().with_clip_rect(plot.rect.intersect(ui.clip_rect()));
    for &(start, stop) in spans.iter().filter(|(a, b)| *b > plot.time.start && *a < plot.time.stop) {
        painter.rect_filled(plot.span(start, stop), 0.0, tokens.accent.gamma_multiply(0.12));
    }
}

fn tip(plot: &TimePlot, shown: &Curves, areas: &[usize]) {
    let Some(at) = plot.response.hover_pos() else { return };
    let seconds = plot.seconds(at.x);
    let (start, stop) = shown.job.window;
    let bin = ((seconds - start) / (stop - start) * shown.job.bins as f64).max(0.0) as usize;
    egui::Tooltip::for_widget(&plot.response).at_pointer().show(|ui| {
        ui.strong(time_text(seconds, 0.001));
        for &area in areas {
            let rate = shown.rates.get((area, bin)).copied().unwrap_or(f32::NAN);
            let name = shown_area(shown.job.recording.areas.get(area).map_or("", String::as_str));
            ui.label(match rate.is_nan() {
                true => format!("{name}: not observed"),
                false => format!("{name}: {} Hz", widgets::number(f64::from(rate), 3)),
            });
        }
    });
}

fn summary(shown: &Curves, areas: &[usize]) -> String {
    let one = |&area: &usize| {
        let name = shown_area(shown.job.recording.areas.get(area).map_or("", String::as_str));
        let seen: Vec<f64> = shown.rates.row(area).iter().filter(|r| !r.is_nan()).map(|r| f64::from(*r)).collect();
        let mean = if seen.is_empty() { f64::NAN } else { seen.iter().sum::<f64>() / seen.len() as f64 };
        format!("{name} {} Hz", widgets::number(mean, 3))
    };
    let (start, stop) = shown.job.window;
    let means: Vec<String> = areas.iter().map(one).collect();
    format!("Population rate, {} to {}, mean per unit: {}", time_text(start, 0.01), time_text(stop, 0.01), means.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{RecordingParts, Source, SpikeTrains};

    #[test]
    fn areas_are_averaged_over_their_units() {
        let train = |hz: f64| (0..(hz * 20.0) as usize).map(|k| k as f64 / hz).collect::<Vec<f64>>();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([train(10.0), train(30.0), train(5.0)]),
            unit_ids: ["0", "1", "2"].map(String::from).to_vec(),
            unit_areas: ["a", "a", ""].map(String::from).to_vec(),
            ..RecordingParts::default()
        };
        let recording = Arc::new(Recording::new(parts, Source::File("x".into())).unwrap());
        let shown = curves(Job { recording, window: (5.0, 15.0), bins: 50, sd_s: 0.5 }, &Watch::default()).unwrap();
        assert!(shown.rates.row(0).iter().all(|r| (r - 20.0).abs() < 0.5), "{:?}", shown.rates.row(0));
        assert_eq!(summary(&shown, &[0, 1]), "Population rate, 5.00 s to 15.00 s, mean per unit: a 20 Hz, (no area) 5 Hz");
    }
}
