//! Trials of an ALF session: one parquet table, or one NPY file per column.

use std::path::Path;

use super::datasets::Folder;
use super::parquet;
use crate::formats::FormatError;
use crate::formats::npz::npy::{self, Array};
use crate::recording::{Column, ImportReport, IntervalTable, NamedColumn, NoteKind};

/// The trials table, `None` (and told) when it cannot be read.
pub(super) fn read(folder: &Folder, max_bytes: u64, report: &mut ImportReport) -> Option<IntervalTable> {
    let mut columns: Vec<(String, Column)> = Vec::new();
    for dataset in folder.datasets.iter().filter(|d| d.object == "trials") {
        let found = match dataset.extension.as_str() {
            "pqt" | "parquet" => parquet::read(&dataset.path),
            "npy" => array(&dataset.attribute, &dataset.path, max_bytes),
            _ => continue,
        };
        match found {
            // The table comes first in the alphabet or not: a column that is there already is not taken twice.
            Ok(found) => {
                for (name, column) in found {
                    if columns.iter().all(|(n, _)| *n != name) {
                        columns.push((name, column));
                    }
                }
            }
            Err(error) => report.add(NoteKind::LeftOut, format!("trials.{}", dataset.attribute), error.brief()),
        }
    }
    let mut take = |name: &str| {
        let at = columns.iter().position(|(n, _)| n == name)?;
        let column = columns.remove(at).1;
        column.is_numeric().then(|| (0..column.len()).map(|r| column.number(r)).collect::<Vec<f64>>())
    };
    let (start, stop) = (take("intervals_0"), take("intervals_1"));
    let (Some(start), Some(stop)) = (start, stop) else {
        report.add(NoteKind::LeftOut, "trials", "there are no numbers called intervals (start and end of trials)");
        return None;
    };
    let rows = start.len();
    let (kept, wrong): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(_, c)| c.len() == rows);
    for (name, column) in wrong {
        report.add(NoteKind::LeftOut, format!("trials.{name}"), format!("it has {} values for {rows} trials", column.len()));
    }
    if stop.len() != rows {
        report.add(NoteKind::LeftOut, "trials", format!("{rows} trials begin, but {} end", stop.len()));
        return None;
    }
    let columns = kept.into_iter().map(|(name, values)| NamedColumn { name, description: String::new(), values }).collect();
    Some(IntervalTable { name: "trials".to_owned(), start, stop, columns })
}

/// A column, or two for the starts and ends of intervals.
fn array(name: &str, path: &Path, max_bytes: u64) -> Result<Vec<(String, Column)>, FormatError> {
    let Array { shape, values } = npy::read_file(path, max_bytes)?;
    if shape.len() == 2 && shape.get(1) == Some(&2) {
        let numbers = values.into_numbers().ok_or_else(|| FormatError::corrupt(path, "the array", "it should hold numbers"))?;
        let half = |k: usize| numbers.iter().skip(k).step_by(2).copied().collect();
        return Ok(vec![(format!("{name}_0"), Column::Float(half(0))), (format!("{name}_1"), Column::Float(half(1)))]);
    }
    Ok(values.into_column().map(|c| (name.to_owned(), c)).into_iter().collect())
}
