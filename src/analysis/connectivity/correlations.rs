//! Correlation of every unit with every other one bin earlier, and covariance in the same bin.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Samples, cross};

/// Lag-1 cross-correlation `[receiving, sending]`: activity now with activity one bin earlier, both standardised by mean and
/// standard deviation over all bins. A unit that never changes has correlation 0.
pub fn lag_one(samples: &Samples<'_>) -> Array2<f64> {
    let rows = samples.rows();
    let (mean, sd) = moments(rows.view());
    let scale = sd.iter().map(|s| if *s > 0.0 { 1.0 / s } else { 0.0 }).collect::<Vec<_>>();
    let mut values = samples.values.to_owned();
    for mut row in values.outer_iter_mut() {
        row.iter_mut().zip(mean.iter().zip(&scale)).for_each(|(x, (m, s))| *x = (*x - m) * s);
    }
    let standard = Samples::new(values.view(), samples.runs.clone());
    let (before, now) = standard.pairs(1);
    cross(now.view(), before.view()) / before.nrows().max(1) as f64
}

/// Covariance of activity in the same bin, symmetric; its diagonal is set to 0 because it says nothing about connections.
pub fn covariance(samples: &Samples<'_>) -> Array2<f64> {
    let mut rows = samples.rows().into_owned();
    let (mean, _) = moments(rows.view());
    for mut row in rows.outer_iter_mut() {
        row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
    }
    let mut covariance = cross(rows.view(), rows.view()) / rows.nrows().saturating_sub(1).max(1) as f64;
    covariance.diag_mut().fill(0.0);
    covariance
}

/// Mean and standard deviation (of the population) of every column.
fn moments(values: ArrayView2<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let mean = values.mean_axis(Axis(0)).map(|m| m.to_vec()).unwrap_or_else(|| vec![0.0; values.ncols()]);
    let mut variance = vec![0.0; values.ncols()];
    for row in values.outer_iter() {
        variance.iter_mut().zip(row.iter().zip(&mean)).for_each(|(v, (x, m))| *v += (x - m).powi(2));
    }
    let n = values.nrows().max(1) as f64;
    // The rounding of a constant that is not a binary fraction must not look like activity.
    let sd = variance.iter().zip(&mean).map(|(v, m)| if v / n > (1e-13 * m).powi(2) { (v / n).sqrt() } else { 0.0 }).collect();
    (mean, sd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::compare::correlation;

    /// Bounded and irregular.
    fn activity(bins: usize, units: usize) -> Array2<f64> {
        Array2::from_shape_fn((bins, units), |(t, u)| ((t * t * (u + 3) + 17 * t + u) % 101) as f64 / 10.0)
    }

    #[test]
    fn lag_one_is_the_correlation_with_the_past() {
        let mut x = activity(4000, 40);
        x.column_mut(3).fill(0.1);
        // Unit 5 repeats unit 9 one bin later, with the opposite sign.
        for t in 1..4000 {
            x[[t, 5]] = -x[[t - 1, 9]];
        }
        let found = lag_one(&Samples::whole(x.view()));
        assert_eq!(found.dim(), (40, 40));
        assert!((found[[5, 9]] + 1.0).abs() < 1e-2, "{}", found[[5, 9]]);
        assert!(found.row(3).iter().chain(found.column(3)).all(|&r| r == 0.0), "a constant correlates with nothing");
        let now: Vec<f64> = x.column(8).iter().skip(1).copied().collect();
        let before: Vec<f64> = x.column(2).iter().take(3999).copied().collect();
        assert!((found[[8, 2]] - correlation(&now, &before)).abs() < 2e-3);
    }

    #[test]
    fn covariance_is_symmetric_and_follows_the_order_of_units() {
        let x = activity(500, 6);
        let found = covariance(&Samples::whole(x.view()));
        assert!(found.diag().iter().all(|&d| d == 0.0));
        let mean = |u: usize| x.column(u).sum() / 500.0;
        let expected = x.outer_iter().map(|row| (row[1] - mean(1)) * (row[4] - mean(4))).sum::<f64>() / 499.0;
        assert!((found[[1, 4]] - expected).abs() < 1e-9 && (found[[4, 1]] - expected).abs() < 1e-9);
        let order = [3, 5, 0, 1, 4, 2];
        let turned = x.select(Axis(1), &order);
        for estimate in [covariance, lag_one] {
            let (plain, turned) = (estimate(&Samples::whole(x.view())), estimate(&Samples::whole(turned.view())));
            for ((i, j), value) in turned.indexed_iter() {
                assert!((value - plain[[order[i], order[j]]]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn stretches_are_not_joined() {
        // In both stretches unit 1 follows unit 0; across the border it would not.
        let x = Array2::from_shape_vec((6, 2), vec![1.0, 0.0, -1.0, 1.0, 1.0, -1.0, 1.0, 0.0, -1.0, 1.0, 1.0, -1.0]).unwrap_or_default();
        let found = lag_one(&Samples::new(x.view(), vec![0..3, 3..6]));
        let joined = lag_one(&Samples::whole(x.view()));
        assert!(found[[1, 0]] > joined[[1, 0]]);
        assert_eq!(lag_one(&Samples::new(x.view(), Vec::new())), Array2::<f64>::zeros((2, 2)), "nothing gives nothing");
    }
}
