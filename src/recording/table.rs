//! Columns and interval tables (trials, stimuli, epochs), as readers find them.

use super::RecordingError;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Real numbers; a missing value is NaN.
    Float(Vec<f64>),
    /// Integers.
    Int(Vec<i64>),
    /// True or false.
    Bool(Vec<bool>),
    /// Text; a missing value is empty.
    Text(Vec<String>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value as text for display; numbers in their shortest exact form.
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Float(v) => v.get(row).map(f64::to_string),
            Self::Int(v) => v.get(row).map(i64::to_string),
            Self::Bool(v) => v.get(row).map(bool::to_string),
            Self::Text(v) => v.get(row).cloned(),
        }
        .unwrap_or_default()
    }

    /// One value as a number: booleans are 0 and 1, text is NaN.
    pub fn number(&self, row: usize) -> f64 {
        match self {
            Self::Float(v) => v.get(row).copied(),
            Self::Int(v) => v.get(row).map(|&x| x as f64),
            Self::Bool(v) => v.get(row).map(|&x| f64::from(u8::from(x))),
            Self::Text(_) => None,
        }
        .unwrap_or(f64::NAN)
    }

    /// True for numeric columns (text is not).
    pub fn is_numeric(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// A column with its name and, when the file has one, its description.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedColumn {
    /// Column name as in the file.
    pub name: String,
    /// Description from the file, may be empty.
    pub description: String,
    /// Values.
    pub values: Column,
}

/// Intervals on the recording's clock with one value per row and column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IntervalTable {
    /// Name, for example `trials`.
    pub name: String,
    /// Start of every row in seconds (may be NaN when the file leaves it open).
    pub start: Vec<f64>,
    /// End of every row in seconds (may be NaN).
    pub stop: Vec<f64>,
    /// All further columns.
    pub columns: Vec<NamedColumn>,
}

impl IntervalTable {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&NamedColumn> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Event columns a trial can be aligned to: `start_time`, `stop_time` and every numeric column whose name ends in
    /// `_time` or `_times`, or that lies within the rows' intervals for most rows.
    pub fn event_columns(&self) -> Vec<String> {
        let mut names = vec!["start_time".to_owned(), "stop_time".to_owned()];
        names.extend(self.columns.iter().filter(|c| self.is_event(c)).map(|c| c.name.clone()));
        names
    }

    /// Event times in seconds for one of [`Self::event_columns`], one per row.
    pub fn event_times(&self, name: &str) -> Option<Vec<f64>> {
        match name {
            "start_time" => Some(self.start.clone()),
            "stop_time" => Some(self.stop.clone()),
            _ => self.column(name).filter(|c| c.values.is_numeric()).map(|c| (0..self.len()).map(|r| c.values.number(r)).collect()),
        }
    }

    fn is_event(&self, column: &NamedColumn) -> bool {
        let Column::Float(values) = &column.values else { return false };
        let named = column.name.ends_with("_time") || column.name.ends_with("_times");
        let finite: Vec<usize> = (0..values.len()).filter(|&r| values[r].is_finite()).collect();
        let inside = finite.iter().filter(|&&r| values[r] >= self.start[r] && values[r] <= self.stop[r]).count();
        named || (!finite.is_empty() && 10 * inside >= 9 * finite.len())
    }

    pub(super) fn check(&self) -> Result<(), RecordingError> {
        let wrong = |column: &str, found: usize| RecordingError::Table {
            table: self.name.clone(),
            column: column.to_owned(),
            found,
            expected: self.start.len(),
        };
        if self.stop.len() != self.start.len() {
            return Err(wrong("stop_time", self.stop.len()));
        }
        match self.columns.iter().find(|c| c.values.len() != self.start.len()) {
            Some(column) => Err(wrong(&column.name, column.values.len())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: Column) -> NamedColumn {
        NamedColumn { name: name.to_owned(), description: String::new(), values }
    }

    fn table() -> IntervalTable {
        let columns = vec![
            column("cue", Column::Float(vec![0.5, f64::NAN, 2.5])),
            column("reward_time", Column::Float(vec![9.0, 9.0, 9.0])),
            column("contrast", Column::Float(vec![50.0, 100.0, 25.0])),
            column("empty", Column::Float(vec![f64::NAN; 3])),
            column("choice", Column::Int(vec![0, 1, 2])),
            column("side", Column::Text(vec!["left".into(), "right".into(), String::new()])),
        ];
        IntervalTable { name: "trials".into(), start: vec![0.0, 1.0, 2.0], stop: vec![1.0, 2.0, 3.0], columns }
    }

    #[test]
    fn events_are_named_so_or_lie_within_their_rows() {
        assert_eq!(table().event_columns(), ["start_time", "stop_time", "cue", "reward_time"]);
        assert_eq!(table().event_times("stop_time"), Some(vec![1.0, 2.0, 3.0]));
        assert_eq!(table().event_times("choice"), Some(vec![0.0, 1.0, 2.0]));
        assert_eq!((table().event_times("side"), table().event_times("none")), (None, None));
    }

    #[test]
    fn values_are_shown_as_text_and_taken_as_numbers() {
        let flag = Column::Bool(vec![true, false]);
        assert_eq!((flag.text(0), flag.number(0), flag.number(1)), ("true".to_owned(), 1.0, 0.0));
        assert_eq!(Column::Float(vec![0.1]).text(0), "0.1");
        let text = Column::Text(vec!["a".into()]);
        assert!(text.number(0).is_nan() && !text.is_numeric() && flag.number(9).is_nan());
        assert_eq!((text.text(9), text.len(), Column::Int(vec![]).is_empty()), (String::new(), 1, true));
    }

    #[test]
    fn columns_of_another_length_are_refused() {
        let mut short = table();
        short.columns[1].values = Column::Int(vec![1]);
        assert_eq!(table().check(), Ok(()));
        let wrong = RecordingError::Table { table: "trials".into(), column: "reward_time".into(), found: 1, expected: 3 };
        assert_eq!(short.check(), Err(wrong));
        short.stop.pop();
        assert!(short.check().is_err());
    }
}
