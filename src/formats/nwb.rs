//! NWB 2.x: units with ragged spike times, areas from wherever the file keeps them, every interval table, simple time series.
//!
//! Layout: <https://nwb-schema.readthedocs.io> (Units, DynamicTable, TimeIntervals, TimeSeries). pynwb writes index columns in the
//! smallest unsigned type, and `spike_times`, `electrodes` and `location` are all optional, so nothing but `/units` is required.

mod areas;
mod series;
mod tables;
mod units;

use std::path::Path;

use hdf5_pure::Group;

use super::guard::{self, Hdf5};
use super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean, nwb_write};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, RecordingParts};

pub(super) use self::areas::AREA_COLUMNS;

/// True for HDF5 files that say so, have units, or are called NWB (those without units, and the damaged, get its messages).
pub(super) fn is_nwb(probe: &Probe) -> bool {
    if !guard::is_hdf5(probe.head) {
        return false;
    }
    let named = probe.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("nwb"));
    named || probe.hdf5_root().is_some_and(|root| root.nwb || (!root.matlab && root.names.iter().any(|n| n == "units")))
}

/// Read an NWB file.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let mut report = ImportReport::default();
    let root = h5.group("/")?.ok_or_else(|| FormatError::corrupt(path, "/", "the root group is missing"))?;
    note_version(&root, &mut report);
    let Some(group) = h5.group("units")? else { return Err(h5.elsewhere("units").unwrap_or_else(|| no_units(&h5, &root))) };
    let units = units::Units::new(&h5, group)?;
    let mut ids = units.ids(&mut report)?;
    let mut unit_columns = units.columns(ids.len(), &mut report);
    take_names(&mut unit_columns, &mut ids);
    let found_times = units.spike_times(&ids, options)?;
    let (spikes, untouched) = clean::clean_and_tell(found_times.times, found_times.offsets, &ids, "units/spike_times", &mut report)
        .ok_or_else(|| FormatError::corrupt(path, "units/spike_times_index", "it does not fit the spike times"))?;
    clean::note_duplicate_ids(&ids, "units/id", &mut report);

    progress.at(0.6, "reading the units table")?;
    let areas = areas::areas(&units, &ids, &mut unit_columns, options, &mut report)?;
    let observed = units.observed(ids.len(), &mut report);
    progress.at(0.7, "reading interval tables")?;
    let mut found = tables::Found::default();
    tables::intervals(&h5, &mut found, &mut report)?;
    progress.at(0.8, "reading time series")?;
    series::walk(&h5, options.max_covariate_samples, &mut found, &mut report)?;
    let parts = RecordingParts {
        activity: None,
        name: String::new(),
        spikes,
        unit_ids: ids,
        unit_areas: areas,
        unit_columns,
        tables: found.tables,
        covariates: found.covariates,
        observed,
        truth: None,
        report,
        fingerprint: found_times.fingerprint.filter(|_| untouched),
    };
    Ok(Loaded { whole: found_times.whole, ..parts.into() })
}

/// Ids that are no integers, as our own writer keeps them beside the numbers that NWB wants.
fn take_names(columns: &mut Vec<NamedColumn>, ids: &mut Vec<String>) {
    let ours = |c: &NamedColumn| c.name == nwb_write::NAME_COLUMN && c.description == nwb_write::NAME_DESCRIPTION;
    if let Some(at) = columns.iter().position(ours)
        && let Column::Text(names) = columns.remove(at).values
    {
        *ids = names;
    }
}

fn note_version(root: &Group, report: &mut ImportReport) {
    let version = root.attrs().ok().and_then(|a| a.get("nwb_version").and_then(|v| v.as_str().map(str::to_owned)));
    match version {
        Some(version) if version.trim_start_matches("NWB-").starts_with('2') => {}
        Some(version) => report.add(NoteKind::Advice, "/", format!("the file says NWB version {version}; it was read as NWB 2.x")),
        None => report.add(NoteKind::Assumed, "/", "the file does not say its NWB version; it was read as NWB 2.x"),
    }
}

fn no_units(h5: &Hdf5, root: &Group) -> FormatError {
    let mut names: Vec<String> = root.groups().unwrap_or_default();
    names.extend(root.datasets().unwrap_or_default());
    names.truncate(12);
    let found = if names.is_empty() { "the file is empty".to_owned() } else { format!("the file has {}", names.join(", ")) };
    FormatError::NoUnits { path: h5.path.to_owned(), found }
}
