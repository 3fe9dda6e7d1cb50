//! Which time was observed: a bin in which nobody looked is not a bin without spikes. Rates divide by the time that was observed,
//! and trials count only where they were seen.

use ndarray::Array2;

use super::aligned::EventWindow;
use crate::recording::Recording;

/// Stretches closer than this are one: files round their times, seconds.
const ROUNDING_S: f64 = 1e-3;
/// Share of a bin that may be missing at its edges (rounding again) without the bin counting as unobserved.
const EDGE_SHARE: f64 = 0.01;

/// Observed stretches of time in seconds, ascending and disjoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    stretches: Vec<(f64, f64)>,
}

impl Observed {
    /// From any stretches: sorted, joined where they touch; those that are empty or no numbers are left out.
    pub fn new(stretches: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut all: Vec<(f64, f64)> = stretches.into_iter().filter(|(a, b)| a.is_finite() && b.is_finite() && b > a).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut joined: Vec<(f64, f64)> = Vec::new();
        for (start, stop) in all {
            match joined.last_mut() {
                Some(last) if start - last.1 <= ROUNDING_S => last.1 = last.1.max(stop),
                _ => joined.push((start, stop)),
            }
        }
        Self { stretches: joined }
    }

    /// What a recording says. One that says nothing is taken to be observed from its first to its last spike or trial.
    pub fn of(recording: &Recording) -> Self {
        if !recording.observed.is_empty() {
            return Self::new(recording.observed.iter().copied());
        }
        let rows = recording.tables.iter().flat_map(|t| t.start.iter().copied().zip(t.stop.iter().copied()));
        let known = recording.time_range().into_iter().chain(rows).filter(|(a, b)| a.is_finite() && b.is_finite());
        Self::new(known.reduce(|whole, (start, stop)| (whole.0.min(start), whole.1.max(stop))))
    }

    /// The stretches.
    pub fn stretches(&self) -> &[(f64, f64)] {
        &self.stretches
    }

    /// Observed time between two times, seconds.
    pub fn seconds(&self, start: f64, stop: f64) -> f64 {
        self.within(start, stop).map(|(a, b)| b - a).sum()
    }

    /// Observed parts of `start..stop`.
    pub fn within(&self, start: f64, stop: f64) -> impl Iterator<Item = (f64, f64)> {
        let first = self.stretches.partition_point(|s| s.1 <= start);
        let rest = self.stretches.get(first..).unwrap_or_default();
        rest.iter().take_while(move |s| s.0 < stop).map(move |&(a, b)| (a.max(start), b.min(stop))).filter(|(a, b)| b > a)
    }

    /// Parts of `start..stop` that were not observed.
    pub fn gaps(&self, start: f64, stop: f64) -> Vec<(f64, f64)> {
        let (mut gaps, mut end) = (Vec::new(), start);
        for (from, to) in self.within(start, stop) {
            if from - end > ROUNDING_S {
                gaps.push((end, from));
            }
            end = to;
        }
        if stop - end > ROUNDING_S {
            gaps.push((end, stop));
        }
        gaps
    }

    /// True when something between two times was not observed, other than before the first and after the last stretch.
    pub fn is_broken(&self, start: f64, stop: f64) -> bool {
        let (Some(first), Some(last)) = (self.stretches.first(), self.stretches.last()) else { return true };
        !self.gaps(start.max(first.0), stop.min(last.1)).is_empty()
    }

    /// True when all of a bin was observed, but for rounding.
    pub fn whole(&self, start: f64, stop: f64) -> bool {
        self.seconds(start, stop) >= (1.0 - EDGE_SHARE) * (stop - start)
    }

    /// Observed time in each of `bins` equal bins from `start` to `stop`, seconds.
    pub fn per_bin(&self, start: f64, stop: f64, bins: usize) -> Vec<f64> {
        let width = (stop - start) / bins.max(1) as f64;
        (0..bins).map(|bin| self.seconds(start + bin as f64 * width, start + (bin + 1) as f64 * width)).collect()
    }

    /// Which bins around which events (seconds) were observed, `[events, bins]`; `None` when all of them were.
    pub fn around(&self, events: &[f64], window: &EventWindow) -> Option<Array2<bool>> {
        let whole = |event: &f64| self.whole(event + window.start_s, event + window.stop_s());
        if events.iter().all(whole) {
            return None;
        }
        let start = |event: usize, bin: usize| events.get(event).map_or(f64::NAN, |e| e + window.start_s + bin as f64 * window.bin_s);
        Some(Array2::from_shape_fn((events.len(), window.bins), |(event, bin)| {
            let from = start(event, bin);
            self.whole(from, from + window.bin_s)
        }))
    }
}

/// The share of some rows (trials, say) that were observed at every moment: a step function of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coverage {
    /// Times at which the share changes, seconds, ascending; the share from there on; observed seconds up to there.
    steps: Vec<(f64, f64, f64)>,
}

impl Coverage {
    /// Of rows, each with its disjoint observed stretches (seconds).
    pub fn of<R: IntoIterator<Item = (f64, f64)>>(rows: impl IntoIterator<Item = R>) -> Self {
        let (mut changes, mut n) = (Vec::new(), 0.0f64);
        for row in rows {
            n += 1.0;
            changes.extend(row.into_iter().filter(|(a, b)| b > a).flat_map(|(a, b)| [(a, 1.0), (b, -1.0)]));
        }
        changes.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
        let mut steps: Vec<(f64, f64, f64)> = Vec::new();
        let mut open = 0.0;
        for (time, change) in changes {
            open += change;
            match steps.last_mut() {
                Some(last) if last.0 == time => last.1 = open / n,
                last => {
                    let before = last.map_or(0.0, |l| l.2 + l.1 * (time - l.0));
                    steps.push((time, open / n, before));
                }
            }
        }
        Self { steps }
    }

    /// Mean observed time of a row between two times, seconds.
    pub fn seconds(&self, start: f64, stop: f64) -> f64 {
        let up_to = |time: f64| match self.steps.partition_point(|s| s.0 <= time).checked_sub(1).and_then(|k| self.steps.get(k)) {
            Some(&(from, share, before)) => before + share * (time - from),
            None => 0.0,
        };
        (up_to(stop) - up_to(start)).max(0.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::{IntervalTable, RecordingParts, Source, SpikeTrains};
    use ndarray::array;

    fn observed() -> Observed {
        Observed::new([(5.0, 6.0), (0.0, 1.0), (1.0005, 2.0), (f64::NAN, 3.0), (9.0, 8.0)])
    }

    #[test]
    fn stretches_are_sorted_joined_and_measured() {
        let observed = observed();
        assert_eq!(observed.stretches(), [(0.0, 2.0), (5.0, 6.0)]);
        assert!((observed.seconds(1.5, 5.25) - 0.75).abs() < 1e-12);
        assert_eq!(observed.gaps(-1.0, 7.0), [(-1.0, 0.0), (2.0, 5.0), (6.0, 7.0)]);
        assert_eq!((observed.gaps(0.2, 1.9), observed.gaps(3.0, 4.0)), (vec![], vec![(3.0, 4.0)]));
        assert_eq!(observed.per_bin(0.0, 6.0, 3), [2.0, 0.0, 1.0]);
        assert!(observed.whole(0.0, 2.0) && observed.whole(1.0, 2.0005) && !observed.whole(1.5, 2.5));
        assert!(Observed::default().gaps(0.0, 0.0).is_empty());
        assert!(observed.is_broken(-1.0, 7.0) && !observed.is_broken(-1.0, 1.5) && !observed.is_broken(5.5, 9.0));
    }

    #[test]
    fn bins_around_events_are_seen_or_not() {
        let window = EventWindow::around(0.5, 0.5, 0.5);
        assert_eq!(observed().around(&[1.0, 1.5], &window), None);
        let seen = observed().around(&[1.0, 2.0, 5.0, f64::NAN], &window).unwrap();
        assert_eq!(seen, array![[true, true], [true, false], [false, true], [false, false]]);
    }

    #[test]
    fn coverage_is_the_mean_over_rows() {
        let coverage = Coverage::of([vec![(0.0, 4.0)], vec![(1.0, 2.0), (2.0, 3.0)], vec![]]);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(coverage.seconds(0.0, 4.0), 2.0);
        near(coverage.seconds(0.5, 1.5), 0.5);
        near(coverage.seconds(-5.0, 0.5), 0.5 / 3.0);
        near(coverage.seconds(3.0, 9.0), 1.0 / 3.0);
        assert_eq!(Coverage::default().seconds(0.0, 1.0), 0.0);
    }

    #[test]
    fn a_recording_that_says_nothing_was_observed_from_its_first_to_its_last_spike_or_trial() {
        let make = |observed: Vec<(f64, f64)>| {
            let parts = RecordingParts {
                spikes: SpikeTrains::from_units([vec![1.0, 4.0], vec![2.0]]),
                unit_ids: vec!["0".into(), "1".into()],
                unit_areas: vec!["a".into(), "a".into()],
                tables: vec![IntervalTable { name: "trials".into(), start: vec![3.0, f64::NAN], stop: vec![9.0, 50.0], columns: vec![] }],
                observed,
                ..RecordingParts::default()
            };
            Observed::of(&Recording::new(parts, Source::File("x".into())).unwrap())
        };
        assert_eq!(make(vec![]).stretches(), [(1.0, 9.0)]);
        assert_eq!(make(vec![(0.0, 2.0)]).stretches(), [(0.0, 2.0)]);
    }
}
