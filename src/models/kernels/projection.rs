//! Projection of source spikes on sending weights, `p_q(t) = Σ_m u_qm y_m(t)`, skipping empty bins (spikes are sparse).

use ndarray::{Array3, ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

/// One projection: which units, with which weights.
pub struct Projection {
    /// Units of the source area among all units.
    pub columns: std::ops::Range<usize>,
    /// One weight per unit of the source area.
    pub weights: Vec<f32>,
}

/// Projected counts `[Q, M, bins]` of trials given as `[bins, all units]`.
pub fn project(counts: &[ArrayView2<'_, u8>], projections: &[Projection]) -> Array3<f32> {
    let bins = counts.first().map_or(0, |c| c.nrows());
    let trials: Vec<Vec<f32>> = counts
        .par_iter()
        .map(|trial| {
            let mut out = vec![0.0f32; projections.len() * bins];
            for (t, row) in trial.outer_iter().enumerate() {
                for (q, projection) in projections.iter().enumerate() {
                    let mut sum = 0.0;
                    for (&count, weight) in row.iter().skip(projection.columns.start).zip(&projection.weights) {
                        if count > 0 {
                            sum += f32::from(count) * weight;
                        }
                    }
                    out[q * bins + t] = sum;
                }
            }
            out
        })
        .collect();
    Array3::from_shape_fn((projections.len(), counts.len(), bins), |(q, m, t)| trials[m][q * bins + t])
}

/// Gradient of every projection's weights given the gradient `[Q, M, bins]` of the projected counts.
pub fn project_backward(counts: &[ArrayView2<'_, u8>], projections: &[Projection], gradient: ArrayView3<'_, f32>) -> Vec<Vec<f32>> {
    let partial: Vec<Vec<Vec<f32>>> = counts
        .par_iter()
        .enumerate()
        .map(|(m, trial)| {
            let mut sums: Vec<Vec<f32>> = projections.iter().map(|p| vec![0.0; p.weights.len()]).collect();
            let here = gradient.index_axis(Axis(1), m);
            for (t, row) in trial.outer_iter().enumerate() {
                for (q, (projection, sum)) in projections.iter().zip(&mut sums).enumerate() {
                    let slope = here[[q, t]];
                    for (&count, d) in row.iter().skip(projection.columns.start).zip(sum.iter_mut()) {
                        if count > 0 {
                            *d += f32::from(count) * slope;
                        }
                    }
                }
            }
            sums
        })
        .collect();
    let mut total: Vec<Vec<f32>> = projections.iter().map(|p| vec![0.0; p.weights.len()]).collect();
    for sums in &partial {
        for (to, from) in total.iter_mut().zip(sums) {
            to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        }
    }
    total
}
