//! One training batch on the host: what the network sees, what it is scored on, and the augmented views.

use ndarray::{Array3, ArrayView3};

/// How the full grid `[T, N]` is divided: held-in units come first, then held-out units; observed bins first, then forward bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Units the network sees.
    pub heldin: usize,
    /// Units it only predicts.
    pub heldout: usize,
    /// Bins the network sees.
    pub observed: usize,
    /// Bins after them that it only predicts.
    pub forward: usize,
}

impl Grid {
    /// N.
    pub fn units(&self) -> usize {
        self.heldin + self.heldout
    }

    /// T.
    pub fn bins(&self) -> usize {
        self.observed + self.forward
    }

    /// Whether the network sees an entry.
    pub fn sees(&self, bin: usize, unit: usize) -> bool {
        bin < self.observed && unit < self.heldin
    }

    /// Counts `[B, T, N]` as the network sees them at test time: zeros for held-out units and forward bins, and where a count is
    /// NaN (not recorded).
    pub fn visible(&self, counts: ArrayView3<'_, f32>) -> Array3<f32> {
        let mut seen = counts.to_owned();
        for ((_, bin, unit), value) in seen.indexed_iter_mut() {
            if !self.sees(bin, unit) || value.is_nan() {
                *value = 0.0;
            }
        }
        seen
    }
}

/// One batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Corrupted counts `[B, T, N]`; zeros for held-out units and forward bins.
    pub src: Array3<f32>,
    /// True counts `[B, T, N]`; 0 where they are not scored for want of a count.
    pub target: Array3<f32>,
    /// Which entries the Poisson loss scores `[B, T, N]`: masked held-in, all held-out, all forward; never an unrecorded one.
    pub scored: Array3<bool>,
    /// Two augmented views `[B, T, N]` for the contrastive term.
    pub views: Option<[Array3<f32>; 2]>,
}

impl Batch {
    /// How many entries are scored.
    pub fn n_scored(&self) -> usize {
        self.scored.iter().filter(|&&s| s).count()
    }
}
