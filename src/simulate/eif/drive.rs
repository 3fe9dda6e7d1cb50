//! The input that every area gets from outside: a rate with two peaks whose times differ from trial to trial. The two templates
//! are our reconstruction of the shape of the published input (mean rates of V1 and LM), not its data.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Largest input, mV per 0.1 ms.
const LARGEST: f64 = 0.25;
/// Standard deviation of the peak times over trials, milliseconds.
const SPREAD_MS: (f64, f64) = (10.0, 25.0);
/// Range of the peak times, milliseconds.
const FIRST_RANGE_MS: (f64, f64) = (10.0, 130.0);
const SECOND_RANGE_MS: (f64, f64) = (170.0, 330.0);
/// Times that no warp moves, milliseconds.
const FIXED_MS: [f64; 3] = [0.0, 150.0, 350.0];

/// A rate template, time in milliseconds and value from 0 to 1, and where its two peaks lie.
struct Template {
    knots: [(f64, f64); 27],
    peaks_ms: (f64, f64),
}

const V1: Template = Template {
    knots: knots(
        [
            0.12, 0.09, 0.20, 0.60, 0.27, 0.02, 0.01, 0.01, 0.01, 0.0, 0.03, 0.32, 0.98, 0.27, 0.17, 0.10, 0.03, 0.07, 0.10, 0.12, 0.23,
            0.29, 0.27, 0.25, 0.26,
        ],
        (62.85, 0.65),
        (237.24, 1.0),
    ),
    peaks_ms: (62.85, 237.24),
};

const LM: Template = Template {
    knots: knots(
        [
            0.08, 0.09, 0.11, 0.47, 0.52, 0.11, 0.02, 0.02, 0.02, 0.0, 0.0, 0.03, 0.87, 0.55, 0.33, 0.17, 0.08, 0.07, 0.08, 0.12, 0.17,
            0.28, 0.32, 0.26, 0.25,
        ],
        (70.71, 0.68),
        (244.60, 1.0),
    ),
    peaks_ms: (70.71, 244.60),
};

/// Values every 20 ms with the two peaks put between them.
const fn knots(values: [f64; 25], first: (f64, f64), second: (f64, f64)) -> [(f64, f64); 27] {
    let mut knots = [(0.0, 0.0); 27];
    let (mut at, mut k) = (0_usize, 0);
    while k < 25 {
        let time = 20.0 * k as f64;
        let peak = if at < 26 && time > first.0 && knots[at.saturating_sub(1)].0 < first.0 {
            Some(first)
        } else if time > second.0 && knots[at.saturating_sub(1)].0 < second.0 {
            Some(second)
        } else {
            None
        };
        if let Some(peak) = peak {
            knots[at] = peak;
            at += 1;
        }
        knots[at] = (time, values[k]);
        at += 1;
        k += 1;
    }
    knots
}

/// When the input of an area peaks in one trial, milliseconds after the start of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    pub(super) first_ms: f64,
    pub(super) second_ms: f64,
}

/// Peak times of every area in one trial; times of two areas have correlation `correlation` before they are kept in range.
pub(super) fn timings(means_ms: &[(f64, f64)], correlation: f64, random: &mut impl Rng) -> Vec<Timing> {
    let (common, own) = (correlation.sqrt(), (1.0 - correlation).sqrt());
    let shared: [f64; 2] = [random.sample(StandardNormal), random.sample(StandardNormal)];
    let draw = |mean: f64, spread: f64, (low, high): (f64, f64), shared: f64, own_draw: f64| {
        (mean + spread * (common * shared + own * own_draw)).clamp(low, high)
    };
    means_ms
        .iter()
        .map(|&(first, second)| Timing {
            first_ms: draw(first, SPREAD_MS.0, FIRST_RANGE_MS, shared[0], random.sample(StandardNormal)),
            second_ms: draw(second, SPREAD_MS.1, SECOND_RANGE_MS, shared[1], random.sample(StandardNormal)),
        })
        .collect()
}

/// Input of area `area` at `time_ms` after the start of the window (before it, as at 0), mV per 0.1 ms. The first area and every
/// second one after it have the template of V1, the others that of LM.
pub(super) fn input(area: usize, timing: Timing, time_ms: f64) -> f64 {
    let template = if area.is_multiple_of(2) { &V1 } else { &LM };
    LARGEST * template.at(warped(timing, template.peaks_ms, time_ms))
}

/// Time in the template: piecewise linear, so that its peaks come at the trial's times.
fn warped(timing: Timing, peaks_ms: (f64, f64), time: f64) -> f64 {
    let trial = [FIXED_MS[0], timing.first_ms, FIXED_MS[1], timing.second_ms, FIXED_MS[2]];
    let template = [FIXED_MS[0], peaks_ms.0, FIXED_MS[1], peaks_ms.1, FIXED_MS[2]];
    if time <= trial[0] {
        return 0.0;
    }
    for k in 1..trial.len() {
        if time < trial[k] {
            let share = (time - trial[k - 1]) / (trial[k] - trial[k - 1]);
            return template[k - 1] + share * (template[k] - template[k - 1]);
        }
    }
    time
}

impl Template {
    /// Value at a time: monotone cubic interpolation (Fritsch & Butland 1984), which makes no peaks of its own.
    fn at(&self, time: f64) -> f64 {
        let knots = &self.knots;
        let last = knots.len() - 1;
        let k = knots.partition_point(|&(t, _)| t <= time).clamp(1, last);
        let ((t0, y0), (t1, y1)) = (knots[k - 1], knots[k]);
        let width = t1 - t0;
        let x = ((time - t0) / width).clamp(0.0, 1.0);
        let (m0, m1) = (self.slope(k - 1) * width, self.slope(k) * width);
        let (square, cube) = (x * x, x * x * x);
        y0 * (2.0 * cube - 3.0 * square + 1.0) + m0 * (cube - 2.0 * square + x) + y1 * (3.0 * square - 2.0 * cube) + m1 * (cube - square)
    }

    fn slope(&self, k: usize) -> f64 {
        let knots = &self.knots;
        if k == 0 || k + 1 == knots.len() {
            return 0.0;
        }
        let secant = |a: usize| ((knots[a + 1].1 - knots[a].1) / (knots[a + 1].0 - knots[a].0), knots[a + 1].0 - knots[a].0);
        let ((before, h0), (after, h1)) = (secant(k - 1), secant(k));
        if before * after <= 0.0 {
            return 0.0;
        }
        let (w0, w1) = (2.0 * h1 + h0, h1 + 2.0 * h0);
        (w0 + w1) / (w0 / before + w1 / after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn templates_have_their_peaks_and_half_heights() {
        for (template, first, second, half) in [(&V1, 0.65, 1.0, (49.0, 78.0)), (&LM, 0.68, 1.0, (57.0, 85.0))] {
            assert!(template.knots.windows(2).all(|w| w[0].0 < w[1].0), "{:?}", template.knots);
            let values: Vec<f64> = (0..5000).map(|k| template.at(f64::from(k) / 10.0)).collect();
            let peak =
                |from: usize, to: usize| (from..to).max_by(|&a, &b| values[a].total_cmp(&values[b])).map(|k| (k as f64 / 10.0, values[k]));
            let (found, other) = (peak(0, 1500).unwrap(), peak(1500, 4000).unwrap());
            assert!((found.0 - template.peaks_ms.0).abs() < 0.2 && (found.1 - first).abs() < 1e-3, "{found:?}");
            assert!((other.0 - template.peaks_ms.1).abs() < 0.2 && (other.1 - second).abs() < 1e-3, "{other:?}");
            assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
            let crossing =
                |from: usize, to: usize| (from..to).find(|&k| (values[k] - found.1 / 2.0) * (values[k + 1] - found.1 / 2.0) <= 0.0);
            let (rise, fall) = (crossing(200, 620).unwrap() as f64 / 10.0, crossing(710, 1200).unwrap() as f64 / 10.0);
            assert!((rise - half.0).abs() < 5.5 && (fall - half.1).abs() < 5.5, "half height at {rise} and {fall} ms");
        }
    }

    #[test]
    fn the_warp_puts_peaks_where_the_trial_has_them() {
        let timing = Timing { first_ms: 90.0, second_ms: 200.0 };
        for area in 0..2 {
            let at = |time: f64| input(area, timing, time);
            let peak = |from: usize, to: usize| {
                (from..to).max_by(|&a, &b| at(a as f64 / 4.0).total_cmp(&at(b as f64 / 4.0))).unwrap() as f64 / 4.0
            };
            assert!((peak(0, 600) - 90.0).abs() < 1.0 && (peak(600, 1400) - 200.0).abs() < 1.0);
            assert!((at(200.0) - 0.25).abs() < 1e-6);
            assert_eq!(at(-50.0), at(0.0));
            assert_eq!(warped(timing, (62.0, 237.0), 420.0), 420.0);
        }
    }

    #[test]
    fn peak_times_have_their_moments() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let drawn: Vec<Vec<Timing>> = (0..4000).map(|_| timings(&[(60.0, 260.0), (65.0, 265.0)], 0.5, &mut random)).collect();
        let column = |area: usize, pick: fn(&Timing) -> f64| drawn.iter().map(|t| pick(&t[area])).collect::<Vec<_>>();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let covariance = |x: &[f64], y: &[f64]| {
            let (a, b) = (mean(x), mean(y));
            x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / x.len() as f64
        };
        for (pick, means, sd) in [
            ((|t: &Timing| t.first_ms) as fn(&Timing) -> f64, [60.0, 65.0], 10.0),
            ((|t: &Timing| t.second_ms) as fn(&Timing) -> f64, [260.0, 265.0], 25.0),
        ] {
            let (x, y) = (column(0, pick), column(1, pick));
            assert!((mean(&x) - means[0]).abs() < 0.08 * sd && (mean(&y) - means[1]).abs() < 0.08 * sd);
            assert!((covariance(&x, &x).sqrt() / sd - 1.0).abs() < 0.05);
            let correlation = covariance(&x, &y) / (covariance(&x, &x) * covariance(&y, &y)).sqrt();
            assert!((correlation - 0.5).abs() < 0.05, "{correlation}");
        }
    }
}
