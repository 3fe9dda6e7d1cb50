//! `spikescope validate`: claims of the papers and of the program itself, measured on simulations with known truth and seeds.

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
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Edges(edges) => edges.run(),
            Self::FalseCoupling(benchmark) => benchmark.run(),
        }
    }
}
