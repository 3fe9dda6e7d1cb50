//! Which unit is drawn in which row of a raster, and which rows share a line of pixels when there are more rows than lines.

use std::ops::Range;

use crate::recording::Recording;

/// Order of units within an area.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowOrder {
    /// Most spikes first.
    #[default]
    Rate,
    /// By id: numbers by value, text alphabetically.
    Id,
    /// By a numeric unit column, smallest first, missing values last.
    Column(String),
}

impl RowOrder {
    /// The order in words.
    pub fn label(&self) -> String {
        match self {
            Self::Rate => "rate".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Column(name) => name.clone(),
        }
    }

    /// Every order a recording offers.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let columns = recording.units.columns.iter().filter(|c| c.values.is_numeric()).map(|c| Self::Column(c.name.clone()));
        [Self::Rate, Self::Id].into_iter().chain(columns).collect()
    }
}

/// Rows of one area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Index into `Recording::areas`.
    pub area: usize,
    /// Its rows.
    pub rows: Range<usize>,
}

/// Units in the order of rows, from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Unit of every row.
    pub units: Vec<usize>,
    /// Row of every unit.
    pub row_of_unit: Vec<u32>,
    /// Areas from the top.
    pub bands: Vec<Band>,
}

impl Rows {
    /// All units, areas one after another in the order of the recording.
    pub fn of(recording: &Recording, order: &RowOrder) -> Self {
        let mut keyed: Vec<(usize, f64, usize)> =
            (0..recording.n_units()).map(|u| (area_of(recording, u), key(recording, order, u), u)).collect();
        keyed.sort_by(|a, b| {
            // Equal keys (text ids, ties) fall back to the id as text, then to file order.
            a.0.cmp(&b.0)
                .then(a.1.total_cmp(&b.1))
                .then_with(|| recording.units.ids.get(a.2).cmp(&recording.units.ids.get(b.2)))
                .then(a.2.cmp(&b.2))
        });
        let mut rows = Self { row_of_unit: vec![0; keyed.len()], ..Self::default() };
        for (row, (area, _, unit)) in keyed.into_iter().enumerate() {
            rows.units.push(unit);
            if let Some(slot) = rows.row_of_unit.get_mut(unit) {
                *slot = row as u32;
            }
            match rows.bands.last_mut() {
                Some(band) if band.area == area => band.rows.end = row + 1,
                _ => rows.bands.push(Band { area, rows: row..row + 1 }),
            }
        }
        rows
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// True without units.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Where every unit goes on `height` lines of pixels that show the rows `first..last` (fractional).
    pub fn slots(&self, first: f64, last: f64, height: usize) -> RowSlots {
        let row_height = height as f64 / (last - first).max(1e-9);
        let first_row = first.floor().max(0.0) as usize;
        let shown = (last.ceil().max(0.0) as usize).min(self.len()).saturating_sub(first_row);
        let merged = row_height < 1.0;
        let slots = if merged { height } else { shown };
        let slot = |row: usize| match (row >= first_row && row < first_row + shown, merged) {
            (false, _) => slots,
            (true, false) => row - first_row,
            (true, true) => (((row as f64 + 0.5 - first) * row_height).max(0.0) as usize).min(slots.saturating_sub(1)),
        };
        let of_unit = self.row_of_unit.iter().map(|&row| slot(row as usize) as u32).collect();
        RowSlots { of_unit, slots, first_row, merged, units_per_slot: if merged { (1.0 / row_height).ceil() as usize } else { 1 } }
    }
}

/// Slots of a density grid (see [`super::DensityGrid`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSlots {
    /// Slot of every unit; `slots` when not shown.
    pub of_unit: Vec<u32>,
    /// Number of slots.
    pub slots: usize,
    /// Row behind slot 0 when not merged.
    pub first_row: usize,
    /// True when a slot is one line of pixels that several rows share.
    pub merged: bool,
    /// Most units in one slot.
    pub units_per_slot: usize,
}

fn area_of(recording: &Recording, unit: usize) -> usize {
    recording.units.area.get(unit).copied().unwrap_or(0)
}

fn key(recording: &Recording, order: &RowOrder, unit: usize) -> f64 {
    let value = match order {
        RowOrder::Rate => -(recording.spikes.unit(unit).len() as f64),
        RowOrder::Id => recording.units.ids.get(unit).and_then(|id| id.parse().ok()).unwrap_or(f64::NAN),
        RowOrder::Column(name) => recording.units.columns.iter().find(|c| &c.name == name).map_or(f64::NAN, |c| c.values.number(unit)),
    };
    // total_cmp puts a negative NaN first; missing values belong last.
    if value.is_nan() { f64::INFINITY } else { value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::recording::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording() -> Recording {
        let ids = ["10", "9", "b", "a"];
        let areas = ["V1", "M1", "V1", "V1"];
        let depth = NamedColumn { name: "depth".into(), description: String::new(), values: Column::Float(vec![3.0, 1.0, f64::NAN, 2.0]) };
        let note = NamedColumn { name: "note".into(), description: String::new(), values: Column::Text(vec![String::new(); 4]) };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0], vec![1.0, 2.0], vec![0.5, 1.0, 1.5], vec![]]),
            unit_ids: ids.map(String::from).to_vec(),
            unit_areas: areas.map(String::from).to_vec(),
            unit_columns: vec![depth, note],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x.nwb".into())).unwrap()
    }

    #[test]
    fn areas_stay_together_and_units_are_in_order() {
        let recording = recording();
        assert_eq!(RowOrder::offered(&recording), [RowOrder::Rate, RowOrder::Id, RowOrder::Column("depth".into())]);
        let rows = Rows::of(&recording, &RowOrder::Rate);
        assert_eq!(rows.units, [2, 0, 3, 1]);
        assert_eq!(rows.row_of_unit, [1, 3, 0, 2]);
        assert_eq!(rows.bands, [Band { area: 0, rows: 0..3 }, Band { area: 1, rows: 3..4 }]);
        assert_eq!(Rows::of(&recording, &RowOrder::Id).units, [0, 3, 2, 1]);
        assert_eq!(Rows::of(&recording, &RowOrder::Column("depth".into())).units, [3, 0, 2, 1]);
    }

    #[test]
    fn rows_become_slots_and_share_them_when_there_are_too_many() {
        let rows = Rows { units: (0..10).collect(), row_of_unit: (0..10).collect(), bands: Vec::new() };
        let all = rows.slots(0.0, 10.0, 100);
        assert_eq!((all.slots, all.merged, all.of_unit), (10, false, (0..10).collect::<Vec<u32>>()));
        let some = rows.slots(2.5, 5.5, 100);
        assert_eq!((some.slots, some.first_row), (4, 2));
        assert_eq!(some.of_unit, [4, 4, 0, 1, 2, 3, 4, 4, 4, 4]);
        let few = rows.slots(0.0, 10.0, 5);
        assert_eq!((few.slots, few.merged, few.units_per_slot), (5, true, 2));
        assert_eq!(few.of_unit, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(Rows::default().slots(0.0, 1.0, 100).slots, 0);
    }
}
