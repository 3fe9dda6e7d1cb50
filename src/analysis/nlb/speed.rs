//! Correlation of neural speed with produced time (benchmark §3.4, for DMFC_RSG); more negative is better.

use ndarray::{ArrayView2, ArrayView3, Axis};

use super::{NlbError, nothing, same_shape};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedCorrelation {
    /// Mean over groups of the correlation of a trial's neural speed with its produced interval.
    pub r: f64,
    /// Correlation of every group of trials alike in their first three behaviour columns.
    pub groups: Vec<f64>,
}

/// Trials alike in their first three behaviour columns: these, and every trial's speed and produced interval.
type Group = ([f64; 3], Vec<(f64, f64)>);

/// Correlate the mean speed of predicted rates `[trials, bins, units]` (between set and go: bins whose held-out count in
/// `counts` `[trials, bins, held-out units]` is not NaN, tested on the first unit) with the produced interval, the last column of
/// `behaviour` `[trials, (is_eye, theta, is_short, …, tp)]`. Trials with a NaN in their behaviour are left out, and groups in
/// which a correlation does not exist.
///
/// # Errors
/// [`NlbError`] when shapes differ or no group is left.
pub fn speed_tp_correlation<R: Copy + Into<f64>, C: Copy + Into<f64>>(
    counts: ArrayView3<'_, C>,
    rates: ArrayView3<'_, R>,
    behaviour: ArrayView2<'_, f64>,
) -> Result<SpeedCorrelation, NlbError> {
    let (trials, bins, _) = rates.dim();
    same_shape("trials and bins of the counts", &counts.shape()[..2], &[trials, bins])?;
    same_shape("trials of the behaviour", &[behaviour.nrows()], &[trials])?;
    if behaviour.ncols() < 4 {
        return Err(nothing("the behaviour has fewer than four columns", "give is_eye, theta, is_short, …, tp"));
    }
    let mut groups: Vec<Group> = Vec::new();
    for (trial, row) in behaviour.outer_iter().enumerate().filter(|(_, row)| row.iter().all(|v| !v.is_nan())) {
        let (Some(tp), key) = (row.last(), [row[0], row[1], row[2]]) else { continue };
        let pair = (speed(counts.index_axis(Axis(0), trial), rates.index_axis(Axis(0), trial)), *tp);
        match groups.iter_mut().find(|(own, _)| *own == key) {
            Some((_, pairs)) => pairs.push(pair),
            None => groups.push((key, vec![pair])),
        }
    }
    groups.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    let groups: Vec<f64> = groups.iter().map(|(_, pairs)| pearson(pairs)).filter(|r| !r.is_nan()).collect();
    if groups.is_empty() {
        return Err(nothing("no group of trials has two produced intervals", "use more trials"));
    }
    Ok(SpeedCorrelation { r: groups.iter().sum::<f64>() / groups.len() as f64, groups })
}

/// Mean Euclidean distance between the rates of successive set-go bins.
fn speed<R: Copy + Into<f64>, C: Copy + Into<f64>>(counts: ArrayView2<'_, C>, rates: ArrayView2<'_, R>) -> f64 {
    let inside = counts.outer_iter().zip(rates.outer_iter()).filter(|(count, _)| {
        let first: Option<f64> = count.first().map(|&c| c.into());
        first.is_some_and(|c| !c.is_nan())
    });
    let rows: Vec<Vec<f64>> = inside.map(|(_, row)| row.iter().map(|&r| r.into()).collect()).collect();
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (b - a).powi(2)).sum::<f64>().sqrt();
    let steps = rows.windows(2).map(|pair| distance(&pair[0], &pair[1]));
    steps.sum::<f64>() / rows.len().saturating_sub(1) as f64
}

fn pearson(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (mx, my) = pairs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
        yy += (y - my).powi(2);
    }
    xy / (xx * yy).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ndarray::{Array3, array};

    use super::*;

    #[test]
    fn slower_trials_that_take_longer_correlate_negatively() {
        let speeds = [4.0, 3.0, 1.0, 2.0, 7.0];
        let rates = Array3::from_shape_fn((5, 6, 2), |(k, t, n)| if n == 0 { t as f64 * speeds[k] } else { 1.0 });
        let mut counts = Array3::<f64>::zeros((5, 6, 1));
        counts[[0, 5, 0]] = f64::NAN;
        let behaviour = array![
            [0.0, 0.0, 0.0, 9.0, 1.0],
            [0.0, 0.0, 0.0, 9.0, 2.0],
            [0.0, 0.0, 0.0, 9.0, 4.0],
            [f64::NAN, 0.0, 0.0, 9.0, 100.0],
            [1.0, 0.0, 0.0, 9.0, 3.0]
        ];
        let found = speed_tp_correlation(counts.view(), rates.view(), behaviour.view()).unwrap();
        assert_eq!(found.groups.len(), 1, "a group of one trial has no correlation");
        assert!((found.r + 1.0).abs() < 1e-12, "{}", found.r);
        assert!(speed_tp_correlation(counts.view(), rates.view(), ndarray::Array2::zeros((5, 4)).view()).is_err());
    }
}
