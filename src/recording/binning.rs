//! Spike counts per trial, bin and unit, with the units of an area next to each other.

use ndarray::{Array3, Axis, parallel::prelude::*};

use super::{Recording, Trials};

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
            for (column, &unit) in order.iter().enumerate() {
                for &time in recording.spikes.unit_between(unit, begin, start + trials.bins as f64 * trials.bin_s) {
                    let bin = (((time - begin) / trials.bin_s) as usize).min(total - 1);
                    let cell = &mut trial[[bin, column]];
                    *cell = cell.checked_add(1).ok_or_else(|| BinningError::Overfull {
                        unit: recording.units.ids[unit].clone(),
                        bin_s: trials.bin_s,
                    })?;
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
