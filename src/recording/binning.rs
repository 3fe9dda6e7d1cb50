//! Spike counts per trial, bin and unit, with the units of an area next to each other.

use ndarray::{Array3, Axis, parallel::prelude::*};

use super::{Recording, Trials};

/// A spike this fraction of a bin before an edge is on the edge.
const EDGE_SLACK: f64 = 1e-6;

/// Counts of every trial, ready for the models.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedTrials {
    /// Spike counts `[trials, pad_bins + bins, units]`; the first `pad_bins` bins are history only.
    pub counts: Array3<u8>,
    /// Padding bins.
    pub pad_bins: usize,
    /// Analysed bins.
    pub bins: usize,
    /// Bin width in seconds.
    pub bin_s: f64,
    /// Names of the areas, in the order of their units.
    pub areas: Vec<String>,
    /// Units per area; consecutive stretches of the last axis.
    pub area_sizes: Vec<usize>,
    /// Unit of the recording behind every column of `counts`.
    pub units: Vec<usize>,
}

/// Why counts cannot be made.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum BinningError {
    /// A bin holds more than 255 spikes.
    #[error("unit {unit} has more than 255 spikes in one bin of {bin_s} s; use narrower bins")]
    Overfull {
        /// Unit id.
        unit: String,
        /// Bin width in seconds.
        bin_s: f64,
    },
    /// No units chosen.
    #[error("no unit is left to analyse")]
    NoUnits,
}

impl BinnedTrials {
    /// Count the spikes of `units` (indices into the recording; they are regrouped by area, areas in recording order).
    ///
    /// # Errors
    /// [`BinningError`] when no unit is given or a count exceeds 255.
    pub fn count(recording: &Recording, trials: &Trials, units: &[usize]) -> Result<Self, BinningError> {
        let mut order = Vec::new();
        let (mut areas, mut area_sizes) = (Vec::new(), Vec::new());
        for (area, name) in recording.areas.iter().enumerate() {
            let members: Vec<usize> = units.iter().copied().filter(|&u| recording.units.area[u] == area).collect();
            if !members.is_empty() {
                areas.push(name.clone());
                area_sizes.push(members.len());
                order.extend(members);
            }
        }
        if order.is_empty() {
            return Err(BinningError::NoUnits);
        }
        let total = trials.pad_bins + trials.bins;
        let mut counts = Array3::<u8>::zeros((trials.starts.len(), total, order.len()));
        counts.axis_iter_mut(Axis(0)).into_par_iter().zip(&trials.starts).try_for_each(|(mut trial, &start)| {
            let begin = start - trials.pad_bins as f64 * trials.bin_s;
            let stop = start + trials.bins as f64 * trials.bin_s;
            // Times are often whole milliseconds and edges sums of bin widths: a spike on an edge belongs to the bin that begins
            // there, whichever way the two were rounded.
            let slack = EDGE_SLACK * trials.bin_s;
            for (column, &unit) in order.iter().enumerate() {
                for &time in recording.spikes.unit_between(unit, begin - slack, stop - slack) {
                    let bin = (((time - begin) / trials.bin_s + EDGE_SLACK) as usize).min(total - 1);
                    let cell = &mut trial[[bin, column]];
                    *cell = cell
                        .checked_add(1)
                        .ok_or_else(|| BinningError::Overfull { unit: recording.units.ids[unit].clone(), bin_s: trials.bin_s })?;
                }
            }
            Ok(())
        })?;
        Ok(Self { counts, pad_bins: trials.pad_bins, bins: trials.bins, bin_s: trials.bin_s, areas, area_sizes, units: order })
    }

    /// Number of trials.
    pub fn n_trials(&self) -> usize {
        self.counts.len_of(Axis(0))
    }

    /// Number of units.
    pub fn n_units(&self) -> usize {
        self.units.len()
    }

    /// Columns of area `area`.
    pub fn columns(&self, area: usize) -> std::ops::Range<usize> {
        let start: usize = self.area_sizes[..area].iter().sum();
        start..start + self.area_sizes[area]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RecordingParts, Source, SpikeTrains, TrialPlan, TrialSource};
    use super::*;

    fn recording(trains: &[&[f64]], areas: &[&str]) -> Recording {
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(trains.iter().map(|t| t.to_vec())),
            unit_ids: (0..trains.len()).map(|u| format!("u{u}")).collect(),
            unit_areas: areas.iter().map(|a| (*a).to_owned()).collect(),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("test".into())).unwrap()
    }

    fn trials(starts: &[f64], bins: usize, pad_bins: usize, bin_s: f64) -> Trials {
        let base = recording(&[&[0.0, 100.0]], &["a"]);
        let plan = TrialPlan { source: TrialSource::Tiles, window_s: 1.0, ..TrialPlan::default() };
        Trials { starts: starts.to_vec(), bins, pad_bins, bin_s, ..plan.resolve(&base).unwrap() }
    }

    #[test]
    fn spikes_fall_into_their_bins_with_history_before_them() {
        let recording = recording(&[&[0.85, 0.95, 1.05, 1.06, 1.25, 1.35]], &["a"]);
        let binned = BinnedTrials::count(&recording, &trials(&[1.0], 3, 1, 0.1), &[0]).unwrap();
        assert_eq!(binned.counts.iter().copied().collect::<Vec<u8>>(), [1, 2, 0, 1]);
        assert_eq!((binned.n_trials(), binned.n_units(), binned.pad_bins, binned.bins), (1, 1, 1, 3));
    }

    #[test]
    fn a_spike_on_an_edge_belongs_to_the_bin_that_begins_there() {
        // 0.1 * 3 is more than 0.3, and 0.7 / 0.1 less than 7.
        let times: Vec<f64> = (0..10).map(|k| f64::from(k) / 10.0).collect();
        let binned = BinnedTrials::count(&recording(&[&times], &["a"]), &trials(&[0.0], 10, 0, 0.1), &[0]).unwrap();
        assert_eq!(binned.counts.iter().copied().collect::<Vec<u8>>(), [1; 10]);
        let late = BinnedTrials::count(&recording(&[&times], &["a"]), &trials(&[0.1 * 3.0], 4, 2, 0.1), &[0]).unwrap();
        assert_eq!(late.counts.iter().copied().collect::<Vec<u8>>(), [1; 6]);
    }

    #[test]
    fn units_of_an_area_stand_together_in_the_order_of_the_recording() {
        let recording = recording(&[&[0.05], &[0.15], &[], &[0.05, 0.06]], &["b", "a", "b", "a"]);
        let binned = BinnedTrials::count(&recording, &trials(&[0.0], 2, 0, 0.1), &[3, 2, 0]).unwrap();
        assert_eq!(
            (binned.areas.join(" "), binned.area_sizes.as_slice(), binned.units.as_slice()),
            ("b a".to_owned(), &[2, 1][..], &[2, 0, 3][..])
        );
        assert_eq!((binned.columns(0), binned.columns(1)), (0..2, 2..3));
        assert_eq!(binned.counts.iter().copied().collect::<Vec<u8>>(), [0, 1, 2, 0, 0, 0]);
    }

    #[test]
    fn no_units_and_overfull_bins_are_errors() {
        let recording = recording(&[&[0.05; 256]], &["a"]);
        let plan = trials(&[0.0], 2, 0, 0.1);
        assert_eq!(BinnedTrials::count(&recording, &plan, &[]), Err(BinningError::NoUnits));
        assert_eq!(BinnedTrials::count(&recording, &plan, &[0]), Err(BinningError::Overfull { unit: "u0".to_owned(), bin_s: 0.1 }));
    }
}
