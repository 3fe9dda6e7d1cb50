//! The first rows of a file, as the import dialog shows them beside its questions.

use std::io::Read;
use std::path::Path;

use eframe::egui::{self, RichText, Ui};

use super::theme;

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
    /// The first lines of a text file, each as one cell; `None` for what is not text.
    pub fn of_file(path: &Path) -> Option<Self> {
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
            Preview::of_file(&path)
        };
        let text = preview("a.csv", "unit\ttime\n1,ü\n".as_bytes()).unwrap();
        assert_eq!(text.rows, [["unit → time"], ["1,ü"]]);
        assert_eq!((preview("b.nwb", b"\x89HDF\0\0"), preview("c.csv", b"")), (None, None));
        assert_eq!(preview("d.txt", "1\n".repeat(20_000).as_bytes()).unwrap().rows.len(), ROWS);
        assert_eq!(Preview::of_file(folder.path()), None);
    }
}
