//! GLM-Transformer (Xin & Kass 2025, arXiv 2506.02263): a Poisson GLM with low-rank coupling between areas, and a Transformer
//! VAE that takes up each area's own, trial-varying dynamics.
//!
//! For unit n of area j, trial r and bin t:
//!
//! ```text
//! log λ = W_n·(f0 + f_r)(t) + 2 b_n + Σ_i Σ_s v_ns c_s(t) + (g_n * y_n)(t)
//! c_s(t) = Σ_m u_ms Σ_τ≥1 h_s(τ) y_m(t − τ)
//! ```
//!
//! - [`GlmConfig`] shapes; [`GlmNet`] parameters; [`Tables`] constant bases;
//! - `forward` the model in tensors, on any device; `fused` the same loss and gradients on the CPU without large intermediates;
//! - `stages` what trains when.

mod config;
mod display;
mod forward;
mod fused;
mod inputs;
mod loss;
mod net;
mod pass;
mod stages;
mod tables;

pub use super::norm::Norm;
pub use config::{GlmConfig, Terms};
pub use display::{Normalised, normalised};
pub use forward::{Forward, encode};
pub use fused::{FusedBatch, area_inputs, fused_gradients, fused_latents};
pub use inputs::AreaInputs;
pub use loss::{LossTerms, reference_gradients, reference_losses};
pub use net::{Block, Coupling, Decoder, GlmNet};
pub use pass::{Ask, Model};
pub use stages::{Stage, learning_rate};
pub use tables::Tables;
