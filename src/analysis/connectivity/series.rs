//! Strengths of connections over time against the true ones: moving averages and one correlation per synapse.

use ndarray::{Array2, ArrayView2, parallel::prelude::*};

use super::pearson;

/// Correlation in time of inferred with true strengths.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesMatch {
    /// One Pearson correlation per synapse, 0 where either never changes.
    pub each: Vec<f64>,
    /// Mean over synapses.
    pub mean: f64,
    /// Median over synapses.
    pub median: f64,
}

/// Average over `width` successive samples of every column, `[samples - width + 1, columns]`; empty when there are fewer samples.
pub fn moving_average(series: ArrayView2<'_, f32>, width: usize) -> Array2<f64> {
    let (samples, columns) = series.dim();
    let width = width.max(1);
    let mut averages = Array2::zeros(((samples + 1).saturating_sub(width), columns));
    for (mut averages, series) in averages.columns_mut().into_iter().zip(series.columns()) {
        let first: f64 = series.iter().take(width).map(|&x| f64::from(x)).sum();
        let moves = series.iter().skip(width).zip(series).map(|(&new, &old)| f64::from(new) - f64::from(old));
        let sums = std::iter::once(0.0).chain(moves).scan(first, |sum, step| {
            *sum += step;
            Some(*sum)
        });
        averages.iter_mut().zip(sums).for_each(|(average, sum)| *average = sum / width as f64);
    }
    averages
}

/// Correlate the moving averages over `width` samples of inferred and true strengths, both `[samples, synapses]` at the same
/// times. The published figure averages over 10 000 samples of 1 ms.
pub fn series_match(inferred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>, width: usize) -> SeriesMatch {
    let (inferred, truth) = (moving_average(inferred, width), moving_average(truth, width));
    let synapses = inferred.ncols().min(truth.ncols());
    let each: Vec<f64> = (0..synapses).into_par_iter().map(|k| pearson(&inferred.column(k).to_vec(), &truth.column(k).to_vec())).collect();
    let mut sorted = each.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
    let median = (middle(synapses.saturating_sub(1) / 2) + middle(synapses / 2)) / 2.0;
    SeriesMatch { mean: each.iter().sum::<f64>() / synapses as f64, median, each }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn averages_move_by_one_sample() {
        let series = arr2(&[[1.0_f32, 10.0], [2.0, 10.0], [6.0, 40.0], [1.0, 10.0]]);
        assert_eq!(moving_average(series.view(), 2), arr2(&[[1.5, 10.0], [4.0, 25.0], [3.5, 25.0]]));
        assert_eq!(moving_average(series.view(), 1), series.mapv(f64::from));
        assert_eq!((moving_average(series.view(), 4).dim(), moving_average(series.view(), 5).dim()), ((1, 2), (0, 2)));
    }

    #[test]
    fn slow_changes_are_seen_through_fast_noise() {
        let slow = |t: usize, k: usize| ((t as f32) / 300.0 + k as f32).sin();
        let truth = Array2::from_shape_fn((3000, 3), |(t, k)| slow(t, k));
        let inferred = Array2::from_shape_fn((3000, 3), |(t, k)| {
            let noise = if t % 2 == 0 { 3.0 } else { -3.0 };
            [1.0, -2.0, 0.0][k] * slow(t, k) + noise
        });
        let found = series_match(inferred.view(), truth.view(), 100);
        assert!((found.each[0] - 1.0).abs() < 1e-3 && (found.each[1] + 1.0).abs() < 1e-3, "{found:?}");
        assert!(found.median == found.each[2] && (found.mean - found.each.iter().sum::<f64>() / 3.0).abs() < 1e-12);
        assert!(series_match(inferred.view(), truth.view(), 1).each[0] < 0.5);
    }
}
