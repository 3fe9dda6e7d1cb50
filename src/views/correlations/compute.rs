//! What the Count correlations view draws, computed off the window thread.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::super::alignment::Groups;
use super::MOST_SAMPLES;
use crate::analysis::aligned::{EventWindow, count_into, quantile};
use crate::analysis::observed::Observed;
use crate::analysis::rates::{binned, count_correlations, group_means, without_condition_means};
use crate::analysis::watch::Watch;
use crate::recording::Recording;

/// Counts of which stretches.
#[derive(Debug, Clone, PartialEq)]
pub enum Stretches {
    /// Equal bins of this time.
    Bins { window: (f64, f64), bins: usize },
    /// One window per trial; condition means are taken away when trials are split.
    Trials { groups: Groups, window: EventWindow },
}

/// Everything the correlations depend on.
#[derive(Clone)]
pub struct Job {
    pub recording: Arc<Recording>,
    pub units: Vec<usize>,
    pub stretches: Stretches,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.recording, &other.recording) && self.units == other.units && self.stretches == other.stretches
    }
}

/// The answer.
pub struct Found {
    pub job: Job,
    pub version: u64,
    pub samples: usize,
    /// Bins or trials that were left out because they were not wholly observed.
    pub unseen: usize,
    pub units: Array2<f32>,
    /// Areas that have units here, with how many.
    pub areas: Vec<(usize, usize)>,
    /// Means within and between those areas.
    pub means: Array2<f32>,
    /// A round number that few correlations of different units exceed.
    pub limit: f64,
}

/// Compute; `None` when it was stopped. Bins and trials that were not wholly observed have no count and are left out.
pub fn correlate(job: Job, version: u64, watch: &Watch) -> Option<Found> {
    let recording = &job.recording;
    let observed = Observed::of(recording);
    let (samples, columns, condition) = match &job.stretches {
        Stretches::Bins { window, bins } => {
            let width = (window.1 - window.0) / (*bins).max(1) as f64;
            let seen: Vec<bool> = observed.per_bin(window.0, window.1, *bins).iter().map(|s| *s >= 0.99 * width).collect();
            let count = |unit: usize| {
                let counts = binned(recording.spikes.unit(unit), window.0, window.1, *bins);
                counts.into_iter().zip(&seen).filter(|(_, seen)| **seen).map(|(n, _)| n).collect()
            };
            (*bins, columns(&job.units, watch, count), Vec::new())
        }
        Stretches::Trials { groups, window } => {
            let events = groups.groups.iter().enumerate().flat_map(|(k, g)| g.events.iter().map(move |e| (*e, k))).take(MOST_SAMPLES);
            let all: Vec<(f64, usize)> = events.collect();
            let whole = |event: f64| observed.whole(event + window.start_s, event + window.stop_s());
            let (events, condition): (Vec<f64>, Vec<usize>) = all.iter().copied().filter(|(event, _)| whole(*event)).unzip();
            let count = |unit: usize| {
                let mut counts = Array2::zeros((events.len(), window.bins));
                count_into(&mut counts, recording.spikes.unit(unit), &events, window);
                counts.rows().into_iter().map(|row| row.sum() as f32).collect()
            };
            (all.len(), columns(&job.units, watch, count), condition)
        }
    };
    let kept = columns.first().map_or(0, Vec::len);
    let mut counts = Array2::from_shape_fn((kept, columns.len()), |(s, u)| columns.get(u).and_then(|c| c.get(s)).copied().unwrap_or(0.0));
    if !condition.is_empty() {
        without_condition_means(&mut counts, &condition);
    }
    let mut areas: Vec<(usize, usize)> = Vec::new();
    let mut place = Vec::with_capacity(job.units.len());
    for area in job.units.iter().map(|&u| recording.units.area.get(u).copied().unwrap_or(0)) {
        match areas.last_mut() {
            Some(last) if last.0 == area => last.1 += 1,
            _ => areas.push((area, 1)),
        }
        place.push(areas.len() - 1);
    }
    let units = count_correlations(counts.view(), watch)?;
    let means = group_means(&units, &place, areas.len());
    Some(Found { version, samples: kept, unseen: samples - kept, limit: limit(&units), means, units, areas, job })
}

/// One column of counts per unit.
fn columns(units: &[usize], watch: &Watch, count: impl Fn(usize) -> Vec<f32> + Sync) -> Vec<Vec<f32>> {
    units.par_iter().map(|&unit| if watch.stopped() { Vec::new() } else { count(unit) }).collect()
}

/// The 98 % quantile of magnitudes off the diagonal, rounded up.
fn limit(correlations: &Array2<f32>) -> f64 {
    let mut sizes: Vec<f64> =
        correlations.indexed_iter().filter(|((a, b), r)| a < b && r.is_finite()).map(|(_, r)| f64::from(r.abs())).collect();
    sizes.sort_by(f64::total_cmp);
    let most = quantile(&sizes, 0.98);
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|end| most <= *end).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::super::Selection;
    use super::super::super::alignment::{AlignTo, Group};
    use super::super::super::raster::events::EventColumn;
    use super::super::matrix::summary;
    use super::super::units;
    use super::*;
    use crate::recording::{RecordingParts, Source, SpikeTrains};

    /// Units 0 and 2 fire together in every other second, unit 1 in the others.
    fn recording() -> Arc<Recording> {
        let train =
            |odd: bool| (0..100).filter(|k| (k % 2 == 1) == odd).flat_map(|k| [f64::from(k) + 0.2, f64::from(k) + 0.4]).collect::<Vec<_>>();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([train(false), train(true), train(false)]),
            unit_ids: ["0", "1", "2"].map(String::from).to_vec(),
            unit_areas: ["a", "b", "a"].map(String::from).to_vec(),
            ..RecordingParts::default()
        };
        Arc::new(Recording::new(parts, Source::File("x".into())).unwrap())
    }

    fn correlate(job: Job, version: u64) -> Found {
        super::correlate(job, version, &Watch::default()).unwrap()
    }

    #[test]
    fn counts_in_bins_tell_who_fires_together() {
        let recording = recording();
        let (units, all) = units(&recording, &Selection::default());
        assert_eq!((all, units.len()), (3, 3));
        let found = correlate(Job { recording, units: vec![0, 2, 1], stretches: Stretches::Bins { window: (0.0, 100.0), bins: 100 } }, 1);
        assert!((found.units[[0, 1]] - 1.0).abs() < 1e-5 && (found.units[[0, 2]] + 1.0).abs() < 1e-5);
        assert_eq!((found.areas.clone(), found.limit), (vec![(0, 2), (1, 1)], 1.0));
        assert_eq!(summary(&found), "Count correlations of 3 units, mean within a 1, a with b −1");
    }

    #[test]
    fn condition_means_explain_all_of_it() {
        let recording = recording();
        let group = |odd: usize| Group {
            name: odd.to_string(),
            events: (0..50).map(|k| (2 * k + odd) as f64).collect(),
            rows: (0..50).map(|k| 2 * k + odd).collect(),
        };
        let to = AlignTo::Column(EventColumn { table: "t".into(), column: "start_time".into() });
        let groups = Groups { to, table: Some("t".into()), groups: vec![group(0), group(1)], all: 100, restricted: false, length_s: 1.0 };
        let stretches = Stretches::Trials { groups: groups.clone(), window: EventWindow::around(0.0, 0.9, 0.9) };
        let found = correlate(Job { recording: Arc::clone(&recording), units: vec![0, 1, 2], stretches }, 1);
        assert!(found.units.iter().all(|r| r.is_nan()), "within a condition no count changes");
        let together = Group { name: String::new(), events: (0..100).map(f64::from).collect(), rows: (0..100).collect() };
        let stretches =
            Stretches::Trials { groups: Groups { groups: vec![together], ..groups }, window: EventWindow::around(0.0, 0.9, 0.9) };
        let found = correlate(Job { recording, units: vec![0, 1, 2], stretches }, 2);
        assert!((found.units[[0, 2]] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_was_not_observed_is_no_silence_that_units_share() {
        // Two units that fire independently, in one half of the time nobody looked.
        let train =
            |k: usize| (0..2000).map(|i| f64::from(i) * 0.05).filter(|t| ((t * 7.3).sin() * (k + 1) as f64 * 97.0).sin() > 0.0).collect();
        let observed: Vec<(f64, f64)> = (0..50).map(|k| (2.0 * f64::from(k), 2.0 * f64::from(k) + 1.0)).collect();
        let seen = |t: &f64| t.rem_euclid(2.0) < 1.0;
        let trains: Vec<Vec<f64>> = (0..2).map(|k| Vec::into_iter(train(k)).filter(seen).collect()).collect();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(trains),
            unit_ids: ["0", "1"].map(String::from).to_vec(),
            unit_areas: ["a", "a"].map(String::from).to_vec(),
            observed,
            ..RecordingParts::default()
        };
        let recording = Arc::new(Recording::new(parts, Source::File("x".into())).unwrap());
        let job = |stretches| Job { recording: Arc::clone(&recording), units: vec![0, 1], stretches };
        let found = correlate(job(Stretches::Bins { window: (0.0, 100.0), bins: 200 }), 1);
        assert_eq!((found.samples, found.unseen), (100, 100));
        // Over all bins, silent ones too, both would seem to go together.
        let counts = |u| binned(recording.spikes.unit(u), 0.0, 100.0, 200);
        let all = Array2::from_shape_fn((200, 2), |(s, u)| counts(u)[s]);
        let naive = count_correlations(all.view(), &Watch::default()).unwrap()[[0, 1]];
        assert!(naive > 0.4 && found.units[[0, 1]].abs() < 0.3, "{naive} {}", found.units[[0, 1]]);
        let stopped = Watch::default();
        stopped.stop();
        assert!(super::correlate(job(Stretches::Bins { window: (0.0, 100.0), bins: 200 }), 1, &stopped).is_none());
    }
}
