//! The models as burn modules: configuration, initial weights, forward pass, loss, and what is frozen when. They see tensors
//! and plain arrays only: no threads of their own, no files, no clocks.

pub mod adam;
pub mod glm_transformer;
mod host;
pub mod import;
pub mod init;
pub mod kernels;
pub mod netformer;
pub mod norm;
pub mod params;
pub mod stndt;

pub use crate::analysis::bases;

/// Why a network cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {value}, but it must be {expected}")]
pub struct ConfigError {
    /// What, in words.
    pub what: String,
    /// Value given.
    pub value: String,
    /// What is accepted, and what to do.
    pub expected: String,
}

/// A device that could not be read: lost, out of memory, or a kernel that failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[error("the training device failed: {0}")]
pub struct DeviceFailed(pub String);

impl From<burn::tensor::ExecutionError> for DeviceFailed {
    fn from(error: burn::tensor::ExecutionError) -> Self {
        Self(error.to_string())
    }
}

impl From<burn::tensor::TensorReadError> for DeviceFailed {
    fn from(error: burn::tensor::TensorReadError) -> Self {
        Self(error.to_string())
    }
}
