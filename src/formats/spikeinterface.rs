//! What SpikeInterface saves by default: an NPZ file, a `numpy_folder`, or a zarr store (version 2). Spikes are samples per segment;
//! segments are put one after another. Layout: `spikeinterface/core/{npzsortingextractor,sortingfolder,zarrextractors}.py`.

mod blosc;
mod zarr;

use std::path::Path;

use serde_json::Value;

use self::zarr::Store;
use super::arrays::columns;
use super::arrays::spikes::Members;
use super::choices::{Choices, Question};
use super::npz;
use super::npz::npy::{self, Array, Values};
use super::npz::zip::Zip;
use super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean};
use crate::recording::{ImportReport, IntervalTable, NamedColumn, NoteKind, RecordingParts};

const INFO: &str = "numpysorting_info.json";
const CACHED: &str = "sorting_cached.npz";
/// Seconds between segments, so that what is taken from before a segment is not the one before.
const GAP: &str = "1";
const LARGEST_INFO: u64 = 256 << 20;
const MOST_SEGMENTS: usize = 10_000;

/// True for the three forms of a sorting.
pub(super) fn sniff(probe: &Probe) -> bool {
    match probe.names {
        Some(names) => {
            let has = |name: &str| names.iter().any(|n| n == name);
            has(INFO) || (has("npz.json") && has(CACHED)) || (has("unit_ids") && has("spikes") && (has(".zgroup") || has("zarr.json")))
        }
        None => npz::is_zip(probe.head) && Zip::open(probe.path).is_ok_and(|z| z.entry("spike_indexes_seg0.npy").is_some()),
    }
}

/// Samples and units of the spikes of a segment.
type Segment = (Vec<f64>, Vec<u32>);

/// A sorting as it is stored.
struct Sorting {
    unit_ids: Vec<String>,
    rate: f64,
    /// Samples and units of every segment.
    segments: Vec<Segment>,
    columns: Vec<NamedColumn>,
}

/// Read a sorting.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    progress.at(0.1, "reading spikes")?;
    let mut report = ImportReport::default();
    let sorting = if path.is_dir() {
        if path.join(INFO).is_file() {
            numpy_folder(path, options, &mut report)?
        } else if path.join(CACHED).is_file() {
            archive(&path.join(CACHED), options)?
        } else {
            store(path, options, &mut report)?
        }
    } else {
        archive(path, options)?
    };
    progress.at(0.6, "sorting spikes into units")?;
    let mut choices = Choices::new(path, &options.answers);
    let mut parts = sorting.into_parts(path, &mut choices, report)?;
    parts.report.choices = choices.made;
    parts.name = path.file_name().map(|n| Path::new(n).file_stem().unwrap_or(n).to_string_lossy().into_owned()).unwrap_or_default();
    Ok(parts.into())
}

fn texts(values: Values) -> Option<Vec<String>> {
    match values {
        Values::Text(texts) => Some(texts),
        other => Some(other.into_integers()?.iter().map(i64::to_string).collect()),
    }
}

fn checked_rate(path: &Path, rate: Option<f64>) -> Result<f64, FormatError> {
    rate.filter(|r| r.is_finite() && *r > 0.0)
        .ok_or_else(|| FormatError::corrupt(path, "sampling_frequency", "it should be a number greater than zero"))
}

/// `unit_ids`, `num_segment`, `sampling_frequency`, `spike_indexes_segK`, `spike_labels_segK`.
fn archive(path: &Path, options: &OpenOptions) -> Result<Sorting, FormatError> {
    let mut zip = Zip::open(path)?;
    let mut read = |name: &str| npy::read(&mut zip, name, options.max_bytes).map(|a| a.values);
    let wrong = |name: &str, problem: &str| FormatError::corrupt(path, name, problem);
    let unit_ids = texts(read("unit_ids")?).ok_or_else(|| wrong("unit_ids", "it should hold texts or whole numbers"))?;
    let number = |values: Values| values.into_numbers().and_then(|v| v.first().copied());
    let rate = checked_rate(path, number(read("sampling_frequency")?))?;
    let count = number(read("num_segment")?).filter(|n| *n >= 1.0 && *n <= MOST_SEGMENTS as f64 && n.fract() == 0.0);
    let count = count.ok_or_else(|| wrong("num_segment", "it should be a whole number from 1"))? as usize;
    let mut segments = Vec::new();
    for k in 0..count {
        let (samples, labels) = (format!("spike_indexes_seg{k}"), format!("spike_labels_seg{k}"));
        let times = read(&samples)?.into_numbers().ok_or_else(|| wrong(&samples, "it should hold numbers"))?;
        let mut members = Members::of(read(&labels)?).map_err(|problem| wrong(&labels, &problem))?;
        if members.index.len() != times.len() {
            return Err(wrong(&labels, &format!("it has {} values, '{samples}' has {}", members.index.len(), times.len())));
        }
        if members.list(unit_ids.clone()) > 0 {
            return Err(wrong(&labels, "it names units that unit_ids does not list"));
        }
        segments.push((times, members.index));
    }
    Ok(Sorting { unit_ids, rate, segments, columns: Vec::new() })
}

fn json(path: &Path) -> Result<Value, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let claimed = std::fs::metadata(path).map_err(unreadable)?.len();
    if claimed > LARGEST_INFO {
        let reason = format!("at most {LARGEST_INFO} are read");
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the text".to_owned(), claimed, reason });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    serde_json::from_slice(&bytes).map_err(|e| FormatError::corrupt(path, "the text", format!("it is no JSON ({e})")))
}

fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `numpysorting_info.json`, `spikes.npy` with records of sample, unit and segment, `properties/*.npy`.
fn numpy_folder(path: &Path, options: &OpenOptions, report: &mut ImportReport) -> Result<Sorting, FormatError> {
    let info_path = path.join(INFO);
    let info = json(&info_path)?;
    let ids = info.get("unit_ids").and_then(Value::as_array).and_then(|ids| ids.iter().map(id_text).collect::<Option<Vec<_>>>());
    let unit_ids = ids.ok_or_else(|| FormatError::corrupt(&info_path, "unit_ids", "it should be a list of texts or numbers"))?;
    let rate = checked_rate(&info_path, info.get("sampling_frequency").and_then(Value::as_f64))?;
    let spikes_path = path.join("spikes.npy");
    let Values::Fields(fields) = npy::read_file(&spikes_path, options.max_bytes)?.values else {
        return Err(FormatError::corrupt(
            &spikes_path,
            "the array",
            "it should hold records of sample_index, unit_index and segment_index",
        ));
    };
    let mut fields: std::collections::HashMap<String, Values> = fields.into_iter().collect();
    let mut take = |name: &str| {
        let values = fields.remove(name).and_then(Values::into_integers);
        values.ok_or_else(|| FormatError::corrupt(&spikes_path, name, "the field should hold whole numbers"))
    };
    let (samples, units, segment) = (take("sample_index")?, take("unit_index")?, take("segment_index")?);
    let segments = split(&spikes_path, &samples, &units, &segment, unit_ids.len())?;
    let mut columns = Vec::new();
    for (name, file) in listed(&path.join("properties"), "npy") {
        match npy::read_file(&file, options.max_bytes) {
            Ok(Array { shape, values }) if shape.len() == 1 => columns.extend(column(name, values, unit_ids.len(), report)),
            Ok(_) => report.add(NoteKind::LeftOut, format!("properties/{name}"), "it has several values per unit"),
            Err(error) => report.add(NoteKind::LeftOut, format!("properties/{name}"), error.brief()),
        }
    }
    Ok(Sorting { unit_ids, rate, segments, columns })
}

fn column(name: String, values: Values, n: usize, report: &mut ImportReport) -> Option<NamedColumn> {
    let values = values.into_column()?;
    if values.len() != n {
        report.add(NoteKind::LeftOut, format!("properties/{name}"), format!("it has {} values for {n} units", values.len()));
        return None;
    }
    Some(NamedColumn { name, description: String::new(), values })
}

/// Files of a folder that end in `.extension` (or all, for an empty one), by name.
fn listed(folder: &Path, extension: &str) -> Vec<(String, std::path::PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    let wanted = |p: &std::path::PathBuf| extension.is_empty() || p.extension().is_some_and(|e| e == extension);
    let named = files.into_iter().filter(wanted);
    named.filter_map(|p| Some((p.file_stem()?.to_string_lossy().into_owned(), p))).filter(|(n, _)| !n.starts_with('.')).collect()
}

fn split(path: &Path, samples: &[i64], units: &[i64], segment: &[i64], n_units: usize) -> Result<Vec<Segment>, FormatError> {
    let mut segments: Vec<Segment> = vec![(Vec::new(), Vec::new())];
    for ((&sample, &unit), &at) in samples.iter().zip(units).zip(segment) {
        let Some(unit) = u32::try_from(unit).ok().filter(|&u| (u as usize) < n_units) else {
            return Err(FormatError::corrupt(
                path,
                "unit_index",
                format!("it names unit {unit}, expected 0 to {}", n_units.saturating_sub(1)),
            ));
        };
        let Some(at) = usize::try_from(at).ok().filter(|&s| s < MOST_SEGMENTS) else {
            return Err(FormatError::corrupt(path, "segment_index", format!("it names segment {at}, expected 0 to {}", MOST_SEGMENTS - 1)));
        };
        while segments.len() <= at {
            segments.push((Vec::new(), Vec::new()));
        }
        if let Some((to, of)) = segments.get_mut(at) {
            to.push(sample as f64);
            of.push(unit);
        }
    }
    Ok(segments)
}

/// A zarr store: `unit_ids`, `spikes/{sample_index, unit_index, segment_slices}`, `properties`.
fn store(path: &Path, options: &OpenOptions, report: &mut ImportReport) -> Result<Sorting, FormatError> {
    if path.join("zarr.json").is_file() {
        return Err(FormatError::UnsupportedFilter {
            path: path.to_owned(),
            object: "the store".to_owned(),
            filter: "layout of zarr version 3".to_owned(),
            remedy: "save the sorting with format='numpy_folder' and open that folder".to_owned(),
        });
    }
    let store = Store { root: path, max_bytes: options.max_bytes };
    let attributes = json(&path.join(".zattrs"))?;
    let rate = checked_rate(path, attributes.get("sampling_frequency").and_then(Value::as_f64))?;
    let wrong = |name: &str, problem: String| FormatError::corrupt(path, name, problem);
    let unit_ids =
        texts(store.read("unit_ids")?.values).ok_or_else(|| wrong("unit_ids", "it should hold texts or whole numbers".into()))?;
    let integers = |name: &str| {
        let array = store.read(name)?;
        array.values.into_integers().ok_or_else(|| wrong(name, "it should hold whole numbers".to_owned()))
    };
    let (samples, units) = (integers("spikes/sample_index")?, integers("spikes/unit_index")?);
    if samples.len() != units.len() {
        return Err(wrong("spikes/unit_index", format!("it has {} values, sample_index has {}", units.len(), samples.len())));
    }
    let slices = integers("spikes/segment_slices")?;
    let mut segment = vec![-1i64; samples.len()];
    for (k, slice) in slices.chunks_exact(2).enumerate() {
        let (from, to) = (usize::try_from(slice[0]).ok(), usize::try_from(slice[1]).ok());
        let part = from.zip(to).and_then(|(a, b)| segment.get_mut(a..b));
        let part = part.ok_or_else(|| wrong("spikes/segment_slices", format!("segment {k} lies outside the {} spikes", samples.len())))?;
        part.fill(k as i64);
    }
    if segment.contains(&-1) {
        return Err(wrong("spikes/segment_slices", "some spikes are in no segment".to_owned()));
    }
    let segments = split(path, &samples, &units, &segment, unit_ids.len())?;
    let mut columns = Vec::new();
    for (name, _) in listed(&path.join("properties"), "") {
        match store.read(&format!("properties/{name}")) {
            Ok(Array { shape, values }) if shape.len() == 1 => columns.extend(column(name, values, unit_ids.len(), report)),
            Ok(_) => report.add(NoteKind::LeftOut, format!("properties/{name}"), "it has several values per unit"),
            Err(error) => report.add(NoteKind::LeftOut, format!("properties/{name}"), error.brief()),
        }
    }
    Ok(Sorting { unit_ids, rate, segments, columns })
}

impl Sorting {
    fn into_parts(mut self, path: &Path, choices: &mut Choices, mut report: ImportReport) -> Result<RecordingParts, FormatError> {
        report.add(NoteKind::Assumed, "time", format!("samples are turned into seconds with {} samples/s, as the file says", self.rate));
        let (times, index, table) = self.on_one_clock(choices, &mut report)?;
        let n_units = self.unit_ids.len();
        let members = Members { index, ids: std::mem::take(&mut self.unit_ids) };
        let (times, offsets) = members.trains(&times);
        let spikes = clean::clean(times, offsets, &members.ids, "spikes", &mut report)
            .ok_or_else(|| FormatError::corrupt(path, "spikes", "they do not add up to the units"))?;
        clean::note_duplicate_ids(&members.ids, "unit_ids", &mut report);
        let mut unit_columns = std::mem::take(&mut self.columns);
        let unit_areas = columns::areas(choices, &mut report, &mut unit_columns, n_units, &[])?;
        let observed = table.iter().flat_map(|t| t.start.iter().copied().zip(t.stop.iter().copied())).collect();
        let tables = table.into_iter().collect();
        Ok(RecordingParts {
            spikes,
            unit_ids: members.ids,
            unit_areas,
            unit_columns,
            tables,
            observed,
            report,
            ..RecordingParts::default()
        })
    }

    /// Seconds and units of all spikes, segments one after another.
    #[allow(clippy::type_complexity)]
    fn on_one_clock(
        &mut self,
        choices: &mut Choices,
        report: &mut ImportReport,
    ) -> Result<(Vec<f64>, Vec<u32>, Option<IntervalTable>), FormatError> {
        let segments = std::mem::take(&mut self.segments);
        let n = segments.len();
        let mut gap = 0.0;
        if n > 1 {
            let why = format!("there are {n} segments, each with its own clock; they are put one after another");
            let question = Question { key: "segment_gap_s", label: "Gap between segments", proposed: Some(GAP), why: &why, assumed: true };
            gap = choices.positive(&question, "s")?;
            report.add(NoteKind::Assumed, "segments", format!("{why}, {gap} s apart"));
        }
        let (mut times, mut index, mut begin) = (Vec::new(), Vec::new(), 0.0);
        let mut table = IntervalTable { name: "segments".to_owned(), ..IntervalTable::default() };
        for (samples, units) in segments {
            let last = samples.iter().fold(0.0f64, |a, &b| a.max(b)) / self.rate;
            times.extend(samples.iter().map(|s| s / self.rate + begin));
            index.extend(units);
            table.start.push(begin);
            table.stop.push(begin + last);
            begin += last + gap;
        }
        Ok((times, index, (n > 1).then_some(table)))
    }
}
