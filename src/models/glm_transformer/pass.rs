//! What every pass needs and may be asked for.

use burn::tensor::Tensor;

use super::{GlmConfig, GlmNet, Tables, Terms};

/// Parameters with their shapes and constant bases.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    /// Parameters.
    pub net: &'a GlmNet,
    /// Shapes.
    pub config: &'a GlmConfig,
    /// Constant bases, on the device of `net`.
    pub tables: &'a Tables,
}

/// What a pass is asked for.
#[derive(Clone)]
pub struct Ask {
    /// Terms of the log-rate.
    pub terms: Terms,
    /// Known latent means and log-variances `[M, A, D]` (frozen encoder); `None` runs the encoder.
    pub latent: Option<(Tensor<3>, Tensor<3>)>,
    /// A standard normal draw `[M, A, D]`; `None` takes the latent mean.
    pub noise: Option<Tensor<3>>,
    /// Whether the group penalty on coupling counts.
    pub penalise_coupling: bool,
}
