//! One trial of the edge score: filtered spikes without their slow part, and what a spike in each bin adds to the score.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis, Slice};

use super::band::correlate;
use super::jitter::Spike;

/// The basis `[lags, functions]` with what slow drive can explain taken out, `[lags + 3/2 window, functions]`.
///
/// From every filtered train its own straight-line extrapolation from the last `3/2 window` bins is subtracted: constants and
/// linear trends vanish, curvature is suppressed as by the moving average over ± `window` bins of the prototype. Only the past
/// is used. An average over past *and future* would let the spikes that A evokes in B count as a cause of A's spikes.
pub(in crate::analysis) fn fast_part(basis: &Array2<f64>, window: usize) -> Array2<f64> {
    let w = (window + window / 2).max(2);
    // Least-squares line through the values 1 to w bins ago, read off now.
    let weight = |d: usize| (4.0 * w as f64 + 2.0 - 6.0 * d as f64) / (w as f64 * (w as f64 - 1.0));
    let (lags, functions) = basis.dim();
    Array2::from_shape_fn((lags + w, functions), |(lag, function)| {
        let at = |lag: usize| basis.get([lag, function]).copied().unwrap_or(0.0);
        at(lag) - (1..=w.min(lag)).map(|d| weight(d) * at(lag - d)).sum::<f64>()
    })
}

/// What a spike in every bin of one trial adds to the score of the couplings that its unit sends.
pub(in crate::analysis) struct SpikeEffects {
    /// `[pad + bins, functions · units]`
    rows: Array2<f32>,
}

impl SpikeEffects {
    /// From counts `[pad + bins, units]`, rates `[bins, units]` and the basis `[lags, functions]`: the residual of the bins from
    /// `pad` on, filtered backwards in time.
    pub(in crate::analysis) fn new(counts: ArrayView2<'_, u8>, rates: ArrayView2<'_, f32>, basis: &Array2<f32>) -> Self {
        let ((total, units), bins) = (counts.dim(), rates.nrows());
        let pad = total - bins;
        let residual = counts.slice_axis(Axis(0), Slice::from(pad..)).mapv(f32::from) - rates;
        let mut rows = Array2::zeros((total, basis.ncols() * units));
        // A spike in bin t acts on bins t + 1 to t + lags; the window starts at bin `pad`.
        for (function, rows) in basis.axis_iter(Axis(1)).zip(rows.axis_chunks_iter_mut(Axis(1), units.max(1))) {
            correlate(function, residual.view(), 1 - pad as isize, rows);
        }
        Self { rows }
    }

    /// Add the effects of `spikes` to the sums `[sources, functions, targets]`.
    pub(in crate::analysis) fn add(&self, spikes: &[Spike], sums: &mut Array3<f32>) {
        let (_, functions, units) = sums.dim();
        let Some(sums) = sums.as_slice_mut() else { return };
        for spike in spikes {
            let first = spike.unit as usize * functions * units;
            sums[first..first + functions * units].iter_mut().zip(self.rows.row(spike.bin as usize)).for_each(|(sum, x)| *sum += x);
        }
    }
}

impl SpikeEffects {
    /// As [`Self::add`], for some targets only: `targets` gives, for a sending unit, ranges of receiving units.
    pub(super) fn add_to(&self, spikes: &[Spike], sums: &mut Array3<f32>, targets: impl Fn(usize) -> [Range<usize>; 2]) {
        for spike in spikes {
            let (unit, row) = (spike.unit as usize, self.rows.row(spike.bin as usize));
            let (Some(row), mut sums) = (row.as_slice(), sums.index_axis_mut(Axis(0), unit)) else { continue };
            let units = sums.ncols().max(1);
            for (mut sums, row) in sums.axis_iter_mut(Axis(0)).zip(row.chunks_exact(units)) {
                let Some(sums) = sums.as_slice_mut() else { continue };
                for range in targets(unit) {
                    sums[range.clone()].iter_mut().zip(&row[range]).for_each(|(sum, x)| *sum += x);
                }
            }
        }
    }

    /// Add what spikes at these rates `[pad + bins, sources]` would add on average to sums `[sources, functions · targets]`.
    pub(super) fn add_expected(&self, rates: ArrayView2<'_, f32>, sums: &mut Array2<f32>) {
        general_mat_mul(1.0, &rates.t(), &self.rows, 1.0, sums);
    }
}

/// Spikes per bin, `shape` = [pad + bins, units].
pub(super) fn counted(spikes: &[Spike], shape: (usize, usize)) -> Array2<f32> {
    let mut counts = Array2::zeros(shape);
    spikes.iter().for_each(|spike| counts[[spike.bin as usize, spike.unit as usize]] += 1.0);
    counts
}

/// Spikes or rates `[pad + bins, units]` filtered with one basis function and cut to the analysed window, `[bins, units]`.
pub(super) fn filtered(sent: ArrayView2<'_, f32>, function: ArrayView1<'_, f32>, pad: usize) -> Array2<f32> {
    let (total, units) = sent.dim();
    let mut drive = Array2::zeros((total.saturating_sub(pad), units));
    // What was sent k + 1 bins ago has weight k: the last weight comes first.
    let backwards = function.slice_axis_move(Axis(0), Slice::new(0, None, -1));
    correlate(backwards, sent, pad as isize - function.len() as isize, drive.view_mut());
    drive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_trends_are_taken_out_and_fast_parts_stay() {
        let basis = crate::analysis::bases::raised_cosine(3, 7.0, 0.5);
        let fast = fast_part(&basis, 25);
        assert_eq!(fast.dim(), (27 + 37, 3));
        for (fast, slow) in fast.axis_iter(Axis(1)).zip(basis.axis_iter(Axis(1))) {
            let moment = |power: i32| fast.iter().enumerate().map(|(k, b)| b * (k as f64 + 1.0).powi(power)).sum::<f64>();
            assert!(moment(0).abs() < 1e-9 && moment(1).abs() < 1e-6);
            assert!(fast.iter().zip(slow).take(2).all(|(f, s)| (f - s).abs() < 0.2), "the first lags keep their value");
        }
    }

    #[test]
    fn expected_effects_are_those_of_many_spikes() {
        let counts = Array2::from_shape_fn((9, 3), |(bin, unit)| ((bin * 7 + unit) % 3) as u8);
        let rates = Array2::from_shape_fn((6, 3), |(bin, unit)| 0.3 + 0.1 * (bin + unit) as f32);
        let basis = ndarray::arr2(&[[3.0_f32, 1.0], [2.0, -1.0]]);
        let effects = SpikeEffects::new(counts.view(), rates.view(), &basis);
        let spikes = super::super::jitter::spikes(counts.view());
        let (mut whole, mut parts) = (Array3::zeros((3, 2, 3)), Array3::zeros((3, 2, 3)));
        effects.add(&spikes, &mut whole);
        effects.add_to(&spikes, &mut parts, |unit| [0..unit, unit + 1..3]);
        for ((m, function, n), sum) in parts.indexed_iter() {
            assert_eq!(*sum, if m == n { 0.0 } else { whole[[m, function, n]] });
        }
        let as_rates = counts.mapv(f32::from);
        let mut expected = Array2::zeros((3, 6));
        effects.add_expected(as_rates.view(), &mut expected);
        assert!(expected.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn spikes_act_from_the_next_bin_on() {
        let function = ndarray::arr1(&[3.0_f32, 2.0]);
        let spikes = [(1, 0), (4, 1), (7, 0)].map(|(bin, unit)| Spike { bin, unit });
        let drive = filtered(counted(&spikes, (8, 2)).view(), function.view(), 3);
        assert_eq!(drive, ndarray::arr2(&[[2.0, 0.0], [0.0, 0.0], [0.0, 3.0], [0.0, 2.0], [0.0, 0.0]]));
    }
}
