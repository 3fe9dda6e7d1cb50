//! The spikes of a recording as the raster asks for them: where in a unit's train a time lies, which spike is near the pointer and
//! how far its neighbours are. Answers come from the trains themselves (f64 seconds) and are exact; the pyramid only makes the
//! search short.

use std::ops::Range;
use std::sync::Arc;

use super::{Pyramid, nearest_spike};
use crate::recording::{Recording, SpikeTrains};

/// Spikes, with their pyramid once it is built.
#[derive(Debug, Clone)]
pub struct SpikeField {
    recording: Arc<Recording>,
    pyramid: Option<Arc<Pyramid>>,
}

/// One spike and its neighbours in the same train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Place in the unit's train.
    pub spike: usize,
    /// Time in seconds.
    pub time: f64,
    /// Seconds since the spike before it.
    pub since: Option<f64>,
    /// Seconds until the spike after it.
    pub until: Option<f64>,
}

impl SpikeField {
    /// Without a pyramid (yet).
    pub fn new(recording: Arc<Recording>) -> Self {
        Self { recording, pyramid: None }
    }

    /// The same spikes with a pyramid built from them.
    pub fn with_pyramid(self, pyramid: Option<Arc<Pyramid>>) -> Self {
        Self { pyramid, ..self }
    }

    /// The recording.
    pub fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    /// The spike trains.
    pub fn spikes(&self) -> &SpikeTrains {
        &self.recording.spikes
    }

    /// The pyramid.
    pub fn pyramid(&self) -> Option<&Arc<Pyramid>> {
        self.pyramid.as_ref()
    }

    /// Number of spikes of `unit` before `time`; 0 for a unit that does not exist.
    pub fn rank(&self, unit: usize, time: f64) -> usize {
        let train = self.train(unit);
        let (low, high) = self.pyramid.as_ref().map_or((0, train.len()), |p| p.bracket(unit, time));
        low + train.get(low..high.min(train.len())).map_or(0, |part| part.partition_point(|t| *t < time))
    }

    /// Spikes of `unit` in `start <= t < stop`, as places in its train.
    pub fn between(&self, unit: usize, start: f64, stop: f64) -> Range<usize> {
        let first = self.rank(unit, start);
        first..self.rank(unit, stop).max(first)
    }

    /// Number of spikes of some units in `start <= t < stop`.
    pub fn count(&self, units: impl IntoIterator<Item = usize>, start: f64, stop: f64) -> u64 {
        units.into_iter().map(|unit| self.between(unit, start, stop).len() as u64).sum()
    }

    /// The spike of `unit` nearest to `time`, at most `within` seconds away.
    pub fn hit(&self, unit: usize, time: f64, within: f64) -> Option<Hit> {
        let train = self.train(unit);
        let near = self.between(unit, time - within, time + within);
        // The stretch ends before its stop: a spike exactly there is still within reach.
        let near = near.start..(near.end + 1).min(train.len());
        let spike = near.start + nearest_spike(train.get(near.clone())?, time, within)?;
        let at = |k: usize| train.get(k).copied();
        let here = at(spike)?;
        Some(Hit {
            spike,
            time: here,
            since: spike.checked_sub(1).and_then(at).map(|before| here - before),
            until: at(spike + 1).map(|after| after - here),
        })
    }

    pub(super) fn train(&self, unit: usize) -> &[f64] {
        if unit < self.spikes().n_units() { self.spikes().unit(unit) } else { &[] }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recording::{RecordingParts, Source};

    /// A recording of these trains, all in one area.
    pub(in crate::render) fn recording(trains: Vec<Vec<f64>>) -> Arc<Recording> {
        let parts = RecordingParts {
            unit_ids: (0..trains.len()).map(|u| u.to_string()).collect(),
            unit_areas: vec!["A".into(); trains.len()],
            spikes: SpikeTrains::from_units(trains),
            ..RecordingParts::default()
        };
        Arc::new(Recording::new(parts, Source::File("x.nwb".into())).unwrap())
    }

    /// With its pyramid, as in a window after a moment.
    pub(in crate::render) fn field(trains: Vec<Vec<f64>>) -> SpikeField {
        let recording = recording(trains);
        let pyramid = Pyramid::build(&recording.spikes).map(Arc::new);
        SpikeField::new(recording).with_pyramid(pyramid)
    }

    proptest! {
        #[test]
        fn ranges_and_nearest_spikes_are_those_of_a_search_through_everything(
            mut times in prop::collection::vec(0u32..100_000, 0..2000),
            windows in prop::collection::vec((-10.0f64..1010.0, 0.0f64..300.0), 1..20),
            other in 0usize..500,
        ) {
            times.sort_unstable();
            let train: Vec<f64> = times.into_iter().map(|t| f64::from(t) * 0.01).collect();
            let second: Vec<f64> = (0..other).map(|k| k as f64 * 1.7).collect();
            let plain = SpikeField::new(recording(vec![train.clone(), second]));
            let quick = plain.clone().with_pyramid(Pyramid::build(plain.spikes()).map(Arc::new));
            for (start, width) in windows {
                let inside = train.iter().filter(|t| **t >= start && **t < start + width).count();
                for field in [&plain, &quick] {
                    prop_assert_eq!(field.between(0, start, start + width).len(), inside);
                    prop_assert_eq!(field.rank(0, start), train.iter().filter(|t| **t < start).count());
                    let nearest = train.iter().map(|t| (t - start).abs()).fold(f64::INFINITY, f64::min);
                    let hit = field.hit(0, start, width);
                    prop_assert_eq!(hit.map(|h| (h.time - start).abs()), (nearest <= width).then_some(nearest));
                }
            }
        }
    }

    #[test]
    fn a_hit_knows_its_intervals_to_the_last_digit() {
        let ten_hours = 36_000.0;
        let train = vec![ten_hours - 0.5, ten_hours, ten_hours + 33e-6, ten_hours + 0.25];
        let field = field(vec![train.clone(), vec![]]);
        let hit = field.hit(0, ten_hours + 30e-6, 1e-3).unwrap();
        assert_eq!((hit.spike, hit.time), (2, train[2]));
        assert_eq!((hit.since, hit.until), (Some(train[2] - train[1]), Some(train[3] - train[2])));
        let last = field.hit(0, ten_hours + 0.3, 0.1).unwrap();
        assert_eq!((last.spike, last.until), (3, None));
        assert_eq!(field.hit(0, ten_hours - 0.6, 0.2).unwrap().since, None);
        assert_eq!((field.hit(1, 0.0, 1e9), field.hit(7, 0.0, 1e9), field.rank(7, 0.0)), (None, None, 0));
    }
}
