//! Arrays of a NetFormer; matrices are receiving × sending units.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `attention` | predicted × units | mean attention over validation windows |
//! | `trialT_attention` | predicted × units | mean attention over entry T of `trials` |
//! | `lag_one` | predicted × units | lag-1 cross-correlation of training bins |
//! | `true_weights` | predicted × units | true strengths; missing when unknown |
//! | `scores` | n × 4 | step, Pearson, Spearman, AUC of attention against the truth |
//! | `lag_one_scores` | 0 or 1 × 4 | the same of the cross-correlation |
//! | `r2`, `static_share` | predicted; – | R² of predictions; share of attention that does not change |

use ndarray::{Array2, Ix2};

use super::{Output, sized, table};
use crate::export::{NpzArray, NpzError, NpzSource};
use crate::training::{ConnectivityScores, NetFormerSnapshot};

pub(super) fn add(out: &mut Output, own: &NetFormerSnapshot) {
    out.matrix("attention", &own.attention);
    for (number, stretch) in own.stretches.iter().enumerate() {
        out.matrix(&format!("trial{number}_attention"), stretch);
    }
    out.matrix("lag_one", &own.lag_one);
    if let Some(truth) = &own.truth {
        out.matrix("true_weights", truth);
    }
    out.connectivity("scores", &own.scores);
    out.connectivity("lag_one_scores", own.lag_one_scores.as_slice());
    out.0.add("r2", NpzArray::list(own.r2.clone()));
    out.0.add("static_share", NpzArray::list(vec![own.static_share]));
}

impl Output {
    fn matrix(&mut self, name: &str, matrix: &Array2<f32>) {
        self.0.add(name, NpzArray::F32(matrix.clone().into_dyn()));
    }

    fn connectivity(&mut self, name: &str, scores: &[ConnectivityScores]) {
        // Steps stay exact up to 2^24.
        let values = scores.iter().flat_map(|s| [s.step as f32, s.pearson, s.spearman, s.auc]).collect();
        self.0.add(name, table(values, 4, NpzArray::F32));
    }
}

pub(super) fn read(npz: &mut NpzSource, trials: usize) -> Result<NetFormerSnapshot, NpzError> {
    let attention = npz.array::<f32, Ix2>("attention")?;
    let like = |npz: &mut NpzSource, name: &str, shape: (usize, usize)| sized::<f32>(npz, name, shape.0, shape.1);
    let lag_one = npz.array::<f32, Ix2>("lag_one")?;
    let shape = lag_one.dim();
    let stretches = (0..trials).map(|number| like(npz, &format!("trial{number}_attention"), shape)).collect::<Result<_, _>>()?;
    let truth = if npz.has("true_weights") { Some(like(npz, "true_weights", shape)?) } else { None };
    let shares = npz.list::<f32>("static_share")?;
    Ok(NetFormerSnapshot {
        attention,
        stretches,
        lag_one,
        truth,
        scores: scores(npz, "scores")?,
        lag_one_scores: scores(npz, "lag_one_scores")?.into_iter().next(),
        r2: npz.list("r2")?,
        static_share: shares.first().copied().unwrap_or(f32::NAN),
        model: None,
    })
}

fn scores(npz: &mut NpzSource, name: &str) -> Result<Vec<ConnectivityScores>, NpzError> {
    let rows = npz.array::<f32, Ix2>(name)?.nrows();
    let values = sized::<f32>(npz, name, rows, 4)?;
    let row =
        |row: ndarray::ArrayView1<'_, f32>| ConnectivityScores { step: row[0] as u64, pearson: row[1], spearman: row[2], auc: row[3] };
    Ok(values.outer_iter().map(row).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every part filled, for three units and one stretch.
    pub fn example() -> NetFormerSnapshot {
        let matrix = |shift: f32| Array2::from_shape_fn((3, 3), |(i, j)| shift + (3 * i + j) as f32);
        let scores = |step| ConnectivityScores { step, pearson: 0.5, spearman: 0.25, auc: 0.75 };
        NetFormerSnapshot {
            attention: matrix(0.0),
            stretches: vec![matrix(1.0)],
            lag_one: matrix(2.0),
            truth: Some(matrix(3.0)),
            scores: vec![scores(10), scores(20)],
            lag_one_scores: Some(scores(0)),
            r2: vec![0.5, -0.25, 1.0],
            static_share: 0.875,
            model: None,
        }
    }
}
