//! Reasons to believe an edge: tests of every ordered pair of areas of a trained model, by refits of its coupling stage with the own
//! dynamics frozen (our own; the published model gives no test, see `specs/glm_transformer.md` §9).
//!
//! For the pair (i → j), with everything else that reaches j as the *base*:
//!
//! 1. **Held-out gain.** The coupling stage is refitted on training trials with and without the pair, both with the mean dynamics
//!    free to adapt; the difference of the log-likelihoods of every test trial is paired. Its mean has a bootstrap interval, its
//!    p-value comes from random signs.
//! 2. **Nulls.** The pair is refitted on top of the base, from its score, for the data and for copies in which (a) the trials of i are
//!    shuffled within their condition, (b) the spikes of i are jittered within short intervals. (a) keeps what is locked to the trial,
//!    (b) everything slower than the interval, shared or not (Amarasingham, Harrison, Hatsopoulos & Geman 2012). What counts is the
//!    permutation p-value of the gain in likelihood. That of the size of the contribution in percent is kept beside it: where coupling
//!    evens out rates the contribution is negative, and a true edge can be smaller in size than copies that are wrong (in the network of
//!    four areas the edge A → B is smaller than all of its jittered copies, which gain less than it in likelihood). A null that has exceeded the data ten
//!    times is not continued, as no further copy could make it significant (in the spirit of Besag & Clifford 1991).
//! 3. **Bands.** Training trials are drawn with replacement and all couplings onto j refitted; filters and weights, with signs and
//!    scale normalised along the fit, give percentile bands.
//! 4. **Stability.** Seeded halves of the training trials are fitted and tested on the other halves: mean and range of the
//!    contribution, and how often the pair was found. On request whole networks are trained anew from other seeds and tested in the
//!    same way ([`crate::runs::test_edges_and_networks`]), as own dynamics too may come out otherwise.
//!
//! A pair is *supported* when its held-out gain has a q-value (Benjamini & Hochberg over all pairs) of at most 0.05, the data exceed
//! each null with p ≤ 0.05, and at least a tenth of what the pair explains alone is left beside the other areas ([`OWN_SHARE`]). The nulls are conditions that every edge must meet by itself, not corrected for the number of pairs: with
//! 200 copies no p-value is small enough for a correction over 30 pairs, and a further condition only takes edges away.

mod bands;
mod nulls;
mod pair;
mod report;
mod run;
mod words;

pub use report::{Band, Bands, EdgeEvidence, EdgeReport, HeldOut, NullKind, NullTest, OverNetworks, Retrained, Stability, Verdict};
pub use run::run;
pub use words::{caution, sentence};

use serde::{Deserialize, Serialize};

use super::lbfgs::Stop;

/// What is computed, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EdgeTestPlan {
    /// Most manipulated copies per pair and null.
    pub nulls: usize,
    /// Stop a null once so many copies are as large as the data; 0 always draws all.
    pub enough: usize,
    /// Bootstrap resamples of the training trials.
    pub bootstrap: usize,
    /// Halves of the training trials for the stability.
    pub halves: usize,
    /// Width of the jitter intervals, bins; at least the coupling filter's lags are used.
    pub window_bins: usize,
    /// False discovery rate at which an edge is supported.
    pub level: f64,
    /// Most training trials used (spread over the recording); 0 = all.
    pub most_trials: usize,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for EdgeTestPlan {
    fn default() -> Self {
        Self { nulls: 200, enough: 10, bootstrap: 100, halves: 10, window_bins: 25, level: 0.05, most_trials: 0, seed: 1 }
    }
}

/// A pair must keep this share of its held-out gain when the other areas send too. No model of common input is exact, so with enough
/// trials a part of it is left between areas that are not coupled, in proportion to what they share; `docs/validation.md` has the shares
/// of true and false edges.
pub const OWN_SHARE: f64 = 0.1;
/// Random signs behind a held-out p-value.
const SIGN_FLIPS: usize = 9999;
/// Resamples behind the interval of a held-out gain.
const INTERVAL_RESAMPLES: usize = 1000;
/// Probability of intervals and bands.
pub const BAND: f64 = 0.95;

/// A joint fit of all terms onto one area.
const JOINT: Stop = Stop { iterations: 40, least_gain: 0.05 };
/// A refit of one term on top of a base: the data and every copy alike.
const SINGLE: Stop = Stop { iterations: 20, least_gain: 0.1 };

#[cfg(test)]
mod tests;
