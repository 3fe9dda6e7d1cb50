//! One ordered pair: base, refit with the pair, held-out gain, stability.

use ndarray::{Array3, Axis};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::nulls::null;
use super::run::{FIT_PARTS, Steps};
use super::{BAND, EdgeEvidence, EdgeTestPlan, HeldOut, INTERVAL_RESAMPLES, JOINT, NullKind, SIGN_FLIPS, SINGLE, Stability, words};
use crate::analysis::coupling_stage::{Fit, FrozenModel, SourceSpikes, Starts, TargetData, Term};
use crate::analysis::multiple::{bootstrap_mean, sign_flip_p};

/// Receivers over which outputs are averaged.
pub(super) const BEST_RECEIVERS: usize = 10;
/// A half confirms an edge when its mean gain exceeds so many standard errors (one-sided 5 %).
const CONFIRMED: f64 = 1.645;

/// One receiving area, for all pairs that end in it.
pub(super) struct Area<'a> {
    pub(super) model: &'a FrozenModel,
    pub(super) target: usize,
    pub(super) train_trials: Vec<usize>,
    pub(super) train: TargetData,
    pub(super) test: TargetData,
    /// Spikes of every area in training and test trials.
    pub(super) spikes: Vec<(SourceSpikes, SourceSpikes)>,
    /// Terms that the run fitted.
    pub(super) terms: Vec<Term>,
    pub(super) conditions: Vec<usize>,
    /// The refit without any term, and the training trials with its log-rates as their offset.
    bare: (Fit, TargetData),
}

impl<'a> Area<'a> {
    pub(super) fn new(model: &'a FrozenModel, target: usize, train: &[usize]) -> Self {
        let spikes = |area: usize| (SourceSpikes::of(model, area, train), SourceSpikes::of(model, area, &model.test));
        let data = TargetData::new(model, target, train);
        let none = data.fit(&[], &[], &data.no_mean(), None, JOINT);
        Self {
            model,
            target,
            train_trials: train.to_vec(),
            bare: (none.clone(), data.with_base(&none, &[])),
            train: data,
            test: TargetData::new(model, target, &model.test),
            spikes: (0..model.areas.len()).into_par_iter().map(spikes).collect(),
            terms: model.terms(target),
            conditions: train.iter().map(|&t| model.conditions.get(t).copied().unwrap_or(0)).collect(),
        }
    }

    /// Spikes of the sources of these terms, in training or test trials.
    pub(super) fn spikes_of(&self, terms: &[Term], train: bool) -> Vec<&SourceSpikes> {
        let of = |term: &Term| self.spikes.get(term.source).map(|(a, b)| if train { a } else { b });
        terms.iter().filter_map(of).collect()
    }

    pub(super) fn total_bins(&self) -> usize {
        self.model.counts.len_of(Axis(1))
    }
}

/// One pair with what its tests stand on.
pub(super) struct Pair<'a> {
    pub(super) area: &'a Area<'a>,
    pub(super) source: usize,
    pub(super) plan: &'a EdgeTestPlan,
    /// The refit without the pair.
    base: Fit,
    /// Its log-rates as an offset.
    pub(super) on_base: TargetData,
    /// Their loss, nats.
    base_loss: f64,
}

impl<'a> Pair<'a> {
    pub(super) fn new(area: &'a Area<'a>, source: usize, plan: &'a EdgeTestPlan) -> Self {
        let others: Vec<Term> = area.terms.iter().filter(|t| t.source != source).cloned().collect();
        let spikes = area.spikes_of(&others, true);
        let base = area.train.fit(&others, &spikes, &area.train.no_mean(), None, JOINT);
        let on_base = area.train.with_base(&base, &spikes);
        let base_loss = on_base.frozen_loss();
        Self { area, source, plan, base, on_base, base_loss }
    }

    /// Fit the pair alone on top of the base from its score, for several versions of the source's spikes at once.
    pub(super) fn fits(&self, copies: &[&SourceSpikes]) -> Vec<Fit> {
        let starts = Starts::new(&self.on_base, self.source, self.plan.window_bins, self.source == self.area.target).terms(copies);
        let mean = self.on_base.no_mean();
        let fit = |(start, copy): (Term, &&SourceSpikes)| self.on_base.fit(&[start], &[copy], &mean, None, SINGLE);
        starts.into_par_iter().zip(copies.par_iter()).map(fit).collect()
    }

    /// Contribution in percent and gain in nats of a fit on top of the base.
    pub(super) fn strength(&self, fit: &Fit, spikes: &SourceSpikes) -> (f64, f64) {
        (self.on_base.contribution(fit, &[spikes], &[0]), self.base_loss - fit.data_loss())
    }

    /// All tests. `None` when it was stopped.
    pub(super) fn evidence(&self, steps: &Steps<'_>) -> Option<EdgeEvidence> {
        let area = self.area;
        let (train, _) = area.spikes.get(self.source)?;
        let alone = self.fits(&[train]).into_iter().next()?;
        let observed = self.strength(&alone, train);
        if !steps.step(FIT_PARTS) {
            return None;
        }
        let mut terms = self.base.terms.clone();
        let first = terms.len();
        terms.extend(alone.terms);
        // Further factors of the run's rank start from what the run found.
        terms.extend(area.terms.iter().filter(|t| t.source == self.source).skip(1).cloned());
        let with = area.train.fit(&terms, &area.spikes_of(&terms, true), &self.base.mean, None, JOINT);
        if !steps.step(2 * FIT_PARTS) {
            return None;
        }
        let held_out = self.held_out(&with, train);
        let mine: Vec<usize> = (first..with.terms.len()).collect();
        let spikes = area.spikes_of(&with.terms, false);
        let contribution_percent = area.test.contribution(&with, &spikes, &mine);
        let output = mine.iter().filter_map(|&at| Some(area.test.term_output(with.terms.get(at)?, spikes.get(at)?)));
        let output = output.reduce(|a, b| a + b).unwrap_or_else(|| Array3::zeros((0, 0, 0)));
        let course = course(&output);
        let mut nulls = Vec::new();
        for kind in NullKind::ALL.into_iter().filter(|_| self.plan.nulls > 0) {
            nulls.push(null(self, kind, observed, train, steps)?);
        }
        let stability = self.stability(steps)?;
        let shown = with.terms.get(first)?.normalised(None);
        let mut evidence = EdgeEvidence {
            source: self.source,
            target: area.target,
            fitted: area.model.is_fitted(self.source, area.target),
            contribution_percent,
            train_contribution_percent: observed.0,
            train_gain: observed.1,
            mean_output: course.iter().sum::<f64>() / course.len().max(1) as f64,
            filter: shown.filter(&area.model.basis),
            send: shown.send,
            receive: shown.receive,
            course,
            held_out,
            nulls,
            bands: None,
            stability,
            networks: Vec::new(),
            warnings: Vec::new(),
        };
        evidence.warnings = words::warnings(self, &evidence, &output);
        Some(evidence)
    }

    fn held_out(&self, with: &Fit, train: &SourceSpikes) -> HeldOut {
        let per_trial = self.gains(with, &self.base);
        let seed = self.seed(7);
        let (mean, interval) = bootstrap_mean(&per_trial, INTERVAL_RESAMPLES, BAND, seed);
        let p = sign_flip_p(&per_trial, SIGN_FLIPS, seed);
        let alone = (!self.base.terms.is_empty()).then(|| self.gain_alone(train));
        HeldOut { per_trial, mean, interval, p, q: p, alone }
    }

    /// How much better one fit describes every test trial than another, nats.
    fn gains(&self, with: &Fit, without: &Fit) -> Vec<f64> {
        let of = |fit: &Fit| self.area.test.log_likelihoods(fit, &self.area.spikes_of(&fit.terms, false));
        of(with).iter().zip(of(without)).map(|(a, b)| a - b).collect()
    }

    /// Mean held-out gain of the pair when no other area may send, nats per trial.
    fn gain_alone(&self, train: &SourceSpikes) -> f64 {
        let (none, on_none) = &self.area.bare;
        let start = Starts::new(on_none, self.source, self.plan.window_bins, self.source == self.area.target).terms(&[train]);
        let with = self.area.train.fit(&start, &[train], &none.mean, None, JOINT);
        let gains = self.gains(&with, none);
        gains.iter().sum::<f64>() / gains.len().max(1) as f64
    }

    /// A seed of its own for every pair and purpose.
    pub(super) fn seed(&self, purpose: u64) -> u64 {
        let areas = self.area.model.areas.len() as u64;
        self.plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ((self.source as u64 * areas + self.area.target as u64) << 20)
            ^ (purpose << 48)
    }

    /// `Some(None)` when no halves were asked for.
    fn stability(&self, steps: &Steps<'_>) -> Option<Option<Stability>> {
        if self.plan.halves == 0 {
            return Some(None);
        }
        let seeds: Vec<u64> = (0..self.plan.halves as u64).map(|k| self.plan.seed.wrapping_mul(1000) + k).collect();
        let halves: Option<Vec<(f64, bool)>> = seeds.par_iter().map(|&seed| if steps.step(1) { self.half(seed) } else { None }).collect();
        let (contributions, found) = halves?.into_iter().unzip();
        Some(Some(Stability { seeds, contributions, found }))
    }

    /// Fit a random half of the training trials, test it on the other one.
    fn half(&self, seed: u64) -> Option<(f64, bool)> {
        let mut places: Vec<usize> = (0..self.area.train_trials.len()).collect();
        places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (one, other) = places.split_at(places.len() / 2);
        let (all, _) = self.area.spikes.get(self.source)?;
        let part = |places: &[usize]| (self.on_base.select(places), all.select(places));
        let ((data, spikes), (rest, rest_spikes)) = (part(one), part(other));
        let start = Starts::new(&data, self.source, self.plan.window_bins, self.source == self.area.target).terms(&[&spikes]);
        let fit = data.fit(&start, &[&spikes], &data.no_mean(), None, SINGLE);
        // Against the other half's own constant, so that a difference of rates between halves is no gain.
        let none = |data: &TargetData| data.fit(&[], &[], &data.no_mean(), None, SINGLE);
        let without = Fit { terms: Vec::new(), ..none(&data) };
        let gains: Vec<f64> =
            rest.log_likelihoods(&fit, &[&rest_spikes]).iter().zip(rest.log_likelihoods(&without, &[])).map(|(a, b)| a - b).collect();
        let n = gains.len().max(1) as f64;
        let mean = gains.iter().sum::<f64>() / n;
        let error = (gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0) / n).sqrt();
        Some((data.contribution(&fit, &[&spikes], &[0]), mean > CONFIRMED * error && mean > 0.0))
    }
}

/// Mean over trials and over the units with the largest mean output, per bin.
pub(super) fn course(output: &Array3<f32>) -> Vec<f64> {
    let (trials, bins, units) = output.dim();
    if trials == 0 || bins == 0 {
        return Vec::new();
    }
    let Some(mean) = output.mean_axis(Axis(0)) else { return Vec::new() };
    let size = |unit: usize| mean.column(unit).iter().map(|x| f64::from(*x)).sum::<f64>().abs();
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    order.truncate(BEST_RECEIVERS);
    let at = |bin: usize| order.iter().map(|&unit| f64::from(mean[[bin, unit]])).sum::<f64>() / order.len().max(1) as f64;
    (0..bins).map(at).collect()
}
