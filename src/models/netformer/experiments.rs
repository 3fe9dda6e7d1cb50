//! The published experiments, as network shapes and training options (spec §2.2, §3), and our choices for spike recordings.

use super::{Loss, NetFormerConfig, Order, Schedule, TrainOptions};

/// A published variant, or one of ours, by the experiment it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Experiment {
    /// Toy system of 5 nodes: linear, fixed connectivity.
    LinearStatic,
    /// Toy system: tanh, fixed connectivity.
    TanhStatic,
    /// Toy system: linear, connectivity that follows the state.
    LinearNonstationary,
    /// Toy system: tanh, connectivity that follows the state.
    TanhNonstationary,
    /// Membrane potential under 100 plastic synapses; only the first token is predicted.
    Stdp,
    /// Task RNN: perceptual decision making.
    PerceptualDecision,
    /// Task RNN: go/no-go.
    GoNogo,
    /// Task RNN: delayed comparison.
    DelayedComparison,
    /// Simulated network of cell types.
    CellTypes,
    /// Ring, continuous activity.
    RingContinuous,
    /// Ring, spikes.
    RingSpiking,
    /// Mouse V1 recordings.
    MouseV1,
    /// Ours: raw spike counts, log-rates, no normalisation of outputs that have no bound.
    Counts,
}

impl Experiment {
    /// All, in the order of the paper.
    pub const ALL: [Self; 13] = [
        Self::LinearStatic,
        Self::TanhStatic,
        Self::LinearNonstationary,
        Self::TanhNonstationary,
        Self::Stdp,
        Self::PerceptualDecision,
        Self::GoNogo,
        Self::DelayedComparison,
        Self::CellTypes,
        Self::RingContinuous,
        Self::RingSpiking,
        Self::MouseV1,
        Self::Counts,
    ];

    /// Name for the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinearStatic => "Toy, linear, static",
            Self::TanhStatic => "Toy, tanh, static",
            Self::LinearNonstationary => "Toy, linear, nonstationary",
            Self::TanhNonstationary => "Toy, tanh, nonstationary",
            Self::Stdp => "Plastic synapses (STDP)",
            Self::PerceptualDecision => "Task RNN, perceptual decision",
            Self::GoNogo => "Task RNN, go/no-go",
            Self::DelayedComparison => "Task RNN, delayed comparison",
            Self::CellTypes => "Network of cell types",
            Self::RingContinuous => "Ring, continuous",
            Self::RingSpiking => "Ring, spiking",
            Self::MouseV1 => "Mouse V1 recording",
            Self::Counts => "Spike counts",
        }
    }

    /// Network for `tokens` units and external inputs of which the first `queries` are units that are predicted.
    pub fn config(self, tokens: usize, queries: usize) -> NetFormerConfig {
        let general = |history, identity| NetFormerConfig { queries, ..NetFormerConfig::new(tokens, history, identity) };
        // Outside the package model, queries and keys are as wide as there are tokens.
        let narrow = |history, identity| NetFormerConfig { key_width: tokens, ..general(history, identity) };
        match self {
            Self::LinearStatic | Self::TanhStatic | Self::LinearNonstationary | Self::TanhNonstationary => {
                NetFormerConfig { layer_norm: false, scale: false, ..narrow(1, 5) }
            }
            Self::Stdp => NetFormerConfig { queries: 1, ..narrow(5, tokens) },
            Self::PerceptualDecision | Self::DelayedComparison => narrow(5, tokens),
            Self::GoNogo => NetFormerConfig { layer_norm: false, ..narrow(1, tokens) },
            Self::CellTypes => general(99, 200),
            Self::RingContinuous => general(49, 100),
            Self::RingSpiking => NetFormerConfig { layer_norm: false, loss: Loss::Poisson, ..narrow(1, 100) },
            Self::MouseV1 => general(59, 30),
            // A count is no log-rate: it is not added to one.
            Self::Counts => NetFormerConfig { layer_norm: false, loss: Loss::Poisson, residual: false, offset: true, ..general(10, 30) },
        }
    }

    /// How it is trained.
    pub fn options(self) -> TrainOptions {
        let decay = |factor| Schedule::Decay { epochs: 100, factor };
        let plateau = |patience| Schedule::Plateau { factor: 0.1, patience, threshold: 1e-4 };
        let (batch, rate, schedule) = match self {
            Self::LinearStatic => (80, 0.01, Schedule::Constant),
            Self::TanhStatic | Self::TanhNonstationary => (80, 0.01, decay(0.9)),
            Self::LinearNonstationary => (80, 0.01, decay(0.8)),
            Self::Stdp | Self::DelayedComparison => (64, 0.005, Schedule::Constant),
            Self::PerceptualDecision => (64, 0.0025, Schedule::Constant),
            Self::GoNogo => (64, 0.01, Schedule::Constant),
            Self::CellTypes => (32, 1e-3, Schedule::Cycle { steps: 2000 }),
            Self::RingContinuous => (32, 1e-4, plateau(6)),
            Self::RingSpiking => (32, 1e-3, Schedule::Constant),
            Self::MouseV1 | Self::Counts => (32, 1e-3, plateau(3)),
        };
        let order = if self == Self::MouseV1 { Order::Consecutive } else { Order::Shuffled };
        TrainOptions { batch, rate, schedule, order, seed: 0 }
    }

    /// Most epochs.
    pub fn epochs(self) -> usize {
        match self {
            Self::LinearStatic | Self::TanhStatic | Self::LinearNonstationary | Self::TanhNonstationary => 1100,
            Self::Stdp => 20,
            Self::GoNogo | Self::DelayedComparison => 50,
            Self::PerceptualDecision | Self::RingSpiking | Self::MouseV1 | Self::Counts => 100,
            Self::CellTypes | Self::RingContinuous => 1000,
        }
    }

    /// Epochs without a better validation loss after which training ends and the best weights are kept; `None` trains to the
    /// last epoch and keeps the last weights.
    pub fn patience(self) -> Option<usize> {
        matches!(self, Self::CellTypes | Self::RingContinuous | Self::MouseV1 | Self::Counts).then_some(20)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_experiment_can_be_made_and_has_the_published_size() {
        for experiment in Experiment::ALL {
            experiment.config(20, 12).check().unwrap();
            assert!(experiment.epochs() > 0 && experiment.options().rate > 0.0 && !experiment.name().is_empty());
        }
        // Published counts (spec §2.2), less norms where there are none (2 D + 2 H).
        for (experiment, tokens, queries, published, unused) in [
            (Experiment::LinearStatic, 5, 5, 99, 14),
            (Experiment::Stdp, 101, 1, 31_835, 0),
            (Experiment::DelayedComparison, 14, 12, 776, 0),
            (Experiment::RingSpiking, 100, 100, 30_404, 204),
            (Experiment::CellTypes, 200, 200, 219_598, 0),
        ] {
            assert_eq!(experiment.config(tokens, queries).size() + unused, published, "{}", experiment.name());
        }
    }
}
