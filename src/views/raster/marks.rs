//! Conditions and epochs: the intervals of a table as coloured bands above the raster.

use eframe::egui::{Align2, CornerRadius, Rect, pos2};

use super::layout::{Layout, Pen};
use super::navigation::Range;
use crate::recording::Recording;

/// Different values that get colours of their own; the rest is drawn in the colour of events.
const MOST_KINDS: usize = 8;

/// Which intervals are shown, by which value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkColumn {
    /// Interval table.
    pub table: String,
    /// Column that gives colour and label; `None` numbers the rows.
    pub column: Option<String>,
}

/// One interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub stop: f64,
    /// Value or row number.
    pub label: String,
    /// Place of the value among the different ones.
    pub kind: usize,
}

/// The intervals of a table, ascending by start.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// What they are.
    pub of: MarkColumn,
    /// Intervals.
    pub marks: Vec<Mark>,
    /// The longest of them in seconds: how far before a window to look.
    longest: f64,
}

impl MarkColumn {
    /// Every table, alone and with each of its columns that has few different values.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let mut offered = Vec::new();
        for table in recording.tables.iter().filter(|t| !t.is_empty()) {
            offered.push(Self { table: table.name.clone(), column: None });
            for column in &table.columns {
                let mut kinds: Vec<String> = Vec::new();
                let few = (0..table.len()).all(|row| {
                    let text = column.values.text(row);
                    if !kinds.contains(&text) {
                        kinds.push(text);
                    }
                    kinds.len() <= MOST_KINDS
                });
                if few {
                    offered.push(Self { table: table.name.clone(), column: Some(column.name.clone()) });
                }
            }
        }
        offered
    }

    /// For a menu.
    pub fn label(&self) -> String {
        self.column.as_ref().map_or_else(|| self.table.clone(), |column| format!("{} · {column}", self.table))
    }
}

impl Marks {
    /// The intervals of `of`; rows without start or end are left out. `None` when the recording lacks the table.
    pub fn new(recording: &Recording, of: &MarkColumn) -> Option<Self> {
        let table = recording.table(&of.table)?;
        let column = of.column.as_ref().and_then(|name| table.column(name));
        let mut kinds: Vec<String> = Vec::new();
        let mut marks: Vec<Mark> = table
            .start
            .iter()
            .zip(&table.stop)
            .enumerate()
            .filter(|(_, (a, b))| a.is_finite() && b.is_finite() && b > a)
            .map(|(row, (&start, &stop))| {
                let Some(column) = column else { return Mark { start, stop, label: row.to_string(), kind: row % 2 } };
                let label = column.values.text(row);
                let kind = kinds.iter().position(|k| *k == label).unwrap_or_else(|| {
                    kinds.push(label.clone());
                    kinds.len() - 1
                });
                Mark { start, stop, label, kind }
            })
            .collect();
        marks.sort_by(|a, b| a.start.total_cmp(&b.start));
        let longest = marks.iter().map(|m| m.stop - m.start).fold(0.0, f64::max);
        Some(Self { of: of.clone(), marks, longest })
    }

    /// Intervals that touch `start..stop`.
    pub fn between(&self, start: f64, stop: f64) -> impl Iterator<Item = &Mark> {
        let from = self.marks.partition_point(|m| m.start < start - self.longest);
        let to = self.marks.partition_point(|m| m.start < stop);
        self.marks.get(from..to).unwrap_or_default().iter().filter(move |m| m.stop > start)
    }

    /// The interval at a time, in words.
    pub fn at(&self, seconds: f64) -> Option<String> {
        let mark = self.between(seconds, seconds + 1e-9).last()?;
        let value = if mark.label.is_empty() { "(none)" } else { &mark.label };
        Some(match &self.of.column {
            Some(column) => format!("{column}: {value}"),
            None => format!("{} {value}", self.of.table),
        })
    }
}

/// Draw the bands; a note when there are too many.
pub fn draw(pen: &Pen<'_>, layout: &Layout, rect: Rect, marks: &Marks, time: &Range) -> Option<String> {
    let painter = pen.painter.with_clip_rect(rect);
    let n = marks.between(time.start, time.stop).count();
    pen.line(
        pos2(rect.left() - 5.0, rect.center().y),
        Align2::RIGHT_CENTER,
        &marks.of.label(),
        &pen.tiny,
        pen.style.weak,
        layout.gutter.width() - 8.0,
    );
    if n as f32 > rect.width() / 3.0 {
        return Some(format!("{n} intervals of {}, zoom in to see them", marks.of.label()));
    }
    for mark in marks.between(time.start, time.stop) {
        let left = layout.x(time, mark.start).max(rect.left());
        let right = layout.x(time, mark.stop).min(rect.right()).max(left + 1.0);
        let color = match marks.of.column {
            Some(_) => pen.style.category(mark.kind),
            None => pen.style.event.gamma_multiply(if mark.kind == 0 { 1.0 } else { 0.6 }),
        };
        let band = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        // Colour alone would not do: a bar below, the value above it where there is room.
        let bar = Rect::from_min_max(pos2(left, rect.bottom() - 4.0), pos2(right, rect.bottom()));
        painter.rect_filled(bar, CornerRadius::ZERO, color);
        if band.width() > 14.0 {
            pen.line(
                band.left_top() + eframe::egui::vec2(1.0, -1.0),
                Align2::LEFT_TOP,
                &mark.label,
                &pen.tiny,
                pen.style.weak,
                band.width() - 2.0,
            );
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::{Column, IntervalTable, NamedColumn, RecordingParts, Source, SpikeTrains};

    #[test]
    fn intervals_in_view_are_found_however_long_they_are() {
        let choice = Column::Text(["left", "right", "left", ""].map(String::from).to_vec());
        let table = IntervalTable {
            name: "trials".into(),
            start: vec![0.0, 1.0, 5.0, f64::NAN],
            stop: vec![100.0, 2.0, 6.0, 7.0],
            columns: vec![NamedColumn { name: "choice".into(), description: String::new(), values: choice }],
        };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0]]),
            unit_ids: vec!["1".into()],
            unit_areas: vec!["A".into()],
            tables: vec![table],
            ..RecordingParts::default()
        };
        let recording = Recording::new(parts, Source::File("x".into())).unwrap();
        let offered = MarkColumn::offered(&recording);
        assert_eq!(offered.iter().map(MarkColumn::label).collect::<Vec<_>>(), ["trials", "trials · choice"]);
        let marks = Marks::new(&recording, &offered[1]).unwrap();
        let seen = |a: f64, b: f64| marks.between(a, b).map(|m| m.kind).collect::<Vec<_>>();
        assert_eq!((seen(1.5, 1.6), seen(50.0, 60.0), seen(4.0, 9.0), seen(200.0, 300.0)), (vec![0, 1], vec![0], vec![0, 0], vec![]));
        assert_eq!(marks.at(1.5), Some("choice: right".to_owned()));
        assert_eq!(Marks::new(&recording, &offered[0]).unwrap().at(5.5), Some("trials 2".to_owned()));
        assert!(Marks::new(&recording, &MarkColumn { table: "none".into(), column: None }).is_none());
    }
}
