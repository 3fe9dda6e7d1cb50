//! Counts per bin made into spikes: a bin with n spikes has them at equal distances inside it, so that binning them again at the
//! same width gives the same counts.

use super::super::clean::counted;

/// More spikes than this come from numbers that are no counts.
const MOST_SPIKES: u64 = 500_000_000;
const MOST_PER_BIN: f64 = 10_000.0;

/// Counts in three dimensions, in whatever order the file has them.
pub(in crate::formats) struct Counts {
    pub(in crate::formats) trials: usize,
    pub(in crate::formats) bins: usize,
    pub(in crate::formats) units: usize,
    /// Distance in `values` from one trial, bin and unit to the next.
    strides: [usize; 3],
    values: Vec<f64>,
}

/// Where the counts lie in time.
pub(in crate::formats) struct Grid<'g> {
    /// Start of every trial, seconds.
    pub(in crate::formats) starts: &'g [f64],
    /// Bins of the trial that come before.
    pub(in crate::formats) first_bin: usize,
    /// Bin width, seconds.
    pub(in crate::formats) bin_s: f64,
}

impl Counts {
    /// `strides` are those of trials, bins and units. `Err` says what is wrong with the sizes.
    pub(in crate::formats) fn new(sizes: [usize; 3], strides: [usize; 3], values: Vec<f64>) -> Result<Self, String> {
        let [trials, bins, units] = sizes;
        let last = sizes.iter().zip(strides).try_fold(0usize, |at, (&n, s)| at.checked_add(n.saturating_sub(1).checked_mul(s)?));
        let empty = sizes.contains(&0);
        if !empty && last.is_none_or(|last| last >= values.len()) {
            return Err(format!("it has {} for {trials} trials of {bins} bins and {units} units", counted(values.len(), "number")));
        }
        Ok(Self { trials, bins, units, strides, values })
    }

    fn at(&self, trial: usize, bin: usize, unit: usize) -> f64 {
        let [t, b, u] = self.strides;
        self.values.get(trial * t + bin * b + unit * u).copied().unwrap_or(0.0)
    }

    /// Number of spikes and of missing values (NaN); `Err` when these are no counts.
    pub(in crate::formats) fn check(&self) -> Result<(u64, u64), String> {
        let (mut spikes, mut missing) = (0u64, 0u64);
        for &value in &self.values {
            if value.is_nan() {
                missing += 1;
            } else if value < 0.0 || value.fract() != 0.0 || value > MOST_PER_BIN {
                return Err(format!("it holds {value}, which is no number of spikes in a bin"));
            } else {
                spikes += value as u64;
            }
        }
        if spikes > MOST_SPIKES {
            return Err(format!("it holds {spikes} spikes, more than {MOST_SPIKES}"));
        }
        Ok((spikes, missing))
    }

    /// Mean of the values that are not missing.
    pub(in crate::formats) fn mean(&self) -> f64 {
        let there = || self.values.iter().filter(|v| !v.is_nan());
        there().sum::<f64>() / there().count().max(1) as f64
    }

    /// Append the spikes of every unit to `trains`, beginning with `trains[first_unit]`. Times of a train do not ascend from one
    /// call to the next.
    pub(in crate::formats) fn spikes(&self, grid: &Grid, first_unit: usize, trains: &mut [Vec<f64>]) {
        for (unit, train) in trains.iter_mut().skip(first_unit).take(self.units).enumerate() {
            for (trial, start) in grid.starts.iter().enumerate().take(self.trials) {
                for bin in 0..self.bins {
                    let count = self.at(trial, bin, unit);
                    // NaN is no spike.
                    for k in 0..count as u64 {
                        let within = (k as f64 + 0.5) / count;
                        train.push(start + (grid.first_bin + bin) as f64 * grid.bin_s + within * grid.bin_s);
                    }
                }
            }
        }
    }
}

/// Starts of `trials` trials of `bins` bins, with a pause of a tenth of a second (whole bins) after each, seconds.
pub(in crate::formats) fn starts(trials: usize, bins: usize, bin_s: f64) -> Vec<f64> {
    let spacing = bins as f64 + (0.1 / bin_s).ceil().max(1.0);
    (0..trials).map(|k| k as f64 * spacing * bin_s).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn counts_become_spikes_inside_their_bins() {
        // [trials, bins, units] = [1, 3, 2] in C order, then the same with time running fastest.
        for (strides, values) in [([6, 2, 1], vec![1.0, 0.0, 0.0, 2.0, 3.0, 0.0]), ([6, 1, 3], vec![1.0, 0.0, 3.0, 0.0, 2.0, 0.0])] {
            let counts = Counts::new([1, 3, 2], strides, values).unwrap();
            assert_eq!(counts.check(), Ok((6, 0)));
            let mut trains = vec![Vec::new(); 3];
            counts.spikes(&Grid { starts: &[10.0], first_bin: 4, bin_s: 1.0 }, 1, &mut trains);
            assert_eq!(trains[1], [14.5, 16.0 + 1.0 / 6.0, 16.5, 16.0 + 5.0 / 6.0]);
            assert_eq!((trains[0].len(), &trains[2]), (0, &vec![15.25, 15.75]));
        }
    }

    #[test]
    fn what_are_no_counts_is_refused() {
        let check = |values: Vec<f64>| Counts::new([1, values.len(), 1], [0, 1, 0], values).unwrap().check();
        assert_eq!(check(vec![0.0, f64::NAN, 2.0]), Ok((2, 1)));
        assert_eq!(check(vec![0.5]).unwrap_err(), "it holds 0.5, which is no number of spikes in a bin");
        assert!(check(vec![-1.0]).is_err() && check(vec![1e9]).is_err() && check(vec![f64::INFINITY]).is_err());
        assert!(Counts::new([2, 3, 4], [12, 4, 1], vec![0.0; 23]).is_err());
    }

    #[test]
    fn trials_have_a_pause_between_them() {
        assert_eq!(starts(3, 10, 0.05), [0.0, 0.6000000000000001, 1.2000000000000002]);
        assert_eq!(starts(2, 4, 0.5), [0.0, 2.5]);
    }
}
