//! Spikes around events: counts per event and bin, their mean as a rate with a band of uncertainty, and the rate that a model
//! gives for the same stretches.

use ndarray::{Array2, ArrayView2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::psth::smoothed;
use super::watch::Watch;

/// A spike this fraction of a bin before an edge is on the edge (as in `recording::BinnedTrials`).
const EDGE_SLACK: f64 = 1e-6;

/// Stretch of time around an event, in bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventWindow {
    /// Start of the first bin relative to the event, seconds.
    pub start_s: f64,
    /// Bins.
    pub bins: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
}

impl EventWindow {
    /// Bins of `bin_s` from `before_s` before the event to `after_s` after it; the event is an edge between two bins.
    pub fn around(before_s: f64, after_s: f64, bin_s: f64) -> Self {
        let bin_s = if bin_s.is_finite() { bin_s.max(1e-4) } else { 0.01 };
        let bins = |s: f64| ((s / bin_s).round().clamp(-1e5, 1e5)) as i64;
        let (first, last) = (-bins(before_s), bins(after_s));
        Self { start_s: first as f64 * bin_s, bins: (last - first).clamp(1, 100_000) as usize, bin_s }
    }

    /// End of the last bin relative to the event, seconds.
    pub fn stop_s(&self) -> f64 {
        self.start_s + self.bins as f64 * self.bin_s
    }

    /// Middle of every bin relative to the event, seconds.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.bins).map(|bin| self.start_s + (bin as f64 + 0.5) * self.bin_s).collect()
    }
}

/// Add the spikes (ascending times, seconds) to counts `[events, bins]` around `events` (seconds).
///
/// # Panics
/// Never for `counts` of shape `[events, window.bins]`.
pub fn count_into(counts: &mut Array2<f64>, spikes: &[f64], events: &[f64], window: &EventWindow) {
    let slack = EDGE_SLACK * window.bin_s;
    for (mut row, &event) in counts.axis_iter_mut(Axis(0)).zip(events) {
        let begin = event + window.start_s;
        let first = spikes.partition_point(|&t| t < begin - slack);
        let stop = event + window.stop_s() - slack;
        for &time in spikes.get(first..).unwrap_or_default().iter().take_while(|&&t| t < stop) {
            let bin = (((time - begin) / window.bin_s + EDGE_SLACK) as usize).min(window.bins.saturating_sub(1));
            if let Some(cell) = row.get_mut(bin) {
                *cell += 1.0;
            }
        }
    }
}

/// What surrounds a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Band {
    /// Nothing.
    Hidden,
    /// One standard error of the mean on either side.
    #[default]
    StandardError,
    /// 95 % of the means of resampled trials (percentile bootstrap).
    Bootstrap {
        /// Resamplings.
        samples: u32,
        /// Seed.
        seed: u64,
    },
}

/// A mean rate over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RateCurve {
    /// Spikes per second and unit `[bins]`; NaN where no trial was observed.
    pub mean: Vec<f64>,
    /// Lower end of the band; empty without one, NaN where fewer than two trials were observed.
    pub low: Vec<f64>,
    /// Upper end of the band, as `low`.
    pub high: Vec<f64>,
    /// Trials in which a bin was observed, `[bins]`.
    pub observed: Vec<usize>,
    /// Trials.
    pub trials: usize,
}

impl RateCurve {
    /// Fewest and most trials of a bin.
    pub fn observed_range(&self) -> (usize, usize) {
        (self.observed.iter().copied().min().unwrap_or(0), self.observed.iter().copied().max().unwrap_or(0))
    }
}

/// Mean rate over the trials of `counts` `[trials, bins]`, summed over `units` units, smoothed by a Gaussian of `sd_s` seconds.
/// Every trial is smoothed before spread is taken, so a band belongs to the smoothed curve. Bands need two trials.
///
/// `seen` `[trials, bins]` says which bins were observed in which trial (`None` = all): each bin is the mean over the trials that
/// observed it, and what was not observed takes no part in smoothing either.
pub fn rate_curve(
    counts: ArrayView2<'_, f64>,
    seen: Option<&Array2<bool>>,
    window: &EventWindow,
    units: usize,
    sd_s: f64,
    band: Band,
    watch: &Watch,
) -> RateCurve {
    let trials = counts.nrows();
    if trials == 0 {
        return RateCurve::default();
    }
    let scale = 1.0 / (window.bin_s * units.max(1) as f64);
    let rates = Rates::new(&counts, seen, scale, sd_s / window.bin_s);
    let (sum, n) = (rates.values.sum_axis(Axis(1)), rates.weights.sum_axis(Axis(1)));
    // A bin that no trial saw divides nothing by nothing: NaN.
    let mean: Vec<f64> = sum.iter().zip(&n).map(|(s, n)| s / n).collect();
    let (low, high) = match band {
        _ if trials < 2 || watch.stopped() => (Vec::new(), Vec::new()),
        Band::Hidden => (Vec::new(), Vec::new()),
        Band::StandardError => {
            let errors: Vec<f64> = (0..mean.len()).map(|bin| rates.error(bin, mean.get(bin).copied().unwrap_or(f64::NAN))).collect();
            (mean.iter().zip(&errors).map(|(m, e)| m - e).collect(), mean.iter().zip(&errors).map(|(m, e)| m + e).collect())
        }
        Band::Bootstrap { samples, seed } => bootstrap(&rates, samples, seed, watch),
    };
    RateCurve { mean, low, high, observed: n.iter().map(|n| n.round() as usize).collect(), trials }
}

/// Smoothed rates of all trials, and which of them count.
struct Rates {
    /// Hz per unit, 0 where not observed `[bins, trials]`.
    values: Array2<f64>,
    /// 1 where observed, 0 where not `[bins, trials]`.
    weights: Array2<f64>,
}

impl Rates {
    fn new(counts: &ArrayView2<'_, f64>, seen: Option<&Array2<bool>>, scale: f64, sd_bins: f64) -> Self {
        // `smoothed` runs over rows of `[bins, columns]`.
        let rates = &counts.t() * scale;
        let Some(seen) = seen.filter(|s| s.dim() == counts.dim()) else {
            return Self { weights: Array2::ones(rates.dim()), values: smoothed(&rates, sd_bins) };
        };
        let weights = seen.t().mapv(|s| if s { 1.0 } else { 0.0 });
        // The kernel's weight on unobserved bins is divided away, so a constant rate stays constant beside a gap.
        let mut values = smoothed(&(&rates * &weights), sd_bins);
        let reached = smoothed(&weights, sd_bins);
        ndarray::Zip::from(&mut values).and(&reached).and(&weights).for_each(|value, &reached, &weight| {
            *value = if weight > 0.0 { *value / reached } else { 0.0 };
        });
        Self { values, weights }
    }

    /// Standard error of the mean over trials of one bin; NaN for fewer than two.
    fn error(&self, bin: usize, mean: f64) -> f64 {
        if bin >= self.values.nrows() {
            return f64::NAN;
        }
        let (values, weights) = (self.values.row(bin), self.weights.row(bin));
        let n: f64 = weights.sum();
        let squares: f64 = values.iter().zip(weights).map(|(x, w)| w * (x - mean).powi(2)).sum();
        if n < 2.0 { f64::NAN } else { (squares / (n - 1.0) / n).sqrt() }
    }
}

/// Resamplings whose means are taken together: few enough that a stop is seen soon.
const SAMPLES_TOGETHER: usize = 50;

/// The central 95 % of means over trials drawn with replacement, per bin. Empty when it was stopped.
fn bootstrap(rates: &Rates, samples: u32, seed: u64, watch: &Watch) -> (Vec<f64>, Vec<f64>) {
    let (bins, trials) = rates.values.dim();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let samples = samples.max(1) as usize;
    let everything = rates.weights.iter().all(|w| *w > 0.0);
    let mut means = vec![Vec::with_capacity(samples); bins];
    for first in (0..samples).step_by(SAMPLES_TOGETHER) {
        if watch.stopped() {
            return (Vec::new(), Vec::new());
        }
        let part = SAMPLES_TOGETHER.min(samples - first);
        // How often every trial is drawn `[trials, part]`, divided by the number drawn: the means are one matrix product.
        let mut drawn = Array2::<f64>::zeros((trials, part));
        for sample in 0..part {
            for _ in 0..trials {
                drawn[[random.random_range(0..trials), sample]] += 1.0 / trials as f64;
            }
        }
        let mut found = rates.values.dot(&drawn);
        if !everything {
            // Of the trials drawn, those that observed the bin.
            found /= &rates.weights.dot(&drawn);
        }
        for (list, row) in means.iter_mut().zip(found.rows()) {
            list.extend(row.iter().copied().filter(|m| m.is_finite()));
        }
    }
    let (mut low, mut high) = (Vec::with_capacity(bins), Vec::with_capacity(bins));
    for (sorted, weights) in means.iter_mut().zip(rates.weights.rows()) {
        sorted.sort_by(f64::total_cmp);
        let enough = weights.sum() >= 2.0;
        low.push(if enough { quantile(sorted, 0.025) } else { f64::NAN });
        high.push(if enough { quantile(sorted, 0.975) } else { f64::NAN });
    }
    (low, high)
}

/// Quantile of sorted values, interpolated linearly; NaN without any.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize));
    match (below, above) {
        (Some(a), Some(b)) => a + (b - a) * (at - at.floor()),
        _ => f64::NAN,
    }
}

/// A stretch of model rates: `rates` (per second) in bins of `bin_s` from `start` on, seconds on the recording's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelStretch {
    /// Start of the first bin, seconds.
    pub start: f64,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Rate per bin.
    pub rates: Vec<f64>,
}

/// Mean model rate per bin of `window` over pairs of event time and stretch; NaN where no stretch reaches.
pub fn model_curve(stretches: &[(f64, ModelStretch)], window: &EventWindow) -> Vec<f64> {
    let rate_at = |time: f64, stretch: &ModelStretch| {
        let bin = (time - stretch.start) / stretch.bin_s;
        (bin >= 0.0).then(|| stretch.rates.get(bin as usize).copied()).flatten().filter(|r| r.is_finite())
    };
    // Model bins are often much narrower than ours: each of our bins is the mean over what lies inside.
    let finest = stretches.iter().map(|(_, s)| s.bin_s).fold(window.bin_s, f64::min).max(1e-6);
    let parts = ((window.bin_s / finest).ceil() as usize).clamp(1, 1000);
    let mean = |bin: usize| {
        let times = (0..parts).map(|part| window.start_s + (bin as f64 + (part as f64 + 0.5) / parts as f64) * window.bin_s);
        let found = times.flat_map(|t| stretches.iter().filter_map(move |(event, stretch)| rate_at(event + t, stretch)));
        let (sum, n) = found.fold((0.0, 0usize), |(s, n), r| (s + r, n + 1));
        if n == 0 { f64::NAN } else { sum / n as f64 }
    };
    (0..window.bins).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_event_is_an_edge_and_spikes_fall_into_their_bins() {
        let window = EventWindow::around(0.2, 0.3, 0.1);
        assert_eq!((window.bins, window.start_s), (5, -0.2));
        assert!((window.stop_s() - 0.3).abs() < 1e-12 && (window.centres()[2] - 0.05).abs() < 1e-12);
        let spikes = [0.79, 0.8, 0.95, 1.0, 1.1, 1.299, 1.3, 5.0];
        let mut counts = Array2::zeros((3, 5));
        count_into(&mut counts, &spikes, &[1.0, 5.1, f64::NAN], &window);
        assert_eq!(counts, array![[1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0], [0.0; 5]]);
    }

    #[test]
    fn windows_survive_any_numbers() {
        for (before, after, bin) in [(0.0, 0.0, 0.01), (-1.0, 0.5, 0.01), (f64::NAN, 1.0, 0.1), (1e9, 1e9, 0.0), (1.0, 1.0, f64::NAN)] {
            let window = EventWindow::around(before, after, bin);
            assert!((1..=100_000).contains(&window.bins) && window.bin_s > 0.0, "{before} {after} {bin}: {window:?}");
        }
    }

    #[test]
    fn the_mean_is_a_rate_per_unit_with_its_standard_error() {
        let window = EventWindow::around(0.0, 0.2, 0.1);
        let counts = array![[2.0, 0.0], [4.0, 0.0], [6.0, 0.0]];
        let curve = rate_curve(counts.view(), None, &window, 2, 0.0, Band::StandardError, &Watch::default());
        assert!((curve.mean[0] - 20.0).abs() < 1e-9 && curve.mean[1].abs() < 1e-9);
        // Rates 10, 20, 30 Hz: standard deviation 10, error 10 / √3.
        assert!((curve.high[0] - curve.mean[0] - 10.0 / 3f64.sqrt()).abs() < 1e-9);
        assert_eq!((curve.trials, curve.low[1]), (3, 0.0));
        let one = rate_curve(
            counts.slice_axis(Axis(0), ndarray::Slice::from(0..1)),
            None,
            &window,
            1,
            0.0,
            Band::StandardError,
            &Watch::default(),
        );
        assert!(one.low.is_empty(), "one trial has no spread");
        assert_eq!(rate_curve(Array2::zeros((0, 2)).view(), None, &window, 1, 0.0, Band::Hidden, &Watch::default()), RateCurve::default());
    }

    #[test]
    fn bootstrap_bands_are_seeded_and_as_wide_as_the_normal_approximation() {
        let window = EventWindow::around(0.0, 0.1, 0.1);
        let counts = Array2::from_shape_fn((400, 1), |(t, _)| (t % 7) as f64);
        let band = |seed| rate_curve(counts.view(), None, &window, 1, 0.0, Band::Bootstrap { samples: 2000, seed }, &Watch::default());
        let (curve, error) = (band(1), rate_curve(counts.view(), None, &window, 1, 0.0, Band::StandardError, &Watch::default()));
        let expected = 2.0 * 1.96 * (error.high[0] - error.mean[0]);
        assert!(((curve.high[0] - curve.low[0]) / expected - 1.0).abs() < 0.1, "{curve:?} {expected}");
        assert_eq!(band(1), curve);
        assert_ne!(band(2), curve);
    }

    #[test]
    fn bins_average_over_the_trials_that_observed_them_also_when_smoothed() {
        // 20 Hz whenever somebody looks: a PSTH beside a gap is flat, not a dip.
        let window = EventWindow::around(0.1, 0.1, 0.01);
        let seen = Array2::from_shape_fn((8, 20), |(trial, bin)| bin >= 2 && !(trial < 6 && (5..10).contains(&bin)));
        let counts = Array2::from_shape_fn((8, 20), |at| if seen[at] { 0.2 } else { 0.0 });
        for (sd, band) in [(0.0, Band::StandardError), (0.02, Band::StandardError), (0.02, Band::Bootstrap { samples: 200, seed: 1 })] {
            let curve = rate_curve(counts.view(), Some(&seen), &window, 1, sd, band, &Watch::default());
            assert_eq!((&curve.observed[..3], curve.observed[7], curve.observed_range()), (&[0, 0, 8][..], 2, (0, 8)));
            assert!(curve.mean[..2].iter().chain(&curve.low[..2]).all(|m| m.is_nan()), "{curve:?}");
            assert!(curve.mean[2..].iter().chain(&curve.low[2..]).chain(&curve.high[2..]).all(|m| (m - 20.0).abs() < 1e-9), "{curve:?}");
        }
        let stopped = Watch::default();
        stopped.stop();
        let band = Band::Bootstrap { samples: 200, seed: 1 };
        assert!(rate_curve(counts.view(), None, &window, 1, 0.0, band, &stopped).low.is_empty());
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!((quantile(&[1.0, 2.0, 4.0], 0.5), quantile(&[1.0, 3.0], 0.25)), (2.0, 1.5));
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn model_rates_are_averaged_over_trials_on_the_events_clock() {
        let window = EventWindow::around(0.1, 0.2, 0.1);
        let stretch = |start: f64, rates: &[f64]| ModelStretch { start, bin_s: 0.05, rates: rates.to_vec() };
        let found = model_curve(&[(1.0, stretch(1.0, &[1.0, 3.0, 5.0, 5.0])), (2.0, stretch(2.0, &[5.0, 7.0]))], &window);
        assert!(found[0].is_nan(), "nothing before the first stretch");
        assert_eq!((found[1], found[2]), (4.0, 5.0));
    }
}
