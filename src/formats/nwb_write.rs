//! Writes NWB 2.x that pynwb opens: units with electrodes, areas as electrode locations, every interval table, covariates as time
//! series. A recording has areas but no electrodes, so there is one electrode group with one electrode per area, and it says so.

mod columns;
mod links;

use std::fs::File;
use std::io::Write;

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};

use self::columns::{Ids, Kind, text_array, text_scalar};
use crate::recording::{Column, IntervalTable, NamedColumn, Recording, Source};

/// Unit column that keeps ids which are no integers, and the description it is recognised by.
pub(super) const NAME_COLUMN: &str = "unit_name";
pub(super) const NAME_DESCRIPTION: &str = "identifier of the unit, which is not an integer";

const DEVICE: &str = "/general/devices/electrodes";

/// Write `recording` to an empty file.
pub(super) fn write(recording: &Recording, to: &mut File) -> Result<(), String> {
    let mut bytes = build(recording).finish().map_err(|e| e.to_string())?;
    links::connect(&mut bytes, DEVICE)?;
    to.write_all(&bytes).map_err(|e| e.to_string())
}

fn build(recording: &Recording) -> FileBuilder {
    let ids = &mut Ids::new(&recording.fingerprint);
    let mut file = FileBuilder::new();
    let text = |value: &str| AttrValue::VarLenString(value.to_owned());
    file.set_attr("namespace", text("core"));
    file.set_attr("neurodata_type", text("NWBFile"));
    file.set_attr("nwb_version", text("2.7.0"));
    file.set_attr("object_id", text(&ids.next().uuid));
    let now = columns::timestamp_now();
    text_array(file.create_dataset("file_create_date"), &[now]);
    text_scalar(file.create_dataset("identifier"), &recording.fingerprint);
    text_scalar(file.create_dataset("session_description"), &description(recording));
    // The clock of a recording starts at 0 s; when that was is not known.
    text_scalar(file.create_dataset("session_start_time"), columns::UNKNOWN_START);
    text_scalar(file.create_dataset("timestamps_reference_time"), columns::UNKNOWN_START);
    for empty in ["analysis", "processing"] {
        let group = file.create_group(empty);
        file.add_group(group.finish());
    }
    let mut stimulus = file.create_group("stimulus");
    for empty in ["presentation", "templates"] {
        let group = stimulus.create_group(empty);
        stimulus.add_group(group.finish());
    }
    file.add_group(stimulus.finish());

    let acquisition = covariates(&mut file, recording, ids);
    file.add_group(acquisition.finish());
    let (general, electrodes) = general(&mut file, recording, ids);
    file.add_group(general.finish());
    let units = units(&mut file, recording, ids, electrodes);
    file.add_group(units.finish());
    if !recording.tables.is_empty() {
        let mut intervals = file.create_group("intervals");
        let mut taken = Vec::new();
        for table in &recording.tables {
            let group = interval_table(&mut intervals, table, &columns::link_name(&table.name, &mut taken), ids);
            intervals.add_group(group.finish());
        }
        file.add_group(intervals.finish());
    }
    file
}

fn description(recording: &Recording) -> String {
    match &recording.source {
        Source::File(path) => format!("{}, read from {} by Spikescope", recording.name, path.display()),
        Source::Simulated { simulator, parameters, seed } => {
            format!("{}, simulated with {simulator}: {parameters}, seed {seed}", recording.name)
        }
    }
}

fn covariates(file: &mut FileBuilder, recording: &Recording, ids: &mut Ids) -> GroupBuilder {
    let mut acquisition = file.create_group("acquisition");
    let mut taken = Vec::new();
    for covariate in &recording.covariates {
        let mut series = acquisition.create_group(&columns::link_name(&covariate.name, &mut taken));
        columns::typed(&mut series, Kind::TimeSeries, "time series", &ids.next());
        series.set_attr("comments", AttrValue::VarLenString("no comments".to_owned()));
        let data = series.create_dataset("data").with_f64_data(&covariate.values);
        data.set_attr("unit", AttrValue::VarLenString(covariate.unit.clone()));
        data.set_attr("conversion", AttrValue::F64(1.0)).set_attr("resolution", AttrValue::F64(-1.0));
        let times = series.create_dataset("timestamps").with_f64_data(&covariate.times);
        times.set_attr("unit", AttrValue::VarLenString("seconds".to_owned())).set_attr("interval", AttrValue::I32(1));
        acquisition.add_group(series.finish());
    }
    acquisition
}

/// Device, one electrode group and one electrode per area; also the number by which the electrodes table is referred to.
fn general(file: &mut FileBuilder, recording: &Recording, ids: &mut Ids) -> (GroupBuilder, u32) {
    let mut general = file.create_group("general");
    text_scalar(general.create_dataset("source_script"), "Spikescope")
        .set_attr("file_name", AttrValue::VarLenString("spikescope".to_owned()));
    let mut devices = general.create_group("devices");
    let mut device = devices.create_group("electrodes");
    columns::typed(&mut device, Kind::Device, "not known", &ids.next());
    devices.add_group(device.finish());
    general.add_group(devices.finish());

    let mut ephys = general.create_group("extracellular_ephys");
    let names: Vec<String> = (0..recording.areas.len()).map(|area| format!("area_{area}")).collect();
    for (name, area) in names.iter().zip(&recording.areas) {
        let mut group = ephys.create_group(name);
        columns::typed(&mut group, Kind::ElectrodeGroup, "all electrodes of one area", &ids.next());
        group.set_attr("location", AttrValue::VarLenString(area.clone()));
        links::device(&mut group, DEVICE);
        ephys.add_group(group.finish());
    }
    let mut table = ephys.create_group("electrodes");
    let id = ids.next();
    columns::table(
        &mut table,
        Kind::DynamicTable,
        "one electrode per area, standing for all of its electrodes",
        &["location", "group", "group_name"],
        &id,
    );
    links::mark(&mut table, id.number);
    columns::row_ids(&mut table, recording.areas.len(), ids);
    columns::column(&mut table, "location", "area", &Column::Text(recording.areas.clone()), ids);
    let paths: Vec<String> = names.iter().map(|n| format!("general/extracellular_ephys/{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let groups = table.create_dataset("group").with_path_references(&paths);
    columns::typed_column(groups, Kind::VectorData, "electrode group", &ids.next());
    columns::column(&mut table, "group_name", "name of the electrode group", &Column::Text(names), ids);
    ephys.add_group(table.finish());
    general.add_group(ephys.finish());
    (general, id.number)
}

fn units(file: &mut FileBuilder, recording: &Recording, ids: &mut Ids, electrodes: u32) -> GroupBuilder {
    let n = recording.n_units();
    let mut units = file.create_group("units");
    let numbers: Option<Vec<i64>> = recording.units.ids.iter().map(|id| id.parse().ok().filter(|n: &i64| n.to_string() == *id)).collect();
    let mut plain: Vec<NamedColumn> = recording.units.columns.clone();
    if numbers.is_none() {
        let values = Column::Text(recording.units.ids.clone());
        plain.push(NamedColumn { name: NAME_COLUMN.to_owned(), description: NAME_DESCRIPTION.to_owned(), values });
    }
    let mut taken: Vec<String> =
        ["id", "spike_times", "spike_times_index", "electrodes", "electrodes_index", "obs_intervals", "obs_intervals_index"]
            .map(str::to_owned)
            .to_vec();
    let names: Vec<String> = plain.iter().map(|c| columns::link_name(&c.name, &mut taken)).collect();
    let mut order = vec!["spike_times", "electrodes"];
    if !recording.observed.is_empty() {
        order.push("obs_intervals");
    }
    order.extend(names.iter().map(String::as_str));
    columns::table(&mut units, Kind::Units, "sorted units", &order, &ids.next());
    match numbers {
        Some(numbers) => columns::ids(&mut units, &numbers, ids),
        None => columns::row_ids(&mut units, n, ids),
    }

    let spikes = ids.next();
    let data = units.create_dataset("spike_times").with_f64_data(recording.spikes.block());
    columns::typed_column(data, Kind::VectorData, "spike times of every unit, seconds", &spikes);
    links::mark_data(data, spikes.number);
    let ends: Vec<u64> = recording.spikes.offsets().iter().skip(1).map(|&o| o as u64).collect();
    columns::index(&mut units, "spike_times", &ends, spikes.number, ids);

    let region = ids.next();
    let rows: Vec<i64> = recording.units.area.iter().map(|&a| a as i64).collect();
    let data = units.create_dataset("electrodes").with_i64_data(&rows);
    columns::typed_column(data, Kind::DynamicTableRegion, "electrode of the unit's area", &region);
    links::refer_data(data, "table", electrodes);
    links::mark_data(data, region.number);
    let ends: Vec<u64> = (1..=n as u64).collect();
    columns::index(&mut units, "electrodes", &ends, region.number, ids);

    if !recording.observed.is_empty() {
        let observed = ids.next();
        let one: Vec<f64> = recording.observed.iter().flat_map(|&(a, b)| [a, b]).collect();
        let rows = recording.observed.len() as u64;
        let data = units.create_dataset("obs_intervals").with_f64_data(&one.repeat(n)).with_shape(&[rows * n as u64, 2]);
        columns::typed_column(data, Kind::VectorData, "stretches in which the unit was observed, seconds", &observed);
        links::mark_data(data, observed.number);
        let ends: Vec<u64> = (1..=n as u64).map(|u| u * rows).collect();
        columns::index(&mut units, "obs_intervals", &ends, observed.number, ids);
    }
    for (column, name) in plain.iter().zip(&names) {
        columns::column(&mut units, name, &column.description, &column.values, ids);
    }
    units
}

fn interval_table(intervals: &mut GroupBuilder, table: &IntervalTable, name: &str, ids: &mut Ids) -> GroupBuilder {
    let mut group = intervals.create_group(name);
    let mut taken: Vec<String> = ["id", "start_time", "stop_time"].map(str::to_owned).to_vec();
    let names: Vec<String> = table.columns.iter().map(|c| columns::link_name(&c.name, &mut taken)).collect();
    let order: Vec<&str> = ["start_time", "stop_time"].into_iter().chain(names.iter().map(String::as_str)).collect();
    columns::table(&mut group, Kind::TimeIntervals, "intervals", &order, &ids.next());
    columns::row_ids(&mut group, table.len(), ids);
    columns::column(&mut group, "start_time", "start of the interval, seconds", &Column::Float(table.start.clone()), ids);
    columns::column(&mut group, "stop_time", "end of the interval, seconds", &Column::Float(table.stop.clone()), ids);
    for (column, name) in table.columns.iter().zip(&names) {
        columns::column(&mut group, name, &column.description, &column.values, ids);
    }
    group
}
