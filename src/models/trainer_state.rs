//! Everything that the next steps of a trainer depend on, on the host. A trainer that is given it back goes on bit for bit as if
//! it had never stopped: what is drawn at random depends on the seed and the number of the step or epoch alone.

use super::adam::OptimiserState;
use super::params::Values;

/// A trainer between two steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainerState {
    /// Every parameter, by name.
    pub weights: Values,
    /// Moments of the optimiser.
    pub optimiser: OptimiserState,
    /// Steps taken.
    pub steps: u64,
    /// What learning rates are multiplied with: 1, or less after the loss was no finite number.
    pub rate_factor: f64,
    /// What the learning-rate schedule remembers; empty where it only counts.
    pub schedule: Vec<f64>,
}
