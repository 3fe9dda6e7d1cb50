//! `spikescope validate`: claims of the papers and of the program itself, measured on simulations with known truth and seeds.

mod benchmarks;
mod edges;
mod false_coupling;

use clap::Subcommand;

/// What is validated.
#[derive(Debug, Subcommand)]
pub(super) enum Validate {
    /// False discoveries and power of the edge tests over many simulations, each trained from its own seed
    Edges(Box<edges::ValidateEdges>),
    /// What methods take for coupling between two areas that share slow background and nothing else
    FalseCoupling(false_coupling::FalseCoupling),
    /// Whether the three edges of a network of four areas are found and no other
    FourAreas(benchmarks::FourAreas),
    /// What GLM-Transformer's losses are without parts of the model, on the GLM simulation and on the spiking network
    Ablation(benchmarks::Ablation),
    /// Fitted coupling against the synaptic current of the spiking network
    SynapticCurrent(benchmarks::SynapticCurrent),
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Edges(edges) => edges.run(),
            Self::FalseCoupling(benchmark) => benchmark.run(),
            Self::FourAreas(benchmark) => benchmark.run(),
            Self::Ablation(benchmark) => benchmark.run(),
            Self::SynapticCurrent(benchmark) => benchmark.run(),
        }
    }
}
