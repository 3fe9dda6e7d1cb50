//! The models a user can choose, with the settings they start from.

use super::{BaselineMethod, BaselineRecipe, GlmRecipe, MaskUnit, ModelRecipe, NetFormerRecipe, Recipe, StndtRecipe, Variant};
use crate::recording::{Recording, TrialPlan};

/// A model with the settings it starts from.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name on the command line.
    pub key: &'static str,
    /// Name for the user.
    pub title: &'static str,
    /// What it is for, one sentence.
    pub about: &'static str,
    model: fn() -> ModelRecipe,
    trials: fn(&mut TrialPlan),
}

/// Every model, in the order menus show them.
pub const PRESETS: &[&Preset] =
    &[&GLM_TRANSFORMER, &GLM_TRANSFORMER_MEAN, &GLM, &REDUCED_RANK, &CORRELOGRAM, &STNDT, &NDT, &NETFORMER, &NETFORMER_COUNTS];

pub(super) const GLM_TRANSFORMER: Preset = Preset {
    key: "glm-transformer",
    title: "GLM-Transformer",
    about: "Which area drives which: coupling between areas, apart from each area's own slow dynamics",
    model: || ModelRecipe::GlmTransformer(GlmRecipe::default()),
    trials: fine_bins,
};

pub(super) const GLM_TRANSFORMER_MEAN: Preset = Preset {
    key: "glm-transformer-mean",
    title: "GLM-Transformer, mean dynamics",
    about: "The same without dynamics that differ from trial to trial: what the Transformer is for shows in the difference",
    model: || ModelRecipe::GlmTransformer(GlmRecipe { trial_varying: false, ..GlmRecipe::default() }),
    trials: fine_bins,
};

pub(super) const GLM: Preset = Preset {
    key: "glm",
    title: "Poisson GLM",
    about: "Baseline: a regression per unit on the spikes of all others; takes shared background for coupling",
    model: || ModelRecipe::Baseline(BaselineRecipe::default()),
    trials: fine_bins,
};

pub(super) const REDUCED_RANK: Preset = Preset {
    key: "rrr",
    title: "Reduced-rank regression",
    about: "Baseline: the communication subspace of counts in 20 ms, without lag or direction",
    model: || ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::ReducedRank, ..BaselineRecipe::default() }),
    trials: fine_bins,
};

pub(super) const CORRELOGRAM: Preset = Preset {
    key: "ccg",
    title: "Jitter-corrected correlograms",
    about: "Baseline: pairs of units with a significant peak within 10 ms after a spike",
    model: || ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::Correlogram, ..BaselineRecipe::default() }),
    trials: fine_bins,
};

/// Bins and history for filters of milliseconds.
fn fine_bins(plan: &mut TrialPlan) {
    let default = TrialPlan::default();
    (plan.bin_s, plan.padding_s, plan.longest_window_s) = (default.bin_s, default.padding_s, default.longest_window_s);
}

pub(super) const STNDT: Preset = Preset {
    key: "stndt",
    title: "STNDT",
    about: "Firing rates of single trials, also of units that the model does not see, and which units matter for that",
    model: || ModelRecipe::Stndt(StndtRecipe::default()),
    trials: rates,
};

pub(super) const NDT: Preset = Preset {
    key: "ndt",
    title: "NDT",
    about: "Firing rates of single trials by attention over time alone, to compare STNDT with",
    model: || {
        ModelRecipe::Stndt(StndtRecipe { variant: Variant::Ndt, mask: MaskUnit::Timestep, contrast_weight: 0.0, ..StndtRecipe::default() })
    },
    trials: rates,
};

pub(super) const NETFORMER: Preset = Preset {
    key: "netformer",
    title: "NetFormer",
    about: "Which unit drives which, moment by moment: attention that is itself the connectivity",
    model: || ModelRecipe::NetFormer(NetFormerRecipe::default()),
    trials: bins_of_counts,
};

pub(super) const NETFORMER_COUNTS: Preset = Preset {
    key: "netformer-counts",
    title: "NetFormer on counts",
    about: "The same on raw spike counts, with log-rates and a Poisson loss",
    model: || ModelRecipe::NetFormer(NetFormerRecipe::counts()),
    trials: bins_of_counts,
};

/// Wide enough for a few spikes, narrow enough to see who was first.
fn bins_of_counts(plan: &mut TrialPlan) {
    (plan.bin_s, plan.padding_s, plan.longest_window_s) = (0.01, 0.0, 1.0);
}

/// Bins of the Neural Latents Benchmark, whole trials, no history.
fn rates(plan: &mut TrialPlan) {
    (plan.bin_s, plan.padding_s, plan.longest_window_s) = (0.005, 0.0, 1.0);
}

/// True when the file itself says which trials are for training and which for validation or test.
fn file_splits(recording: &Recording) -> bool {
    let column = recording.table("trials").and_then(|table| Some((table.len(), table.column("split")?)));
    column.is_some_and(|(rows, column)| {
        let mut labels: Vec<String> = (0..rows).map(|row| column.values.text(row)).collect();
        labels.sort_unstable();
        labels.dedup();
        labels.len() > 1 && labels.iter().any(|label| label == "train")
    })
}

impl Preset {
    /// Put the model, its bins and the split into a recipe; bins that the recording was counted in stay as they are, and a
    /// benchmark's own split is used.
    pub fn choose(&self, recipe: &mut Recipe, recording: Option<&Recording>) {
        recipe.model = (self.model)();
        let plan = &mut recipe.data.trials;
        (self.trials)(plan);
        let counted = recording.and_then(|r| r.truth.as_ref()?.rates.as_ref()).map(|rates| rates.bin_s);
        if let Some(bin_s) = counted {
            plan.bin_s = bin_s;
        }
        let splits = [STNDT.key, NDT.key].contains(&self.key) && recording.is_some_and(file_splits);
        recipe.data.split_column = if splits { "split".to_owned() } else { String::new() };
    }
}
