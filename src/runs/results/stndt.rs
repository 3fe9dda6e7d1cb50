//! Arrays of a spatiotemporal Transformer (STNDT, NDT).
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `held_out` | units | 1 where the network never sees the unit |
//! | `observed_bins`, `context` | –; 2 | bins that the network sees; earlier and later bins that a bin attends to, −1 for all |
//! | `scores` | n × 4 | step, co-bps, fp-bps, R² of the true rates, on validation trials; NaN where unknown |
//! | `smoothing_scores`, `oracle_scores` | 0 or 1 × 4 | the same of smoothed spikes and of the true rates |
//! | `space_L`, `time_L` | units × units; bins × bins | attention of layer L, mean over validation trials |
//! | `trialT_space_L`, `trialT_time_L` | the same | attention in entry T of `trials` |
//! | `importance_mean`, `importance_sd` | layers × units | attention to each unit over trials |
//! | `importance_consistency` | layers | mean rank correlation between trials |
//! | `trajectory_trials`, `trajectories` | trials; trials × bins × 3 | last layer's output along its three main directions |
//! | `trajectory_explained` | 3 | shares of the variance |

use ndarray::{Array2, Array3, Ix1, Ix2, Ix3};

use super::{Output, bits, bits_array, sized, table};
use crate::export::{NpzArray, NpzError, NpzSource};
use crate::training::{Importance, LayerAttention, RateScores, StndtSnapshot, Trajectories};

pub(super) fn add(out: &mut Output, own: &StndtSnapshot) -> Result<(), String> {
    out.0.add("held_out", NpzArray::U8(own.held_out.iter().map(|&h| u8::from(h)).collect::<ndarray::Array1<u8>>().into_dyn()));
    out.0.add("observed_bins", NpzArray::index(own.observed_bins as u64));
    let bins = |context: Option<usize>| context.map_or(-1.0, |bins| bins as f32);
    out.0.add("context", NpzArray::list(vec![bins(own.context.0), bins(own.context.1)]));
    out.scores("scores", &own.scores);
    out.scores("smoothing_scores", own.smoothing.as_slice());
    out.scores("oracle_scores", own.oracle.as_slice());
    out.0.add("unit_bits", bits_array(&own.unit_bits));
    out.attention("", &own.attention);
    for (number, layers) in own.trials.iter().enumerate() {
        out.attention(&format!("trial{number}_"), layers);
    }
    out.rows("importance_mean", &own.importance.iter().map(|i| i.mean.clone()).collect::<Vec<_>>())?;
    out.rows("importance_sd", &own.importance.iter().map(|i| i.sd.clone()).collect::<Vec<_>>())?;
    out.0.add("importance_consistency", NpzArray::list(own.importance.iter().map(|i| i.consistency).collect()));
    let paths = &own.trajectories;
    out.indices("trajectory_trials", &paths.trials);
    let bins = paths.points.first().map_or(0, Vec::len);
    if paths.points.iter().any(|path| path.len() != bins) {
        return Err("the trials of 'trajectories' differ in length".to_owned());
    }
    let points = Array3::from_shape_fn((paths.points.len(), bins, 3), |(trial, bin, axis)| paths.points[trial][bin][axis]);
    out.0.add("trajectories", NpzArray::F32(points.into_dyn()));
    out.0.add("trajectory_explained", NpzArray::list(paths.explained.to_vec()));
    Ok(())
}

impl Output {
    fn scores(&mut self, name: &str, scores: &[RateScores]) {
        // Steps stay exact up to 2^24.
        let values = scores.iter().flat_map(|s| [s.step as f32, s.co_bps, s.fp_bps, s.rate_r2]).collect();
        self.0.add(name, table(values, 4, NpzArray::F32));
    }

    fn attention(&mut self, prefix: &str, layers: &[LayerAttention]) {
        for (at, layer) in layers.iter().enumerate() {
            self.0.add(format!("{prefix}space_{at}"), NpzArray::F32(layer.space.clone().into_dyn()));
            self.0.add(format!("{prefix}time_{at}"), NpzArray::F32(layer.time.clone().into_dyn()));
        }
    }
}

pub(super) fn read(npz: &mut NpzSource, trials: usize, units: usize) -> Result<StndtSnapshot, NpzError> {
    let held_out: Vec<bool> = npz.list::<u8>("held_out")?.into_iter().map(|h| h != 0).collect();
    if !held_out.is_empty() && held_out.len() != units {
        return Err(npz.wrong("held_out", format!("it has {} entries, expected {units}", held_out.len())));
    }
    let context = npz.list::<f32>("context")?;
    let bins = |at: usize| context.get(at).filter(|&&bins| bins >= 0.0).map(|&bins| bins as usize);
    let context = (bins(0), bins(1));
    let observed = npz.scalar::<u64>("observed_bins")?;
    let (mean, sd) = (npz.rows("importance_mean")?, npz.rows("importance_sd")?);
    let consistency = npz.list::<f32>("importance_consistency")?;
    if sd.len() != mean.len() || consistency.len() != mean.len() {
        return Err(npz.wrong("importance_sd", format!("it and importance_consistency must have {} rows", mean.len())));
    }
    let importance = mean.into_iter().zip(sd).zip(consistency);
    Ok(StndtSnapshot {
        held_out,
        observed_bins: usize::try_from(observed).map_err(|e| npz.wrong("observed_bins", e))?,
        context,
        scores: scores(npz, "scores")?,
        smoothing: scores(npz, "smoothing_scores")?.into_iter().next(),
        oracle: scores(npz, "oracle_scores")?.into_iter().next(),
        unit_bits: bits(npz)?,
        attention: attention(npz, "")?,
        importance: importance.map(|((mean, sd), consistency)| Importance { mean, sd, consistency }).collect(),
        trials: (0..trials).map(|number| attention(npz, &format!("trial{number}_"))).collect::<Result<_, _>>()?,
        trajectories: trajectories(npz)?,
    })
}

fn scores(npz: &mut NpzSource, name: &str) -> Result<Vec<RateScores>, NpzError> {
    let rows = npz.array::<f32, Ix2>(name)?.nrows();
    let values = sized::<f32>(npz, name, rows, 4)?;
    let row = |row: ndarray::ArrayView1<'_, f32>| RateScores { step: row[0] as u64, co_bps: row[1], fp_bps: row[2], rate_r2: row[3] };
    Ok(values.outer_iter().map(row).collect())
}

fn attention(npz: &mut NpzSource, prefix: &str) -> Result<Vec<LayerAttention>, NpzError> {
    let mut layers = Vec::new();
    while npz.has(&format!("{prefix}time_{}", layers.len())) {
        let at = layers.len();
        let square = |npz: &mut NpzSource, name: &str| -> Result<Array2<f32>, NpzError> {
            let map = npz.array::<f32, Ix2>(name)?;
            if map.is_square() { Ok(map) } else { Err(npz.wrong(name, format!("its shape is {:?}, expected a square", map.dim()))) }
        };
        let (space, time) = (square(npz, &format!("{prefix}space_{at}"))?, square(npz, &format!("{prefix}time_{at}"))?);
        layers.push(LayerAttention { space, time });
    }
    Ok(layers)
}

fn trajectories(npz: &mut NpzSource) -> Result<Trajectories, NpzError> {
    let trials = npz.indices("trajectory_trials")?;
    let points = npz.array::<f32, Ix3>("trajectories")?;
    let (count, _, axes) = points.dim();
    if count != trials.len() || axes != 3 {
        return Err(npz.wrong("trajectories", format!("its shape is {:?}, expected ({}, bins, 3)", points.dim(), trials.len())));
    }
    let explained = npz.array::<f32, Ix1>("trajectory_explained")?;
    let explained: [f32; 3] = match explained.as_slice() {
        Some(&[x, y, z]) => [x, y, z],
        _ => return Err(npz.wrong("trajectory_explained", "it must have 3 entries")),
    };
    let path = |trial: ndarray::ArrayView2<'_, f32>| trial.outer_iter().map(|bin| [bin[0], bin[1], bin[2]]).collect();
    Ok(Trajectories { trials, points: points.outer_iter().map(path).collect(), explained })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every part filled, for `units` units, `bins` bins, two layers and one trial.
    pub fn example(units: usize, bins: usize) -> StndtSnapshot {
        let layer = |shift: f32| LayerAttention {
            space: Array2::from_shape_fn((units, units), |(i, j)| shift + (i * units + j) as f32),
            time: Array2::from_shape_fn((bins, bins), |(i, j)| shift - (i * bins + j) as f32),
        };
        let scores = |step| RateScores { step, co_bps: 0.2, fp_bps: 0.1, rate_r2: -0.5 };
        StndtSnapshot {
            unit_bits: vec![Some(0.125); units],
            held_out: (0..units).map(|u| u == 1).collect(),
            observed_bins: bins - 1,
            context: (Some(8), None),
            scores: vec![scores(20), scores(40)],
            smoothing: Some(scores(0)),
            oracle: Some(scores(0)),
            attention: vec![layer(0.0), layer(0.5)],
            importance: vec![Importance { mean: vec![0.1; units], sd: vec![0.01; units], consistency: 0.9 }; 2],
            trials: vec![vec![layer(1.0), layer(2.0)]],
            trajectories: Trajectories { trials: vec![3, 1], points: vec![vec![[1.0, 2.0, 3.0]; bins]; 2], explained: [0.5, 0.2, 0.1] },
        }
    }
}
