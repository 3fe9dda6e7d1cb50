//! Adam (Kingma & Ba 2015) for small models whose gradients are written by hand.

use ndarray::Array2;

const BETA: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// Parameters with the running moments of their gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// The parameters.
    pub values: Array2<f64>,
    mean: Array2<f64>,
    square: Array2<f64>,
    steps: i32,
}

impl Adam {
    /// Begin at `values`.
    pub fn new(values: Array2<f64>) -> Self {
        Self { mean: Array2::zeros(values.dim()), square: Array2::zeros(values.dim()), values, steps: 0 }
    }

    /// One step with learning rate `rate` against `gradient`, which has the shape of the parameters.
    pub fn step(&mut self, gradient: &Array2<f64>, rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let (first, second) = (1.0 - BETA.0.powi(self.steps), (1.0 - BETA.1.powi(self.steps)).sqrt());
        let moments = self.mean.iter_mut().zip(self.square.iter_mut());
        for ((value, (mean, square)), g) in self.values.iter_mut().zip(moments).zip(gradient) {
            *mean = BETA.0 * *mean + (1.0 - BETA.0) * g;
            *square = BETA.1 * *square + (1.0 - BETA.1) * g * g;
            *value -= rate / first * *mean / (square.sqrt() / second + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn steps_are_those_of_the_paper() {
        let mut adam = Adam::new(arr2(&[[1.0, -2.0]]));
        adam.step(&arr2(&[[10.0, -0.001]]), 0.1);
        assert!(
            (&adam.values - &arr2(&[[0.9, -1.9]])).iter().all(|d| d.abs() < 1e-5),
            "the first step is one learning rate: {}",
            adam.values
        );
        adam.step(&arr2(&[[-10.0, 0.0]]), 0.1);
        // Moments 0.1 g and 0.001 g², then 0.9 of them plus the new share; corrected by 0.19 and 0.001999.
        let (mean, square): (f64, f64) = ((0.9 - 1.0) / 0.19, (0.999 * 0.1 + 0.1) / 0.001_999);
        assert!((adam.values[[0, 0]] - (0.9 - 0.1 * mean / square.sqrt())).abs() < 1e-9, "{}", adam.values);
    }
}
