//! NetFormer (Lu et al. 2025, ICLR): time-varying directed connectivity from activity. One attention layer without softmax and
//! without value matrix predicts the next bin of every unit from a window of its own and the others' history; the attention
//! matrix A_t `[queries, tokens]` (row = receiving unit, column = sending unit) is the estimate.
//!
//! With z = LN1(history | identity) `[tokens, H + E]` and v its history columns: A = scale · act(z W_Qᵀ W_K zᵀ),
//! prediction = last column of LN2(A v + v).
//!
//! - [`NetFormerConfig`] the general form; [`Experiment`] the published variants and ours, with how to train them;
//! - [`Data`] an activity matrix `[bins, tokens]` into which windows are indices: no window is ever copied out of it;
//! - [`Form`] three ways to compute A v, with equal results, chosen by cost; without activation none but the one for few units
//!   forms A;
//! - `forward` and `loss` the model in tensors, on any device; `fused` the same loss and gradients on the CPU, window by window;
//! - [`Host`] predictions, A of a window, mean A, single entries over time; [`Rate`] learning rates; [`Trainer`] all together.

mod attention;
mod backward;
mod config;
mod cost;
mod counts;
mod data;
mod experiments;
mod folded;
mod forward;
mod fused;
mod loss;
mod net;
mod rate;
mod sample;
mod train;

pub use config::{Activation, Constraint, Loss, NetFormerConfig};
pub use cost::Form;
pub use data::{Data, Standardisation, window_starts};
pub use experiments::Experiment;
pub use forward::Forward;
pub use fused::{Host, fused_gradients};
pub use loss::{LossTerms, reference_gradients, reference_losses};
pub use net::NetFormerNet;
pub use rate::{Rate, Schedule};
pub use train::{Order, TrainOptions, Trainer};
