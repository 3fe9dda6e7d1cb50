//! One receiving area: its counts, the frozen offset of its log-rates, and fits of the terms that reach it.

use ndarray::{Array2, Array3, Axis, Slice};
use rayon::prelude::*;

use super::evaluate::{Drives, Evaluation};
use super::{FrozenModel, PRIOR, SourceSpikes, Term};
use crate::analysis::bases::spline_basis;
use crate::analysis::contribution::Contribution;
use crate::analysis::lbfgs::{Stop, minimise};
use crate::models::kernels::exp;

/// Trials that one task takes: sums are added in this order, whatever the number of threads.
pub(super) const CHUNK: usize = 16;

/// Counts and offsets of one receiving area in some trials.
#[derive(Debug, Clone)]
pub struct TargetData {
    /// Counts `[trials, bins, units]`.
    pub(super) counts: Array3<u8>,
    /// Frozen log-rate `[trials, bins, units]`: own dynamics and post-spike term.
    pub(super) offset: Array3<f32>,
    /// The same two as `[trials, units, bins]`, for loops along bins.
    turned: (Array3<u8>, Array3<f32>),
    /// The post-spike term in the offset.
    history: Array3<f32>,
    /// What may be added to every trial `[bins, columns]`.
    pub(super) splines: Array2<f32>,
    pub(super) basis: Array2<f64>,
    pub(super) pad: usize,
}

/// Terms with what was added to the mean dynamics.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Terms, in the order they were given.
    pub terms: Vec<Term>,
    /// Coefficients of the mean dynamics `[columns, units]`.
    pub mean: Array2<f64>,
    /// Loss, nats (with the prior).
    pub loss: f64,
    /// The search came to its end.
    pub converged: bool,
}

impl Fit {
    /// The loss without the prior, nats: what the data say.
    pub fn data_loss(&self) -> f64 {
        self.loss - 0.5 * PRIOR * pack(&self.terms, &self.mean).iter().map(|x| x * x).sum::<f64>()
    }
}

impl TargetData {
    /// Of `area` in these trials. The mean dynamics may adapt by the model's splines.
    pub fn new(model: &FrozenModel, area: usize, trials: &[usize]) -> Self {
        let (bins, columns) = (model.bins(), model.columns(area));
        let pad = model.counts.len_of(Axis(1)).saturating_sub(bins);
        let own = |values: &Array3<f32>| values.select(Axis(0), trials).slice_axis(Axis(2), Slice::from(columns.clone())).to_owned();
        let all = model.counts.select(Axis(0), trials);
        let all = all.slice_axis(Axis(2), Slice::from(columns.clone()));
        let mut history = Array3::<f32>::zeros((trials.len(), bins, columns.len()));
        let filters = model.post_spike.slice_axis(Axis(1), Slice::from(if model.post_spike.nrows() > 0 { columns.clone() } else { 0..0 }));
        if filters.nrows() > 0 {
            history.axis_iter_mut(Axis(0)).into_par_iter().zip(all.axis_iter(Axis(0))).for_each(|(mut to, counts)| {
                for ((bin, unit), &count) in counts.indexed_iter().filter(|(_, c)| **c > 0) {
                    for (lag, &h) in filters.column(unit).iter().enumerate() {
                        if let Some(x) = (bin + 1 + lag).checked_sub(pad).and_then(|at| to.get_mut([at, unit])) {
                            *x += f32::from(count) * h;
                        }
                    }
                }
            });
        }
        let counts = all.slice_axis(Axis(1), Slice::from(pad..)).as_standard_layout().into_owned();
        let offset = (own(&model.own) + &history).as_standard_layout().into_owned();
        Self {
            turned: (turned(&counts), turned(&offset)),
            counts,
            offset,
            history,
            splines: spline_basis(model.splines, bins).mapv(|x| x as f32),
            basis: model.basis.clone(),
            pad,
        }
    }

    /// Counts and offset `[trials, units, bins]`.
    pub(super) fn by_unit(&self) -> (&Array3<u8>, &Array3<f32>) {
        (&self.turned.0, &self.turned.1)
    }

    /// Trials.
    pub fn trials(&self) -> usize {
        self.counts.len_of(Axis(0))
    }

    /// Units.
    pub fn units(&self) -> usize {
        self.counts.len_of(Axis(2))
    }

    /// Counts `[trials, bins, units]`.
    pub fn counts(&self) -> ndarray::ArrayView3<'_, u8> {
        self.counts.view()
    }

    /// Spikes in the analysed bins, per unit.
    pub fn spikes(&self) -> Vec<f64> {
        self.counts.axis_iter(Axis(2)).map(|unit| unit.iter().map(|&y| f64::from(y)).sum()).collect()
    }

    /// The same with the log-rates of a fit as its offset and only a constant per unit free to adapt: what one more term is added to.
    pub fn with_base(&self, fit: &Fit, spikes: &[&SourceSpikes]) -> Self {
        let bins = self.counts.len_of(Axis(1));
        let offset = self.log_rates(fit, spikes);
        Self {
            counts: self.counts.clone(),
            turned: (self.turned.0.clone(), turned(&offset)),
            offset,
            history: self.history.clone(),
            splines: spline_basis(0, bins).mapv(|x| x as f32),
            basis: self.basis.clone(),
            pad: self.pad,
        }
    }

    /// Mean dynamics that add nothing.
    pub fn no_mean(&self) -> Array2<f64> {
        Array2::zeros((self.splines.ncols(), self.units()))
    }

    /// Fit terms (each with the spikes of its source, in the order of `terms`) and mean dynamics from where they are. `weights`
    /// counts every trial so often; all once without it.
    pub fn fit(&self, terms: &[Term], spikes: &[&SourceSpikes], mean: &Array2<f64>, weights: Option<&[f32]>, stop: Stop) -> Fit {
        let start = pack(terms, mean);
        let found = minimise(start, stop, |place| {
            let (terms, mean) = unpack(place, terms, mean.dim());
            let evaluation = self.evaluate(&terms, spikes, &mean, weights);
            let prior = 0.5 * PRIOR * place.iter().map(|x| x * x).sum::<f64>();
            let gradient = evaluation.gradient.into_iter().zip(place).map(|(g, x)| g + PRIOR * x).collect();
            (evaluation.loss + prior, gradient)
        });
        let (terms, mean) = unpack(&found.place, terms, mean.dim());
        Fit { terms, mean, loss: found.value, converged: found.converged }
    }

    /// Loss without the prior, nats, and its gradient in the order of the parameters: send, coef, receive of every term, then mean
    /// dynamics.
    pub(super) fn evaluate(&self, terms: &[Term], spikes: &[&SourceSpikes], mean: &Array2<f64>, weights: Option<&[f32]>) -> Evaluation {
        let drives = Drives::new(self, terms, mean);
        let chunks: Vec<usize> = (0..self.trials()).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> =
            chunks.into_par_iter().map(|first| drives.evaluate(first..(first + CHUNK).min(self.trials()), spikes, weights)).collect();
        let mut sum = Evaluation { loss: 0.0, gradient: vec![0.0; pack(terms, mean).len()] };
        for part in parts {
            sum.loss += part.loss;
            sum.gradient.iter_mut().zip(&part.gradient).for_each(|(a, b)| *a += b);
        }
        sum
    }

    /// Log-rates per bin `[trials, bins, units]` with everything.
    pub fn log_rates(&self, fit: &Fit, spikes: &[&SourceSpikes]) -> Array3<f32> {
        let drives = Drives::new(self, &fit.terms, &fit.mean);
        let mut out = self.offset.clone();
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(trial, eta)| drives.add_to(trial, spikes, None, eta));
        out
    }

    /// What one term adds to the log-rates `[trials, bins, units]`.
    pub fn term_output(&self, term: &Term, spikes: &SourceSpikes) -> Array3<f32> {
        let none = self.no_mean();
        let terms = std::slice::from_ref(term);
        let drives = Drives::new(self, terms, &none);
        let mut out = Array3::zeros(self.offset.dim());
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(trial, eta)| drives.add_to(trial, &[spikes], Some(0), eta));
        out
    }

    /// Log-likelihood of every trial, nats, without the factorials.
    pub fn log_likelihoods(&self, fit: &Fit, spikes: &[&SourceSpikes]) -> Vec<f64> {
        let eta = self.log_rates(fit, spikes);
        let trial = |(eta, y): (ndarray::ArrayView2<'_, f32>, ndarray::ArrayView2<'_, u8>)| -> f64 {
            let each = eta.iter().zip(y.iter()).map(|(&eta, &y)| f64::from(f32::from(y) * eta - exp(eta)));
            each.sum()
        };
        eta.axis_iter(Axis(0)).into_par_iter().zip(self.counts.axis_iter(Axis(0))).map(trial).collect()
    }

    /// Share of the units' rate variance that goes when the terms `left_out` are taken out, percent (Xin & Kass 2025, Fig. 4): rates
    /// without the post-spike term, variance over trials and bins.
    pub fn contribution(&self, fit: &Fit, spikes: &[&SourceSpikes], left_out: &[usize]) -> f64 {
        let drives = Drives::new(self, &fit.terms, &fit.mean);
        let mut sums = Contribution::new(self.units());
        for trial in 0..self.trials() {
            let mut with = (&self.offset.index_axis(Axis(0), trial) - &self.history.index_axis(Axis(0), trial)).to_owned();
            drives.add_to(trial, spikes, None, with.view_mut());
            let mut gone = Array2::zeros(with.dim());
            left_out.iter().for_each(|&term| drives.add_to(trial, spikes, Some(term), gone.view_mut()));
            let without = (&with - &gone).mapv(exp).insert_axis(Axis(0));
            sums.add(with.mapv(exp).insert_axis(Axis(0)).view(), without.view());
        }
        sums.percent()
    }
}

/// `[trials, bins, units]` as `[trials, units, bins]`.
fn turned<T: Clone>(values: &Array3<T>) -> Array3<T> {
    values.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned()
}

pub(super) fn pack(terms: &[Term], mean: &Array2<f64>) -> Vec<f64> {
    let each = terms.iter().flat_map(|t| t.send.iter().chain(&t.coef).chain(&t.receive));
    each.copied().chain(mean.iter().copied()).collect()
}

fn unpack(place: &[f64], like: &[Term], mean: (usize, usize)) -> (Vec<Term>, Array2<f64>) {
    let mut rest = place;
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n.min(rest.len()));
        rest = tail;
        head.to_vec()
    };
    let terms = like
        .iter()
        .map(|t| Term { source: t.source, send: take(t.send.len()), coef: take(t.coef.len()), receive: take(t.receive.len()) })
        .collect();
    let values = take(mean.0 * mean.1);
    (terms, Array2::from_shape_vec(mean, values).unwrap_or_else(|_| Array2::zeros(mean)))
}

impl TargetData {
    /// Some of the trials, by place.
    pub fn select(&self, places: &[usize]) -> Self {
        let of = |values: &Array3<f32>| values.select(Axis(0), places);
        Self {
            counts: self.counts.select(Axis(0), places),
            turned: (self.turned.0.select(Axis(0), places), of(&self.turned.1)),
            offset: of(&self.offset),
            history: of(&self.history),
            splines: self.splines.clone(),
            basis: self.basis.clone(),
            pad: self.pad,
        }
    }

    /// Log-rates per bin `[trials, bins, units]` of the frozen part without the post-spike term.
    pub fn own(&self) -> Array3<f32> {
        &self.offset - &self.history
    }
}

impl TargetData {
    /// Loss of the frozen part alone, nats.
    pub fn frozen_loss(&self) -> f64 {
        self.evaluate(&[], &[], &self.no_mean(), None).loss
    }

    /// Gradient of the loss (nats, without the prior) by send, coef and receive of every term, one after another.
    pub fn gradient(&self, terms: &[Term], spikes: &[&SourceSpikes]) -> Vec<f64> {
        let parameters: usize = terms.iter().map(|t| t.send.len() + t.coef.len() + t.receive.len()).sum();
        let mut gradient = self.evaluate(terms, spikes, &self.no_mean(), None).gradient;
        gradient.truncate(parameters);
        gradient
    }
}
