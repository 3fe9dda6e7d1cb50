//! Attention over time in which every bin looks at a band of bins around it. Queries are taken a block at a time with the keys
//! that any of them may see, so a narrow band costs little and a wide one is one matrix product.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use super::dropout::Drop;
use super::rows::{dot, softmax};
use super::{block, block_mut, simd};

/// Queries handled together when the band is narrow.
const QUERIES: usize = 32;

/// Which bins every bin sees, cut into blocks of queries.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    /// Bins that every bin sees.
    pub(crate) seen: Vec<Range<usize>>,
    blocks: Vec<(Range<usize>, Range<usize>)>,
}

impl Band {
    /// `seen` per bin; both ends must not decrease from bin to bin.
    pub(crate) fn new(seen: Vec<Range<usize>>) -> Self {
        let widest = seen.iter().map(Range::len).max().unwrap_or(0);
        // Above a third of all bins, masking inside one product is cheaper than many small ones.
        let size = if 3 * (widest + QUERIES) > seen.len() { seen.len() } else { QUERIES };
        let blocks = seen
            .chunks(size.max(1))
            .enumerate()
            .map(|(at, rows)| {
                let first = at * size;
                let keys = rows.first().map_or(0, |r| r.start)..rows.last().map_or(0, |r| r.end);
                (first..first + rows.len(), keys)
            })
            .collect();
        Self { seen, blocks }
    }

    /// Attention weights of one trial and head, per block of queries `[queries, keys]`; zero where a query does not see a key.
    /// `qkv` is `[T, 3N]` of one trial. Writes `out` `[T, N / heads]`.
    pub(crate) fn forward(&self, qkv: ArrayView2<'_, f32>, head: &Head, mut out: ArrayViewMut2<'_, f32>) -> Vec<Array2<f32>> {
        let mut kept = Vec::with_capacity(self.blocks.len());
        for (queries, keys) in &self.blocks {
            let mut weights = Array2::zeros((queries.len(), keys.len()));
            let part = |which: usize, rows: &Range<usize>| block(qkv, rows.clone(), head.columns(which));
            general_mat_mul(head.scale(), &part(0, queries), &part(1, keys).t(), 0.0, &mut weights);
            self.softmax(&mut weights, queries, keys);
            let mut rows = block_mut(out.view_mut(), queries.clone(), 0..head.width);
            match self.dropped(&weights, head, queries, keys) {
                Some(dropped) => general_mat_mul(1.0, &dropped, &part(2, keys), 0.0, &mut rows),
                None => general_mat_mul(1.0, &weights, &part(2, keys), 0.0, &mut rows),
            }
            kept.push(weights);
        }
        kept
    }

    /// Adds to `d_qkv` `[T, 3N]` of one trial given the gradient `d_out` `[T, N / heads]` of the head's output.
    pub(crate) fn backward(
        &self,
        qkv: ArrayView2<'_, f32>,
        head: &Head,
        kept: &[Array2<f32>],
        d_out: ArrayView2<'_, f32>,
        mut d_qkv: ArrayViewMut2<'_, f32>,
    ) {
        for ((queries, keys), weights) in self.blocks.iter().zip(kept) {
            let part = |which: usize, rows: &Range<usize>| block(qkv, rows.clone(), head.columns(which));
            let d_rows = block(d_out, queries.clone(), 0..head.width);
            let dropped = self.dropped(weights, head, queries, keys);
            let mut into = |which: usize, rows: &Range<usize>, alpha: f32, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>| {
                general_mat_mul(alpha, &a, &b, 1.0, &mut block_mut(d_qkv.view_mut(), rows.clone(), head.columns(which)));
            };
            into(2, keys, 1.0, dropped.as_ref().unwrap_or(weights).t(), d_rows);
            let mut slope = Array2::<f32>::zeros(weights.raw_dim());
            general_mat_mul(1.0, &d_rows, &part(2, keys).t(), 0.0, &mut slope);
            self.slopes(&mut slope, weights, head, queries, keys);
            into(0, queries, head.scale(), slope.view(), part(1, keys));
            into(1, keys, head.scale(), slope.t(), part(0, queries));
        }
    }

    fn softmax(&self, weights: &mut Array2<f32>, queries: &Range<usize>, keys: &Range<usize>) {
        let width = keys.len().max(1);
        let Some(values) = weights.as_slice_mut() else { return };
        simd(
            #[inline(always)]
            || {
                for (row, seen) in values.chunks_exact_mut(width).zip(&self.seen[queries.clone()]) {
                    let (before, rest) = row.split_at_mut(seen.start - keys.start);
                    let (inside, after) = rest.split_at_mut(seen.len());
                    before.fill(0.0);
                    after.fill(0.0);
                    softmax(inside);
                }
            },
        );
    }

    /// Weights after dropout; `None` when nothing is dropped.
    fn dropped(&self, weights: &Array2<f32>, head: &Head, queries: &Range<usize>, keys: &Range<usize>) -> Option<Array2<f32>> {
        let drop = head.drop?;
        let mut dropped = weights.clone();
        let width = keys.len().max(1);
        let values = dropped.as_slice_mut()?;
        simd(
            #[inline(always)]
            || {
                for (row, query) in values.chunks_exact_mut(width).zip(queries.clone()) {
                    drop.multiply(row, head.index(self.seen.len(), query, keys.start));
                }
            },
        );
        Some(dropped)
    }

    /// From the gradient of the dropped weights to that of the scores, in place.
    fn slopes(&self, slope: &mut Array2<f32>, weights: &Array2<f32>, head: &Head, queries: &Range<usize>, keys: &Range<usize>) {
        let width = keys.len().max(1);
        let (Some(slope), Some(weights)) = (slope.as_slice_mut(), weights.as_slice()) else { return };
        simd(
            #[inline(always)]
            || {
                for ((d, w), query) in slope.chunks_exact_mut(width).zip(weights.chunks_exact(width)).zip(queries.clone()) {
                    if let Some(drop) = &head.drop {
                        drop.multiply(d, head.index(self.seen.len(), query, keys.start));
                    }
                    let along = dot(d, w);
                    for (d, w) in d.iter_mut().zip(w) {
                        *d = w * (*d - along);
                    }
                }
            },
        );
    }

    /// The weights of [`Self::forward`] as one map `[T, T]`, added to `map` with a factor.
    pub(crate) fn add_map(&self, kept: &[Array2<f32>], factor: f32, map: &mut Array2<f32>) {
        for ((queries, keys), weights) in self.blocks.iter().zip(kept) {
            block_mut(map.view_mut(), queries.clone(), keys.clone()).scaled_add(factor, weights);
        }
    }
}

/// One head of one trial.
pub(crate) struct Head {
    /// Which head.
    pub(crate) at: usize,
    /// Columns per head.
    pub(crate) width: usize,
    /// Columns of queries (as many of keys and of values).
    pub(crate) model: usize,
    /// Dropout of the weights.
    pub(crate) drop: Option<Drop>,
}

impl Head {
    fn columns(&self, which: usize) -> Range<usize> {
        let first = which * self.model + self.at * self.width;
        first..first + self.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    #[inline(always)]
    fn index(&self, bins: usize, query: usize, key: usize) -> u32 {
        (((self.at * bins + query) * bins) + key) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of queries must give what one block with all keys gives.
    #[test]
    fn blocks_change_nothing() {
        let bins = 200;
        let seen: Vec<_> = (0..bins).map(|i: usize| i.saturating_sub(8)..(i + 5).min(bins)).collect();
        let narrow = Band::new(seen.clone());
        assert!(narrow.blocks.len() > 5);
        let whole = Band { seen, blocks: vec![(0..bins, 0..bins)] };
        let qkv = Array2::from_shape_fn((bins, 18), |(i, j)| ((i * 5 + j * 11) as f32 * 0.13).sin());
        let d_out = Array2::from_shape_fn((bins, 3), |(i, j)| ((i * 3 + j) as f32 * 0.7).cos());
        let head = Head { at: 1, width: 3, model: 6, drop: Drop::new(3, 2, 1, 0.3) };
        let run = |band: &Band| {
            let mut out = Array2::<f32>::zeros((bins, 3));
            let kept = band.forward(qkv.view(), &head, out.view_mut());
            let mut d = Array2::<f32>::zeros((bins, 18));
            band.backward(qkv.view(), &head, &kept, d_out.view(), d.view_mut());
            let mut map = Array2::<f32>::zeros((bins, bins));
            band.add_map(&kept, 1.0, &mut map);
            [out, d, map]
        };
        for (a, b) in run(&narrow).iter().zip(&run(&whole)) {
            assert!((a - b).iter().all(|d| d.abs() < 1e-5));
            assert!(a.iter().any(|v| v.abs() > 0.1));
        }
        assert!(run(&narrow)[2].outer_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
    }
}
