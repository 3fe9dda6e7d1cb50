//! NeuroExplorer files, `.nex` and `.nex5`: neurons and waveforms as units; events, intervals and markers as tables; continuous
//! variables as time series. The layout is that of the C headers that Nex Technologies publishes (NexFile.h, Nex5File.h).

mod header;

use std::path::Path;

use self::header::{Kind, Nex, Variable};
use super::choices::{Choices, Question};
use super::clean::{self, counted};
use super::{FormatError, Loaded, OpenOptions, Progress};
use crate::recording::{Column, Covariate, ImportReport, IntervalTable, NamedColumn, NoteKind, RecordingParts};

/// True when the file says that it is one.
pub(super) fn is_nex(head: &[u8]) -> bool {
    head.starts_with(b"NEX1") || head.starts_with(b"NEX5")
}

/// Read a file.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let mut nex = Nex::open(path, options.max_bytes)?;
    let mut report = ImportReport::default();
    let mut choices = Choices::new(path, &options.answers);
    let variables = std::mem::take(&mut nex.variables);
    progress.at(0.1, "reading spike times")?;
    let units = units(&mut nex, &variables, &mut choices, &mut report)?;
    let mut tables = Vec::new();
    let mut covariates = Vec::new();
    for (k, variable) in variables.iter().enumerate() {
        progress.at(0.4 + 0.4 * k as f32 / variables.len() as f32, "reading events and time series")?;
        match variable.kind {
            Kind::Event => tables.push(events(&mut nex, variable)?),
            Kind::Interval => tables.push(intervals(&mut nex, variable)?),
            Kind::Marker => tables.push(markers(&mut nex, variable)?),
            Kind::Continuous => covariates.extend(continuous(&mut nex, variable, options, &mut report)?),
            Kind::Neuron | Kind::Waveform => {}
            Kind::Population => {
                let message = "population vectors are weights of neurons, no spikes; it is not used";
                report.add(NoteKind::LeftOut, &variable.name, message);
            }
            Kind::Other(kind) => {
                report.add(NoteKind::LeftOut, &variable.name, format!("variables of type {kind} are not known; it is not used"));
            }
        }
    }
    report.add(NoteKind::Assumed, "units", "the file does not say which area a unit is from; all units are in one area without a name");
    progress.at(0.85, "checking spike times")?;
    let unit_ids: Vec<String> = units.iter().map(|u| u.variable.name.clone()).collect();
    let mut offsets = vec![0];
    let mut times = Vec::new();
    for unit in &units {
        times.extend_from_slice(&unit.times);
        offsets.push(times.len());
    }
    let spikes = clean::clean(times, offsets, &unit_ids, "units", &mut report)
        .ok_or_else(|| FormatError::corrupt(path, "units", "the spikes do not add up"))?;
    clean::note_duplicate_ids(&unit_ids, "units", &mut report);
    let unit_columns = unit_columns(&units);
    report.choices = choices.made;
    let unit_areas = vec![String::new(); unit_ids.len()];
    Ok(RecordingParts { spikes, unit_ids, unit_areas, unit_columns, tables, covariates, report, ..RecordingParts::default() }.into())
}

struct Unit<'v> {
    variable: &'v Variable,
    /// Seconds.
    times: Vec<f64>,
}

/// Neurons, and waveforms that are not those of a neuron.
fn units<'v>(
    nex: &mut Nex,
    variables: &'v [Variable],
    choices: &mut Choices,
    report: &mut ImportReport,
) -> Result<Vec<Unit<'v>>, FormatError> {
    let mut units = Vec::new();
    let mut waves = Vec::new();
    for variable in variables {
        match variable.kind {
            Kind::Neuron => units.push(Unit { variable, times: nex.timestamps(variable)? }),
            Kind::Waveform => waves.push(Unit { variable, times: nex.timestamps(variable)? }),
            _ => {}
        }
    }
    if !waves.is_empty() {
        let own: Vec<bool> = waves.iter().map(|w| units.iter().all(|u| u.times != w.times)).collect();
        let repeats = own.iter().filter(|o| !**o).count();
        let why = format!("of {} {repeats} repeat the spikes of a neuron", counted(waves.len(), "waveform variable"));
        let question = Question { key: "waveforms", label: "Waveform variables", proposed: Some("new"), why: &why, assumed: true };
        let options = [("new", "Units, unless they repeat a neuron"), ("all", "Units, all of them"), ("none", "Not used")];
        let rule = choices.pick(&question, &options)?;
        let before = units.len();
        let all = waves.len();
        units.extend(waves.into_iter().zip(own).filter(|(_, own)| rule == "all" || (rule == "new" && *own)).map(|(w, _)| w));
        let taken = units.len() - before;
        if taken > 0 {
            report.add(NoteKind::Assumed, "waveforms", format!("{} taken as units; {why}", counted(taken, "waveform variable")));
        }
        if taken < all {
            report.add(NoteKind::LeftOut, "waveforms", format!("{}; {why}", counted(all - taken, "waveform variable")));
        }
    }
    if units.is_empty() {
        let kinds: Vec<&str> = variables.iter().take(12).map(|v| v.name.as_str()).collect();
        let found = if kinds.is_empty() { "no variables at all".to_owned() } else { format!("the variables {}", kinds.join(", ")) };
        return Err(FormatError::NoUnits { path: nex.path.clone(), found });
    }
    Ok(units)
}

/// Wire and unit number, where the file has any.
fn unit_columns(units: &[Unit]) -> Vec<NamedColumn> {
    let column = |name: &str, value: fn(&Variable) -> i64| {
        let values: Vec<i64> = units.iter().map(|u| value(u.variable)).collect();
        let any = values.iter().any(|v| *v != 0);
        any.then(|| NamedColumn { name: name.to_owned(), description: String::new(), values: Column::Int(values) })
    };
    [column("wire", |v| v.wire), column("unit_on_wire", |v| v.unit)].into_iter().flatten().collect()
}

fn events(nex: &mut Nex, variable: &Variable) -> Result<IntervalTable, FormatError> {
    let times = nex.timestamps(variable)?;
    Ok(IntervalTable { name: variable.name.clone(), start: times.clone(), stop: times, columns: Vec::new() })
}

fn intervals(nex: &mut Nex, variable: &Variable) -> Result<IntervalTable, FormatError> {
    let start = nex.timestamps(variable)?;
    let stop = nex.timestamps_at(variable, variable.count)?;
    Ok(IntervalTable { name: variable.name.clone(), start, stop, columns: Vec::new() })
}

fn markers(nex: &mut Nex, variable: &Variable) -> Result<IntervalTable, FormatError> {
    let mut table = events(nex, variable)?;
    table.columns = nex.marker_fields(variable)?;
    Ok(table)
}

fn continuous(
    nex: &mut Nex,
    variable: &Variable,
    options: &OpenOptions,
    report: &mut ImportReport,
) -> Result<Option<Covariate>, FormatError> {
    if variable.points > options.max_covariate_samples {
        let message = format!("{} samples, more than the {} that are kept; it is not read", variable.points, options.max_covariate_samples);
        report.add(NoteKind::LeftOut, &variable.name, message);
        return Ok(None);
    }
    if !(variable.frequency.is_finite() && variable.frequency > 0.0) {
        report.add(NoteKind::LeftOut, &variable.name, "it has no sampling rate; it is not read");
        return Ok(None);
    }
    let starts = nex.timestamps(variable)?;
    let firsts = nex.fragment_starts(variable)?;
    let values = nex.samples(variable)?;
    let mut times = Vec::with_capacity(values.len());
    let mut fragment = 0;
    for sample in 0..values.len() {
        while firsts.get(fragment + 1).is_some_and(|&f| f as usize <= sample) {
            fragment += 1;
        }
        let (first, start) = (firsts.get(fragment).copied().unwrap_or(0.0), starts.get(fragment).copied().unwrap_or(0.0));
        times.push(start + (sample as f64 - first) / variable.frequency);
    }
    if !times.is_sorted() {
        report.add(NoteKind::LeftOut, &variable.name, "its pieces are not in the order of time; it is not used");
        return Ok(None);
    }
    Ok(Some(Covariate { name: variable.name.clone(), unit: variable.unit_of_values.clone(), times, values }))
}
