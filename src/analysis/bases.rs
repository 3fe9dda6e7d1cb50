//! The two families of basis functions of the GLM-Transformer (Xin & Kass 2025, arXiv 2506.02263): log-warped raised cosines
//! for coupling and post-spike filters, clamped quadratic B-splines for slow factors. All in f64: the number of lags is the
//! integer part of a number just below an integer, which f32 rounds up.

use ndarray::{Array1, Array2, Axis};

/// Small offset inside the logarithm of the warp, part of the published definition.
const WARP_OFFSET: f64 = 1e-10;

/// Raised cosines on a logarithmically warped lag axis (after Pillow et al. 2008), `[lags, count]`.
///
/// Row k acts at a lag of k + 1 bins, so a filter `basis · coefficients` is strictly causal. `last_peak_bins` is the row in
/// which the last function peaks (the first peaks in row 0), `stretch` times `last_peak_bins` the offset of the warp: larger
/// values make it more linear. The number of rows follows from where the last function ends. Needs `count >= 2` and positive
/// `last_peak_bins` and `stretch`; otherwise the result has no rows.
pub fn raised_cosine(count: usize, last_peak_bins: f64, stretch: f64) -> Array2<f64> {
    let sensible = last_peak_bins > 0.0 && stretch > 0.0 && last_peak_bins.is_finite() && stretch.is_finite();
    if count < 2 || !sensible {
        return Array2::zeros((0, count));
    }
    let offset = stretch * last_peak_bins;
    let warp = |bins: f64| (bins + offset + WARP_OFFSET).ln();
    let spacing = (warp(last_peak_bins) - warp(0.0)) / (count - 1) as f64;
    let lags = ((warp(last_peak_bins) + 2.0 * spacing).exp() - WARP_OFFSET - offset) as usize;
    Array2::from_shape_fn((lags, count), |(lag, function)| {
        let centre = warp(0.0) + spacing * function as f64;
        let phase = (warp(lag as f64) - centre) * std::f64::consts::PI / (2.0 * spacing);
        0.5 * (1.0 + phase.clamp(-std::f64::consts::PI, std::f64::consts::PI).cos())
    })
}

/// A constant followed by `count` clamped quadratic B-splines with equally spaced knots, `[bins, count + 1]`.
///
/// The splines span `[0, bins]` and are evaluated at `bins` equally spaced points, both ends included; every column is scaled
/// to a largest value of 1. Needs `count >= 3` and `bins >= 2`; otherwise only the constant column is returned.
pub fn spline_basis(count: usize, bins: usize) -> Array2<f64> {
    const DEGREE: usize = 2;
    if count <= DEGREE || bins < 2 {
        return Array2::ones((bins, 1));
    }
    let end = bins as f64;
    let intervals = count - DEGREE;
    let knots: Vec<f64> = std::iter::repeat_n(0.0, DEGREE)
        .chain((0..=intervals).map(|k| end * k as f64 / intervals as f64))
        .chain(std::iter::repeat_n(end, DEGREE))
        .collect();
    let mut basis = Array2::zeros((bins, count + 1));
    basis.column_mut(0).fill(1.0);
    for bin in 0..bins {
        let x = end * bin as f64 / (bins - 1) as f64;
        // The last interval is closed on the right, so that the last point belongs to it.
        let span = knots.partition_point(|&knot| knot <= x).saturating_sub(1).clamp(DEGREE, count - 1);
        for (k, value) in cox_de_boor(&knots, span, x, DEGREE).into_iter().enumerate() {
            basis[[bin, 1 + span - DEGREE + k]] = value;
        }
    }
    for mut column in basis.axis_iter_mut(Axis(1)) {
        let largest = column.fold(0.0_f64, |a, &b| a.max(b));
        if largest > 0.0 {
            column /= largest;
        }
    }
    basis
}

/// The `degree + 1` B-splines that are not zero in the knot interval `span`, at `x` (Cox–de Boor recursion).
fn cox_de_boor(knots: &[f64], span: usize, x: f64, degree: usize) -> Vec<f64> {
    let mut values = vec![1.0];
    for p in 1..=degree {
        let mut next = vec![0.0; p + 1];
        for (k, value) in values.iter().enumerate() {
            let (left, right) = (knots[span + 1 + k - p], knots[span + 1 + k]);
            let share = if right > left { (x - left) / (right - left) } else { 0.0 };
            next[k] += (1.0 - share) * value;
            next[k + 1] += share * value;
        }
        values = next;
    }
    values
}

/// A filter from its basis `[lags, count]` and coefficients `[count]`; entry k acts at a lag of k + 1 bins.
pub fn filter(basis: &Array2<f64>, coefficients: &[f64]) -> Vec<f64> {
    basis.dot(&Array1::from(coefficients.to_vec())).to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn assert_row(basis: &Array2<f64>, row: usize, expected: &[f64]) {
        for (found, wanted) in basis.row(row).iter().zip(expected) {
            assert!((found - wanted).abs() < 6e-4, "row {row}: {found} instead of {wanted}");
        }
    }

    #[test]
    fn numbers_of_lags_are_the_published_ones() {
        let lags = |count, peak, stretch| raised_cosine(count, peak, stretch).nrows();
        assert_eq!(lags(3, 5.0, 0.5), 19);
        assert_eq!(lags(3, 7.0, 0.5), 27);
        assert_eq!(lags(2, 1.5, 1.0), 10);
        assert_eq!(lags(3, 1.5, 1.0), 4);
        assert_eq!(lags(3, 2.0, 0.7), 6);
    }

    #[test]
    fn first_rows_are_the_published_ones() {
        let five = raised_cosine(3, 5.0, 0.5);
        for (row, expected) in
            [[1.0, 0.5, 0.0], [0.786, 0.910, 0.214], [0.445, 0.997, 0.555], [0.184, 0.888, 0.816], [0.041, 0.699, 0.959]].iter().enumerate()
        {
            assert_row(&five, row, expected);
        }
        let seven = raised_cosine(3, 7.0, 0.5);
        for (row, expected) in [[1.0, 0.5, 0.0], [0.876, 0.829, 0.124], [0.637, 0.981, 0.363]].iter().enumerate() {
            assert_row(&seven, row, expected);
        }
        let two = raised_cosine(3, 2.0, 0.7);
        for (row, expected) in [[1.0, 0.5, 0.0], [0.334, 0.972, 0.666], [0.0, 0.5, 1.0]].iter().enumerate() {
            assert_row(&two, row, expected);
        }
        let tutorial = raised_cosine(2, 1.5, 1.0);
        for (row, expected) in [[1.0, 0.5], [0.701, 0.958], [0.329, 0.970]].iter().enumerate() {
            assert_row(&tutorial, row, expected);
        }
        let figure_4 = raised_cosine(3, 1.5, 1.0);
        for (row, expected) in [[1.0, 0.5, 0.0], [0.161, 0.868, 0.839], [0.0, 0.178, 0.883]].iter().enumerate() {
            assert_row(&figure_4, row, expected);
        }
    }

    #[test]
    fn peaks_lie_where_they_should() {
        let basis = raised_cosine(3, 7.0, 0.5);
        let peak = |c: usize| (0..basis.nrows()).max_by(|&a, &b| basis[[a, c]].total_cmp(&basis[[b, c]])).unwrap();
        assert_eq!([peak(0), peak(1), peak(2)], [0, 3, 7]);
    }

    #[test]
    fn settings_without_a_basis_give_no_rows() {
        assert_eq!(raised_cosine(1, 5.0, 0.5).dim(), (0, 1));
        assert_eq!(raised_cosine(3, 0.0, 0.5).nrows(), 0);
        assert_eq!(raised_cosine(3, 5.0, f64::NAN).nrows(), 0);
        assert_eq!(spline_basis(2, 250).dim(), (250, 1));
    }

    #[test]
    fn splines_start_with_a_constant_and_peak_at_one() {
        let basis = spline_basis(20, 250);
        assert_eq!(basis.dim(), (250, 21));
        assert!(basis.column(0).iter().all(|&x| x == 1.0));
        for column in basis.axis_iter(Axis(1)) {
            let largest = column.fold(0.0_f64, |a, &b| a.max(b));
            assert!((largest - 1.0).abs() < 1e-12 && column.iter().all(|&x| x >= 0.0));
        }
        assert_eq!((basis[[0, 1]], basis[[249, 20]]), (1.0, 1.0));
    }

    #[test]
    fn a_filter_is_basis_times_coefficients() {
        let h = filter(&raised_cosine(3, 7.0, 0.5), &[1.0, 0.2, 0.0]);
        assert_eq!(h.len(), 27);
        assert!((h[0] - 1.1).abs() < 1e-9 && (h[1] - 1.0421822455574832).abs() < 1e-9);
        let norm = h.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((norm - 1.8997).abs() < 1e-4, "norm of the true filter of Fig. 2: {norm}");
    }
}
