//! Interval jitter: every spike moves within its own window of a partition of the trial, uniformly or as a rate that changes within
//! the window would have it.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::EdgeScoring;

/// One spike of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) struct Spike {
    /// Bin, padding included.
    pub(in crate::analysis) bin: u32,
    /// Unit.
    pub(in crate::analysis) unit: u32,
}

/// The spikes of one trial `[pad + bins, units]`; a count of two gives two spikes.
pub(in crate::analysis) fn spikes(counts: ArrayView2<'_, u8>) -> Vec<Spike> {
    let occupied = counts.indexed_iter().filter(|(_, count)| **count > 0);
    occupied
        .flat_map(|((bin, unit), &count)| std::iter::repeat_n(Spike { bin: bin as u32, unit: unit as u32 }, usize::from(count)))
        .collect()
}

/// Copy number `copy` of the spikes of trial number `trial` (counted over all batches) into `moved`; copy 0 is the data itself.
/// The same trial, copy and seed always move spikes in the same way. Places within a window are equally likely, or as `rates` say.
pub(in crate::analysis) fn copy(
    spikes: &[Spike],
    total: usize,
    scoring: &EdgeScoring,
    (trial, copy): (u64, usize),
    rates: Option<&Placing>,
    moved: &mut Vec<Spike>,
) {
    moved.clear();
    if copy == 0 {
        moved.extend_from_slice(spikes);
        return;
    }
    let mut random = ChaCha8Rng::seed_from_u64(scoring.seed);
    random.set_stream(trial * (1 + scoring.jitters as u64) + copy as u64);
    let width = scoring.window_bins.max(1) as u32;
    let phase = below(width, &mut random);
    moved.extend(spikes.iter().map(|spike| {
        let end = ((spike.bin + phase) / width + 1) * width - phase;
        let start = end.saturating_sub(width);
        let end = end.min(total as u32);
        let bin = match &rates {
            None => start + below(end - start, &mut random),
            Some(rates) => rates.draw(spike.unit, start..end, &mut random),
        };
        Spike { bin, unit: spike.unit }
    }));
}

/// Where spikes may fall within a window.
pub(in crate::analysis) struct Placing {
    /// Sums of the rates of all earlier bins, `[bins + 1, units]`.
    before: Array2<f64>,
}

impl Placing {
    /// In proportion to rates `[pad + bins, units]`.
    pub(in crate::analysis) fn new(rates: ArrayView2<'_, f32>) -> Self {
        let (bins, units) = rates.dim();
        let mut before = Array2::from_shape_fn((bins + 1, units), |(bin, unit)| match bin.checked_sub(1) {
            Some(earlier) => f64::from(rates[[earlier, unit]].max(1e-9)),
            None => 0.0,
        });
        before.accumulate_axis_inplace(Axis(0), |sum, here| *here += sum);
        Self { before }
    }

    fn draw(&self, unit: u32, bins: Range<u32>, random: &mut impl Rng) -> u32 {
        let sum = |bin: u32| self.before[[bin as usize, unit as usize]];
        let share = f64::from(random.next_u32()) / 4_294_967_296.0;
        let aim = sum(bins.start) + share * (sum(bins.end) - sum(bins.start));
        let last = bins.end.saturating_sub(1);
        bins.into_iter().find(|bin| sum(bin + 1) > aim).unwrap_or(last)
    }
}

/// Uniform in `0..n`, by multiplication (the bias for `n` far below 2³² is immaterial).
fn below(n: u32, random: &mut impl Rng) -> u32 {
    ((u64::from(random.next_u32()) * u64::from(n)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_spikes() {
        let counts = Array2::from_shape_fn((3, 2), |(bin, unit)| (bin * unit) as u8);
        let spike = |bin| Spike { bin, unit: 1 };
        assert_eq!(spikes(counts.view()), [spike(1), spike(2), spike(2)]);
    }

    #[test]
    fn spikes_stay_in_the_trial_near_where_they_were_and_fill_their_window() {
        let scoring = EdgeScoring { window_bins: 10, jitters: 3, ..EdgeScoring::default() };
        let original: Vec<Spike> = (0..73).map(|bin| Spike { bin, unit: bin % 5 }).collect();
        let (mut moved, mut distances) = (Vec::new(), Vec::new());
        for trial in 0..400 {
            copy(&original, 73, &scoring, (trial, 1 + trial as usize % 3), None, &mut moved);
            assert_eq!(moved.len(), 73);
            for (old, new) in original.iter().zip(&moved) {
                assert_eq!(old.unit, new.unit);
                assert!(new.bin < 73 && old.bin.abs_diff(new.bin) < 10);
                distances.push(f64::from(new.bin) - f64::from(old.bin));
            }
        }
        // Difference of two positions uniform in a window of 10: variance 2 (10² − 1) / 12 = 16.5, a little less at the ends.
        let n = distances.len() as f64;
        let (mean, variance) = (distances.iter().sum::<f64>() / n, distances.iter().map(|d| d * d).sum::<f64>() / n);
        assert!(mean.abs() < 0.1 && (14.5..17.0).contains(&variance), "mean {mean}, variance {variance}");
    }

    #[test]
    fn spikes_fall_where_rates_are_high_and_stay_in_their_window() {
        let scoring = EdgeScoring { window_bins: 10, jitters: 1, ..EdgeScoring::default() };
        // Bins 4, 14, 24, … are nine times as likely as each of the others.
        let placing = Placing::new(Array2::from_shape_fn((60, 2), |(bin, _)| if bin % 10 == 4 { 0.9 } else { 0.1 }).view());
        let original: Vec<Spike> = (0..60).map(|bin| Spike { bin, unit: bin % 2 }).collect();
        let (mut moved, mut there) = (Vec::new(), 0);
        for trial in 0..500 {
            copy(&original, 60, &scoring, (trial, 1), Some(&placing), &mut moved);
            assert!(original.iter().zip(&moved).all(|(old, new)| old.unit == new.unit && new.bin < 60 && old.bin.abs_diff(new.bin) < 10));
            there += moved.iter().filter(|spike| spike.bin % 10 == 4).count();
        }
        // One bin of ten has half of the rate.
        let share = there as f64 / (500.0 * 60.0);
        assert!((0.48..0.52).contains(&share), "{share}");
    }

    #[test]
    fn a_copy_is_the_same_every_time_and_differs_from_the_others() {
        let scoring = EdgeScoring::default();
        let original: Vec<Spike> = (0..50).map(|k| Spike { bin: 6 * k, unit: 0 }).collect();
        let jittered = |trial, number| {
            let mut moved = Vec::new();
            copy(&original, 300, &scoring, (trial, number), None, &mut moved);
            moved
        };
        assert_eq!(jittered(4, 0), original);
        assert_eq!(jittered(4, 1), jittered(4, 1));
        assert_ne!(jittered(4, 1), jittered(4, 2));
        assert_ne!(jittered(4, 1), jittered(5, 1));
    }
}
