//! Dynamic tables: plain columns, ragged columns joined to text, interval tables.

use hdf5_pure::{Dataset, Group};

use crate::formats::FormatError;
use crate::formats::clean::counted;
use crate::formats::guard::Hdf5;
use crate::recording::{Column, Covariate, ImportReport, IntervalTable, NamedColumn, NoteKind};

/// What a walk through the file collects.
#[derive(Default)]
pub(super) struct Found {
    pub(super) tables: Vec<IntervalTable>,
    pub(super) covariates: Vec<Covariate>,
}

/// Every column of `group` with one plain value per row, in the order of `colnames`. Lists per row (`x` with `x_index`) are joined
/// with ", ". What cannot be such a column is named in the report.
pub(super) fn columns(h5: &Hdf5, place: &str, group: &Group, rows: usize, skip: &[&str], report: &mut ImportReport) -> Vec<NamedColumn> {
    let datasets = match h5.datasets(group, place) {
        Ok(datasets) => datasets,
        Err(e) => {
            report.add(NoteKind::LeftOut, place, format!("its further columns were not read: {}", e.brief()));
            return Vec::new();
        }
    };
    let mut left_out = Vec::new();
    let mut columns = Vec::new();
    for (name, dataset) in &datasets {
        let index = datasets.iter().find(|(n, _)| n.strip_suffix("_index") == Some(name)).map(|(_, d)| d);
        let is_index = name.strip_suffix("_index").is_some_and(|base| datasets.iter().any(|(n, _)| n == base));
        if skip.contains(&name.as_str()) || is_index {
            continue;
        }
        let object = format!("{place}/{name}");
        let values = match index {
            None => plain(h5, &object, dataset, rows),
            Some(index) => ragged(h5, &object, dataset, index, rows),
        };
        match values {
            Ok(Some(values)) => columns.push(NamedColumn { name: name.clone(), description: description(dataset), values }),
            Ok(None) => left_out.push(name.clone()),
            Err(e) => report.add(NoteKind::LeftOut, object, format!("the column was not read: {}", e.brief())),
        }
    }
    if !left_out.is_empty() {
        report.add(NoteKind::LeftOut, place, format!("columns without one plain value per row were not read: {}", left_out.join(", ")));
    }
    let attributes = group.attrs().ok();
    if let Some(order) = attributes.as_ref().and_then(|a| a.get("colnames")).and_then(|v| v.as_strings()) {
        columns.sort_by_key(|c| order.iter().position(|n| n == &c.name).unwrap_or(usize::MAX));
    }
    columns
}

fn description(dataset: &Dataset) -> String {
    let attributes = dataset.attrs().unwrap_or_default();
    let text = attributes.get("description").and_then(|v| v.as_str()).unwrap_or_default();
    if text == "no description" { String::new() } else { text.to_owned() }
}

fn plain(h5: &Hdf5, object: &str, dataset: &Dataset, rows: usize) -> Result<Option<Column>, FormatError> {
    let shape = h5.check(object, dataset)?;
    if shape.rank == 0 || shape.per_row != 1 {
        return Ok(None);
    }
    let column = h5.column(object, dataset)?;
    match column {
        Some(column) if column.len() != rows => {
            Err(FormatError::corrupt(h5.path, object, format!("it has {} rows, but the table has {rows}", column.len())))
        }
        column => Ok(column),
    }
}

fn ragged(h5: &Hdf5, object: &str, dataset: &Dataset, index: &Dataset, rows: usize) -> Result<Option<Column>, FormatError> {
    let shape = h5.check(object, dataset)?;
    let ends = h5.index(&format!("{object}_index"), index)?;
    // Lists of lists have an index of an index; long lists of numbers are data, not labels.
    if ends.len() != rows || shape.per_row != 1 || shape.rows > 20 * (rows as u64 + 100) {
        return Ok(None);
    }
    let Some(values) = h5.column(object, dataset)? else { return Ok(None) };
    let mut begin = 0;
    let mut texts = Vec::with_capacity(rows);
    for end in ends {
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        if end < begin || end > values.len() {
            return Err(FormatError::corrupt(h5.path, format!("{object}_index"), "it does not ascend within the data"));
        }
        texts.push((begin..end).map(|row| values.text(row)).collect::<Vec<_>>().join(", "));
        begin = end;
    }
    Ok(Some(Column::Text(texts)))
}

/// Every table under `/intervals`.
pub(super) fn intervals(h5: &Hdf5, found: &mut Found, report: &mut ImportReport) -> Result<(), FormatError> {
    let groups = match h5.group("intervals").and_then(|g| g.map_or(Ok(Vec::new()), |g| h5.groups(&g, "intervals"))) {
        Ok(groups) => groups,
        Err(e) => {
            report.add(NoteKind::LeftOut, "intervals", format!("interval tables were not read: {}", e.brief()));
            return Ok(());
        }
    };
    for (name, group) in groups {
        h5.progress.at(0.7, &format!("reading table {name}"))?;
        interval_table(h5, &format!("intervals/{name}"), &name, &group, found, report);
    }
    Ok(())
}

/// Read one interval table; what is wrong with it goes to the report.
pub(super) fn interval_table(h5: &Hdf5, place: &str, name: &str, group: &Group, found: &mut Found, report: &mut ImportReport) {
    let times = |column: &str| -> Result<Option<Vec<f64>>, FormatError> {
        let object = format!("{place}/{column}");
        match h5.dataset(group, place, column)? {
            Some(dataset) if h5.check(&object, &dataset)?.per_row == 1 => dataset.read_f64().map(Some).map_err(|e| h5.failed(&object, &e)),
            _ => Ok(None),
        }
    };
    let start = match times("start_time") {
        Ok(Some(start)) => start,
        Ok(None) => return report.add(NoteKind::LeftOut, place, "the table has no start_time"),
        Err(e) => return report.add(NoteKind::LeftOut, place, format!("the table was not read: {}", e.brief())),
    };
    let stop = match times("stop_time") {
        Ok(Some(stop)) if stop.len() == start.len() => stop,
        _ => {
            report.add(NoteKind::LeftOut, place, "the table has no usable stop_time; stop times are missing");
            vec![f64::NAN; start.len()]
        }
    };
    let backwards = start.iter().zip(&stop).filter(|(a, b)| b < a).count();
    if backwards > 0 {
        report.add(NoteKind::Advice, place, format!("{} with a stop before the start", counted(backwards, "row")));
    }
    let columns = columns(h5, place, group, start.len(), &["id", "start_time", "stop_time", "timeseries"], report);
    let taken = found.tables.iter().any(|t| t.name == name);
    let name = if taken { place.to_owned() } else { name.to_owned() };
    found.tables.push(IntervalTable { name, start, stop, columns });
}
