//! The single-matrix model x(t+1) = f(W x(t) + b) with f = tanh or exp, fitted by gradient descent: the "RNN" baseline of
//! Lu et al. (ICLR 2025), also known as a one-bin GLM. For tanh activity of a rate network it is the generator itself.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Samples, product};
use crate::analysis::adam::Adam;

/// Arguments of exp are cut off here, and do not drive learning beyond: the published form diverges.
const LARGEST_EXPONENT: f64 = 10.0;

/// The function between drive and activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonlinearity {
    /// Hyperbolic tangent.
    Tanh,
    /// Exponential.
    Exp,
}

impl Nonlinearity {
    fn of(self, drive: f64) -> f64 {
        match self {
            Self::Tanh => drive.tanh(),
            Self::Exp => drive.min(LARGEST_EXPONENT).exp(),
        }
    }

    /// Slope where the function has the value `value`.
    fn slope(self, value: f64) -> f64 {
        match self {
            Self::Tanh => 1.0 - value * value,
            Self::Exp if value < LARGEST_EXPONENT.exp() => value,
            Self::Exp => 0.0,
        }
    }
}

/// How to fit. The defaults are the published ones, with fewer epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleMatrix {
    /// tanh or exp.
    pub nonlinearity: Nonlinearity,
    /// Largest number of passes over the data.
    pub epochs: usize,
    /// Passes without a better validation error after which fitting ends.
    pub patience: usize,
    /// Bins per step.
    pub batch: usize,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Share of the bins, at the end, that is held out for validation.
    pub validation: f64,
    /// Seed of the order of bins; weights begin at 0, so that a unit that never changes sends nothing.
    pub seed: u64,
}

impl Default for SingleMatrix {
    fn default() -> Self {
        Self { nonlinearity: Nonlinearity::Tanh, epochs: 200, patience: 20, batch: 32, rate: 1e-3, validation: 0.2, seed: 1 }
    }
}

/// The weights of the epoch that validated best.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleMatrixFit {
    /// W `[receiving, sending]`.
    pub weights: Array2<f64>,
    /// b, one per unit.
    pub bias: Array1<f64>,
    /// Mean squared error on the held-out bins.
    pub validation_error: f64,
    /// Passes over the data that were made.
    pub epochs: usize,
}

impl SingleMatrix {
    /// Fit to pairs of successive bins. `goes_on` is asked before every epoch; what was found so far is returned when it says no.
    pub fn fit(&self, samples: &Samples<'_>, goes_on: &dyn Fn() -> bool) -> SingleMatrixFit {
        let (before, now) = samples.pairs(1);
        let (pairs, units) = before.dim();
        let held_out = ((self.validation.clamp(0.0, 0.9) * pairs as f64) as usize).min(pairs.saturating_sub(1));
        let (train, held_out) = (0..pairs - held_out, pairs - held_out..pairs);
        let part = |values: &ArrayView2<'_, f64>| values.slice_axis(Axis(0), Slice::from(held_out.clone())).to_owned();
        let (test_before, test_now) = (part(&before.view()), part(&now.view()));
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut model = Model {
            function: self.nonlinearity,
            weights: Adam::new(Array2::zeros((units, units))),
            bias: Adam::new(Array2::zeros((1, units))),
        };
        let error =
            |model: &Model| if test_now.is_empty() { f64::NAN } else { mean_square((model.predict(&test_before) - &test_now).view()) };
        let keep = |model: &Model, validation_error, epochs| SingleMatrixFit {
            weights: model.weights.values.clone(),
            bias: model.bias.values.row(0).to_owned(),
            validation_error,
            epochs,
        };
        let mut best = keep(&model, error(&model), 0);
        let mut order: Vec<usize> = train.collect();
        for epoch in 1..=self.epochs {
            if !goes_on() {
                break;
            }
            order.shuffle(&mut random);
            for rows in order.chunks(self.batch.max(1)) {
                model.step(&before.select(Axis(0), rows), &now.select(Axis(0), rows), self.rate);
            }
            let reached = error(&model);
            // Without held-out bins the last epoch is the best known.
            if reached < best.validation_error || !best.validation_error.is_finite() {
                best = keep(&model, reached, epoch);
            } else if epoch - best.epochs >= self.patience {
                break;
            }
        }
        // A unit that never changes is driven by nobody, however its constant was reached.
        for (mut row, own) in best.weights.rows_mut().into_iter().zip(now.columns()) {
            if own.iter().all(|v| Some(v) == own.first()) {
                row.fill(0.0);
            }
        }
        best
    }
}

struct Model {
    function: Nonlinearity,
    weights: Adam,
    bias: Adam,
}

impl Model {
    fn predict(&self, before: &Array2<f64>) -> Array2<f64> {
        let function = self.function;
        (product(before.view(), self.weights.values.t()) + &self.bias.values).mapv_into(|drive| function.of(drive))
    }

    /// One step down the gradient of the mean squared error.
    fn step(&mut self, before: &Array2<f64>, now: &Array2<f64>, rate: f64) {
        let (weights, bias) = self.gradients(before, now);
        self.weights.step(&weights, rate);
        self.bias.step(&bias, rate);
    }

    /// Gradients of the mean squared error by weights and bias.
    fn gradients(&self, before: &Array2<f64>, now: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        let function = self.function;
        let predicted = (before.dot(&self.weights.values.t()) + &self.bias.values).mapv_into(|drive| function.of(drive));
        let scale = 2.0 / now.len().max(1) as f64;
        let mut slope = predicted.clone() - now;
        slope.zip_mut_with(&predicted, |d, &p| *d *= scale * function.slope(p));
        (slope.t().dot(before), slope.sum_axis(Axis(0)).insert_axis(Axis(0)))
    }
}

fn mean_square(values: ArrayView2<'_, f64>) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connectivity::pearson;
    use rand_distr::{Distribution, StandardNormal};

    /// A network of the model's own kind, driven by noise.
    fn network(function: Nonlinearity, bins: usize, gain: f64) -> (Array2<f64>, Array2<f64>) {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut normal = || <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random);
        let weights = Array2::from_shape_fn((6, 6), |_| gain * normal());
        let mut states = Array2::zeros((bins, 6));
        for t in 1..bins {
            let drive = weights.dot(&states.row(t - 1));
            let next = drive.mapv(|d| function.of(d - 0.2) + 0.5 * normal());
            states.row_mut(t).assign(&next);
        }
        (weights, states)
    }

    #[test]
    fn the_generator_is_found_again() {
        for (function, gain) in [(Nonlinearity::Tanh, 0.4), (Nonlinearity::Exp, 0.15)] {
            let (weights, states) = network(function, 4000, gain);
            let fit = SingleMatrix { nonlinearity: function, epochs: 40, rate: 5e-3, ..SingleMatrix::default() }
                .fit(&Samples::whole(states.view()), &|| true);
            let flat = |m: &Array2<f64>| m.iter().copied().collect::<Vec<f64>>();
            let r = pearson(&flat(&fit.weights), &flat(&weights));
            assert!(r > 0.98, "{function:?}: {r}");
            assert!((fit.validation_error - 0.25).abs() < 0.03, "the error is the noise: {}", fit.validation_error);
            assert!(fit.bias.iter().all(|b| (b + 0.2).abs() < 0.1), "{}", fit.bias);
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_error() {
        let (_, states) = network(Nonlinearity::Tanh, 30, 0.5);
        let (before, now) = Samples::whole(states.view()).pairs(1);
        let (before, now) = (before.to_owned(), now.to_owned());
        for function in [Nonlinearity::Tanh, Nonlinearity::Exp] {
            let start = Array2::from_shape_fn((6, 6), |(i, j)| 0.05 * (i as f64 - j as f64));
            let model = || Model { function, weights: Adam::new(start.clone()), bias: Adam::new(Array2::zeros((1, 6))) };
            let gradient = model().gradients(&before, &now).0[[2, 4]];
            let error = |shift: f64| {
                let mut moved = model();
                moved.weights.values[[2, 4]] += shift;
                mean_square((moved.predict(&before) - &now).view())
            };
            let expected = (error(1e-5) - error(-1e-5)) / 2e-5;
            assert!((gradient - expected).abs() < 1e-8, "{function:?}: {gradient} instead of {expected}");
        }
    }

    #[test]
    fn it_ends_when_told_and_does_not_blow_up() {
        let (_, states) = network(Nonlinearity::Tanh, 100, 0.3);
        let samples = Samples::whole(states.view());
        assert_eq!(SingleMatrix::default().fit(&samples, &|| false).epochs, 0);
        let wild = states.mapv(|v| 1e4 * v);
        let fit = SingleMatrix { nonlinearity: Nonlinearity::Exp, epochs: 3, ..SingleMatrix::default() }
            .fit(&Samples::whole(wild.view()), &|| true);
        assert!(fit.weights.iter().all(|w| w.is_finite()));
        let all = SingleMatrix { validation: 0.0, epochs: 2, ..SingleMatrix::default() }.fit(&samples, &|| true);
        assert_eq!(all.epochs, 2);
    }
}
