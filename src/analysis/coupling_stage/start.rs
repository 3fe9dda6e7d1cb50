//! Where the fit of one more term begins: the best coupling of rank 1 by its score, for the data and for any number of manipulated
//! copies of the source's spikes at once. Data and copies begin in the same way, so that they can be compared.

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use super::target::{CHUNK, TargetData};
use super::{SourceSpikes, Term};
use crate::analysis::edge_score::rank_one::Tensor;
use crate::analysis::edge_score::trial::{SpikeEffects, fast_part};
use crate::models::kernels::exp;

/// Scores of terms onto one receiving area, with its slow drive taken out as in [`crate::analysis::edge_score`].
pub struct Starts<'a> {
    data: &'a TargetData,
    /// The basis without its slow part `[lags, functions]`.
    fast: Array2<f32>,
    /// Mean rate per bin of the receiving units.
    rates: Vec<f64>,
    source: usize,
    same_area: bool,
}

impl<'a> Starts<'a> {
    /// For terms from `source` onto the area of `data`, given its offset. `window_bins` is that of the edge score; `same_area` leaves
    /// out the coupling of a unit onto itself.
    pub fn new(data: &'a TargetData, source: usize, window_bins: usize, same_area: bool) -> Self {
        let cells = (data.trials() * data.offset.len_of(Axis(1))).max(1) as f64;
        let rates = data.offset.axis_iter(Axis(2)).map(|eta| eta.iter().map(|&x| f64::from(exp(x))).sum::<f64>() / cells).collect();
        Self { data, fast: fast_part(&data.basis, window_bins).mapv(|x| x as f32), rates, source, same_area }
    }

    /// One term per copy of the source's spikes; sending and receiving weights have unit length. A copy without any information
    /// gives a term of zeros.
    pub fn terms(&self, copies: &[&SourceSpikes]) -> Vec<Term> {
        let (units, functions) = (self.data.units(), self.fast.ncols());
        let shape = |copy: &&SourceSpikes| Array3::<f32>::zeros((copy.units, functions, units));
        let mut sums: Vec<Array3<f32>> = copies.iter().map(shape).collect();
        for first in (0..self.data.trials()).step_by(CHUNK) {
            let trials: Vec<usize> = (first..(first + CHUNK).min(self.data.trials())).collect();
            let effects: Vec<SpikeEffects> = trials.par_iter().map(|&trial| self.effects(trial)).collect();
            sums.par_iter_mut().zip(copies).for_each(|(sum, copy)| {
                for (effects, &trial) in effects.iter().zip(&trials) {
                    effects.add(copy.trials.get(trial).map_or(&[], Vec::as_slice), sum);
                }
            });
        }
        sums.into_par_iter().zip(copies).map(|(sum, copy)| self.term(&sum, copy)).collect()
    }

    fn effects(&self, trial: usize) -> SpikeEffects {
        let counts = self.data.counts.index_axis(Axis(0), trial);
        let rates = self.data.offset.index_axis(Axis(0), trial).mapv(exp);
        // The padding holds no residual: its counts are never looked at.
        let mut padded = Array2::<u8>::zeros((self.data.pad + counts.nrows(), counts.ncols()));
        padded.slice_axis_mut(Axis(0), (self.data.pad..).into()).assign(&counts);
        SpikeEffects::new(padded.view(), rates.view(), &self.fast)
    }

    /// The largest <Z, u ⊗ h ⊗ v>, and how large a coupling it stands for.
    fn term(&self, score: &Array3<f32>, copy: &SourceSpikes) -> Term {
        let energy: Vec<f64> = self.fast.columns().into_iter().map(|c| c.iter().map(|&x| f64::from(x).powi(2)).sum()).collect();
        let sent = copy.counts();
        let information = |m: usize, b: usize, n: usize| {
            let of = |list: &[f64], k: usize| list.get(k).copied().unwrap_or(0.0);
            of(&sent, m) * of(&energy, b) * of(&self.rates, n)
        };
        let standardised = Array3::from_shape_fn(score.dim(), |(m, b, n)| {
            let information = information(m, b, n);
            let left_out = self.same_area && m == n;
            if information > 0.0 && !left_out { f64::from(score[[m, b, n]]) / information.sqrt() } else { 0.0 }
        });
        let best = Tensor::new(standardised).rank_one();
        let (mut along, mut weight) = (0.0, 0.0);
        for ((m, b, n), g) in score.indexed_iter().filter(|((m, _, n), _)| !(self.same_area && m == n)) {
            let shape = best.send[m] * best.filter[b] * best.receive[n];
            along += f64::from(*g) * shape;
            weight += information(m, b, n) * shape * shape;
        }
        let scale = if weight > 0.0 { along / weight } else { 0.0 };
        // Equal lengths make the search well scaled; the product is what counts.
        let coef = best.filter.iter().map(|h| scale * h).collect();
        Term { source: self.source, send: best.send, coef, receive: best.receive }
    }
}
