//! Which units a network needs: its score when the spikes of the most attended units are taken from what it sees, against the
//! same number of random units (Le & Shlizerman 2022, Fig. 5).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What is silenced.
#[derive(Debug, Clone, PartialEq)]
pub struct LesionPlan {
    /// Units that can be silenced, most attended first.
    pub order: Vec<usize>,
    /// Numbers of units to silence, ascending.
    pub numbers: Vec<usize>,
    /// Random draws per number.
    pub repeats: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// A set chosen by hand, silenced as a whole; may be empty.
    pub picked: Vec<usize>,
}

/// Score without some units, and without as many random ones.
#[derive(Debug, Clone, PartialEq)]
pub struct LesionPoint {
    /// Units silenced.
    pub number: usize,
    /// Score without the chosen units.
    pub chosen: f64,
    /// Scores without random units, one per draw.
    pub random: Vec<f64>,
}

impl LesionPoint {
    /// Mean over the draws, and twice its standard error (0 with one draw).
    pub fn random_mean(&self) -> (f64, f64) {
        let n = self.random.len().max(1) as f64;
        let mean = self.random.iter().sum::<f64>() / n;
        let squares: f64 = self.random.iter().map(|v| (v - mean).powi(2)).sum();
        let sem = if self.random.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
        (mean, 2.0 * sem)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct LesionCurve {
    /// Score with all units.
    pub whole: f64,
    /// The most attended units against random ones, ascending in number.
    pub points: Vec<LesionPoint>,
    /// The set chosen by hand against random ones.
    pub picked: Option<LesionPoint>,
}

impl LesionPlan {
    /// About `most` numbers from one unit to half of `units`.
    pub fn numbers(units: usize, most: usize) -> Vec<usize> {
        let half = units / 2;
        let mut numbers: Vec<usize> = (1..=most).map(|k| (half * k).div_ceil(most.max(1))).filter(|&n| n > 0 && n < units).collect();
        numbers.dedup();
        numbers
    }

    /// Scores to compute.
    pub fn evaluations(&self) -> usize {
        1 + self.points().count() * (1 + self.repeats)
    }

    /// Number, and the units silenced; the set chosen by hand comes last.
    fn points(&self) -> impl Iterator<Item = (bool, Vec<usize>)> {
        let most = self.order.len();
        let attended = self.numbers.iter().filter(move |n| **n <= most).map(|&n| (false, self.order.iter().take(n).copied().collect()));
        attended.chain((!self.picked.is_empty() && self.picked.len() <= most).then(|| (true, self.picked.clone())))
    }

    /// Score everything. `score` gives the score without some units; `None` from it ends the work without a result (it was
    /// stopped).
    ///
    /// # Errors
    /// Those of `score`.
    pub fn run<E>(&self, mut score: impl FnMut(&[usize]) -> Result<Option<f64>, E>) -> Result<Option<LesionCurve>, E> {
        let Some(whole) = score(&[])? else { return Ok(None) };
        let mut curve = LesionCurve { whole, points: Vec::new(), picked: None };
        for (by_hand, units) in self.points() {
            let Some(chosen) = score(&units)? else { return Ok(None) };
            let mut point = LesionPoint { number: units.len(), chosen, random: Vec::new() };
            for repeat in 0..self.repeats {
                let Some(value) = score(&self.random(repeat, units.len()))? else { return Ok(None) };
                point.random.push(value);
            }
            match by_hand {
                true => curve.picked = Some(point),
                false => curve.points.push(point),
            }
        }
        Ok(Some(curve))
    }

    /// `number` random units; those of a smaller number are among those of a larger one.
    fn random(&self, repeat: usize, number: usize) -> Vec<usize> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(repeat as u64);
        let mut order = self.order.clone();
        order.sort_unstable();
        order.shuffle(&mut random);
        order.truncate(number);
        order
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plan() -> LesionPlan {
        LesionPlan { order: vec![7, 2, 5, 0, 1, 9], numbers: vec![1, 3], repeats: 4, seed: 1, picked: vec![0, 1] }
    }

    /// Units are worth their number.
    fn worth(silenced: &[usize]) -> Result<Option<f64>, ()> {
        Ok(Some(100.0 - silenced.iter().sum::<usize>() as f64))
    }

    #[test]
    fn the_most_attended_and_the_chosen_units_stand_against_random_ones() {
        let curve = plan().run(worth).unwrap().unwrap();
        assert_eq!(curve.whole, 100.0);
        assert_eq!(curve.points.iter().map(|p| (p.number, p.chosen)).collect::<Vec<_>>(), [(1, 93.0), (3, 86.0)]);
        let picked = curve.picked.clone().unwrap();
        assert_eq!((picked.number, picked.chosen, picked.random.len()), (2, 99.0, 4));
        assert_eq!(curve, plan().run(worth).unwrap().unwrap(), "the same seed gives the same units");
        assert_ne!(curve.points, LesionPlan { seed: 2, ..plan() }.run(worth).unwrap().unwrap().points);
    }

    #[test]
    fn as_many_scores_are_computed_as_was_said_and_stopping_stops() {
        let mut n = 0;
        plan()
            .run(|silenced| {
                n += 1;
                worth(silenced)
            })
            .unwrap();
        assert_eq!(n, plan().evaluations());
        let mut left = 5;
        let stopped = plan().run(|silenced| {
            left -= 1;
            if left == 0 { Ok(None) } else { worth(silenced) }
        });
        assert_eq!((stopped, left), (Ok(None), 0));
    }

    #[test]
    fn draws_are_nested_and_their_error_is_twice_the_standard_error() {
        let (small, large) = (plan().random(2, 2), plan().random(2, 4));
        assert_eq!(small, large[..2]);
        let point = LesionPoint { number: 1, chosen: 0.0, random: vec![1.0, 3.0] };
        assert_eq!(point.random_mean(), (2.0, 2.0));
        assert_eq!(LesionPoint { random: vec![4.0], ..point }.random_mean(), (4.0, 0.0));
    }

    #[test]
    fn numbers_reach_half_of_the_units() {
        assert_eq!(LesionPlan::numbers(40, 8), [3, 5, 8, 10, 13, 15, 18, 20]);
        assert_eq!(LesionPlan::numbers(5, 8), [1, 2]);
        assert!(LesionPlan::numbers(1, 8).is_empty());
        assert_eq!(LesionPlan { numbers: vec![9], ..plan() }.run(worth).unwrap().unwrap().points, []);
    }
}
