//! The first two principal components of one area's latents, with signs that stay the same while a model trains.

use nalgebra::{DMatrix, SymmetricEigen};

/// Points in the plane of the first two principal components.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    /// One point per trial.
    pub points: Vec<[f64; 2]>,
    /// Share of the variance along each component, 0 to 1.
    pub explained: [f64; 2],
    /// The two directions `[2][dimensions]`.
    pub axes: [Vec<f64>; 2],
}

/// Project `rows` `[trials][dimensions]`. `before`, an earlier projection of the same latents, decides the signs, so that a
/// live plot does not flip over.
pub fn project(rows: &[Vec<f32>], before: Option<&Projection>) -> Projection {
    let n = rows.len();
    let d = rows.iter().map(Vec::len).min().unwrap_or(0);
    if n == 0 || d == 0 {
        return Projection::default();
    }
    let data = DMatrix::from_fn(n, d, |r, c| {
        rows.get(r).and_then(|row| row.get(c)).map_or(0.0, |v| if v.is_finite() { f64::from(*v) } else { 0.0 })
    });
    let mean = data.row_mean();
    let centred = DMatrix::from_fn(n, d, |r, c| data[(r, c)] - mean[c]);
    let covariance = centred.tr_mul(&centred) / (n.max(2) - 1) as f64;
    let total = covariance.trace();
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let mut result = Projection { points: vec![[0.0; 2]; n], ..Projection::default() };
    for (component, &place) in order.iter().take(2).enumerate() {
        let mut axis: Vec<f64> = eigen.eigenvectors.column(place).iter().copied().collect();
        let reference = before.map(|b| &b.axes[component]).filter(|r| r.len() == d);
        let sign = match reference {
            Some(reference) => axis.iter().zip(reference).map(|(a, b)| a * b).sum::<f64>(),
            // Without an earlier projection: the largest entry is positive.
            None => axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0),
        };
        if sign < 0.0 {
            axis.iter_mut().for_each(|a| *a = -*a);
        }
        for (r, point) in result.points.iter_mut().enumerate() {
            point[component] = axis.iter().enumerate().map(|(c, a)| a * centred[(r, c)]).sum();
        }
        result.explained[component] = if total > 0.0 { (eigen.eigenvalues[place] / total).clamp(0.0, 1.0) } else { 0.0 };
        result.axes[component] = axis;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<f32>> {
        // Long along (1, 1, 0), short along (0, 0, 1).
        (0..40).map(|i| (f32::from(i as u8) - 19.5, if i % 2 == 0 { 1.0 } else { -1.0 })).map(|(a, b)| vec![a + 3.0, a - 1.0, b]).collect()
    }

    #[test]
    fn the_longest_direction_comes_first() {
        let p = project(&rows(), None);
        let expected = std::f64::consts::FRAC_1_SQRT_2;
        assert!((p.axes[0][0].abs() - expected).abs() < 1e-3 && (p.axes[0][1].abs() - expected).abs() < 1e-3);
        assert!(p.explained[0] > 0.99 && p.explained[1] < 0.01);
        assert!(p.points.iter().map(|q| q[0]).sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn signs_follow_the_projection_before() {
        let first = project(&rows(), None);
        let mut flipped = first.clone();
        flipped.axes.iter_mut().flatten().for_each(|a| *a = -*a);
        let second = project(&rows(), Some(&flipped));
        assert!((second.points[0][0] + first.points[0][0]).abs() < 1e-9);
    }

    #[test]
    fn one_dimension_no_trials_and_bad_numbers_do_not_fail() {
        assert_eq!(project(&[], None), Projection::default());
        let one = project(&[vec![1.0], vec![3.0]], None);
        assert_eq!((one.points[0][1], one.explained[1]), (0.0, 0.0));
        assert!(project(&[vec![f32::NAN, 1.0], vec![2.0, 1.0]], None).points.iter().flatten().all(|v| v.is_finite()));
    }
}
