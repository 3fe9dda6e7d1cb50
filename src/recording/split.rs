//! Training, validation and test trials, by seed and stratified by condition.

use std::collections::BTreeMap;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Shares of the trials; what is left over is the test set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitFractions {
    /// Share used for training.
    pub train: f64,
    /// Share used to decide when to stop.
    pub validation: f64,
}

impl Default for SplitFractions {
    fn default() -> Self {
        Self { train: 0.7, validation: 0.1 }
    }
}

/// Trial indices of the three sets, disjoint, in random order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Training trials.
    pub train: Vec<usize>,
    /// Validation trials.
    pub validation: Vec<usize>,
    /// Test trials.
    pub test: Vec<usize>,
}

/// Split trials by what a column says about each: `train`; `val`, `valid`, `validation` or `eval`; `test`. Trials with another
/// label are in no set. Without validation trials an eighth of the training trials is taken by seed; without test trials the
/// validation trials are also the test set, as in benchmarks that publish none. `None` when no trial is for training.
pub fn split_by_label(labels: &[String], seed: u64) -> Option<Split> {
    let of = |words: &[&str]| -> Vec<usize> {
        let named = |label: &String| words.contains(&label.trim().to_lowercase().as_str());
        (0..labels.len()).filter(|&trial| labels.get(trial).is_some_and(named)).collect()
    };
    let mut split =
        Split { train: of(&["train", "training"]), validation: of(&["val", "valid", "validation", "eval"]), test: of(&["test"]) };
    if split.train.is_empty() {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    split.train.shuffle(&mut random);
    if split.validation.is_empty() {
        let kept = split.train.len() - split.train.len().div_ceil(8).min(split.train.len() - 1);
        split.validation = split.train.split_off(kept);
    }
    if split.test.is_empty() {
        split.test.clone_from(&split.validation);
    }
    Some(split)
}

/// Split `conditions.len()` trials by seed, with the same shares in every condition. With three or more trials no set is empty.
pub fn split_trials(conditions: &[String], fractions: SplitFractions, seed: u64) -> Split {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (trial, condition) in conditions.iter().enumerate() {
        groups.entry(condition).or_default().push(trial);
    }
    let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    for trials in groups.values_mut() {
        trials.shuffle(&mut random);
        let n = trials.len() as f64;
        let validation = (n * fractions.validation).round() as usize;
        let test = (n * (1.0 - fractions.train - fractions.validation)).round().max(0.0) as usize;
        let train = trials.len().saturating_sub(validation + test);
        split.train.extend(&trials[..train]);
        split.validation.extend(&trials[train..(train + validation).min(trials.len())]);
        split.test.extend(&trials[(train + validation).min(trials.len())..]);
    }
    if conditions.len() >= 3 {
        // Small or finely stratified data can leave a set empty: give it one training trial.
        if split.validation.is_empty() {
            split.validation.extend(split.train.pop());
        }
        if split.test.is_empty() {
            split.test.extend(split.train.pop());
        }
    }
    for set in [&mut split.train, &mut split.validation, &mut split.test] {
        set.shuffle(&mut random);
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_decide_and_what_they_leave_open_is_filled() {
        let labels = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let split = split_by_label(&labels("train valid Train test none eval"), 0).unwrap();
        assert_eq!((split.train.len(), split.validation, split.test), (2, vec![1, 5], vec![3]));
        let split = split_by_label(&labels("train train train val"), 0).unwrap();
        assert_eq!((split.validation, split.test), (vec![3], vec![3]));
        let split = split_by_label(&labels("train train train train"), 0).unwrap();
        assert_eq!((split.train.len(), split.validation.len()), (3, 1));
        assert!(!split.train.contains(&split.validation[0]));
        assert_eq!(split_by_label(&labels("test test"), 0), None);
    }

    fn sorted(split: &Split) -> Vec<usize> {
        let mut all: Vec<usize> = [&split.train[..], &split.validation, &split.test].concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn every_trial_is_used_once_and_shares_hold_in_each_condition() {
        let conditions: Vec<String> = (0..100).map(|i| format!("c{}", i % 2)).collect();
        let split = split_trials(&conditions, SplitFractions::default(), 3);
        assert_eq!(sorted(&split), (0..100).collect::<Vec<_>>());
        for c in ["c0", "c1"] {
            assert_eq!(split.train.iter().filter(|&&t| conditions[t] == c).count(), 35);
            assert_eq!(split.test.iter().filter(|&&t| conditions[t] == c).count(), 10);
        }
    }

    #[test]
    fn a_seed_gives_one_split_and_another_seed_another() {
        let conditions = vec![String::new(); 50];
        let split = |seed| split_trials(&conditions, SplitFractions::default(), seed);
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn three_trials_leave_no_set_empty() {
        let split = split_trials(&vec![String::new(); 3], SplitFractions::default(), 0);
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (1, 1, 1));
        assert_eq!(sorted(&split), [0, 1, 2]);
    }
}
