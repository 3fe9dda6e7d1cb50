//! Many tests at once, and small tests on paired numbers: Benjamini–Hochberg, the sign-flip test, the bootstrap of a mean, and the
//! p-value of a permutation test.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// q-values of p-values (Benjamini & Hochberg 1995): the smallest false discovery rate at which each test is significant. In the
/// order of the p-values; values that are not finite count as 1.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let n = p.len();
    let value = |at: usize| p.get(at).copied().filter(|p| p.is_finite()).unwrap_or(1.0);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    let (mut q, mut least) = (vec![1.0; n], 1.0_f64);
    for (from_the_largest, &at) in order.iter().enumerate() {
        let rank = (n - from_the_largest) as f64;
        least = least.min(value(at) * n as f64 / rank);
        if let Some(q) = q.get_mut(at) {
            *q = least;
        }
    }
    q
}

/// p-value of an observed statistic against permuted ones, `(1 + as large) / (1 + permutations)` (Phipson & Smyth 2010); 1 without
/// permutations.
pub fn permutation_p(observed: f64, null: &[f64]) -> f64 {
    (1 + null.iter().filter(|n| **n >= observed).count()) as f64 / (1 + null.len()) as f64
}

/// One-sided p-value of the mean of paired differences being above zero: how often random signs give a mean as large, of `flips`
/// draws and the data themselves. 1 without differences.
pub fn sign_flip_p(differences: &[f64], flips: usize, seed: u64) -> f64 {
    let observed: f64 = differences.iter().sum();
    if differences.is_empty() {
        return 1.0;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Sums in another order differ by rounding; equal ones must count as equal.
    let slack = 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let mut as_large = 0;
    for _ in 0..flips {
        let sum: f64 = differences.iter().map(|d| if random.random::<bool>() { *d } else { -d }).sum();
        as_large += usize::from(sum >= observed - slack);
    }
    (1 + as_large) as f64 / (1 + flips) as f64
}

/// Mean and its central interval of probability `level` by resampling with replacement (percentiles); the mean itself without
/// resamples, zeros without values.
pub fn bootstrap_mean(values: &[f64], resamples: usize, level: f64, seed: u64) -> (f64, (f64, f64)) {
    let n = values.len();
    if n == 0 {
        return (0.0, (0.0, 0.0));
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> =
        (0..resamples).map(|_| (0..n).filter_map(|_| values.get(random.random_range(0..n))).sum::<f64>() / n as f64).collect();
    means.sort_by(f64::total_cmp);
    let interval = (percentile(&means, 0.5 * (1.0 - level)), percentile(&means, 0.5 * (1.0 + level)));
    (mean, if means.is_empty() { (mean, mean) } else { interval })
}

/// Value below which a share of ascending values lies, by linear interpolation; NaN without values.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    let at = |k: usize| sorted.get(k).copied().unwrap_or(f64::NAN);
    at(low) + (place - low as f64) * (at(high) - at(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of Benjamini & Hochberg 1995 (myocardial infarction, 15 p-values): four are below 0.05.
    #[test]
    fn q_values_are_those_of_the_published_example() {
        let p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0];
        let q = benjamini_hochberg(&p);
        assert_eq!(q.iter().filter(|q| **q <= 0.05).count(), 4);
        // By hand: 0.0001 · 15, 0.0004 · 15 / 2, 0.0095 · 15 / 4; the fifth to eighth share what the eighth gives, 0.0344 · 15 / 8 =
        // 0.0645 (0.0201 · 3 = 0.0603 is smaller for the fifth, 0.0298 · 15 / 7 = 0.06386 for the sixth and seventh).
        for (at, wanted) in [(0, 0.0015), (1, 0.003), (3, 0.035_625), (4, 0.0603), (5, 0.063_857), (6, 0.063_857), (7, 0.0645), (14, 1.0)] {
            assert!((q[at] - wanted).abs() < 1e-5, "{at}: {} instead of {wanted}", q[at]);
        }
        let shuffled = benjamini_hochberg(&[0.0019, 1.0, 0.0001]);
        assert!((shuffled[0] - 0.00285).abs() < 1e-12 && (shuffled[2] - 0.0003).abs() < 1e-12);
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    #[test]
    fn permutation_p_is_never_zero() {
        assert_eq!(permutation_p(3.0, &[1.0, 2.0, 3.0, 4.0]), 0.6);
        assert_eq!(permutation_p(9.0, &[0.0; 19]), 0.05);
        assert_eq!(permutation_p(1.0, &[]), 1.0);
    }

    #[test]
    fn sign_flips_count_all_sign_patterns() {
        // Three equal differences: one pattern of eight is as large.
        let p = sign_flip_p(&[1.0, 1.0, 1.0], 20_000, 1);
        assert!((p - 0.125).abs() < 0.01, "{p}");
        // 1, 2, 3 sum to 6; patterns with a sum of at least 4: +++ and −++.
        assert!((sign_flip_p(&[-1.0, 2.0, 3.0], 20_000, 2) - 0.25).abs() < 0.01);
        assert_eq!(sign_flip_p(&[], 100, 1), 1.0);
        assert_eq!(sign_flip_p(&[0.0, 0.0], 50, 1), 1.0);
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let values: Vec<f64> = (0..400).map(|k| f64::from(k % 20)).collect();
        let (mean, (low, high)) = bootstrap_mean(&values, 2000, 0.95, 3);
        // Standard deviation of 0..19 is 5.766; of the mean 0.288.
        assert!((mean - 9.5).abs() < 1e-12 && (low - (9.5 - 1.96 * 0.288)).abs() < 0.08 && (high - (9.5 + 1.96 * 0.288)).abs() < 0.08);
        assert_eq!(bootstrap_mean(&[], 10, 0.95, 1).0, 0.0);
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }
}
