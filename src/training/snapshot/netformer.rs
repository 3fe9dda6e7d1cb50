//! What views draw of a NetFormer.

use std::sync::Arc;

use ndarray::Array2;

use crate::training::NetFormerModel;

/// Agreement of connectivity between different units with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConnectivityScores {
    /// Optimiser steps.
    pub step: u64,
    /// Pearson correlation of entries.
    pub pearson: f32,
    /// Spearman correlation of entries.
    pub spearman: f32,
    /// Probability that a true connection has a larger |entry| than a pair without one; NaN when all or none are connected.
    pub auc: f32,
}

/// State of a NetFormer in training. Matrices are `[receiving, sending]`, units in the order of [`super::Snapshot::units`]; only
/// predicted units have rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetFormerSnapshot {
    /// Mean attention over the validation windows; `[0, 0]` until somebody looked.
    pub attention: Array2<f32>,
    /// Mean attention over the windows that predict the bins of each chosen stretch, in the order of [`super::Snapshot::trials`].
    pub stretches: Vec<Array2<f32>>,
    /// Lag-1 cross-correlation of the training bins: the strong and simple estimate beside.
    pub lag_one: Array2<f32>,
    /// True strengths; `None` when they are not known.
    pub truth: Option<Array2<f32>>,
    /// Agreement of attention with the truth, one entry per validation; empty without truth.
    pub scores: Vec<ConnectivityScores>,
    /// The same of the cross-correlation; its step is 0.
    pub lag_one_scores: Option<ConnectivityScores>,
    /// R² of the predictions of every predicted unit on validation windows; empty until somebody looked.
    pub r2: Vec<f32>,
    /// Share of attention's mean square that does not change over the validation windows, 0 to 1; NaN until somebody looked.
    pub static_share: f32,
    /// The network itself with its data, for what views compute in the background: single entries over time, predictions,
    /// behavioural states. `None` for a run that was read from its folder, whose weights are read when they are needed.
    pub model: Option<Arc<NetFormerModel>>,
}
