//! What belongs to every unit of a MATLAB file: names, areas, depths, wherever a variable or field has one value per unit.

use super::Mat;
use super::candidates::{Beside, Candidate};
use super::value::Value;
use crate::formats::choices::Question;
use crate::formats::nwb::AREA_COLUMNS;
use crate::formats::{FormatError, clean};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, RecordingParts};

const ID_COLUMNS: [&str; 9] = ["uid", "unit_id", "unit_ids", "unitid", "id", "ids", "cluid", "cluster_id", "cluster_ids"];
const MOST_COLUMNS: usize = 200;

/// Which entry of a list belongs to every unit: one list per unit, or per group of units.
pub(super) struct Rows<'r> {
    pub(super) units: usize,
    /// Group of every unit and number of groups, for cells of cells.
    pub(super) groups: Option<(&'r [usize], usize)>,
}

/// Add ids, areas and columns to `parts`; `skip` are variables that are something else.
pub(super) fn add(
    mat: &Mat,
    candidate: &Candidate,
    rows: &Rows,
    skip: &[&str],
    parts: &mut RecordingParts,
    report: &mut ImportReport,
) -> Result<(), FormatError> {
    for (name, beside) in &candidate.beside {
        if skip.contains(&name.as_str()) || parts.unit_columns.len() >= MOST_COLUMNS {
            continue;
        }
        match beside {
            Beside::Each(values) => push(parts, name, of_values(mat, values)?),
            Beside::Whole(value) => match value.fields() {
                Some(fields) => {
                    for (field, inner) in fields {
                        push(parts, &format!("{name}.{field}"), of_list(mat, inner, rows)?);
                    }
                }
                None => push(parts, name, of_list(mat, value, rows)?),
            },
        }
    }
    take_ids(parts, report);
    choose_areas(mat, parts, report)
}

fn push(parts: &mut RecordingParts, name: &str, values: Option<Column>) {
    if let Some(values) = values.filter(|v| v.len() == parts.unit_ids.len()) {
        parts.unit_columns.push(NamedColumn { name: name.to_owned(), description: String::new(), values });
    }
}

/// A list with one entry per unit (or per group) as a column.
fn of_list(mat: &Mat, value: &Value, rows: &Rows) -> Result<Option<Column>, FormatError> {
    let length = match value {
        Value::Numbers(n) if n.is_vector() => n.len(),
        Value::Text(texts) => texts.len() as u64,
        Value::Cell { items, .. } => items.len() as u64,
        _ => return Ok(None),
    };
    let group = rows.groups.filter(|(_, groups)| length == *groups as u64).map(|(of, _)| of);
    if length != rows.units as u64 && group.is_none() {
        return Ok(None);
    }
    let column = match value {
        Value::Numbers(n) if n.is_logical() => Some(Column::Bool(mat.values(n, 0.5)?.iter().map(|v| *v != 0.0).collect())),
        Value::Numbers(n) => Some(of_numbers(mat.values(n, 0.5)?.into_owned())),
        Value::Text(texts) => Some(Column::Text(texts.clone())),
        Value::Cell { items, .. } => of_values(mat, &items.iter().collect::<Vec<_>>())?,
        _ => None,
    };
    if length == rows.units as u64 {
        return Ok(column);
    }
    Ok(column.zip(group).map(|(column, of)| spread(&column, of)))
}

/// Every unit has what its group has.
fn spread(column: &Column, of: &[usize]) -> Column {
    fn pick<T: Clone + Default>(values: &[T], of: &[usize]) -> Vec<T> {
        of.iter().map(|&g| values.get(g).cloned().unwrap_or_default()).collect()
    }
    match column {
        Column::Float(v) => Column::Float(pick(v, of)),
        Column::Int(v) => Column::Int(pick(v, of)),
        Column::Bool(v) => Column::Bool(pick(v, of)),
        Column::Text(v) => Column::Text(pick(v, of)),
    }
}

/// One text or one number each; nothing (empty) is a missing value.
fn of_values(mat: &Mat, values: &[&Value]) -> Result<Option<Column>, FormatError> {
    let text = |v: &&Value| match v {
        Value::Text(rows) if rows.len() == 1 => rows.first().cloned(),
        Value::Numbers(n) if n.len() == 0 => Some(String::new()),
        _ => None,
    };
    if values.iter().any(|v| matches!(v, Value::Text(_))) {
        return Ok(values.iter().map(text).collect::<Option<Vec<_>>>().map(Column::Text));
    }
    let mut numbers = Vec::with_capacity(values.len());
    let mut any = false;
    for value in values {
        match value {
            Value::Numbers(n) if n.len() <= 1 => {
                any |= n.len() == 1;
                numbers.push(mat.values(n, 0.5)?.first().copied().unwrap_or(f64::NAN));
            }
            _ => return Ok(None),
        }
    }
    Ok(any.then(|| of_numbers(numbers)))
}

fn of_numbers(values: Vec<f64>) -> Column {
    let whole = values.iter().all(|v| v.fract() == 0.0 && v.abs() < 9e15);
    if whole { Column::Int(values.into_iter().map(|v| v as i64).collect()) } else { Column::Float(values) }
}

/// Ids from a column that numbers or names every unit differently.
fn take_ids(parts: &mut RecordingParts, report: &mut ImportReport) {
    let distinct = |c: &NamedColumn| {
        let texts: std::collections::BTreeSet<String> = (0..c.values.len()).map(|r| c.values.text(r)).collect();
        texts.len() == c.values.len() && !matches!(c.values, Column::Float(_) | Column::Bool(_))
    };
    let position = ID_COLUMNS.iter().find_map(|id| parts.unit_columns.iter().position(|c| c.name.eq_ignore_ascii_case(id) && distinct(c)));
    if let Some(at) = position {
        let column = parts.unit_columns.remove(at);
        report.add(NoteKind::Assumed, column.name.clone(), "units are called by this variable");
        parts.unit_ids = (0..column.values.len()).map(|r| column.values.text(r)).collect();
    }
}

fn choose_areas(mat: &Mat, parts: &mut RecordingParts, report: &mut ImportReport) -> Result<(), FormatError> {
    let texts = || parts.unit_columns.iter().filter(|c| matches!(c.values, Column::Text(_)));
    let named = |names: &[&str]| texts().find(|c| names.iter().any(|n| c.name.eq_ignore_ascii_case(n))).map(|c| c.name.clone());
    let mut options: Vec<(String, String)> = texts().map(|c| (c.name.clone(), format!("variable {}", c.name))).collect();
    options.push(("none".to_owned(), "no areas".to_owned()));
    let (own, why) = match named(AREA_COLUMNS) {
        Some(name) => {
            let why = format!("the variable {name} has one text per unit and the name of an area");
            (name, why)
        }
        None => ("none".to_owned(), "the file does not say which area a unit is from".to_owned()),
    };
    let mut choices = mat.choices();
    let question = Question { key: "area_source", label: "Areas from", proposed: Some(&own), why: &why, assumed: true };
    let source = choices.pick(&question, &options)?;
    match parts.unit_columns.iter().find(|c| c.name == source) {
        Some(column) => {
            parts.unit_areas = (0..column.values.len()).map(|r| column.values.text(r)).collect();
            let unnamed = parts.unit_areas.iter().filter(|a| a.is_empty()).count();
            report.add(NoteKind::Assumed, source.clone(), "areas are taken from this variable");
            if unnamed > 0 {
                report.add(NoteKind::Advice, source.clone(), format!("no area for {}", clean::counted(unnamed, "unit")));
            }
        }
        None => report.add(
            NoteKind::Assumed,
            "units",
            "the file does not say which area a unit is from; all units are in one area without a name",
        ),
    }
    if options.len() > 1 {
        choices.hand_over(report);
    }
    Ok(())
}
