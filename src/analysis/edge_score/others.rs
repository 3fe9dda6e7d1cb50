//! What others explain of a pair. Where A drives B and D, spikes of D tell when B is driven; in a chain A → B → C spikes of A tell when
//! C is; and where A drives B, spikes of B tell what A, whose own past they repeat, is about to do. A pair is therefore scored beside
//! the units of the target itself and of every other area selected for it, as in a partial correlation:
//!
//! ```text
//! C       = Σ_{trials, bins} z zᵀ · mean rate          of all sending units and basis functions, one matrix for all targets
//! G_i | k = G_i − C_ik C_kk⁻¹ G_k                      score of the senders i that a full coupling of the units k leaves
//! I_i | k = I_i · diag(C_ii − C_ik C_kk⁻¹ C_ki) / diag(C_ii)
//! ```
//!
//! This is the efficient score (Neyman 1959) of a Poisson model in which every unit of k may couple to every unit of the target, if
//! rates rise and fall together. Jittered copies have no fine timing that others could explain, and keep the scores they have alone:
//! they count the drive of others as noise, and so err on the safe side.
//!
//! Who is beside whom is found by forward selection (see `select`): all at once would let B, C and D together hide what each of them
//! has of A.

use std::ops::Range;

use nalgebra::DMatrix;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Array3, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::pair::PairSums;

/// Added to the diagonal of C, as a share of it: keeps silent and doubled units from making it singular.
const RIDGE: f64 = 1e-3;
/// Tasks that the sum of a chunk of trials is split into.
const PARTS: usize = 8;

/// Products of what all units send, `[functions · units]` squared, function by function.
pub(super) struct Products {
    sums: Array2<f32>,
    units: usize,
    functions: usize,
}

impl Products {
    /// Sums at zero.
    pub(super) fn new(units: usize, functions: usize) -> Self {
        let size = functions * units;
        Self { sums: Array2::zeros((size, size)), units, functions }
    }

    /// Add trials: what was sent, as [`weighted`] gives it.
    pub(super) fn add(&mut self, trials: &[Array2<f32>]) {
        let rows = self.sums.nrows().div_ceil(PARTS).max(1);
        self.sums.axis_chunks_iter_mut(Axis(0), rows).into_par_iter().enumerate().for_each(|(part, mut sums)| {
            let senders = Slice::from(part * rows..part * rows + sums.nrows());
            for sent in trials {
                general_mat_mul(1.0, &sent.slice_axis(Axis(1), senders).t(), sent, 1.0, &mut sums);
            }
        });
    }

    /// Places of units in the sums, function by function.
    fn places(&self, units: &Range<usize>) -> Vec<usize> {
        (0..self.functions).flat_map(|b| units.clone().map(move |m| b * self.units + m)).collect()
    }

    fn block(&self, rows: &[usize], columns: &[usize]) -> DMatrix<f64> {
        DMatrix::from_fn(rows.len(), columns.len(), |r, c| f64::from(self.sums[[rows[r], columns[c]]]))
    }

    /// What `senders` have beside others: `pair` are their sums alone, `others` the units of every other area with its scores onto the
    /// same target `[sources, functions, targets]`. As alone when the others cannot be told apart.
    pub(super) fn beside(&self, senders: &Range<usize>, pair: PairSums, others: &[(Range<usize>, Array3<f64>)]) -> PairSums {
        let own = self.places(senders);
        let theirs: Vec<usize> = others.iter().flat_map(|(units, _)| self.places(units)).collect();
        let mut among_others = self.block(&theirs, &theirs);
        for k in 0..theirs.len() {
            among_others[(k, k)] = among_others[(k, k)] * (1.0 + RIDGE) + f64::from(f32::MIN_POSITIVE);
        }
        let across = self.block(&theirs, &own);
        let Some(factored) = among_others.cholesky() else { return pair };
        let explained = factored.solve(&across);
        let (sources, _, targets) = pair.score.dim();
        let mut scores_of_others = DMatrix::zeros(theirs.len(), targets);
        let mut first = 0;
        for (units, score) in others {
            for ((m, b, n), g) in score.indexed_iter() {
                scores_of_others[(first + b * units.len() + m, n)] = *g;
            }
            first += self.functions * units.len();
        }
        let taken = explained.tr_mul(&scores_of_others);
        let left = |row: usize| {
            let all = f64::from(self.sums[[own[row], own[row]]]);
            if all > 0.0 { (1.0 - across.column(row).dot(&explained.column(row)) / all).max(0.0) } else { 0.0 }
        };
        let left: Vec<f64> = (0..own.len()).map(left).collect();
        PairSums {
            score: Array3::from_shape_fn(pair.score.dim(), |(m, b, n)| pair.score[[m, b, n]] - taken[(b * sources + m, n)]),
            information: Array3::from_shape_fn(pair.score.dim(), |(m, b, n)| pair.information[[m, b, n]] * left[b * sources + m]),
        }
    }
}

/// What was sent in a trial, one `[bins, units]` per function, side by side; every bin weighted with the square root of the mean over
/// units of the rates `[bins, units]`, so that products are weighted with the mean rate.
pub(super) fn weighted(sent: &[Array2<f32>], rates: ArrayView2<'_, f32>) -> Array2<f32> {
    let (bins, units) = rates.dim();
    let mut all = Array2::zeros((bins, sent.len() * units));
    for (sent, mut columns) in sent.iter().zip(all.axis_chunks_iter_mut(Axis(1), units.max(1))) {
        columns.assign(sent);
    }
    for (mut row, rates) in all.axis_iter_mut(Axis(0)).zip(rates.axis_iter(Axis(0))) {
        let weight = rates.mean().unwrap_or(0.0).max(0.0).sqrt();
        row.mapv_inplace(|x| x * weight);
    }
    all
}

/// Forward selection of what is beside each other: again and again the candidate whose score beside the selected ones exceeds its threshold
/// by the largest factor is selected; then those are let go again that the later ones explain. `excess` gives a candidate's score beside
/// a selection, over its threshold.
pub(super) fn select(candidates: &[usize], excess: impl Fn(usize, &[usize]) -> f64) -> Vec<usize> {
    let mut selected: Vec<usize> = Vec::new();
    let left_out = |selected: &[usize], one: usize| selected.iter().copied().filter(|&s| s != one).collect::<Vec<_>>();
    loop {
        let others = candidates.iter().copied().filter(|c| !selected.contains(c));
        let best = others.map(|c| (excess(c, &selected), c)).max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((excess, candidate)) if excess > 1.0 => selected.push(candidate),
            _ => break,
        }
    }
    loop {
        let worst = selected.iter().map(|&s| (excess(s, &left_out(&selected, s)), s)).min_by(|a, b| a.0.total_cmp(&b.0));
        match worst {
            Some((excess, explained)) if excess <= 1.0 => selected.retain(|&s| s != explained),
            _ => return selected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three senders with one function: the second is the first and some noise of its own, the third has nothing to do with them.
    fn products() -> Products {
        let mut products = Products::new(3, 1);
        let sent = Array2::from_shape_fn((400, 3), |(t, unit)| {
            let noise = |k: usize| ((t * k + 3 * k) % 17) as f32 - 8.0;
            match unit {
                0 => noise(5),
                1 => noise(5) + 0.5 * noise(3),
                _ => noise(7),
            }
        });
        products.add(&[weighted(&[sent], Array2::from_elem((400, 3), 0.25).view())]);
        products
    }

    fn sums(score: f64, information: f64) -> PairSums {
        PairSums { score: Array3::from_elem((1, 1, 1), score), information: Array3::from_elem((1, 1, 1), information) }
    }

    #[test]
    fn what_a_driver_explains_is_taken_out_and_what_is_unrelated_stays() {
        let products = products();
        let c = |m: usize, n: usize| f64::from(products.sums[[m, n]]);
        // Only sender 0 couples, with a weight of 2: every score is what it shares with sender 0.
        let alone = |m: usize| 2.0 * c(m, 0);
        let beside = |m: usize, other: usize| {
            let of_other = (other..other + 1, Array3::from_elem((1, 1, 1), alone(other)));
            products.beside(&(m..m + 1), sums(alone(m), c(m, m)), &[of_other])
        };
        let echo = beside(1, 0);
        assert!(echo.score[[0, 0, 0]].abs() < 0.01 * alone(1).abs(), "{} of {}", echo.score[[0, 0, 0]], alone(1));
        assert!(echo.information[[0, 0, 0]] < 0.5 * c(1, 1));
        let edge = beside(0, 1);
        let left = edge.information[[0, 0, 0]];
        assert!((edge.score[[0, 0, 0]] / left - 2.0).abs() < 0.05, "the weight of the edge stays");
        let unrelated = beside(0, 2);
        assert!((unrelated.information[[0, 0, 0]] / c(0, 0) - 1.0).abs() < 0.05);
        assert!((unrelated.score[[0, 0, 0]] / alone(0) - 1.0).abs() < 0.05);
    }

    #[test]
    fn silent_others_change_nothing() {
        let products = Products::new(2, 1);
        let found = products.beside(&(0..1), sums(3.0, 4.0), &[(1..2, Array3::zeros((1, 1, 1)))]);
        assert_eq!((found.score[[0, 0, 0]], found.information[[0, 0, 0]]), (3.0, 0.0), "a silent sender has no information");
    }

    #[test]
    fn selection_takes_the_strongest_first_and_lets_go_what_later_ones_explain() {
        // 1 is explained by 0; 3 by 4 and 5 together, of which neither is stronger.
        let excess = |candidate: usize, beside: &[usize]| match candidate {
            0 => 5.0,
            1 if beside.contains(&0) => 0.5,
            1 => 4.0,
            3 if beside.contains(&4) && beside.contains(&5) => 0.9,
            3 => 2.0,
            4 | 5 => 1.5,
            _ => 1.0,
        };
        let mut selected = select(&[0, 1, 2, 3, 4, 5], excess);
        selected.sort_unstable();
        assert_eq!(selected, [0, 4, 5]);
        assert!(select(&[], excess).is_empty());
    }
}
