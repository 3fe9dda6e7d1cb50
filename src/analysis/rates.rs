//! Rates over time: per unit (a map), per area, and how spike counts of units go together.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::observed::Observed;
use super::psth::smoothed;
use super::watch::Watch;

/// Units whose correlations are one product of matrices: few enough that a stop is seen soon.
const UNITS_TOGETHER: usize = 64;

/// Counts of spikes in `bins` equal bins from `start` to `stop` (seconds); a spike at `stop` is outside.
pub fn binned(spikes: &[f64], start: f64, stop: f64, bins: usize) -> Vec<f32> {
    let mut counts = vec![0.0; bins];
    let width = (stop - start) / bins.max(1) as f64;
    if !(width.is_finite() && width > 0.0) {
        return counts;
    }
    let first = spikes.partition_point(|&t| t < start);
    for &time in spikes.get(first..).unwrap_or_default().iter().take_while(|&&t| t < stop) {
        if let Some(cell) = counts.get_mut(((time - start) / width) as usize) {
            *cell += 1.0;
        }
    }
    counts
}

/// Rate of every unit over time, Hz, `[units, bins]`, from `start` to `stop` seconds, smoothed by a Gaussian of `sd_s` seconds.
/// Spikes are divided by the time that was observed; NaN in bins in which nothing was. Empty when `watch` was stopped.
pub fn rate_map(trains: &[&[f64]], observed: &Observed, (start, stop): (f64, f64), bins: usize, sd_s: f64, watch: &Watch) -> Array2<f32> {
    let width = (stop - start) / bins.max(1) as f64;
    // Spikes outside count as far as the kernel reaches, so a rate does not change when the window moves.
    let around = if sd_s > 0.0 { ((4.0 * sd_s / width).ceil() as usize).min(bins) } else { 0 };
    let (all, margin) = (bins + 2 * around, around as f64 * width);
    let column = |values: Vec<f64>| Array2::from_shape_fn((all, 1), |(k, _)| values.get(k).copied().unwrap_or(0.0));
    let seconds = column(observed.per_bin(start - margin, stop + margin, all));
    // Both are smoothed: a constant rate stays constant beside a gap.
    let reached = smoothed(&seconds, sd_s / width);
    // A sliver of observed time at the edge of a gap says next to nothing about the rate.
    let least = 0.05 * seconds.iter().copied().fold(0.0, f64::max);
    let row = |spikes: &&[f64]| -> Vec<f32> {
        if watch.stopped() {
            return vec![f32::NAN; bins];
        }
        let counts = column(binned(spikes, start - margin, stop + margin, all).into_iter().map(f64::from).collect());
        let rate = |(k, count): (usize, &f64)| match (seconds.get((k, 0)), reached.get((k, 0))) {
            (Some(&here), Some(&reached)) if here > least => (count / reached) as f32,
            _ => f32::NAN,
        };
        smoothed(&counts, sd_s / width).iter().enumerate().map(rate).skip(around).take(bins).collect()
    };
    let rows: Vec<Vec<f32>> = trains.par_iter().map(row).collect();
    let mut map = Array2::zeros((trains.len(), bins));
    for (mut to, from) in map.axis_iter_mut(Axis(0)).zip(rows) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from);
    }
    map
}

/// Mean rate per unit of every group of units, Hz, `[groups, bins]`; `group[unit]` says where a unit belongs.
pub fn population_rates(map: &Array2<f32>, group: &[usize], groups: usize) -> Array2<f32> {
    let mut sum = Array2::zeros((groups, map.ncols()));
    let mut members = vec![0usize; groups];
    for (row, &of) in map.axis_iter(Axis(0)).zip(group) {
        if let Some(n) = members.get_mut(of) {
            *n += 1;
            sum.row_mut(of).zip_mut_with(&row, |s, x| *s += x);
        }
    }
    for (mut row, n) in sum.axis_iter_mut(Axis(0)).zip(members) {
        row /= n.max(1) as f32;
    }
    sum
}

/// Pearson correlation of the columns of `counts` `[samples, units]`, `[units, units]`. A unit whose count never changes has
/// no correlation: NaN, also on the diagonal. `None` when `watch` was stopped.
pub fn count_correlations(counts: ArrayView2<'_, f32>, watch: &Watch) -> Option<Array2<f32>> {
    let (samples, units) = counts.dim();
    let mut standard = counts.mapv(f64::from);
    let mut constant = vec![true; units];
    for (mut column, flat) in standard.axis_iter_mut(Axis(1)).zip(&mut constant) {
        let mean = column.sum() / samples.max(1) as f64;
        column -= mean;
        let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        *flat = norm < 1e-12 * (samples as f64).sqrt();
        if !*flat {
            column /= norm;
        }
    }
    // f32 is enough for a correlation and halves the time of the product.
    let standard = standard.mapv(|x| x as f32);
    let mut found = Array2::zeros((units, units));
    let (blocks, done) = (units.div_ceil(UNITS_TOGETHER), AtomicUsize::new(0));
    let rows = found.axis_chunks_iter_mut(Axis(0), UNITS_TOGETHER).into_par_iter();
    rows.zip(standard.axis_chunks_iter(Axis(1), UNITS_TOGETHER)).for_each(|(mut rows, theirs)| {
        if !watch.stopped() {
            rows.assign(&theirs.t().dot(&standard));
            watch.tell(done.fetch_add(1, Ordering::AcqRel) + 1, blocks);
        }
    });
    if watch.stopped() {
        return None;
    }
    for (unit, _) in constant.iter().enumerate().filter(|(_, flat)| **flat) {
        found.row_mut(unit).fill(f32::NAN);
        found.column_mut(unit).fill(f32::NAN);
    }
    Some(found)
}

/// Take the mean of every condition away from the counts `[samples, units]` of its samples: what is left are the fluctuations
/// around it (noise correlations).
pub fn without_condition_means(counts: &mut Array2<f32>, condition: &[usize]) {
    let conditions = condition.iter().map(|c| c + 1).max().unwrap_or(0);
    let mut means = Array2::<f32>::zeros((conditions, counts.ncols()));
    let mut members = vec![0f32; conditions];
    for (row, &c) in counts.axis_iter(Axis(0)).zip(condition) {
        means.row_mut(c).zip_mut_with(&row, |m, x| *m += x);
        if let Some(n) = members.get_mut(c) {
            *n += 1.0;
        }
    }
    for (mut mean, n) in means.axis_iter_mut(Axis(0)).zip(members) {
        mean /= n.max(1.0);
    }
    for (mut row, &c) in counts.axis_iter_mut(Axis(0)).zip(condition) {
        row -= &means.row(c);
    }
}

/// Mean of a correlation matrix `[units, units]` within and between groups, `[groups, groups]`, without the diagonal and
/// without missing values; NaN where nothing is left.
pub fn group_means(correlations: &Array2<f32>, group: &[usize], groups: usize) -> Array2<f32> {
    let (mut sum, mut n) = (Array2::<f64>::zeros((groups, groups)), Array2::<f64>::zeros((groups, groups)));
    for ((i, j), &r) in correlations.indexed_iter().filter(|((i, j), r)| i != j && !r.is_nan()) {
        let (Some(&a), Some(&b)) = (group.get(i), group.get(j)) else { continue };
        if let (Some(s), Some(n)) = (sum.get_mut((a, b)), n.get_mut((a, b))) {
            *s += f64::from(r);
            *n += 1.0;
        }
    }
    (sum / n).mapv(|x| x as f32)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn bins_hold_their_spikes() {
        assert_eq!(binned(&[-1.0, 0.0, 0.5, 0.99, 1.0, 2.0], 0.0, 2.0, 2), [3.0, 1.0]);
        assert_eq!(binned(&[1.0], 2.0, 2.0, 3), [0.0; 3]);
        assert!(binned(&[1.0], 0.0, 2.0, 0).is_empty());
    }

    #[test]
    fn a_rate_map_is_in_hertz_and_does_not_change_when_the_window_moves() {
        // No spike on an edge of a bin: there, rounding may put it into either of the two.
        let spikes: Vec<f64> = (0..2000).map(|k| f64::from(k) * 0.01 + 0.003 * f64::from(k % 3) + 0.001).collect();
        let all = Observed::new([(-100.0, 100.0)]);
        let rate_map = |trains: &[&[f64]], window, bins, sd| rate_map(trains, &all, window, bins, sd, &Watch::default());
        let map = rate_map(&[&spikes, &[]], (5.0, 15.0), 100, 0.2);
        assert!(map.row(0).iter().all(|r| (r - 100.0).abs() < 2.0) && map.row(1).iter().all(|r| *r == 0.0));
        let later = rate_map(&[&spikes], (6.0, 16.0), 100, 0.2);
        for k in 0..90 {
            assert!((map[[0, k + 10]] - later[[0, k]]).abs() < 1e-3);
        }
        assert_eq!(rate_map(&[&spikes], (0.0, 1.0), 10, 0.0).sum() * 0.1, 100.0);
    }

    #[test]
    fn a_constant_rate_is_constant_beside_what_was_not_observed() {
        let observed = Observed::new([(0.0, 4.0), (6.0, 10.0)]);
        let spikes: Vec<f64> = (0..1000).map(|k| f64::from(k) * 0.01 + 0.0049).filter(|t| !(4.0..6.0).contains(t)).collect();
        for sd in [0.0, 0.3] {
            let map = rate_map(&[&spikes], &observed, (-1.0, 11.0), 120, sd, &Watch::default());
            for (bin, rate) in map.row(0).iter().enumerate() {
                let seen = (10..50).contains(&bin) || (70..110).contains(&bin);
                assert!(if seen { (rate - 100.0).abs() < 1.5 } else { rate.is_nan() }, "{sd} bin {bin}: {rate}");
            }
        }
        // A wide bin across the gap counts only what was seen of it.
        let wide = rate_map(&[&spikes], &observed, (0.0, 10.0), 1, 0.0, &Watch::default());
        assert!((wide[[0, 0]] - 100.0).abs() < 0.5);
    }

    #[test]
    fn populations_are_means_over_units() {
        let map = array![[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]];
        assert_eq!(population_rates(&map, &[0, 0, 1], 3), array![[2.0, 3.0], [10.0, 20.0], [0.0, 0.0]]);
    }

    #[test]
    fn correlations_of_counts() {
        let counts = array![[1.0, 2.0, 5.0, -1.0], [2.0, 4.0, 5.0, -2.0], [4.0, 8.0, 5.0, -3.0]];
        let found = count_correlations(counts.view(), &Watch::default()).unwrap();
        assert!((found[[0, 1]] - 1.0).abs() < 1e-6 && (found[[0, 0]] - 1.0).abs() < 1e-6);
        assert!((found[[0, 3]] + 0.981_980_5).abs() < 1e-5 && found[[2, 0]].is_nan() && found[[2, 2]].is_nan());
        let means = group_means(&found, &[0, 0, 1, 1], 2);
        assert!((means[[0, 0]] - 1.0).abs() < 1e-6 && (means[[0, 1]] + 0.981_980_5).abs() < 1e-5 && means[[1, 1]].is_nan());
    }

    #[test]
    fn condition_means_are_taken_away() {
        let mut counts = array![[1.0, 0.0], [3.0, 0.0], [10.0, 4.0], [12.0, 8.0]];
        without_condition_means(&mut counts, &[0, 0, 1, 1]);
        assert_eq!(counts, array![[-1.0, 0.0], [1.0, 0.0], [-1.0, -2.0], [1.0, 2.0]]);
        without_condition_means(&mut Array2::zeros((0, 2)), &[]);
    }
}
