//! The coupling stage of a GLM-Transformer by itself, small enough to be fitted hundreds of times (our own; the model is that of
//! Xin & Kass 2025, arXiv 2506.02263, §2 of our specification).
//!
//! Once a network is trained, its own dynamics and post-spike filters are numbers: an offset o of the log-rate. What is left is a
//! Poisson regression of the counts y of one receiving area on the filtered spikes of the sending ones, of low rank. For unit n of
//! the receiving area, trial r and bin t, with one term per ordered pair and factor:
//!
//! ```text
//! η_n(r, t) = o_n(r, t) + g_n(t) + Σ_terms v_n f(r, t)
//! f(r, t)   = Σ_τ≥1 h(τ) q(r, t − τ),   q = Σ_m u_m y_m,   h = B c
//! loss      = Σ w_r [exp η − y η] + ½ ρ (|u|² + |c|² + |v|² + |a|²),   g_n = Σ_k S_k a_kn
//! ∂/∂v_n    = Σ f e_n,   e = w (exp η − y);   d = Σ_n v_n e_n
//! ∂/∂c_b    = Σ_τ B_b(τ) Σ d(t) q(t − τ);   ∂/∂u_m = Σ_spikes of m Σ_τ h(τ) d(t + τ);   ∂/∂a_kn = Σ_t S_k(t) Σ_r e_n
//! ```
//!
//! The likelihood is a sum over receiving areas, so every area is fitted by itself. g lets the mean dynamics of the receiving units
//! adapt when a term is taken out or changed (S is the model's spline basis): a pair is then not credited with a mean that the own
//! dynamics could have carried. ρ = 1 is a standard normal prior on every coefficient, negligible against real data, and fixes the
//! scale that u, v and c can trade.

mod evaluate;
mod spikes;
mod start;
mod target;

use ndarray::{Array2, Array3};

pub use spikes::{Manipulation, SourceSpikes};
pub use start::Starts;
pub use target::{Fit, TargetData};

/// Weight of the prior, nats per unit of squared coefficient (twice).
pub(crate) const PRIOR: f64 = 1.0;

/// One coupling factor of one ordered pair of areas.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Sending area.
    pub source: usize,
    /// Sending weights u, one per unit of the source area.
    pub send: Vec<f64>,
    /// Filter coefficients c, one per basis function.
    pub coef: Vec<f64>,
    /// Receiving weights v, one per unit of the target area.
    pub receive: Vec<f64>,
}

impl Term {
    /// Unit sending and receiving weights, all scale in the filter; their signs are those that point along `reference`, or without one
    /// towards a positive mean. The function of the model is unchanged.
    pub fn normalised(&self, reference: Option<&Term>) -> Self {
        let mut out = self.clone();
        for (weights, along) in [(&mut out.send, reference.map(|r| &r.send)), (&mut out.receive, reference.map(|r| &r.receive))] {
            let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
            let direction: f64 = match along {
                Some(along) => weights.iter().zip(along).map(|(a, b)| a * b).sum(),
                None => weights.iter().sum(),
            };
            let scale = if direction < 0.0 { -norm } else { norm };
            if norm > 0.0 {
                weights.iter_mut().for_each(|w| *w /= scale);
            }
            out.coef.iter_mut().for_each(|c| *c *= scale);
        }
        out
    }

    /// The filter, entry k at a lag of k + 1 bins, of coefficients on `basis` `[lags, functions]`.
    pub fn filter(&self, basis: &Array2<f64>) -> Vec<f64> {
        crate::analysis::bases::filter(basis, &self.coef)
    }
}

/// What a trained model keeps fixed, and the data it was trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenModel {
    /// Names of the areas.
    pub areas: Vec<String>,
    /// Units per area; units of an area are next to each other.
    pub area_sizes: Vec<usize>,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Counts `[trials, pad + bins, units]`.
    pub counts: Array3<u8>,
    /// Log-rate per bin of the own dynamics `[trials, bins, units]`, without coupling and post-spike term.
    pub own: Array3<f32>,
    /// Post-spike filters `[lags, units]`, row k at a lag of k + 1 bins; no rows when the model has none.
    pub post_spike: Array2<f32>,
    /// Basis of the coupling filter `[lags, functions]`, row k at a lag of k + 1 bins.
    pub basis: Array2<f64>,
    /// Splines of the model's own dynamics (a constant is added).
    pub splines: usize,
    /// Fitted coupling: receiving area and term.
    pub couplings: Vec<(usize, Term)>,
    /// Condition of every trial, as a number.
    pub conditions: Vec<usize>,
    /// Training trials.
    pub train: Vec<usize>,
    /// Trials that were never looked at while training.
    pub test: Vec<usize>,
    /// What to be careful about in how the model was trained, in words.
    pub notes: Vec<String>,
}

impl FrozenModel {
    /// Analysed bins per trial.
    pub fn bins(&self) -> usize {
        self.own.dim().1
    }

    /// Columns of an area.
    pub fn columns(&self, area: usize) -> std::ops::Range<usize> {
        let start: usize = self.area_sizes.iter().take(area).sum();
        start..start + self.area_sizes.get(area).copied().unwrap_or(0)
    }

    /// Terms onto `target`.
    pub fn terms(&self, target: usize) -> Vec<Term> {
        self.couplings.iter().filter(|(to, _)| *to == target).map(|(_, term)| term.clone()).collect()
    }

    /// True when the run fitted coupling for this ordered pair.
    pub fn is_fitted(&self, source: usize, target: usize) -> bool {
        self.couplings.iter().any(|(to, term)| *to == target && term.source == source)
    }
}

#[cfg(test)]
pub(crate) mod tests;
