//! Generators of recordings with a known truth. Each is seeded, gives the same recording whatever the number of threads, and
//! attaches its truth; [`by_name`] is what the command line and the window call.

mod cell_types;
mod chaotic_rnn;
mod continuous;
mod draws;
mod eif;
mod from_rates;
mod gaussian_process;
mod glm;
mod lorenz;
mod mersenne;
mod names;
mod ring;
mod settings;
mod stdp;
mod task_rnn;
mod toy;

pub use cell_types::{CELL_TYPES, CONNECTION_PROBABILITY, CONNECTION_STRENGTH, CellTypeSimulation};
pub use chaotic_rnn::ChaoticRnnSimulation;
pub use eif::{EifEdge, EifSimulation};
pub use glm::{GlmEdge, GlmSimulation};
pub use lorenz::{Integrator, LorenzSimulation};
pub use names::{Listing, by_name, demo, list};
pub use ring::{RingSimulation, SpikingRingSimulation};
pub use stdp::StdpSimulation;
pub use task_rnn::{Task, TaskRnnSimulation};
pub use toy::{ToySimulation, ToySystem};

use crate::recording::RecordingError;

/// Why a simulation cannot be made.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SimulateError {
    /// No simulator of that name.
    #[error("there is no simulator '{name}'; there is: {have}")]
    NoSimulator {
        /// Name asked for.
        name: String,
        /// Names that exist.
        have: String,
    },
    /// The simulator has no such setting.
    #[error("simulator '{simulator}' has no setting '{key}'; it has: {have}")]
    NoKey {
        /// Simulator.
        simulator: String,
        /// Setting asked for.
        key: String,
        /// Settings that exist.
        have: String,
    },
    /// A value that cannot be read.
    #[error("setting '{key}' cannot be '{value}'; it accepts {expected}")]
    BadValue {
        /// Setting.
        key: String,
        /// Value given.
        value: String,
        /// What is accepted.
        expected: String,
    },
    /// A number out of range.
    #[error("{what} is {value}, but it must be {expected}")]
    OutOfRange {
        /// What, in words.
        what: String,
        /// Value given.
        value: String,
        /// What is accepted.
        expected: String,
    },
    /// Coupling feeds on itself.
    #[error(
        "the simulated activity ran away: unit {unit} has more than 255 spikes in one bin of trial {trial}; lower the coupling, the baseline \
         or the number of edges"
    )]
    RunAway {
        /// Unit id.
        unit: usize,
        /// Trial, counted from 0.
        trial: usize,
    },
    /// The parts do not make a recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

#[cfg(test)]
pub(crate) mod reference {
    #![allow(clippy::unwrap_used)]

    use ndarray::{Array, Dimension, IxDyn, OwnedRepr};

    /// An array of `tests/fixtures/simulators_lorenz_chaotic.npz`.
    pub(super) fn array<T: ndarray_npy::ReadableElement, D: Dimension>(key: &str) -> Array<T, D> {
        read("simulators_lorenz_chaotic.npz", key)
    }

    /// An array of `tests/fixtures/simulators_netformer.npz`.
    pub(crate) fn netformer<T: ndarray_npy::ReadableElement, D: Dimension>(key: &str) -> Array<T, D> {
        read("simulators_netformer.npz", key)
    }

    fn read<T: ndarray_npy::ReadableElement, D: Dimension>(file: &str, key: &str) -> Array<T, D> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
        let mut npz = ndarray_npy::NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
        npz.by_name::<OwnedRepr<T>, IxDyn>(&format!("{key}.npy")).unwrap().into_dimensionality().unwrap()
    }
}
