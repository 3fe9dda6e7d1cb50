//! Settings of the older methods that coupling is compared with.

use serde::{Deserialize, Serialize};

use super::{RecipeError, RecipeField, fields, range};
use crate::analysis::baselines::poisson_glm::GlmSettings;

/// Which older method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineMethod {
    /// A Poisson GLM of every unit with coupling from all others.
    #[default]
    Glm,
    /// Reduced-rank regression of counts.
    ReducedRank,
    /// Jitter-corrected cross-correlograms.
    Correlogram,
}

/// Settings of all methods; each uses its own. Defaults of the GLM are those of Fig. 4 of Xin & Kass 2025.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineRecipe {
    /// Method.
    pub method: BaselineMethod,
    /// Quadratic B-splines of the PSTH of every unit.
    pub splines: usize,
    /// Raised cosines of a coupling filter.
    pub coupling_basis: usize,
    /// Last peak of the coupling filter's basis, bins.
    pub coupling_peak_bins: f64,
    /// Warp of the coupling filter's basis.
    pub coupling_stretch: f64,
    /// Coupling also from the units of the area itself.
    pub own_area: bool,
    /// Ridge penalty on coupling.
    pub ridge: f64,
    /// Group lasso penalty on the coupling from every unit.
    pub group_lasso: f64,
    /// A gain per trial and unit.
    pub trial_gain: bool,
    /// Penalty of the gains.
    pub gain_penalty: f64,
    /// Most training trials that are fitted, the first ones of the split; 0 for all.
    pub most_trials: usize,
    /// Width of the bins of the regression, in bins of the recipe.
    pub wide_bins: usize,
    /// Rank of the regression; 0 chooses it by cross-validation.
    pub rank: usize,
    /// Standard deviations of the flanks that the peak of a correlogram must exceed.
    pub threshold: f64,
}

impl Default for BaselineRecipe {
    fn default() -> Self {
        Self {
            method: BaselineMethod::Glm,
            splines: 20,
            coupling_basis: 3,
            coupling_peak_bins: 5.0,
            coupling_stretch: 1.0,
            own_area: true,
            ridge: 100.0,
            group_lasso: 0.0,
            trial_gain: false,
            gain_penalty: 3e-3,
            most_trials: 0,
            wide_bins: 10,
            rank: 0,
            threshold: 7.0,
        }
    }
}

impl BaselineRecipe {
    /// Check every range.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        range("model.splines", self.splines as f64, 3.0, 500.0)?;
        range("model.coupling_basis", self.coupling_basis as f64, 2.0, 20.0)?;
        range("model.coupling_peak_bins", self.coupling_peak_bins, 0.5, 500.0)?;
        range("model.coupling_stretch", self.coupling_stretch, 0.01, 100.0)?;
        range("model.ridge", self.ridge, 0.0, 1e9)?;
        range("model.group_lasso", self.group_lasso, 0.0, 1e9)?;
        range("model.gain_penalty", self.gain_penalty, 1e-6, 1e9)?;
        range("model.most_trials", self.most_trials as f64, 0.0, 1e7)?;
        range("model.wide_bins", self.wide_bins as f64, 1.0, 1000.0)?;
        range("model.rank", self.rank as f64, 0.0, 100.0)?;
        range("model.threshold", self.threshold, 0.0, 1000.0)
    }

    /// What the GLM is fitted with.
    pub fn glm(&self) -> GlmSettings {
        GlmSettings {
            splines: self.splines,
            basis: (self.coupling_basis, self.coupling_peak_bins, self.coupling_stretch),
            own_area: self.own_area,
            ridge: self.ridge,
            group_lasso: self.group_lasso,
            trial_gain: self.trial_gain.then_some(self.gain_penalty),
            ..GlmSettings::default()
        }
    }

    /// Every setting; the method comes first.
    pub(super) fn fields(&self) -> &'static [RecipeField] {
        FIELDS
    }
}

const FIELDS: &[RecipeField] = fields! {
    "Baseline" {
        "model.method", "Method", "", "Which older method coupling is compared with.", ["glm", "reduced_rank", "correlogram"];
        "model.most_trials", "Most trials fitted", "trials", "The first so many training trials are fitted; 0 for all. The published GLMs used 200.";
    }
    "Poisson GLM" {
        "model.splines", "Splines of the PSTH", "", "Quadratic B-splines of every unit's mean rate over the trial.";
        "model.coupling_basis", "Filter basis functions", "", "Raised cosines that make up a coupling filter.";
        "model.coupling_peak_bins", "Last peak", "bins", "Peak of the slowest basis function; sets how long a coupling filter is.";
        "model.coupling_stretch", "Warp", "", "Smaller values put more resolution at short lags.";
        "model.own_area", "Coupling within areas", "", "Also coupling from units of the same area, the unit's own history included.";
        "model.ridge", "Ridge penalty", "", "Pull of all coupling coefficients towards zero.";
        "model.group_lasso", "Group lasso", "", "Penalty that leaves out the coupling from whole units; 0 for none.";
        "model.trial_gain", "Gain per trial", "", "A factor per unit and trial that takes up what is common to a trial.";
        "model.gain_penalty", "Gain penalty", "", "Pull of the logarithm of the gains towards zero.";
    }
    "Reduced-rank regression" {
        "model.wide_bins", "Wide bin", "bins", "So many bins are summed into one count.";
        "model.rank", "Rank", "", "Dimensions of the communication subspace; 0 chooses them by cross-validation.";
    }
    "Correlograms" {
        "model.threshold", "Threshold", "SD", "A peak must exceed the flanks by so many of their standard deviations.";
    }
};
