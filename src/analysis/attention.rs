//! Which units a layer's attention draws on, over trials (Le & Shlizerman 2022, Fig. 4).

use ndarray::{Array2, ArrayView3, Axis};

use super::connectivity::spearman;

/// Attention to every unit, over trials.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnMeans {
    /// Mean over trials and rows `[units]`.
    pub mean: Vec<f32>,
    /// Standard deviation over trials of the mean over rows `[units]`.
    pub sd: Vec<f32>,
    /// Mean rank correlation of the units' order between pairs of trials; NaN with fewer than two trials or units.
    pub consistency: f32,
}

/// Most trials whose pairs are compared.
const MOST_TRIALS: usize = 40;

/// Column means of attention maps `[trials, units, units]` (rows attend to columns).
pub fn column_means(maps: ArrayView3<'_, f32>) -> ColumnMeans {
    let (trials, _, units) = maps.dim();
    let per_trial = maps.mean_axis(Axis(1)).unwrap_or_else(|| Array2::zeros((trials, units)));
    let mean: Vec<f32> = per_trial.columns().into_iter().map(|c| c.mean().unwrap_or(0.0)).collect();
    let sd = per_trial.columns().into_iter().map(|c| if trials > 1 { c.std(1.0) } else { 0.0 }).collect();
    let trials: Vec<Vec<f64>> = per_trial.outer_iter().take(MOST_TRIALS).map(|row| row.mapv(f64::from).to_vec()).collect();
    let mut sum = (0.0, 0usize);
    for (at, a) in trials.iter().enumerate() {
        for b in &trials[..at] {
            sum = (sum.0 + spearman(a, b), sum.1 + 1);
        }
    }
    let consistency = if sum.1 > 0 { (sum.0 / sum.1 as f64) as f32 } else { f32::NAN };
    ColumnMeans { mean, sd, consistency }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn a_bright_column_is_important_and_the_same_order_is_consistent() {
        let maps = Array3::from_shape_fn((4, 5, 5), |(trial, _, column)| {
            if column == 2 { 0.6 } else { 0.1 + 0.01 * column as f32 + 0.001 * trial as f32 * (column as f32 + 1.0) }
        });
        let found = column_means(maps.view());
        assert_eq!((0..5).max_by(|&a, &b| found.mean[a].total_cmp(&found.mean[b])), Some(2));
        assert!(found.sd[2].abs() < 1e-6 && found.sd[4] > 1e-4);
        assert!((found.consistency - 1.0).abs() < 1e-6);
        let one = column_means(maps.slice_axis(Axis(0), ndarray::Slice::from(..1)));
        assert!(one.consistency.is_nan() && one.sd.iter().all(|&s| s == 0.0));
    }
}
