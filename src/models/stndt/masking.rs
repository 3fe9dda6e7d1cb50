//! Masking of held-in counts (spec §2.7): which entries are hidden from the network and scored, and what it sees instead.

use ndarray::{Array2, Array3, ArrayView3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::batch::{Batch, Grid};

/// What is masked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskMode {
    /// Every entry by itself (STNDT).
    Full,
    /// All held-in units of a bin (NDT).
    Timestep,
    /// All observed bins of a unit.
    Neuron,
}

/// How a batch is corrupted.
#[derive(Debug, Clone, PartialEq)]
pub struct Masking {
    /// What is masked together.
    pub mode: MaskMode,
    /// Share masked and scored.
    pub ratio: f64,
    /// Of the masked, the share replaced by zero.
    pub token_ratio: f64,
    /// Of the masked that are not zeroed, the share replaced by a random count below the batch's highest.
    pub random_ratio: f64,
    /// Longest span, bins. Spans are drawn once the ramp has begun; with mode `Full` they only lower the share masked to
    /// ratio / span for an epoch, as in the released code.
    pub max_span: usize,
    /// Epochs over which the probability of drawing a span rises from 0 to 1.
    pub ramp: (usize, usize),
    /// Augmented views for the contrastive term: ratio, token ratio, random ratio, always mode `Full`.
    pub views: (f64, f64, f64),
}

impl Default for Masking {
    /// As published for STNDT.
    fn default() -> Self {
        Self {
            mode: MaskMode::Full,
            ratio: 0.25,
            token_ratio: 1.0,
            random_ratio: 0.5,
            max_span: 1,
            ramp: (8000, 12_000),
            views: (0.05, 0.5, 0.5),
        }
    }
}

/// Where in the training a batch is; with the seed it determines every draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Passes through the data that are complete.
    pub epoch: usize,
    /// Batches of this epoch that are complete.
    pub batch: usize,
}

impl Masking {
    /// NDT: whole bins.
    pub fn ndt() -> Self {
        Self { mode: MaskMode::Timestep, ..Self::default() }
    }

    /// Corrupt full-grid counts `[B, T, N]` (NaN = not recorded). `views` asks for the two augmented views. The same for the same
    /// seed and moment.
    pub fn corrupt(&self, counts: ArrayView3<'_, f32>, grid: &Grid, seed: u64, moment: Moment, views: bool) -> Batch {
        // Full mode draws one span per epoch (the released code caches its probabilities), the others one per batch.
        let per_epoch = self.mode == MaskMode::Full;
        let mut random = stream(seed, moment, 0);
        let span =
            self.span(moment.epoch, &mut if per_epoch { stream(seed, Moment { batch: 0, ..moment }, 1) } else { stream(seed, moment, 1) });
        let visible = grid.visible(counts);
        let mask = self.mask(visible.dim().0, grid, span, &mut random);
        let src = replace(visible.clone(), &mask, self.token_ratio, self.random_ratio, &mut random);
        let mut target = counts.to_owned();
        let mut scored = Array3::from_elem(target.raw_dim(), true);
        for ((trial, bin, unit), flag) in scored.indexed_iter_mut() {
            let value = &mut target[[trial, bin, unit]];
            *flag = !value.is_nan() && (!grid.sees(bin, unit) || mask[[trial, bin, unit]]);
            if value.is_nan() {
                *value = 0.0;
            }
        }
        let view = |which: u64| {
            let mut random = stream(seed, moment, which);
            let (ratio, token, random_ratio) = self.views;
            let mask = Masking { mode: MaskMode::Full, ratio, ..self.clone() }.mask(visible.dim().0, grid, 1, &mut random);
            replace(visible.clone(), &mask, token, random_ratio, &mut random)
        };
        let views = views.then(|| [view(2), view(3)]);
        Batch { src, target, scored, views }
    }

    /// The validation mask: no spans, one fixed draw per seed.
    pub fn validation(&self, counts: ArrayView3<'_, f32>, grid: &Grid, seed: u64, batch: usize) -> Batch {
        // No epoch comes this late, so no training batch shares the draw.
        Self { max_span: 1, ..self.clone() }.corrupt(counts, grid, seed, Moment { epoch: u32::MAX as usize, batch }, false)
    }

    fn span(&self, epoch: usize, random: &mut ChaCha8Rng) -> usize {
        let (begin, end) = (self.ramp.0 as f64, self.ramp.1 as f64);
        let probability = ((epoch as f64 - begin) / (end - begin).max(1.0)).clamp(0.0, 1.0);
        match self.max_span > 1 && random.random::<f64>() < probability {
            true => random.random_range(1..=self.max_span),
            false => 1,
        }
    }

    /// `[B, T, N]`, true only where the network sees.
    fn mask(&self, trials: usize, grid: &Grid, span: usize, random: &mut ChaCha8Rng) -> Array3<bool> {
        let mut mask = Array3::from_elem((trials, grid.bins(), grid.units()), false);
        let ratio = if self.mode == MaskMode::Neuron { self.ratio } else { self.ratio / span as f64 };
        let mut draw = |rows: usize, columns: usize| Array2::from_shape_fn((rows, columns), |_| random.random::<f64>() < ratio);
        match self.mode {
            MaskMode::Full => {
                for trial in 0..trials {
                    let own = draw(grid.observed, grid.heldin);
                    own.indexed_iter().for_each(|((bin, unit), &m)| mask[[trial, bin, unit]] = m);
                }
            }
            MaskMode::Timestep => {
                let centres = draw(trials, grid.observed);
                for ((trial, bin), _) in centres.indexed_iter().filter(|(_, m)| **m) {
                    let first = (bin + span / 2 + 1).saturating_sub(span);
                    for bin in first..(bin + span / 2 + 1).min(grid.observed) {
                        (0..grid.heldin).for_each(|unit| mask[[trial, bin, unit]] = true);
                    }
                }
            }
            MaskMode::Neuron => {
                let units = draw(trials, grid.heldin);
                for ((trial, unit), _) in units.indexed_iter().filter(|(_, m)| **m) {
                    (0..grid.observed).for_each(|bin| mask[[trial, bin, unit]] = true);
                }
            }
        }
        mask
    }
}

/// Replace masked entries: first zeros, then random counts below the highest that is left (none when all are zero).
fn replace(mut counts: Array3<f32>, mask: &Array3<bool>, token_ratio: f64, random_ratio: f64, random: &mut ChaCha8Rng) -> Array3<f32> {
    let mut left = Vec::new();
    for ((at, value), _) in counts.indexed_iter_mut().zip(mask).filter(|(_, m)| **m) {
        if random.random::<f64>() < token_ratio {
            *value = 0.0;
        } else {
            left.push(at);
        }
    }
    let highest = counts.iter().fold(0.0f32, |a, &b| a.max(b)) as u32;
    for at in left {
        if random.random::<f64>() < random_ratio && highest > 0 {
            counts[at] = random.random_range(0..highest) as f32;
        }
    }
    counts
}

/// A stream of random numbers of its own for every moment and purpose.
fn stream(seed: u64, moment: Moment, purpose: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(((moment.epoch as u64) << 32) ^ ((moment.batch as u64) << 2) ^ purpose);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { heldin: 30, heldout: 10, observed: 40, forward: 8 };

    fn counts() -> Array3<f32> {
        Array3::from_shape_fn((20, 48, 40), |(b, t, n)| ((b * 31 + t * 7 + n * 3) % 5) as f32)
    }

    fn corrupt(masking: &Masking, epoch: usize, batch: usize, seed: u64) -> Batch {
        masking.corrupt(counts().view(), &GRID, seed, Moment { epoch, batch }, true)
    }

    fn share(batch: &Batch) -> f64 {
        let inside = batch.scored.indexed_iter().filter(|((_, t, n), _)| GRID.sees(*t, *n));
        inside.clone().filter(|(_, s)| **s).count() as f64 / inside.count() as f64
    }

    #[test]
    fn hidden_parts_are_zero_and_always_scored() {
        for mode in [MaskMode::Full, MaskMode::Timestep, MaskMode::Neuron] {
            let batch = corrupt(&Masking { mode, ..Masking::default() }, 0, 0, 1);
            let truth = counts();
            assert_eq!(batch.target, truth);
            for (at, &src) in batch.src.indexed_iter() {
                let scored = batch.scored[at];
                if !GRID.sees(at.1, at.2) {
                    assert!(src == 0.0 && scored);
                } else if !scored {
                    assert_eq!(src, truth[at]);
                } else {
                    assert_eq!(src, 0.0, "token ratio 1 zeroes every masked count");
                }
            }
            assert!((share(&batch) - 0.25).abs() < 0.07, "{mode:?}: {}", share(&batch));
            for view in batch.views.as_ref().into_iter().flatten() {
                let changed = view.indexed_iter().filter(|(at, v)| GRID.sees(at.1, at.2) && **v != truth[*at]).count();
                assert!(changed > 100 && changed < 1200, "{changed}");
                assert!(view.indexed_iter().all(|(at, v)| GRID.sees(at.1, at.2) || *v == 0.0));
            }
        }
    }

    #[test]
    fn masks_repeat_for_a_seed_and_differ_otherwise() {
        let masking = Masking { token_ratio: 0.5, ..Masking::default() };
        let one = corrupt(&masking, 3, 2, 9);
        let again = corrupt(&masking, 3, 2, 9);
        assert_eq!((&one.src, &one.scored, &one.views), (&again.src, &again.scored, &again.views));
        for (epoch, batch, seed) in [(3, 2, 8), (3, 1, 9), (2, 2, 9)] {
            assert_ne!(one.scored, corrupt(&masking, epoch, batch, seed).scored);
        }
        let views = one.views.iter().flatten().collect::<Vec<_>>();
        assert_ne!(views[0], views[1]);
    }

    #[test]
    fn whole_bins_and_whole_units() {
        let bins = corrupt(&Masking::ndt(), 0, 0, 1);
        let units = corrupt(&Masking { mode: MaskMode::Neuron, ..Masking::default() }, 0, 0, 1);
        for b in 0..20 {
            for t in 0..40 {
                assert!((0..30).all(|n| bins.scored[[b, t, n]] == bins.scored[[b, t, 0]]));
            }
            for n in 0..30 {
                assert!((0..40).all(|t| units.scored[[b, t, n]] == units.scored[[b, 0, n]]));
            }
        }
    }

    #[test]
    fn spans_come_with_the_ramp() {
        let masking = Masking { max_span: 5, ramp: (10, 20), ..Masking::ndt() };
        let masked_and_runs = |epoch: usize| {
            let (mut masked, mut runs) = (0.0, 0.0);
            for batch in 0..20 {
                let out = corrupt(&masking, epoch, batch, 4);
                for b in 0..20 {
                    for t in 0..40 {
                        masked += f64::from(u8::from(out.scored[[b, t, 0]]));
                        runs += f64::from(u8::from(out.scored[[b, t, 0]] && (t == 0 || !out.scored[[b, t - 1, 0]])));
                    }
                }
            }
            (masked / 16_000.0, masked / runs)
        };
        let ((early_share, early_run), (late_share, late_run)) = (masked_and_runs(0), masked_and_runs(30));
        assert!((early_share - 0.25).abs() < 0.04 && (late_share - 0.24).abs() < 0.05, "{early_share} and {late_share}");
        assert!(late_run > 1.4 * early_run, "mean runs of {early_run} and {late_run} bins");
        // The released code: in full mode a span only lowers the share.
        let full = Masking { max_span: 5, ramp: (10, 20), ..Masking::default() };
        let shares: Vec<f64> = (30..60).map(|epoch| share(&corrupt(&full, epoch, 0, 4))).collect();
        for expected in [0.25, 0.125, 0.05] {
            assert!(shares.iter().any(|s| (s - expected).abs() < 0.01), "{expected} not among {shares:?}");
        }
        assert!((30..40).all(|e| (share(&corrupt(&full, e, 0, 4)) - share(&corrupt(&full, e, 1, 4))).abs() < 0.02));
        assert!((0..10).all(|e| (share(&corrupt(&full, e, 0, 4)) - 0.25).abs() < 0.01));
    }

    #[test]
    fn random_replacement_stays_below_the_highest_and_skips_silence() {
        let masking = Masking { token_ratio: 0.0, random_ratio: 1.0, ratio: 1.0, ..Masking::default() };
        let batch = corrupt(&masking, 0, 0, 1);
        let values: std::collections::BTreeSet<u32> =
            batch.src.indexed_iter().filter(|(at, _)| GRID.sees(at.1, at.2)).map(|(_, v)| *v as u32).collect();
        assert_eq!(values.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        let silent = masking.corrupt(Array3::zeros((2, 48, 40)).view(), &GRID, 1, Moment { epoch: 0, batch: 0 }, true);
        assert!(silent.src.iter().all(|&v| v == 0.0));
    }

    #[test]
    fn unrecorded_counts_are_neither_seen_nor_scored() {
        let mut truth = counts();
        truth[[0, 0, 0]] = f32::NAN;
        truth[[1, 45, 35]] = f32::NAN;
        let batch = Masking { ratio: 1.0, ..Masking::default() }.corrupt(truth.view(), &GRID, 1, Moment { epoch: 0, batch: 0 }, false);
        assert!(!batch.scored[[0, 0, 0]] && !batch.scored[[1, 45, 35]]);
        assert!(batch.src.iter().chain(&batch.target).all(|v| v.is_finite()));
        assert_eq!(batch.n_scored(), 20 * 48 * 40 - 2);
    }
}
