//! What views draw of a spatiotemporal Transformer (STNDT or NDT).

use ndarray::Array2;

/// Attention of one layer. Row `i`, column `j`: how much `i` draws on `j`; rows sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerAttention {
    /// Between units, mean over heads `[units, units]`; `[0, 0]` without spatial branch (NDT).
    pub space: Array2<f32>,
    /// Between bins, mean over heads `[bins, bins]`.
    pub time: Array2<f32>,
}

/// How much a layer's other units draw on each unit, over trials (Le & Shlizerman 2022, Fig. 4).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Importance {
    /// Mean over trials and rows of the attention to each unit `[units]`; 1 / units when all count the same.
    pub mean: Vec<f32>,
    /// Standard deviation over trials of the mean over rows `[units]`.
    pub sd: Vec<f32>,
    /// Mean rank correlation (Spearman) of the units' order between pairs of trials; NaN with fewer than two trials.
    pub consistency: f32,
}

/// Scores on the validation trials after some steps; a score that cannot be computed is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateScores {
    /// Optimiser steps.
    pub step: u64,
    /// Bits per spike of held-out units over the observed bins.
    pub co_bps: f32,
    /// Bits per spike of all units over the forward bins.
    pub fp_bps: f32,
    /// R² of the true rates, mean over units; only for simulations.
    pub rate_r2: f32,
}

/// Trials as curves through the three directions of largest variance of the last layer's output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trajectories {
    /// Indices into the trials used.
    pub trials: Vec<usize>,
    /// Coordinates `[trials][bins]`.
    pub points: Vec<Vec<[f32; 3]>>,
    /// Share of the variance that each direction explains.
    pub explained: [f32; 3],
}

/// State of an STNDT or NDT in training. Units are in the order of [`super::Snapshot::units`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StndtSnapshot {
    /// Units whose spikes the network never sees `[units]`.
    pub held_out: Vec<bool>,
    /// Bins that the network sees; the ones after them are predicted forward.
    pub observed_bins: usize,
    /// Earlier and later bins that a bin attends to; `None` for all.
    pub context: (Option<usize>, Option<usize>),
    /// One entry per validation.
    pub scores: Vec<RateScores>,
    /// The same scores of rates that are not learned; their step is 0.
    pub smoothing: Option<RateScores>,
    /// The same scores of the true rates.
    pub oracle: Option<RateScores>,
    /// How well the spikes of every unit are predicted, see [`super::Snapshot::unit_fit`]; empty before the first validation.
    pub unit_bits: Vec<Option<f32>>,
    /// Attention per layer, mean over some validation trials; empty until somebody looked.
    pub attention: Vec<LayerAttention>,
    /// Importance of units per layer; empty without spatial branch.
    pub importance: Vec<Importance>,
    /// Attention of the chosen trials `[trial][layer]`, in the order of [`super::Snapshot::trials`].
    pub trials: Vec<Vec<LayerAttention>>,
    /// Some validation trials as curves.
    pub trajectories: Trajectories,
}
