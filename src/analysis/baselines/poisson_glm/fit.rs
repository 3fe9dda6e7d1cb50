//! Fitting the units of one area at once: every pass over the data makes the features of a trial once and multiplies them with the
//! coefficients of all units; each unit keeps its own step length.

use std::collections::BTreeMap;
use std::sync::Arc;

use nalgebra::DMatrix;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, Slice};
use rayon::prelude::*;

use super::design::Design;
use super::direction::{Curvature, Groups, Metric};
use super::{GlmSettings, LARGEST};
use crate::analysis::baselines::{TrialCounts, parts};
use crate::analysis::psth;

/// Parts of the trials that are summed on their own; fixed, so that sums do not depend on the number of threads.
const PARTS: usize = 16;
/// A step must keep this share of what it promised.
const ARMIJO: f64 = 1e-4;
/// Halvings of a step before a unit is taken to be done.
const HALVINGS: usize = 25;

/// A GLM of every unit of one area, being fitted.
pub struct PoissonFit {
    settings: GlmSettings,
    design: Design,
    target: usize,
    trials: Vec<usize>,
    /// `[features, units]`.
    coefficients: Array2<f64>,
    /// `[trials, units]`; no rows without gains.
    gains: Array2<f64>,
    state: Vec<UnitState>,
}

struct UnitState {
    curvature: Curvature,
    /// Penalised negative log-likelihood, and its smooth part's gradient with respect to coefficients and gains.
    objective: f64,
    gradient: Array1<f64>,
    done: bool,
}

/// Sums over a part of the trials: objective per unit, gradient of the coefficients, and per trial and unit that of the gains.
type PartSums = (Vec<f64>, Array2<f64>, Vec<Vec<f64>>);

/// Sums over trials for some units.
struct Sums {
    objective: Vec<f64>,
    gradient: Array2<f64>,
    /// `[trials, units]`.
    gains: Array2<f64>,
}

impl PoissonFit {
    /// Start from the PSTH of every unit of area `target`, without coupling, on the trials `trials`.
    pub fn new(counts: &TrialCounts<'_>, target: usize, trials: &[usize], settings: &GlmSettings) -> Self {
        let own = counts.columns(target);
        let all: usize = counts.area_sizes.iter().sum();
        let senders = (0..all).filter(|unit| settings.own_area || !own.contains(unit)).collect();
        let design = Design::new(settings, counts.bins(), senders);
        let spikes = psth::summed(counts.counts, counts.pad, trials);
        let n = own.len();
        let mut coefficients = Array2::zeros((design.width(), n));
        let mut rates = Array2::zeros((counts.bins(), n));
        for (place, unit) in own.enumerate() {
            let of_unit: Vec<f64> = spikes.column(unit).iter().map(|&s| f64::from(s)).collect();
            let (splines, rate) = design.psth(&of_unit, trials.len().max(1) as f64);
            coefficients.slice_axis_mut(Axis(0), Slice::from(..design.splines())).column_mut(place).assign(&splines);
            rates.column_mut(place).assign(&rate);
        }
        let rows = if settings.trial_gain.is_some() { trials.len() } else { 0 };
        let mut fit = Self {
            settings: settings.clone(),
            design,
            target,
            trials: trials.to_vec(),
            coefficients,
            gains: Array2::zeros((rows, n)),
            state: Vec::new(),
        };
        fit.begin(counts, &rates);
        fit
    }

    /// Curvature of every unit, from features weighted by the mean rate of the area, and where it stands.
    fn begin(&mut self, counts: &TrialCounts<'_>, rates: &Array2<f64>) {
        let mean = rates.mean_axis(Axis(1)).unwrap_or_else(|| Array1::zeros(rates.nrows()));
        let weighted: Vec<Array2<f64>> = parts(&self.trials, PARTS)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|some| {
                let mut features = self.design.features();
                let mut gram = Array2::zeros((self.design.width(), self.design.width()));
                for &trial in some {
                    self.design.fill(counts.trial(trial), &mut features);
                    let mut scaled = features.clone();
                    scaled.axis_iter_mut(Axis(0)).zip(&mean).for_each(|(mut row, rate)| row *= *rate);
                    general_mat_mul(1.0, &features.t(), &scaled, 1.0, &mut gram);
                }
                gram
            })
            .collect();
        let gram = weighted.iter().fold(Array2::<f64>::zeros((self.design.width(), self.design.width())), |sum, part| sum + part);
        let (splines, ridge) = (self.design.splines(), self.settings.ridge);
        let total = mean.sum();
        let all: Vec<usize> = (0..rates.ncols()).collect();
        let sums = self.evaluate(counts, &all, &self.coefficients, &self.gains);
        // Half octaves of the rate: many units share a matrix that would not fit into memory for each.
        let octave = |place: usize| (2.0 * (rates.column(place).sum() / total.max(1e-300)).max(1e-6).log2()).round() as i32;
        let mut octaves: Vec<i32> = all.iter().map(|&place| octave(place)).collect();
        octaves.sort_unstable();
        octaves.dedup();
        let metric = |&octave: &i32| {
            let scale = (0.5 * f64::from(octave)).exp2();
            let matrix = DMatrix::from_fn(gram.nrows(), gram.nrows(), |i, j| {
                let penalty = if i >= splines { ridge } else { 1e-9 * (1.0 + gram[[i, i]]) };
                scale * gram[[i, j]] + if i == j { penalty } else { 0.0 }
            });
            (octave, Arc::new(Metric::new(matrix)))
        };
        let metrics: BTreeMap<i32, Arc<Metric>> = octaves.par_iter().map(metric).collect();
        let unit = |place: usize| {
            let metric = metrics
                .get(&octave(place))
                .map(Arc::clone)
                .unwrap_or_else(|| Arc::new(Metric::new(DMatrix::identity(gram.nrows(), gram.nrows()))));
            let expected = rates.column(place).sum() + self.settings.trial_gain.unwrap_or(0.0);
            let curvature = Curvature::new(metric, Array1::from_elem(self.gains.nrows(), expected));
            let (objective, gradient) = sums.of(place);
            UnitState {
                curvature,
                objective: objective + self.groups_penalty(self.coefficients.column(place).to_vec()),
                gradient,
                done: false,
            }
        };
        self.state = (0..rates.ncols()).into_par_iter().map(unit).collect();
    }

    /// One step of every unit that is not done.
    pub fn step(&mut self, counts: &TrialCounts<'_>) {
        let groups = self.groups();
        let position = |fit: &Self, unit: usize| -> Array1<f64> {
            fit.coefficients.column(unit).iter().chain(fit.gains.column(unit)).copied().collect()
        };
        let tolerance = self.settings.tolerance;
        let directions: Vec<Option<(Array1<f64>, f64)>> = (0..self.state.len())
            .into_par_iter()
            .map(|unit| {
                let state = &self.state[unit];
                let direction = || match groups {
                    Some(groups) => state.curvature.descend_groups(&position(self, unit), &state.gradient, groups),
                    None => state.curvature.descend(&state.gradient),
                };
                (!state.done).then(direction)
            })
            .collect();
        // Units that still look for a step length, and the length they try.
        let mut trying: Vec<(usize, f64)> = Vec::new();
        for (unit, direction) in directions.iter().enumerate() {
            match direction {
                Some((_, promised)) if *promised > tolerance => trying.push((unit, 1.0)),
                _ => self.state[unit].done = true,
            }
        }
        for _ in 0..HALVINGS {
            if trying.is_empty() {
                break;
            }
            let units: Vec<usize> = trying.iter().map(|t| t.0).collect();
            let mut coefficients = self.coefficients.select(Axis(1), &units);
            let mut gains = self.gains.select(Axis(1), &units);
            for (place, &(unit, length)) in trying.iter().enumerate() {
                let Some((direction, _)) = &directions[unit] else { continue };
                let rows = coefficients.nrows();
                coefficients.column_mut(place).iter_mut().zip(direction).for_each(|(x, d)| *x += length * d);
                gains.column_mut(place).iter_mut().zip(direction.iter().skip(rows)).for_each(|(x, d)| *x += length * d);
            }
            let sums = self.evaluate(counts, &units, &coefficients, &gains);
            let mut again = Vec::new();
            for (place, &(unit, length)) in trying.iter().enumerate() {
                let Some((direction, promised)) = &directions[unit] else { continue };
                let (smooth, gradient) = sums.of(place);
                let objective = smooth + self.groups_penalty(coefficients.column(place).to_vec());
                // `promised` is half the slope without groups and the slope itself with them: a bound either way.
                if objective.is_finite() && objective <= self.state[unit].objective - ARMIJO * length * promised {
                    self.coefficients.column_mut(unit).assign(&coefficients.column(place));
                    self.gains.column_mut(unit).assign(&gains.column(place));
                    let state = &mut self.state[unit];
                    state.curvature.remember(direction * length, &gradient - &state.gradient);
                    (state.objective, state.gradient) = (objective, gradient);
                } else {
                    again.push((unit, 0.5 * length));
                }
            }
            trying = again;
        }
        for (unit, _) in trying {
            self.state[unit].done = true;
        }
    }

    /// Smooth objective and gradient of some units at given parameters.
    fn evaluate(&self, counts: &TrialCounts<'_>, units: &[usize], coefficients: &Array2<f64>, gains: &Array2<f64>) -> Sums {
        let own = counts.columns(self.target);
        let columns: Vec<usize> = units.iter().map(|&unit| own.start + unit).collect();
        let places: Vec<(usize, usize)> = self.trials.iter().copied().enumerate().collect();
        let some: Vec<PartSums> = parts(&places, PARTS)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|some| {
                let mut features = self.design.features();
                let (mut objective, mut gradient) = (vec![0.0; units.len()], Array2::zeros(coefficients.raw_dim()));
                let mut of_gains = Vec::with_capacity(some.len());
                for &(row, trial) in some {
                    let spikes = counts.trial(trial);
                    self.design.fill(spikes, &mut features);
                    let mut residual = features.dot(coefficients);
                    let mut of_trial = vec![0.0; units.len()];
                    for (bin, mut etas) in residual.axis_iter_mut(Axis(0)).enumerate() {
                        for (place, eta) in etas.iter_mut().enumerate() {
                            let y = f64::from(spikes[[counts.pad + bin, columns[place]]]);
                            let log_rate = *eta + gains.get([row, place]).copied().unwrap_or(0.0);
                            let rate = if log_rate > LARGEST { f64::INFINITY } else { log_rate.exp() };
                            objective[place] += rate - y * log_rate;
                            *eta = if rate.is_finite() { rate - y } else { 0.0 };
                            of_trial[place] += *eta;
                        }
                    }
                    general_mat_mul(1.0, &features.t(), &residual, 1.0, &mut gradient);
                    of_gains.push(of_trial);
                }
                (objective, gradient, of_gains)
            })
            .collect();
        let mut sums = Sums { objective: vec![0.0; units.len()], gradient: Array2::zeros(coefficients.raw_dim()), gains: gains.clone() };
        let penalty = self.settings.trial_gain.unwrap_or(0.0);
        let mut row = 0;
        for (objective, gradient, of_gains) in some {
            sums.objective.iter_mut().zip(objective).for_each(|(to, from)| *to += from);
            sums.gradient += &gradient;
            for of_trial in of_gains {
                if row < gains.nrows() {
                    for (place, g) in of_trial.into_iter().enumerate() {
                        let gain = gains[[row, place]];
                        sums.objective[place] += 0.5 * penalty * gain * gain;
                        sums.gains[[row, place]] = g + penalty * gain;
                    }
                }
                row += 1;
            }
        }
        let (splines, ridge) = (self.design.splines(), self.settings.ridge);
        for (place, objective) in sums.objective.iter_mut().enumerate() {
            for (k, &w) in coefficients.column(place).iter().enumerate().skip(splines) {
                *objective += 0.5 * ridge * w * w;
                sums.gradient[[k, place]] += ridge * w;
            }
        }
        sums
    }

    fn groups(&self) -> Option<Groups> {
        let functions = self.design.functions();
        let weight = self.settings.group_lasso * (functions as f64).sqrt();
        (weight > 0.0).then_some(Groups { free: self.design.splines(), size: functions, weight })
    }

    fn groups_penalty(&self, coefficients: Vec<f64>) -> f64 {
        self.groups().map_or(0.0, |groups| groups.penalty(&coefficients))
    }

    /// True when no unit would gain more than the tolerance.
    pub fn done(&self) -> bool {
        self.state.iter().all(|s| s.done)
    }

    /// Penalised negative log-likelihood of all units, nats.
    pub fn objective(&self) -> f64 {
        self.state.iter().map(|s| s.objective).sum()
    }

    /// Coefficients `[features, units]`: splines, then coupling.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.coefficients
    }

    /// Other coefficients of the same shape, for example those that were best.
    pub fn set_coefficients(&mut self, coefficients: Array2<f64>) {
        if coefficients.dim() == self.coefficients.dim() {
            self.coefficients = coefficients;
        }
    }

    /// Features.
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The receiving area.
    pub fn target(&self) -> usize {
        self.target
    }

    /// What is fitted.
    pub fn settings(&self) -> &GlmSettings {
        &self.settings
    }
}

impl Sums {
    /// Objective and gradient of the unit at a place.
    fn of(&self, place: usize) -> (f64, Array1<f64>) {
        (self.objective[place], self.gradient.column(place).iter().chain(self.gains.column(place)).copied().collect())
    }
}

#[cfg(test)]
impl PoissonFit {
    pub(super) fn state_objective(&self, unit: usize) -> f64 {
        self.state[unit].objective
    }

    pub(super) fn state_gradient(&self, unit: usize) -> &Array1<f64> {
        &self.state[unit].gradient
    }
}
