//! The first rows of a file, as the import dialog shows them beside its questions.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use eframe::egui::{self, RichText, Ui};

use super::theme;
use crate::formats::{self, OpenOptions};

/// Rows and columns that are shown.
const ROWS: usize = 8;
const COLUMNS: usize = 12;
/// Bytes that are looked at.
const HEAD: u64 = 16 << 10;
/// Letters of one cell.
const LETTERS: usize = 60;

/// The first rows of a file, as cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Headings, with what each column is read as where that is known; may be empty.
    pub columns: Vec<String>,
    /// Rows from the top.
    pub rows: Vec<Vec<String>>,
}

impl Preview {
    /// The first rows of a text file as cells under the names of their columns, as they are read with these answers; where no
    /// layout fits, its first lines. `None` for what is not text.
    /// `shape` is that of [`formats::shape`].
    pub fn of_file(path: &Path, shape: Option<&str>, answers: &BTreeMap<String, String>) -> Option<Self> {
        let options = OpenOptions { answers: answers.clone(), ..OpenOptions::default() };
        let is_list = shape.is_some_and(|shape| shape.starts_with(formats::SPIKE_LIST));
        match is_list.then(|| formats::preview_with(path, ROWS, &options)) {
            Some(Ok(text)) if !text.rows.is_empty() => Some(Self { columns: text.names, rows: text.rows }),
            _ => Self::of_lines(path),
        }
    }

    /// The first lines, each as one cell.
    fn of_lines(path: &Path) -> Option<Self> {
        let mut head = Vec::new();
        let file = std::fs::metadata(path).ok()?.is_file().then(|| std::fs::File::open(path).ok()).flatten()?;
        file.take(HEAD).read_to_end(&mut head).ok()?;
        if head.contains(&0) || head.is_empty() {
            return None;
        }
        // The end of what was looked at may have cut a character.
        let text = match std::str::from_utf8(&head) {
            Ok(text) => text,
            Err(e) if e.error_len().is_none() => std::str::from_utf8(head.get(..e.valid_up_to())?).ok()?,
            Err(_) => return None,
        };
        Some(Self { columns: Vec::new(), rows: text.lines().take(ROWS).map(|line| vec![line.replace('\t', " → ")]).collect() })
    }

    /// Draw as a table.
    pub fn ui(&self, ui: &mut Ui) {
        let tokens = theme::of(ui);
        let cell = |text: &str| {
            let mut short: String = text.chars().take(LETTERS).collect();
            if text.chars().count() > LETTERS {
                short.push('…');
            }
            RichText::new(short).monospace().small()
        };
        egui::ScrollArea::horizontal().id_salt("preview").show(ui, |ui| {
            egui::Grid::new("preview").striped(true).spacing([14.0, 2.0]).show(ui, |ui| {
                if !self.columns.is_empty() {
                    for name in self.columns.iter().take(COLUMNS) {
                        ui.label(cell(name).color(tokens.accent));
                    }
                    ui.end_row();
                }
                for row in self.rows.iter().take(ROWS) {
                    for text in row.iter().take(COLUMNS) {
                        ui.label(cell(text));
                    }
                    ui.end_row();
                }
            });
        });
        let more = self.rows.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(COLUMNS);
        if more > 0 {
            ui.label(RichText::new(format!("and {more} more columns")).small().color(tokens.weak));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_has_a_preview_and_other_files_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let preview = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Preview::of_file(&path, formats::shape(&path).ok().as_deref(), &BTreeMap::new())
        };
        let text = preview("a.csv", b"unit,time_s\n7,0.5\n8,0.75\n").unwrap();
        assert_eq!(text.columns, ["unit", "time_s"]);
        assert_eq!(text.rows, [["7", "0.5"], ["8", "0.75"]]);
        let lines = preview("notes.txt", "a note\tabout ü\n".as_bytes()).unwrap();
        assert!(lines.rows.iter().flatten().any(|cell| cell.contains('ü')), "{lines:?}");
        assert_eq!((preview("b.nwb", b"\x89HDF\0\0"), preview("c.csv", b"")), (None, None));
        assert_eq!(preview("d.txt", "1\n".repeat(20_000).as_bytes()).unwrap().rows.len(), ROWS);
        assert_eq!(Preview::of_file(folder.path(), None, &BTreeMap::new()), None);
    }
}
