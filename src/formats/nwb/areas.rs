//! The area of every unit, from wherever the file keeps it: electrodes, peak channel, the units' own columns, electrode groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::units::Units;
use crate::formats::FormatError;
use crate::formats::clean::counted;
use crate::formats::guard::Hdf5;
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
struct Candidate {
    /// In words, for the report.
    from: String,
    names: Vec<String>,
    /// Row of the electrodes table of every unit, where that is the way.
    rows: Option<Vec<Option<usize>>>,
}

/// Area names of all units. When array-local electrode numbers give every unit the same area, the report says so and a column
/// `area_from_id` with the area by unit id is added.
pub(super) fn areas(units: &Units, ids: &[String], columns: &mut Vec<NamedColumn>, report: &mut ImportReport) -> Vec<String> {
    let electrodes = read_or_note(Electrodes::read(units.h5), ELECTRODES, report).flatten();
    let mut ways = Vec::new();
    if let Some(table) = &electrodes {
        ways.extend(read_or_note(by_electrode(units, ids.len(), table, report), "units/electrodes", report).flatten());
        ways.extend(by_peak_channel(columns, table));
    }
    ways.extend(by_own_column(columns));
    ways.extend(read_or_note(by_group(units, ids.len()), "units/electrode_group", report).flatten());
    let best = ways.iter().position(|w| w.names.iter().any(|n| is_named(n))).unwrap_or(0);
    let Some(way) = ways.into_iter().nth(best) else {
        report.add(NoteKind::Assumed, "units", "the file does not say which area a unit is from; all units are in one area without a name");
        return vec![String::new(); ids.len()];
    };
    report.add(NoteKind::Assumed, "units", format!("areas are taken from {}", way.from));
    let unnamed = way.names.iter().filter(|n| !is_named(n)).count();
    if unnamed > 0 {
        report.add(
            NoteKind::Advice,
            "units",
            format!("no named area (empty, None or unknown) for {unnamed} of {}", counted(ids.len(), "unit")),
        );
    }
    if let (Some(table), Some(rows)) = (&electrodes, &way.rows) {
        advise_array_local(ids, &way.names, rows, table, columns, report);
    }
    way.names
}

fn read_or_note<T>(read: Result<T, FormatError>, place: &str, report: &mut ImportReport) -> Option<T> {
    read.map_err(|e| report.add(NoteKind::LeftOut, place, format!("areas were not read from here: {}", e.brief()))).ok()
}

fn is_named(area: &str) -> bool {
    !matches!(area.trim().to_lowercase().as_str(), "" | "none" | "unknown" | "nan" | "n/a" | "na")
}

/// Ids and locations of the electrodes table.
struct Electrodes {
    column: String,
    ids: Vec<String>,
    locations: Vec<String>,
}

impl Electrodes {
    fn read(h5: &Hdf5) -> Result<Option<Self>, FormatError> {
        let Some(group) = h5.group(ELECTRODES)? else { return Ok(None) };
        for name in AREA_COLUMNS {
            let Some(dataset) = h5.dataset(&group, ELECTRODES, name)? else { continue };
            let object = format!("{ELECTRODES}/{name}");
            let Some(Column::Text(locations)) = h5.column(&object, &dataset)? else { continue };
            let ids = match h5.dataset(&group, ELECTRODES, "id")? {
                Some(dataset) => h5.column(&format!("{ELECTRODES}/id"), &dataset)?,
                None => None,
            };
            let ids = ids.map(|ids| (0..ids.len()).map(|r| ids.text(r)).collect()).unwrap_or_default();
            return Ok(Some(Self { column: object, ids, locations }));
        }
        Ok(None)
    }

    /// Locations that occur, in order of first appearance.
    fn distinct(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for location in self.locations.iter().filter(|l| is_named(l)) {
            if !seen.contains(&location.as_str()) && seen.len() < 64 {
                seen.push(location);
            }
        }
        seen
    }
}

fn by_electrode(units: &Units, count: usize, table: &Electrodes, report: &mut ImportReport) -> Result<Option<Candidate>, FormatError> {
    let h5 = units.h5;
    let Some(dataset) = units.dataset("electrodes")? else { return Ok(None) };
    let Some(Column::Int(rows)) = h5.column("units/electrodes", &dataset)? else { return Ok(None) };
    let ends: Vec<usize> = match units.dataset("electrodes_index")? {
        Some(index) => h5.index("units/electrodes_index", &index)?.iter().map(|&e| usize::try_from(e).unwrap_or(usize::MAX)).collect(),
        None => (1..=rows.len()).collect(),
    };
    if ends.len() != count {
        return Err(FormatError::corrupt(h5.path, "units/electrodes", format!("it has {} entries for {count} units", ends.len())));
    }
    let (mut begin, mut several, mut outside) = (0, 0, 0);
    let (mut names, mut first_rows) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for end in ends {
        let own = rows.get(begin..end).ok_or_else(|| FormatError::corrupt(h5.path, "units/electrodes_index", "it leaves the data"))?;
        begin = end;
        let location = |row: &i64| usize::try_from(*row).ok().and_then(|r| table.locations.get(r));
        let first = own.first();
        outside += usize::from(own.iter().any(|r| location(r).is_none()));
        several += usize::from(own.iter().any(|r| location(r) != first.and_then(location)));
        names.push(first.and_then(location).cloned().unwrap_or_default());
        first_rows.push(first.and_then(|r| usize::try_from(*r).ok()));
    }
    if several > 0 {
        let message = format!("electrodes in several areas for {}; the area of the first electrode is used", counted(several, "unit"));
        report.add(NoteKind::Assumed, "units/electrodes", message);
    }
    if outside > 0 {
        let message = format!("electrodes that are not in the table for {}; no area from there", counted(outside, "unit"));
        report.add(NoteKind::LeftOut, "units/electrodes", message);
    }
    Ok(Some(Candidate { from: format!("{} through units/electrodes", table.column), names, rows: Some(first_rows) }))
}

/// Allen Institute files: `peak_channel_id` is the id of an electrode, not its row.
fn by_peak_channel(columns: &[NamedColumn], table: &Electrodes) -> Option<Candidate> {
    let column = columns.iter().find(|c| c.name == "peak_channel_id")?;
    let by_id: HashMap<&str, &String> = table.ids.iter().map(String::as_str).zip(&table.locations).collect();
    let names = (0..column.values.len()).map(|u| by_id.get(column.values.text(u).as_str()).map(|l| (*l).clone()).unwrap_or_default());
    Some(Candidate { from: format!("{} of the electrode with id units/peak_channel_id", table.column), names: names.collect(), rows: None })
}

fn by_own_column(columns: &[NamedColumn]) -> Option<Candidate> {
    let text = |c: &&NamedColumn| matches!(c.values, Column::Text(_));
    let named = |name: &&str| columns.iter().filter(text).find(|c| c.name.eq_ignore_ascii_case(name));
    let column = AREA_COLUMNS.iter().find_map(named)?;
    let names = (0..column.values.len()).map(|u| column.values.text(u)).collect();
    Some(Candidate { from: format!("units/{}", column.name), names, rows: None })
}

fn by_group(units: &Units, count: usize) -> Result<Option<Candidate>, FormatError> {
    let Some(dataset) = units.dataset("electrode_group")? else { return Ok(None) };
    let Some(groups) = units.h5.referenced_groups("units/electrode_group", &dataset)? else { return Ok(None) };
    if groups.len() != count {
        return Err(FormatError::corrupt(
            units.h5.path,
            "units/electrode_group",
            format!("it has {} rows for {count} units", groups.len()),
        ));
    }
    let location = |group: hdf5_pure::Group| group.attrs().ok().and_then(|a| a.get("location").and_then(|v| v.as_str().map(str::to_owned)));
    let names = groups.into_iter().map(|g| g.and_then(location).unwrap_or_default()).collect();
    Ok(Some(Candidate { from: "the location of units/electrode_group".to_owned(), names, rows: None }))
}

/// Neural Latents Benchmark files number electrodes within each array, so that all units seem to be in the first array's area;
/// the array is unit id / 1000.
fn advise_array_local(
    ids: &[String],
    names: &[String],
    rows: &[Option<usize>],
    table: &Electrodes,
    columns: &mut Vec<NamedColumn>,
    report: &mut ImportReport,
) {
    let locations = table.distinct();
    let one_area = names.windows(2).all(|w| w[0] == w[1]);
    let Some(arrays) = ids.iter().map(|id| id.parse::<u64>().ok().map(|id| id / 1000)).collect::<Option<Vec<u64>>>() else { return };
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
        return;
    }
    let name_of = |array: u64| {
        let place = members.keys().position(|&a| a == array).unwrap_or(0);
        if locations.len() == members.len() { locations[place].to_owned() } else { format!("array {array}") }
    };
    let text = arrays.iter().map(|&a| name_of(a)).collect();
    let found: Vec<String> = counts.iter().map(|(&a, n)| format!("{} {} (ids {a}xxx)", counted(*n, "unit"), name_of(a))).collect();
    columns.push(NamedColumn {
        name: "area_from_id".to_owned(),
        description: "area of the array that unit id / 1000 numbers".to_owned(),
        values: Column::Text(text),
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
}
