//! What is shown of a network: attention, importance of units, trials as curves, rates of chosen trials.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use super::Fit;
use crate::analysis::attention::column_means;
use crate::analysis::pca::pca;
use crate::models::DeviceFailed;
use crate::models::kernels::spatiotemporal::Inside;
use crate::training::{Importance, LayerAttention, Trajectories, TrialSnapshot};

/// Most validation trials behind mean attention and curves.
const TRIALS_SHOWN: usize = 32;

/// What costs a pass over trials.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) attention: Vec<LayerAttention>,
    pub(super) importance: Vec<Importance>,
    pub(super) trajectories: Trajectories,
    /// Directions of the curves, so that the next ones do not flip over.
    directions: Option<Array2<f64>>,
}

impl Shown {
    /// Make anew from some trials.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn refresh(&mut self, fit: &Fit, trials: &[usize]) -> Result<(), DeviceFailed> {
        let trials: Vec<usize> = trials.iter().copied().take(TRIALS_SHOWN).collect();
        let inside = inside(fit, &trials)?;
        let mean = |maps: &Array3<f32>| maps.mean_axis(Axis(0)).unwrap_or_else(|| Array2::zeros((0, 0)));
        self.attention = (0..inside.time.len())
            .map(|layer| LayerAttention {
                space: inside.space.get(layer).map(|maps| fit.layout.in_column_order(&mean(maps))).unwrap_or_default(),
                time: inside.time.get(layer).map(mean).unwrap_or_default(),
            })
            .collect();
        self.importance = inside
            .space
            .iter()
            .map(|maps| {
                let ordered = maps.select(Axis(1), &fit.layout.places).select(Axis(2), &fit.layout.places);
                let found = column_means(ordered.view());
                Importance { mean: found.mean, sd: found.sd, consistency: found.consistency }
            })
            .collect();
        if let Some(output) = inside.outputs.last() {
            self.curves(output.view(), trials);
        }
        Ok(())
    }

    fn curves(&mut self, output: ArrayView3<'_, f32>, trials: Vec<usize>) {
        let (count, bins, units) = output.dim();
        let rows =
            Array2::from_shape_fn((count * bins, units), |(row, unit)| f64::from(output[[row / bins.max(1), row % bins.max(1), unit]]));
        let Some(found) = pca(rows.view(), 3, self.directions.as_ref().map(|a| a.view())) else { return };
        let point = |row: usize| [0, 1, 2].map(|axis| found.points[[row, axis]] as f32);
        self.trajectories = Trajectories {
            trials,
            points: (0..count).map(|trial| (0..bins).map(|bin| point(trial * bins + bin)).collect()).collect(),
            explained: [0, 1, 2].map(|axis| found.explained.get(axis).copied().unwrap_or(0.0) as f32),
        };
        self.directions = Some(found.directions);
    }
}

/// Rates and attention of one trial.
///
/// # Errors
/// When the device fails.
pub(super) fn trial(fit: &Fit, trial: usize) -> Result<(TrialSnapshot, Vec<LayerAttention>), DeviceFailed> {
    let counts = fit.counts(&[trial]);
    let log_rate = fit.trainer.log_rates(counts.view())?;
    let log_rate = log_rate.index_axis(Axis(0), 0).select(Axis(1), &fit.layout.places);
    let inside = inside(fit, &[trial])?;
    let layers = (0..inside.time.len()).map(|layer| LayerAttention {
        space: inside.space.get(layer).map(|maps| fit.layout.in_column_order(&maps.index_axis(Axis(0), 0).to_owned())).unwrap_or_default(),
        time: inside.time.get(layer).map(|maps| maps.index_axis(Axis(0), 0).to_owned()).unwrap_or_default(),
    });
    let log_rate = log_rate.outer_iter().map(|bin| bin.to_vec()).collect();
    Ok((TrialSnapshot { trial, log_rate }, layers.collect()))
}

fn inside(fit: &Fit, trials: &[usize]) -> Result<Inside, DeviceFailed> {
    let counts = fit.counts(trials);
    Ok(fit.trainer.host()?.inside(fit.layout.grid.visible(counts.view()).view()))
}
