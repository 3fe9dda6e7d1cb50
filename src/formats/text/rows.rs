//! The lines of a text file, read as the plan says, into spikes.

use std::path::Path;

use super::super::{FormatError, Progress, clean, time_range};
use super::fields::Row;
use super::guess::{Layout, MOST_PER_BIN, is_missing};
use super::lines::Text;
use super::plan::{Plan, Role};
use super::shortened;
use super::spikes::{Keep, SpikeList};

/// Rows between two reports of progress.
const STRIDE: u64 = 1 << 14;

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of text after which reading stops although the file goes on.
    pub(super) text: u64,
    /// Bytes that the spikes may take; more is an error.
    pub(super) spikes: u64,
    /// Which spikes are kept.
    pub(super) keep: Keep,
    /// Progress at the beginning and at the end of the text.
    pub(super) span: (f32, f32),
}

impl Limits {
    /// All of a text, with spikes of at most this many bytes.
    pub(super) fn all(spikes: u64) -> Self {
        Self { text: u64::MAX, spikes, keep: Keep::All, span: (0.0, 0.75) }
    }
}

/// Read all lines, or those up to the limit.
pub(super) fn read(path: &Path, text: &mut Text, plan: &Plan, limits: Limits, progress: &Progress) -> Result<SpikeList, FormatError> {
    let mut reading = Reading::new(path, plan, limits);
    let mut row = Row::default();
    let mut above = plan.skip + usize::from(plan.header);
    let mut rows = 0u64;
    while text.next_row(plan.dialect.separator, &mut row)? {
        if above > 0 {
            above -= 1;
            continue;
        }
        rows += 1;
        if rows.is_multiple_of(STRIDE) {
            progress.at(limits.span.0 + (limits.span.1 - limits.span.0) * text.fraction(), "reading spikes")?;
            if reading.list.bytes() > limits.spikes {
                // A part of the text that was read tells how much all of it takes.
                let all = (reading.list.bytes() as f64 / f64::from(text.fraction().max(1e-3))) as u64;
                return Err(time_range::too_long(path, "the list of spikes", all, limits.spikes, (0.0, 0.0)));
            }
        }
        match plan.layout {
            Layout::Long => reading.spike(&row)?,
            Layout::Wide => reading.times_of_units(&row)?,
            Layout::Lines => reading.unit_of_times(&row)?,
            Layout::Binned => reading.bin(&row)?,
            Layout::BinnedLines => reading.unit_of_counts(&row)?,
        }
        if text.unpacked() > limits.text {
            reading.list.cut = true;
            break;
        }
    }
    Ok(reading.list)
}

struct Reading<'a> {
    path: &'a Path,
    plan: &'a Plan,
    list: SpikeList,
    /// Columns of unit, time and area in a list of spikes.
    unit: usize,
    time: usize,
    area: Option<usize>,
    needed: usize,
    /// Column and unit of every unit in a table.
    columns: Vec<(usize, u32)>,
    /// The id that was read last, and its unit.
    last: Option<(Vec<u8>, u32)>,
    /// Bins that were read.
    bins: u64,
    /// Bytes that the spikes may take.
    max_bytes: u64,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path, plan: &'a Plan, limits: Limits) -> Self {
        let (mut list, max_bytes) = (SpikeList::keeping(limits.keep), limits.spikes);
        let (unit, time, area) = (plan.column(Role::Unit), plan.column(Role::Time), plan.column(Role::Area));
        let needed = unit.max(time).max(area).unwrap_or(0) + 1;
        let mut columns = Vec::new();
        if matches!(plan.layout, Layout::Wide | Layout::Binned) {
            for at in (0..plan.roles.len()).filter(|&at| plan.roles.get(at) == Some(&Role::Unit)) {
                // Without header the units are numbered.
                let id = match plan.names.get(at).filter(|_| plan.named) {
                    Some(name) => name.clone(),
                    None => (columns.len() + 1).to_string(),
                };
                columns.push((at, list.add(id, String::new())));
            }
        }
        Self { path, plan, list, unit: unit.unwrap_or(0), time: time.unwrap_or(0), area, needed, columns, last: None, bins: 0, max_bytes }
    }

    fn wrong(&self, row: &Row, problem: String) -> FormatError {
        FormatError::CsvLine { path: self.path.to_owned(), line: row.line, problem }
    }

    fn number(&self, field: &[u8]) -> Option<f64> {
        self.plan.dialect.number(field)
    }

    /// One line of a list: unit, time and perhaps area.
    fn spike(&mut self, row: &Row) -> Result<(), FormatError> {
        let time = row.get(self.time);
        let id = row.get(self.unit);
        if self.plan.axion && self.number(time).is_none() {
            // Settings stand beside the first spikes and below the last.
            self.list.settings += 1;
            return Ok(());
        }
        if row.len() < self.needed {
            let found = clean::counted(row.len(), "field");
            return Err(self.wrong(row, format!("{found}, expected at least {} separated by {}", self.needed, self.plan.dialect.name())));
        }
        let unit = match &self.last {
            Some((text, unit)) if text.as_slice() == id => *unit,
            _ => {
                let area = self.area.map(|a| row.text(a).into_owned()).unwrap_or_default();
                let unit = self.list.unit(&row.text(self.unit), area).map_err(|problem| self.wrong(row, problem))?;
                self.last = Some((id.to_vec(), unit));
                unit
            }
        };
        if let Some(area) = self.area {
            self.list.compare_area(unit, &row.text(area));
        }
        match self.number(time) {
            Some(time) if time.is_finite() => self.list.push(unit, time),
            None if !is_missing(time) => {
                return Err(self.wrong(row, format!("'{}' is not a time; expected a number", shortened(&row.text(self.time)))));
            }
            _ => self.list.without_time += 1,
        }
        Ok(())
    }

    /// One line of a table with a column of times per unit; columns end where a unit has no more spikes.
    fn times_of_units(&mut self, row: &Row) -> Result<(), FormatError> {
        for k in 0..self.columns.len() {
            let Some(&(at, unit)) = self.columns.get(k) else { break };
            self.time_or_gap(row, at, unit)?;
        }
        self.no_more_than(row, self.plan.roles.len())
    }

    fn no_more_than(&self, row: &Row, width: usize) -> Result<(), FormatError> {
        if row.len() > width && row.iter().skip(width).any(|f| !f.is_empty()) {
            let found = clean::counted(row.len(), "field");
            return Err(self.wrong(row, format!("{found}, expected {width} separated by {}", self.plan.dialect.name())));
        }
        Ok(())
    }

    fn time_or_gap(&mut self, row: &Row, at: usize, unit: u32) -> Result<(), FormatError> {
        let field = row.get(at);
        match self.number(field) {
            Some(time) if time.is_finite() => self.list.push(unit, time),
            Some(time) if time.is_infinite() => self.list.without_time += 1,
            None if !is_missing(field) => {
                let (text, column) = (shortened(&row.text(at)), self.plan.names.get(at).cloned());
                let place = column.unwrap_or_else(|| format!("field {}", at + 1));
                return Err(self.wrong(row, format!("'{text}' in {place} is not a time; expected a number")));
            }
            _ => self.list.gaps += usize::from(!field.is_empty()),
        }
        Ok(())
    }

    /// One line with all times of a unit.
    fn unit_of_times(&mut self, row: &Row) -> Result<(), FormatError> {
        let (unit, first) = self.unit_of_line(row)?;
        for at in first..row.len() {
            self.time_or_gap(row, at, unit)?;
        }
        Ok(())
    }

    /// The unit of a line, and its first value.
    fn unit_of_line(&mut self, row: &Row) -> Result<(u32, usize), FormatError> {
        for _ in 0..row.blank_before {
            // A blank line between two units is a unit without spikes; above the first it is nothing.
            if self.plan.layout == Layout::Lines && !self.plan.line_ids && !self.list.is_empty() {
                let id = (self.list.len() + 1).to_string();
                self.list.add(id, String::new());
                self.list.blank_units += 1;
            }
        }
        if !self.plan.line_ids {
            let id = (self.list.len() + 1).to_string();
            return Ok((self.list.add(id, String::new()), 0));
        }
        let text = row.text(0);
        let unit = self.list.unit(text.trim_end_matches(':'), String::new()).map_err(|problem| self.wrong(row, problem))?;
        Ok((unit, 1))
    }

    /// One line of counts, one per unit.
    fn bin(&mut self, row: &Row) -> Result<(), FormatError> {
        let start = match self.plan.column(Role::Time) {
            None => self.bins as f64,
            Some(at) => match self.number(row.get(at)).filter(|t| t.is_finite()) {
                Some(time) => time,
                None => return Err(self.wrong(row, format!("'{}' is not the time of a bin; expected a number", shortened(&row.text(at))))),
            },
        };
        self.list.bin_starts.push(start);
        for k in 0..self.columns.len() {
            let Some(&(at, unit)) = self.columns.get(k) else { break };
            self.count(row, at, unit, self.bins)?;
        }
        self.bins += 1;
        self.no_more_than(row, self.plan.roles.len())
    }

    /// One line with the counts of a unit.
    fn unit_of_counts(&mut self, row: &Row) -> Result<(), FormatError> {
        let (unit, first) = self.unit_of_line(row)?;
        for at in first..row.len() {
            self.count(row, at, unit, (at - first) as u64)?;
        }
        let bins = row.len() - first;
        while self.list.bin_starts.len() < bins {
            self.list.bin_starts.push(self.list.bin_starts.len() as f64);
        }
        Ok(())
    }

    fn count(&mut self, row: &Row, at: usize, unit: u32, bin: u64) -> Result<(), FormatError> {
        let field = row.get(at);
        match self.number(field) {
            Some(count) if count.fract() == 0.0 && (0.0..=MOST_PER_BIN).contains(&count) => {
                if !self.list.push_count(unit, bin, count as u32, self.max_bytes) {
                    let reason = format!("at most {} bytes of spikes are kept", self.max_bytes);
                    let (path, object) = (self.path.to_owned(), "the counts".to_owned());
                    return Err(FormatError::TooBig { path, object, claimed: self.max_bytes, reason });
                }
            }
            None if is_missing(field) => self.list.gaps += 1,
            Some(count) if count.is_nan() => self.list.gaps += 1,
            _ => {
                let (text, column) = (shortened(&row.text(at)), self.plan.names.get(at).cloned());
                let place = column.unwrap_or_else(|| format!("field {}", at + 1));
                let problem = format!("'{text}' in {place} is no count; expected a whole number from 0 to {MOST_PER_BIN}");
                return Err(self.wrong(row, problem));
            }
        }
        Ok(())
    }
}
