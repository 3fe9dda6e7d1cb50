//! InfoNCE between two augmented views (SimCLR, Chen et al. 2020) and its gradient.

use ndarray::{Array2, Axis, linalg::general_mat_mul};
use rayon::prelude::*;

use super::rows::{dot, softmax};
use super::simd;

/// Rows of a matrix product taken by one thread at a time.
const ROWS: usize = 16;

/// InfoNCE over the rows of `features` `[2B, D]`: row k and row k + B are two views of one trial. Mean over the 2B rows; with
/// its gradient `[2B, D]`.
pub fn info_nce(mut features: Array2<f32>, temperature: f64) -> (f64, Array2<f32>) {
    let rows = features.nrows();
    let lengths: Vec<f32> = features
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .map(|mut row| {
            let mut square = 0.0f32;
            if let Some(row) = row.as_slice() {
                simd(
                    #[inline(always)]
                    || square = dot(row, row),
                );
            }
            let length = square.sqrt().max(1e-12);
            row /= length;
            length
        })
        .collect();
    let mut similarity = Array2::<f32>::zeros((rows, rows));
    similarity
        .axis_chunks_iter_mut(Axis(0), ROWS)
        .into_par_iter()
        .zip(features.axis_chunks_iter(Axis(0), ROWS))
        .for_each(|(mut out, own)| general_mat_mul(1.0 / temperature as f32, &own, &features.t(), 0.0, &mut out));
    let mut loss = 0.0;
    for (at, mut row) in similarity.outer_iter_mut().enumerate() {
        let partner = (at + rows / 2) % rows;
        let Some(row) = row.as_slice_mut() else { continue };
        let positive = row[partner];
        row[at] = f32::NEG_INFINITY;
        let highest = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let total: f64 = row.iter().map(|&s| f64::from(s - highest).exp()).sum();
        loss += f64::from(highest - positive) + total.ln();
        softmax(row);
        // exp saturates instead of reaching 0, and a row is not compared with itself.
        row[at] = 0.0;
        row[partner] -= 1.0;
    }
    // Every similarity is in two rows: gradient of row i is Σ_j (s_ij + s_ji) f_j.
    let both = (&similarity + &similarity.t()) / (rows as f32 * temperature as f32);
    let mut slope = Array2::<f32>::zeros(features.raw_dim());
    slope.axis_chunks_iter_mut(Axis(0), ROWS).into_par_iter().zip(both.axis_chunks_iter(Axis(0), ROWS)).for_each(|(mut out, weights)| {
        general_mat_mul(1.0, &weights, &features, 0.0, &mut out);
    });
    slope.axis_iter_mut(Axis(0)).into_par_iter().zip(features.axis_iter(Axis(0))).zip(&lengths).for_each(|((mut d, f), length)| {
        if let (Some(d), Some(f)) = (d.as_slice_mut(), f.as_slice()) {
            simd(
                #[inline(always)]
                || {
                    let along = dot(d, f);
                    for (d, f) in d.iter_mut().zip(f) {
                        *d = (*d - f * along) / length;
                    }
                },
            );
        }
    });
    (loss / rows.max(1) as f64, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let features = Array2::from_shape_fn((8, 5), |(i, j)| ((i * 5 + j * 3) as f32 * 0.91).sin() + 0.2);
        let (loss, slope) = info_nce(features.clone(), 0.5);
        assert!(loss > 0.0);
        for at in [(0, 0), (3, 2), (7, 4)] {
            let moved = |by: f32| {
                let mut f = features.clone();
                f[at] += by;
                info_nce(f, 0.5).0
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(slope[at])).abs() < 2e-3, "{at:?}: {numeric} against {}", slope[at]);
        }
    }

    #[test]
    fn equal_views_far_from_the_others_cost_nothing() {
        let mut features = Array2::<f32>::zeros((6, 3));
        for trial in 0..3 {
            features[[trial, trial]] = 2.0;
            features[[trial + 3, trial]] = 5.0;
        }
        let (loss, _) = info_nce(features, 0.07);
        assert!(loss.abs() < 1e-5, "{loss}");
    }
}
