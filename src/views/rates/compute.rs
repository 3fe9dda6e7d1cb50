//! What inferred rates are compared with, computed off the window: spikes and true rates of trials, and the mean over training
//! trials.

use std::sync::Arc;

use ndarray::Array2;

use crate::analysis::psth::smoothed;
use crate::analysis::true_rates::true_log_rate;
use crate::recording::{Recording, Trials};
use crate::training::DataRecipe;

/// Smoothing of the mean over training trials, standard deviation in seconds.
const PSTH_SD_S: f64 = 0.02;
/// Fewest training trials of a condition whose own mean is shown.
const FEWEST: usize = 5;
/// Column whose values are conditions when the recipe names none.
const CONDITION: &str = "condition";

/// Everything the references depend on.
#[derive(Clone)]
pub struct Job {
    pub data: Arc<(Arc<Recording>, Trials)>,
    pub recipe: DataRecipe,
    /// Trials shown, indices into the trials used.
    pub trials: Vec<usize>,
    /// Units shown, indices into the recording.
    pub units: Vec<usize>,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.data, &other.data) && self.trials == other.trials && self.units == other.units
    }
}

/// A trial beside the model.
pub struct TrialReference {
    pub trial: usize,
    /// Spike times from the start of the window, seconds `[units][spikes]`.
    pub spikes: Vec<Vec<f64>>,
    /// True rate, Hz `[bins, units]`; `None` when it is not known.
    pub truth: Option<Array2<f64>>,
    /// Place among [`References::means`].
    pub mean: usize,
}

/// The mean over training trials, smoothed.
pub struct Mean {
    /// What it is the mean of, for example `mean of 18 training trials, condition 3`.
    pub words: String,
    /// Hz `[bins, units]`.
    pub rate: Array2<f64>,
}

pub struct References {
    pub job: Job,
    pub trials: Vec<TrialReference>,
    pub means: Vec<Mean>,
}

/// Condition of every trial; empty text where there is none.
fn conditions(recording: &Recording, trials: &Trials) -> Vec<String> {
    if trials.conditions.iter().any(|c| !c.is_empty()) {
        return trials.conditions.clone();
    }
    let column = trials.table.as_deref().and_then(|name| recording.table(name)?.column(CONDITION));
    trials.rows.iter().map(|&row| column.map_or_else(String::new, |column| column.values.text(row))).collect()
}

/// Mean rate over some trials, Hz `[bins, units]`, smoothed.
fn mean_rate(recording: &Recording, trials: &Trials, chosen: &[usize], units: &[usize]) -> Array2<f64> {
    let mut counts = Array2::<f64>::zeros((trials.bins, units.len()));
    for &start in chosen.iter().filter_map(|&trial| trials.starts.get(trial)) {
        for (column, &unit) in units.iter().enumerate() {
            for &time in recording.spikes.unit_between(unit, start, start + trials.bins as f64 * trials.bin_s) {
                let bin = ((time - start) / trials.bin_s) as usize;
                if let Some(count) = counts.get_mut((bin, column)) {
                    *count += 1.0;
                }
            }
        }
    }
    smoothed(&counts, PSTH_SD_S / trials.bin_s) / (chosen.len().max(1) as f64 * trials.bin_s)
}

/// Compute.
pub fn references(job: Job) -> References {
    let (recording, trials) = (&job.data.0, &job.data.1);
    let train = job.recipe.split_of(recording, trials).map(|split| split.train).unwrap_or_default();
    let conditions = conditions(recording, trials);
    let stop = trials.bins as f64 * trials.bin_s;
    let (mut shown, mut means, mut named) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for &trial in &job.trials {
        let Some(&start) = trials.starts.get(trial) else { continue };
        let own = conditions.get(trial).cloned().unwrap_or_default();
        let mut like: Vec<usize> = train.iter().copied().filter(|&t| conditions.get(t) == Some(&own)).collect();
        let by_condition = !own.is_empty() && like.len() >= FEWEST;
        if !by_condition {
            like = train.clone();
        }
        let name = if by_condition { own } else { String::new() };
        let mean = named.iter().position(|n| *n == name).unwrap_or_else(|| {
            let of = if by_condition { format!(", condition {name}") } else { String::new() };
            means.push(Mean {
                words: format!("mean of {} training trials{of}", like.len()),
                rate: mean_rate(recording, trials, &like, &job.units),
            });
            named.push(name);
            named.len() - 1
        });
        let relative = |&unit: &usize| recording.spikes.unit_between(unit, start, start + stop).iter().map(|t| t - start).collect();
        shown.push(TrialReference {
            trial,
            spikes: job.units.iter().map(relative).collect(),
            truth: true_log_rate(recording, trials, trial, &job.units).map(|log_rate| log_rate.mapv(|z| z.exp() / trials.bin_s)),
            mean,
        });
    }
    References { trials: shown, means, job }
}

/// Up to `most` trials, the same number of every category as far as they go, in the order of trials. `of` is the category of every
/// trial.
pub fn spread(of: &[usize], most: usize) -> Vec<usize> {
    let mut chosen = Vec::new();
    for round in 0.. {
        let before = chosen.len();
        let mut seen = std::collections::BTreeMap::<usize, usize>::new();
        for (trial, category) in of.iter().enumerate() {
            let nth = seen.entry(*category).or_default();
            if *nth == round && chosen.len() < most {
                chosen.push(trial);
            }
            *nth += 1;
        }
        if chosen.len() == before {
            break;
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn trials_are_spread_over_categories() {
        assert_eq!(spread(&[0, 0, 0, 1, 1, 2], 4), [0, 1, 3, 5]);
        assert_eq!(spread(&[0, 0], 8), [0, 1]);
        assert!(spread(&[], 8).is_empty());
    }

    #[test]
    fn references_are_the_trials_own_spikes_true_rates_and_the_mean_of_their_condition() {
        let settings = [("units", "4"), ("conditions", "2"), ("trials", "12"), ("bins", "30"), ("seed", "3"), ("baseline_hz", "30")];
        let recording = Arc::new(crate::simulate::by_name("lorenz", &settings).unwrap());
        let recipe = DataRecipe {
            trials: crate::recording::TrialPlan { bin_s: 0.01, padding_s: 0.0, ..Default::default() },
            ..DataRecipe::default()
        };
        let trials = recipe.trials.resolve(&recording).unwrap();
        let start = trials.starts[2];
        let data = Arc::new((Arc::clone(&recording), trials));
        let found = references(Job { data, recipe, trials: vec![2, 13], units: vec![3, 1] });
        assert_eq!(found.trials.len(), 2);
        assert_eq!(found.trials[0].spikes[0].len(), recording.spikes.unit_between(3, start, start + 0.3).len());
        let rates = recording.truth.as_ref().unwrap().rates.as_ref().unwrap();
        let truth = found.trials[0].truth.as_ref().unwrap();
        assert!((truth[[5, 0]] - f64::from(rates.values[[2, 5, 3]])).abs() < 1e-3 * truth[[5, 0]]);
        assert!(found.means[0].words.contains("condition") && found.means.len() == 2, "{}", found.means[0].words);
        assert_ne!(found.trials[0].mean, found.trials[1].mean);
        // Trials of one start have the same true rate; their mean is near it.
        let mean: f64 = found.means[0].rate.column(0).mean().unwrap();
        let expected = truth.column(0).mean().unwrap();
        assert!((mean - expected).abs() < 0.5 * expected, "{mean} {expected}");
    }
}
