//! Tables as CSV: one header row with units in the names, numbers in their shortest exact form.

use std::io;
use std::path::Path;

use super::{WriteError, write_atomically};

/// A table to be written: a header and rows of cells that are already text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvTable {
    /// Column names, with units, for example `filter_peak_ms`.
    pub header: Vec<String>,
    /// One entry per row, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

impl CsvTable {
    /// A table without rows.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&h| h.to_owned()).collect(), rows: Vec::new() }
    }

    /// Write to anything. Rows that are not as long as the header are refused.
    ///
    /// # Errors
    /// What the writer says, or [`io::ErrorKind::InvalidData`] for a row of another length.
    pub fn write_to(&self, writer: impl io::Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(writer);
        csv.write_record(&self.header).map_err(as_io)?;
        for row in &self.rows {
            csv.write_record(row).map_err(as_io)?;
        }
        csv.flush()
    }
}

fn as_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, format!("{other:?}")),
    }
}

/// Write a table whole or not at all.
///
/// # Errors
/// [`WriteError`] names the path and what to do.
pub fn write_csv(path: &Path, table: &CsvTable) -> Result<(), WriteError> {
    write_atomically(path, |file| table.write_to(file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cells_with_commas_quotes_and_line_breaks_survive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edges.csv");
        let row = vec!["M1, left".to_owned(), "say \"hi\"\nthere".to_owned()];
        let table = CsvTable { rows: vec![row.clone()], ..CsvTable::new(&["source", "note"]) };
        write_csv(&path, &table).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ["source", "note"]);
        assert_eq!(reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect::<Vec<_>>(), row);
    }

    #[test]
    fn a_row_of_another_length_is_refused() {
        let table = CsvTable { rows: vec![vec!["one".to_owned()]], ..CsvTable::new(&["a", "b"]) };
        assert_eq!(table.write_to(Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
