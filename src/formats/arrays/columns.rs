//! Arrays with one value per unit: areas and further columns.

use std::collections::BTreeSet;

use super::{Import, NOTHING, names};
use crate::formats::FormatError;
use crate::formats::choices::{Choices, Question};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

/// More different values are no areas.
const MOST_AREAS: usize = 64;

/// All arrays that are not used yet and have one value per unit.
pub(super) fn per_unit(import: &mut Import, n_units: usize) -> Result<Vec<NamedColumn>, FormatError> {
    let fits = |a: &super::inventory::Listed| a.is_row() && a.len() == n_units && (a.is_text() || (a.is_number() && n_units > 1));
    named(import, fits)
}

/// Arrays that are not used yet as columns.
pub(super) fn named(import: &mut Import, fits: impl Fn(&super::inventory::Listed) -> bool) -> Result<Vec<NamedColumn>, FormatError> {
    let wanted: Vec<String> =
        import.arrays.listed.iter().filter(|a| fits(a) && !import.used.contains(&a.name)).map(|a| a.name.clone()).collect();
    let mut columns = Vec::new();
    for name in wanted {
        if let Some(values) = import.arrays.read(&name)?.values.into_column() {
            import.used.push(name.clone());
            columns.push(NamedColumn { name, description: String::new(), values });
        }
    }
    Ok(columns)
}

/// Area of every unit: from the column that is called so or that was chosen, which is taken out of `columns`.
/// `also` are further names that say area.
pub(in crate::formats) fn areas(
    choices: &mut Choices,
    report: &mut ImportReport,
    columns: &mut Vec<NamedColumn>,
    n_units: usize,
    also: &[&str],
) -> Result<Vec<String>, FormatError> {
    let distinct = |c: &NamedColumn| (0..c.values.len()).map(|u| c.values.text(u)).collect::<BTreeSet<_>>().len();
    let candidates: Vec<String> = columns
        .iter()
        .filter(|c| matches!(c.values, Column::Text(_) | Column::Int(_)) && distinct(c) <= MOST_AREAS)
        .map(|c| c.name.clone())
        .collect();
    let nowhere = |report: &mut ImportReport| {
        let message = "the file does not say which area a unit is from; all units are in one area without a name";
        report.add(NoteKind::Assumed, "area", message);
        Ok(vec![String::new(); n_units])
    };
    if candidates.is_empty() {
        return nowhere(report);
    }
    let is_text = |name: &String| columns.iter().any(|c| &c.name == name && matches!(c.values, Column::Text(_)));
    let found = candidates.iter().find(|name| names::is(name, names::AREA) && is_text(name));
    let found = found.or_else(|| candidates.iter().find(|name| also.contains(&name.as_str()) && is_text(name)));
    let why = match found {
        Some(name) => format!("the column '{name}' is called so"),
        None => "no column of texts has a name that says area".to_owned(),
    };
    let proposed = found.map_or(NOTHING, String::as_str);
    let question = Question { key: "area", label: "Brain area from", proposed: Some(proposed), why: &why, assumed: true };
    let mut options: Vec<(&str, &str)> = candidates.iter().map(|c| (c.as_str(), c.as_str())).collect();
    options.push((NOTHING, "nothing, all units are in one area"));
    let chosen = choices.pick(&question, &options)?;
    let Some(at) = columns.iter().position(|c| c.name == chosen) else { return nowhere(report) };
    let column = columns.remove(at);
    report.add(NoteKind::Assumed, "area", format!("areas are taken from '{}'", column.name));
    Ok((0..n_units).map(|u| column.values.text(u)).collect())
}
