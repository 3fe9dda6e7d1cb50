//! Bits per spike (benchmark §3.1): how much better than a constant rate per unit, pooled over units.

use std::f64::consts::LN_2;

use ndarray::{ArrayView1, ArrayView3, Axis, Slice};

use super::{NlbError, nothing, same_shape};

/// What stands for a rate of zero, whose logarithm would be infinite.
const LEAST_RATE: f64 = 1e-9;

/// Sums over the scored entries of one unit.
#[derive(Default)]
struct Sums {
    entries: f64,
    spikes: f64,
    rate: f64,
    spikes_log_rate: f64,
}

impl Sums {
    /// Likelihood of the rates less that of the unit's own mean count, in nats. The log-factorials cancel.
    fn gain(&self) -> f64 {
        if self.entries == 0.0 {
            return 0.0;
        }
        let mean = self.spikes / self.entries;
        let null = if mean == 0.0 { LEAST_RATE } else { mean };
        (null * self.entries - self.spikes * null.ln()) - (self.rate - self.spikes_log_rate)
    }
}

fn sums<R: Copy + Into<f64>, C: Copy + Into<f64>>(rates: ArrayView3<'_, R>, counts: ArrayView3<'_, C>) -> Result<Vec<Sums>, NlbError> {
    same_shape("rates", rates.shape(), counts.shape())?;
    let mut sums: Vec<Sums> = (0..counts.len_of(Axis(2))).map(|_| Sums::default()).collect();
    for (trial, (rates, counts)) in rates.outer_iter().zip(counts.outer_iter()).enumerate() {
        for (bin, (rates, counts)) in rates.outer_iter().zip(counts.outer_iter()).enumerate() {
            add_bin(&mut sums, rates, counts).map_err(|(unit, value)| NlbError::Rate { trial, bin, unit, value })?;
        }
    }
    Ok(sums)
}

fn add_bin<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    sums: &mut [Sums],
    rates: ArrayView1<'_, R>,
    counts: ArrayView1<'_, C>,
) -> Result<(), (usize, f64)> {
    for (unit, ((sum, &rate), &count)) in sums.iter_mut().zip(&rates).zip(&counts).enumerate() {
        let (rate, count): (f64, f64) = (rate.into(), count.into());
        if count.is_nan() {
            continue;
        }
        if rate.is_nan() || rate < 0.0 {
            return Err((unit, rate));
        }
        let rate = if rate == 0.0 { LEAST_RATE } else { rate };
        sum.entries += 1.0;
        sum.spikes += count;
        sum.rate += rate;
        if count > 0.0 {
            sum.spikes_log_rate += count * rate.ln();
        }
    }
    Ok(())
}

/// Bits per spike of rates (spikes per bin) for counts, both `[trials, bins, units]`, pooled over all units. The reference is
/// every unit's mean over the *scored* counts. NaN counts are not scored; a rate of 0 counts as 1e-9.
///
/// # Errors
/// [`NlbError`] when shapes differ, a scored rate is negative or NaN, or there are no spikes.
pub fn bits_per_spike<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    rates: ArrayView3<'_, R>,
    counts: ArrayView3<'_, C>,
) -> Result<f64, NlbError> {
    let sums = sums(rates, counts)?;
    let spikes: f64 = sums.iter().map(|s| s.spikes).sum();
    if spikes <= 0.0 {
        return Err(nothing("none of the scored counts has a spike", "score more trials or other units"));
    }
    Ok(sums.iter().map(Sums::gain).sum::<f64>() / spikes / LN_2)
}

/// Bits per spike of every unit by itself, for display: the benchmark's number is the pooled one. `None` for a silent unit.
///
/// # Errors
/// [`NlbError`] when shapes differ or a scored rate is negative or NaN.
pub fn unit_bits_per_spike<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    rates: ArrayView3<'_, R>,
    counts: ArrayView3<'_, C>,
) -> Result<Vec<Option<f64>>, NlbError> {
    Ok(sums(rates, counts)?.iter().map(|s| (s.spikes > 0.0).then(|| s.gain() / s.spikes / LN_2)).collect())
}

/// Co-smoothing: bits per spike of the held-out units (columns from `heldin` on) over the first `observed` bins.
///
/// # Errors
/// As [`bits_per_spike`], and when nothing is held out.
pub fn co_bps<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    rates: ArrayView3<'_, R>,
    counts: ArrayView3<'_, C>,
    heldin: usize,
    observed: usize,
) -> Result<f64, NlbError> {
    let (_, bins, units) = counts.dim();
    if heldin >= units || observed == 0 || observed > bins {
        return Err(nothing("no units are held out", "hold units out before training"));
    }
    same_shape("rates", rates.shape(), counts.shape())?;
    let bins = Slice::from(..observed);
    bits_per_spike(
        rates.slice_axis(Axis(1), bins).slice_axis(Axis(2), Slice::from(heldin..)),
        counts.slice_axis(Axis(1), bins).slice_axis(Axis(2), Slice::from(heldin..)),
    )
}

/// Forward prediction: bits per spike of all units over the bins from `observed` on.
///
/// # Errors
/// As [`bits_per_spike`], and when there are no forward bins.
pub fn fp_bps<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    rates: ArrayView3<'_, R>,
    counts: ArrayView3<'_, C>,
    observed: usize,
) -> Result<f64, NlbError> {
    if observed >= counts.len_of(Axis(1)) {
        return Err(nothing("there are no bins after the observed ones", "leave forward bins when cutting trials"));
    }
    same_shape("rates", rates.shape(), counts.shape())?;
    let bins = Slice::from(observed..);
    bits_per_spike(rates.slice_axis(Axis(1), bins), counts.slice_axis(Axis(1), bins))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ndarray::{Array3, array};

    use super::*;

    #[test]
    fn the_mean_scores_zero_and_the_pooled_number_is_spike_weighted() {
        let counts: Array3<f64> = array![[[0.0, 2.0], [1.0, 3.0]], [[2.0, f64::NAN], [1.0, 1.0]]];
        let mean = Array3::from_shape_fn((2, 2, 2), |(_, _, n)| if n == 0 { 1.0 } else { 2.0 });
        assert!(bits_per_spike(mean.view(), counts.view()).unwrap().abs() < 1e-12);
        let rates = array![[[0.2, 2.5], [1.0, 2.5]], [[1.5, 9.0], [1.0, 0.5]]];
        let units = unit_bits_per_spike(rates.view(), counts.view()).unwrap();
        let pooled = bits_per_spike(rates.view(), counts.view()).unwrap();
        assert!((pooled - (4.0 * units[0].unwrap() + 6.0 * units[1].unwrap()) / 10.0).abs() < 1e-12);
        assert!(pooled > 0.0);
    }

    #[test]
    fn one_zero_rate_under_a_spike_costs_thirty_bits() {
        let counts = Array3::from_elem((1, 1, 1), 1.0f32);
        let score = bits_per_spike(Array3::from_elem((1, 1, 1), 0.0f32).view(), counts.view()).unwrap();
        // ln(1e9)/ln 2 less the 1/ln 2 bits that a rate of 1 costs.
        assert!((score + 29.897 - std::f64::consts::LOG2_E).abs() < 1e-3, "{score}");
    }

    #[test]
    fn bad_rates_and_missing_spikes_are_errors() {
        let counts = array![[[0.0, f64::NAN]]];
        let silent = bits_per_spike(array![[[1.0, -1.0]]].view(), counts.view()).unwrap_err().to_string();
        assert!(silent.contains("has a spike"), "an unscored rate may be anything: {silent}");
        for bad in [-0.5, f64::NAN] {
            let error = bits_per_spike(array![[[bad, 1.0]]].view(), counts.view()).unwrap_err().to_string();
            assert!(error.contains("unit 0 in bin 0 of trial 0"), "{error}");
        }
        let one = Array3::from_elem((1, 4, 2), 1.0);
        assert!(co_bps(one.view(), one.view(), 2, 4).is_err() && fp_bps(one.view(), one.view(), 4).is_err());
        assert!(unit_bits_per_spike(one.view(), Array3::<f64>::zeros((1, 4, 2)).view()).unwrap().iter().all(Option::is_none));
    }
}
