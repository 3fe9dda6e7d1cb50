//! An ensemble of runs: the mean of their rates (Le & Shlizerman 2022, §2.9 of the spec; rates, not log-rates).

use ndarray::Array3;

use super::rate_model::RateModel;
use crate::models::DeviceFailed;
use crate::training::RateScores;

/// Why runs cannot be averaged.
#[derive(Debug, thiserror::Error)]
pub enum EnsembleError {
    /// Another split or other held-out units.
    #[error("run {member} was made with other trials, units or held-out units than the first; an ensemble needs runs of one sweep")]
    Other {
        /// Place among the runs, from 1.
        member: usize,
    },
    /// No run at all.
    #[error("an ensemble needs at least one run")]
    Empty,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
}

/// Mean rates of the best runs, and how the score grows with their number.
#[derive(Debug, Clone)]
pub struct Ensemble {
    /// Runs from the best to the worst by validation co-bps: place in the list given, scores on validation trials.
    pub order: Vec<(usize, RateScores)>,
    /// Scores on validation trials of the mean over the best 1, 2, … runs.
    pub curve: Vec<RateScores>,
    /// How many runs are averaged: as asked, or as many as score best on validation trials.
    pub members: usize,
}

impl Ensemble {
    /// Rank the runs and find how many to average; `top` fixes that number.
    ///
    /// # Errors
    /// [`EnsembleError`].
    pub fn new(models: &[RateModel], top: Option<usize>) -> Result<Self, EnsembleError> {
        let first = models.first().ok_or(EnsembleError::Empty)?;
        for (at, model) in models.iter().enumerate() {
            let same = model.data().split == first.data().split
                && model.held_out() == first.held_out()
                && model.observed_bins() == first.observed_bins()
                && model.data().binned.counts == first.data().binned.counts;
            if !same {
                return Err(EnsembleError::Other { member: at + 1 });
            }
        }
        let trials = &first.data().split.validation;
        let scorer = first.scorer(trials);
        let mut order = Vec::with_capacity(models.len());
        for (at, model) in models.iter().enumerate() {
            order.push((at, scorer.score(model.rates(trials, &[])?.view())));
        }
        // NaN (no held-out unit spikes) comes last.
        order.sort_by(|(_, a), (_, b)| f32::total_cmp(&rank(b.co_bps), &rank(a.co_bps)));
        let mut curve = Vec::with_capacity(models.len());
        let mut sum: Option<Array3<f64>> = None;
        for (count, (at, _)) in (1..).zip(&order) {
            let Some(model) = models.get(*at) else { continue };
            let rates = model.rates(trials, &[])?;
            let total = match sum.take() {
                Some(sum) => sum + rates,
                None => rates,
            };
            curve.push(scorer.score((&total / f64::from(count)).view()));
            sum = Some(total);
        }
        let best = curve.iter().enumerate().max_by(|(_, a), (_, b)| f32::total_cmp(&rank(a.co_bps), &rank(b.co_bps)));
        let members = top.unwrap_or_else(|| best.map_or(1, |(at, _)| at + 1)).clamp(1, models.len());
        Ok(Self { order, curve, members })
    }

    /// Mean rates of the chosen runs, spikes per bin `[trials, bins, units]`.
    ///
    /// # Errors
    /// [`EnsembleError::Device`].
    pub fn rates(&self, models: &[RateModel], trials: &[usize]) -> Result<Array3<f64>, EnsembleError> {
        let mut sum: Option<Array3<f64>> = None;
        for model in self.order.iter().take(self.members).filter_map(|(at, _)| models.get(*at)) {
            let rates = model.rates(trials, &[])?;
            sum = Some(match sum {
                Some(sum) => sum + rates,
                None => rates,
            });
        }
        sum.map(|sum| sum / self.members as f64).ok_or(EnsembleError::Empty)
    }
}

fn rank(score: f32) -> f32 {
    if score.is_nan() { f32::NEG_INFINITY } else { score }
}
