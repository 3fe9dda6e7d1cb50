//! What the tests found, as it is shown and as it is kept with the run.

use serde::{Deserialize, Serialize};

use super::{EdgeTestPlan, OWN_SHARE, words};
use crate::analysis::goodness::Goodness;
use crate::analysis::multiple::benjamini_hochberg;

/// What was done to the source's spikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullKind {
    /// Trials shuffled within their condition.
    Shuffle,
    /// Interval jitter.
    Jitter,
}

impl NullKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Shuffle, Self::Jitter];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shuffle => "trials shuffled",
            Self::Jitter => "spikes jittered",
        }
    }
}

/// Gain of the held-out log-likelihood by one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Difference of every test trial, nats.
    pub per_trial: Vec<f64>,
    /// Mean, nats per trial.
    pub mean: f64,
    /// Bootstrap interval of the mean (95 %).
    pub interval: (f64, f64),
    /// One-sided, by random signs.
    pub p: f64,
    /// Over all pairs.
    pub q: f64,
    /// Mean gain of the pair when no other area may send, nats per trial; `None` when no other area does.
    #[serde(default)]
    pub alone: Option<f64>,
}

impl HeldOut {
    /// Share of what the pair explains alone that is left beside the other areas, 0 to 1 (or above, where areas hide each other).
    /// `None` when no other area sends, or the pair explains nothing alone.
    pub fn own_share(&self) -> Option<f64> {
        self.alone.filter(|alone| *alone > 0.0).map(|alone| self.mean / alone)
    }
}

/// One null of one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NullTest {
    /// How it was made.
    pub kind: NullKind,
    /// Contribution of every copy, percent.
    pub contributions: Vec<f64>,
    /// Gain in log-likelihood of the training trials by every copy, nats.
    pub gains: Vec<f64>,
    /// Permutation p-value of the size of the contribution.
    pub p: f64,
    /// Permutation p-value of the gain.
    pub p_gain: f64,
    /// It was ended early: enough copies were as large as the data.
    pub stopped: bool,
}

impl NullTest {
    /// Copies whose gain is smaller than `observed`, nats.
    pub fn exceeded(&self, observed: f64) -> usize {
        self.gains.iter().filter(|gain| **gain < observed).count()
    }
}

/// Percentiles over resamples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// 2.5 %.
    pub low: Vec<f64>,
    /// Fit to all training trials.
    pub fit: Vec<f64>,
    /// 97.5 %.
    pub high: Vec<f64>,
}

/// Bands of one factor of one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bands {
    /// Filter, entry k at a lag of k + 1 bins, change of log-rate.
    pub filter: Band,
    /// Sending weights, unit length.
    pub send: Band,
    /// Receiving weights, unit length.
    pub receive: Band,
    /// Coupling output over the trial, mean over test trials and the ten best receivers, log-rate per bin.
    pub course: Band,
    /// Resamples.
    pub resamples: usize,
}

/// Fits of halves of the training trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// Seed of every half.
    pub seeds: Vec<u64>,
    /// Contribution in every half, percent.
    pub contributions: Vec<f64>,
    /// Whether the other half confirmed it (mean gain above 1.645 standard errors).
    pub found: Vec<bool>,
}

impl Stability {
    /// Mean and range of the contribution, percent.
    pub fn summary(&self) -> (f64, f64, f64) {
        mean_and_range(&self.contributions)
    }

    /// How often it was found.
    pub fn count(&self) -> usize {
        self.found.iter().filter(|f| **f).count()
    }
}

/// What a network of the same recipe that was trained from another seed says of one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retrained {
    /// Seed of its training and of its tests.
    pub seed: u64,
    /// Contribution on test trials, percent.
    pub contribution_percent: f64,
    /// Held-out gain, nats per trial.
    pub held_out_gain: f64,
    /// Its own tests support the pair.
    pub supported: bool,
    /// Halves of its training trials, when they were asked for.
    pub halves: Option<Stability>,
}

/// One pair over all networks that were trained anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverNetworks {
    /// Networks.
    pub networks: usize,
    /// Networks whose tests support the pair.
    pub supported: usize,
    /// Mean, smallest and largest contribution on test trials, percent.
    pub contribution: (f64, f64, f64),
    /// Halves of training trials in which the pair was found, and all of them, over the networks.
    pub halves: (usize, usize),
    /// Mean, smallest and largest contribution over these halves, percent; `None` without halves.
    pub contribution_in_halves: Option<(f64, f64, f64)>,
}

/// Mean, smallest and largest.
fn mean_and_range(values: &[f64]) -> (f64, f64, f64) {
    let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &c| (a.min(c), b.max(c)));
    (values.iter().sum::<f64>() / values.len().max(1) as f64, ends.0, ends.1)
}

/// Everything known of one ordered pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeEvidence {
    /// Sending area.
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// The run fitted it: its score passed its nulls before the coupling stage, and the penalty did not let it go.
    pub fitted: bool,
    /// Contribution of the refitted pair on test trials, percent of the receiving units' rate variance.
    pub contribution_percent: f64,
    /// The same on training trials, refitted on top of the base: what the nulls are compared with.
    pub train_contribution_percent: f64,
    /// Gain in log-likelihood of the training trials, nats.
    pub train_gain: f64,
    /// Mean coupling output to the ten best receivers on test trials, log-rate.
    pub mean_output: f64,
    /// Refitted filter of the first factor, entry k at a lag of k + 1 bins, change of log-rate.
    pub filter: Vec<f64>,
    /// Sending weights, unit length.
    pub send: Vec<f64>,
    /// Receiving weights, unit length.
    pub receive: Vec<f64>,
    /// Coupling output over the trial, mean over test trials and the ten best receivers, log-rate.
    pub course: Vec<f64>,
    /// Held-out gain.
    pub held_out: HeldOut,
    /// Nulls that were drawn.
    pub nulls: Vec<NullTest>,
    /// Bands; only pairs that the run fitted have them.
    pub bands: Option<Bands>,
    /// Stability.
    pub stability: Option<Stability>,
    /// Networks that were trained anew from other seeds.
    #[serde(default)]
    pub networks: Vec<Retrained>,
    /// What to be careful about, in words.
    pub warnings: Vec<String>,
}

/// What the tests say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Held-out gain and every null say so.
    Supported,
    /// Some are, some are not.
    Mixed,
    /// None is.
    NotSupported,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Mixed => "not settled",
            Self::NotSupported => "not supported",
        }
    }
}

impl EdgeEvidence {
    /// q-value of the held-out gain.
    pub fn q(&self) -> f64 {
        self.held_out.q
    }

    /// At a false discovery rate of `level`: the held-out gain after correction, the gain in every null by itself, the score before the
    /// coupling stage, which alone knows what the other units of an area do, and a gain that the other areas do not take over
    /// ([`OWN_SHARE`]). Without nulls nothing is supported, since slow drive that the areas share was not ruled out.
    pub fn verdict(&self, level: f64) -> Verdict {
        let all = std::iter::once(self.held_out.q).chain(self.nulls.iter().map(|n| n.p_gain));
        let passed = all.clone().filter(|p| *p <= level).count();
        match (passed, all.count()) {
            (0, _) => Verdict::NotSupported,
            (a, b) if a == b && !self.nulls.is_empty() && self.fitted && !self.explained_by_others() => Verdict::Supported,
            _ => Verdict::Mixed,
        }
    }

    /// Nearly all of what the pair explains alone is explained by other areas as well, as behind common input or a chain of areas.
    pub fn explained_by_others(&self) -> bool {
        self.held_out.own_share().is_some_and(|share| share < OWN_SHARE)
    }

    /// Over the networks that were trained anew; `None` when there are none.
    pub fn over_networks(&self) -> Option<OverNetworks> {
        let halves: Vec<&Stability> = self.networks.iter().filter_map(|n| n.halves.as_ref()).collect();
        let in_halves: Vec<f64> = halves.iter().flat_map(|s| &s.contributions).copied().collect();
        let of_networks: Vec<f64> = self.networks.iter().map(|n| n.contribution_percent).collect();
        (!self.networks.is_empty()).then(|| OverNetworks {
            networks: self.networks.len(),
            supported: self.networks.iter().filter(|n| n.supported).count(),
            contribution: mean_and_range(&of_networks),
            halves: (halves.iter().map(|s| s.count()).sum(), in_halves.len()),
            contribution_in_halves: (!in_halves.is_empty()).then(|| mean_and_range(&in_halves)),
        })
    }

    /// Lag of the filter's largest deflection in bins (from 1) and its value.
    pub fn peak(&self) -> Option<(usize, f64)> {
        let largest =
            self.filter.iter().enumerate().filter(|(_, h)| h.is_finite() && **h != 0.0).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        largest.map(|(k, h)| (k + 1, *h))
    }
}

/// All pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// What was asked for.
    pub plan: EdgeTestPlan,
    /// Names of the areas.
    pub areas: Vec<String>,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Training and test trials that were used.
    pub trials: (usize, usize),
    /// Width of the jitter intervals, seconds.
    pub window_s: f64,
    /// Pairs that were tested so far, target by target.
    pub edges: Vec<EdgeEvidence>,
    /// Ordered pairs in all.
    pub pairs: usize,
    /// All of the plan was done; else it was cancelled, or goes on.
    pub complete: bool,
    /// How well the model describes the spikes; `None` until it was computed.
    pub goodness: Option<Goodness>,
    /// What to be careful about in the whole run, in words.
    pub warnings: Vec<String>,
}

impl EdgeReport {
    /// Evidence of an ordered pair.
    pub fn edge(&self, source: usize, target: usize) -> Option<&EdgeEvidence> {
        self.edges.iter().find(|e| (e.source, e.target) == (source, target))
    }

    /// Name of an area.
    pub fn area(&self, area: usize) -> &str {
        self.areas.get(area).map_or("", String::as_str)
    }

    /// Sentence about one pair that can be put into a paper.
    pub fn sentence(&self, edge: &EdgeEvidence) -> String {
        words::sentence(self, edge)
    }

    /// Take over what a network that was trained anew from `seed` says.
    pub fn add_network(&mut self, seed: u64, other: &EdgeReport) {
        for edge in &mut self.edges {
            if let Some(theirs) = other.edge(edge.source, edge.target) {
                edge.networks.retain(|n| n.seed != seed);
                edge.networks.push(Retrained {
                    seed,
                    contribution_percent: theirs.contribution_percent,
                    held_out_gain: theirs.held_out.mean,
                    supported: theirs.verdict(other.plan.level) == Verdict::Supported,
                    halves: theirs.stability.clone(),
                });
            }
        }
    }

    /// Whether a network of this seed is there for every pair.
    pub fn has_network(&self, seed: u64) -> bool {
        !self.edges.is_empty() && self.edges.iter().all(|e| e.networks.iter().any(|n| n.seed == seed))
    }

    /// q-values over the pairs that are there.
    pub(super) fn correct(&mut self) {
        let q = benjamini_hochberg(&self.edges.iter().map(|e| e.held_out.p).collect::<Vec<_>>());
        self.edges.iter_mut().zip(q).for_each(|(e, q)| e.held_out.q = q);
    }
}
