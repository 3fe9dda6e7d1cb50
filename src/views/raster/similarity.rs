//! An order of units in which those that are active at the same times lie side by side.
//!
//! Spectral seriation (Atkins, Boman & Hendrickson 1998, SIAM J. Comput. 28:297): the similarity of two units is the cosine of their
//! activities (0 when they are never active together), and the order is that of the second eigenvector of the normalised similarity
//! matrix. The matrix is never formed: a product with it is two products with the activities, so 10 000 units cost no more memory
//! than their counts.

use crate::analysis::watch::Watch;
use crate::recording::SpikeTrains;

/// Bins of the activity that is compared.
const BINS: usize = 400;
/// Steps of the power iteration.
const STEPS: usize = 400;
/// Times that neighbouring bins are averaged: bursts that follow one another closely count as similar.
const SMOOTHINGS: usize = 6;

/// Place of every unit along the order; units without spikes are NaN. Deterministic. `None` when it was stopped.
pub fn similarity_order(spikes: &SpikeTrains, watch: &Watch) -> Option<Vec<f64>> {
    let activity: Vec<Option<Vec<f64>>> = match spikes.time_range() {
        Some((first, last)) => (0..spikes.n_units()).map(|u| activity(spikes.unit(u), first, last)).collect(),
        None => vec![None; spikes.n_units()],
    };
    let rows: Vec<&[f64]> = activity.iter().flatten().map(Vec::as_slice).collect();
    let mut places = second_eigenvector(&rows, watch)?.into_iter();
    Some(activity.iter().map(|row| row.as_ref().and_then(|_| places.next()).unwrap_or(f64::NAN)).collect())
}

/// Smoothed square-root counts of length 1; `None` for a unit without spikes.
fn activity(train: &[f64], first: f64, last: f64) -> Option<Vec<f64>> {
    let per_s = BINS as f64 / (last - first).max(1e-9);
    let mut counts = vec![0.0f64; BINS];
    for time in train {
        if let Some(count) = counts.get_mut((((time - first) * per_s) as usize).min(BINS - 1)) {
            *count += 1.0;
        }
    }
    let mut smooth: Vec<f64> = counts.into_iter().map(f64::sqrt).collect();
    for _ in 0..SMOOTHINGS {
        let at = |k: usize| smooth.get(k).copied().unwrap_or(0.0);
        smooth = (0..BINS).map(|k| 0.25 * at(k.wrapping_sub(1)) + 0.5 * at(k) + 0.25 * at(k + 1)).collect();
    }
    let length = smooth.iter().map(|v| v * v).sum::<f64>().sqrt();
    (length > 1e-9).then(|| smooth.iter().map(|v| v / length).collect())
}

/// Second eigenvector of D^-½ S D^-½, scaled by D^-½, for S = A Aᵀ with rows A of length 1 and D the sums of its rows.
fn second_eigenvector(rows: &[&[f64]], watch: &Watch) -> Option<Vec<f64>> {
    let n = rows.len();
    let times = |x: &[f64]| -> Vec<f64> {
        let mut sum = vec![0.0; BINS];
        for (row, x) in rows.iter().zip(x) {
            sum.iter_mut().zip(*row).for_each(|(s, a)| *s += a * x);
        }
        rows.iter().map(|row| row.iter().zip(&sum).map(|(a, s)| a * s).sum()).collect()
    };
    let root: Vec<f64> = times(&vec![1.0; n]).into_iter().map(|d| d.max(1e-9).sqrt()).collect();
    let trivial = root.iter().map(|r| r * r).sum::<f64>().max(1e-300);
    // The first eigenvector is `root`; what remains after taking it out converges to the second.
    let mut x: Vec<f64> = (0..n).map(|k| ((k as f64 + 1.0) * 0.754_877_666).fract() - 0.5).collect();
    for step in 0..STEPS {
        if watch.stopped() {
            return None;
        }
        watch.tell(step + 1, STEPS);
        let scaled: Vec<f64> = x.iter().zip(&root).map(|(x, r)| x / r).collect();
        x = times(&scaled).into_iter().zip(&root).map(|(y, r)| y / r).collect();
        let along = x.iter().zip(&root).map(|(x, r)| x * r).sum::<f64>() / trivial;
        x.iter_mut().zip(&root).for_each(|(x, r)| *x -= along * r);
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length < 1e-12 {
            return Some(vec![0.0; n]);
        }
        x.iter_mut().for_each(|x| *x /= length);
    }
    Some(x.iter().zip(&root).map(|(x, r)| x / r).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn similarity_order(spikes: &SpikeTrains) -> Vec<f64> {
        super::similarity_order(spikes, &Watch::default()).unwrap()
    }

    #[test]
    fn units_that_fire_together_come_together() {
        // Two interleaved groups that are active in turn, and a silent unit.
        let burst = |phase: f64, k: usize| -> Vec<f64> {
            (0..4000).map(|i| f64::from(i) * 0.05 + 1e-4 * k as f64).filter(|t| ((t / 20.0 + phase).fract()) < 0.5).collect()
        };
        let mut trains: Vec<Vec<f64>> = (0..12).map(|u| burst(if u % 2 == 0 { 0.0 } else { 0.5 }, u)).collect();
        trains.push(Vec::new());
        let places = similarity_order(&SpikeTrains::from_units(trains));
        let mut order: Vec<usize> = (0..12).collect();
        order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
        let first = order[0] % 2;
        assert!(order[..6].iter().all(|u| u % 2 == first) && order[6..].iter().all(|u| u % 2 != first), "{order:?}");
        assert!(places[12].is_nan());
    }

    #[test]
    fn a_sequence_is_found_again() {
        // Unit u is active around its own time: the order is the sequence, forwards or backwards.
        let shuffled: Vec<usize> = (0..30).map(|k| (k * 7) % 30).collect();
        let trains = shuffled.iter().map(|&u| (0..400).map(|k| u as f64 * 3.0 + f64::from(k) * 0.03).collect());
        let places = similarity_order(&SpikeTrains::from_units(trains));
        let mut order: Vec<usize> = (0..30).collect();
        order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
        let found: Vec<usize> = order.iter().map(|k| shuffled[*k]).collect();
        assert!(found.is_sorted() || found.iter().rev().is_sorted(), "{found:?}");
    }

    #[test]
    fn nothing_to_compare_is_no_fault() {
        assert!(similarity_order(&SpikeTrains::default()).is_empty());
        assert!(similarity_order(&SpikeTrains::from_units([vec![], vec![]])).iter().all(|p| p.is_nan()));
        assert_eq!(similarity_order(&SpikeTrains::from_units([vec![1.0, 2.0]])).len(), 1);
    }
}
