//! Columns of activity that are not simply what the units did: a covariate in place of a unit, external inputs, and the spikes that
//! follow from continuous activity.

use std::ops::Range;

use ndarray::{Array1, Array2};

use crate::recording::{Covariate, Recording};
use crate::training::data::DataError;

/// A spike this share of a bin before an edge is on the edge.
const EDGE_SLACK: f64 = 1e-6;

/// A covariate in the bins of stretches that begin at known times: the mean of a bin's samples, or the last sample before it.
pub(super) fn series(
    recording: &Recording,
    name: &str,
    runs: &[(Range<usize>, f64)],
    bin_s: f64,
    bins: usize,
) -> Result<Array1<f64>, DataError> {
    let Some(covariate) = recording.covariates.iter().find(|c| c.name == name && !c.values.is_empty()) else {
        let have: Vec<&str> = recording.covariates.iter().map(|c| c.name.as_str()).collect();
        let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
        let text =
            format!("the recording has no covariate '{name}' to take in place of the first unit (it has: {have}); empty the setting");
        return Err(DataError::Model(text));
    };
    let mut values = Array1::zeros(bins);
    for (run, begin) in runs {
        for bin in run.clone() {
            let from = begin + (bin - run.start) as f64 * bin_s;
            if let Some(value) = values.get_mut(bin) {
                *value = mean_between(covariate, from, from + bin_s);
            }
        }
    }
    Ok(values)
}

fn mean_between(covariate: &Covariate, from: f64, to: f64) -> f64 {
    let place = |time: f64| covariate.times.partition_point(|t| *t < time);
    let (first, last) = (place(from), place(to));
    match covariate.values.get(first..last).filter(|values| !values.is_empty()) {
        Some(values) => values.iter().sum::<f64>() / values.len() as f64,
        None => covariate.values.get(first.saturating_sub(1)).copied().unwrap_or_default(),
    }
}

/// External inputs `[bins, inputs]` as the network sees them: beside the state of a bin stands the input that leads to the next one;
/// at the end of a stretch 0 (spec §4c).
pub(super) fn external(inputs: &Array2<f64>, runs: &[Range<usize>]) -> Array2<f32> {
    let mut shifted = Array2::zeros(inputs.raw_dim());
    for run in runs {
        let bins = run.start..run.end.saturating_sub(1).min(inputs.nrows().saturating_sub(1));
        for bin in bins {
            shifted.row_mut(bin).zip_mut_with(&inputs.row(bin + 1), |to: &mut f32, from: &f64| *to = *from as f32);
        }
    }
    shifted
}

/// Spikes `[bins, units]` that follow from continuous activity: its value in a bin decides about the spikes of that bin, so these are
/// what a window that ends there predicts, and they stand one bin later.
pub(super) fn spikes_of_bins(recording: &Recording, units: &[usize], runs: &[(Range<usize>, f64)], bin_s: f64, bins: usize) -> Array2<f32> {
    let mut spikes = Array2::zeros((bins, units.len()));
    for (run, begin) in runs {
        let end = begin + run.len() as f64 * bin_s;
        for (column, &unit) in units.iter().enumerate() {
            for time in recording.spikes.unit_between(unit, *begin, end) {
                let bin = run.start + ((time - begin) / bin_s + EDGE_SLACK) as usize + 1;
                if let Some(cell) = spikes.get_mut([bin, column]).filter(|_| bin < run.end) {
                    *cell += 1.0;
                }
            }
        }
    }
    spikes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let times: Vec<f64> = (0..8).map(|k| 0.05 + 0.1 * f64::from(k)).collect();
        let covariate = Covariate { name: "v".into(), unit: "mV".into(), values: (0..8).map(f64::from).collect(), times };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.05, 0.25, 0.31], vec![0.7]]),
            unit_ids: vec!["a".into(), "b".into()],
            unit_areas: vec![String::new(); 2],
            covariates: vec![covariate],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r.npz".into())).unwrap()
    }

    #[test]
    fn a_series_is_averaged_in_bins_and_a_missing_one_is_named() {
        let runs = [(0..2, 0.0), (2..4, 0.4)];
        let values = series(&recording(), "v", &runs, 0.2, 5).unwrap();
        assert_eq!(values.to_vec(), [0.5, 2.5, 4.5, 6.5, 0.0]);
        let fine = series(&recording(), "v", &[(0..2, 0.06)], 0.05, 2).unwrap();
        assert_eq!(fine.to_vec(), [0.0, 1.0], "the last sample before a bin without samples");
        let error = series(&recording(), "w", &runs, 0.2, 5).unwrap_err().to_string();
        assert!(error.contains("'w'") && error.contains("it has: v"), "{error}");
    }

    #[test]
    fn inputs_stand_beside_the_state_they_act_on() {
        let inputs = Array2::from_shape_fn((5, 1), |(bin, _)| bin as f64);
        assert_eq!(external(&inputs, &[0..3, 3..5]).column(0).to_vec(), [1.0, 2.0, 0.0, 4.0, 0.0]);
    }

    #[test]
    fn spikes_stand_one_bin_after_the_activity_that_made_them() {
        let spikes = spikes_of_bins(&recording(), &[1, 0], &[(0..4, 0.0), (4..8, 0.4)], 0.1, 8);
        assert_eq!(spikes.column(1).to_vec(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], "the spike of the last bin has no place");
        assert_eq!(spikes.column(0).to_vec(), [0.0; 8]);
    }
}
