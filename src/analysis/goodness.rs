//! How well a fitted point-process model describes the spikes: time rescaling with the correction for discrete time, correlation of
//! rescaled intervals, residual cross-correlograms between areas, bits per spike against the PSTH.
//!
//! With λ_k the rate per bin, the waiting time between two spikes has the rescaled length ξ = Σ λ_k + δ, the sum over the bins between
//! them and δ = −ln(1 − r (1 − exp(−λ))) for the bin of the second spike, r uniform: then z = 1 − exp(−ξ) is uniform under the true
//! model at any bin width (Brown et al. 2002; Haslinger, Pipa & Brown 2010). Trials are put one after another, so that no interval is
//! cut off. Several spikes in one bin count as one.

use ndarray::{ArrayView2, ArrayView3, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::coupling_stage::{Fit, FrozenModel, TargetData};
use super::psth::{psth, smoothed};

/// Fewest intervals for a verdict on a unit.
const FEW: usize = 20;
/// Lags of residual cross-correlograms, bins to either side.
const LAGS: usize = 25;
/// Lags of the correlation of intervals.
pub const INTERVAL_LAGS: usize = 5;
/// Standard deviation of the PSTH's smoothing, seconds.
const PSTH_SD_S: f64 = 0.01;
/// A zero-lag correlation of so many standard errors is told as an artefact.
const SYNCHRONY_Z: f64 = 6.0;

/// One unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitGoodness {
    /// Column of the model.
    pub unit: usize,
    /// Intervals.
    pub intervals: usize,
    /// Largest distance of the distribution of z from the uniform one.
    pub ks: f64,
    /// Its 95 % limit, 1.36 / √n.
    pub limit: f64,
    /// p-value of the distance.
    pub p: f64,
    /// Correlation of normal scores of intervals at lags 1, 2, …
    pub autocorrelation: Vec<f64>,
    /// Information of the model beyond the PSTH of training trials, bits per spike of test trials; `None` for silent units.
    pub bits_per_spike: Option<f64>,
}

impl UnitGoodness {
    /// True when there are too few intervals, or the distance is within its limit.
    pub fn fits(&self) -> bool {
        self.intervals < FEW || self.ks <= self.limit
    }
}

/// Residuals of two areas against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResidualCorrelogram {
    /// First area.
    pub reference: usize,
    /// Second area: positive lags are its spikes after those of the first.
    pub target: usize,
    /// Correlation of the areas' summed residuals, in standard errors, at lags −25 to 25 bins.
    pub z: Vec<f64>,
}

/// A whole model on its test trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goodness {
    /// Test trials.
    pub trials: usize,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Units, in the order of the model.
    pub units: Vec<UnitGoodness>,
    /// Pairs of areas.
    pub residuals: Vec<ResidualCorrelogram>,
    /// All units together, bits per spike against the PSTH.
    pub bits_per_spike: Option<f64>,
}

impl Goodness {
    /// Share of units whose rescaled intervals are uniform within the limit; of those with enough intervals.
    pub fn share_that_fits(&self) -> Option<f64> {
        let told: Vec<bool> = self.units.iter().filter(|u| u.intervals >= FEW).map(UnitGoodness::fits).collect();
        (!told.is_empty()).then(|| told.iter().filter(|f| **f).count() as f64 / told.len() as f64)
    }

    /// What to be careful about, in words.
    pub fn warnings(&self, areas: &[String]) -> Vec<String> {
        let mut warnings = Vec::new();
        let name = |area: usize| areas.get(area).map_or("", String::as_str);
        for pair in &self.residuals {
            let zero = pair.z.get(LAGS).copied().unwrap_or(0.0);
            if zero.abs() > SYNCHRONY_Z {
                warnings.push(format!(
                    "{} and {} fire in the same bin more often than the model explains ({zero:.0} standard errors): artefacts on all electrodes or common fast input would look like this",
                    name(pair.reference),
                    name(pair.target)
                ));
            }
        }
        if let Some(share) = self.share_that_fits().filter(|s| *s < 0.5) {
            warnings.push(format!(
                "Rescaled intervals of {:.0} % of the units are not uniform: the model misses part of their firing",
                100.0 * (1.0 - share)
            ));
        }
        if self.bits_per_spike.is_some_and(|b| b < 0.0) {
            warnings.push("On test trials the model predicts spikes worse than the PSTH of the training trials".to_owned());
        }
        warnings
    }
}

/// Goodness of the model as the run left it, on its test trials; `None` without test trials or areas.
pub fn goodness(model: &FrozenModel, seed: u64) -> Option<Goodness> {
    if model.test.is_empty() || model.areas.is_empty() {
        return None;
    }
    let pad = model.counts.len_of(Axis(1)) - model.bins();
    let reference = psth(model.counts.view(), pad, &model.train);
    let reference = smoothed(&reference, PSTH_SD_S / model.bin_s);
    let sources: Vec<_> =
        (0..model.areas.len()).into_par_iter().map(|area| super::coupling_stage::SourceSpikes::of(model, area, &model.test)).collect();
    let (mut units, mut residuals) = (Vec::new(), Vec::new());
    let (mut gain, mut spikes) = (0.0, 0.0);
    for area in 0..model.areas.len() {
        let data = TargetData::new(model, area, &model.test);
        let fit = Fit { terms: model.terms(area), mean: data.no_mean(), loss: 0.0, converged: true };
        let of_terms: Vec<_> = fit.terms.iter().filter_map(|t| sources.get(t.source)).collect();
        let rates = data.log_rates(&fit, &of_terms).mapv(f32::exp);
        let counts = data.counts();
        let first = model.columns(area).start;
        let found: Vec<(UnitGoodness, f64, f64)> = (0..data.units())
            .into_par_iter()
            .map(|unit| {
                let (y, rate) = (counts.index_axis(Axis(2), unit), rates.index_axis(Axis(2), unit));
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream((first + unit) as u64);
                let z = rescaled(y, rate, || random.random());
                let (ks, p) = kolmogorov(&z);
                let (gain, spikes) = gain_of(y, rate, &reference.column(first + unit).to_vec());
                let bits = (spikes > 0.0).then(|| gain / spikes / std::f64::consts::LN_2);
                let goodness = UnitGoodness {
                    unit: first + unit,
                    intervals: z.len(),
                    ks,
                    limit: 1.36 / (z.len().max(1) as f64).sqrt(),
                    p,
                    autocorrelation: autocorrelation(&z, INTERVAL_LAGS),
                    bits_per_spike: bits,
                };
                (goodness, gain, spikes)
            })
            .collect();
        for (goodness, g, s) in found {
            units.push(goodness);
            gain += g;
            spikes += s;
        }
        residuals.push(summed_residuals(counts, rates.view()));
    }
    let pairs: Vec<(usize, usize)> = (0..residuals.len()).flat_map(|a| (a + 1..residuals.len()).map(move |b| (a, b))).collect();
    let correlogram = |&(reference, target): &(usize, usize)| {
        Some(ResidualCorrelogram { reference, target, z: cross_correlogram(residuals.get(reference)?, residuals.get(target)?) })
    };
    Some(Goodness {
        trials: model.test.len(),
        bin_s: model.bin_s,
        units,
        residuals: pairs.par_iter().filter_map(correlogram).collect(),
        bits_per_spike: (spikes > 0.0).then(|| gain / spikes / std::f64::consts::LN_2),
    })
}

/// Rescaled intervals z of one unit, from counts and rates per bin `[trials, bins]` laid one after another; `uniform` draws from 0 to 1.
pub fn rescaled(counts: ArrayView2<'_, u8>, rates: ArrayView2<'_, f32>, mut uniform: impl FnMut() -> f64) -> Vec<f64> {
    let mut z = Vec::new();
    let mut passed = 0.0_f64;
    for (&count, &rate) in counts.iter().zip(rates.iter()) {
        let rate = f64::from(rate);
        if count == 0 {
            passed += rate;
            continue;
        }
        let inside = -(-(uniform() * -(-rate).exp_m1())).ln_1p();
        z.push(-(-(passed + inside)).exp_m1());
        passed = 0.0;
    }
    z
}

/// Kolmogorov–Smirnov distance from the uniform distribution on 0 to 1, and its asymptotic p-value (with Stephens' correction for small
/// n); 0 and 1 without values.
pub fn kolmogorov(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let distance = sorted.iter().enumerate().fold(0.0_f64, |d, (k, z)| d.max((k as f64 + 1.0) / n - z).max(z - k as f64 / n));
    let scaled = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * distance;
    let series: f64 = (1..=100).map(|k| if k % 2 == 1 { 2.0 } else { -2.0 } * (-2.0 * f64::from(k * k) * scaled * scaled).exp()).sum();
    (distance, if scaled < 0.2 { 1.0 } else { series.clamp(0.0, 1.0) })
}

/// Correlation of normal scores of successive values at lags 1 to `lags`; zeros for too few values.
pub fn autocorrelation(z: &[f64], lags: usize) -> Vec<f64> {
    let scores: Vec<f64> = z.iter().map(|&z| normal_quantile(z)).collect();
    let n = scores.len();
    let mean = scores.iter().sum::<f64>() / n.max(1) as f64;
    let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>();
    let at = |lag: usize| {
        let sum: f64 = scores.iter().zip(scores.iter().skip(lag)).map(|(a, b)| (a - mean) * (b - mean)).sum();
        if variance > 0.0 && n > lag { sum / variance } else { 0.0 }
    };
    (1..=lags).map(at).collect()
}

/// Quantile of the standard normal distribution (Acklam's rational approximation, relative error below 1.2e-9).
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] =
        [-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239];
    const B: [f64; 5] = [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1];
    const C: [f64; 6] =
        [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
    const D: [f64; 4] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    }
}

/// Log-likelihood of the rates less that of the PSTH, nats, and spikes.
fn gain_of(counts: ArrayView2<'_, u8>, rates: ArrayView2<'_, f32>, psth: &[f64]) -> (f64, f64) {
    /// A bin without a spike in training trials is not impossible.
    const LEAST: f64 = 1e-4;
    let (mut gain, mut spikes) = (0.0, 0.0);
    for (counts, rates) in counts.outer_iter().zip(rates.outer_iter()) {
        for ((&y, &rate), &reference) in counts.iter().zip(rates.iter()).zip(psth) {
            let (y, rate, reference) = (f64::from(y), f64::from(rate).max(1e-12), reference.max(LEAST));
            gain += y * (rate / reference).ln() - (rate - reference);
            spikes += y;
        }
    }
    (gain, spikes)
}

/// Residuals summed over the units of an area, scaled to variance one under the model, `[trials][bins]`.
fn summed_residuals(counts: ArrayView3<'_, u8>, rates: ArrayView3<'_, f32>) -> Vec<Vec<f64>> {
    let trial = |(y, rate): (ArrayView2<'_, u8>, ArrayView2<'_, f32>)| {
        let bin = |(y, rate): (ndarray::ArrayView1<'_, u8>, ndarray::ArrayView1<'_, f32>)| {
            let (y, rate) = (y.iter().map(|&y| f64::from(y)).sum::<f64>(), rate.iter().map(|&r| f64::from(r)).sum::<f64>());
            if rate > 0.0 { (y - rate) / rate.sqrt() } else { 0.0 }
        };
        y.outer_iter().zip(rate.outer_iter()).map(bin).collect()
    };
    counts.outer_iter().zip(rates.outer_iter()).map(trial).collect()
}

/// Mean product over trials and bins at every lag, in standard errors (products of independent residuals have variance one).
fn cross_correlogram(reference: &[Vec<f64>], target: &[Vec<f64>]) -> Vec<f64> {
    let lags = LAGS as isize;
    (-lags..=lags)
        .map(|lag| {
            let (mut sum, mut n) = (0.0, 0.0);
            for (a, b) in reference.iter().zip(target) {
                let (skip_a, skip_b) = if lag >= 0 { (0, lag as usize) } else { (lag.unsigned_abs(), 0) };
                for (x, y) in a.iter().skip(skip_a).zip(b.iter().skip(skip_b)) {
                    sum += x * y;
                    n += 1.0;
                }
            }
            if n > 0.0 { sum / f64::sqrt(n) } else { 0.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ndarray::Array2;

    use super::*;
    use crate::analysis::coupling_stage::Term;
    use crate::analysis::coupling_stage::tests::{areas, frozen};

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, x) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348), (0.999, 3.090_232)] {
            assert!((normal_quantile(p) - x).abs() < 1e-5, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn distances_and_p_values_are_those_of_tables() {
        // One value at 0.5 is half away; the 5 % point of many values is 1.358 / √n.
        assert_eq!(kolmogorov(&[0.5]).0, 0.5);
        let even: Vec<f64> = (0..1000).map(|k| (k as f64 + 0.5) / 1000.0).collect();
        let shifted: Vec<f64> = even.iter().map(|z| (z - 1.358 / 1000f64.sqrt() + 0.0005).clamp(0.0, 1.0)).collect();
        let (distance, p) = kolmogorov(&shifted);
        assert!((distance - 0.0429).abs() < 1e-3 && (p - 0.05).abs() < 0.004, "{distance}, {p}");
        assert!(kolmogorov(&even).1 > 0.999 && kolmogorov(&[]) == (0.0, 1.0));
    }

    #[test]
    fn intervals_of_a_poisson_unit_are_uniform_at_any_bin_width_and_others_are_not() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        for rate in [0.02_f32, 0.5] {
            let rates = Array2::from_shape_fn((40, 500), |(r, t)| rate * (1.0 + 0.8 * ((t + 9 * r) as f32 / 40.0).sin()));
            let counts = rates.mapv(|rate| u8::from(random.random::<f64>() < 1.0 - (-f64::from(rate)).exp()));
            let z = rescaled(counts.view(), rates.view(), || 0.5_f64.min(0.5));
            assert!(z.iter().all(|z| (0.0..1.0).contains(z)));
            let mut other = ChaCha8Rng::seed_from_u64(5);
            let z = rescaled(counts.view(), rates.view(), || other.random());
            assert!(kolmogorov(&z).1 > 0.01, "rate {rate}: {:?} of {}", kolmogorov(&z), z.len());
            assert!(autocorrelation(&z, 3).iter().all(|r| r.abs() < 4.0 / (z.len() as f64).sqrt()));
            // A rate that is wrong by half is noticed.
            let mut other = ChaCha8Rng::seed_from_u64(5);
            let wrong = rates.mapv(|r| 1.5 * r);
            assert!(kolmogorov(&rescaled(counts.view(), wrong.view(), || other.random())).1 < 1e-3, "rate {rate}");
        }
    }

    #[test]
    fn the_true_model_fits_and_without_its_coupling_it_leaves_a_residual() {
        let (recording, mut model) = frozen(&areas(&[10, 8], &[(0, 1)], 160, 9));
        let edge = &recording.truth.as_ref().unwrap().edges[0];
        let term = Term { source: 0, send: edge.send.clone(), coef: vec![1.0, 0.2, 0.0], receive: edge.receive.clone() };
        let bare = goodness(&model, 1).unwrap();
        model.couplings.push((1, term));
        let whole = goodness(&model, 1).unwrap();
        assert_eq!((whole.units.len(), whole.residuals.len(), whole.trials), (18, 1, 40));
        assert!(whole.share_that_fits().unwrap() > 0.8, "{:?}", whole.units.iter().map(|u| (u.ks, u.limit)).collect::<Vec<_>>());
        assert!(whole.bits_per_spike.unwrap() > bare.bits_per_spike.unwrap() && whole.bits_per_spike.unwrap() > 0.0);
        // B follows A by 2 to 20 ms: positive lags.
        let after = |g: &Goodness| g.residuals[0].z[LAGS + 1..LAGS + 6].iter().sum::<f64>();
        assert!(after(&bare) > 10.0 && after(&whole).abs() < 0.5 * after(&bare), "{} and {}", after(&bare), after(&whole));
        assert!(whole.warnings(&model.areas).is_empty(), "{:?}", whole.warnings(&model.areas));
    }

    #[test]
    fn spikes_in_the_same_bin_are_told_as_artefacts() {
        let (_, mut model) = frozen(&areas(&[6, 6], &[], 60, 2));
        for trial in 0..60 {
            for bin in (60..300).step_by(37) {
                for unit in 0..12 {
                    model.counts[[trial, bin, unit]] = 1;
                }
            }
        }
        let found = goodness(&model, 1).unwrap().warnings(&model.areas);
        assert!(found.iter().any(|w| w.contains("area 0 and area 1 fire in the same bin")), "{found:?}");
    }
}
