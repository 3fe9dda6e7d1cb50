//! Spikes of a text file as they come, and what becomes of them: unit of time, order of the units, areas, repairs.

use std::collections::HashMap;
use std::path::Path;

use super::super::choices::{Choices, Question};
use super::super::time_unit::{self, Evidence, TimeUnit};
use super::super::{FormatError, Loaded, clean};
use super::units_table::UnitsTable;
use crate::recording::{ImportReport, NoteKind, RecordingParts};

const MOST_UNITS: usize = 1_000_000;
/// Memory of one spike while a file is read.
const SPIKE_BYTES: u64 = 24;

/// Which spikes a list keeps; the others are only counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Keep {
    #[default]
    All,
    None,
    /// From a time to before another, in the unit of the file.
    Between(f64, f64),
}

/// Spikes as they come.
#[derive(Default)]
pub(super) struct SpikeList {
    keep: Keep,
    /// First and last spike, and whether all times are whole numbers, of those that are only counted.
    seen: Option<(f64, f64, bool)>,
    units: Vec<Unit>,
    by_id: HashMap<String, u32>,
    /// Unit and time in the unit of the file; for counts, the bin and where in it (0 to 1).
    spikes: Vec<(u32, f64)>,
    /// Start of every bin: numbers of bins, or times where the file has them.
    pub(super) bin_starts: Vec<f64>,
    pub(super) without_time: usize,
    /// Fields that say that there is no value.
    pub(super) gaps: usize,
    /// Lines with settings of the instrument.
    pub(super) settings: usize,
    pub(super) blank_units: usize,
    /// Reading stopped before the end.
    pub(super) cut: bool,
    other_area: usize,
}

struct Unit {
    id: String,
    area: String,
    count: usize,
}

/// What the layout says about the spikes of a list.
pub(super) struct Finish<'a> {
    /// Sort the units by id; else they stay in the order of the file.
    pub(super) sort: bool,
    /// A column holds the areas.
    pub(super) has_area: bool,
    /// The part before the separator in ids is an area (the well of an electrode).
    pub(super) wells: bool,
    /// Unit of time in a name, and where.
    pub(super) named: Option<(TimeUnit, &'a str)>,
    /// Counts per bin instead of times.
    pub(super) binned: Option<Bins>,
    /// What all spikes of the file say about the unit of time, when only some of them are in the list.
    pub(super) evidence: Option<Evidence>,
    /// Columns of the units and their order.
    pub(super) table: Option<UnitsTable>,
}

/// How long the bins of a table of counts are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bins {
    /// From the file name, milliseconds.
    pub(super) named_ms: Option<f64>,
    /// The table has a column with the times of the bins.
    pub(super) timed: bool,
}

impl SpikeList {
    pub(super) fn keeping(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Memory of the spikes that are kept.
    pub(super) fn bytes(&self) -> u64 {
        self.spikes.len() as u64 * SPIKE_BYTES
    }

    /// What the spikes say about the unit of time, kept or not.
    pub(super) fn evidence(&self) -> Evidence {
        let counts: Vec<usize> = self.units.iter().map(|u| u.count).collect();
        match self.seen {
            Some((first, last, whole)) => {
                let many = counts.iter().sum::<usize>() >= time_unit::MANY;
                Evidence { whole: whole && many, ..Evidence::default() }.over(&counts, last - first)
            }
            None => Evidence::of(self.spikes.iter().map(|s| s.1), &counts),
        }
    }

    /// Spikes, first and last of those that were only counted, in the unit of the file.
    pub(super) fn counted(&self) -> (usize, f64, f64) {
        let (first, last, _) = self.seen.unwrap_or((f64::INFINITY, f64::NEG_INFINITY, true));
        (self.units.iter().map(|u| u.count).sum(), first, last)
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The unit called `id`, a new one when there is none.
    pub(super) fn unit(&mut self, id: &str, area: String) -> Result<u32, String> {
        let id = canonical(id);
        if id.is_empty() {
            return Err("the unit is empty; expected a number or a name".to_owned());
        }
        if let Some(&unit) = self.by_id.get(&id) {
            return Ok(unit);
        }
        if self.units.len() >= MOST_UNITS {
            return Err(format!("more than {MOST_UNITS} different units; the columns for unit and time may be swapped"));
        }
        Ok(self.add(id, area))
    }

    /// A new unit, whatever others are called.
    pub(super) fn add(&mut self, id: String, area: String) -> u32 {
        let unit = self.units.len() as u32;
        self.by_id.insert(id.clone(), unit);
        self.units.push(Unit { id, area, count: 0 });
        unit
    }

    pub(super) fn push(&mut self, unit: u32, time: f64) {
        match self.keep {
            Keep::All => self.spikes.push((unit, time)),
            Keep::None => {
                let (first, last, whole) = self.seen.unwrap_or((f64::INFINITY, f64::NEG_INFINITY, true));
                self.seen = Some((first.min(time), last.max(time), whole && time.fract() == 0.0));
            }
            Keep::Between(from, to) if time < from || time >= to => return,
            Keep::Between(..) => self.spikes.push((unit, time)),
        }
        if let Some(unit) = self.units.get_mut(unit as usize) {
            unit.count += 1;
        }
    }

    /// `count` spikes spread evenly over a bin; `false` when all spikes together take more than `max_bytes`.
    pub(super) fn push_count(&mut self, unit: u32, bin: u64, count: u32, max_bytes: u64) -> bool {
        for k in 0..count {
            self.push(unit, bin as f64 + (f64::from(k) + 0.5) / f64::from(count));
        }
        self.spikes.len() as u64 <= max_bytes / SPIKE_BYTES
    }

    /// Count spikes that name another area than the first of their unit.
    pub(super) fn compare_area(&mut self, unit: u32, area: &str) {
        self.other_area += usize::from(self.units.get(unit as usize).is_some_and(|u| u.area != area));
    }

    /// The recording that the list makes.
    pub(super) fn into_parts(
        self,
        finish: &Finish,
        choices: &mut Choices,
        mut report: ImportReport,
        path: &Path,
    ) -> Result<Loaded, FormatError> {
        if self.units.is_empty() {
            return Err(FormatError::CsvLayout { path: path.to_owned(), problem: "there is no spike in the file".to_owned() });
        }
        let clock = match finish.binned {
            Some(bins) => Clock::Bins(self.bins(bins, finish.named, choices, &mut report)?),
            None => Clock::PerSecond(self.per_second(finish.named, finish.evidence.clone(), choices, &mut report)?),
        };
        self.tell(&mut report);
        let areas = self.areas(finish, choices, &mut report)?;
        let mut order = if finish.sort { sorted(&self.units) } else { (0..self.units.len()).collect() };
        if let Some(places) = finish.table.as_ref().map(UnitsTable::places) {
            order.sort_by_key(|&u| places.get(self.units[u].id.as_str()).copied().unwrap_or(usize::MAX));
        }
        let mut place = vec![0; order.len()];
        let mut offsets = vec![0];
        for (position, &unit) in order.iter().enumerate() {
            place[unit] = position;
            offsets.push(offsets[position] + self.units[unit].count);
        }
        let mut next = offsets.clone();
        let mut times = vec![0.0; self.spikes.len()];
        for &(unit, time) in &self.spikes {
            let slot = &mut next[place[unit as usize]];
            times[*slot] = clock.seconds(time);
            *slot += 1;
        }
        let ids: Vec<String> = order.iter().map(|&u| self.units[u].id.clone()).collect();
        let spikes = clean::clean(times, offsets, &ids, "time", &mut report)
            .ok_or_else(|| FormatError::corrupt(path, "spikes", "they do not add up to the counts of the units"))?;
        clean::note_duplicate_ids(&ids, "units", &mut report);
        let unit_areas = order.iter().map(|&u| areas[u].clone()).collect();
        let unit_columns = finish.table.as_ref().map(|table| table.columns(&ids, &mut report)).unwrap_or_default();
        report.choices = std::mem::take(&mut choices.made);
        Ok(RecordingParts { spikes, unit_ids: ids, unit_areas, unit_columns, report, ..RecordingParts::default() }.into())
    }

    fn per_second(
        &self,
        named: Option<(TimeUnit, &str)>,
        evidence: Option<Evidence>,
        choices: &mut Choices,
        report: &mut ImportReport,
    ) -> Result<f64, FormatError> {
        let named = named.map(|(unit, place)| (unit, place.to_owned()));
        let evidence = Evidence { named, ..evidence.unwrap_or_else(|| self.evidence()) };
        let per_second = time_unit::per_second(choices, &evidence)?;
        for told in time_unit::told(choices) {
            report.add(NoteKind::Assumed, "time", told);
        }
        Ok(per_second)
    }

    /// Starts and length of the bins, seconds.
    fn bins(
        &self,
        bins: Bins,
        named: Option<(TimeUnit, &str)>,
        choices: &mut Choices,
        report: &mut ImportReport,
    ) -> Result<Spread, FormatError> {
        let mut starts = self.bin_starts.clone();
        let mut steps: Vec<f64> = starts.windows(2).filter_map(|w| Some(w.last()? - w.first()?)).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let step = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
        let mut own_ms = bins.named_ms;
        let mut why = "as the name of the file says".to_owned();
        if bins.timed {
            // Bins of a second and more are rare; whole steps are milliseconds.
            let by_step = if step >= 1.0 {
                (TimeUnit::Milliseconds, "the step of the column")
            } else {
                (TimeUnit::Seconds, "the step of the column")
            };
            let (unit, place) = named.unwrap_or(by_step);
            let evidence = Evidence { named: Some((unit, place.to_owned())), hinted: named.is_none(), ..Evidence::default() };
            let per_second = time_unit::per_second(choices, &evidence)?;
            starts.iter_mut().for_each(|t| *t /= per_second);
            // To the nearest nanosecond: differences of times carry rounding errors.
            own_ms = Some((step / per_second * 1e9).round() / 1e6).filter(|ms| *ms > 0.0);
            why = "the step of the column of times".to_owned();
            if steps.iter().any(|s| (s - step).abs() > step.abs() * 1e-3) {
                report.add(NoteKind::Advice, "bins", "the times of the bins are not evenly spaced; every bin keeps its own start");
            }
        }
        let own = own_ms.map(|ms| ms.to_string());
        if own.is_none() {
            why = "the lines are bins, and nothing says how long they are".to_owned();
        }
        let question = Question { key: "bin_width_ms", label: "Bin width", proposed: own.as_deref(), why: &why, assumed: own.is_some() };
        let width = choices.positive(&question, "ms")? / 1e3;
        if !bins.timed {
            starts.iter_mut().for_each(|t| *t *= width);
        }
        report.add(NoteKind::Assumed, "bins", format!("bins are {} ms long, {}", width * 1e3, told(choices, "bin_width_ms", &why)));
        report.add(NoteKind::Assumed, "bins", "the file has counts, no times; the spikes of a bin are spread evenly over it");
        Ok(Spread { starts, width })
    }

    fn tell(&self, report: &mut ImportReport) {
        if self.without_time > 0 {
            report.add(NoteKind::LeftOut, "time", format!("{} without a finite time", clean::spikes(self.without_time)));
        }
        if self.gaps > 0 {
            report.add(NoteKind::LeftOut, "time", format!("{} without a value (NaN or the like)", clean::counted(self.gaps, "field")));
        }
        if self.settings > 0 {
            report.add(
                NoteKind::LeftOut,
                "lines",
                format!("{} with settings of the instrument and no spike", clean::counted(self.settings, "line")),
            );
        }
        if self.blank_units > 0 {
            let message = format!("{} between others taken as units without spikes", clean::counted(self.blank_units, "blank line"));
            report.add(NoteKind::Assumed, "lines", message);
        }
        if self.other_area > 0 {
            let message =
                format!("{} with another area than the first spike of the same unit; the first counts", clean::spikes(self.other_area));
            report.add(NoteKind::Assumed, "area", message);
        }
    }

    /// Area of every unit.
    fn areas(&self, finish: &Finish, choices: &mut Choices, report: &mut ImportReport) -> Result<Vec<String>, FormatError> {
        if finish.has_area {
            return Ok(self.units.iter().map(|u| u.area.clone()).collect());
        }
        let without = "the file does not say which area a unit is from; all units are in one area without a name";
        let prefixes: Option<Vec<&str>> = self.units.iter().map(|u| prefix(&u.id)).collect();
        let distinct = |p: &[&str]| p.iter().collect::<std::collections::BTreeSet<_>>().len();
        let Some(prefixes) = prefixes.filter(|p| (2..p.len()).contains(&distinct(p))) else {
            report.add(NoteKind::Assumed, "area", without);
            return Ok(vec![String::new(); self.units.len()]);
        };
        let found =
            format!("the ids begin with {} different words ({}, …)", distinct(&prefixes), prefixes.first().copied().unwrap_or_default());
        let own = if finish.wells { "prefix" } else { "none" };
        let question = Question { key: "area_from", label: "Areas", proposed: Some(own), why: &found, assumed: true };
        let options = [("none", "One area without a name"), ("prefix", "The first word of the unit id")];
        if choices.pick(&question, &options)? == "none" {
            report.add(NoteKind::Assumed, "area", format!("{without}; {found}, which could be areas"));
            return Ok(vec![String::new(); self.units.len()]);
        }
        let what = if finish.wells {
            "the well of the electrode, which its name begins with, is taken as the area"
        } else {
            "areas are the first words of the unit ids"
        };
        report.add(NoteKind::Assumed, "area", what);
        Ok(prefixes.into_iter().map(str::to_owned).collect())
    }
}

/// From the numbers of the file to seconds.
enum Clock {
    PerSecond(f64),
    Bins(Spread),
}

struct Spread {
    starts: Vec<f64>,
    width: f64,
}

impl Clock {
    fn seconds(&self, time: f64) -> f64 {
        match self {
            // Dividing gives the nearest number to 8.45 ms; multiplying by 0.001 does not.
            Self::PerSecond(n) => time / n,
            Self::Bins(spread) => spread.starts.get(time as usize).copied().unwrap_or(0.0) + time.fract() * spread.width,
        }
    }
}

/// The reason of a choice that was made, for the notes.
fn told(choices: &Choices, key: &str, own: &str) -> String {
    match choices.made.iter().find(|c| c.key == key) {
        Some(choice) if choices.answered(key) => {
            let label = choice.options.iter().find(|o| o.value == choice.value).map_or("", |o| o.label.as_str());
            if label.is_empty() { "as chosen".to_owned() } else { format!("times are read as {label}, as chosen") }
        }
        _ => own.to_owned(),
    }
}

/// `3.0` and ` 3` are unit 3.
fn canonical(id: &str) -> String {
    let id = id.trim();
    match id.split_once(['.', ',']) {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') && whole.parse::<i64>().is_ok() => whole.to_owned(),
        _ => id.to_owned(),
    }
}

/// The first word of an id of several.
fn prefix(id: &str) -> Option<&str> {
    let (word, rest) = id.split_once(['_', '-', '/', ' ', '.', ':'])?;
    (!word.is_empty() && !rest.is_empty() && word.parse::<f64>().is_err()).then_some(word)
}

/// Ascending by number when all ids are numbers, else by text.
fn sorted(units: &[Unit]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    let numbers: Option<Vec<i64>> = units.iter().map(|u| u.id.parse().ok()).collect();
    match numbers {
        Some(numbers) => order.sort_by_key(|&u| numbers[u]),
        None => order.sort_by(|&a, &b| units[a].id.cmp(&units[b].id)),
    }
    order
}
