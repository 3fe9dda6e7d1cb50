//! The parts of a log-rate from what a snapshot keeps: filters and weights in the form they are shown, applied to the spikes of the
//! recording. The total of the snapshot less the coupling is what the own dynamics give.

use ndarray::{Array2, Axis};

use crate::analysis::true_rates::{coupling_drive, history, true_parts};
use crate::recording::{BinnedTrials, Recording, Trials, TrueEdge};
use crate::training::{PairSnapshot, Snapshot};

/// What is decomposed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) version: u64,
    pub(super) fingerprint: String,
    /// The trial; `None` = the mean over all that have detail.
    pub(super) trial: Option<usize>,
    /// Column of the model.
    pub(super) unit: usize,
    /// Mean over the units of its area.
    pub(super) area: bool,
}

/// Parts per bin, log-rate per bin.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts {
    /// Own dynamics.
    pub(super) own: Vec<f64>,
    /// Coupling by sending area (place in the snapshot); areas without a fitted coupling are left out.
    pub(super) coupling: Vec<(usize, Vec<f64>)>,
    /// Post-spike term; empty when the model has none.
    pub(super) history: Vec<f64>,
    /// The same of the truth, where it is known.
    pub(super) truth: Option<Box<Parts>>,
    /// Trials averaged.
    pub(super) trials: usize,
    /// Spikes in every bin, of one unit in one trial only.
    pub(super) spikes: Vec<u8>,
}

impl Parts {
    /// Sum of all parts per bin.
    pub(super) fn total(&self) -> Vec<f64> {
        let sum = |bin: usize| {
            let at = |list: &Vec<f64>| list.get(bin).copied().unwrap_or(0.0);
            at(&self.own) + self.coupling.iter().map(|(_, c)| at(c)).sum::<f64>() + at(&self.history)
        };
        (0..self.own.len()).map(sum).collect()
    }
}

/// `None` when no trial asked for has detail, or its spikes cannot be counted.
pub(super) fn parts(question: &Question, snapshot: &Snapshot, data: &(std::sync::Arc<Recording>, Trials)) -> Option<Parts> {
    let (recording, trials) = data;
    let first = first_of_area(snapshot, question.unit)?;
    let area = snapshot
        .area_sizes
        .iter()
        .scan(0, |end, n| {
            *end += n;
            Some(*end)
        })
        .position(|end| question.unit < end)?;
    let columns: Vec<usize> = match question.area {
        true => (first..first + snapshot.area_sizes.get(area)?).collect(),
        false => vec![question.unit],
    };
    let wanted: Vec<usize> = snapshot
        .trials
        .iter()
        .filter(|t| !t.log_rate.is_empty())
        .map(|t| t.trial)
        .filter(|t| question.trial.is_none_or(|q| q == *t))
        .collect();
    let mut sum: Option<(Parts, Option<Parts>)> = None;
    let mut count = 0;
    for trial in wanted {
        let Some(one) = of_trial(snapshot, recording, trials, trial, area, &columns) else { continue };
        let truth = of_truth(snapshot, recording, trials, trial, area, &columns);
        count += 1;
        sum = Some(match sum {
            None => (one, truth),
            Some((a, b)) => (added(a, &one), b.zip(truth).map(|(a, b)| added(a, &b))),
        });
    }
    let (found, truth) = sum?;
    let mut found = scaled(found, 1.0 / f64::from(count));
    found.trials = count as usize;
    if count > 1 || columns.len() > 1 {
        found.spikes.clear();
    }
    found.truth = truth.map(|t| Box::new(scaled(t, 1.0 / f64::from(count))));
    Some(found)
}

fn first_of_area(snapshot: &Snapshot, unit: usize) -> Option<usize> {
    let mut first = 0;
    for size in &snapshot.area_sizes {
        if unit < first + size {
            return Some(first);
        }
        first += size;
    }
    None
}

/// Counts `[pad + bins, units]` of one trial for the model's units.
fn counts(snapshot: &Snapshot, recording: &Recording, trials: &Trials, trial: usize) -> Option<(Array2<u8>, usize)> {
    let one = Trials {
        starts: vec![*trials.starts.get(trial)?],
        rows: vec![*trials.rows.get(trial)?],
        conditions: vec![String::new()],
        ..trials.clone()
    };
    let binned = BinnedTrials::count(recording, &one, &snapshot.units).ok()?;
    (binned.units == snapshot.units).then(|| (binned.counts.index_axis(Axis(0), 0).to_owned(), binned.pad_bins))
}

fn of_trial(snapshot: &Snapshot, recording: &Recording, trials: &Trials, trial: usize, area: usize, columns: &[usize]) -> Option<Parts> {
    let shown = snapshot.trials.iter().find(|t| t.trial == trial)?;
    let (counts, pad) = counts(snapshot, recording, trials, trial)?;
    let bins = shown.log_rate.len();
    if counts.nrows() != pad + bins {
        return None;
    }
    let first_target: usize = snapshot.area_sizes.iter().take(area).sum();
    let mut coupling: Vec<(usize, Vec<f64>)> = Vec::new();
    for pair in snapshot.pairs().iter().filter(|p| p.target == area && p.filter.iter().flatten().any(|h| *h != 0.0)) {
        let first: usize = snapshot.area_sizes.iter().take(pair.source).sum();
        let members: Vec<usize> = (first..first + snapshot.area_sizes.get(pair.source)?).collect();
        let sending = counts.select(Axis(1), &members);
        let mut output = vec![0.0; bins];
        for factor in 0..pair.filter.len() {
            let Some(edge) = edge(pair, factor) else { continue };
            let drive = coupling_drive(&edge, sending.view());
            let weight = columns.iter().filter_map(|&c| edge.receive.get(c - first_target)).sum::<f64>() / columns.len() as f64;
            output.iter_mut().zip(drive.iter().skip(pad)).for_each(|(x, d)| *x += weight * d);
        }
        coupling.push((pair.source, output));
    }
    let post_spike = &snapshot.glm()?.post_spike;
    let mut past = vec![0.0; if post_spike.is_empty() { 0 } else { bins }];
    for &column in columns {
        let Some(filter) = post_spike.get(column) else { continue };
        let filter: Vec<f64> = filter.iter().map(|&h| f64::from(h)).collect();
        let own = counts.select(Axis(1), &[column]);
        let added = history(&filter, own.view());
        past.iter_mut().zip(added.column(0).iter().skip(pad)).for_each(|(x, h)| *x += h / columns.len() as f64);
    }
    // The snapshot's log-rate holds own dynamics and coupling.
    let own = shown.log_rate.iter().enumerate().map(|(bin, row)| {
        let total = columns.iter().filter_map(|&c| row.get(c)).map(|&x| f64::from(x)).sum::<f64>() / columns.len() as f64;
        total - coupling.iter().filter_map(|(_, c)| c.get(bin)).sum::<f64>()
    });
    let own = own.collect();
    let spikes = columns.first().map(|&c| counts.column(c).iter().skip(pad).copied().collect()).unwrap_or_default();
    Some(Parts { own, coupling, history: past, truth: None, trials: 1, spikes })
}

fn edge(pair: &PairSnapshot, factor: usize) -> Option<TrueEdge> {
    let f64s = |list: &[Vec<f32>]| Some(list.get(factor)?.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
    Some(TrueEdge {
        source: pair.source,
        target: pair.target,
        send: f64s(&pair.send)?,
        receive: f64s(&pair.receive)?,
        filter: f64s(&pair.filter)?,
    })
}

fn of_truth(snapshot: &Snapshot, recording: &Recording, trials: &Trials, trial: usize, area: usize, columns: &[usize]) -> Option<Parts> {
    let units: Vec<usize> = columns.iter().filter_map(|&c| snapshot.units.get(c).copied()).collect();
    let truth = true_parts(recording, trials, trial, &units)?;
    let place = |name: Option<&String>| recording.areas.iter().position(|a| Some(a) == name);
    let target = place(snapshot.areas.get(area))?;
    let mean = |values: &Array2<f64>| values.mean_axis(Axis(1)).map(|m| m.to_vec()).unwrap_or_default();
    let coupling = truth
        .coupling
        .iter()
        .filter(|(_, to, _)| *to == target)
        .filter_map(|(from, _, values)| {
            let source = snapshot.areas.iter().position(|name| Some(name) == recording.areas.get(*from))?;
            Some((source, mean(values)))
        })
        .collect();
    Some(Parts { own: mean(&truth.own), coupling, history: mean(&truth.history), truth: None, trials: 1, spikes: Vec::new() })
}

fn added(mut a: Parts, b: &Parts) -> Parts {
    let add = |to: &mut Vec<f64>, from: &Vec<f64>| to.iter_mut().zip(from).for_each(|(x, y)| *x += y);
    add(&mut a.own, &b.own);
    add(&mut a.history, &b.history);
    for ((_, to), (_, from)) in a.coupling.iter_mut().zip(&b.coupling) {
        add(to, from);
    }
    a
}

fn scaled(mut parts: Parts, by: f64) -> Parts {
    let lists = std::iter::once(&mut parts.own).chain(parts.coupling.iter_mut().map(|(_, c)| c)).chain(std::iter::once(&mut parts.history));
    lists.flatten().for_each(|x| *x *= by);
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::analysis::true_rates::true_log_rate;
    use crate::recording::TrialPlan;
    use crate::simulate::{GlmEdge, GlmSimulation};
    use crate::training::{GlmSnapshot, ModelSnapshot, Support, TrialSnapshot};

    /// A snapshot that holds the truth of a simulation: its parts must be the true ones.
    #[test]
    fn the_parts_of_a_true_model_are_the_true_parts() {
        let simulation = GlmSimulation {
            areas: vec![5, 4],
            trials: 6,
            edges: vec![GlmEdge { source: 0, target: 1, units: 3 }],
            ..GlmSimulation::default()
        };
        let recording = Arc::new(simulation.simulate().unwrap());
        let trials = TrialPlan::default().resolve(&recording).unwrap();
        let truth = recording.truth.as_ref().unwrap();
        let (edge, glm) = (&truth.edges[0], truth.glm.as_ref().unwrap());
        let f32s = |values: &[f64]| vec![values.iter().map(|&x| x as f32).collect::<Vec<f32>>()];
        let units: Vec<usize> = (0..9).collect();
        let shown = |trial: usize| {
            let parts = true_parts(&recording, &trials, trial, &units).unwrap();
            let without = &parts.own + &parts.coupling[0].2;
            let whole = true_log_rate(&recording, &trials, trial, &units).unwrap();
            assert!((&without + &parts.history - &whole).iter().all(|x| x.abs() < 1e-9), "the true parts add up");
            TrialSnapshot { trial, log_rate: without.rows().into_iter().map(|r| r.iter().map(|&x| x as f32).collect()).collect() }
        };
        let pair = PairSnapshot {
            source: 0,
            target: 1,
            support: Support::NotScored,
            filter: f32s(&edge.filter),
            candidate: vec![],
            send: f32s(&edge.send),
            receive: f32s(&edge.receive),
            contribution_percent: 1.0,
            mean_output: 0.1,
        };
        let snapshot = Snapshot {
            version: 1,
            stage: 4,
            step: 1,
            bin_s: 0.002,
            areas: recording.areas.clone(),
            area_sizes: vec![5, 4],
            units: units.clone(),
            trials: vec![shown(2), shown(4)],
            model: ModelSnapshot::Glm(GlmSnapshot {
                pairs: vec![pair],
                post_spike: vec![glm.post_spike.iter().map(|&x| x as f32).collect(); 9],
                ..GlmSnapshot::default()
            }),
        };
        let data = (Arc::clone(&recording), trials);
        let ask = |trial, unit, area| Question { version: 1, fingerprint: String::new(), trial, unit, area };
        let close = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        for question in [ask(Some(4), 6, false), ask(Some(2), 5, true), ask(None, 5, true)] {
            let found = parts(&question, &snapshot, &data).unwrap();
            let true_ones = found.truth.as_ref().unwrap();
            assert!(close(&found.own, &true_ones.own) && close(&found.history, &true_ones.history), "{question:?}");
            assert_eq!((found.coupling.len(), found.coupling[0].0), (1, 0));
            assert!(close(&found.coupling[0].1, &true_ones.coupling[0].1) && close(&found.total(), &true_ones.total()));
        }
        assert_eq!(parts(&ask(None, 5, true), &snapshot, &data).unwrap().trials, 2);
        assert_eq!(parts(&ask(Some(4), 6, false), &snapshot, &data).unwrap().spikes.len(), 250);
        assert_eq!(parts(&ask(Some(3), 6, false), &snapshot, &data), None, "a trial without detail");
        assert_eq!(parts(&ask(Some(4), 60, false), &snapshot, &data), None, "a unit that is not there");
    }
}
