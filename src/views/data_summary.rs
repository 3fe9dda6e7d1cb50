//! What a recipe takes from a recording before anything is trained: trials, bins, units, memory, and what it leaves out and why.
//! Pure functions; the Train view runs them on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::recording::Recording;
use crate::training::{ActivityShape, DataRecipe, DataShape, ModelRecipe};

/// What will be used, and what not.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSummary {
    /// Area names with units used and units in the recording.
    pub areas: Vec<(String, usize, usize)>,
    /// Trials of the training, validation and test sets.
    pub split: [usize; 3],
    /// Where trials come from, in one sentence.
    pub description: String,
    /// Analysed bins per trial, and padding bins before them.
    pub bins: (usize, usize),
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Reasons for dropped trials with how many each.
    pub dropped_trials: Vec<(String, usize)>,
    /// Units used.
    pub units: usize,
    /// Ids and rates (spikes per second inside the trials) of units left out.
    pub dropped_units: Vec<(String, f64)>,
    /// Spikes inside the analysed windows of the units used.
    pub spikes: usize,
    /// Memory of the counts as bytes, and on the training device as f32.
    pub bytes: (u64, u64),
    /// The model reads bins one after another, without trials: `split` counts bins.
    pub in_bins: bool,
}

impl DataSummary {
    /// What of this decides how long training takes.
    pub fn shape(&self) -> DataShape {
        DataShape {
            areas: self.areas.iter().map(|(_, kept, _)| *kept).filter(|kept| *kept > 0).collect(),
            bins: self.bins.0,
            pad_bins: self.bins.1,
            bin_s: self.bin_s,
            train: self.split[0],
            others: self.split[1] + self.split[2],
        }
    }

    /// Trials used.
    pub fn trials(&self) -> usize {
        self.split.iter().sum()
    }
}

/// Work out what a recipe takes from `recording`.
///
/// # Errors
/// In words for the user: which setting leaves nothing to train on.
pub fn summarise_for(recording: &Arc<Recording>, data: &DataRecipe, model: &ModelRecipe) -> Result<DataSummary, String> {
    let ModelRecipe::NetFormer(model) = model else { return summarise(recording, data) };
    let shape = ActivityShape::new(recording, data, model).map_err(|e| sentence(&e.to_string()))?;
    let units: usize = shape.areas.iter().map(|(_, units)| units).sum();
    let values = shape.bins.iter().sum::<usize>() as u64 * units as u64;
    Ok(DataSummary {
        areas: shape.areas.into_iter().map(|(name, units)| (name, units, units)).collect(),
        split: shape.bins,
        description: sentence(&shape.description),
        bins: (1, 0),
        bin_s: shape.bin_s,
        dropped_trials: Vec::new(),
        units,
        dropped_units: Vec::new(),
        spikes: 0,
        bytes: (8 * values, 4 * values),
        in_bins: true,
    })
}

/// Work out what `data` takes from `recording`, cut into trials.
///
/// # Errors
/// In words for the user: which setting leaves nothing to train on.
pub fn summarise(recording: &Recording, data: &DataRecipe) -> Result<DataSummary, String> {
    let names = data
        .areas
        .names(recording)
        .ok_or_else(|| format!("Areas by {} are not possible for this recording; choose another rule.", data.areas.label()))?;
    let trials = data.trials.resolve(recording).map_err(|e| sentence(&e.to_string()))?;
    let window_s = trials.bins as f64 * trials.bin_s;
    let observed_s = window_s * trials.starts.len() as f64;
    let (mut areas, mut dropped_units, mut spikes, mut units) = (Vec::<(String, usize, usize)>::new(), Vec::new(), 0, 0);
    for (unit, name) in names.iter().enumerate() {
        let inside: usize = trials.starts.iter().map(|&start| recording.spikes.unit_between(unit, start, start + window_s).len()).sum();
        let rate = if observed_s > 0.0 { inside as f64 / observed_s } else { 0.0 };
        let used = rate >= data.min_rate_hz;
        let entry = match areas.iter().position(|(area, _, _)| area == name) {
            Some(place) => place,
            None => {
                areas.push((name.clone(), 0, 0));
                areas.len() - 1
            }
        };
        if let Some((_, kept, total)) = areas.get_mut(entry) {
            *total += 1;
            *kept += usize::from(used);
        }
        if used {
            units += 1;
            spikes += inside;
        } else {
            dropped_units.push((recording.units.ids.get(unit).cloned().unwrap_or_default(), rate));
        }
    }
    if units == 0 {
        return Err(format!("No unit fires at least {} Hz inside the trials; lower the lowest rate.", data.min_rate_hz));
    }
    let mut reasons = BTreeMap::<&str, usize>::new();
    for dropped in &trials.dropped {
        *reasons.entry(&dropped.reason).or_default() += 1;
    }
    let mut dropped_trials: Vec<(String, usize)> = reasons.into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect();
    dropped_trials.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let split = data.split_of(recording, &trials).map_err(|e| sentence(&e.to_string()))?;
    let cells = trials.starts.len() as u64 * (trials.bins + trials.pad_bins) as u64 * units as u64;
    Ok(DataSummary {
        areas,
        split: [split.train.len(), split.validation.len(), split.test.len()],
        description: sentence(&trials.description),
        bins: (trials.bins, trials.pad_bins),
        bin_s: trials.bin_s,
        dropped_trials,
        units,
        dropped_units,
        spikes,
        bytes: (cells, 4 * cells),
        in_bins: false,
    })
}

/// With a capital letter at its front.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{AreaRule, IntervalTable, RecordingParts, Source, SpikeTrains};
    use crate::training::{PRESETS, Recipe};

    fn recording() -> Recording {
        let parts = RecordingParts {
            name: "test".into(),
            spikes: SpikeTrains::from_units([(0..400).map(|i| f64::from(i) * 0.05).collect(), vec![1.0, 19.0], vec![]]),
            unit_ids: vec!["1001".into(), "2001".into(), "2002".into()],
            unit_areas: vec!["A".into(), "B".into(), "B".into()],
            tables: vec![IntervalTable {
                name: "trials".into(),
                start: (0..21).map(f64::from).collect(),
                stop: (0..21).map(|i| f64::from(i) + 1.0).collect(),
                columns: vec![],
            }],
            ..RecordingParts::default()
        };
        let source = Source::Simulated { simulator: "test".into(), parameters: String::new(), seed: 0 };
        Recording::new(parts, source).unwrap()
    }

    #[test]
    fn every_trial_and_unit_is_used_or_named() {
        let data = DataRecipe { min_rate_hz: 0.5, ..DataRecipe::default() };
        let summary = summarise(&recording(), &data).unwrap();
        let dropped: usize = summary.dropped_trials.iter().map(|(_, n)| n).sum();
        assert_eq!(summary.trials() + dropped, 21);
        assert_eq!(summary.areas, [("A".to_owned(), 1, 1), ("B".to_owned(), 0, 2)]);
        assert_eq!(summary.dropped_units.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["2001", "2002"]);
        assert_eq!(summary.bins, (250, 50));
        assert_eq!(summary.bytes.0, summary.trials() as u64 * 300);
        assert!(summary.spikes > 0 && summary.spikes < 400);
    }

    #[test]
    fn areas_follow_the_rule_of_the_recipe() {
        let by_id = AreaRule::UnitId { divide_by: 1000, names: BTreeMap::new() };
        let summary = summarise(&recording(), &DataRecipe { areas: by_id, ..DataRecipe::default() }).unwrap();
        assert_eq!(summary.areas, [("1".to_owned(), 1, 1), ("2".to_owned(), 2, 2)]);
    }

    #[test]
    fn nothing_left_is_an_error_that_names_the_setting() {
        let error = summarise(&recording(), &DataRecipe { min_rate_hz: 1e3, ..DataRecipe::default() }).unwrap_err();
        assert!(error.contains("lowest rate"), "{error}");
        let by_column = AreaRule::UnitColumn { name: "probe".into() };
        assert!(summarise(&recording(), &DataRecipe { areas: by_column, ..DataRecipe::default() }).unwrap_err().contains("probe"));
    }

    #[test]
    fn activity_without_spikes_can_be_trained_on_in_bins_but_not_in_trials() {
        let recording = Arc::new(crate::simulate::by_name("toy", &[("steps", "200")]).unwrap());
        let mut recipe = Recipe::default();
        assert!(summarise_for(&recording, &recipe.data, &recipe.model).unwrap_err().contains("no spikes"));
        PRESETS.iter().find(|preset| preset.key == "netformer").unwrap().choose(&mut recipe, Some(&recording));
        recipe.set("model.history", "5").unwrap();
        let summary = summarise_for(&recording, &recipe.data, &recipe.model).unwrap();
        assert_eq!((summary.units, summary.trials(), summary.in_bins), (5, recording.activity.as_ref().unwrap().bins(), true));
        recipe.set("model.history", "5000").unwrap();
        assert!(summarise_for(&recording, &recipe.data, &recipe.model).unwrap_err().contains("shorten the history"));
    }
}
