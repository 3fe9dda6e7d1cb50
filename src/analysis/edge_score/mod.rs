//! Finds out, before any coupling is trained, which ordered pairs of areas the data couple: a score test of a rank-1 coupling
//! at zero with slow drive and what others explain taken out, against nulls made by interval jitter and from other trials (our own,
//! begun from `specs/glm_transformer.md`, last section).
//!
//! With λ the rates of a model without coupling, y the counts and B_b the basis of the coupling filter, per pair (i → j):
//!
//! ```text
//! z_m^b   = (B_b * (y_m − λ_m)) minus its own straight-line extrapolation from the past: what slow drive, shared or not, cannot explain
//! G_mnb   = Σ_{trials, bins} z_m^b (y_n − λ_n)          score of a full coupling at zero
//! I_mnb   = Σ_{trials, bins} (z_m^b)² λ_n               its information;   Z = G / √I
//! score   = largest <Z, u ⊗ v ⊗ h> over unit vectors u (sending), v (receiving), h (filter); own diagonal 0 for i = j; between
//!           areas with what the target's past and other areas explain taken out of G and I (module `others`), and what all units of
//!           either area have in common out of Z (module `common`)
//! start   = u, v and the filter coefficients c that explain <G, u v>: K c = <G, u v> / Σ u² v² Σ rate·λ,  K = Σ_lags B̃ Bᵀ
//! ```
//!
//! A null repeats this on copies in which every spike of the *sending* units is moved within its own window of `window_bins`
//! bins (a partition of the trial with a random phase), in proportion to λ_m: fine timing is destroyed, everything slower than
//! the window stays (Amarasingham, Harrison, Hatsopoulos & Geman 2012), and so does what λ_m says of changes within the window. A
//! second null pairs the sending units of earlier trials with the receiving ones of this: two areas whose units fluctuate together, each
//! for reasons of its own, correlate by chance far more than independent spikes do, and jitter destroys a part of the fluctuation. (Four
//! spiking areas A → B → C: C → A scored 22 against jittered copies of 17, and against 24 to 28 with other trials.) A pair is supported
//! when its score exceeds a quantile of both.
//!
//! Between areas the λ of sending and receiving units are those of the model times what the other units of their own area tell
//! about this trial (module `population`). So the score has mean zero without coupling when *one* of the two is right. This is what
//! keeps apart coupling and a stimulus that both areas answer to with a latency of its own in every trial (the spiking networks of
//! the false-coupling benchmark). What both are wrong about in the same bins, all units of an area have in common, and so has the
//! echo that a strong edge A → B leaves in B → A (spikes of B count in the rates of the others a few bins earlier): module `common`
//! takes that out, all but a faint echo. The price: coupling that drives all units of an area alike is hardly seen. Within an area,
//! where the others are the senders themselves, neither the sending units' λ nor either correction enters.
//!
//! λ includes the receiving unit's own past when the data are shown to [`EdgeScorer::observe`] first: a model without post-spike
//! filters would otherwise see a true edge A → B also as one B → A (spikes of B tell when A fired and is refractory).
//!
//! Of sending units only the past enters z: an average over past and future, as in the prototype, lets B's answers to A count as
//! causes of A. What the past of the target's own units, and of other areas, explains of a score is taken out (module `others`).
//!
//! How it is computed: taking out the slow part turns the basis into a longer one. Filtered backwards in time with that, the
//! residual of a trial becomes one row per bin, `[functions, units]`: what a spike in that bin adds to `G`. So every copy costs
//! one row addition per spike. The information of the jittered copies is that of the first of them: sums over all bins hardly
//! differ between copies, and it costs a matrix product.

mod band;
mod common;
mod finish;
mod history;
pub(super) mod jitter;
mod others;
mod pair;
mod population;
pub(super) mod rank_one;
mod threshold;
pub(super) mod trial;

use std::collections::VecDeque;
use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Slice};
use rayon::prelude::*;

use self::history::OwnHistory;
use self::jitter::{Placing, Spike};
use self::others::Products;
use self::population::{Around, Population};
use self::trial::SpikeEffects;

/// Trials prepared at a time: bounds the memory, and gives every thread something to do.
const CHUNK: usize = 16;

/// How edges are scored.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeScoring {
    /// Width of the jitter window, bins; the slow part is extrapolated from 3/2 of it. Must be about as long as the coupling
    /// filter or longer; dynamics slower than this do not make an edge.
    pub window_bins: usize,
    /// Jittered copies behind the null.
    pub jitters: usize,
    /// Copies with the sending units of other trials: of one to so many trials before. Slow drift over trials stays.
    pub shuffles: usize,
    /// Quantile of both nulls that a score must exceed, per pair.
    pub quantile: f64,
    /// Seed of the jitter.
    pub seed: u64,
    /// Also score the coupling of an area onto itself.
    pub self_pairs: bool,
    /// Also score a second coupling factor: what is left of a pair when its first factor is taken out, against the same of every
    /// jittered copy.
    pub second_factor: bool,
}

impl Default for EdgeScoring {
    fn default() -> Self {
        Self { window_bins: 25, jitters: 20, shuffles: 8, quantile: 0.99, seed: 0, self_pairs: true, second_factor: false }
    }
}

/// Score of one ordered pair of areas.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeScore {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// Score beside the units of the target itself and the areas [`Self::beside`], in standard deviations of one coefficient.
    pub score: f64,
    /// Score without anything beside it: what common input and chains make of it included.
    pub alone: f64,
    /// Other areas selected for the same target, in the order of their selection.
    pub beside: Vec<usize>,
    /// Scores of the jittered copies.
    pub null: Vec<f64>,
    /// Scores with the sending units of other trials; none within an area, nor with fewer than two trials.
    pub shuffled: Vec<f64>,
    /// The larger of both nulls' quantiles that were asked for; see [`EdgeScoring::quantile`]. Infinite without jittered copies.
    pub threshold: f64,
    /// Sending weights to start from, unit Euclidean norm, mean not negative. One per unit of the source area.
    pub send: Vec<f32>,
    /// Receiving weights to start from, unit Euclidean norm, mean not negative. One per unit of the target area.
    pub receive: Vec<f32>,
    /// Filter coefficients to start from, one per basis function; sign and scale are here.
    pub filter: Vec<f32>,
    /// How often the null that is nearer reaches the score, 0 to 1; in the far tail a Gumbel distribution through the copies.
    pub p_value: f64,
    /// The second coupling factor, when it was asked for.
    pub second: Option<SecondFactor>,
}

/// Score of what is left of a pair without its first coupling factor.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondFactor {
    /// Score, in standard deviations of one coefficient.
    pub score: f64,
    /// Scores of the second factors of the jittered copies.
    pub null: Vec<f64>,
    /// The larger of both nulls' quantiles that were asked for.
    pub threshold: f64,
}

impl SecondFactor {
    /// True when the data support coupling of rank 2.
    pub fn is_supported(&self) -> bool {
        self.score > self.threshold
    }
}

impl EdgeScore {
    /// True when the score exceeds its threshold.
    pub fn is_supported(&self) -> bool {
        self.score > self.threshold
    }
}

/// Why counts and rates cannot be scored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EdgeScoreError {
    /// Shapes that do not belong together.
    #[error("counts {counts:?} [trials, pad + bins, units] and rates {rates:?} [trials, bins, units] do not fit {units} units")]
    Shape {
        /// Shape of the counts.
        counts: (usize, usize, usize),
        /// Shape of the rates.
        rates: (usize, usize, usize),
        /// Units the scorer was made for.
        units: usize,
    },
    /// A rate that is no rate.
    #[error("a rate is {rate}, but rates per bin must be finite and not negative; the model has diverged")]
    Rate {
        /// The first such rate, as text.
        rate: String,
    },
}

/// Sums over trials, from which [`EdgeScorer::finish`] computes the scores. The result does not depend on the number of
/// threads, nor on how trials are grouped into batches beyond rounding; it depends on their order through the jitter's seed.
pub struct EdgeScorer {
    /// Basis of the coupling filter `[lags, functions]`, row k at a lag of k + 1 bins.
    basis: Array2<f64>,
    /// The same without its slow part; longer.
    fast: Array2<f32>,
    area_sizes: Vec<usize>,
    scoring: EdgeScoring,
    population: Population,
    /// Own past given the model's rates, and given those with what the rest of the area tells.
    history: [OwnHistory; 2],
    trials_seen: u64,
    /// Score sums of the spikes of the data and of every jittered copy, each `[sources, functions, targets]`.
    score: Vec<Array3<f32>>,
    /// What the sending units' rates take from the sums between areas, per sending area `[sources, functions · targets]`.
    expected: Vec<Array2<f32>>,
    /// Information of the data and of the first jittered copy, per basis function `[sources, targets]`.
    information: [Vec<Array2<f32>>; 2],
    /// Products of what all units send to other areas.
    products: Products,
    /// Scores of units onto their own area as others are scored onto it, per basis function `[units, units]`.
    own: Vec<Array2<f32>>,
    /// Scores with the sending units of the trial before, of that before it, …; of each, per basis function `[sources, targets]`.
    shuffled: Vec<Vec<Array2<f32>>>,
    /// What units sent in the last trials, [`Prepared::sent`] of each; no more than there are such copies.
    recent: VecDeque<Vec<Array2<f32>>>,
}

/// A trial, ready to be scored.
struct Prepared {
    spikes: Vec<Spike>,
    /// Rates of sending units, `[pad + bins, units]`, and where their spikes may fall.
    sending: Array2<f32>,
    placing: Placing,
    /// Rates of receiving units without the bins left out, `[bins, units]`: of pairs between areas and, where asked for, within an area.
    rates: Vec<Array2<f32>>,
    /// What spikes add, for the same.
    effects: Vec<SpikeEffects>,
    /// What the units send to other areas, one `[bins, units]` per basis function.
    sent: Vec<Array2<f32>>,
}

/// Pairs between areas and pairs within an area, as places in [`Prepared`].
const BETWEEN: usize = 0;
const WITHIN: usize = 1;

impl EdgeScorer {
    /// Sums at zero. `basis` is that of the coupling filter, `[lags, functions]`; units of an area are next to each other.
    pub fn new(basis: &Array2<f64>, area_sizes: &[usize], scoring: EdgeScoring) -> Self {
        let (units, functions) = (area_sizes.iter().sum::<usize>(), basis.ncols());
        let information = || vec![Array2::zeros((units, units)); functions];
        Self {
            fast: trial::fast_part(basis, scoring.window_bins).mapv(|x| x as f32),
            basis: basis.clone(),
            area_sizes: area_sizes.to_vec(),
            population: Population::new(area_sizes),
            history: [(); 2].map(|()| OwnHistory::new(units, scoring.window_bins)),
            trials_seen: 0,
            score: vec![Array3::zeros((units, functions, units)); 1 + scoring.jitters],
            expected: area_sizes.iter().map(|&size| Array2::zeros((size, functions * units))).collect(),
            information: [information(), information()],
            products: Products::new(units, functions),
            own: information(),
            shuffled: vec![information(); scoring.shuffles],
            recent: VecDeque::new(),
            scoring,
        }
    }

    /// First pass, before any [`Self::accumulate`]: learn from all trials how every unit's rate depends on its own last spike.
    /// Left out when the rates contain post-spike filters already. Shapes as for `accumulate`.
    ///
    /// # Errors
    /// [`EdgeScoreError`] when shapes do not belong together or a rate is not finite; nothing is added then.
    pub fn observe(&mut self, counts: ArrayView3<'_, u8>, rates: ArrayView3<'_, f32>) -> Result<(), EdgeScoreError> {
        let trials = self.check(counts, rates)?;
        for first in (0..trials).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(trials);
            let counts: Vec<_> = chunk.clone().map(|t| counts.index_axis_move(Axis(0), t)).collect();
            let rates: Vec<_> = chunk.map(|t| rates.index_axis_move(Axis(0), t)).collect();
            let shared: Vec<_> =
                counts.par_iter().zip(&rates).map(|(y, rate)| self.population.corrected(y.view(), rate.view(), Around::Both)).collect();
            let pad = |y: &ArrayView2<'_, u8>, rate: &ArrayView2<'_, f32>| Slice::from(y.nrows() - rate.nrows()..);
            let shared: Vec<_> =
                shared.iter().zip(counts.iter().zip(&rates)).map(|(s, (y, rate))| s.slice_axis(Axis(0), pad(y, rate))).collect();
            self.history[BETWEEN].observe(&counts, &shared);
            self.history[WITHIN].observe(&counts, &rates);
        }
        Ok(())
    }

    /// Add trials: counts `[trials, pad + bins, units]` and the rates per bin of the model without coupling
    /// `[trials, bins, units]`.
    ///
    /// # Errors
    /// [`EdgeScoreError`] when shapes do not belong together or a rate is not finite; nothing is added then.
    pub fn accumulate(&mut self, counts: ArrayView3<'_, u8>, rates: ArrayView3<'_, f32>) -> Result<(), EdgeScoreError> {
        let trials = self.check(counts, rates)?;
        for first in (0..trials).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(trials);
            let counts: Vec<_> = chunk.clone().map(|t| counts.index_axis_move(Axis(0), t)).collect();
            let rates: Vec<_> = chunk.map(|t| rates.index_axis(Axis(0), t)).collect();
            self.add_chunk(&counts, &rates);
        }
        Ok(())
    }

    fn first_unit(&self, area: usize) -> usize {
        self.population.units(area).start
    }

    fn units(&self) -> usize {
        self.area_sizes.iter().sum()
    }

    /// Number of trials, when shapes belong together and rates are rates.
    fn check(&self, counts: ArrayView3<'_, u8>, rates: ArrayView3<'_, f32>) -> Result<usize, EdgeScoreError> {
        let units: usize = self.area_sizes.iter().sum();
        let ((trials, total, n), (m, bins, k)) = (counts.dim(), rates.dim());
        let fits = trials == m && n == units && k == units && bins <= total;
        if !fits {
            return Err(EdgeScoreError::Shape { counts: counts.dim(), rates: rates.dim(), units });
        }
        match rates.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0)) {
            Some(rate) => Err(EdgeScoreError::Rate { rate: rate.to_string() }),
            None => Ok(trials),
        }
    }

    fn prepare(&self, counts: ArrayView2<'_, u8>, rates_of_model: ArrayView2<'_, f32>) -> Prepared {
        let (total, bins) = (counts.nrows(), rates_of_model.nrows());
        let around = self.population.corrected(counts, rates_of_model, Around::Both);
        let sending = self.population.corrected(counts, rates_of_model, Around::Past);
        let shared = around.slice_axis(Axis(0), Slice::from(total - bins..));
        // Bins whose slow part cannot be told for want of history are left out, but never more than half of the window.
        let skipped = self.fast.nrows().saturating_sub(total - bins).min(bins / 2);
        let mut rates = vec![self.history[BETWEEN].corrected(counts, shared)];
        if self.scoring.self_pairs {
            rates.push(self.history[WITHIN].corrected(counts, rates_of_model));
        }
        let rates: Vec<_> = rates.iter().map(|rates| rates.slice_axis(Axis(0), Slice::from(skipped..)).to_owned()).collect();
        let effects = rates.iter().map(|rates| SpikeEffects::new(counts, rates.view(), &self.fast)).collect();
        let unexpected = counts.mapv(f32::from) - &sending;
        let sent = |function| trial::filtered(unexpected.view(), function, total - bins + skipped);
        let sent = self.fast.axis_iter(Axis(1)).map(sent).collect();
        Prepared { spikes: jitter::spikes(counts), placing: Placing::new(around.view()), sending, rates, effects, sent }
    }

    /// Trials are prepared in parallel; then every copy, and every part of the information, is one task that adds them in order.
    fn add_chunk(&mut self, counts: &[ArrayView2<'_, u8>], rates: &[ArrayView2<'_, f32>]) {
        let Some(total) = counts.first().map(ArrayView2::nrows) else { return };
        let trials: Vec<Prepared> = counts.par_iter().zip(rates).map(|(y, rate)| self.prepare(y.view(), rate.view())).collect();
        let (scoring, seen, population) = (&self.scoring, self.trials_seen, &self.population);
        let units = self.units();
        let area_of: Vec<_> = (0..self.area_sizes.len()).flat_map(|a| vec![population.units(a); self.area_sizes[a]]).collect();
        let receivers = |pairs: usize, area: &Range<usize>| match pairs {
            BETWEEN => [0..area.start, area.end..units],
            _ => [area.clone(), 0..0],
        };
        let copy_of = |copy: usize, place: usize, pairs: usize, moved: &mut Vec<Spike>| {
            let (trial, number) = (&trials[place], (seen + place as u64, copy));
            jitter::copy(&trial.spikes, total, scoring, number, (pairs == BETWEEN).then_some(&trial.placing), moved);
        };
        self.score.par_iter_mut().enumerate().for_each(|(copy, sums)| {
            let mut moved = Vec::new();
            for (place, trial) in trials.iter().enumerate() {
                for (pairs, effects) in trial.effects.iter().enumerate() {
                    copy_of(copy, place, pairs, &mut moved);
                    effects.add_to(&moved, sums, |unit| receivers(pairs, &area_of[unit]));
                }
            }
        });
        self.expected.par_iter_mut().enumerate().for_each(|(area, sums)| {
            for trial in &trials {
                let sending = trial.sending.slice_axis(Axis(1), Slice::from(population.units(area)));
                trial.effects[BETWEEN].add_expected(sending, sums);
            }
        });
        let copies = self.information.iter_mut().enumerate().take(1 + scoring.jitters.min(1));
        let parts: Vec<_> = copies.flat_map(|(copy, sums)| sums.iter_mut().enumerate().map(move |(b, sum)| (copy, b, sum))).collect();
        parts.into_par_iter().for_each(|(copy, function, sum)| {
            let (mut moved, column) = (Vec::new(), self.fast.column(function));
            for (place, trial) in trials.iter().enumerate() {
                for (pairs, rates) in trial.rates.iter().enumerate() {
                    let mut drive = if (copy, pairs) == (0, BETWEEN) {
                        trial.sent[function].clone()
                    } else {
                        copy_of(copy, place, pairs, &mut moved);
                        let mut sent = trial::counted(&moved, trial.sending.dim());
                        if pairs == BETWEEN {
                            sent -= &trial.sending;
                        }
                        trial::filtered(sent.view(), column, total - rates.nrows())
                    };
                    drive.mapv_inplace(|z| z * z);
                    for area in (0..self.area_sizes.len()).map(|area| population.units(area)) {
                        add_products(&drive, rates, &area, receivers(pairs, &area), sum);
                    }
                }
            }
        });
        let residuals: Vec<Array2<f32>> = trials
            .par_iter()
            .zip(counts)
            .map(|(trial, counts)| {
                let rates = &trial.rates[BETWEEN];
                counts.slice_axis(Axis(0), Slice::from(total - rates.nrows()..)).mapv(f32::from) - rates
            })
            .collect();
        self.own.par_iter_mut().enumerate().for_each(|(function, sums)| {
            for (trial, residual) in trials.iter().zip(&residuals) {
                for area in (0..self.area_sizes.len()).map(|area| population.units(area)) {
                    add_products(&trial.sent[function], residual, &area, [area.clone(), 0..0], sums);
                }
            }
        });
        let earlier: Vec<&Vec<Array2<f32>>> = self.recent.iter().chain(trials.iter().map(|trial| &trial.sent)).collect();
        let parts: Vec<_> = self
            .shuffled
            .iter_mut()
            .enumerate()
            .flat_map(|(copy, sums)| sums.iter_mut().enumerate().map(move |(function, sum)| (copy, function, sum)))
            .collect();
        let before = self.recent.len();
        parts.into_par_iter().for_each(|(copy, function, sum)| {
            for (place, residual) in residuals.iter().enumerate() {
                let Some(sent) = (before + place).checked_sub(copy + 1).map(|at| &earlier[at][function]) else { continue };
                if sent.nrows() == residual.nrows() {
                    general_mat_mul(1.0, &sent.t(), residual, 1.0, sum);
                }
            }
        });
        let sent: Vec<_> = trials.par_iter().map(|trial| others::weighted(&trial.sent, trial.rates[BETWEEN].view())).collect();
        self.products.add(&sent);
        self.recent.extend(trials.into_iter().map(|trial| trial.sent));
        self.recent.drain(..self.recent.len().saturating_sub(scoring.shuffles));
        self.trials_seen += counts.len() as u64;
    }
}

/// Add `drive`ᵀ `rates` of some senders and receivers to their part of the sums `[sources, targets]`.
fn add_products(drive: &Array2<f32>, rates: &Array2<f32>, senders: &Range<usize>, receivers: [Range<usize>; 2], sums: &mut Array2<f32>) {
    let drive = drive.slice_axis(Axis(1), Slice::from(senders.clone()));
    for receivers in receivers {
        let rates = rates.slice_axis(Axis(1), Slice::from(receivers.clone()));
        let mut rows = sums.slice_axis_mut(Axis(0), Slice::from(senders.clone()));
        general_mat_mul(1.0, &drive.t(), &rates, 1.0, &mut rows.slice_axis_mut(Axis(1), Slice::from(receivers)));
    }
}

#[cfg(test)]
mod tests;
