//! Sums over lags as products with a band matrix, a block of bins at a time: several times as fast as lag by lag.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Slice};

/// Rows made by one product: the band fills half of its matrix when the filter is as long as this.
const BLOCK: usize = 64;

/// `sums[t] = Σ_k weights[k] · values[t + first + k]` for every column; rows before the first and after the last of `values` count as 0.
pub(super) fn correlate(weights: ArrayView1<'_, f32>, values: ArrayView2<'_, f32>, first: isize, mut sums: ArrayViewMut2<'_, f32>) {
    let (lags, rows) = (weights.len(), sums.nrows());
    if lags == 0 {
        return sums.fill(0.0);
    }
    // Row r of a block takes its k-th value from column r + k.
    let band = Array2::from_shape_fn((BLOCK.min(rows), BLOCK.min(rows) + lags - 1), |(r, c)| {
        c.checked_sub(r).and_then(|k| weights.get(k)).copied().unwrap_or(0.0)
    });
    for start in (0..rows).step_by(BLOCK) {
        let end = (start + BLOCK).min(rows);
        let from = start as isize + first;
        let inside = |at: isize| at.clamp(0, values.nrows() as isize);
        let (low, high) = (inside(from), inside(from + (end - start + lags - 1) as isize));
        let mut sums = sums.slice_axis_mut(Axis(0), Slice::from(start..end));
        if low >= high {
            sums.fill(0.0);
            continue;
        }
        let band = band.slice_axis(Axis(0), Slice::from(..end - start));
        let band = band.slice_axis_move(Axis(1), Slice::from((low - from)..(high - from)));
        general_mat_mul(1.0, &band, &values.slice_axis(Axis(0), Slice::from(low..high)), 0.0, &mut sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_definition_at_both_ends_and_over_blocks() {
        let values = Array2::from_shape_fn((150, 3), |(t, unit)| ((7 * t + 5 * unit) % 11) as f32 - 5.0);
        for (lags, rows, first) in [(4, 150, 0), (70, 140, -69), (5, 150, -149), (5, 10, 400), (9, 63, -30), (1, 1, 3), (0, 4, 0)] {
            let weights: ndarray::Array1<f32> = (0..lags).map(|k| (k % 4) as f32 + 1.0).collect();
            let mut sums = Array2::from_elem((rows, 3), f32::NAN);
            correlate(weights.view(), values.view(), first, sums.view_mut());
            for ((t, unit), sum) in sums.indexed_iter() {
                let value = |k: usize| usize::try_from(t as isize + first + k as isize).ok().and_then(|at| values.get([at, unit]));
                let wanted: f32 = weights.iter().enumerate().filter_map(|(k, w)| value(k).map(|x| w * x)).sum();
                assert!((sum - wanted).abs() < 1e-3, "{lags} {rows} {first} at {t}: {sum} {wanted}");
            }
        }
    }
}
