//! The activity of a recording as an array: its continuous activity, or spike counts in bins.

use std::ops::Range;

use ndarray::{ArcArray2, Array2};

use super::Samples;
use crate::recording::{Activity, Recording};

/// Largest number of values (bins times units) that is laid out; 2 GB.
const MOST_VALUES: usize = 250_000_000;
/// A spike this share of a bin before an edge is on the edge.
const EDGE_SLACK: f64 = 1e-6;
/// Time series whose name begins so drive the units from outside.
const INPUT: &str = "input ";

/// Activity of all units in bins. Bins follow each other inside a stretch only.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitActivity {
    /// `[bins, units]`: spikes per bin, or the continuous activity in its own unit.
    pub values: ArcArray2<f64>,
    /// What drives the units from outside in every bin, `[bins, inputs]`: the time series of the recording whose names begin with
    /// `input `. Only beside continuous activity.
    pub inputs: Option<Array2<f64>>,
    /// Stretches of consecutive bins (the recording's observed stretches), ascending.
    pub runs: Vec<Range<usize>>,
    /// Bin width in seconds.
    pub bin_s: f64,
    /// True for spike counts.
    pub counts: bool,
}

/// Why there is no activity to analyse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ActivityError {
    /// No spikes and no continuous activity.
    #[error("the recording '{recording}' has neither spikes nor continuous activity")]
    Nothing {
        /// Name of the recording.
        recording: String,
    },
    /// A width that is no width.
    #[error("the bin width is {bin_s} s; it must be above 0")]
    Width {
        /// Seconds.
        bin_s: f64,
    },
    /// More than fits in memory.
    #[error("{bins} bins of {units} units are too many at once; use wider bins, fewer units or a shorter stretch of time")]
    TooMuch {
        /// Bins asked for.
        bins: usize,
        /// Units.
        units: usize,
    },
}

impl UnitActivity {
    /// Continuous activity where the recording has any, in its own bins; spike counts in bins of `bin_s` seconds otherwise.
    ///
    /// # Errors
    /// [`ActivityError`] when there is nothing, or too much, to lay out.
    pub fn of(recording: &Recording, bin_s: f64) -> Result<Self, ActivityError> {
        match &recording.activity {
            None => Self::counts_of(recording, bin_s),
            Some(activity) => {
                let runs: Vec<_> = recording.observed.iter().map(|&(from, to)| activity.bins_between(from, to)).collect();
                let runs = if runs.is_empty() { std::iter::once(0..activity.bins()).collect() } else { runs };
                Ok(Self {
                    values: activity.values.clone(),
                    inputs: inputs(recording, activity),
                    runs,
                    bin_s: activity.bin_s,
                    counts: false,
                })
            }
        }
    }

    /// Spike counts in bins of `bin_s` seconds, from the start of every observed stretch on; a last bin that does not fit is
    /// left out.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn counts_of(recording: &Recording, bin_s: f64) -> Result<Self, ActivityError> {
        if !(bin_s > 0.0 && bin_s.is_finite()) {
            return Err(ActivityError::Width { bin_s });
        }
        let Some((first, last)) = recording.spikes.time_range() else {
            return Err(ActivityError::Nothing { recording: recording.name.clone() });
        };
        let stretches = match recording.observed.as_slice() {
            [] => vec![(first, last + bin_s)],
            some => some.to_vec(),
        };
        let lengths: Vec<usize> = stretches.iter().map(|(a, b)| ((b - a) / bin_s + EDGE_SLACK).max(0.0) as usize).collect();
        let (bins, units) = (lengths.iter().fold(0, |sum: usize, n| sum.saturating_add(*n)), recording.n_units());
        if bins.saturating_mul(units) > MOST_VALUES {
            return Err(ActivityError::TooMuch { bins, units });
        }
        let mut values = Array2::<f64>::zeros((bins, units));
        let (mut runs, mut begin) = (Vec::new(), 0);
        for (&(from, _), &length) in stretches.iter().zip(&lengths) {
            let slack = EDGE_SLACK * bin_s;
            for unit in 0..units {
                for time in recording.spikes.unit_between(unit, from - slack, from + length as f64 * bin_s - slack) {
                    let bin = ((time - from) / bin_s + EDGE_SLACK) as usize;
                    if let Some(cell) = values.get_mut([begin + bin.min(length.saturating_sub(1)), unit]) {
                        *cell += 1.0;
                    }
                }
            }
            runs.push(begin..begin + length);
            begin += length;
        }
        Ok(Self { values: values.into_shared(), inputs: None, runs, bin_s, counts: true })
    }

    /// For the functions of this module.
    pub fn samples(&self) -> Samples<'_> {
        Samples::new(self.values.view(), self.runs.clone())
    }
}

/// The last sample of every input that is not later than the bin's start, or its first.
fn inputs(recording: &Recording, activity: &Activity) -> Option<Array2<f64>> {
    let series: Vec<_> = recording.covariates.iter().filter(|c| c.name.starts_with(INPUT) && !c.values.is_empty()).collect();
    let slack = EDGE_SLACK * activity.bin_s;
    let table = Array2::from_shape_fn((activity.bins(), series.len()), |(bin, k)| {
        let time = activity.start_s + bin as f64 * activity.bin_s + slack;
        let at = series.get(k).map_or(0, |c| c.times.partition_point(|&t| t <= time).saturating_sub(1));
        series.get(k).and_then(|c| c.values.get(at)).copied().unwrap_or(0.0)
    });
    (!series.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{Covariate, RecordingParts, Source, SpikeTrains};

    fn parts() -> RecordingParts {
        RecordingParts {
            name: "r".into(),
            spikes: SpikeTrains::from_units([vec![0.05, 0.1, 0.25, 1.0, 1.1], vec![1.199_999_999_9, 1.29]]),
            unit_ids: vec!["a".into(), "b".into()],
            unit_areas: vec![String::new(); 2],
            observed: vec![(0.0, 0.3), (1.0, 1.35)],
            ..RecordingParts::default()
        }
    }

    fn recording(parts: RecordingParts) -> Recording {
        Recording::new(parts, Source::File("r.npz".into())).unwrap()
    }

    #[test]
    fn spikes_are_counted_stretch_by_stretch() {
        let counts = UnitActivity::of(&recording(parts()), 0.1).unwrap();
        assert_eq!(counts.values.column(0).to_vec(), [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(counts.values.column(1).to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 2.0], "a spike on an edge belongs to the later bin");
        assert_eq!((counts.runs.clone(), counts.counts, counts.samples().n_pairs(1)), (vec![0..3, 3..6], true, 4));
        let whole = UnitActivity::of(&recording(RecordingParts { observed: Vec::new(), ..parts() }), 0.1).unwrap();
        assert_eq!(whole.values.sum(), 7.0);
    }

    #[test]
    fn continuous_activity_is_taken_as_it_is() {
        let values = Array2::from_shape_fn((8, 2), |(t, u)| (2 * t + u) as f64).into_shared();
        let activity = Activity { name: "state".into(), unit: String::new(), start_s: 1.0, bin_s: 0.1, values: values.clone() };
        let with = recording(RecordingParts { activity: Some(activity), observed: vec![(1.0, 1.4), (1.4, 1.8)], ..parts() });
        let own = UnitActivity::of(&with, 5.0).unwrap();
        assert_eq!((own.values, own.runs, own.bin_s, own.counts), (values, vec![0..4, 4..8], 0.1, false));
        assert_eq!(own.inputs, None);
        let series = |name: &str, times: Vec<f64>| Covariate { name: name.into(), unit: String::new(), values: times.clone(), times };
        let covariates = vec![series("speed", vec![1.0]), series("input light", vec![1.1, 1.2, 1.45])];
        let driven = UnitActivity::of(&Recording { covariates, ..with }, 5.0).unwrap().inputs.unwrap();
        assert_eq!(driven.column(0).to_vec(), [1.1, 1.1, 1.2, 1.2, 1.2, 1.45, 1.45, 1.45]);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let silent = recording(RecordingParts { spikes: SpikeTrains::from_units([vec![], vec![]]), ..parts() });
        assert!(matches!(UnitActivity::of(&silent, 0.1), Err(ActivityError::Nothing { .. })));
        assert!(matches!(UnitActivity::of(&recording(parts()), 0.0), Err(ActivityError::Width { .. })));
        let error = UnitActivity::of(&recording(parts()), 1e-10).unwrap_err();
        assert!(error.to_string().contains("use wider bins"), "{error}");
    }
}
