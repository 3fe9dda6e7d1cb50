//! `spikescope import-weights`: a run from weights that were trained elsewhere, evaluated on a recording as after training.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use burn::tensor::TensorData;
use clap::Args;

use super::output;
use super::progress::{Bell, follow};
use super::recipe::RecipeOptions;
use super::sources::Input;
use super::train::{Target, Telling, print_summary};
use crate::models::import;
use crate::models::params::Values;
use crate::runs;
use crate::training::{ModelRecipe, StartOptions, TrainingHandle};

/// Options of `import-weights`.
#[derive(Debug, Args)]
pub(super) struct ImportWeights {
    /// Weights: a state dict or checkpoint of PyTorch (.pt, .pth, .ckpt), or safetensors with the same names
    #[arg(long, value_name = "MODEL.pt")]
    weights: PathBuf,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    telling: Telling,
}

impl ImportWeights {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.recipe.check()?;
        runs::check_target(&self.target.out)?;
        let arrays = runs::read_weights(&self.weights)?;
        let recording = self.input.open()?;
        let recipe = self.recipe.recipe(&recording)?;
        let imported = match &recipe.model {
            ModelRecipe::Stndt(_) => import::stndt(arrays),
            ModelRecipe::NetFormer(_) => import::netformer(arrays),
            ModelRecipe::GlmTransformer(_) | ModelRecipe::Baseline(_) => {
                let title = recipe.model.preset().title;
                anyhow::bail!("there is no published layout of weights for {title}; choose --model stndt or netformer")
            }
        };
        let imported = imported.with_context(|| self.weights.display().to_string())?;
        for (name, why) in &imported.left_out {
            output::tell(&format!("left out: '{name}' ({why})"));
        }
        let weights: Values = imported.weights.into_iter().map(|(name, a)| (name, TensorData::new(a.values, a.shape))).collect();
        let bell = Bell::new();
        let options = StartOptions { run: Some(self.target.out), weights: Some(Arc::new(weights)), ..StartOptions::default() };
        let handle = TrainingHandle::start(recording, recipe, bell.options(options))?;
        let finished = follow(handle, &bell, self.telling.quiet)?;
        print_summary(&finished.summary, self.telling.json)
    }
}
