//! What all units of an area do at once is no coupling: the part of a score that every unit of the sending area, or of the receiving
//! one, has in proportion to how much it fires, is taken out of the score and of every jittered copy alike.
//!
//! Rates that follow the rest of an area (module `population`) still miss what changes within a few bins, and a stimulus common to
//! two areas leaves the same mistake in both. If the mistake is a factor c(t) on the rates of all units of an area, the score of
//! m → n is off by `Σ_t λ_m λ_n (B * c_source) c_target`. Standardised by √I, with `I ≈ Σ_t λ_m λ_n · energy`, that is an outer
//! product `u₀ ⊗ v₀` with u₀ ∝ √λ_m and v₀ ∝ √λ_n. Units whose rates follow the others spread what couples a few of them to the
//! other area over all of them, a mistake of nearly the same form: most of the echo that an edge A → B leaves in B → A.
//!
//! The price is power for coupling that all units share alike: of a true edge from k of N equal units √(1 − k/N) is left per side.

use ndarray::{Array1, Array3, Axis};

use super::rank_one::{RankOne, Tensor, normalise};

/// The share of what is common that is left in the score: all of it with one unit, which has no others, and little with many.
fn left(units: usize) -> f64 {
    1.0 / units.max(1) as f64
}

/// How much the units of a pair of areas fire, and so what they have in common: unit vectors u₀ and v₀.
pub(super) struct Common {
    send: Vec<f64>,
    receive: Vec<f64>,
}

impl Common {
    /// From the information of a pair, `[sources, functions, targets]`.
    pub(super) fn new(information: &Array3<f64>) -> Self {
        let firing = |axis: usize| -> Vec<f64> {
            let mut firing: Array1<f64> = information.axis_iter(Axis(axis)).map(|of| of.sum().max(0.0).sqrt()).collect();
            normalise(&mut firing);
            firing.to_vec()
        };
        Self { send: firing(0), receive: firing(2) }
    }

    /// Standardised scores `[sources, functions, targets]` without most of what is common to either area.
    pub(super) fn taken_out(&self, scores: &Tensor) -> Tensor {
        scores.weakened(0, &self.send, left(self.send.len())).weakened(2, &self.receive, left(self.receive.len()))
    }

    /// All weights of a factor `found` in what is left of `scores`. Only the part common to both areas is unknown; it is filled in with
    /// what the factor itself says of it (expectation maximisation).
    pub(super) fn completed(&self, scores: &Tensor, found: &RankOne) -> RankOne {
        if found.value <= 0.0 {
            return found.clone();
        }
        let unknown = 1.0 - left(self.send.len()) * left(self.receive.len());
        // Each side from the specific part of the other: nothing common to both areas enters.
        let (send, receive) = (scores.explained(0, &found.filter, &found.receive), scores.explained(2, &found.filter, &found.send));
        let mut whole = RankOne { value: found.value, send, filter: found.filter.clone(), receive };
        for _ in 0..ROUNDS {
            let said = whole.value * dot(&whole.send, &self.send) * dot(&whole.receive, &self.receive);
            let said: Vec<f64> = whole.filter.iter().map(|h| said * h).collect();
            whole = scores.with_common(&self.send, &self.receive, &said, unknown).climb(whole.send.into());
        }
        RankOne { value: found.value, ..whole }
    }
}

/// Rounds in which the common part of a factor settles.
const ROUNDS: usize = 5;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &[f64], b: &[f64]) -> f64 {
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    /// Units that fire 1, 4, 9 and 16 times as much; all share a stimulus, and the first and third couple to the second of three.
    #[test]
    fn what_is_common_goes_and_the_coupling_stays_with_its_weights() {
        let (send, receive): ([f64; 4], [f64; 3]) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0]);
        let common = Common::new(&Array3::from_shape_fn((4, 2, 3), |(m, _, n)| (send[m] * receive[n]).powi(2)));
        let stimulus = Array3::from_shape_fn((4, 2, 3), |(m, b, n)| [5.0, 20.0][b] * send[m] * receive[n]);
        let before = Tensor::new(stimulus.clone());
        let (only, before) = (common.taken_out(&before).rank_one(), before.rank_one());
        assert!((only.value / before.value - 1.0 / 12.0).abs() < 1e-9, "{} of {}", only.value, before.value);
        // The coupling alone is found as it is; beside a stimulus twice as large, still.
        let (u, v, h) = ([0.8, 0.0, 0.6, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0]);
        for share in [0.0, 2.0] {
            let coupling = Array3::from_shape_fn((4, 2, 3), |(m, b, n)| -before.value * u[m] * h[b] * v[n]);
            let both = Tensor::new(coupling + share * &stimulus);
            let found = common.completed(&both, &common.taken_out(&both).rank_one());
            let cosines = [cosine(&found.send, &u), cosine(&found.receive, &v), -cosine(&found.filter, &h)];
            assert!(cosines.iter().all(|c| *c > if share > 0.0 { 0.8 } else { 0.999 }), "{share}: {cosines:?}");
        }
    }

    #[test]
    fn the_only_unit_of_an_area_keeps_its_score() {
        let scores = Tensor::new(Array3::from_shape_fn((1, 2, 1), |(_, b, _)| 3.0 + b as f64));
        let common = Common::new(&Array3::from_elem((1, 2, 1), 7.0));
        let found = common.taken_out(&scores).rank_one();
        assert!((found.value - 5.0).abs() < 1e-9);
        assert_eq!((common.completed(&scores, &found).send, found.value), (vec![1.0], found.value));
    }

    #[test]
    fn silent_areas_and_areas_without_units_are_dealt_with() {
        for units in [0, 2] {
            let common = Common::new(&Array3::zeros((units, 2, 2)));
            let scores = Tensor::new(Array3::zeros((units, 2, 2)));
            let found = common.taken_out(&scores).rank_one();
            assert_eq!((found.value, common.completed(&scores, &found).send), (0.0, vec![0.0; units]));
        }
    }
}
