//! STNDT (Le & Shlizerman 2022, NeurIPS): a Transformer that predicts firing rates of single trials from spike counts, with
//! attention over time and over units; and its base model NDT (Ye & Pandarinath 2021), the temporal branch alone.
//!
//! Counts enter on a grid `[B trials, T bins, N units]` whose held-out units and forward bins are zeros; out come log-rates per
//! bin on the whole grid. The loss scores masked held-in bins, held-out units and forward bins (Poisson), and pulls two
//! augmented views of a trial together (InfoNCE).
//!
//! - [`StndtConfig`] shapes and presets; [`StndtNet`] parameters; [`Tables`] constants;
//! - [`Masking`] corrupts counts; [`Grid`] says what is held out;
//! - `forward` and `loss` the model in tensors, on any device; `fused` the same loss and gradients on the CPU, trial by trial;
//! - [`AdamW`] and [`Schedule`] as published; [`Trainer`] puts them together.

mod adamw;
mod batch;
mod config;
mod forward;
mod fused;
mod loss;
mod masking;
mod net;
mod tables;
mod train;

pub use super::ConfigError;
pub use super::norm::Norm;
pub use adamw::{AdamW, Schedule};
pub use batch::{Batch, Grid};
pub use config::{Contrast, ContrastOn, Embedding, Positions, StndtConfig};
pub use forward::{Dropout, Forward};
pub use fused::{Host, fused_gradients, fused_log_rates};
pub use loss::{LossTerms, reference_gradients, reference_losses};
pub use masking::{MaskMode, Masking, Moment};
pub use net::{Layer, Space, StndtNet};
pub use tables::Tables;
pub use train::{Clock, TrainOptions, Trainer};
