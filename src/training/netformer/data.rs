//! Activity of a recording in the order of areas, its parts for training, validation and test, and stretches to look at.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};

use super::columns::{external, series, spikes_of_bins};
use crate::analysis::connectivity::UnitActivity;
use crate::models::netformer::{Data, Standardisation};
use crate::recording::{AreaRule, CELL_TYPE, Recording, Trials};
use crate::training::data::DataError;
use crate::training::{DataRecipe, Fit, NetFormerRecipe, Signal, Standardise};

/// Longest stretch whose mean attention is looked at by itself, bins.
const STRETCH_BINS: usize = 100;

/// Data of one run.
#[derive(Debug)]
pub(in crate::training) struct ActivityData {
    /// Areas by the recipe's rule.
    pub(in crate::training) recording: Arc<Recording>,
    /// Units of the recording, areas one after another.
    pub(in crate::training) units: Vec<usize>,
    pub(in crate::training) areas: Vec<String>,
    pub(in crate::training) area_sizes: Vec<usize>,
    /// Cell type of every token, from 0; its area where the recording has no types. External inputs are a type of their own.
    pub(super) types: Vec<usize>,
    /// Tokens after the units: external inputs, which are read and not predicted.
    pub(super) inputs: usize,
    /// Activity as it was recorded `[bins, units]`.
    pub(super) raw: Array2<f64>,
    /// It counts spikes.
    pub(super) counted: bool,
    /// Stretches of consecutive bins, and the time at which each begins, seconds.
    pub(super) runs: Vec<(Range<usize>, f64)>,
    /// Every window, in time order.
    pub(super) windows: Vec<usize>,
    /// What the network reads and predicts.
    pub(super) data: Data,
    /// Consecutive bins for training, validation and test.
    pub(in crate::training) train: Vec<Range<usize>>,
    pub(in crate::training) validation: Vec<Range<usize>>,
    pub(in crate::training) test: Vec<Range<usize>>,
    /// Stretches to look at: bins, and the same as trials for views.
    pub(super) stretches: Vec<Range<usize>>,
    pub(in crate::training) trials: Trials,
}

impl ActivityData {
    /// Prepare.
    ///
    /// # Errors
    /// [`DataError`] says which setting to change.
    pub(in crate::training) fn new(recording: &Arc<Recording>, recipe: &DataRecipe, model: &NetFormerRecipe) -> Result<Self, DataError> {
        let recording = match recipe.areas {
            AreaRule::Recorded => Arc::clone(recording),
            ref rule => Arc::new(rule.apply(recording)?),
        };
        let counted = |recording: &Recording| UnitActivity::counts_of(recording, recipe.trials.bin_s);
        let activity = match model.signal {
            Signal::Automatic => UnitActivity::of(&recording, recipe.trials.bin_s),
            Signal::Counts => counted(&recording),
        };
        let activity = activity.map_err(|e| DataError::Model(e.to_string()))?;
        let (units, areas, area_sizes) = order(&recording, &activity, recipe.min_rate_hz, model.predicted);
        if units.is_empty() {
            return Err(DataError::AllSilent { min_rate_hz: recipe.min_rate_hz });
        }
        let numbered = activity.runs.iter().enumerate();
        let runs: Vec<(Range<usize>, f64)> = numbered.map(|(n, run)| (run.clone(), begin_s(&recording, &activity, n, run))).collect();
        let mut raw = activity.values.select(Axis(1), &units);
        if !model.series.is_empty() {
            let values = series(&recording, &model.series, &runs, activity.bin_s, raw.nrows())?;
            raw.column_mut(0).assign(&values);
        }
        // Log-rates predict counts; everything else predicts what it reads.
        let targets = match model.fit {
            Fit::Squared => None,
            Fit::Poisson if !activity.counts && recording.spikes.n_spikes() > 0 => {
                Some(spikes_of_bins(&recording, &units, &runs, activity.bin_s, raw.nrows()))
            }
            Fit::Poisson => Some(raw.mapv(|v| v as f32)),
        };
        if targets.as_ref().is_some_and(|targets| targets.iter().any(|&v| v < 0.0)) {
            let text = "the Poisson loss is for counts, but the activity has values below 0; take the squared loss";
            return Err(DataError::Model(text.to_owned()));
        }
        let [train, validation, test] = parts(&activity.runs, recipe.split.train, recipe.split.validation);
        let needed = model.history + 1;
        if [&train, &validation, &test].iter().any(|part| part.iter().all(|run| run.len() < needed)) {
            let longest = activity.runs.iter().map(Range::len).max().unwrap_or(0);
            let text = format!(
                "no stretch of consecutive bins is long enough in every part of the recording: {} bins of history need {needed} bins, and \
                 the longest stretch, before it is split in time, has {longest}; shorten the history or take narrower bins",
                model.history
            );
            return Err(DataError::Model(text));
        }
        let mut values = raw.mapv(|v| v as f32);
        match model.standardise {
            Standardise::None => {}
            Standardise::Unit => Standardisation::per_column(values.view(), &train).apply(&mut values),
            Standardise::Counts => Standardisation::per_column_of_counts(values.view(), &train).apply(&mut values),
            Standardise::All => Standardisation::global(values.view(), &train).apply(&mut values),
            Standardise::Predicted => {
                let predicted = if model.predicted > 0 { model.predicted.min(units.len()) } else { units.len() };
                let mut own = values.slice_axis(Axis(1), Slice::from(..predicted)).to_owned();
                Standardisation::per_column(own.view(), &train).apply(&mut own);
                values.slice_axis_mut(Axis(1), Slice::from(..predicted)).assign(&own);
            }
        }
        let outside = activity.inputs.as_ref().filter(|_| model.inputs);
        if model.inputs && outside.is_none() {
            let text = "the recording has no external inputs (time series whose names begin with 'input ' beside continuous activity); \
                        switch off external inputs";
            return Err(DataError::Model(text.to_owned()));
        }
        let inputs = outside.map_or(0, Array2::ncols);
        if let Some(outside) = outside {
            values = beside(values.view(), external(outside, &activity.runs).view())?;
        }
        let data = Data::new(values, targets).map_err(|e| DataError::Model(e.to_string()))?;
        let (stretches, trials) = stretches(&recording, &activity, model.history);
        let mut types = types(&recording, &units);
        let outer = types.iter().max().map_or(0, |most| most + 1);
        types.extend(std::iter::repeat_n(outer, inputs));
        let windows = data.windows(&activity.runs, model.history);
        Ok(Self {
            recording,
            units,
            areas,
            area_sizes,
            types,
            inputs,
            counted: activity.counts,
            raw,
            runs,
            windows,
            data,
            train,
            validation,
            test,
            stretches,
            trials,
        })
    }

    pub(super) fn bin_s(&self) -> f64 {
        self.trials.bin_s
    }

    /// Windows whose predicted bin lies in `bins`; their history may begin before, inside the same run.
    pub(super) fn windows_into(&self, bins: &Range<usize>, history: usize) -> Vec<usize> {
        (bins.start.saturating_sub(history)..bins.end.saturating_sub(history)).collect()
    }

    /// Columns of the units alone: external inputs come last.
    pub(super) fn of_units(&self, matrix: Array2<f32>) -> Array2<f32> {
        if matrix.ncols() <= self.units.len() { matrix } else { matrix.slice_axis(Axis(1), Slice::from(..self.units.len())).to_owned() }
    }

    /// Trials of the last parts, to be kept with a run.
    pub(in crate::training) fn last_trials(&self) -> Vec<usize> {
        let first = self.test.first().map_or(usize::MAX, |run| run.start);
        (0..self.stretches.len()).filter(|&at| self.stretches.get(at).is_some_and(|s| s.start >= first)).take(4).collect()
    }
}

/// What a recipe takes from a recording for NetFormer.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityShape {
    /// Areas with the units used.
    pub areas: Vec<(String, usize)>,
    /// Bins for training, validation and test.
    pub bins: [usize; 3],
    /// Bin width, seconds.
    pub bin_s: f64,
    /// What is used, in one sentence.
    pub description: String,
}

impl ActivityShape {
    /// Work it out.
    ///
    /// # Errors
    /// [`DataError`] says which setting to change.
    pub fn new(recording: &Arc<Recording>, recipe: &DataRecipe, model: &NetFormerRecipe) -> Result<Self, DataError> {
        let data = ActivityData::new(recording, recipe, model)?;
        let bins = |part: &[Range<usize>]| part.iter().map(Range::len).sum();
        Ok(Self {
            bins: [bins(&data.train), bins(&data.validation), bins(&data.test)],
            bin_s: data.bin_s(),
            description: data.trials.description,
            areas: data.areas.into_iter().zip(data.area_sizes).collect(),
        })
    }
}

/// Units in the order of areas; when only the first units are predicted the order of the recording stays, as one group.
fn order(recording: &Recording, activity: &UnitActivity, min_rate_hz: f64, predicted: usize) -> (Vec<usize>, Vec<String>, Vec<usize>) {
    let seconds = activity.samples().bins() as f64 * activity.bin_s;
    let loud = |unit: usize| !activity.counts || activity.values.column(unit).sum() >= min_rate_hz * seconds;
    let kept: Vec<usize> = (0..recording.n_units()).filter(|&unit| loud(unit)).collect();
    if predicted > 0 {
        let name = recording.areas.first().cloned().unwrap_or_default();
        return (kept.clone(), vec![name], vec![kept.len()]);
    }
    let (mut units, mut areas, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (area, name) in recording.areas.iter().enumerate() {
        let members: Vec<usize> = kept.iter().copied().filter(|&unit| recording.units.area.get(unit) == Some(&area)).collect();
        if !members.is_empty() {
            areas.push(name.clone());
            sizes.push(members.len());
            units.extend(members);
        }
    }
    (units, areas, sizes)
}

/// Runs cut in time: the first share for training, the next for validation, the rest for test.
fn parts(runs: &[Range<usize>], train: f64, validation: f64) -> [Vec<Range<usize>>; 3] {
    let total: usize = runs.iter().map(Range::len).sum();
    let edge = |share: f64| (total as f64 * share).round() as usize;
    let edges = [edge(train), edge(train + validation), total];
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    let mut before = 0;
    for run in runs {
        let (mut from, mut place) = (run.start, before);
        for (part, &edge) in parts.iter_mut().zip(&edges) {
            let end = from + edge.saturating_sub(place).min(run.end - from);
            if end > from {
                part.push(from..end);
                (place, from) = (place + end - from, end);
            }
        }
        before += run.len();
    }
    parts
}

/// Pieces of the runs, without the bins that have no history, as bins and as trials.
fn stretches(recording: &Recording, activity: &UnitActivity, history: usize) -> (Vec<Range<usize>>, Trials) {
    let bins = activity.runs.iter().map(|run| run.len().saturating_sub(history)).max().unwrap_or(0).clamp(1, STRETCH_BINS);
    let (mut stretches, mut starts) = (Vec::new(), Vec::new());
    for (number, run) in activity.runs.iter().enumerate() {
        let begin = begin_s(recording, activity, number, run);
        let mut from = run.start + history;
        while from + bins <= run.end {
            stretches.push(from..from + bins);
            starts.push(begin + (from - run.start) as f64 * activity.bin_s);
            from += bins;
        }
    }
    let what = if activity.counts { "spike counts" } else { "continuous activity" };
    let trials = Trials {
        rows: (0..starts.len()).collect(),
        conditions: vec![String::new(); starts.len()],
        bins,
        pad_bins: 0,
        bin_s: activity.bin_s,
        table: None,
        description: format!("{what} in bins of {} ms, looked at in stretches of {bins} bins", activity.bin_s * 1e3),
        dropped: Vec::new(),
        starts,
    };
    (stretches, trials)
}

/// Time at which a run of bins begins.
fn begin_s(recording: &Recording, activity: &UnitActivity, number: usize, run: &Range<usize>) -> f64 {
    match (&recording.activity, activity.counts) {
        (Some(continuous), false) => continuous.start_s + run.start as f64 * continuous.bin_s,
        _ => {
            let first = recording.spikes.time_range().map_or(0.0, |(first, _)| first);
            recording.observed.get(number).map_or(first, |(from, _)| *from)
        }
    }
}

/// Numbered by what the used units have, so that no number is left out.
fn types(recording: &Recording, units: &[usize]) -> Vec<usize> {
    let groups = recording.groups_by(CELL_TYPE).unwrap_or_else(|| recording.groups_by_area());
    let of: Vec<usize> = units.iter().map(|&unit| groups.of_unit.get(unit).copied().unwrap_or_default()).collect();
    let mut known: Vec<usize> = of.clone();
    known.sort_unstable();
    known.dedup();
    of.iter().map(|group| known.partition_point(|k| k < group)).collect()
}

/// Columns side by side, row after row in memory.
fn beside(units: ArrayView2<'_, f32>, inputs: ArrayView2<'_, f32>) -> Result<Array2<f32>, DataError> {
    let joined = concatenate(Axis(1), &[units, inputs]).map_err(|e| DataError::Model(e.to_string()))?;
    Ok(joined.as_standard_layout().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_in_time() {
        let ends = |runs: &[Range<usize>], train, validation| {
            parts(runs, train, validation).map(|part| part.iter().map(|run| (run.start, run.end)).collect::<Vec<_>>())
        };
        assert_eq!(ends(&[0..60, 60..100], 0.5, 0.2), [vec![(0, 50)], vec![(50, 60), (60, 70)], vec![(70, 100)]]);
        assert_eq!(ends(std::slice::from_ref(&(10..20)), 0.8, 0.1), [vec![(10, 18)], vec![(18, 19)], vec![(19, 20)]]);
    }
}
