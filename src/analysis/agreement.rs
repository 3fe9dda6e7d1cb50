//! How well two estimates of the same connections agree: entry by entry, by rank and by sign. What cannot be told is `None`.

use ndarray::{Array2, ArrayView2};

use super::connectivity::{pearson, spearman};

/// Fewer entries say nothing about a correlation.
pub const FEWEST: usize = 3;

/// Agreement of two lists of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreement {
    /// Entries that both have.
    pub entries: usize,
    /// Pearson correlation; `None` with fewer than [`FEWEST`] entries or when one list is constant.
    pub pearson: Option<f64>,
    /// Spearman correlation; `None` as above.
    pub spearman: Option<f64>,
    /// Share of entries with the same sign among those that are zero in neither, 0 to 1; `None` where there are none, or where a sign
    /// means nothing.
    pub same_sign: Option<f64>,
}

/// Compare entry by entry; an entry that is not finite in either list is left out. `signed` says that signs mean something in both.
pub fn agreement(a: &[f64], b: &[f64], signed: bool) -> Agreement {
    let (a, b): (Vec<f64>, Vec<f64>) = a.iter().zip(b).filter(|(x, y)| x.is_finite() && y.is_finite()).unzip();
    let varies = |values: &[f64]| values.iter().any(|v| Some(v) != values.first());
    let comparable = a.len() >= FEWEST && varies(&a) && varies(&b);
    let both: Vec<bool> = a.iter().zip(&b).filter(|(x, y)| **x != 0.0 && **y != 0.0).map(|(x, y)| (*x > 0.0) == (*y > 0.0)).collect();
    Agreement {
        entries: a.len(),
        pearson: comparable.then(|| pearson(&a, &b)),
        spearman: comparable.then(|| spearman(&a, &b)),
        same_sign: (signed && !both.is_empty()).then(|| both.iter().filter(|same| **same).count() as f64 / both.len() as f64),
    }
}

/// Compare two matrices `[receiving, sending]` of the same rows and columns, without the diagonal: what an area or a unit does to
/// itself is another question. Rows and columns that only one matrix has are left out.
pub fn matrix_agreement(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, signed: bool) -> Agreement {
    let entries = a.indexed_iter().filter(|((row, column), _)| row != column);
    let (a, b): (Vec<f64>, Vec<f64>) = entries.filter_map(|(at, value)| Some((*value, *b.get(at)?))).unzip();
    agreement(&a, &b, signed)
}

/// Every entry as a share of the sum of all magnitudes, so that matrices of different units can be set side by side. `None` when there
/// is nothing but zeros.
pub fn shares(values: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let sum: f64 = values.iter().filter(|v| v.is_finite()).map(|v| v.abs()).sum();
    (sum > 0.0).then(|| values.mapv(|v| v / sum))
}

/// The rows and columns `places` of a square matrix, in this order; NaN for a place that is `None` or outside.
pub fn arranged(values: ArrayView2<'_, f64>, places: &[Option<usize>]) -> Array2<f64> {
    Array2::from_shape_fn((places.len(), places.len()), |(row, column)| {
        let at = places.get(row).copied().flatten().zip(places.get(column).copied().flatten());
        at.and_then(|at| values.get(at).copied()).unwrap_or(f64::NAN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn equal_lists_agree_and_opposite_ones_do_not() {
        let a = [1.0, -2.0, 0.0, 4.0];
        let same = agreement(&a, &a, true);
        assert!((same.pearson.unwrap_or(0.0) - 1.0).abs() < 1e-12 && (same.spearman.unwrap_or(0.0) - 1.0).abs() < 1e-12);
        assert_eq!((same.entries, same.same_sign), (4, Some(1.0)));
        let opposite: Vec<f64> = a.iter().map(|v| -v).collect();
        let against = agreement(&a, &opposite, true);
        assert!((against.pearson.unwrap_or(0.0) + 1.0).abs() < 1e-12);
        assert_eq!(against.same_sign, Some(0.0));
    }

    #[test]
    fn ranks_agree_where_sizes_do_not() {
        let found = agreement(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 1000.0], true);
        assert!((found.spearman.unwrap_or(0.0) - 1.0).abs() < 1e-12);
        assert!(found.pearson.is_some_and(|r| r < 0.95));
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(agreement(&[1.0, 2.0], &[2.0, 1.0], true), Agreement { entries: 2, same_sign: Some(1.0), ..Agreement::default() });
        let constant = agreement(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0], false);
        assert_eq!((constant.pearson, constant.spearman, constant.same_sign), (None, None, None));
        assert_eq!(agreement(&[0.0, 0.0, 0.0], &[1.0, 2.0, 3.0], true).same_sign, None, "nothing has two signs");
        let holes = agreement(&[1.0, f64::NAN, 3.0, 4.0], &[1.0, 2.0, f64::INFINITY, 4.0], false);
        assert_eq!((holes.entries, holes.pearson), (2, None));
        assert_eq!(agreement(&[], &[], true), Agreement::default());
    }

    #[test]
    fn the_diagonal_and_missing_places_do_not_count() {
        let a = array![[9.0, 1.0, 2.0], [3.0, -9.0, 4.0], [5.0, 6.0, 9.0]];
        let b = array![[-9.0, 2.0, 4.0], [6.0, 9.0, 8.0], [10.0, 12.0, -9.0]];
        let found = matrix_agreement(a.view(), b.view(), true);
        assert_eq!(found.entries, 6);
        assert!((found.pearson.unwrap_or(0.0) - 1.0).abs() < 1e-12);
        let turned = arranged(a.view(), &[Some(2), None, Some(0), Some(7)]);
        assert_eq!((turned[[0, 2]], turned[[2, 0]], turned[[0, 0]]), (5.0, 2.0, 9.0));
        assert!(turned[[0, 1]].is_nan() && turned[[3, 3]].is_nan());
    }

    #[test]
    fn shares_add_up_to_one() {
        let parts = shares(array![[1.0, -3.0], [f64::NAN, 4.0]].view());
        assert!(parts.is_some_and(|p| (p[[0, 1]] + 0.375).abs() < 1e-12 && p[[1, 0]].is_nan()));
        assert_eq!(shares(array![[0.0, f64::NAN]].view()), None);
    }
}
