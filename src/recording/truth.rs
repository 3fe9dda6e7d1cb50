//! The truth behind a simulated recording: which areas drive which, and what is needed to compute the true rates again.

use ndarray::{Array2, Array3, Array4};

/// One true coupling between areas, normalised so that sending and receiving weights have unit Euclidean norm.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueEdge {
    /// Sending area (index into `Recording::areas`).
    pub source: usize,
    /// Receiving area.
    pub target: usize,
    /// Sending weight of every unit of the source area, in the order of `Recording::units_of_area`.
    pub send: Vec<f64>,
    /// Receiving weight of every unit of the target area.
    pub receive: Vec<f64>,
    /// Coupling filter; entry k acts at lag k + 1 bins (log-rate per projected spike).
    pub filter: Vec<f64>,
}

/// Everything that determines the true rates of the `glm` simulator given the recorded spikes (spec §5.1).
#[derive(Debug, Clone, PartialEq)]
pub struct GlmTruth {
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Padding bins before each analysed window.
    pub pad_bins: usize,
    /// Analysed bins per trial.
    pub bins: usize,
    /// Seconds from one trial's first (padding) bin to the next trial's.
    pub trial_spacing_s: f64,
    /// Baseline log-rate per bin.
    pub baseline: f64,
    /// Slow trial-varying factors `[trials, areas, factors, pad + bins]`.
    pub factors: Array4<f32>,
    /// Loading of every unit on its area's factors `[units, factors]`.
    pub loadings: Array2<f64>,
    /// Post-spike filter, the same for all units; entry k acts at lag k + 1 bins.
    pub post_spike: Vec<f64>,
}

/// True firing rates of every trial, where a file or a simulator gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueRates {
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Rates `[trials, bins, units]`, spikes per second; trials as in the table `trials`, bins from each trial's start.
    pub values: Array3<f32>,
}

/// Truth of a simulated recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// True area-to-area couplings; pairs not listed have none.
    pub edges: Vec<TrueEdge>,
    /// What is needed to compute the true rates (oracle loss); `None` when only edges are known.
    pub glm: Option<GlmTruth>,
    /// True rates themselves; `None` when they are not given.
    pub rates: Option<TrueRates>,
}
