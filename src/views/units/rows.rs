//! The unit table as data: its columns, the order and choice of rows, and its text form.

use std::cmp::Ordering;

use super::filter::{Filter, FilterError, Value};
use crate::recording::{Column, Recording};

/// One column of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// Heading, also the name in filter expressions.
    pub name: String,
    /// Heading with its unit.
    pub heading: String,
    /// Description for the tooltip, may be empty.
    pub description: String,
    /// Right-aligned numbers.
    pub numeric: bool,
    source: Cells,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cells {
    Id,
    Area,
    Spikes,
    Rate,
    Column(usize),
}

/// Everything the table shows, computed once per recording.
#[derive(Debug, Clone)]
pub struct UnitRows {
    /// Columns from the left.
    pub columns: Vec<TableColumn>,
    /// Seconds over which rates are taken: observed time, else first to last spike.
    pub seconds: f64,
}

/// Which column sorts, and which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sorting {
    /// Column; `None` is file order.
    pub column: Option<usize>,
    /// Largest first.
    pub descending: bool,
}

impl Sorting {
    /// After a click on the heading of `column`: that column, then the other way round, then file order again.
    pub fn clicked(self, column: usize, numeric: bool) -> Self {
        match (self.column == Some(column), self.descending == numeric) {
            // Numbers begin with the largest, text with A.
            (false, _) => Self { column: Some(column), descending: numeric },
            (true, true) => Self { descending: !numeric, ..self },
            (true, false) => Self::default(),
        }
    }
}

impl UnitRows {
    /// Columns of a recording.
    pub fn new(recording: &Recording) -> Self {
        let column = |name: &str, heading: &str, description: &str, numeric, source| TableColumn {
            name: name.to_owned(),
            heading: heading.to_owned(),
            description: description.to_owned(),
            numeric,
            source,
        };
        let mut columns = vec![
            column("id", "id", "Unit id as in the file", false, Cells::Id),
            column("area", "area", "Brain area", false, Cells::Area),
            column("spikes", "spikes", "Number of spikes", true, Cells::Spikes),
            column("rate", "rate (Hz)", "Spikes per second of observed time", true, Cells::Rate),
        ];
        for (k, extra) in recording.units.columns.iter().enumerate() {
            // A column of the file that is called like one of ours stays reachable under another name.
            let name = if columns.iter().any(|c| c.name == extra.name) { format!("{} (file)", extra.name) } else { extra.name.clone() };
            let numeric = extra.values.is_numeric() && !matches!(extra.values, Column::Bool(_));
            columns.push(TableColumn {
                heading: name.clone(),
                name,
                description: extra.description.clone(),
                numeric,
                source: Cells::Column(k),
            });
        }
        Self { columns, seconds: observed_seconds(recording) }
    }

    /// Names for filter expressions.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// One cell.
    pub fn value(&self, recording: &Recording, unit: usize, column: usize) -> Value {
        let text = |text: Option<&String>| Value::Text(text.cloned().unwrap_or_default());
        match self.columns.get(column).map(|c| c.source) {
            Some(Cells::Id) | None => text(recording.units.ids.get(unit)),
            Some(Cells::Area) => text(recording.units.area.get(unit).and_then(|a| recording.areas.get(*a))),
            Some(Cells::Spikes) => Value::Number(recording.spikes.unit(unit).len() as f64),
            Some(Cells::Rate) => Value::Number(self.rate(recording, unit)),
            Some(Cells::Column(k)) => match recording.units.columns.get(k).map(|c| &c.values) {
                Some(Column::Text(values)) => text(values.get(unit)),
                Some(Column::Bool(values)) => Value::Bool(values.get(unit).copied().unwrap_or(false)),
                Some(values) => Value::Number(values.number(unit)),
                None => Value::Text(String::new()),
            },
        }
    }

    /// Letters of the longest text of a column, among areas or the first hundred units.
    pub fn longest(&self, recording: &Recording, column: &TableColumn) -> usize {
        let letters = |text: &String| text.chars().count();
        let longest = match column.source {
            Cells::Area => recording.areas.iter().map(letters).max(),
            Cells::Id => recording.units.ids.iter().take(100).map(letters).max(),
            Cells::Spikes | Cells::Rate => None,
            Cells::Column(k) => match recording.units.columns.get(k).map(|c| &c.values) {
                Some(Column::Text(values)) => values.iter().take(100).map(letters).max(),
                _ => None,
            },
        };
        longest.unwrap_or(0)
    }

    /// Rate of a unit in Hz.
    pub fn rate(&self, recording: &Recording, unit: usize) -> f64 {
        recording.spikes.unit(unit).len() as f64 / self.seconds
    }

    /// One cell as the table shows it.
    pub fn text(&self, recording: &Recording, unit: usize, column: usize) -> String {
        match (self.value(recording, unit, column), self.columns.get(column).map(|c| c.source)) {
            (Value::Number(v), _) if v.is_nan() => "–".to_owned(),
            (Value::Number(v), Some(Cells::Rate)) => format!("{v:.2}"),
            (Value::Number(v), Some(Cells::Spikes)) => crate::render::axis::grouped(v as u64),
            (Value::Number(v), _) if v != 0.0 && v.fract() != 0.0 => short(v),
            (value, _) => value.to_string(),
        }
    }

    /// Units that the filter keeps, in order.
    ///
    /// # Errors
    /// [`FilterError`] when the expression cannot be read.
    pub fn order(&self, recording: &Recording, filter: &str, sorting: Sorting) -> Result<Vec<usize>, FilterError> {
        let filter = Filter::parse(filter, &self.names())?;
        let mut units: Vec<usize> =
            (0..recording.n_units()).filter(|&u| filter.keeps(&|column| self.value(recording, u, column))).collect();
        if let Some(column) = sorting.column {
            let mut keyed: Vec<(Value, usize)> = units.into_iter().map(|u| (self.value(recording, u, column), u)).collect();
            keyed.sort_by(|a, b| compare(&a.0, &b.0, sorting.descending).then(a.1.cmp(&b.1)));
            units = keyed.into_iter().map(|(_, u)| u).collect();
        }
        Ok(units)
    }

    /// `units` as CSV with a heading, numbers in full.
    pub fn csv(&self, recording: &Recording, units: &[usize]) -> String {
        let quoted = |text: String| if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text };
        let line = |cells: Vec<String>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        let heading = self.columns.iter().map(|c| if c.source == Cells::Rate { "rate_hz".to_owned() } else { c.name.clone() }).collect();
        let rows = units.iter().map(|&u| line((0..self.columns.len()).map(|c| self.value(recording, u, c).to_string()).collect()));
        std::iter::once(line(heading)).chain(rows).collect()
    }
}

/// Seconds over which a rate is taken.
pub fn observed_seconds(recording: &Recording) -> f64 {
    let observed: f64 = recording.observed.iter().map(|(a, b)| (b - a).max(0.0)).sum();
    let (first, last) = recording.time_range().unwrap_or((0.0, 0.0));
    match (observed, last - first) {
        (o, _) if o > 0.0 => o,
        (_, d) if d > 0.0 => d,
        _ => 1.0,
    }
}

/// At most four digits after the point, none of them a closing zero.
fn short(v: f64) -> String {
    if v.abs() < 1e-3 || v.abs() >= 1e7 {
        return format!("{v:.3e}");
    }
    format!("{v:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Missing values come last either way; ids that are numbers go by value.
fn compare(a: &Value, b: &Value, descending: bool) -> Ordering {
    let number = |v: &Value| match v {
        Value::Number(v) => Some(*v),
        Value::Bool(v) => Some(f64::from(u8::from(*v))),
        Value::Text(v) => v.parse().ok(),
    };
    let turned = |o: Ordering| if descending { o.reverse() } else { o };
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (Some(a), Some(b)) => turned(a.total_cmp(&b)),
        (a_number, b_number) => turned(b_number.is_some().cmp(&a_number.is_some()).then_with(|| a.to_string().cmp(&b.to_string()))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::recording::{NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let column = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![0.0, 1.0, 10.0], vec![5.0], vec![], vec![1.0, 2.0]]),
            unit_ids: ["10", "9", "x", "2"].map(String::from).to_vec(),
            unit_areas: ["M1", "PMd", "M1", "a, \"b\""].map(String::from).to_vec(),
            unit_columns: vec![column("snr", Column::Float(vec![2.5, f64::NAN, 1.0, 3.0])), column("rate", Column::Int(vec![1, 2, 3, 4]))],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x.nwb".into())).unwrap()
    }

    #[test]
    fn rows_sort_by_any_column_with_missing_values_last() {
        let recording = recording();
        let table = UnitRows::new(&recording);
        assert_eq!(table.names(), ["id", "area", "spikes", "rate", "snr", "rate (file)"]);
        let order = |column, descending| table.order(&recording, "", Sorting { column: Some(column), descending }).unwrap();
        assert_eq!(order(0, false), [3, 1, 0, 2]);
        assert_eq!(order(2, true), [0, 3, 1, 2]);
        assert_eq!(order(4, true), [3, 0, 2, 1]);
        assert_eq!(order(4, false), [2, 0, 3, 1]);
        assert_eq!(table.order(&recording, "snr > 1 or rate >= 0.1", Sorting::default()).unwrap(), [0, 1, 3]);
        assert!(table.order(&recording, "colour == 'red'", Sorting::default()).is_err());
    }

    #[test]
    fn clicking_a_heading_goes_round() {
        let first = Sorting::default().clicked(3, true);
        assert_eq!(first, Sorting { column: Some(3), descending: true });
        let second = first.clicked(3, true);
        assert_eq!(second, Sorting { column: Some(3), descending: false });
        assert_eq!(second.clicked(3, true), Sorting::default());
        assert_eq!(second.clicked(0, false), Sorting { column: Some(0), descending: false });
    }

    #[test]
    fn the_table_is_written_as_csv() {
        let recording = recording();
        let table = UnitRows::new(&recording);
        let csv = table.csv(&recording, &[3, 0]);
        assert_eq!(csv, "id,area,spikes,rate_hz,snr,rate (file)\n2,\"a, \"\"b\"\"\",2,0.2,3,4\n10,M1,3,0.3,2.5,1\n");
        assert_eq!(table.text(&recording, 1, 4), "–");
        assert_eq!(table.text(&recording, 0, 3), "0.30");
    }
}
