//! The models a user can choose, with the settings they start from.

use super::{BaselineMethod, BaselineRecipe, GlmRecipe, MaskUnit, ModelRecipe, NetFormerRecipe, Recipe, StndtRecipe, Variant};
use crate::models::netformer::Experiment;
use crate::recording::{Recording, SplitFractions, TrialPlan};

/// A model with the settings it starts from.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name on the command line.
    pub key: &'static str,
    /// Name for the user.
    pub title: &'static str,
    /// What it is for, one sentence.
    pub about: &'static str,
    /// A published experiment, to be done again; the others are for recordings.
    pub published: bool,
    model: fn(Option<&Recording>) -> ModelRecipe,
    trials: fn(&mut TrialPlan),
    /// Shares of the data for training and validation; `None` leaves them.
    split: Option<SplitFractions>,
}

/// Every model, in the order menus show them.
pub const PRESETS: &[&Preset] = &[
    &GLM_TRANSFORMER,
    &GLM_TRANSFORMER_MEAN,
    &GLM,
    &REDUCED_RANK,
    &CORRELOGRAM,
    &STNDT,
    &NDT,
    &NETFORMER,
    &NETFORMER_COUNTS,
    &NETFORMER_MOUSE,
    &NETFORMER_STDP,
    &NETFORMER_CELL_TYPES,
    &NETFORMER_TOY_LINEAR,
    &NETFORMER_TOY_LINEAR_CHANGING,
    &NETFORMER_TOY_TANH,
    &NETFORMER_PERCEPTUAL,
    &NETFORMER_GO_NO_GO,
    &NETFORMER_DELAYED,
    &NETFORMER_RING,
    &NETFORMER_SPIKING_RING,
];

pub(super) const GLM_TRANSFORMER: Preset = Preset {
    key: "glm-transformer",
    title: "GLM-Transformer",
    about: "Which area drives which: coupling between areas, apart from each area's own slow dynamics",
    published: false,
    model: |_| ModelRecipe::GlmTransformer(GlmRecipe::default()),
    trials: fine_bins,
    split: None,
};

pub(super) const GLM_TRANSFORMER_MEAN: Preset = Preset {
    key: "glm-transformer-mean",
    title: "GLM-Transformer, mean dynamics",
    about: "The same without dynamics that differ from trial to trial: what the Transformer is for shows in the difference",
    published: false,
    model: |_| ModelRecipe::GlmTransformer(GlmRecipe { trial_varying: false, ..GlmRecipe::default() }),
    trials: fine_bins,
    split: None,
};

pub(super) const GLM: Preset = Preset {
    key: "glm",
    title: "Poisson GLM",
    about: "Baseline: a regression per unit on the spikes of all others; takes shared background for coupling",
    published: false,
    model: |_| ModelRecipe::Baseline(BaselineRecipe::default()),
    trials: fine_bins,
    split: None,
};

pub(super) const REDUCED_RANK: Preset = Preset {
    key: "rrr",
    title: "Reduced-rank regression",
    about: "Baseline: the communication subspace of counts in 20 ms, without lag or direction",
    published: false,
    model: |_| ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::ReducedRank, ..BaselineRecipe::default() }),
    trials: fine_bins,
    split: None,
};

pub(super) const CORRELOGRAM: Preset = Preset {
    key: "ccg",
    title: "Jitter-corrected correlograms",
    about: "Baseline: pairs of units with a significant peak within 10 ms after a spike",
    published: false,
    model: |_| ModelRecipe::Baseline(BaselineRecipe { method: BaselineMethod::Correlogram, ..BaselineRecipe::default() }),
    trials: fine_bins,
    split: None,
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
    published: false,
    model: |_| ModelRecipe::Stndt(StndtRecipe::default()),
    trials: rates,
    split: None,
};

pub(super) const NDT: Preset = Preset {
    key: "ndt",
    title: "NDT",
    about: "Firing rates of single trials by attention over time alone, to compare STNDT with",
    published: false,
    model: |_| {
        ModelRecipe::Stndt(StndtRecipe { variant: Variant::Ndt, mask: MaskUnit::Timestep, contrast_weight: 0.0, ..StndtRecipe::default() })
    },
    trials: rates,
    split: None,
};

pub(super) const NETFORMER: Preset = Preset {
    key: "netformer",
    title: "NetFormer",
    about: "Which unit drives which, moment by moment: attention that is itself the connectivity",
    published: false,
    model: |_| ModelRecipe::NetFormer(NetFormerRecipe::default()),
    trials: bins_of_counts,
    split: None,
};

pub(super) const NETFORMER_COUNTS: Preset = Preset {
    key: "netformer-counts",
    title: "NetFormer on counts",
    about: "The same on raw spike counts, with log-rates and a Poisson loss",
    published: false,
    model: |_| ModelRecipe::NetFormer(NetFormerRecipe::counts()),
    trials: bins_of_counts,
    split: None,
};

pub(super) const NETFORMER_MOUSE: Preset = Preset {
    key: "netformer-mouse",
    title: "NetFormer, mouse V1",
    about: "Settings published for calcium recordings of mouse V1: cell types, behavioural states",
    published: true,
    model: |recording| experiment(Experiment::MouseV1, 527, recording),
    trials: bins_of_counts,
    split: Some(EARLY),
};

pub(super) const NETFORMER_STDP: Preset = Preset {
    key: "netformer-stdp",
    title: "NetFormer, plastic synapses",
    about: "Published: synapses that change by spike timing (simulator stdp); the membrane potential is predicted",
    published: true,
    model: |recording| experiment(Experiment::Stdp, 101, recording),
    trials: milliseconds,
    split: Some(LAST),
};

pub(super) const NETFORMER_CELL_TYPES: Preset = Preset {
    key: "netformer-cell-types",
    title: "NetFormer, cell types",
    about: "Published: a network of four cell types (simulator cell_types)",
    published: true,
    model: |recording| experiment(Experiment::CellTypes, 200, recording),
    trials: bins_of_counts,
    split: Some(EARLY),
};

pub(super) const NETFORMER_TOY_LINEAR: Preset = Preset {
    key: "netformer-toy-linear",
    title: "NetFormer, toy, linear",
    about: "Published: linear toy system with fixed weights (simulator toy, linear_static)",
    published: true,
    model: |recording| experiment(Experiment::LinearStatic, 5, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_TOY_LINEAR_CHANGING: Preset = Preset {
    key: "netformer-toy-changing",
    title: "NetFormer, toy, linear, changing",
    about: "Published: linear toy system whose weights follow its state (simulator toy, linear_dynamic)",
    published: true,
    model: |recording| experiment(Experiment::LinearNonstationary, 5, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_TOY_TANH: Preset = Preset {
    key: "netformer-toy-tanh",
    title: "NetFormer, toy, tanh",
    about: "Published: toy systems with tanh, weights fixed or changing (simulator toy, tanh_static or tanh_dynamic)",
    published: true,
    model: |recording| experiment(Experiment::TanhNonstationary, 5, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_PERCEPTUAL: Preset = Preset {
    key: "netformer-perceptual",
    title: "NetFormer, perceptual decision",
    about: "Published: a network trained on perceptual decisions (simulator task_rnn)",
    published: true,
    model: |recording| experiment(Experiment::PerceptualDecision, 7, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_GO_NO_GO: Preset = Preset {
    key: "netformer-go-no-go",
    title: "NetFormer, go/no-go",
    about: "Published: a network trained on go/no-go (simulator task_rnn, go_no_go)",
    published: true,
    model: |recording| experiment(Experiment::GoNogo, 11, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_DELAYED: Preset = Preset {
    key: "netformer-delayed-comparison",
    title: "NetFormer, delayed comparison",
    about: "Published: a network trained on delayed comparison (simulator task_rnn, delayed_comparison)",
    published: true,
    model: |recording| experiment(Experiment::DelayedComparison, 14, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

pub(super) const NETFORMER_RING: Preset = Preset {
    key: "netformer-ring",
    title: "NetFormer, ring",
    about: "Published: the continuous ring, in which neighbours are correlated and not connected (simulator ring)",
    published: true,
    model: |recording| experiment(Experiment::RingContinuous, 100, recording),
    trials: bins_of_counts,
    split: Some(EARLY),
};

pub(super) const NETFORMER_SPIKING_RING: Preset = Preset {
    key: "netformer-spiking-ring",
    title: "NetFormer, spiking ring",
    about: "Published: the spiking ring, by Poisson loss (simulator spiking_ring)",
    published: true,
    model: |recording| experiment(Experiment::RingSpiking, 100, recording),
    trials: bins_of_counts,
    split: Some(LAST),
};

/// The published 80 % for training; of the rest half decides when to stop.
const EARLY: SplitFractions = SplitFractions { train: 0.8, validation: 0.1 };
/// The published 80 % for training; nothing is decided by validation, so that nearly all of the rest is for the test.
const LAST: SplitFractions = SplitFractions { train: 0.8, validation: 0.02 };

/// Published settings for the units and external inputs of a recording, or for as many as were published.
fn experiment(experiment: Experiment, published: usize, recording: Option<&Recording>) -> ModelRecipe {
    let inputs = |r: &Recording| r.covariates.iter().filter(|c| c.name.starts_with("input ")).count();
    let task = NetFormerRecipe::published(experiment, published).inputs;
    let tokens = recording.map_or(published, |r| r.n_units() + if task { inputs(r) } else { 0 });
    ModelRecipe::NetFormer(NetFormerRecipe::published(experiment, tokens.max(1)))
}

/// The preset whose settings are nearest to these; of equal ones the first.
pub(super) fn nearest(own: &NetFormerRecipe) -> &'static Preset {
    let far = |preset: &Preset| match (preset.model)(None) {
        ModelRecipe::NetFormer(other) => own.differences(&other),
        _ => usize::MAX,
    };
    let start = (&NETFORMER, far(&NETFORMER));
    PRESETS.iter().map(|preset| (*preset, far(preset))).fold(start, |best, next| if next.1 < best.1 { next } else { best }).0
}

/// Steps of simulations in which every spike counts.
fn milliseconds(plan: &mut TrialPlan) {
    (plan.bin_s, plan.padding_s, plan.longest_window_s) = (0.001, 0.0, 1.0);
}

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
        recipe.model = (self.model)(recording);
        let plan = &mut recipe.data.trials;
        (self.trials)(plan);
        let counted = recording.and_then(|r| r.truth.as_ref()?.rates.as_ref()).map(|rates| rates.bin_s);
        if let Some(bin_s) = counted {
            plan.bin_s = bin_s;
        }
        // Published shares go with their experiment, and do not stay behind when another model is chosen.
        let borrowed = PRESETS.iter().any(|preset| preset.split == Some(recipe.data.split));
        if let Some(split) = self.split.or(borrowed.then(SplitFractions::default)) {
            recipe.data.split = split;
        }
        let splits = [STNDT.key, NDT.key].contains(&self.key) && recording.is_some_and(file_splits);
        recipe.data.split_column = if splits { "split".to_owned() } else { String::new() };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate;

    fn netformer(recipe: &Recipe) -> &NetFormerRecipe {
        match &recipe.model {
            ModelRecipe::NetFormer(own) => own,
            _ => unreachable!("a preset of NetFormer"),
        }
    }

    #[test]
    fn published_experiments_are_as_wide_as_the_recording_has_tokens() {
        let recording = simulate::by_name("task_rnn", &[("task", "go_no_go"), ("trials", "5"), ("iterations", "1")]).unwrap();
        let mut recipe = Recipe::default();
        NETFORMER_GO_NO_GO.choose(&mut recipe, Some(&recording));
        let own = netformer(&recipe);
        assert_eq!((own.identity, own.key_width, own.history, own.inputs, own.layer_norm), (11, 11, 1, true, false));
        let recording = simulate::by_name("stdp", &[("synapses", "30"), ("steps", "100")]).unwrap();
        NETFORMER_STDP.choose(&mut recipe, Some(&recording));
        let own = netformer(&recipe);
        assert_eq!((own.identity, own.key_width, own.predicted, own.series.as_str()), (31, 31, 1, "membrane potential"));
        assert_eq!((recipe.data.trials.bin_s, recipe.data.split.train), (0.001, 0.8));
        assert_eq!(recipe.model.preset().key, "netformer-stdp", "whatever the number of synapses");
        recipe.check().unwrap();
    }

    #[test]
    fn published_shares_do_not_stay_behind() {
        let mut recipe = Recipe::default();
        NETFORMER_CELL_TYPES.choose(&mut recipe, None);
        assert_eq!(recipe.data.split, EARLY);
        STNDT.choose(&mut recipe, None);
        assert_eq!(recipe.data.split, SplitFractions::default());
        recipe.data.split.train = 0.6;
        NETFORMER.choose(&mut recipe, None);
        assert_eq!(recipe.data.split.train, 0.6, "the user's own shares stay");
    }

    #[test]
    fn settings_that_were_changed_still_belong_to_their_preset() {
        for preset in PRESETS.iter().filter(|p| p.published) {
            let mut recipe = Recipe::default();
            preset.choose(&mut recipe, None);
            recipe.set("model.activation", "tanh").unwrap();
            assert_eq!(recipe.model.preset().key, preset.key);
        }
        assert_eq!(nearest(&NetFormerRecipe::counts()).key, "netformer-counts");
    }
}
