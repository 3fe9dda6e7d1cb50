//! The sums of one ordered pair of areas, and the score that they give.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, Array3};

use super::common::Common;
use super::rank_one::{RankOne, Tensor};

/// Score and information of one ordered pair, each `[sources, functions, targets]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PairSums {
    pub(super) score: Array3<f64>,
    pub(super) information: Array3<f64>,
}

impl PairSums {
    /// Z = G / √I; silent units carry no information and no score.
    fn standardised(&self) -> Tensor {
        let z = |at: (usize, usize, usize)| {
            let information = self.information[at];
            if information > 0.0 { self.score[at] / information.sqrt() } else { 0.0 }
        };
        Tensor::new(Array3::from_shape_fn(self.score.dim(), z))
    }

    /// What is looked at for an edge: between areas without what is common to all units of either.
    pub(super) fn tested(&self, between: bool) -> Tensor {
        let z = self.standardised();
        if between { Common::new(&self.information).taken_out(&z) } else { z }
    }

    /// A factor found in [`Self::tested`] between areas, with the part of its weights that is common to all units.
    pub(super) fn completed(&self, found: &RankOne) -> RankOne {
        Common::new(&self.information).completed(&self.standardised(), found)
    }

    /// The coefficients of the coupling filter (basis B) that explain the score along u and v. A coupling `u v · B c` makes
    /// <G_b, u v> = Σ_mn u_m² v_n² R_mn Σ_k B̃_kb (B c)_k, where R sums sending rate times receiving rate, B̃ (`fast`) is B without its
    /// slow part, and I_mnb = R_mn Σ_k B̃_kb² (sending spikes nearly Poisson).
    pub(super) fn filter_coefficients(&self, basis: &Array2<f64>, fast: &Array2<f32>, best: &RankOne) -> Vec<f64> {
        let functions = basis.ncols();
        if functions == 0 {
            return Vec::new();
        }
        let fast_at = |k: usize, b: usize| f64::from(fast[[k, b]]);
        let overlap = DMatrix::from_fn(functions, functions, |b, c| (0..basis.nrows()).map(|k| fast_at(k, b) * basis[[k, c]]).sum::<f64>());
        let energy: Vec<f64> = (0..functions).map(|b| (0..fast.nrows()).map(|k| fast_at(k, b).powi(2)).sum()).collect();
        let (mut gradient, mut rates) = (DVector::<f64>::zeros(functions), 0.0);
        for (m, &u) in best.send.iter().enumerate() {
            for (n, &v) in best.receive.iter().enumerate() {
                for b in 0..functions {
                    gradient[b] += self.score[[m, b, n]] * u * v;
                    rates += self.information[[m, b, n]] * (u * v).powi(2) / (energy[b] * functions as f64);
                }
            }
        }
        let coefficients = overlap.lu().solve(&gradient).filter(|_| rates > 0.0).map(|c| c / rates);
        coefficients.map_or_else(|| vec![0.0; functions], |c| c.iter().copied().collect())
    }
}
