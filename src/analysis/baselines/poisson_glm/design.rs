//! The features of one trial, made from its spikes whenever they are needed: they would not fit into memory for all trials, and
//! making them costs little beside what is done with them.

use std::ops::Range;

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

use super::GlmSettings;
use crate::analysis::bases;

/// Features `[bins, splines + functions · sending units]`; the functions of one sending unit are next to each other.
#[derive(Debug, Clone)]
pub struct Design {
    splines: Array2<f64>,
    basis: Array2<f64>,
    /// Sending units, as columns of the counts, ascending.
    senders: Vec<usize>,
}

impl Design {
    /// For `bins` analysed bins and coupling from the units `senders`.
    pub fn new(settings: &GlmSettings, bins: usize, senders: Vec<usize>) -> Self {
        let splines = bases::spline_basis(settings.splines, bins);
        // The splines sum to a constant: the constant column that comes first says nothing of its own.
        let first = usize::from(splines.ncols() > 1);
        let splines = splines.slice_axis(Axis(1), Slice::from(first..)).to_owned();
        let (count, peak, stretch) = settings.basis;
        Self { splines, basis: bases::raised_cosine(count, peak, stretch), senders }
    }

    /// Columns of the PSTH.
    pub fn splines(&self) -> usize {
        self.splines.ncols()
    }

    /// Functions of a coupling filter.
    pub fn functions(&self) -> usize {
        self.basis.ncols()
    }

    /// Basis of the coupling filters `[lags, functions]`.
    pub fn basis(&self) -> &Array2<f64> {
        &self.basis
    }

    /// All columns.
    pub fn width(&self) -> usize {
        self.splines() + self.functions() * self.senders.len()
    }

    /// Columns of the coupling from units that stand next to each other in the counts.
    pub fn columns_of(&self, units: Range<usize>) -> Range<usize> {
        let place = |unit: usize| self.splines() + self.functions() * self.senders.partition_point(|&s| s < unit);
        place(units.start)..place(units.end)
    }

    /// Room for the features of one trial.
    pub fn features(&self) -> Array2<f64> {
        let mut features = Array2::zeros((self.splines.nrows(), self.width()));
        features.slice_axis_mut(Axis(1), Slice::from(..self.splines())).assign(&self.splines);
        features
    }

    /// Put the filtered counts of a trial `[pad + bins, units]` into features from [`Self::features`].
    pub fn fill(&self, spikes: ArrayView2<'_, u8>, features: &mut Array2<f64>) {
        let (bins, functions) = (features.nrows(), self.functions());
        let pad = spikes.nrows().saturating_sub(bins);
        features.slice_axis_mut(Axis(1), Slice::from(self.splines()..)).fill(0.0);
        for (time, row) in spikes.axis_iter(Axis(0)).enumerate() {
            for (place, &sender) in self.senders.iter().enumerate() {
                let count = row.get(sender).copied().unwrap_or(0);
                if count == 0 {
                    continue;
                }
                let first = self.splines() + place * functions;
                // A spike acts from the next bin on.
                for (bin, values) in (time + 1..).zip(self.basis.axis_iter(Axis(0))) {
                    let Some(bin) = bin.checked_sub(pad) else { continue };
                    if bin >= bins {
                        break;
                    }
                    for (k, value) in values.iter().enumerate() {
                        features[[bin, first + k]] += f64::from(count) * value;
                    }
                }
            }
        }
    }

    /// Spline coefficients of the most likely PSTH of a unit with `spikes` per bin in all `trials` (Newton), and its rates.
    pub fn psth(&self, spikes: &[f64], trials: f64) -> (Array1<f64>, Array1<f64>) {
        let (bins, width) = self.splines.dim();
        let mean = (spikes.iter().sum::<f64>().max(0.5) / (trials * bins.max(1) as f64)).ln();
        // A spline's largest value is 1, where it is alone it is the constant; a small penalty keeps silent stretches finite.
        let (flat, penalty) = (self.constant() * mean, 1e-3 * trials);
        let mut coefficients = flat.clone();
        for _ in 0..30 {
            let rates = self.splines.dot(&coefficients).mapv(|eta| eta.clamp(-30.0, super::LARGEST).exp());
            let residual = Array1::from_iter(spikes.iter().zip(&rates).map(|(y, rate)| y - trials * rate));
            let gradient = self.splines.t().dot(&residual) - (&coefficients - &flat) * penalty;
            let mut weighted = self.splines.clone();
            weighted.axis_iter_mut(Axis(0)).zip(&rates).for_each(|(mut row, rate)| row *= trials * rate);
            let hessian = self.splines.t().dot(&weighted);
            let matrix = DMatrix::from_fn(width, width, |i, j| hessian[[i, j]] + if i == j { penalty } else { 0.0 });
            let Some(factor) = Cholesky::new(matrix) else { break };
            let step = factor.solve(&DVector::from_iterator(width, gradient.iter().copied()));
            let longest = step.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let shrink = if longest > 2.0 { 2.0 / longest } else { 1.0 };
            coefficients.iter_mut().zip(step.iter()).for_each(|(c, s)| *c += shrink * s);
            if longest < 1e-8 {
                break;
            }
        }
        let rates = self.splines.dot(&coefficients).mapv(|eta| eta.clamp(-30.0, super::LARGEST).exp());
        (coefficients, rates)
    }

    /// Spline coefficients of the constant 1.
    fn constant(&self) -> Array1<f64> {
        let gram = self.splines.t().dot(&self.splines);
        let width = gram.nrows();
        let sums = self.splines.sum_axis(Axis(0));
        let matrix = DMatrix::from_fn(width, width, |i, j| gram[[i, j]] + if i == j { 1e-10 } else { 0.0 });
        let solved = Cholesky::new(matrix).map(|factor| factor.solve(&DVector::from_iterator(width, sums.iter().copied())));
        solved.map_or_else(|| Array1::zeros(width), |c| c.iter().copied().collect())
    }
}

/// The g that minimises `expected · exp(g) − observed · g + ½ penalty g²`.
pub(super) fn gain(expected: f64, observed: f64, penalty: f64) -> f64 {
    let mut gain = ((observed + 0.1) / (expected + 0.1)).ln();
    for _ in 0..50 {
        let scaled = expected * gain.exp();
        let step = (scaled - observed + penalty * gain) / (scaled + penalty).max(1e-12);
        gain -= step.clamp(-1.0, 1.0);
        if step.abs() < 1e-12 {
            break;
        }
    }
    gain
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn features_are_splines_and_filtered_counts() {
        let settings = GlmSettings { splines: 5, ..GlmSettings::default() };
        let design = Design::new(&settings, 30, vec![0, 2, 3]);
        assert_eq!((design.splines(), design.functions(), design.width()), (5, 3, 14));
        assert_eq!((design.columns_of(0..1), design.columns_of(1..4), design.columns_of(1..2)), (5..8, 8..14, 8..8));
        let mut spikes = Array2::<u8>::zeros((40, 4));
        (spikes[[3, 0]], spikes[[12, 2]], spikes[[12, 1]], spikes[[39, 3]]) = (1, 2, 9, 5);
        let mut features = design.features();
        features.fill(7.0);
        let mut fresh = design.features();
        design.fill(spikes.view(), &mut features);
        design.fill(spikes.view(), &mut fresh);
        assert_eq!(features.slice_axis(Axis(1), Slice::from(5..)), fresh.slice_axis(Axis(1), Slice::from(5..)));
        // Bin 0 is time 10: the spike at 3 acts there with its seventh row, the two at 12 from bin 3 on.
        assert_eq!(fresh[[0, 5]], design.basis()[[6, 0]]);
        assert_eq!((fresh[[2, 8]], fresh[[3, 8]]), (0.0, 2.0 * design.basis()[[0, 0]]));
        assert!(fresh.column(11).iter().all(|&x| x == 0.0), "nothing acts in its own bin or before");
    }

    #[test]
    fn the_gain_solves_its_equation() {
        for (expected, observed, penalty) in [(3.0, 7.0, 0.01), (20.0, 0.0, 3e-3), (0.5, 40.0, 1.0)] {
            let g: f64 = gain(expected, observed, penalty);
            assert!((expected * g.exp() - observed + penalty * g).abs() < 1e-9, "{g}");
        }
    }

    #[test]
    fn a_smooth_psth_is_found() {
        let design = Design::new(&GlmSettings { splines: 8, ..GlmSettings::default() }, 60, Vec::new());
        let truth = |bin: usize| 0.1 + 0.05 * (bin as f64 / 10.0).sin();
        let spikes: Vec<f64> = (0..60).map(|bin| 1000.0 * truth(bin)).collect();
        let (_, rates) = design.psth(&spikes, 1000.0);
        assert!(rates.iter().enumerate().all(|(bin, rate)| (rate / truth(bin) - 1.0).abs() < 0.1), "{rates}");
    }
}
