//! A folder with one text file of spike times per unit.

use std::path::Path;

use super::super::choices::Choices;
use super::super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean};
use super::fields::Row;
use super::guess::{self, Dialect, Head, is_missing};
use super::lines::Text;
use super::names::{Named, named, unit_in_file_name, unit_of_time};
use super::spikes::{Finish, SpikeList};
use super::{shortened, stem};
use crate::recording::{ImportReport, NoteKind};

const EXTENSIONS: &[&str] = &["txt", "csv", "tsv", "dat", "asc", "gz"];
/// Files that are looked at to tell such a folder from others.
const LOOKED_AT: usize = 5;
const MOST_FILES: usize = 100_000;
/// Text that a file may have to be looked at.
const MAX_PROBED: u64 = 16 << 30;

/// True for a folder whose first text files are lists of numbers.
pub(in crate::formats) fn sniff(probe: &Probe) -> bool {
    let Some(names) = probe.names else { return false };
    let files = text_files(names);
    let looked_at = files.len().min(LOOKED_AT);
    let lists = files.iter().take(looked_at).filter(|name| shape(&probe.path.join(name)).is_some()).count();
    lists * 2 > looked_at
}

fn text_files(names: &[String]) -> Vec<&String> {
    let extension = |n: &str| n.rsplit_once('.').map(|(_, e)| e.to_lowercase()).unwrap_or_default();
    let mut files: Vec<&String> = names.iter().filter(|n| !n.starts_with('.') && EXTENSIONS.contains(&extension(n).as_str())).collect();
    files.sort_by_key(|n| natural(n));
    files
}

/// Text and numbers in turn, so that `unit2` comes before `unit10`.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text: String = rest.chars().take_while(|c| !c.is_ascii_digit()).collect();
        rest = rest.get(text.len()..).unwrap_or_default();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        rest = rest.get(digits.len()..).unwrap_or_default();
        parts.push((0, text));
        parts.push((digits.parse().unwrap_or(u64::MAX), String::new()));
    }
    parts
}

/// How a file writes its list of times.
struct Shape {
    dialect: Dialect,
    /// Lines above the times.
    header: Option<String>,
}

/// The shape of a file with nothing but times: one column or one line.
fn shape(path: &Path) -> Option<Shape> {
    let mut text = Text::open(path, MAX_PROBED).ok()?;
    let head = Head::read(&mut text).ok()?;
    let (dialect, _, _) = guess::dialect(&head, None, None);
    let rows: Vec<Row> = head.lines.iter().map(|l| Row::of(l, dialect.separator)).collect();
    let number = |f: &[u8]| is_missing(f) || dialect.number(f).is_some();
    let header = rows.first().filter(|r| !r.iter().any(&number)).map(|r| r.text(0).into_owned());
    let body = rows.get(usize::from(header.is_some())..).unwrap_or_default();
    let one_column = body.iter().all(|r| r.len() == 1);
    // A file without a line is a unit without spikes, one with nothing but words is no list.
    let words = body.is_empty() && header.as_deref().is_some_and(|h| !matches!(named(h), Named::Time(_)));
    let list = !words && (one_column || body.len() == 1) && body.iter().flat_map(Row::iter).all(number);
    list.then_some(Shape { dialect, header })
}

/// Read all lists of times of a folder, a unit each.
pub(in crate::formats) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    let files = text_files(&names);
    if files.len() > MOST_FILES {
        let problem = format!("it has {} text files, at most {MOST_FILES} are read as units", files.len());
        return Err(FormatError::CsvLayout { path: path.to_owned(), problem });
    }
    let mut list = SpikeList::default();
    let (mut others, mut unit_named) = (Vec::new(), None);
    for (k, name) in files.iter().enumerate() {
        progress.at(0.75 * k as f32 / files.len() as f32, "reading spikes")?;
        let file = path.join(name);
        let Some(shape) = shape(&file) else {
            others.push(name.as_str());
            continue;
        };
        unit_named = unit_named.or_else(|| unit_of_time(shape.header.as_deref()?).map(|u| (u, "the first line of a file")));
        let unit = list.add(stem(&file), String::new());
        read_file(&file, &shape, unit, &mut list, options)?;
    }
    let folder_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let named = unit_named.or_else(|| unit_in_file_name(&folder_name).map(|u| (u, "the name of the folder")));
    let mut report = ImportReport::default();
    report.add(NoteKind::Assumed, "files", format!("every file is a unit, called as the file: {}", clean::counted(list.len(), "file")));
    if !others.is_empty() {
        let shown: Vec<&str> = others.iter().copied().take(8).collect();
        report.add(NoteKind::LeftOut, "files", format!("files that are no list of times: {}", shown.join(", ")));
    }
    progress.at(0.8, "sorting spikes into units")?;
    let mut choices = Choices::new(path, &options.answers);
    let finish = Finish { sort: false, has_area: false, wells: false, named, binned: None, evidence: None, table: None };
    let mut loaded = list.into_parts(&finish, &mut choices, report, path)?;
    loaded.parts.name = folder_name;
    Ok(loaded)
}

fn read_file(file: &Path, shape: &Shape, unit: u32, list: &mut SpikeList, options: &OpenOptions) -> Result<(), FormatError> {
    let mut text = Text::open(file, options.max_bytes)?;
    let mut row = Row::default();
    let mut above = shape.header.is_some();
    while text.next_row(shape.dialect.separator, &mut row)? {
        if std::mem::take(&mut above) {
            continue;
        }
        for (at, field) in row.iter().enumerate() {
            match shape.dialect.number(field) {
                Some(time) if time.is_finite() => list.push(unit, time),
                None if !is_missing(field) => {
                    let problem = format!("'{}' is not a time; expected a number", shortened(&row.text(at)));
                    return Err(FormatError::CsvLine { path: file.to_owned(), line: row.line, problem });
                }
                _ => list.without_time += usize::from(!field.is_empty()),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_ordered_as_people_count() {
        let names: Vec<String> = ["unit10.txt", "unit2.txt", ".hidden.txt", "notes.pdf", "a.CSV"].map(str::to_owned).to_vec();
        assert_eq!(text_files(&names), ["a.CSV", "unit2.txt", "unit10.txt"]);
    }
}
