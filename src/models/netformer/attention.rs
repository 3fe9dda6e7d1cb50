//! The estimate: A of a window, its mean over windows, and single entries over time. A is formed only here.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};
use rayon::prelude::*;

use super::{Activation, Data, Host};

/// Parts that windows are cut into for means; fixed, so that results do not depend on the number of threads.
const PARTS: usize = 16;

impl Host {
    /// A of a window `[queries, tokens]`: row = receiving unit, column = sending unit.
    pub fn attention(&self, data: &Data, start: usize) -> Array2<f32> {
        self.attention_rows(data, start, 0..self.folded.config.queries)
    }

    /// Some rows of A of a window `[rows, tokens]`.
    pub fn attention_rows(&self, data: &Data, start: usize, rows: Range<usize>) -> Array2<f32> {
        let features = self.folded.features(data.window(start, self.folded.config.history));
        let mut active = self.folded.active(&self.folded.query_rows(&features, rows), features.phi.view());
        active *= self.folded.config.factor() as f32;
        active
    }

    /// Mean of A over windows `[queries, tokens]`; zeros without windows. Without activation it is one matrix product over all
    /// windows, added up in place: no window's A is formed.
    pub fn mean_attention(&self, data: &Data, starts: &[usize]) -> Array2<f32> {
        let config = &self.folded.config;
        let sum_of = |starts: &[usize]| {
            let mut sum = Array2::<f32>::zeros((config.queries, config.tokens));
            for &start in starts {
                let features = self.folded.features(data.window(start, config.history));
                let rows = self.folded.query_rows(&features, 0..config.queries);
                match config.activation {
                    Activation::None => general_mat_mul(1.0, &rows, &features.phi.t(), 1.0, &mut sum),
                    _ => sum += &self.folded.active(&rows, features.phi.view()),
                }
            }
            sum
        };
        let parts: Vec<Array2<f32>> = starts.par_chunks(starts.len().div_ceil(PARTS).max(1)).map(sum_of).collect();
        let mut total = Array2::<f32>::zeros((config.queries, config.tokens));
        parts.iter().for_each(|part| total += part);
        total *= (config.factor() / starts.len().max(1) as f64) as f32;
        total
    }

    /// Entries `(receiving, sending)` of A over windows `[windows, entries]`; entries outside A stay 0. Smooth them with
    /// [`crate::analysis::connectivity::moving_average`] (published for synapses: over 10 000 steps).
    pub fn entries(&self, data: &Data, starts: &[usize], entries: &[(usize, usize)]) -> Array2<f32> {
        let config = &self.folded.config;
        let mut by_row: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, &(receiving, sending)) in entries.iter().enumerate() {
            if receiving < config.queries && sending < config.tokens {
                by_row.entry(receiving).or_default().push((at, sending));
            }
        }
        let mut out = Array2::<f32>::zeros((starts.len(), entries.len()));
        let windows: Vec<_> = out.outer_iter_mut().zip(starts).collect();
        windows.into_par_iter().for_each(|(mut values, &start)| {
            let features = self.folded.features(data.window(start, config.history));
            for (&receiving, wanted) in &by_row {
                let row = self.folded.query_rows(&features, receiving..receiving + 1);
                let active = self.entries_of_row(&row, features.phi.view(), wanted);
                wanted.iter().zip(active).for_each(|((at, _), value)| values[*at] = value * config.factor() as f32);
            }
        });
        out
    }

    /// Wanted entries of one row of A before scale. Softmax needs the whole row; the others are one inner product per entry.
    fn entries_of_row(&self, row: &Array2<f32>, phi: ArrayView2<'_, f32>, wanted: &[(usize, usize)]) -> Vec<f32> {
        if self.folded.config.activation == Activation::Softmax || wanted.len() * 2 > phi.nrows() {
            let active = self.folded.active(row, phi);
            return wanted.iter().map(|&(_, sending)| active[[0, sending]]).collect();
        }
        let chosen: Vec<usize> = wanted.iter().map(|&(_, sending)| sending).collect();
        let active = self.folded.active(row, phi.select(ndarray::Axis(0), &chosen).view());
        active.iter().copied().collect()
    }

    /// How much of A is the same in every window: per entry, mean and standard deviation over windows, both `[queries, tokens]`.
    /// A is formed for every window, so a few hundred windows spread over the recording are enough.
    pub fn attention_moments(&self, data: &Data, starts: &[usize]) -> (Array2<f32>, Array2<f32>) {
        let mean = self.mean_attention(data, starts);
        let squares_of = |starts: &[usize]| {
            let mut sum = Array2::<f32>::zeros(mean.raw_dim());
            for &start in starts {
                let own = self.attention(data, start);
                ndarray::Zip::from(&mut sum).and(&own).and(&mean).for_each(|s, a, m| *s += (a - m) * (a - m));
            }
            sum
        };
        let parts: Vec<Array2<f32>> = starts.par_chunks(starts.len().div_ceil(PARTS).max(1)).map(squares_of).collect();
        let mut total = Array2::<f32>::zeros(mean.raw_dim());
        parts.iter().for_each(|part| total += part);
        let windows = starts.len().max(1) as f32;
        let sd = total.mapv(|s| (s / windows).sqrt());
        (mean, sd)
    }
}
