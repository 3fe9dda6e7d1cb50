//! The screening matrix of a recording, with the trials, units and filters that training would use.

use std::sync::Arc;

use super::{DataError, DataRecipe, GlmRecipe, Prepared};
use crate::analysis::edge_score::EdgeScoreError;
use crate::analysis::screening::{Screening, ScreeningPlan, screen};
use crate::analysis::watch::Watch;
use crate::recording::Recording;

/// Why a recording cannot be screened.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ScreeningError {
    /// Trials, units or counts.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Scores.
    #[error(transparent)]
    Score(#[from] EdgeScoreError),
    /// Nothing to compare.
    #[error(
        "all units belong to one area, so there is no pair of areas to screen; give areas first (Recording view, or `spikescope areas`)"
    )]
    OneArea,
}

impl ScreeningPlan {
    /// With the coupling filter, the jittered copies and the threshold of a recipe, in bins of `bin_s` seconds.
    pub fn for_recipe(recipe: &GlmRecipe, bin_s: f64, seed: u64) -> Self {
        Self {
            basis: (recipe.coupling_basis, recipe.coupling_peak_bins * bin_s, recipe.coupling_stretch),
            jitters: recipe.edge_jitters,
            quantile: recipe.edge_quantile,
            seed,
            self_pairs: recipe.self_coupling,
            ..Self::default()
        }
    }
}

/// Screen a recording; no training is needed. `None` when the watch was stopped.
///
/// # Errors
/// [`ScreeningError`] says which setting to change.
pub fn screen_recording(
    recording: &Arc<Recording>,
    data: &DataRecipe,
    plan: &ScreeningPlan,
    watch: &Watch,
) -> Result<Option<Screening>, ScreeningError> {
    let prepared = Prepared::new(recording, data)?;
    if prepared.binned.areas.len() < 2 {
        return Err(ScreeningError::OneArea);
    }
    Ok(screen(&prepared.binned, &prepared.trials.conditions, plan, watch)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::simulate;

    #[test]
    fn a_recording_is_screened_with_the_recipe_s_filter() {
        let recording = Arc::new(simulate::by_name("glm", &[("areas", "6x5"), ("trials", "30")]).unwrap());
        let plan = ScreeningPlan { jitters: 4, ..ScreeningPlan::for_recipe(&GlmRecipe::default(), 0.002, 3) };
        assert_eq!(plan.filter_basis(0.002).nrows(), 27);
        let found = screen_recording(&recording, &DataRecipe::default(), &plan, &Watch::default()).unwrap().unwrap();
        assert_eq!((found.pairs.len(), found.q.len(), found.jitters), (4, 4, 4));
        let one = Arc::new(simulate::by_name("glm", &[("areas", "6"), ("trials", "30")]).unwrap());
        assert_eq!(screen_recording(&one, &DataRecipe::default(), &plan, &Watch::default()), Err(ScreeningError::OneArea));
    }
}
