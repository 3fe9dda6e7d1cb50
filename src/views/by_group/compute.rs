//! Means of attention by group and state, and their spread over runs or over stretches of the recording.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array2;

use crate::analysis::connectivity::group_means;
use crate::analysis::watch::Watch;
use crate::recording::{Groups, StateSource};
use crate::training::{NetFormerModel, Recipe};
use crate::views::netformer_part::{Grouping, siblings};

/// Stretches of the recording over which the spread is taken where there is one run.
const STRETCHES: usize = 6;

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub grouping: Grouping,
    pub state: Option<StateSource>,
    /// Windows that may be looked at.
    pub windows: usize,
    /// The run's folder, beside which runs with other seeds are looked for.
    pub folder: Option<PathBuf>,
}

/// One behavioural state.
pub struct StateMeans {
    pub name: String,
    /// Windows in this state that were looked at.
    pub windows: usize,
    /// `[receiving, sending]`; NaN where there is no pair of different units.
    pub mean: Array2<f32>,
    /// Standard deviation over runs or stretches; NaN where there is only one.
    pub sd: Array2<f32>,
}

/// All states.
pub struct GroupMeans {
    /// What the groups are by.
    pub what: String,
    pub names: Vec<String>,
    pub states: Vec<StateMeans>,
    /// What the states are of; empty without.
    source: String,
    /// Means of the true weights; `None` when they are not known.
    pub truth: Option<Array2<f32>>,
    /// Runs over which the spread is taken; 1 for stretches.
    pub runs: usize,
    /// Place of every group among the areas of the recording, for its colour.
    colors: Vec<usize>,
}

pub fn compute(model: &Arc<NetFormerModel>, settings: &Settings, recipe: &Recipe, watch: &Watch) -> Option<GroupMeans> {
    let groups = settings.grouping.groups(model.recording());
    let (groups, of_unit, colors) = used(groups, model.units());
    let mut models = vec![Arc::clone(model)];
    if let Some(folder) = &settings.folder {
        models.extend(siblings(folder, recipe, model, watch)?.into_iter().map(|s| s.model));
    }
    let runs = models.len();
    let all = model.all_windows();
    let seconds: Vec<f64> = all.iter().map(|w| model.seconds(*w)).collect();
    let states = settings.state.as_ref().and_then(|source| source.read(model.recording(), &seconds));
    let (names, of_window) = match states {
        Some(states) => (states.names, states.of_moment),
        None => (vec!["all times".to_owned()], vec![Some(0); all.len()]),
    };
    let each = (settings.windows / (names.len() * runs).max(1)).max(STRETCHES);
    let k = groups.names.len();
    let by_group = |matrix: &Array2<f32>| group_means(matrix.mapv(f64::from).view(), &of_unit, k, |post, pre| post != pre);
    let mut found = Vec::new();
    for (state, name) in names.into_iter().enumerate() {
        watch.tell(state, found.capacity().max(state + 1));
        let own: Vec<usize> = all.iter().zip(&of_window).filter(|(_, s)| **s == Some(state)).map(|(w, _)| *w).collect();
        let own: Vec<usize> = own.iter().copied().step_by(own.len().div_ceil(each).max(1)).collect();
        if own.is_empty() {
            continue;
        }
        let mut means = Vec::new();
        if runs > 1 {
            for model in &models {
                if watch.stopped() {
                    return None;
                }
                means.push(by_group(&model.mean(&own)));
            }
        } else {
            for stretch in own.chunks(own.len().div_ceil(STRETCHES).max(1)) {
                if watch.stopped() {
                    return None;
                }
                means.push(by_group(&model.mean(stretch)));
            }
        }
        let (mean, sd) = spread(&means);
        found.push(StateMeans { name, windows: own.len(), mean, sd });
    }
    let truth = model.true_weights().map(|truth| group_means(truth.view(), &of_unit, k, |post, pre| post != pre).mapv(|v| v as f32));
    let source = settings.state.as_ref().map_or_else(String::new, StateSource::label);
    Some(GroupMeans { what: groups.what, names: groups.names, states: found, source, truth, runs, colors })
}

/// Groups that the model's units are in, the group of each unit, and the place of every group among all.
fn used(groups: Groups, units: &[usize]) -> (Groups, Vec<usize>, Vec<usize>) {
    let of: Vec<usize> = units.iter().map(|unit| groups.of_unit.get(*unit).copied().unwrap_or_default()).collect();
    let known: Vec<usize> = (0..groups.names.len()).filter(|group| of.contains(group)).collect();
    let of_unit = of.iter().map(|group| known.iter().position(|k| k == group).unwrap_or(0)).collect();
    let names = known.iter().map(|group| groups.name(*group).to_owned()).collect();
    (Groups { names, ..groups }, of_unit, known)
}

/// Mean and standard deviation of every entry.
fn spread(matrices: &[Array2<f64>]) -> (Array2<f32>, Array2<f32>) {
    let Some(first) = matrices.first() else { return Default::default() };
    let n = matrices.len() as f64;
    let mut mean = Array2::<f64>::zeros(first.raw_dim());
    matrices.iter().for_each(|m| mean += &(m / n));
    let mut squares = Array2::<f64>::zeros(first.raw_dim());
    matrices.iter().for_each(|m| squares += &(m - &mean).mapv(|d| d * d));
    let sd = squares.mapv(|s| if n > 1.0 { (s / (n - 1.0)).sqrt() as f32 } else { f32::NAN });
    (mean.mapv(|v| v as f32), sd)
}

impl GroupMeans {
    /// Colour of a group, as a place among the areas of the recording.
    pub fn color(&self, group: usize) -> usize {
        self.colors.get(group).copied().unwrap_or(group)
    }

    /// A state with what it is a state of.
    pub fn titled(&self, state: &StateMeans) -> String {
        if self.source.is_empty() { state.name.clone() } else { format!("{}: {}", self.source, state.name) }
    }

    /// Largest magnitude of any state.
    pub fn limit(&self) -> f32 {
        let values = self.states.iter().flat_map(|s| s.mean.iter()).filter(|v| v.is_finite());
        values.fold(0.0, |most: f32, v| most.max(v.abs())).max(1e-9)
    }

    /// Pairs of groups, receiving and sending: at most `most`, those with the largest mean in any state, in the order of the groups;
    /// and how many there are.
    pub fn pairs(&self, most: usize) -> (Vec<(usize, usize)>, usize) {
        let size = |at: (usize, usize)| {
            self.states.iter().filter_map(|s| s.mean.get(at)).filter(|v| v.is_finite()).fold(-1.0, |m: f32, v| m.max(v.abs()))
        };
        let k = self.names.len();
        let mut all: Vec<(usize, usize)> = (0..k).flat_map(|to| (0..k).map(move |from| (to, from))).filter(|at| size(*at) >= 0.0).collect();
        let n = all.len();
        all.sort_by(|a, b| size(*b).total_cmp(&size(*a)));
        all.truncate(most);
        all.sort_unstable();
        (all, n)
    }

    /// Over what the spread is.
    pub fn words(&self) -> String {
        let spread = match self.runs {
            1 => format!("over {STRETCHES} stretches of the recording"),
            n => format!("over {n} runs of the same recipe with other seeds"),
        };
        format!("mean attention by {}, rows receive, columns send; spread (standard deviation) {spread}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn spread_is_over_matrices_and_missing_pairs_stay_missing() {
        let (mean, sd) = spread(&[array![[1.0, f64::NAN], [0.0, 2.0]], array![[3.0, f64::NAN], [0.0, 4.0]]]);
        assert!(mean[[0, 0]] == 2.0 && (sd[[0, 0]] - 2.0_f32.sqrt()).abs() < 1e-6 && mean[[0, 1]].is_nan() && sd[[1, 0]] == 0.0);
        assert!(spread(&[array![[1.0]]]).1[[0, 0]].is_nan());
    }

    #[test]
    fn groups_without_units_are_left_out_and_keep_their_colours() {
        let groups = Groups { what: "area".into(), names: ["a", "b", "c"].map(str::to_owned).to_vec(), of_unit: vec![0, 2, 2, 1] };
        let (left, of_unit, colors) = used(groups, &[2, 0, 1]);
        assert_eq!((left.names, of_unit, colors), (vec!["a".to_owned(), "c".to_owned()], vec![1, 0, 1], vec![0, 2]));
    }

    #[test]
    fn bars_are_of_the_strongest_pairs() {
        let state = StateMeans { name: "x".into(), windows: 1, mean: array![[f32::NAN, -3.0], [1.0, 2.0]], sd: Array2::zeros((2, 2)) };
        let means = GroupMeans {
            what: "area".into(),
            names: vec!["a".into(), "b".into()],
            states: vec![state],
            source: "running".into(),
            truth: None,
            runs: 1,
            colors: vec![0, 1],
        };
        assert_eq!(means.pairs(2), (vec![(0, 1), (1, 1)], 3));
        assert_eq!((means.limit(), means.color(1), means.color(7), means.titled(&means.states[0]).as_str()), (3.0, 1, 7, "running: x"));
    }
}
