//! The units table: ids, spike times, observation intervals, further columns.

use hdf5_pure::{Dataset, Group};

use super::tables;
use crate::formats::clean::counted;
use crate::formats::guard::{Hdf5, Numbers};
use crate::formats::time_range::{self, TimeRange, Whole};
use crate::formats::{FormatError, OpenOptions};
use crate::recording::{Fingerprint, Fingerprinting, ImportReport, NamedColumn, NoteKind};

const TIMES: &str = "units/spike_times";
const DOING: &str = "reading spike times";
/// Progress while spike times are read.
const SPAN: (f32, f32) = (0.05, 0.55);
/// Units whose first and last spikes tell how long a recording is.
const LOOK_AT: usize = 32;

/// Columns with a meaning of their own, which are not repeated among the plain ones.
const SPECIAL: &[&str] =
    &["id", "spike_times", "obs_intervals", "electrodes", "electrode_group", "waveforms", "waveform_mean", "waveform_sd"];

/// Spike times as they are read.
pub(super) struct SpikeTimes {
    /// End to end.
    pub(super) times: Vec<f64>,
    /// Where each unit's begin (`units + 1` offsets).
    pub(super) offsets: Vec<usize>,
    /// Made beside the reading; that of the recording when nothing is repaired.
    pub(super) fingerprint: Option<Fingerprint>,
    /// What was seen of all spikes, when only a stretch was kept.
    pub(super) whole: Option<Whole>,
}

/// An opened units table.
pub(super) struct Units<'h, 'a> {
    pub(super) h5: &'h Hdf5<'a>,
    pub(super) group: Group,
}

impl<'h, 'a> Units<'h, 'a> {
    pub(super) fn new(h5: &'h Hdf5<'a>, group: Group) -> Result<Self, FormatError> {
        Ok(Self { h5, group })
    }

    /// The column called `name`.
    pub(super) fn dataset(&self, name: &str) -> Result<Option<Dataset>, FormatError> {
        self.h5.dataset(&self.group, "units", name)
    }

    /// Unit ids as text; row numbers when the table has none.
    pub(super) fn ids(&self, report: &mut ImportReport) -> Result<Vec<String>, FormatError> {
        if let Some(dataset) = self.dataset("id")?
            && let Some(column) = self.h5.column("units/id", &dataset)?
        {
            return Ok((0..column.len()).map(|row| column.text(row)).collect());
        }
        let index = self.dataset("spike_times_index")?;
        let count = match &index {
            Some(index) => self.h5.index("units/spike_times_index", index)?.len(),
            None => 0,
        };
        report.add(NoteKind::Assumed, "units/id", "the units have no ids; they are numbered from 0");
        Ok((0..count).map(|row| row.to_string()).collect())
    }

    /// Spike times of all units, or those in the stretch that is asked for.
    pub(super) fn spike_times(&self, ids: &[String], options: &OpenOptions) -> Result<SpikeTimes, FormatError> {
        let units = ids.len();
        let missing = |object: &str| {
            let none = || FormatError::NoSpikeTimes { path: self.h5.path.to_owned(), object: object.to_owned(), units };
            self.h5.elsewhere(object).unwrap_or_else(none)
        };
        let times = self.dataset("spike_times")?.ok_or_else(|| missing("units/spike_times"))?;
        let index = self.dataset("spike_times_index")?.ok_or_else(|| missing("units/spike_times_index"))?;
        let ends = self.h5.index("units/spike_times_index", &index)?;
        if ends.len() != units {
            let problem = format!("it has {} rows, but there are {units} units", ends.len());
            return Err(FormatError::corrupt(self.h5.path, "units/spike_times_index", problem));
        }
        let offsets: Vec<usize> = std::iter::once(0).chain(ends.iter().map(|&e| usize::try_from(e).unwrap_or(usize::MAX))).collect();
        let numbers = self.h5.in_pieces(TIMES, &times)?;
        if !offsets.is_sorted() || offsets.last() != Some(&numbers.len()) {
            let problem = "it does not ascend to the number of spike times";
            return Err(FormatError::corrupt(self.h5.path, "units/spike_times_index", problem));
        }
        if let Some(range) = time_range::wanted(self.h5.path, options)? {
            return self.in_range(&numbers, &offsets, range, options.max_bytes);
        }
        if numbers.bytes() > options.max_bytes {
            return Err(self.too_long(&numbers, &offsets, options.max_bytes)?);
        }
        let mut work = Fingerprinting::new(ids, &offsets);
        let times = numbers.all(SPAN, DOING, &mut |part| work.add(part))?;
        Ok(SpikeTimes { times, offsets, fingerprint: work.finish(), whole: None })
    }

    /// Every spike is looked at, those in the range are kept: what is held in memory is what the range needs.
    fn in_range(&self, numbers: &Numbers, offsets: &[usize], range: TimeRange, most: u64) -> Result<SpikeTimes, FormatError> {
        let mut whole = Whole { spikes: numbers.len(), first: f64::INFINITY, last: f64::NEG_INFINITY };
        let (mut times, mut kept, mut unit) = (Vec::new(), vec![0], 0);
        let mut full = false;
        let done = numbers.pieces(SPAN, DOING, |at, values| {
            let mut from = 0;
            while from < values.len() {
                let end = offsets.get(unit + 1).copied().unwrap_or(usize::MAX);
                if end <= at + from {
                    kept.push(times.len());
                    unit += 1;
                    continue;
                }
                let to = values.len().min(end - at);
                for &time in values.get(from..to).unwrap_or_default() {
                    if time.is_finite() {
                        (whole.first, whole.last) = (whole.first.min(time), whole.last.max(time));
                    }
                    // What is no number is kept, so that it is told.
                    if !(time < range.from || time >= range.to) {
                        times.push(time);
                    }
                }
                from = to;
            }
            full = times.len() as u64 * 8 > most;
            if full { Err(FormatError::Cancelled { path: self.h5.path.to_owned() }) } else { Ok(()) }
        });
        if full {
            return Err(self.too_long(numbers, offsets, most)?);
        }
        done?;
        kept.resize(offsets.len(), times.len());
        Ok(SpikeTimes { times, offsets: kept, fingerprint: None, whole: Some(whole) })
    }

    /// Ask for a stretch, because all of it does not fit into memory.
    fn too_long(&self, numbers: &Numbers, offsets: &[usize], most: u64) -> Result<FormatError, FormatError> {
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        // Some units tell about when the recording begins and ends.
        for bounds in offsets.windows(2).filter(|b| b[1] > b[0]).step_by(offsets.len() / LOOK_AT + 1) {
            (first, last) = (first.min(numbers.one(bounds[0])?), last.max(numbers.one(bounds[1] - 1)?));
        }
        Ok(time_range::too_long(self.h5.path, TIMES, numbers.bytes(), most, (first, last)))
    }

    /// Every further column with one value per unit.
    pub(super) fn columns(&self, units: usize, report: &mut ImportReport) -> Vec<NamedColumn> {
        tables::columns(self.h5, "units", &self.group, units, SPECIAL, report)
    }

    /// Stretches in which all units were observed; empty when the file does not say.
    pub(super) fn observed(&self, units: usize, report: &mut ImportReport) -> Vec<(f64, f64)> {
        match self.try_observed(units, report) {
            Ok(observed) => observed,
            Err(e) => {
                report.add(NoteKind::LeftOut, "units/obs_intervals", format!("observation intervals were not read: {e}"));
                Vec::new()
            }
        }
    }

    fn try_observed(&self, units: usize, report: &mut ImportReport) -> Result<Vec<(f64, f64)>, FormatError> {
        let place = "units/obs_intervals";
        let (Some(data), Some(index)) = (self.dataset("obs_intervals")?, self.dataset("obs_intervals_index")?) else {
            return Ok(Vec::new());
        };
        let shape = self.h5.check(place, &data)?;
        let values = self.h5.numbers(place, &data, (0.6, 0.65), "reading observation intervals")?;
        let ends = self.h5.index("units/obs_intervals_index", &index)?;
        if shape.per_row != 2 || ends.len() != units {
            return Err(FormatError::corrupt(self.h5.path, place, "it is not a list of (start, stop) per unit"));
        }
        let mut common: Option<Vec<(f64, f64)>> = None;
        let mut previous: &[f64] = &[];
        let (mut begin, mut differ, mut silent) = (0, false, 0);
        for &end in &ends {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            let rows = values.get(begin * 2..end.saturating_mul(2));
            let rows = rows.ok_or_else(|| FormatError::corrupt(self.h5.path, place, "its index leaves the data"))?;
            begin = end;
            if rows.is_empty() {
                silent += 1;
                continue;
            }
            // Nearly always every unit has the same list: do not intersect it again.
            if common.is_some() && rows == previous {
                continue;
            }
            let own = disjoint(rows);
            differ |= common.is_some();
            common = Some(common.map_or_else(|| own.clone(), |c| intersect(&c, &own)));
            previous = rows;
        }
        let observed = common.unwrap_or_default();
        if differ {
            let message =
                format!("units were observed at different times; what is common to all is used (number of stretches: {})", observed.len());
            report.add(NoteKind::Assumed, place, message);
        }
        if silent > 0 && !observed.is_empty() {
            let message = format!("no observation intervals for {}; taken to be observed like the others", counted(silent, "unit"));
            report.add(NoteKind::Assumed, place, message);
        }
        Ok(observed)
    }
}

/// Ascending and disjoint, from pairs in any order; touching stretches become one.
fn disjoint(rows: &[f64]) -> Vec<(f64, f64)> {
    let mut stretches: Vec<(f64, f64)> =
        rows.chunks_exact(2).map(|r| (r[0], r[1])).filter(|(a, b)| b > a && a.is_finite() && b.is_finite()).collect();
    stretches.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(stretches.len());
    for (start, stop) in stretches {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(stop),
            _ => merged.push((start, stop)),
        }
    }
    merged
}

fn intersect(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (mut i, mut k, mut common) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(k)) {
        let (start, stop) = (x.0.max(y.0), x.1.min(y.1));
        if stop > start {
            common.push((start, stop));
        }
        if x.1 < y.1 { i += 1 } else { k += 1 }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_sorted_merged_and_intersected() {
        let a = disjoint(&[5.0, 6.0, 0.0, 1.0, 0.5, 2.0, 9.0, 9.0, f64::NAN, 3.0]);
        assert_eq!(a, [(0.0, 2.0), (5.0, 6.0)]);
        assert_eq!(intersect(&a, &[(1.0, 5.5), (5.75, 8.0)]), [(1.0, 2.0), (5.0, 5.5), (5.75, 6.0)]);
        assert_eq!(intersect(&a, &[]), []);
    }
}
