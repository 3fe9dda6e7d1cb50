//! `spikescope bench raster`: frames of the raster while it is panned and zoomed, for recordings of several sizes, and the same
//! raster as points of egui_plot. A frame is layout, counting, drawing and waiting for the graphics device; nothing is read back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use egui_plot::{Plot, PlotPoint, PlotPoints, Points};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;
use serde_json::{Value, json};

use super::super::output::peak_rss_mb;
use super::canvas::Canvas;
use super::companion::Companion;
use super::{cpu_ms, quantile};
use crate::recording::{Recording, RecordingParts, Source, SpikeTrains};
use crate::render::Pyramid;
use crate::training::Recipe;
use crate::views::raster::RasterView;
use crate::views::{RunsContext, Selection, View, ViewContext, work};

/// Size of the raster in pixels.
const SIZE: [u32; 2] = [1200, 800];
/// Length of the made-up recordings: ten hours.
const DURATION_S: f64 = 36_000.0;
/// Zoom levels of the script, as shares of the recording, and frames of panning at each.
const ZOOMS: [f64; 8] = [0.98, 0.5, 0.25, 0.1, 0.01, 1e-3, 1e-4, 1e-5];
const PANS: usize = 16;
/// Frames of one continuous zoom from the whole recording to a second.
const ZOOMING: usize = 60;
/// Frames of the view without a recording: what egui and the device take for themselves.
const EMPTY: usize = 60;
/// Spikes of the comparison with egui_plot, and every how many frames of the script it draws.
const PLOT_SPIKES: u64 = 1_000_000;
const PLOT_EVERY: usize = 12;

/// Options of `bench raster`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Raster {
    /// Sizes of the made-up recordings
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = count, default_value = "1e6,1e7,1e8")]
    spikes: Vec<u64>,
    /// Units of the made-up recordings
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    units: u32,
    /// Train a model (the demo) meanwhile, as behind a window
    #[arg(long)]
    train: bool,
    /// Leave the comparison with egui_plot out
    #[arg(long)]
    no_plot: bool,
    /// One line of JSON per size
    #[arg(long)]
    pub(super) json: bool,
}

impl Raster {
    pub(super) fn run(&self) -> anyhow::Result<Vec<Value>> {
        let mut sizes = self.spikes.clone();
        // Peak memory only grows: the smallest first.
        sizes.sort_unstable();
        let mut training = self.train.then(Companion::start).transpose()?;
        let mut results = sizes.iter().map(|n| measure(*n, self.units, training.as_mut())).collect::<anyhow::Result<Vec<_>>>()?;
        if !self.no_plot {
            let ours = results.iter().find(|r| {
                // Rounding per unit makes it a few spikes more or less.
                r.get("spikes").and_then(Value::as_u64).is_some_and(|n| n.abs_diff(PLOT_SPIKES) < PLOT_SPIKES / 100)
            });
            let ours = ours.and_then(|r| r.get("frame_p50_ms")).and_then(Value::as_f64);
            results.push(with_points(self.units, ours)?);
        }
        Ok(results)
    }
}

/// Windows of the script, seconds: panning at every zoom level, then one zoom from all to a second.
fn script() -> Vec<(f64, f64)> {
    let pans = ZOOMS.iter().flat_map(|zoom| {
        let width = DURATION_S * zoom;
        let room = DURATION_S - width;
        // Small steps, as a wheel or a drag makes them, from a third of the way on.
        (0..PANS).map(move |k| {
            let start = (room / 3.0 + 0.013 * width * k as f64).min(room);
            (start, start + width)
        })
    });
    let zoom = (0..ZOOMING).map(|k| {
        let width = DURATION_S * (1.0 / DURATION_S).powf(k as f64 / (ZOOMING - 1) as f64);
        let start = 0.4 * (DURATION_S - width);
        (start, start + width)
    });
    pans.chain(zoom).collect()
}

fn measure(spikes: u64, units: u32, mut training: Option<&mut Companion>) -> anyhow::Result<Value> {
    forget_peak();
    let recording = Arc::new(made_up(spikes, units)?);
    let data_mb = peak_rss_mb();
    let begun = Instant::now();
    let pyramid = Pyramid::build(&recording.spikes);
    let pyramid_ms = begun.elapsed().as_secs_f64() * 1e3;
    let pyramid_bytes = pyramid.as_ref().map_or(0, Pyramid::bytes);
    drop(pyramid);

    let mut canvas = Canvas::new(SIZE)?;
    let mut desk = Desk::default();
    // The window is up, without a recording; the first frames make glyphs and pipelines.
    for _ in 0..3 {
        desk.frame(&mut canvas, None)?;
    }
    let begun_cpu = cpu_ms();
    for _ in 0..EMPTY {
        desk.frame(&mut canvas, None)?;
    }
    let empty_cpu = per_frame(begun_cpu, EMPTY);
    // The data are in memory: from here to the first picture of them.
    let begun_first = cpu_ms();
    let first = desk.frame(&mut canvas, Some(&recording))?;
    let first_cpu = per_frame(begun_first, 1);
    // The second frame begins the pyramid.
    desk.frame(&mut canvas, Some(&recording))?;
    while work::pending(canvas.ctx()) > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    for _ in 0..3 {
        desk.frame(&mut canvas, Some(&recording))?;
    }
    let (mut times, mut gpu, begun_cpu) = (Vec::new(), 0, cpu_ms());
    if let Some(training) = &mut training {
        training.steps_per_s();
    }
    for window in script() {
        desk.selection.window = Some(window);
        if let Some(training) = &mut training {
            training.keep_going()?;
        }
        times.push(desk.frame(&mut canvas, Some(&recording))?.as_secs_f64() * 1e3);
        gpu = gpu.max(canvas.gpu_bytes());
    }
    let frame_cpu = per_frame(begun_cpu, times.len());
    let steps_per_s = training.map(Companion::steps_per_s);
    times.sort_by(f64::total_cmp);
    let mb = |bytes: f64| (bytes / (1 << 20) as f64 * 100.0).round() / 100.0;
    Ok(json!({
        "bench": "raster",
        "drawn_with": "spikescope",
        "device": canvas.device(),
        "spikes": recording.spikes.n_spikes(),
        "units": units,
        "frames": times.len(),
        "frame_p50_ms": quantile(&times, 0.5),
        "frame_p99_ms": quantile(&times, 0.99),
        "frame_cpu_ms": frame_cpu,
        "training_steps_per_s": steps_per_s,
        "empty_cpu_ms": empty_cpu,
        "pyramid_ms": (pyramid_ms * 10.0).round() / 10.0,
        "pyramid_mb": mb(pyramid_bytes as f64),
        "first_picture_cpu_ms": first_cpu,
        "first_picture_ms": (first.as_secs_f64() * 1e4).round() / 10.0,
        "data_mb": data_mb,
        "cpu_mb": peak_rss_mb(),
        "gpu_mb": mb(gpu as f64),
    }))
}

/// The raster of [`PLOT_SPIKES`] as points of egui_plot, the same windows.
fn with_points(units: u32, ours_p50_ms: Option<f64>) -> anyhow::Result<Value> {
    forget_peak();
    let recording = made_up(PLOT_SPIKES, units)?;
    let train = |unit: usize| recording.spikes.unit(unit).iter().map(move |t| PlotPoint { x: *t, y: unit as f64 });
    let points: Vec<PlotPoint> = (0..recording.n_units()).flat_map(train).collect();
    let mut canvas = Canvas::new(SIZE)?;
    let (mut times, begun_cpu) = (Vec::new(), cpu_ms());
    for (start, stop) in script().into_iter().step_by(PLOT_EVERY) {
        let took = canvas.frame(|ui| {
            Plot::new("raster").allow_scroll(false).show(ui, |plot| {
                plot.set_plot_bounds_x(start..=stop);
                plot.set_plot_bounds_y(0.0..=f64::from(units));
                plot.points(Points::new("spikes", PlotPoints::Borrowed(&points)).radius(1.0));
            });
        })?;
        times.push(took.as_secs_f64() * 1e3);
    }
    let frame_cpu = per_frame(begun_cpu, times.len());
    times.sort_by(f64::total_cmp);
    let p50 = quantile(&times, 0.5);
    Ok(json!({
        "bench": "raster",
        "drawn_with": "egui_plot points",
        "device": canvas.device(),
        "spikes": points.len(),
        "units": units,
        "frames": times.len(),
        "frame_p50_ms": p50,
        "frame_p99_ms": quantile(&times, 0.99),
        "frame_cpu_ms": frame_cpu,
        "times_ours": ours_p50_ms.map(|ours| (p50 / ours * 10.0).round() / 10.0),
        "cpu_mb": peak_rss_mb(),
    }))
}

/// The raster view and what it shares with a window.
#[derive(Default)]
struct Desk {
    view: RasterView,
    selection: Selection,
}

impl Desk {
    fn frame(&mut self, canvas: &mut Canvas, recording: Option<&Arc<Recording>>) -> anyhow::Result<Duration> {
        let (mut recipe, mut actions, mut looks_at_run, mut more_trials) = (Recipe::default(), Vec::new(), false, Vec::new());
        canvas.frame(|ui| {
            self.view.ui(
                ui,
                &mut ViewContext {
                    recording,
                    run: None,
                    runs: RunsContext::default(),
                    selection: &mut self.selection,
                    recipe: &mut recipe,
                    actions: &mut actions,
                    looks_at_run: &mut looks_at_run,
                    more_trials: &mut more_trials,
                },
            );
        })
    }
}

/// Poisson trains at rates that differ 25-fold, four areas, in one block: no more memory than the spikes themselves.
fn made_up(spikes: u64, units: u32) -> anyhow::Result<Recording> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let weights: Vec<f64> = (0..units).map(|_| 5f64.powf(random.random_range(-1.0..1.0))).collect();
    let total: f64 = weights.iter().sum();
    let counts = weights.iter().map(|w| (spikes as f64 * w / total).round() as usize);
    let mut offsets = vec![0];
    let mut times: Vec<f64> = Vec::with_capacity(spikes as usize + units as usize);
    for n in counts {
        let (first, mut time) = (times.len(), 0.0);
        // Sums of exponential gaps, scaled to the duration, are sorted uniform times.
        for _ in 0..n {
            time += random.sample::<f64, _>(Exp1);
            times.push(time);
        }
        let scale = DURATION_S / (time + random.sample::<f64, _>(Exp1));
        times.iter_mut().skip(first).for_each(|t| *t *= scale);
        offsets.push(times.len());
    }
    let trains = SpikeTrains::from_block(times, offsets).ok_or_else(|| anyhow::anyhow!("made-up spikes have bad offsets"))?;
    let parts = RecordingParts {
        name: "made up".into(),
        spikes: trains,
        unit_ids: (0..units).map(|u| u.to_string()).collect(),
        unit_areas: (0..units).map(|u| format!("area {}", 1 + 4 * u / units)).collect(),
        ..RecordingParts::default()
    };
    let (simulator, parameters) = ("bench raster".to_owned(), format!("{spikes} spikes, {units} units"));
    Ok(Recording::new(parts, Source::Simulated { simulator, parameters, seed: 1 })?)
}

/// A number of spikes as `1000000`, `1e6` or `1_000_000`.
fn count(text: &str) -> Result<u64, String> {
    let number: f64 = text.trim().replace('_', "").parse().map_err(|_| format!("'{text}' is no number; write it as 1e6"))?;
    if (1.0..=1e9).contains(&number) && number.fract() == 0.0 {
        Ok(number as u64)
    } else {
        Err(format!("'{text}' is not a whole number from 1 to 1e9"))
    }
}

fn per_frame(begun: Option<f64>, frames: usize) -> Option<f64> {
    Some(((cpu_ms()? - begun?) / frames.max(1) as f64 * 10.0).round() / 10.0)
}

/// Begin to measure peak memory anew, where the system allows it.
fn forget_peak() {
    // Linux: 5 resets VmHWM. Elsewhere the peak is that of all sizes so far, which ascend.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!((count("1e6"), count(" 2_000 "), count("7")), (Ok(1_000_000), Ok(2000), Ok(7)));
        for wrong in ["", "many", "0", "1.5", "-3", "1e12", "nan"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_script_stays_within_the_recording_and_looks_everywhere() {
        let windows = script();
        assert_eq!(windows.len(), ZOOMS.len() * PANS + ZOOMING);
        assert!(windows.iter().all(|(a, b)| *a >= 0.0 && *b <= DURATION_S + 1e-6 && a < b));
        let widths: Vec<f64> = windows.iter().map(|(a, b)| b - a).collect();
        assert!(widths.iter().any(|w| *w < 1.0) && widths.iter().any(|w| *w > 0.97 * DURATION_S));
    }

    #[test]
    fn made_up_spikes_are_as_many_as_asked_for_and_the_same_each_time() {
        let made = made_up(10_000, 40).unwrap();
        assert!(made.spikes.n_spikes().abs_diff(10_000) < 40);
        assert_eq!((made.n_units(), made.areas.len()), (40, 4));
        assert!((0..40).all(|u| made.spikes.unit(u).is_sorted() && made.spikes.unit(u).last().is_none_or(|t| *t < DURATION_S)));
        assert_eq!(made.fingerprint, made_up(10_000, 40).unwrap().fingerprint);
    }
}
