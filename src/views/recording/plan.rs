//! What training would use of a recording with a data recipe, and which other ways of telling areas apart there are: computed
//! once per change, in the background when the recording is large.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::recording::{AreaRule, AreaSplit, Recording};
use crate::training::DataRecipe;

/// What would be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    /// How trials are cut, in one sentence.
    pub description: String,
    /// Trials used.
    pub trials: usize,
    /// Reasons for trials that are left out, with how many.
    pub dropped: Vec<(String, usize)>,
    /// Training, validation and test trials.
    pub split: [usize; 3],
    /// Different conditions; 0 without.
    pub conditions: usize,
    /// Areas with their number of units that are used.
    pub areas: Vec<(String, usize)>,
    /// Units left out for their low rate.
    pub quiet_units: usize,
}

/// The answer for one recording and recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What would be used, or why nothing can be.
    pub used: Result<Used, String>,
    /// Area rules that work on this recording.
    pub offered: Vec<AreaSplit>,
}

impl Plan {
    /// Work it out.
    pub fn new(recording: &Arc<Recording>, recipe: &DataRecipe) -> Self {
        Self { used: used(recording, recipe), offered: AreaRule::offered(recording) }
    }
}

fn used(recording: &Recording, recipe: &DataRecipe) -> Result<Used, String> {
    let names = recipe.areas.names(recording).ok_or_else(|| {
        format!("areas by {} are not possible for this recording; choose another way of telling areas apart", recipe.areas.label())
    })?;
    let trials = recipe.trials.resolve(recording).map_err(|e| e.to_string())?;
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for dropped in &trials.dropped {
        *reasons.entry(dropped.reason.as_str()).or_default() += 1;
    }
    let mut dropped: Vec<(String, usize)> = reasons.into_iter().map(|(r, n)| (r.to_owned(), n)).collect();
    dropped.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let length = trials.bins as f64 * trials.bin_s;
    let seconds = length * trials.starts.len() as f64;
    let loud = |unit: usize| {
        let spikes: usize = trials.starts.iter().map(|&start| recording.spikes.unit_between(unit, start, start + length).len()).sum();
        spikes as f64 >= recipe.min_rate_hz * seconds
    };
    let kept: Vec<bool> = (0..recording.n_units()).map(|u| recipe.min_rate_hz <= 0.0 || loud(u)).collect();
    let mut areas: Vec<(String, usize)> = Vec::new();
    for (name, kept) in names.iter().zip(&kept) {
        match areas.iter_mut().find(|(area, _)| area == name) {
            Some((_, n)) => *n += usize::from(*kept),
            None => areas.push((name.clone(), usize::from(*kept))),
        }
    }
    let split = recipe.split_of(recording, &trials).map_err(|e| e.to_string())?;
    let mut conditions: Vec<&String> = trials.conditions.iter().filter(|c| !c.is_empty()).collect();
    conditions.sort();
    conditions.dedup();
    Ok(Used {
        description: trials.description.clone(),
        trials: trials.starts.len(),
        dropped,
        split: [split.train.len(), split.validation.len(), split.test.len()],
        conditions: conditions.len(),
        areas,
        quiet_units: kept.iter().filter(|k| !**k).count(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::recording::{IntervalTable, RecordingParts, Source, SpikeTrains};

    #[test]
    fn the_plan_tells_what_is_used_and_what_is_not() {
        let busy: Vec<f64> = (0..1000).map(|k| 0.05 * f64::from(k)).collect();
        let start: Vec<f64> = (0..20).map(|k| 4.0 * f64::from(k)).collect();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([busy.clone(), vec![1.0], busy]),
            unit_ids: ["1", "2", "3"].map(String::from).to_vec(),
            unit_areas: ["A", "B", "B"].map(String::from).to_vec(),
            tables: vec![IntervalTable {
                name: "trials".into(),
                stop: start.iter().map(|t| t + 1.0).collect(),
                start,
                columns: Vec::new(),
            }],
            ..RecordingParts::default()
        };
        let recording = Arc::new(Recording::new(parts, Source::File("x.nwb".into())).unwrap());
        let recipe = DataRecipe { min_rate_hz: 2.0, ..DataRecipe::default() };
        let plan = Plan::new(&recording, &recipe);
        let used = plan.used.unwrap();
        // Spikes end at 50 s: rows from 52 s on lie outside.
        assert_eq!((used.trials, used.dropped.len(), used.dropped[0].1), (13, 1, 7));
        assert_eq!(used.split.iter().sum::<usize>(), 13);
        assert_eq!((used.areas, used.quiet_units), (vec![("A".to_owned(), 1), ("B".to_owned(), 1)], 1));
        assert!(plan.offered.iter().any(|o| o.areas.len() == 1));
        let wrong = DataRecipe { areas: AreaRule::UnitColumn { name: "shank".into() }, ..DataRecipe::default() };
        assert!(Plan::new(&recording, &wrong).used.unwrap_err().contains("shank"));
    }
}
