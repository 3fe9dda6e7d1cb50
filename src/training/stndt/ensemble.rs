//! An ensemble of runs: the mean of their rates (Le & Shlizerman 2022, §2.9 of the spec; rates, not log-rates).

use ndarray::Array3;

use super::rate_model::RateModel;
use crate::analysis::watch::Watch;
use crate::models::DeviceFailed;
use crate::training::RateScores;

/// Rates of so many numbers in all are kept from ranking to averaging; of more, the runs are asked again.
const KEPT: usize = 1 << 25;

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
    /// Nobody wants the result any more.
    #[error("stopped")]
    Stopped,
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
        Self::watched(models, top, &Watch::default())
    }

    /// The same for whoever may not want the result any more.
    ///
    /// # Errors
    /// [`EnsembleError`].
    pub fn watched(models: &[RateModel], top: Option<usize>, watch: &Watch) -> Result<Self, EnsembleError> {
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
        let keep = trials.len() * first.data().binned.bins * first.units().len() * models.len() <= KEPT;
        let (mut order, mut kept) = (Vec::with_capacity(models.len()), vec![None; models.len()]);
        for (at, model) in models.iter().enumerate() {
            let rates = looked_after(watch, at, 3 * models.len(), || model.rates(trials, &[]))?;
            order.push((at, scorer.score(rates.view())));
            if let Some(slot) = kept.get_mut(at).filter(|_| keep) {
                *slot = Some(rates);
            }
        }
        // NaN (no held-out unit spikes) comes last.
        order.sort_by(|(_, a), (_, b)| f32::total_cmp(&rank(b.co_bps), &rank(a.co_bps)));
        let mut ensemble = Self { order, curve: Vec::new(), members: 1 };
        ensemble.curve = ensemble.curve_of(models, trials, kept, (watch, models.len()))?;
        let best = ensemble.curve.iter().enumerate().max_by(|(_, a), (_, b)| f32::total_cmp(&rank(a.co_bps), &rank(b.co_bps)));
        ensemble.members = top.unwrap_or_else(|| best.map_or(1, |(at, _)| at + 1)).clamp(1, models.len());
        Ok(ensemble)
    }

    /// Scores on `trials` of the mean over the best 1, 2, … runs.
    ///
    /// # Errors
    /// [`EnsembleError::Device`], [`EnsembleError::Stopped`].
    pub fn curve_on(&self, models: &[RateModel], trials: &[usize], watch: &Watch) -> Result<Vec<RateScores>, EnsembleError> {
        self.curve_of(models, trials, vec![None; models.len()], (watch, 2 * models.len()))
    }

    /// `kept` has rates of these trials that are known already; `before` is how much of the work was done before this.
    fn curve_of(
        &self,
        models: &[RateModel],
        trials: &[usize],
        mut kept: Vec<Option<Array3<f64>>>,
        (watch, before): (&Watch, usize),
    ) -> Result<Vec<RateScores>, EnsembleError> {
        let Some(scorer) = models.first().map(|first| first.scorer(trials)) else { return Ok(Vec::new()) };
        let mut curve = Vec::with_capacity(models.len());
        let mut sum: Option<Array3<f64>> = None;
        for (count, (at, _)) in (1..).zip(&self.order) {
            let Some(model) = models.get(*at) else { continue };
            let known = kept.get_mut(*at).and_then(Option::take);
            let rates = looked_after(watch, before + curve.len(), 3 * models.len(), || known.map_or_else(|| model.rates(trials, &[]), Ok))?;
            let total = match sum.take() {
                Some(sum) => sum + rates,
                None => rates,
            };
            curve.push(scorer.score((&total / f64::from(count)).view()));
            sum = Some(total);
        }
        Ok(curve)
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

/// Do one of `all` parts unless nobody wants the result any more.
fn looked_after<T>(watch: &Watch, done: usize, all: usize, part: impl FnOnce() -> Result<T, DeviceFailed>) -> Result<T, EnsembleError> {
    if watch.stopped() {
        return Err(EnsembleError::Stopped);
    }
    watch.tell(done, all);
    Ok(part()?)
}

fn rank(score: f32) -> f32 {
    if score.is_nan() { f32::NEG_INFINITY } else { score }
}
