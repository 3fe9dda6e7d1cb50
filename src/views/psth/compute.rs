//! What the PSTH view draws, computed off the window thread.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::super::RunState;
use super::super::alignment::{AlignTo, Groups, event_of_trials};
use crate::analysis::aligned::{Band, EventWindow, ModelStretch, RateCurve, count_into, model_curve, rate_curve};
use crate::recording::Recording;
use crate::training::Snapshot;

/// One panel's units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Their area.
    pub area: usize,
    /// Units, summed.
    pub units: Vec<usize>,
    /// The unit, when it is one; `None` for a whole area.
    pub unit: Option<usize>,
}

/// Rates that a model gives for single trials.
#[derive(Debug, Clone)]
pub struct Model {
    snapshot: Arc<Snapshot>,
    trials: Vec<Published>,
}

/// A trial whose rates were published.
#[derive(Debug, Clone)]
struct Published {
    /// Place in `Snapshot::trials`.
    place: usize,
    /// Row of the table.
    row: usize,
    /// Event, seconds.
    event: f64,
    /// Start of the analysed window, seconds.
    start: f64,
}

impl Model {
    /// What the run has published for trials of this alignment; `None` without any.
    pub fn of(run: &RunState, recording: &Arc<Recording>, to: &AlignTo) -> Option<Self> {
        let (snapshot, data) = (run.snapshot.clone()?, run.data.as_ref()?);
        let events = event_of_trials(recording, run, to);
        let published = |(place, t): (usize, &crate::training::TrialSnapshot)| {
            let event = events.get(t.trial).copied().filter(|e| e.is_finite() && !t.log_rate.is_empty())?;
            Some(Published { place, row: *data.1.rows.get(t.trial)?, event, start: *data.1.starts.get(t.trial)? })
        };
        let trials: Vec<Published> = snapshot.trials.iter().enumerate().filter_map(published).collect();
        (!trials.is_empty()).then_some(Self { snapshot, trials })
    }

    /// Mean rate per unit of these units in published trials among `rows`.
    fn curve(&self, units: &[usize], rows: &[usize], window: &EventWindow) -> Vec<f64> {
        let columns: Vec<usize> =
            (0..self.snapshot.units.len()).filter(|&c| self.snapshot.units.get(c).is_some_and(|u| units.contains(u))).collect();
        if columns.is_empty() {
            return Vec::new();
        }
        let bin_s = self.snapshot.bin_s;
        let rate = |bin: &Vec<f32>| {
            let sum: f64 = columns.iter().filter_map(|&c| bin.get(c)).map(|&l| f64::from(l).exp()).sum();
            sum / (columns.len() as f64 * bin_s)
        };
        let chosen = self.trials.iter().filter(|t| rows.contains(&t.row));
        let stretches: Vec<(f64, ModelStretch)> = chosen
            .filter_map(|t| {
                let rates = self.snapshot.trials.get(t.place)?.log_rate.iter().map(rate).collect();
                Some((t.event, ModelStretch { start: t.start, bin_s, rates }))
            })
            .collect();
        if stretches.is_empty() { Vec::new() } else { model_curve(&stretches, window) }
    }
}

/// Everything a PSTH depends on.
#[derive(Debug, Clone)]
pub struct Job {
    pub recording: Arc<Recording>,
    pub groups: Groups,
    pub subjects: Vec<Subject>,
    pub window: EventWindow,
    pub sd_s: f64,
    pub band: Band,
    pub model: Option<Model>,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        let version = |job: &Self| job.model.as_ref().map(|m| (m.snapshot.version, m.trials.len()));
        Arc::ptr_eq(&self.recording, &other.recording)
            && self.subjects == other.subjects
            && (self.window, self.sd_s, self.band) == (other.window, other.sd_s, other.band)
            && version(self) == version(other)
            && self.groups == other.groups
    }
}

/// One panel.
#[derive(Debug, Clone)]
pub struct Panel {
    pub subject: Subject,
    /// One curve per group.
    pub curves: Vec<RateCurve>,
    /// Predicted rate per group; empty where nothing is predicted.
    pub model: Vec<Vec<f64>>,
    /// Single units: spikes of every trial relative to its event, seconds, per group.
    pub trials: Vec<Vec<Vec<f64>>>,
}

/// All panels.
#[derive(Debug, Clone)]
pub struct Psth {
    /// What was asked for: while something newer is computed, what is shown still fits together.
    pub job: Job,
    pub panels: Vec<Panel>,
    /// Trials behind the predictions.
    pub predicted: usize,
}

/// Compute.
pub fn psth(job: &Job) -> Psth {
    let panels: Vec<Panel> = job.subjects.par_iter().map(|subject| panel(job, subject)).collect();
    let shown = |row: &usize| job.groups.groups.iter().any(|g| g.rows.contains(row));
    let drawn = panels.iter().any(|p| p.model.iter().any(|m| !m.is_empty()));
    let predicted = if drawn { job.model.as_ref().map_or(0, |m| m.trials.iter().filter(|t| shown(&t.row)).count()) } else { 0 };
    Psth { job: job.clone(), panels, predicted }
}

fn panel(job: &Job, subject: &Subject) -> Panel {
    let spikes = &job.recording.spikes;
    let curve = |events: &[f64]| {
        let mut counts = Array2::zeros((events.len(), job.window.bins));
        for &unit in &subject.units {
            count_into(&mut counts, spikes.unit(unit), events, &job.window);
        }
        rate_curve(counts.view(), &job.window, subject.units.len(), job.sd_s, job.band)
    };
    let around = |unit: usize, event: f64| {
        let found = spikes.unit_between(unit, event + job.window.start_s, event + job.window.stop_s());
        found.iter().map(|t| t - event).collect::<Vec<f64>>()
    };
    let groups = &job.groups.groups;
    Panel {
        subject: subject.clone(),
        curves: groups.iter().map(|g| curve(&g.events)).collect(),
        model: match &job.model {
            Some(model) => groups.iter().map(|g| model.curve(&subject.units, &g.rows, &job.window)).collect(),
            None => Vec::new(),
        },
        trials: match subject.unit {
            Some(unit) if job.subjects.len() == 1 => {
                groups.iter().map(|g| g.events.iter().map(|&event| around(unit, event)).collect()).collect()
            }
            _ => Vec::new(),
        },
    }
}
