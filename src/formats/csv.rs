//! Text files with one spike per line: unit, time and perhaps area, in any order, with or without a header.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::csv_columns::{Columns, Delimiter, decide_scale, find, sniff_delimiter};
use super::{FormatError, Loaded, OpenOptions, Progress, clean};
use crate::recording::{ImportReport, NoteKind, RecordingParts};

/// Lines that are looked at to find out what is what.
const PROBE_LINES: usize = 200;
const PROBE_BYTES: u64 = 1 << 16;
const MOST_UNITS: usize = 1_000_000;

/// True for text: no zero bytes and hardly any control characters.
pub(super) fn is_text(head: &[u8]) -> bool {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let control = head.iter().filter(|&&b| b < 32 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c)).count();
    !head.contains(&0) && control * 100 <= head.len() && valid_start(head)
}

/// UTF-8 up to a character that the end of the probe may have cut.
fn valid_start(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none() || head.iter().filter(|b| b.is_ascii()).count() * 10 >= head.len() * 9,
    }
}

/// Read a spike list.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    if len > options.max_bytes {
        let reason = format!("at most {} are read", options.max_bytes);
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the text".to_owned(), claimed: len, reason });
    }
    let layout = |problem: String| FormatError::CsvLayout { path: path.to_owned(), problem };
    let (delimiter, columns) = probe(path, len)?.map_err(layout)?;
    let mut report = ImportReport::default();
    report.add(NoteKind::Assumed, "columns", format!("{}; fields are separated by {}", columns.reason, delimiter.name()));
    if !columns.ignored.is_empty() {
        let shown: Vec<&str> = columns.ignored.iter().take(12).map(String::as_str).collect();
        report.add(NoteKind::LeftOut, "columns", format!("columns that are not used: {}", shown.join(", ")));
    }
    let list = read_rows(path, file, len, delimiter, &columns, progress)?;
    progress.at(0.8, "sorting spikes into units")?;
    list.into_parts(options, &columns, report, path)
}

/// Look at the first lines.
fn probe(path: &Path, len: u64) -> Result<Result<(Delimiter, Columns), String>, FormatError> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| FormatError::not_readable(path, e))?;
    file.take(PROBE_BYTES).read_to_end(&mut head).map_err(|e| FormatError::not_readable(path, e))?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Ok(Err("the text is UTF-16; save it as UTF-8".to_owned()));
    }
    let text = String::from_utf8_lossy(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head)).into_owned();
    let cut = (head.len() as u64) < len;
    let mut lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).take(PROBE_LINES).collect();
    if cut && lines.len() < PROBE_LINES {
        lines.pop();
    }
    let Some(delimiter) = sniff_delimiter(&lines) else {
        return Ok(Err("its lines do not have the same number of fields, or only one".to_owned()));
    };
    let rows: Vec<Vec<String>> = lines.iter().map(|l| delimiter.split(l)).collect();
    Ok(find(&rows, delimiter).map(|columns| (delimiter, columns)))
}

/// Spikes as they come.
#[derive(Default)]
struct SpikeList {
    units: Vec<Unit>,
    by_id: HashMap<String, u32>,
    spikes: Vec<(u32, f64)>,
    without_time: usize,
    other_area: usize,
}

struct Unit {
    id: String,
    area: String,
    count: usize,
}

fn read_rows(
    path: &Path,
    file: std::fs::File,
    len: u64,
    delimiter: Delimiter,
    columns: &Columns,
    progress: &Progress,
) -> Result<SpikeList, FormatError> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter.byte)
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(::csv::Trim::All)
        .buffer_capacity(1 << 18)
        .from_reader(BufReader::new(file));
    let mut record = ::csv::ByteRecord::new();
    let mut list = SpikeList::default();
    let needed = columns.unit.max(columns.time).max(columns.area.unwrap_or(0)) + 1;
    let mut header = columns.header;
    let mut last: Option<(Vec<u8>, u32)> = None;
    let mut rows = 0u64;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|e| csv_error(path, &e))?;
        if !more {
            return Ok(list);
        }
        rows += 1;
        if rows.is_multiple_of(1 << 16) {
            let at = record.position().map_or(0, ::csv::Position::byte);
            progress.at(0.75 * at as f32 / len.max(1) as f32, "reading spikes")?;
        }
        if delimiter.byte == b' ' {
            // Columns aligned with several spaces.
            let fields: Vec<Vec<u8>> = record.iter().filter(|f| !f.is_empty()).map(<[u8]>::to_vec).collect();
            let position = record.position().cloned();
            record = ::csv::ByteRecord::from(fields);
            record.set_position(position);
        }
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if std::mem::take(&mut header) {
            continue;
        }
        let position = record.position().cloned();
        let wrong = |problem: String| FormatError::CsvLine { path: path.to_owned(), line: line_of(path, position.as_ref()), problem };
        if record.len() < needed {
            return Err(wrong(format!(
                "{}, expected at least {needed} separated by {}",
                clean::counted(record.len(), "field"),
                delimiter.name()
            )));
        }
        let field = |at: usize| record.get(at).unwrap_or_default();
        let id = field(columns.unit);
        let unit = match &last {
            Some((text, unit)) if text.as_slice() == id => *unit,
            _ => {
                let unit = list.unit(id, columns.area.map(field)).map_err(&wrong)?;
                last = Some((id.to_vec(), unit));
                unit
            }
        };
        if let (Some(area), Some(known)) = (columns.area, list.units.get(unit as usize)) {
            list.other_area += usize::from(field(area) != known.area.as_bytes() && std::str::from_utf8(field(area)).is_ok());
        }
        let text = String::from_utf8_lossy(field(columns.time));
        match delimiter.number(&text) {
            Some(time) if time.is_finite() => list.push(unit, time),
            Some(_) => list.without_time += 1,
            None if text.is_empty() || matches!(text.to_lowercase().as_str(), "na" | "none" | "null") => list.without_time += 1,
            None => return Err(wrong(format!("'{}' is not a time; expected a number", shortened(&text)))),
        }
    }
}

/// The line on which a record begins. Its position may lie before blank lines and comments that were skipped.
fn line_of(path: &Path, position: Option<&::csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(position.byte()))?;
        file.take(PROBE_BYTES).read_to_end(&mut bytes)
    });
    let skipped = |line: &&[u8]| line.trim_ascii().is_empty() || line.starts_with(b"#");
    position.line() + if read.is_ok() { bytes.split(|&b| b == b'\n').take_while(skipped).count() as u64 } else { 0 }
}

fn csv_error(path: &Path, error: &::csv::Error) -> FormatError {
    let line = error.position().map_or(0, ::csv::Position::line);
    FormatError::CsvLine { path: path.to_owned(), line, problem: error.to_string() }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

impl SpikeList {
    fn unit(&mut self, id: &[u8], area: Option<&[u8]>) -> Result<u32, String> {
        let id = canonical(&String::from_utf8_lossy(id));
        if id.is_empty() {
            return Err("the unit is empty; expected a number or a name".to_owned());
        }
        if let Some(&unit) = self.by_id.get(&id) {
            return Ok(unit);
        }
        if self.units.len() >= MOST_UNITS {
            return Err(format!("more than {MOST_UNITS} different units; the columns for unit and time may be swapped"));
        }
        let unit = self.units.len() as u32;
        let area = area.map(|a| String::from_utf8_lossy(a).into_owned()).unwrap_or_default();
        self.by_id.insert(id.clone(), unit);
        self.units.push(Unit { id, area, count: 0 });
        Ok(unit)
    }

    fn push(&mut self, unit: u32, time: f64) {
        self.spikes.push((unit, time));
        if let Some(unit) = self.units.get_mut(unit as usize) {
            unit.count += 1;
        }
    }

    fn into_parts(self, options: &OpenOptions, columns: &Columns, mut report: ImportReport, path: &Path) -> Result<Loaded, FormatError> {
        if self.units.is_empty() {
            return Err(FormatError::CsvLayout { path: path.to_owned(), problem: "there is no spike in the file".to_owned() });
        }
        let (first, last) = self.spikes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &(_, t)| (a.min(t), b.max(t)));
        let counts: Vec<usize> = self.units.iter().map(|u| u.count).collect();
        let (scale, reason) = decide_scale(options.time_unit, columns.scale, &counts, first, last);
        report.add(NoteKind::Assumed, "time", reason);
        if self.without_time > 0 {
            let message = format!("{} without a finite time", clean::spikes(self.without_time));
            report.add(NoteKind::LeftOut, "time", message);
        }
        if self.other_area > 0 {
            let message =
                format!("{} with another area than the first spike of the same unit; the first counts", clean::spikes(self.other_area));
            report.add(NoteKind::Assumed, "area", message);
        }
        if columns.area.is_none() {
            report.add(
                NoteKind::Assumed,
                "area",
                "the file does not say which area a unit is from; all units are in one area without a name",
            );
        }
        let order = order_of(&self.units);
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
            // Dividing gives the nearest number to 8.45 ms; multiplying by 0.001 does not.
            times[*slot] = if scale == 1.0 { time } else { time / (1.0 / scale).round() };
            *slot += 1;
        }
        let ids: Vec<String> = order.iter().map(|&u| self.units[u].id.clone()).collect();
        let spikes = clean::clean(times, offsets, &ids, "time", &mut report)
            .ok_or_else(|| FormatError::corrupt(path, "spikes", "they do not add up to the counts of the units"))?;
        let unit_areas = order.iter().map(|&u| self.units[u].area.clone()).collect();
        Ok(RecordingParts { spikes, unit_ids: ids, unit_areas, report, ..RecordingParts::default() }.into())
    }
}

/// `3.0` and ` 3` are unit 3.
fn canonical(id: &str) -> String {
    let id = id.trim();
    match id.strip_suffix(".0") {
        Some(whole) if whole.parse::<i64>().is_ok() => whole.to_owned(),
        _ => id.to_owned(),
    }
}

/// Ascending by number when all ids are numbers, else by text.
fn order_of(units: &[Unit]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    let numbers: Option<Vec<i64>> = units.iter().map(|u| u.id.parse().ok()).collect();
    match numbers {
        Some(numbers) => order.sort_by_key(|&u| numbers[u]),
        None => order.sort_by(|&a, &b| units[a].id.cmp(&units[b].id)),
    }
    order
}
