//! The random draws of the simulators: coupling weights, Poisson counts, and where in its bin a spike lies.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Poisson};

/// Spikes keep this share of a bin away from its edges, so that rounding never moves one into the next bin.
const BIN_MARGIN: f32 = 0.05;

/// `units` weights between 0.8 and 1.2 on the first units, the others zero, scaled to unit Euclidean norm.
pub(super) fn unit_weights(size: usize, units: usize, random: &mut impl Rng) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..size).map(|k| if k < units { random.random_range(0.8..1.2) } else { 0.0 }).collect();
    let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    weights.iter_mut().for_each(|w| *w /= norm);
    weights
}

/// A Poisson count by inversion (one uniform number, for small rates no further exponential), by rejection for large rates.
pub(super) fn draw_count(rate: f64, random: &mut impl Rng) -> u32 {
    if rate > 20.0 {
        return Poisson::new(rate).map_or(0, |p| p.sample(random) as u32);
    }
    let uniform = random.random::<f64>();
    // exp(-rate) > 1 - rate: most bins are known to be empty without computing it.
    if uniform < 1.0 - rate {
        return 0;
    }
    let mut probability = (-rate).exp();
    let (mut cumulative, mut count) = (probability, 0);
    while uniform >= cumulative && count < 200 {
        count += 1;
        probability *= rate / f64::from(count);
        cumulative += probability;
    }
    count
}

/// `count` ascending times inside `bin`, in bins: one in each of `count` equal parts of the bin.
pub(super) fn spread(bin: usize, count: u32, random: &mut impl Rng, times: &mut Vec<f32>) {
    for k in 0..count {
        let share = (k as f32 + random.random::<f32>()) / count as f32;
        times.push(bin as f32 + BIN_MARGIN + (1.0 - 2.0 * BIN_MARGIN) * share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn spikes_stay_in_their_bin_and_ascend() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (bin, count) in [(0, 1), (299, 255), (19_999, 40)] {
            let mut times = Vec::new();
            spread(bin, count, &mut random, &mut times);
            assert_eq!(times.len(), count as usize);
            assert!(times.is_sorted() && times.iter().all(|&t| t as usize == bin));
        }
    }

    #[test]
    fn counts_are_poisson() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        for rate in [0.01, 0.7, 6.0, 19.0, 40.0] {
            let n = 40_000.0;
            let draws: Vec<f64> = (0..40_000).map(|_| f64::from(draw_count(rate, &mut random))).collect();
            let mean = draws.iter().sum::<f64>() / n;
            let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
            assert!((mean - rate).abs() < 5.0 * (rate / n).sqrt(), "mean {mean} instead of {rate}");
            assert!((variance / mean - 1.0).abs() < 0.05, "variance {variance}, mean {mean}");
        }
    }
}
