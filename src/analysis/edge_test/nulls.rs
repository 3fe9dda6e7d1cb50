//! The null of one pair: refits of copies in which the source's spikes tell nothing (finely timed) about the target any more.

use rayon::prelude::*;

use super::pair::Pair;
use super::run::Steps;
use super::{NullKind, NullTest};
use crate::analysis::coupling_stage::{Manipulation, SourceSpikes};
use crate::analysis::multiple::permutation_p;

/// Copies that are drawn before it is looked whether they are enough.
const BLOCK: usize = 20;

/// Draw copies until there are as many as planned, or enough of them are as large as `observed` (contribution in percent, gain in
/// nats). `None` when it was stopped.
pub(super) fn null(pair: &Pair<'_>, kind: NullKind, observed: (f64, f64), spikes: &SourceSpikes, steps: &Steps<'_>) -> Option<NullTest> {
    let plan = pair.plan;
    let (mut contributions, mut gains) = (Vec::new(), Vec::new());
    let mut stopped = false;
    while contributions.len() < plan.nulls && !stopped {
        if steps.stopped() {
            return None;
        }
        let first = contributions.len();
        let seeds: Vec<u64> = (first..(first + BLOCK).min(plan.nulls)).map(|k| pair.seed(1 + kind as u64).wrapping_add(k as u64)).collect();
        let copies: Vec<SourceSpikes> = seeds
            .par_iter()
            .map(|&seed| {
                let how = match kind {
                    NullKind::Shuffle => Manipulation::Shuffle { seed },
                    NullKind::Jitter => Manipulation::Jitter { window_bins: plan.window_bins, seed },
                };
                spikes.manipulated(how, &pair.area.conditions, pair.area.total_bins())
            })
            .collect();
        let fits = pair.fits(&copies.iter().collect::<Vec<_>>());
        let strengths: Vec<(f64, f64)> = fits.par_iter().zip(&copies).map(|(fit, copy)| pair.strength(fit, copy)).collect();
        contributions.extend(strengths.iter().map(|s| s.0));
        gains.extend(strengths.iter().map(|s| s.1));
        // Both statistics must have been exceeded often enough for their p-values to be told.
        let as_large = |null: &[f64], observed: f64| null.iter().filter(|n| **n >= observed).count();
        let least = as_large(&sizes(&contributions), observed.0.abs()).min(as_large(&gains, observed.1));
        stopped = plan.enough > 0 && least >= plan.enough && contributions.len() < plan.nulls;
        steps.step(seeds.len());
    }
    steps.step(plan.nulls - contributions.len());
    Some(NullTest {
        kind,
        p: permutation_p(observed.0.abs(), &sizes(&contributions)),
        p_gain: permutation_p(observed.1, &gains),
        contributions,
        gains,
        stopped,
    })
}

/// Without signs: coupling that evens out rates has a negative contribution.
fn sizes(contributions: &[f64]) -> Vec<f64> {
    contributions.iter().map(|c| c.abs()).collect()
}
