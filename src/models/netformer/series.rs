//! What is made of attention matrices: smoothed series of an entry, and means per pair of groups.

use ndarray::{Array2, ArrayView2};

/// Means over `width` neighbours, "valid" only: value k is the mean of `values[k .. k + width]` (published for synapses: 10 000
/// steps). Empty when there are fewer values than `width`, or `width` is 0.
pub fn moving_average(values: &[f32], width: usize) -> Vec<f32> {
    if width == 0 || values.len() < width {
        return Vec::new();
    }
    let (first, rest) = values.split_at(width);
    let mut sum: f64 = first.iter().map(|&v| f64::from(v)).sum();
    let mut out = Vec::with_capacity(rest.len() + 1);
    out.push((sum / width as f64) as f32);
    for (new, old) in rest.iter().zip(values) {
        sum += f64::from(*new) - f64::from(*old);
        out.push((sum / width as f64) as f32);
    }
    out
}

/// Means of a matrix per pair of groups.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupMeans {
    /// `[K receiving, K sending]`; NaN where no entry counts.
    pub mean: Array2<f32>,
    /// Standard deviation between entries `[K, K]`; NaN where no entry counts.
    pub sd: Array2<f32>,
    /// Entries that count `[K, K]`.
    pub entries: Array2<usize>,
}

/// Means over the entries of `attention` `[queries, tokens]` per pair of groups, without the diagonal (a unit on itself), which A
/// cannot tell. `group` of every token, from 0 to `groups` − 1; `None` leaves a token out (external inputs). `counts` may leave
/// out more (published for the simulation: only entries where the truth is not 0).
pub fn group_means(
    attention: ArrayView2<'_, f32>,
    group: &[Option<usize>],
    groups: usize,
    counts: &dyn Fn(usize, usize) -> bool,
) -> GroupMeans {
    let (mut sum, mut squares) = (Array2::<f64>::zeros((groups, groups)), Array2::<f64>::zeros((groups, groups)));
    let mut entries = Array2::<usize>::zeros((groups, groups));
    let of = |token: usize| group.get(token).copied().flatten().filter(|&g| g < groups);
    for ((receiving, sending), &value) in attention.indexed_iter() {
        let (Some(row), Some(column)) = (of(receiving), of(sending)) else { continue };
        if receiving != sending && counts(receiving, sending) {
            sum[[row, column]] += f64::from(value);
            squares[[row, column]] += f64::from(value) * f64::from(value);
            entries[[row, column]] += 1;
        }
    }
    let mean = Array2::from_shape_fn((groups, groups), |at| match entries[at] {
        0 => f64::NAN,
        n => sum[at] / n as f64,
    });
    let sd = Array2::from_shape_fn((groups, groups), |at| (squares[at] / entries[at] as f64 - mean[at] * mean[at]).max(0.0).sqrt());
    let sd = ndarray::Zip::from(&sd).and(&mean).map_collect(|sd, mean| if mean.is_nan() { f32::NAN } else { *sd as f32 });
    GroupMeans { mean: mean.mapv(|m| m as f32), sd, entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_average_is_the_mean_of_neighbours() {
        let values: Vec<f32> = (0..50).map(|k| (k as f32 * 0.7).sin() + 100.0).collect();
        let smooth = moving_average(&values, 7);
        assert_eq!(smooth.len(), 44);
        for (k, value) in smooth.iter().enumerate() {
            let mean = values[k..k + 7].iter().sum::<f32>() / 7.0;
            assert!((value - mean).abs() < 1e-4);
        }
        assert_eq!(moving_average(&values, 50).len(), 1);
        assert!(moving_average(&values, 51).is_empty() && moving_average(&values, 0).is_empty());
        assert_eq!(moving_average(&[1.0, 2.0, 3.0], 1), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn group_means_leave_out_the_diagonal_and_what_does_not_count() {
        let a = Array2::from_shape_fn((3, 4), |(i, j)| (i * 10 + j) as f32);
        let group = [Some(0), Some(0), Some(1), None];
        let means = group_means(a.view(), &group, 3, &|_, _| true);
        assert_eq!(means.entries, ndarray::array![[2, 2, 0], [2, 0, 0], [0, 0, 0]]);
        assert_eq!((means.mean[[0, 0]], means.mean[[0, 1]], means.mean[[1, 0]]), (5.5, 7.0, 20.5));
        assert_eq!((means.sd[[0, 0]], means.sd[[1, 0]]), (4.5, 0.5));
        assert!(means.mean[[1, 1]].is_nan() && means.sd[[1, 1]].is_nan() && means.mean[[2, 0]].is_nan());
        let some = group_means(a.view(), &group, 3, &|receiving, _| receiving == 0);
        assert_eq!((some.entries[[0, 0]], some.mean[[0, 0]], some.sd[[0, 0]]), (1, 1.0, 0.0));
    }
}
