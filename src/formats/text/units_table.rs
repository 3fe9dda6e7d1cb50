//! Unit columns of a spike list, in a table of their own beside it: `spikes.units.csv` beside `spikes.csv`, one row per unit in the
//! order of the units. Comments above the header tell what kind of values a column has and what it means.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::formats::FormatError;
use crate::formats::choices::{Choices, Question};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, Recording};

/// Largest table that is read, bytes.
const LARGEST: u64 = 256 << 20;

/// Where the table of a list is: `None` for lists that have none (archives).
pub(in crate::formats) fn place(list: &Path) -> Option<PathBuf> {
    let extension = list.extension()?.to_string_lossy().into_owned();
    let known = ["csv", "tsv", "txt"].iter().any(|e| extension.eq_ignore_ascii_case(e));
    known.then(|| list.with_extension(format!("units.{extension}")))
}

/// Whether a list alone would lose something: columns, or an order that is not that of the ids.
pub(in crate::formats) fn needed(recording: &Recording) -> bool {
    let ids = &recording.units.ids;
    let numbers: Option<Vec<i64>> = ids.iter().map(|id| id.parse().ok()).collect();
    let ordered = numbers.map_or_else(|| ids.is_sorted(), |numbers| numbers.is_sorted());
    !recording.units.columns.is_empty() || !ordered
}

/// Write the table.
pub(in crate::formats) fn write(recording: &Recording, delimiter: u8, to: &mut dyn Write) -> std::io::Result<()> {
    let columns = &recording.units.columns;
    for column in columns {
        // A comment is one line.
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(to, "# {}: {}: {}", kind(&column.values), line(&column.name), line(&column.description))?;
    }
    let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).from_writer(to);
    writer.write_record(std::iter::once("unit").chain(columns.iter().map(|c| c.name.as_str())))?;
    for (unit, id) in recording.units.ids.iter().enumerate() {
        writer.write_record(std::iter::once(id.clone()).chain(columns.iter().map(|c| c.values.text(unit))))?;
    }
    writer.flush()
}

fn kind(values: &Column) -> &'static str {
    match values {
        Column::Float(_) => "real",
        Column::Int(_) => "whole",
        Column::Bool(_) => "yes or no",
        Column::Text(_) => "text",
    }
}

/// A table as it was read.
pub(super) struct UnitsTable {
    name: String,
    ids: Vec<String>,
    columns: Vec<NamedColumn>,
}

impl UnitsTable {
    /// The table beside `list`, when there is one and the user wants it. A table that cannot be read is told and left out.
    pub(super) fn beside(list: &Path, choices: &mut Choices, report: &mut ImportReport) -> Result<Option<Self>, FormatError> {
        let Some(path) = place(list).filter(|p| p.is_file()) else { return Ok(None) };
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let why = format!("{name} lies beside the list");
        let question = Question { key: "units_table", label: "Unit columns from", proposed: Some("beside"), why: &why, assumed: true };
        let options = [("beside", "The table beside the list"), ("none", "Nowhere")];
        if choices.pick(&question, &options)? == "none" {
            return Ok(None);
        }
        match Self::read(&path, &name) {
            Ok(table) => Ok(Some(table)),
            Err(problem) => {
                report.add(NoteKind::LeftOut, name, format!("unit columns were not read from this table: {problem}"));
                Ok(None)
            }
        }
    }

    fn read(path: &Path, name: &str) -> Result<Self, String> {
        if std::fs::metadata(path).map_err(|e| e.to_string())?.len() > LARGEST {
            return Err(format!("it has more than {LARGEST} bytes"));
        }
        let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        let mut told: HashMap<&str, (&str, &str)> = HashMap::new();
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let mut words = line.splitn(3, ": ");
            if let (Some(kind), Some(name)) = (words.next(), words.next()) {
                told.insert(name.trim_end_matches(':'), (kind, words.next().unwrap_or_default()));
            }
        }
        let delimiter = if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv")) { b'\t' } else { b',' };
        let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter).comment(Some(b'#')).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|e| e.to_string())?.clone();
        if !header.get(0).is_some_and(|first| first.eq_ignore_ascii_case("unit")) {
            return Err("its first column should be called unit".to_owned());
        }
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); header.len()];
        for row in reader.records() {
            let row = row.map_err(|e| e.to_string())?;
            cells.iter_mut().zip(row.iter()).for_each(|(column, cell)| column.push(cell.to_owned()));
        }
        let mut cells = cells.into_iter().zip(header.iter());
        let ids = cells.next().map(|(ids, _)| ids).unwrap_or_default();
        let column = |(cells, name): (Vec<String>, &str)| {
            let plain = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let (kind, description) = told.get(plain.as_str()).copied().unwrap_or_default();
            NamedColumn { name: name.to_owned(), description: description.to_owned(), values: typed(cells, kind) }
        };
        Ok(Self { name: name.to_owned(), ids, columns: cells.map(column).collect() })
    }

    /// Place of every unit in the table, by id; units that are not in it come behind the others.
    pub(super) fn places(&self) -> HashMap<&str, usize> {
        // The first of several rows counts.
        self.ids.iter().enumerate().rev().map(|(row, id)| (id.as_str(), row)).collect()
    }

    /// The columns for units with these ids.
    pub(super) fn columns(&self, ids: &[String], report: &mut ImportReport) -> Vec<NamedColumn> {
        let places = self.places();
        let rows: Vec<Option<usize>> = ids.iter().map(|id| places.get(id.as_str()).copied()).collect();
        let missing = rows.iter().filter(|r| r.is_none()).count();
        report.add(NoteKind::Assumed, self.name.clone(), "columns and order of the units are taken from this table beside the list");
        if missing > 0 {
            let message = format!("no row for {}; their values are missing", crate::formats::clean::counted(missing, "unit"));
            report.add(NoteKind::Advice, self.name.clone(), message);
        }
        self.columns.iter().map(|c| NamedColumn { values: picked(&c.values, &rows), ..c.clone() }).collect()
    }
}

/// Values of one kind, whatever is said when they are of another.
fn typed(cells: Vec<String>, kind: &str) -> Column {
    let number = |cell: &String| if cell.is_empty() { Some(f64::NAN) } else { cell.parse::<f64>().ok() };
    let truth = |cell: &String| cell.parse::<bool>().ok();
    let whole = |cell: &String| cell.parse::<i64>().ok();
    let column = match kind {
        "text" => None,
        "real" => cells.iter().map(number).collect::<Option<_>>().map(Column::Float),
        _ => {
            let bools = cells.iter().map(truth).collect::<Option<_>>().map(Column::Bool);
            let wholes = || cells.iter().map(whole).collect::<Option<_>>().map(Column::Int);
            bools.or_else(wholes).or_else(|| cells.iter().map(number).collect::<Option<_>>().map(Column::Float))
        }
    };
    column.filter(|c| !c.is_empty()).unwrap_or(Column::Text(cells))
}

/// Values of some rows; what is missing is NaN, empty text, or makes whole numbers and truth values into text.
fn picked(values: &Column, rows: &[Option<usize>]) -> Column {
    let all = rows.iter().all(Option::is_some);
    let row = |r: &Option<usize>| r.unwrap_or(usize::MAX);
    match values {
        Column::Float(v) => Column::Float(rows.iter().map(|r| v.get(row(r)).copied().unwrap_or(f64::NAN)).collect()),
        Column::Int(v) if all => Column::Int(rows.iter().filter_map(|r| v.get(row(r)).copied()).collect()),
        Column::Int(v) => Column::Float(rows.iter().map(|r| v.get(row(r)).map_or(f64::NAN, |&n| n as f64)).collect()),
        Column::Bool(v) if all => Column::Bool(rows.iter().filter_map(|r| v.get(row(r)).copied()).collect()),
        other => Column::Text(rows.iter().map(|r| other.text(row(r))).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kinds_are_told_or_guessed_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.units.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            UnitsTable::read(&path, "a.units.csv")
        };
        let told = read("# text: code: a code\n# real: depth: in µm\nunit,code,depth,n,ok\n1,007,4,3,true\n2,008,,4,false\n").unwrap();
        assert_eq!(told.ids, ["1", "2"]);
        assert_eq!(told.columns[0].values, Column::Text(vec!["007".into(), "008".into()]));
        assert!(matches!(&told.columns[1].values, Column::Float(v) if v[0] == 4.0 && v[1].is_nan()));
        assert_eq!((told.columns[1].description.as_str(), &told.columns[2].values), ("in µm", &Column::Int(vec![3, 4])));
        assert_eq!(told.columns[3].values, Column::Bool(vec![true, false]));
        let some = told.columns(&["2".to_owned(), "9".to_owned()], &mut ImportReport::default());
        assert!(matches!(&some[2].values, Column::Float(v) if v[0] == 4.0 && v[1].is_nan()));
        assert_eq!(some[0].values, Column::Text(vec!["008".into(), String::new()]));
        assert_eq!(read("depth,unit\n1,2\n").err().unwrap(), "its first column should be called unit");
        assert!(read("unit,a\n1,2\n1\n").err().unwrap().contains("2 fields"));
        assert_eq!((place(Path::new("x.csv.gz")), place(Path::new("x.TSV"))), (None, Some(PathBuf::from("x.units.TSV"))));
    }
}
