//! Layer normalisation (Ba et al. 2016) as a module with plain names.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::init::Init;

/// Layer normalisation.
#[derive(Module, Debug)]
pub struct Norm {
    /// Scale `[d]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift `[d]`.
    pub beta: Param<Tensor<1>>,
}

impl Norm {
    /// That changes neither scale nor mean.
    pub(super) fn new(init: &Init<'_>, width: usize) -> Self {
        Self { gamma: init.full(1.0, [width]), beta: init.full(0.0, [width]) }
    }

    /// Over the last dimension.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let centred = x.clone() - x.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        centred / variance.add_scalar(1e-5).sqrt() * self.gamma.val().unsqueeze() + self.beta.val().unsqueeze()
    }
}
