//! The next value to try of one setting between 0 and 1, given what values tried before have scored: the tree-structured Parzen
//! estimator (Bergstra et al. 2011, §4). Values that scored well and all others are each made a density, a sum of Gaussians as wide
//! as their neighbours are far; of some draws from the first the one is taken at which it exceeds the second most.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Share of the values that count as good, and how many at most.
const GOOD: (f64, usize) = (0.15, 25);
/// Draws that are compared.
const CANDIDATES: usize = 24;
/// No Gaussian is narrower than this share of what evenly spread values would be apart.
const NARROWEST: f64 = 0.3;

/// One more value between 0 and 1. `seen` holds values with their scores, higher is better; without any, the draw is almost even.
pub fn next(seen: &[(f64, f64)], random: &mut impl Rng) -> f64 {
    let mut ordered: Vec<(f64, f64)> = seen.iter().copied().filter(|(value, score)| value.is_finite() && score.is_finite()).collect();
    ordered.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let good = ((GOOD.0 * ordered.len() as f64).ceil() as usize).min(GOOD.1);
    let values = |part: &[(f64, f64)]| Density::new(part.iter().map(|(value, _)| value.clamp(0.0, 1.0)).collect());
    let (well, others) = ordered.split_at(good.min(ordered.len()));
    let (well, others) = (values(well), values(others));
    let gain = |value: f64| well.at(value).ln() - others.at(value).ln();
    let draws = (0..CANDIDATES).map(|_| well.draw(random)).map(|value| (gain(value), value));
    draws.max_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(0.5, |(_, value)| value)
}

/// A density on 0 to 1: Gaussians, mirrored at both ends, with a wide one in the middle that stands for knowing nothing.
struct Density {
    /// Middle and standard deviation of each.
    parts: Vec<(f64, f64)>,
}

impl Density {
    fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let least = NARROWEST / (values.len() + 1) as f64;
        let at = |place: Option<usize>, end: f64| place.and_then(|place| values.get(place)).copied().unwrap_or(end);
        let width = |place: usize, value: f64| {
            let below = value - at(place.checked_sub(1), 0.0);
            let above = at(Some(place + 1), 1.0) - value;
            below.max(above).clamp(least, 1.0)
        };
        let own = values.iter().enumerate().map(|(place, &value)| (value, width(place, value)));
        let parts = own.chain([(0.5, 1.0)]).collect();
        Self { parts }
    }

    fn at(&self, value: f64) -> f64 {
        let bell = |middle: f64, sd: f64, x: f64| (-0.5 * ((x - middle) / sd).powi(2)).exp() / sd;
        let one = |&(middle, sd): &(f64, f64)| [value, -value, 2.0 - value].into_iter().map(|x| bell(middle, sd, x)).sum::<f64>();
        (self.parts.iter().map(one).sum::<f64>() / self.parts.len() as f64).max(f64::MIN_POSITIVE)
    }

    fn draw(&self, random: &mut impl Rng) -> f64 {
        let (middle, sd) = self.parts.get(random.random_range(0..self.parts.len())).copied().unwrap_or((0.5, 1.0));
        let away: f64 = StandardNormal.sample(random);
        // Mirrored until it lies inside.
        let folded = (middle + sd * away).rem_euclid(2.0);
        if folded > 1.0 { 2.0 - folded } else { folded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn draws_gather_where_the_score_is_high() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let score = |x: f64| -(x - 0.83).abs();
        let mut seen: Vec<(f64, f64)> = (0..10).map(|_| random.random::<f64>()).map(|x| (x, score(x))).collect();
        for _ in 0..40 {
            let x = next(&seen, &mut random);
            assert!((0.0..=1.0).contains(&x));
            seen.push((x, score(x)));
        }
        let late: f64 = seen[30..].iter().map(|(x, _)| (x - 0.83).abs()).sum::<f64>() / 20.0;
        let first: f64 = seen[..10].iter().map(|(x, _)| (x - 0.83).abs()).sum::<f64>() / 10.0;
        assert!(late < 0.12 && late < 0.5 * first, "late draws are {late:.3} away, first ones {first:.3}");
    }

    #[test]
    fn nothing_known_and_scores_that_are_no_numbers_still_give_a_value() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> = (0..400).map(|_| next(&[], &mut random)).collect();
        assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
        let mean = draws.iter().sum::<f64>() / 400.0;
        assert!((mean - 0.5).abs() < 0.06, "{mean}");
        let broken = [(0.2, f64::NAN), (f64::NAN, 1.0), (0.9, 0.1)];
        assert!((0.0..=1.0).contains(&next(&broken, &mut random)));
        assert!((0.0..=1.0).contains(&next(&[(0.5, 1.0); 9], &mut random)));
    }
}
