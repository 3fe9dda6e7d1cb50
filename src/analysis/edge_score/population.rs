//! What the other units of an area tell about a unit's rate in this trial: fast drive that the model's rates miss.
//!
//! A response whose latency changes from trial to trial is faster than any jitter window that keeps the power to see coupling, and
//! two areas that respond to the same stimulus share it. The rates of a model that has not learned the latency of every trial are
//! then wrong in both areas at once, which looks like coupling. The rates are therefore multiplied, at every bin, by how many more
//! spikes than expected the *other* units of the same area fire around it:
//!
//! ```text
//! λ'_m(t) = λ_m(t) · (κ + w Σ_{n ≠ m} (g * y_n)(t)) / (κ + w Σ_{n ≠ m} (g * λ_n)(t))
//! ```
//!
//! with g a Gaussian of a few bins (of senders its past half), w the number of bins it averages over and κ some spikes. What is left is which unit fires
//! when, given what its area does; coupling that drives all units of an area alike is mostly taken for drive of that area.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Standard deviation of the Gaussian, bins.
const SMOOTH_BINS: f64 = 3.0;
/// Where the Gaussian is cut off, bins.
const REACH: usize = 9;
/// Spikes added to both observed and expected ones: small and quiet areas change little. Areas of fifty units at 30 to 60 Hz, where 30 to
/// 60 weighted spikes are expected, are followed by half; following them closer lets an area's answers hide what its units have of
/// their own (four spiking areas: B → C scored 41 with 20 spikes, 90 with 50, noise 17).
const PRIOR_SPIKES: f32 = 50.0;

/// Which bins tell about a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Those before and after it: best where rates are what is wanted.
    Both,
    /// It and those before it: answers of an area to another must not count as what it was about to do.
    Past,
}

/// Corrects rates by what the rest of the area does.
pub(super) struct Population {
    areas: Vec<Range<usize>>,
    /// Weights at distances of 0, 1, … bins; their sum over both sides is the number of bins that the Gaussian averages over.
    kernel: Vec<f32>,
}

impl Population {
    /// For areas whose units are next to each other.
    pub(super) fn new(area_sizes: &[usize]) -> Self {
        let areas = area_sizes.iter().scan(0, |next, &size| {
            let area = *next..*next + size;
            *next = area.end;
            Some(area)
        });
        // A Gaussian of unit height sums to √(2π) sd; the variance of what it averages is that of √2 times as many bins.
        let weight = |d: usize| std::f64::consts::SQRT_2 * (-0.5 * (d as f64 / SMOOTH_BINS).powi(2)).exp();
        Self { areas: areas.collect(), kernel: (0..=REACH).map(|d| weight(d) as f32).collect() }
    }

    /// Units of an area.
    pub(super) fn units(&self, area: usize) -> Range<usize> {
        self.areas.get(area).cloned().unwrap_or(0..0)
    }

    /// Corrected rates `[pad + bins, units]` of a trial from its counts `[pad + bins, units]` and the model's rates
    /// `[bins, units]`. In the padding, where the model has none, its first ones are taken.
    pub(super) fn corrected(&self, counts: ArrayView2<'_, u8>, rates: ArrayView2<'_, f32>, around: Around) -> Array2<f32> {
        let (total, units) = counts.dim();
        let pad = total.saturating_sub(rates.nrows());
        let base = Array2::from_shape_fn((total, units), |(bin, unit)| rates.get([bin.saturating_sub(pad), unit]).copied().unwrap_or(0.0));
        let (observed, expected) = (self.smoothed(&counts.mapv(f32::from), around), self.smoothed(&base, around));
        let mut corrected = base;
        for area in &self.areas {
            let of = |all: &Array2<f32>| all.slice_axis(Axis(1), Slice::from(area.clone())).sum_axis(Axis(1));
            let (seen, awaited) = (of(&observed), of(&expected));
            for bin in 0..total {
                for unit in area.clone() {
                    let at = [bin, unit];
                    // Rounding must not make a rate negative.
                    let seen = (seen[bin] - observed[at]).max(0.0);
                    let awaited = (awaited[bin] - expected[at]).max(0.0);
                    corrected[at] *= (seen + PRIOR_SPIKES) / (awaited + PRIOR_SPIKES);
                }
            }
        }
        corrected
    }

    /// Weighted sums over the bins around every bin.
    fn smoothed(&self, values: &Array2<f32>, around: Around) -> Array2<f32> {
        let total = values.nrows();
        let ahead = if around == Around::Both { REACH } else { 0 };
        let mut sums = Array2::zeros(values.dim());
        for (bin, mut row) in sums.axis_iter_mut(Axis(0)).enumerate() {
            for other in bin.saturating_sub(REACH)..(bin + ahead + 1).min(total) {
                row.scaled_add(self.kernel[bin.abs_diff(other)], &values.row(other));
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_unit_follows_the_others_of_its_area_and_not_itself() {
        let population = Population::new(&[20, 3]);
        let rates = Array2::from_elem((60, 23), 0.1_f32);
        // All of the first area but unit 0 fire twice as much as expected from bin 40 on (pad 10), those of the other as expected.
        let counts = Array2::from_shape_fn((70, 23), |(bin, unit)| match (unit, bin) {
            (0, 50) => 3,
            (1..20, 40..) => u8::from((bin + unit) % 5 == 0),
            _ => u8::from((bin + unit) % 10 == 0),
        });
        let corrected = population.corrected(counts.view(), rates.view(), Around::Both);
        assert_eq!(corrected.dim(), (70, 23));
        let mean = |bins: Range<usize>, unit: usize| bins.clone().map(|bin| corrected[[bin, unit]]).sum::<f32>() / bins.len() as f32;
        assert!((mean(15..30, 0) - 0.1).abs() < 0.01 && (0.12..0.14).contains(&mean(50..65, 0)), "{} {}", mean(15..30, 0), mean(50..65, 0));
        assert!((mean(50..65, 21) - 0.1).abs() < 0.01, "another area is nobody's business");
        // The three spikes of unit 0 move the others, not itself.
        assert!((corrected[[50, 0]] - mean(46..55, 0)).abs() < 0.02 && corrected[[50, 7]] > corrected[[50, 0]]);
        // What comes is told by both sides, and not by the past.
        let past = population.corrected(counts.view(), rates.view(), Around::Past);
        assert!(corrected[[38, 0]] > 0.105 && (past[[38, 0]] - 0.1).abs() < 0.002, "{} {}", corrected[[38, 0]], past[[38, 0]]);
        assert!(past[[50, 0]] > 0.11);
    }

    #[test]
    fn the_only_unit_of_an_area_keeps_its_rates() {
        let population = Population::new(&[1, 1]);
        let rates = Array2::from_shape_fn((5, 2), |(bin, unit)| 0.1 * (1 + bin + unit) as f32);
        let counts = Array2::from_elem((7, 2), 1_u8);
        let corrected = population.corrected(counts.view(), rates.view(), Around::Both);
        assert_eq!(corrected.slice_axis(Axis(0), Slice::from(2..)), rates);
        assert_eq!(corrected.row(0), rates.row(0));
    }
}
