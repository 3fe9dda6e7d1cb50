//! Scores of predicted rates: the benchmark's bits per spike, and R² where the true rates are known.

use ndarray::{Array3, ArrayView3, Axis};

use super::Layout;
use crate::analysis::loss::{flat_rates, psth_rates};
use crate::analysis::nlb::{Smoothing, co_bps, fp_bps, rate_r2, unit_bits_per_spike};
use crate::analysis::true_rates::true_log_rate;
use crate::models::stndt::{Batch, Grid};
use crate::training::{Prepared, RateScores, References};

/// What rates of some trials are scored against, made once for any number of rates. Everything is in the network's order
/// `[trials, bins, units]`.
pub(super) struct Scorer {
    grid: Grid,
    counts: Array3<f32>,
    /// True rates, spikes per bin; `None` when they are not known.
    pub(super) truth: Option<Array3<f64>>,
}

impl Scorer {
    pub(super) fn new(layout: &Layout, data: &Prepared, trials: &[usize]) -> Self {
        Self { grid: layout.grid, counts: layout.counts(data, trials), truth: true_rates(layout, data, trials) }
    }

    /// Scores of rates, spikes per bin, after so many steps.
    pub(super) fn score(&self, rates: ArrayView3<'_, f64>, step: u64) -> RateScores {
        let (grid, counts) = (&self.grid, self.counts.view());
        // A score without held-out units, forward bins or spikes there does not exist.
        let known = |score: Option<f64>| score.map_or(f32::NAN, |s| s as f32);
        RateScores {
            step,
            co_bps: known(co_bps(rates, counts, grid.heldin, grid.observed).ok()),
            fp_bps: known(fp_bps(rates, counts, grid.observed).ok()),
            rate_r2: known(self.truth.as_ref().and_then(|truth| rate_r2(truth.view(), rates).ok())),
        }
    }
}

impl Scorer {
    /// Bits per spike of every unit over the observed bins, in the order of `places` (units of the network); `None` without a spike.
    pub(super) fn unit_bits(&self, rates: ArrayView3<'_, f64>, places: &[usize]) -> Vec<Option<f32>> {
        let observed = ndarray::Slice::from(..self.grid.observed);
        let (rates, counts) = (rates.slice_axis(Axis(1), observed), self.counts.slice_axis(Axis(1), observed));
        let bits = unit_bits_per_spike(rates, counts).unwrap_or_default();
        places.iter().map(|&place| bits.get(place).copied().flatten().map(|b| b as f32)).collect()
    }
}

/// True rates of some trials, spikes per bin, in the network's order; `None` when they are not known.
pub(super) fn true_rates(layout: &Layout, data: &Prepared, trials: &[usize]) -> Option<Array3<f64>> {
    let units: Vec<usize> = layout.columns.iter().filter_map(|&column| data.binned.units.get(column).copied()).collect();
    let mut rates = Array3::zeros((trials.len(), data.binned.bins, units.len()));
    for (mut to, &trial) in rates.outer_iter_mut().zip(trials) {
        to.assign(&true_log_rate(&data.recording, &data.trials, trial, &units)?.mapv(f64::exp));
    }
    Some(rates)
}

/// The benchmark's smoothing baseline on some trials; its rates after the observed bins are those of the last observed one.
pub(super) fn smoothed_rates(layout: &Layout, data: &Prepared, trials: &[usize]) -> Option<Array3<f64>> {
    let observed = |counts: Array3<f32>| counts.slice_axis(Axis(1), ndarray::Slice::from(..layout.grid.observed)).to_owned();
    let train = observed(layout.counts(data, &data.split.train));
    let seen = observed(layout.counts(data, trials));
    let rates = Smoothing::default().rates(train.view(), seen.view(), layout.grid.heldin, data.binned.bin_s).ok()?;
    let (count, _, units) = rates.dim();
    let last = layout.grid.observed - 1;
    Some(Array3::from_shape_fn((count, layout.grid.bins(), units), |(trial, bin, unit)| rates[[trial, bin.min(last), unit]]))
}

/// Losses of a flat rate, of the PSTH and of the true rates on what a masked batch scores.
pub(super) fn references(layout: &Layout, data: &Prepared, trials: &[usize], batch: &Batch) -> References {
    let (counts, pad) = (data.binned.counts.view(), data.binned.pad_bins);
    let loss = |rate: &dyn Fn(usize, usize, usize) -> f64| {
        let (mut sum, mut scored) = (0.0, 0usize);
        for (at, _) in batch.scored.indexed_iter().filter(|(_, scored)| **scored) {
            let rate = rate(at.0, at.1, at.2);
            sum += rate - f64::from(batch.target[at]) * rate.max(1e-9).ln();
            scored += 1;
        }
        (scored > 0).then(|| sum / scored as f64)
    };
    let flat = flat_rates(counts, pad, &data.split.train);
    let psth = psth_rates(counts, pad, &data.split.train, &data.split.validation);
    let truth = true_rates(layout, data, trials);
    let column = |unit: usize| layout.columns.get(unit).copied().unwrap_or(0);
    References {
        flat: flat.and_then(|rates| loss(&|_, _, unit| rates[[0, column(unit)]])),
        psth: psth.and_then(|(rates, _)| loss(&|_, bin, unit| rates[[bin, column(unit)]])),
        oracle: truth.and_then(|rates| loss(&|trial, bin, unit| rates[[trial, bin, unit]])),
    }
}
