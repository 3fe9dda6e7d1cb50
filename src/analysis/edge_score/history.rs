//! A unit's own past: its rate depends on how long ago it last fired (inhomogeneous Markov interval model; Kass & Ventura 2001).
//!
//! Without it a true edge A → B echoes: spikes of B tell when A fired, A is refractory after its spikes, and so B seems to
//! inhibit A. The rates of a model without post-spike filters are multiplied by one factor per unit and time since its last
//! spike, the ratio of observed to expected spikes.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Spikes added to both observed and expected ones: keeps factors of rarely seen cases near 1.
const PRIOR_SPIKES: f64 = 5.0;

/// Observed and expected spikes by time since the unit's last spike.
pub(super) struct OwnHistory {
    /// Factors `[units, lags + 1]`: entry k for a last spike k + 1 bins ago, the last one for longer ago.
    observed: Array2<f64>,
    expected: Array2<f64>,
}

impl OwnHistory {
    pub(super) fn new(units: usize, lags: usize) -> Self {
        Self { observed: Array2::zeros((units, lags + 1)), expected: Array2::zeros((units, lags + 1)) }
    }

    /// Add trials: counts `[pad + bins, units]` and rates `[bins, units]` of each.
    pub(super) fn observe(&mut self, counts: &[ArrayView2<'_, u8>], rates: &[ArrayView2<'_, f32>]) {
        let shape = self.observed.dim();
        let sums: Vec<_> = counts
            .par_iter()
            .zip(rates)
            .map(|(counts, rates)| {
                let (mut observed, mut expected) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
                for_each_class(counts.view(), rates.nrows(), shape.1, |bin, unit, class, count| {
                    observed[[unit, class]] += f64::from(count);
                    expected[[unit, class]] += f64::from(rates[[bin, unit]]);
                });
                (observed, expected)
            })
            .collect();
        for (observed, expected) in sums {
            self.observed += &observed;
            self.expected += &expected;
        }
    }

    /// The rates `[bins, units]` of one trial with the units' own past taken into account; unchanged when nothing was observed.
    pub(super) fn corrected(&self, counts: ArrayView2<'_, u8>, rates: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut corrected = rates.to_owned();
        for_each_class(counts, rates.nrows(), self.observed.ncols(), |bin, unit, class, _| {
            let factor = (self.observed[[unit, class]] + PRIOR_SPIKES) / (self.expected[[unit, class]] + PRIOR_SPIKES);
            corrected[[bin, unit]] *= factor as f32;
        });
        corrected
    }
}

/// Calls `visit(bin of the window, unit, class, count)` for every cell of the window; the class is the time since the last
/// spike before this bin, counted from 0 for the bin before, at most `classes - 1`.
fn for_each_class(counts: ArrayView2<'_, u8>, bins: usize, classes: usize, mut visit: impl FnMut(usize, usize, usize, u8)) {
    let pad = counts.nrows().saturating_sub(bins);
    let mut since = vec![classes - 1; counts.ncols()];
    for (bin, row) in counts.axis_iter(Axis(0)).enumerate() {
        for (unit, (&count, since)) in row.iter().zip(&mut since).enumerate() {
            if bin >= pad {
                visit(bin - pad, unit, *since, count);
            }
            *since = if count > 0 { 0 } else { (*since + 1).min(classes - 1) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_bins_since_the_last_spike() {
        let counts = ndarray::arr2(&[[1_u8], [0], [0], [2], [0], [0], [0], [0]]);
        let mut seen = Vec::new();
        for_each_class(counts.view(), 7, 4, |bin, _, class, count| seen.push((bin, class, count)));
        assert_eq!(seen, [(0, 0, 0), (1, 1, 0), (2, 2, 2), (3, 0, 0), (4, 1, 0), (5, 2, 0), (6, 3, 0)]);
    }

    #[test]
    fn factors_are_observed_over_expected_and_nothing_observed_changes_nothing() {
        // Every spike is followed by one in the next bin and by none in the one after; pairs come every 10 bins.
        let counts = Array2::from_shape_fn((3000, 1), |(bin, _)| u8::from(bin % 10 < 2));
        let rates = Array2::from_elem((3000, 1), 0.2_f32);
        let mut history = OwnHistory::new(1, 3);
        assert_eq!(history.corrected(counts.view(), rates.view()), rates);
        history.observe(&[counts.view()], &[rates.view()]);
        let corrected = history.corrected(counts.view(), rates.view());
        // After a spike (600 bins, 300 followed by a spike): 305 / 125; two bins after a spike (300 bins): 5 / 65.
        assert!((corrected[[21, 0]] / 0.2 - 305.0 / 125.0).abs() < 0.01 && (corrected[[23, 0]] / 0.2 - 5.0 / 65.0).abs() < 0.01);
        assert!((corrected[[20, 0]] - 0.2 * (300.0 + 5.0) / (0.2 * 1800.0 + 5.0)).abs() < 0.01);
    }
}
