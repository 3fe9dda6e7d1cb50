//! The area of every unit, from wherever the file keeps it: electrodes, peak channel, the units' own columns, electrode groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::units::Units;
use crate::formats::choices::{Choices, Question};
use crate::formats::clean::counted;
use crate::formats::guard::Hdf5;
use crate::formats::{FormatError, OpenOptions};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

const ELECTRODES: &str = "general/extracellular_ephys/electrodes";

/// Names of columns that hold areas, best first.
pub(in crate::formats) const AREA_COLUMNS: &[&str] = &[
    "location",
    "brain_area",
    "area",
    "cell_area",
    "brain_region",
    "region",
    "structure",
    "ecephys_structure_acronym",
    "structure_acronym",
    "anatomical_location",
    "brain_location",
    "acronym",
    "allen_name",
];

/// One way to an area for every unit.
struct Way {
    /// What answers call it.
    key: String,
    /// In words, for the report.
    from: String,
    names: Vec<String>,
}

/// Area names of all units, from where the user says or from the first place that names an area. When array-local electrode
/// numbers give every unit the same area, the report says so and a column `area_from_id` with the area by unit id is added. Units
/// on several electrode groups get a column with the name of theirs.
pub(super) fn areas(
    units: &Units,
    ids: &[String],
    columns: &mut Vec<NamedColumn>,
    options: &OpenOptions,
    report: &mut ImportReport,
) -> Result<Vec<String>, FormatError> {
    let electrodes = read_or_note(Electrodes::read(units.h5), ELECTRODES, report).flatten();
    let rows = read_or_note(first_electrodes(units, ids.len(), electrodes.as_ref(), report), "units/electrodes", report).flatten();
    let mut ways = Vec::new();
    if let Some(table) = &electrodes {
        ways.extend(rows.iter().flat_map(|rows| table.locations.iter().map(|l| by_electrode(rows, l))));
        ways.extend(by_peak_channel(columns, table));
    }
    ways.extend(by_own_columns(columns));
    ways.extend(rows.iter().flat_map(|rows| electrodes.iter().filter_map(|t| by_electrode_group(rows, t))));
    ways.extend(read_or_note(by_group(units, ids.len()), "units/electrode_group", report).flatten());
    if let (Some(table), Some(rows)) = (&electrodes, &rows) {
        add_group_names(rows, table, columns);
    }
    // Two places that say the same are no choice.
    let mut seen: Vec<Vec<String>> = Vec::new();
    ways.retain(|way| {
        let new = !seen.contains(&way.names);
        seen.extend(new.then(|| way.names.clone()));
        new
    });
    let best = ways.iter().position(|w| w.names.iter().any(|n| is_named(n))).unwrap_or(0);
    if ways.is_empty() {
        report.add(NoteKind::Assumed, "units", "the file does not say which area a unit is from; all units are in one area without a name");
        return Ok(vec![String::new(); ids.len()]);
    }
    if let (Some(table), Some(rows), Some(way)) = (&electrodes, &rows, ways.get(best))
        && let Some(names) = array_local(ids, &way.names, rows, table, columns, report)
    {
        ways.push(Way { key: "unit_id".to_owned(), from: "unit id / 1000".to_owned(), names });
    }
    let way = choose(units, ways, best, options, report)?;
    report.add(NoteKind::Assumed, "units", format!("areas are taken from {}", way.from));
    let unnamed = way.names.iter().filter(|n| !is_named(n)).count();
    if unnamed > 0 {
        let message = format!("no named area (empty, None or unknown) for {unnamed} of {}", counted(ids.len(), "unit"));
        report.add(NoteKind::Advice, "units", message);
    }
    Ok(way.names)
}

/// The way that the user chose, else `best`; a choice only where there is more than one.
fn choose(units: &Units, ways: Vec<Way>, best: usize, options_given: &OpenOptions, report: &mut ImportReport) -> Result<Way, FormatError> {
    let label = |way: &Way| {
        let mut named: Vec<&str> = way.names.iter().map(String::as_str).filter(|n| is_named(n)).collect();
        named.sort_unstable();
        named.dedup();
        (way.key.clone(), format!("{} ({})", way.from, counted(named.len(), "named area")))
    };
    let options: Vec<(String, String)> = ways.iter().map(label).collect();
    let own = ways.get(best).map(|w| w.key.as_str());
    let why = "the first of these places that names an area";
    let mut choices = Choices::new(units.h5.path, &options_given.answers);
    let key = choices.pick(&Question { key: "area_source", label: "Areas from", proposed: own, why, assumed: true }, &options)?;
    if ways.len() > 1 {
        choices.hand_over(report);
    }
    let way = ways.into_iter().find(|w| w.key == key);
    way.ok_or_else(|| FormatError::corrupt(units.h5.path, "units", "its areas do not fit together"))
}

fn read_or_note<T>(read: Result<T, FormatError>, place: &str, report: &mut ImportReport) -> Option<T> {
    read.map_err(|e| report.add(NoteKind::LeftOut, place, format!("areas were not read from here: {}", e.brief()))).ok()
}

fn is_named(area: &str) -> bool {
    !matches!(area.trim().to_lowercase().as_str(), "" | "none" | "unknown" | "nan" | "n/a" | "na")
}

/// The electrodes table, as far as areas go.
struct Electrodes {
    ids: Vec<String>,
    /// Columns that hold areas, best first: object and one text per electrode.
    locations: Vec<(String, Vec<String>)>,
    /// Location of every electrode's group, where groups are referred to.
    group_locations: Option<Vec<String>>,
    group_names: Option<Vec<String>>,
}

impl Electrodes {
    fn read(h5: &Hdf5) -> Result<Option<Self>, FormatError> {
        let Some(group) = h5.group(ELECTRODES)? else { return Ok(None) };
        let column = |name: &str| match h5.dataset(&group, ELECTRODES, name)? {
            Some(dataset) => h5.column(&format!("{ELECTRODES}/{name}"), &dataset),
            None => Ok(None),
        };
        let mut locations = Vec::new();
        for name in AREA_COLUMNS {
            if let Some(Column::Text(values)) = column(name)? {
                locations.push((format!("{ELECTRODES}/{name}"), values));
            }
        }
        let ids = column("id")?.map(|ids| (0..ids.len()).map(|r| ids.text(r)).collect()).unwrap_or_default();
        let group_names = match column("group_name")? {
            Some(Column::Text(names)) => Some(names),
            _ => None,
        };
        let group_locations = match h5.dataset(&group, ELECTRODES, "group")? {
            // Groups that cannot be followed are no reason to do without the locations.
            Some(dataset) => h5.referenced_groups(&format!("{ELECTRODES}/group"), &dataset).ok().flatten().map(locations_of),
            None => None,
        };
        Ok(Some(Self { ids, locations, group_locations, group_names }))
    }

    /// Locations that occur in the first column that has any, in order of first appearance.
    fn distinct(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for location in self.locations.iter().take(1).flat_map(|(_, l)| l).filter(|l| is_named(l)) {
            if !seen.contains(&location.as_str()) && seen.len() < 64 {
                seen.push(location);
            }
        }
        seen
    }
}

/// Row of the first electrode of every unit; `None` when units have no electrodes.
fn first_electrodes(
    units: &Units,
    count: usize,
    table: Option<&Electrodes>,
    report: &mut ImportReport,
) -> Result<Option<Vec<Option<usize>>>, FormatError> {
    let h5 = units.h5;
    let Some(table) = table else { return Ok(None) };
    let Some(dataset) = units.dataset("electrodes")? else { return Ok(None) };
    let Some(Column::Int(rows)) = h5.column("units/electrodes", &dataset)? else { return Ok(None) };
    let ends: Vec<usize> = match units.dataset("electrodes_index")? {
        Some(index) => h5.index("units/electrodes_index", &index)?.iter().map(|&e| usize::try_from(e).unwrap_or(usize::MAX)).collect(),
        None => (1..=rows.len()).collect(),
    };
    if ends.len() != count {
        return Err(FormatError::corrupt(h5.path, "units/electrodes", format!("it has {} entries for {count} units", ends.len())));
    }
    let known = table.locations.first().map(|(_, l)| l);
    let (mut begin, mut several, mut outside) = (0, 0, 0);
    let mut first_rows = Vec::with_capacity(count);
    for end in ends {
        let own = rows.get(begin..end).ok_or_else(|| FormatError::corrupt(h5.path, "units/electrodes_index", "it leaves the data"))?;
        begin = end;
        let row = |row: &i64| usize::try_from(*row).ok();
        let location = |r: &i64| row(r).and_then(|r| known?.get(r));
        let there = |r: &i64| row(r).is_some_and(|r| r < table.ids.len().max(known.map_or(0, Vec::len)));
        let first = own.first();
        outside += usize::from(!own.iter().all(there));
        several += usize::from(own.iter().any(|r| location(r) != first.and_then(location)));
        first_rows.push(first.and_then(row));
    }
    if several > 0 {
        let message = format!("electrodes in several areas for {}; the area of the first electrode is used", counted(several, "unit"));
        report.add(NoteKind::Assumed, "units/electrodes", message);
    }
    if outside > 0 {
        let message = format!("electrodes that are not in the table for {}; no area from there", counted(outside, "unit"));
        report.add(NoteKind::LeftOut, "units/electrodes", message);
    }
    Ok(Some(first_rows))
}

/// What `of_electrode` says of the first electrode of every unit.
fn of_first(rows: &[Option<usize>], of_electrode: &[String]) -> Vec<String> {
    rows.iter().map(|row| row.and_then(|r| of_electrode.get(r)).cloned().unwrap_or_default()).collect()
}

fn short(object: &str) -> &str {
    object.rsplit('/').next().unwrap_or(object)
}

fn by_electrode(rows: &[Option<usize>], (object, locations): &(String, Vec<String>)) -> Way {
    let from = format!("{object} through units/electrodes");
    Way { key: format!("electrodes/{}", short(object)), from, names: of_first(rows, locations) }
}

fn by_electrode_group(rows: &[Option<usize>], table: &Electrodes) -> Option<Way> {
    let names = of_first(rows, table.group_locations.as_ref()?);
    let from = "the location of the electrode group through units/electrodes".to_owned();
    Some(Way { key: "electrodes/group".to_owned(), from, names })
}

/// Allen Institute files: `peak_channel_id` is the id of an electrode, not its row.
fn by_peak_channel(columns: &[NamedColumn], table: &Electrodes) -> Vec<Way> {
    let Some(column) = columns.iter().find(|c| c.name == "peak_channel_id") else { return Vec::new() };
    let way = |(object, locations): &(String, Vec<String>)| {
        let by_id: HashMap<&str, &String> = table.ids.iter().map(String::as_str).zip(locations).collect();
        let name = |u| by_id.get(column.values.text(u).as_str()).map(|l| (*l).clone()).unwrap_or_default();
        let from = format!("{object} of the electrode with id units/peak_channel_id");
        Way { key: format!("peak_channel_id/{}", short(object)), from, names: (0..column.values.len()).map(name).collect() }
    };
    table.locations.iter().map(way).collect()
}

fn by_own_columns(columns: &[NamedColumn]) -> Vec<Way> {
    let text = |c: &&NamedColumn| matches!(c.values, Column::Text(_));
    let named = |name: &&str| columns.iter().filter(text).find(|c| c.name.eq_ignore_ascii_case(name));
    let way = |column: &NamedColumn| Way {
        key: format!("units/{}", column.name),
        from: format!("units/{}", column.name),
        names: (0..column.values.len()).map(|u| column.values.text(u)).collect(),
    };
    AREA_COLUMNS.iter().filter_map(named).map(way).collect()
}

fn locations_of(groups: Vec<Option<hdf5_pure::Group>>) -> Vec<String> {
    let location = |group: hdf5_pure::Group| group.attrs().ok().and_then(|a| a.get("location").and_then(|v| v.as_str().map(str::to_owned)));
    groups.into_iter().map(|g| g.and_then(location).unwrap_or_default()).collect()
}

fn by_group(units: &Units, count: usize) -> Result<Option<Way>, FormatError> {
    let place = "units/electrode_group";
    let Some(dataset) = units.dataset("electrode_group")? else { return Ok(None) };
    let Some(groups) = units.h5.referenced_groups(place, &dataset)? else { return Ok(None) };
    if groups.len() != count {
        return Err(FormatError::corrupt(units.h5.path, place, format!("it has {} rows for {count} units", groups.len())));
    }
    let from = "the location of units/electrode_group".to_owned();
    Ok(Some(Way { key: "electrode_group".to_owned(), from, names: locations_of(groups) }))
}

/// Units on several groups of electrodes (probes, shanks) can be told apart by a column.
fn add_group_names(rows: &[Option<usize>], table: &Electrodes, columns: &mut Vec<NamedColumn>) {
    let Some(names) = table.group_names.as_ref().map(|names| of_first(rows, names)) else { return };
    let several = names.windows(2).any(|w| w[0] != w[1]);
    // One electrode of one area each, as our own writer makes them, says nothing new.
    let new = table.locations.iter().all(|(_, l)| !same_partition(&of_first(rows, l), &names));
    if several && new && columns.iter().all(|c| c.name != "electrode_group") {
        let description = "name of the electrode group of the unit's first electrode".to_owned();
        columns.push(NamedColumn { name: "electrode_group".to_owned(), description, values: Column::Text(names) });
    }
}

fn same_partition(a: &[String], b: &[String]) -> bool {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    a.iter().zip(b).all(|(a, b)| there.entry(a).or_insert(b) == &b && back.entry(b).or_insert(a) == &a)
}

/// Neural Latents Benchmark files number electrodes within each array, so that all units seem to be in the first array's area;
/// the array is unit id / 1000.
fn array_local(
    ids: &[String],
    names: &[String],
    rows: &[Option<usize>],
    table: &Electrodes,
    columns: &mut Vec<NamedColumn>,
    report: &mut ImportReport,
) -> Option<Vec<String>> {
    let locations = table.distinct();
    let one_area = names.windows(2).all(|w| w[0] == w[1]);
    let arrays = ids.iter().map(|id| id.parse::<u64>().ok().map(|id| id / 1000)).collect::<Option<Vec<u64>>>()?;
    let mut members: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for (array, row) in arrays.iter().zip(rows) {
        members.entry(*array).or_default().extend(row);
        *counts.entry(*array).or_default() += 1;
    }
    let plausible = (2..=9).contains(&members.len()) && !members.contains_key(&0) && counts.values().all(|&n| n >= 2);
    let mut sets = members.values();
    let first = sets.next().cloned().unwrap_or_default();
    let shared = sets.all(|rows| !rows.is_disjoint(&first));
    if !(one_area && plausible && shared && locations.len() >= 2) {
        return None;
    }
    let name_of = |array: u64| {
        let place = members.keys().position(|&a| a == array).unwrap_or(0);
        if locations.len() == members.len() { locations[place].to_owned() } else { format!("array {array}") }
    };
    let text: Vec<String> = arrays.iter().map(|&a| name_of(a)).collect();
    let found: Vec<String> = counts.iter().map(|(&a, n)| format!("{} {} (ids {a}xxx)", counted(*n, "unit"), name_of(a))).collect();
    columns.push(NamedColumn {
        name: "area_from_id".to_owned(),
        description: "area of the array that unit id / 1000 numbers".to_owned(),
        values: Column::Text(text.clone()),
    });
    let all = names.first().map(String::as_str).unwrap_or_default();
    report.add(
        NoteKind::Advice,
        "units/electrodes",
        format!(
            "every unit's electrode points to {all}, because electrodes are numbered within each array and units of different arrays use \
             the same numbers; unit id / 1000 gives the array: {}. Choose areas by unit id / 1000 to use it",
            found.join(", ")
        ),
    );
    Some(text)
}
