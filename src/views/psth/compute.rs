//! What the PSTH view draws, computed off the window thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use rayon::prelude::*;

use super::super::RunState;
use super::super::alignment::{AlignTo, Groups, event_of_trials};
use super::super::model_rates::ModelRates;
use crate::analysis::aligned::{Band, EventWindow, ModelStretch, RateCurve, count_into, model_curve, rate_curve};
use crate::analysis::observed::Observed;
use crate::analysis::watch::Watch;
use crate::recording::Recording;

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
    rates: ModelRates,
    trials: Vec<Published>,
}

/// A trial whose rates were published.
#[derive(Debug, Clone)]
struct Published {
    /// Place in `ModelRates::trials`.
    place: usize,
    /// Row of the table.
    row: usize,
    /// Event, seconds.
    event: f64,
}

impl Model {
    /// What the run has published for trials of this alignment; `None` without any.
    pub fn of(run: &RunState, recording: &Arc<Recording>, to: &AlignTo) -> Option<Self> {
        let rates = ModelRates::of(run, recording)?;
        let events = event_of_trials(recording, run, to);
        let published = |(place, t): (usize, &super::super::model_rates::TrialRates)| {
            let event = events.get(t.trial).copied().filter(|e| e.is_finite())?;
            Some(Published { place, row: t.row, event })
        };
        let trials: Vec<Published> = rates.trials().iter().enumerate().filter_map(published).collect();
        (!trials.is_empty()).then_some(Self { rates, trials })
    }

    /// Mean rate per unit of these units in published trials among `rows`.
    fn curve(&self, units: &[usize], rows: &[usize], window: &EventWindow) -> Vec<f64> {
        let columns = self.rates.columns(units);
        if columns.is_empty() {
            return Vec::new();
        }
        let chosen = self.trials.iter().filter(|t| rows.contains(&t.row));
        let stretches: Vec<(f64, ModelStretch)> = chosen
            .filter_map(|t| {
                let start = self.rates.trials().get(t.place)?.start;
                Some((t.event, ModelStretch { start, bin_s: self.rates.bin_s(), rates: self.rates.mean_hz(t.place, &columns) }))
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
        let version = |job: &Self| job.model.as_ref().map(|m| (m.rates.version(), m.trials.len()));
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
    /// Single units: every trial, per group.
    pub trials: Vec<Vec<TrialSpikes>>,
}

/// One trial of one unit, seconds relative to the event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialSpikes {
    /// Spikes.
    pub spikes: Vec<f64>,
    /// What was not observed.
    pub gaps: Vec<(f64, f64)>,
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

impl Psth {
    /// Fewest and most trials that observed a bin, over all groups.
    pub fn observed_range(&self) -> (usize, usize) {
        let ranges = self.panels.first().map(|p| p.curves.as_slice()).unwrap_or_default().iter().map(RateCurve::observed_range);
        ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
    }

    /// Bins are the mean over different numbers of trials.
    pub fn is_partly_observed(&self) -> bool {
        self.panels.iter().flat_map(|p| &p.curves).any(|c| c.observed.iter().any(|n| *n < c.trials))
    }
}

/// Compute; `None` when it was stopped.
pub fn psth(job: &Job, watch: &Watch) -> Option<Psth> {
    let observed = Observed::of(&job.recording);
    let seen: Vec<Option<Array2<bool>>> = job.groups.groups.iter().map(|g| observed.around(&g.events, &job.window)).collect();
    let done = AtomicUsize::new(0);
    let one = |subject: &Subject| {
        let panel = panel(job, subject, &seen, &observed, watch);
        watch.tell(done.fetch_add(1, Ordering::AcqRel) + 1, job.subjects.len());
        panel
    };
    let panels: Vec<Panel> = job.subjects.par_iter().map(one).collect();
    if watch.stopped() {
        return None;
    }
    let shown = |row: &usize| job.groups.groups.iter().any(|g| g.rows.contains(row));
    let drawn = panels.iter().any(|p| p.model.iter().any(|m| !m.is_empty()));
    let predicted = if drawn { job.model.as_ref().map_or(0, |m| m.trials.iter().filter(|t| shown(&t.row)).count()) } else { 0 };
    Some(Psth { job: job.clone(), panels, predicted })
}

fn panel(job: &Job, subject: &Subject, seen: &[Option<Array2<bool>>], observed: &Observed, watch: &Watch) -> Panel {
    let spikes = &job.recording.spikes;
    let curve = |events: &[f64], seen: Option<&Array2<bool>>| {
        let mut counts = Array2::zeros((events.len(), job.window.bins));
        for &unit in subject.units.iter().take_while(|_| !watch.stopped()) {
            count_into(&mut counts, spikes.unit(unit), events, &job.window);
        }
        rate_curve(counts.view(), seen, &job.window, subject.units.len(), job.sd_s, job.band, watch)
    };
    let around = |unit: usize, event: f64| {
        let (start, stop) = (event + job.window.start_s, event + job.window.stop_s());
        TrialSpikes {
            spikes: spikes.unit_between(unit, start, stop).iter().map(|t| t - event).collect(),
            gaps: observed.gaps(start, stop).into_iter().map(|(a, b)| (a - event, b - event)).collect(),
        }
    };
    let groups = &job.groups.groups;
    Panel {
        subject: subject.clone(),
        curves: groups.iter().zip(seen).map(|(g, seen)| curve(&g.events, seen.as_ref())).collect(),
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
