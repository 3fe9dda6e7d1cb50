//! Poisson GLMs of the units of one area: a spline PSTH per unit, raised-cosine coupling from every unit of other areas, and
//! optionally a gain per trial. Units are fitted on their own (a population GLM without shared terms is just that), all at once.
//!
//! `log rate(t) = splines(t) · b + Σ_m Σ_k w_mk (basis_k * y_m)(t) [+ gain of the trial]`, penalties `½ ridge |w|²`,
//! `group lasso · Σ_m √K |w_m|` and `½ p gain²` on the summed log-likelihood; spline coefficients are free. The single-neuron GLMs of
//! Xin & Kass 2025 (Fig. 4) are of this form, after Truccolo et al. (2005) and Pillow et al. (2008).

mod design;
mod direction;
mod fit;

use ndarray::{Array2, Array3, Axis, Slice};

use super::{Rates, TrialCounts};
pub use design::Design;
pub use fit::PoissonFit;

/// Largest log-rate per bin that is evaluated: beyond it a step was too long.
const LARGEST: f64 = 12.0;

/// What is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct GlmSettings {
    /// Quadratic B-splines of the PSTH.
    pub splines: usize,
    /// Number, last peak (bins) and warp of the raised cosines of a coupling filter.
    pub basis: (usize, f64, f64),
    /// Coupling also from the units of the area itself, the unit's own history included.
    pub own_area: bool,
    /// Ridge penalty on coupling.
    pub ridge: f64,
    /// Group lasso penalty on the coupling from every unit; 0 for none.
    pub group_lasso: f64,
    /// Penalty of a gain per trial and unit; `None` for no gains.
    pub trial_gain: Option<f64>,
    /// A unit is done when a step promises less than this, nats of its whole log-likelihood.
    pub tolerance: f64,
}

impl Default for GlmSettings {
    /// The settings behind Fig. 4 of Xin & Kass 2025: coupling from every unit of both areas, ridge 100.
    fn default() -> Self {
        Self { splines: 20, basis: (3, 5.0, 1.0), own_area: true, ridge: 100.0, group_lasso: 0.0, trial_gain: None, tolerance: 1e-4 }
    }
}

/// Fit the units of area `target` on the trials `trials` until every unit is done or `most` steps are made; `going` is asked
/// before every step.
pub fn fit(
    counts: &TrialCounts<'_>,
    target: usize,
    trials: &[usize],
    settings: &GlmSettings,
    most: usize,
    going: &dyn Fn() -> bool,
) -> PoissonFit {
    let mut fit = PoissonFit::new(counts, target, trials, settings);
    for _ in 0..most {
        if fit.done() || !going() {
            break;
        }
        fit.step(counts);
    }
    fit
}

impl PoissonFit {
    /// Log-rates of one trial `[bins, units of the area]`, without trial gain; coupling from `without` left out.
    fn log_rates(&self, counts: &TrialCounts<'_>, trial: usize, without: Option<usize>) -> Array2<f64> {
        let mut features = self.design().features();
        self.design().fill(counts.trial(trial), &mut features);
        if let Some(source) = without {
            let columns = self.design().columns_of(counts.columns(source));
            features.slice_axis_mut(Axis(1), Slice::from(columns)).fill(0.0);
        }
        features.dot(self.coefficients())
    }

    /// Gain of every unit in a trial that may not have been fitted: the most likely one given the trial's own spikes.
    fn gains_of(&self, counts: &TrialCounts<'_>, trial: usize, log_rates: &Array2<f64>) -> Vec<f64> {
        let Some(penalty) = self.settings().trial_gain else { return vec![0.0; log_rates.ncols()] };
        let spikes = counts.trial(trial);
        let spikes = spikes.slice_axis(Axis(0), Slice::from(counts.pad..));
        let columns = counts.columns(self.target());
        let gain = |(log_rates, unit): (ndarray::ArrayView1<'_, f64>, usize)| {
            let expected: f64 = log_rates.iter().map(|eta| eta.min(LARGEST).exp()).sum();
            let observed: f64 = spikes.column(unit).iter().map(|&y| f64::from(y)).sum();
            design::gain(expected, observed, penalty)
        };
        log_rates.columns().into_iter().zip(columns).map(gain).collect()
    }

    /// Coupling from area `source` as coefficients `[sending units, functions, receiving units]`.
    pub fn coupling(&self, counts: &TrialCounts<'_>, source: usize) -> Array3<f64> {
        let (units, functions) = (counts.columns(source).len(), self.design().functions());
        let first = self.design().columns_of(counts.columns(source)).start;
        Array3::from_shape_fn((units, functions, self.units()), |(m, k, n)| {
            self.coefficients().get([first + m * functions + k, n]).copied().unwrap_or(0.0)
        })
    }
}

impl Rates for PoissonFit {
    fn rates(&self, counts: &TrialCounts<'_>, trial: usize, source: usize) -> (Array2<f64>, Array2<f64>) {
        let with = self.log_rates(counts, trial, None);
        let gains = self.gains_of(counts, trial, &with);
        let rates = |log_rates: Array2<f64>| {
            let mut rates = log_rates;
            rates.rows_mut().into_iter().for_each(|mut row| row.iter_mut().zip(&gains).for_each(|(x, g)| *x = (*x + g).min(LARGEST).exp()));
            rates
        };
        let without = if source < counts.area_sizes.len() { self.log_rates(counts, trial, Some(source)) } else { with.clone() };
        (rates(with), rates(without))
    }

    fn units(&self) -> usize {
        self.coefficients().ncols()
    }
}

#[cfg(test)]
mod tests;
