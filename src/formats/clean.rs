//! Dirty spike times made usable, and every repair told: unsorted trains are sorted, NaN and infinite times are left out,
//! negative and repeated times and silent units are kept and named.

use rayon::prelude::*;

use crate::recording::{ImportReport, NoteKind, SpikeTrains};

/// Times beyond this many seconds (12 days) are hardly seconds.
const LATEST: f64 = 1e6;

/// Clean spike times that lie end to end in `times`; unit `u` has `times[offsets[u]..offsets[u + 1]]`. `None` when the offsets do
/// not ascend from 0 to the number of times. Sound data are not copied.
pub(super) fn clean(times: Vec<f64>, offsets: Vec<usize>, ids: &[String], place: &str, report: &mut ImportReport) -> Option<SpikeTrains> {
    clean_and_tell(times, offsets, ids, place, report).map(|(trains, _)| trains)
}

/// The same, and whether the times are as they were.
pub(super) fn clean_and_tell(
    mut times: Vec<f64>,
    mut offsets: Vec<usize>,
    ids: &[String],
    place: &str,
    report: &mut ImportReport,
) -> Option<(SpikeTrains, bool)> {
    let fits = offsets.first() == Some(&0) && offsets.is_sorted() && offsets.last() == Some(&times.len());
    if !fits || offsets.len() != ids.len() + 1 {
        return None;
    }
    let all = times.len();
    leave_out_non_finite(&mut times, &mut offsets, ids, place, report);
    let (mut unsorted, mut negative, mut silent, mut repeated) = (Tally::new(), Tally::new(), Tally::new(), Tally::new());
    let mut latest = f64::NEG_INFINITY;
    for (unit, found) in of_units(&mut times, &offsets).into_iter().enumerate() {
        unsorted.add(unit, usize::from(found.unsorted));
        negative.add(unit, found.negative);
        repeated.add(unit, found.repeated);
        silent.add(unit, usize::from(found.silent));
        latest = latest.max(found.last);
    }
    if unsorted.any() {
        let message = format!("spike times of {} were not ascending; they were sorted", unsorted.units(ids));
        report.add(NoteKind::Repaired, place, message);
    }
    if negative.any() {
        let message = format!("{} before 0 s in {}; kept", spikes(negative.total), negative.units(ids));
        report.add(NoteKind::Advice, place, message);
    }
    if repeated.any() {
        let message = format!("{} at exactly the time of the one before in {}; kept", spikes(repeated.total), repeated.units(ids));
        report.add(NoteKind::Advice, place, message);
    }
    if silent.any() {
        report.add(NoteKind::Advice, place, format!("no spikes in {}; kept as silent", silent.units(ids)));
    }
    if latest > LATEST {
        let message = format!("the last spike is at {latest} s, more than 12 days; the times may be samples or milliseconds, not seconds");
        report.add(NoteKind::Advice, place, message);
    }
    let untouched = times.len() == all && !unsorted.any();
    SpikeTrains::from_block(times, offsets).map(|trains| (trains, untouched))
}

/// The same for one list of times per unit.
pub(super) fn clean_trains(trains: Vec<Vec<f64>>, ids: &[String], place: &str, report: &mut ImportReport) -> Option<SpikeTrains> {
    let mut times = Vec::with_capacity(trains.iter().map(Vec::len).sum());
    let mut offsets = Vec::with_capacity(trains.len() + 1);
    offsets.push(0);
    for train in trains {
        times.extend_from_slice(&train);
        offsets.push(times.len());
    }
    clean(times, offsets, ids, place, report)
}

/// What there is to say of one train.
struct Train {
    unsorted: bool,
    negative: usize,
    repeated: usize,
    silent: bool,
    last: f64,
}

/// Sort every train that is not ascending, all processors at once, and look at each.
fn of_units(times: &mut [f64], offsets: &[usize]) -> Vec<Train> {
    let mut rest = times;
    let mut trains: Vec<&mut [f64]> = Vec::with_capacity(offsets.len());
    for bounds in offsets.windows(2) {
        let (train, behind) = rest.split_at_mut(bounds[1] - bounds[0]);
        trains.push(train);
        rest = behind;
    }
    let look = |train: &mut [f64]| {
        let unsorted = !train.is_sorted();
        if unsorted {
            train.sort_unstable_by(f64::total_cmp);
        }
        Train {
            unsorted,
            negative: train.partition_point(|&t| t < 0.0),
            repeated: train.windows(2).filter(|w| w[0] == w[1]).count(),
            silent: train.is_empty(),
            last: train.last().copied().unwrap_or(f64::NEG_INFINITY),
        }
    };
    trains.into_par_iter().map(look).collect()
}

fn leave_out_non_finite(times: &mut Vec<f64>, offsets: &mut [usize], ids: &[String], place: &str, report: &mut ImportReport) {
    if times.par_chunks(1 << 16).all(|part| part.iter().fold(true, |all, t| all & t.is_finite())) {
        return;
    }
    let mut bad = Tally::new();
    let (mut kept, mut begin) = (0, 0);
    for unit in 0..ids.len() {
        let end = offsets[unit + 1];
        let start = kept;
        for at in begin..end {
            if times[at].is_finite() {
                times[kept] = times[at];
                kept += 1;
            }
        }
        bad.add(unit, (end - begin) - (kept - start));
        (begin, offsets[unit + 1]) = (end, kept);
    }
    times.truncate(kept);
    report.add(NoteKind::LeftOut, place, format!("{} without a finite time (NaN or infinite) in {}", spikes(bad.total), bad.units(ids)));
}

/// Say when ids repeat.
pub(super) fn note_duplicate_ids(ids: &[String], place: &str, report: &mut ImportReport) {
    let mut seen = std::collections::BTreeSet::new();
    let repeated: std::collections::BTreeSet<&str> = ids.iter().filter(|id| !seen.insert(id.as_str())).map(String::as_str).collect();
    if !repeated.is_empty() {
        let list: Vec<&str> = repeated.iter().copied().take(8).collect();
        let message = format!("ids of several units: {}; the units are kept apart by their order", list.join(", "));
        report.add(NoteKind::Advice, place, message);
    }
}

/// "1 spike", "2 spikes".
pub(super) fn spikes(count: usize) -> String {
    counted(count, "spike")
}

/// "1 row", "2 rows".
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Units to which something happened, and how often.
struct Tally {
    units: Vec<usize>,
    total: usize,
}

impl Tally {
    fn new() -> Self {
        Self { units: Vec::new(), total: 0 }
    }

    fn add(&mut self, unit: usize, count: usize) {
        if count > 0 {
            self.units.push(unit);
            self.total += count;
        }
    }

    fn any(&self) -> bool {
        !self.units.is_empty()
    }

    fn units(&self, ids: &[String]) -> String {
        let named: Vec<&str> = self.units.iter().filter_map(|&u| ids.get(u)).take(8).map(String::as_str).collect();
        let more = if self.units.len() > named.len() { ", …" } else { "" };
        if self.units.len() == 1 {
            format!("unit {}", named.join(""))
        } else {
            format!("{} units ({}{more})", self.units.len(), named.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn dirty_trains_are_repaired_and_each_repair_is_told() {
        let times = vec![3.0, 1.0, f64::NAN, -1.0, 2.0, f64::INFINITY];
        let mut report = ImportReport::default();
        let trains = clean(times, vec![0, 3, 3, 6], &ids(3), "units/spike_times", &mut report).unwrap();
        assert_eq!((trains.unit(0), trains.unit(1), trains.unit(2)), (&[1.0, 3.0][..], &[][..], &[-1.0, 2.0][..]));
        let told: Vec<(NoteKind, &str)> = report.notes.iter().map(|n| (n.kind, n.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (NoteKind::LeftOut, "2 spikes without a finite time (NaN or infinite) in 2 units (0, 2)"),
                (NoteKind::Repaired, "spike times of unit 0 were not ascending; they were sorted"),
                (NoteKind::Advice, "1 spike before 0 s in unit 2; kept"),
                (NoteKind::Advice, "no spikes in unit 1; kept as silent"),
            ]
        );
    }

    #[test]
    fn sound_trains_are_taken_as_they_are_without_a_word() {
        let mut report = ImportReport::default();
        let trains = clean(vec![0.5, 1.0, 0.2], vec![0, 2, 3], &ids(2), "t", &mut report).unwrap();
        assert_eq!(trains.block(), [0.5, 1.0, 0.2]);
        assert!(report.is_empty());
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() {
        for offsets in [vec![0, 2], vec![0, 3, 2], vec![1, 2, 3], vec![0, 1, 2, 3], vec![]] {
            assert!(clean(vec![0.0; 3], offsets.clone(), &ids(2), "t", &mut ImportReport::default()).is_none(), "{offsets:?}");
        }
    }
}
