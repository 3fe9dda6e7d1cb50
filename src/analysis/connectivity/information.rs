//! Transfer entropy and mutual information of activity cut into levels of equal width, plug-in estimates in bits.
//!
//! The levels span the smallest to the largest value of all units together. Both measures are biased upwards by about the number
//! of occupied cells over the number of bins, the same for all pairs of similar units; compare entries with each other, not with 0.

use ndarray::{Array2, Axis, parallel::prelude::*};

use super::Samples;

/// Largest number of levels.
const MOST_LEVELS: usize = 256;

/// Transfer entropy with one bin of history, `[receiving, sending]`, bits per bin: what the sender's present adds to the
/// receiver's present in telling the receiver's next bin, Σ p(y₊, y, x) log₂ p(y₊ | y, x) / p(y₊ | y) (Schreiber 2000).
/// `levels` is 2 to 256. The diagonal is 0.
pub fn transfer_entropy(samples: &Samples<'_>, levels: usize) -> Array2<f64> {
    let (units, pairs) = (samples.units(), samples.n_pairs(1));
    let mut entropy = Array2::zeros((units, units));
    let coded = Levels::new(samples, levels);
    let logs = Logs::new(pairs);
    let count = coded.count;
    entropy.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(target, mut row)| {
        let own = coded.unit(target);
        // Next and present level of the target as one number, renumbered so that only pairs that occur have one.
        let mut number = vec![u32::MAX; count * count];
        let (mut moves, mut move_counts, mut present) = (Vec::with_capacity(pairs), Vec::new(), vec![0_u32; count]);
        for (now, next) in coded.steps(own) {
            let slot = &mut number[usize::from(next) * count + usize::from(now)];
            if *slot == u32::MAX {
                *slot = move_counts.len() as u32;
                move_counts.push(0_u32);
            }
            move_counts[*slot as usize] += 1;
            present[usize::from(now)] += 1;
            moves.push((*slot, now));
        }
        let fixed = logs.sum(&present) - logs.sum(&move_counts);
        let (mut with_source, mut state) = (vec![0_u32; move_counts.len() * count], vec![0_u32; count * count]);
        for (source, value) in row.iter_mut().enumerate() {
            if source == target || pairs == 0 {
                continue;
            }
            with_source.fill(0);
            state.fill(0);
            for (&(slot, now), (sent, _)) in moves.iter().zip(coded.steps(coded.unit(source))) {
                with_source[slot as usize * count + usize::from(sent)] += 1;
                state[usize::from(now) * count + usize::from(sent)] += 1;
            }
            *value = ((logs.sum(&with_source) - logs.sum(&state) + fixed) / pairs as f64).max(0.0);
        }
    });
    entropy
}

/// Mutual information of units in the same bin, symmetric, bits: Σ p(x, y) log₂ p(x, y) / (p(x) p(y)). `levels` is 2 to 256.
/// The diagonal (a unit's own entropy) is set to 0 because it says nothing about connections.
pub fn mutual_information(samples: &Samples<'_>, levels: usize) -> Array2<f64> {
    let (units, bins) = (samples.units(), samples.bins());
    let mut information = Array2::zeros((units, units));
    let coded = Levels::new(samples, levels);
    let logs = Logs::new(bins);
    let count = coded.count;
    let alone: Vec<f64> = (0..units)
        .map(|unit| {
            let mut counts = vec![0_u32; count];
            coded.unit(unit).iter().for_each(|&level| counts[usize::from(level)] += 1);
            logs.sum(&counts)
        })
        .collect();
    information.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(a, mut row)| {
        let mut counts = vec![0_u32; count * count];
        for (b, value) in row.iter_mut().enumerate().take(a) {
            counts.fill(0);
            coded.unit(a).iter().zip(coded.unit(b)).for_each(|(&x, &y)| counts[usize::from(x) * count + usize::from(y)] += 1);
            let n = bins.max(1) as f64;
            *value = ((logs.sum(&counts) - alone[a] - alone[b]) / n + n.log2()).max(0.0);
        }
    });
    for a in 0..units {
        for b in 0..a {
            information[[b, a]] = information[[a, b]];
        }
    }
    information
}

/// Activity as levels, unit after unit, levels that no unit ever takes left out.
struct Levels {
    values: Vec<u8>,
    bins: usize,
    /// Bins that are the last of their stretch, ascending.
    ends: Vec<usize>,
    count: usize,
}

impl Levels {
    fn new(samples: &Samples<'_>, levels: usize) -> Self {
        let rows = samples.rows();
        let levels = levels.clamp(2, MOST_LEVELS);
        let (low, high) = rows.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        let scale = if high > low { levels as f64 / (high - low) } else { 0.0 };
        let level = |value: f64| (((value - low) * scale) as usize).min(levels - 1);
        let mut taken = vec![false; levels];
        rows.iter().for_each(|&v| taken[level(v)] = true);
        let mut number = vec![0_u8; levels];
        let mut count = 0;
        for (number, _) in number.iter_mut().zip(&taken).filter(|(_, taken)| **taken) {
            *number = count as u8;
            count += 1;
        }
        let bins = rows.nrows();
        let mut values = Vec::with_capacity(rows.len());
        for unit in rows.columns() {
            values.extend(unit.iter().map(|&v| number[level(v)]));
        }
        let ends = samples.runs.iter().scan(0, |end, run| {
            *end += run.len();
            Some(*end - 1)
        });
        Self { values, bins, ends: ends.collect(), count: count.max(1) }
    }

    fn unit(&self, unit: usize) -> &[u8] {
        &self.values[unit * self.bins..(unit + 1) * self.bins]
    }

    /// Every level with the next one of the same stretch.
    fn steps<'a>(&'a self, unit: &'a [u8]) -> impl Iterator<Item = (u8, u8)> + 'a {
        let mut first = 0;
        self.ends.iter().flat_map(move |&end| {
            let run = &unit[first..=end];
            first = end + 1;
            run.windows(2).map(|pair| (pair[0], pair[1]))
        })
    }
}

/// n log₂ n for every possible count.
struct Logs(Vec<f64>);

impl Logs {
    fn new(most: usize) -> Self {
        Self((0..=most).map(|n| if n > 1 { n as f64 * (n as f64).log2() } else { 0.0 }).collect())
    }

    fn sum(&self, counts: &[u32]) -> f64 {
        counts.iter().filter(|&&n| n > 1).map(|&n| self.0[n as usize]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Fair coins; unit 1 copies unit 0 one bin later, unit 2 equals unit 0 with errors.
    fn coins(bins: usize, errors: f64) -> Array2<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut x = Array2::from_shape_fn((bins, 4), |_| f64::from(u8::from(random.random::<f64>() < 0.5)));
        for t in 0..bins {
            x[[t, 1]] = if t > 0 { x[[t - 1, 0]] } else { 0.0 };
            x[[t, 2]] = if random.random::<f64>() < errors { 1.0 - x[[t, 0]] } else { x[[t, 0]] };
        }
        x
    }

    #[test]
    fn coins_have_the_information_of_coins() {
        let x = coins(40_000, 0.11);
        let samples = Samples::whole(x.view());
        let te = transfer_entropy(&samples, 2);
        assert!((te[[1, 0]] - 1.0).abs() < 0.01, "the copy is known from the original: {}", te[[1, 0]]);
        // A binary channel with error p carries 1 + p log p + (1 - p) log(1 - p) bits.
        let channel = 1.0 + 0.11 * 0.11_f64.log2() + 0.89 * 0.89_f64.log2();
        assert!((te[[1, 2]] - channel).abs() < 0.02, "{} instead of {channel}", te[[1, 2]]);
        assert!(te[[0, 1]] < 1e-3 && te[[3, 0]] < 1e-3 && te.diag().iter().all(|&d| d == 0.0));
        let mi = mutual_information(&samples, 2);
        assert!((mi[[0, 2]] - channel).abs() < 0.02 && mi[[0, 3]] < 1e-3 && mi[[0, 1]] < 1e-3);
        assert_eq!(mi, mi.t(), "symmetric");
        assert_eq!(mutual_information(&samples, 50), mi, "levels that nothing takes do not count");
        assert_eq!(transfer_entropy(&samples, 50), te);
    }

    #[test]
    fn order_of_units_and_stretches_do_not_matter() {
        let x = coins(600, 0.2);
        let samples = Samples::new(x.view(), vec![0..250, 250..251, 300..600]);
        let order = [2, 0, 3, 1];
        let turned = x.select(Axis(1), &order);
        let turned = Samples::new(turned.view(), samples.runs.clone());
        for measure in [transfer_entropy, mutual_information] {
            let (plain, turned) = (measure(&samples, 4), measure(&turned, 4));
            assert!(turned.indexed_iter().all(|((i, j), v)| (v - plain[[order[i], order[j]]]).abs() < 1e-12));
        }
        // Swapping two stretches changes no pair of bins.
        let mut moved = x.clone();
        moved.slice_axis_mut(Axis(0), (0..300).into()).assign(&x.slice_axis(Axis(0), (300..600).into()));
        moved.slice_axis_mut(Axis(0), (300..550).into()).assign(&x.slice_axis(Axis(0), (0..250).into()));
        let first = transfer_entropy(&Samples::new(x.view(), vec![0..250, 300..600]), 3);
        let second = transfer_entropy(&Samples::new(moved.view(), vec![0..300, 300..550]), 3);
        assert!(first.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn nothing_and_constants_carry_no_information() {
        let x = Array2::from_elem((50, 2), 0.3);
        assert_eq!(transfer_entropy(&Samples::whole(x.view()), 50), Array2::<f64>::zeros((2, 2)));
        assert_eq!(mutual_information(&Samples::whole(x.view()), 50), Array2::<f64>::zeros((2, 2)));
        assert_eq!(transfer_entropy(&Samples::new(x.view(), Vec::new()), 5), Array2::<f64>::zeros((2, 2)));
        assert_eq!(mutual_information(&Samples::new(x.view(), Vec::new()), 5), Array2::<f64>::zeros((2, 2)));
    }
}
