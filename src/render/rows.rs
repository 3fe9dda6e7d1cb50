//! Which unit is drawn in which row of a raster, and which rows share a line of pixels when there are more rows than lines.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::recording::Recording;

/// Row of a unit that has none (its group is collapsed).
pub const HIDDEN: u32 = u32::MAX;
/// A collapsed group is this share of all open rows high.
const COLLAPSED_SHARE: usize = 12;
/// Most groups a column may give.
const MOST_GROUPS: usize = 32;

/// Order of units within a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowOrder {
    /// Most spikes first.
    #[default]
    Rate,
    /// By id: numbers by value, text alphabetically.
    Id,
    /// By a unit column: numbers smallest first, text alphabetically, missing values last.
    Column(String),
    /// Units that are active at the same times side by side.
    Similarity,
}

impl RowOrder {
    /// The order in words.
    pub fn label(&self) -> String {
        match self {
            Self::Rate => "rate".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Column(name) => name.clone(),
            Self::Similarity => "similarity of activity".to_owned(),
        }
    }

    /// Every order a recording offers.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let columns = recording.units.columns.iter().map(|c| Self::Column(c.name.clone()));
        [Self::Rate, Self::Id, Self::Similarity].into_iter().chain(columns).collect()
    }
}

/// What makes units a group of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowGroup {
    /// Their area.
    #[default]
    Area,
    /// Their value in a unit column.
    Column(String),
    /// All units are one group.
    All,
}

impl RowGroup {
    /// In words.
    pub fn label(&self) -> String {
        match self {
            Self::Area => "area".to_owned(),
            Self::Column(name) => name.clone(),
            Self::All => "nothing".to_owned(),
        }
    }

    /// Every grouping a recording offers: columns with few different values.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let few = |g: &Self| matches!(g.names(recording).len(), 2..=MOST_GROUPS);
        let columns = recording.units.columns.iter().map(|c| Self::Column(c.name.clone())).filter(few);
        [Self::Area, Self::All].into_iter().chain(columns).collect()
    }

    /// Names of the groups, in order of first appearance (areas in the order of the recording). Stops soon after
    /// [`MOST_GROUPS`].
    fn names(&self, recording: &Recording) -> Vec<String> {
        match self {
            Self::Area => recording.areas.clone(),
            Self::All => vec!["all units".to_owned()],
            Self::Column(name) => {
                let Some(column) = recording.units.columns.iter().find(|c| &c.name == name) else { return Vec::new() };
                let mut names: Vec<String> = Vec::new();
                for unit in 0..recording.n_units() {
                    let value = column.values.text(unit);
                    if !names.contains(&value) {
                        names.push(value);
                    }
                    if names.len() > MOST_GROUPS {
                        break;
                    }
                }
                names
            }
        }
    }

    fn of_unit(&self, recording: &Recording, names: &[String], unit: usize) -> usize {
        match self {
            Self::Area => recording.units.area.get(unit).copied().unwrap_or(0),
            Self::All => 0,
            Self::Column(name) => {
                let value = recording.units.columns.iter().find(|c| &c.name == name).map(|c| c.values.text(unit));
                names.iter().position(|n| Some(n) == value.as_ref()).unwrap_or(0)
            }
        }
    }
}

/// How rows are arranged; what the user chooses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowPlan {
    /// Order within groups.
    pub order: RowOrder,
    /// Groups.
    pub group: RowGroup,
    /// Groups shown as one band with their mean rate, by name.
    pub collapsed: BTreeSet<String>,
    /// Groups from the top, by name; those not named follow in their own order.
    pub arranged: Vec<String>,
    /// Place of every unit in the order by similarity, once it is known.
    pub learned: Option<Arc<Vec<f64>>>,
}

/// Rows of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Its name; empty where the file gives none.
    pub name: String,
    /// Place among the groups in their own order: its colour. For areas the index into `Recording::areas`.
    pub group: usize,
    /// Its rows.
    pub rows: Range<usize>,
    /// Its units in their order.
    pub units: Vec<usize>,
    /// Shown as one band.
    pub collapsed: bool,
}

/// Rows from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Unit of every row; `None` in collapsed groups.
    pub units: Vec<Option<usize>>,
    /// Row of every unit, or [`HIDDEN`].
    pub row_of_unit: Vec<u32>,
    /// Groups from the top.
    pub bands: Vec<Band>,
}

impl Rows {
    /// All units of a recording, arranged as planned.
    pub fn of(recording: &Recording, plan: &RowPlan) -> Self {
        let names = plan.group.names(recording);
        let mut groups: Vec<(usize, Vec<usize>)> = (0..names.len().max(1)).map(|g| (g, Vec::new())).collect();
        for unit in sorted(recording, plan) {
            if let Some((_, units)) = groups.get_mut(plan.group.of_unit(recording, &names, unit)) {
                units.push(unit);
            }
        }
        groups.retain(|(_, units)| !units.is_empty());
        let name = |g: usize| names.get(g).cloned().unwrap_or_default();
        groups.sort_by_key(|(g, _)| (plan.arranged.iter().position(|n| *n == name(*g)).unwrap_or(usize::MAX), *g));
        let open: usize = groups.iter().filter(|(g, _)| !plan.collapsed.contains(&name(*g))).map(|(_, u)| u.len()).sum();
        let mut rows = Self { row_of_unit: vec![HIDDEN; recording.n_units()], ..Self::default() };
        for (group, units) in groups {
            let (start, collapsed) = (rows.units.len(), plan.collapsed.contains(&name(group)));
            if collapsed {
                rows.units.extend(std::iter::repeat_n(None, (open / COLLAPSED_SHARE).max(1)));
            } else {
                for &unit in &units {
                    if let Some(row) = rows.row_of_unit.get_mut(unit) {
                        *row = rows.units.len() as u32;
                    }
                    rows.units.push(Some(unit));
                }
            }
            rows.bands.push(Band { name: name(group), group, rows: start..rows.units.len(), units, collapsed });
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

    /// Number of units, with a row or not.
    pub fn n_units(&self) -> usize {
        self.row_of_unit.len()
    }

    /// Unit of a row.
    pub fn unit(&self, row: usize) -> Option<usize> {
        self.units.get(row).copied().flatten()
    }

    /// Row of a unit, if it has one.
    pub fn row(&self, unit: usize) -> Option<usize> {
        self.row_of_unit.get(unit).filter(|r| **r != HIDDEN).map(|r| *r as usize)
    }

    /// The group at a row.
    pub fn band(&self, row: usize) -> Option<&Band> {
        self.bands.iter().find(|b| b.rows.contains(&row))
    }

    /// Where every unit goes on `height` lines of pixels that show the rows `first..last` (fractional).
    pub fn slots(&self, first: f64, last: f64, height: usize) -> RowSlots {
        let row_height = height as f64 / (last - first).max(1e-9);
        let first_row = first.floor().max(0.0) as usize;
        let shown = (last.ceil().max(0.0) as usize).min(self.len()).saturating_sub(first_row);
        let merged = row_height < 1.0;
        let slots = if merged { height } else { shown };
        let slot = |row: usize| {
            if merged {
                (((row as f64 + 0.5 - first) * row_height).max(0.0) as usize).min(slots.saturating_sub(1))
            } else {
                row - first_row
            }
        };
        let mut made = RowSlots {
            slots,
            first_row,
            merged,
            units_per_slot: if merged { (1.0 / row_height).ceil() as usize } else { 1 },
            ..RowSlots::default()
        };
        let mut seen = vec![false; self.n_units()];
        let mut add = |slot: usize, unit: usize| {
            made.members.push((slot as u32, unit as u32));
            if let Some(seen) = seen.get_mut(unit) {
                *seen = true;
            }
        };
        for (row, unit) in self.units.iter().enumerate().skip(first_row).take(shown) {
            if let Some(unit) = unit {
                add(slot(row), *unit);
            }
        }
        let folded = self.bands.iter().filter(|b| b.collapsed && b.rows.start < first_row + shown && b.rows.end > first_row);
        for (k, band) in folded.clone().enumerate() {
            band.units.iter().for_each(|unit| add(slots + k, *unit));
        }
        made.collapsed = folded.count();
        made.hidden = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(unit, _)| unit as u32).collect();
        made
    }

    /// Collapsed groups that [`Self::slots`] gives a slot, in order: the first one has slot `RowSlots::slots`.
    pub fn folded(&self, slots: &RowSlots, last: f64) -> impl Iterator<Item = (usize, &Band)> {
        let (first, stop, from) = (slots.first_row, last.ceil().max(0.0) as usize, slots.slots);
        let shown = self.bands.iter().filter(move |b| b.collapsed && b.rows.start < stop && b.rows.end > first);
        shown.enumerate().map(move |(k, band)| (from + k, band))
    }
}

/// Slots of a density grid (see [`super::DensityGrid`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSlots {
    /// Slot and unit, ascending by slot; several units may share one.
    pub members: Vec<(u32, u32)>,
    /// Units without a slot.
    pub hidden: Vec<u32>,
    /// Number of slots that are drawn.
    pub slots: usize,
    /// Slots of collapsed groups, after those.
    pub collapsed: usize,
    /// Row behind slot 0 when not merged.
    pub first_row: usize,
    /// True when a slot is one line of pixels that several rows share.
    pub merged: bool,
    /// Most units in one slot.
    pub units_per_slot: usize,
}

impl RowSlots {
    /// Units in a drawn slot.
    pub fn units(&self, slot: usize) -> impl Iterator<Item = usize> {
        let from = self.members.partition_point(|m| (m.0 as usize) < slot);
        let to = self.members.partition_point(|m| (m.0 as usize) <= slot);
        self.members.get(from..to).unwrap_or_default().iter().map(|m| m.1 as usize)
    }

    /// All units that are drawn one by one.
    pub fn drawn(&self) -> impl Iterator<Item = usize> {
        let to = self.members.partition_point(|m| (m.0 as usize) < self.slots);
        self.members.get(..to).unwrap_or_default().iter().map(|m| m.1 as usize)
    }
}

/// Units in the order of rows, groups not regarded.
fn sorted(recording: &Recording, plan: &RowPlan) -> Vec<usize> {
    let text = match &plan.order {
        RowOrder::Column(name) => recording.units.columns.iter().find(|c| &c.name == name).filter(|c| !c.values.is_numeric()),
        _ => None,
    };
    let mut keyed: Vec<(f64, String, usize)> = (0..recording.n_units())
        .map(|unit| {
            // A missing text belongs last, as a missing number does.
            let text = text.map(|c| c.values.text(unit)).map_or(String::new(), |t| if t.is_empty() { "\u{10ffff}".to_owned() } else { t });
            (key(recording, plan, unit), text, unit)
        })
        .collect();
    keyed.sort_by(|a, b| {
        // Equal keys (text ids, ties) fall back to the id as text, then to file order.
        a.0.total_cmp(&b.0)
            .then_with(|| a.1.cmp(&b.1))
            .then_with(|| recording.units.ids.get(a.2).cmp(&recording.units.ids.get(b.2)))
            .then(a.2.cmp(&b.2))
    });
    keyed.into_iter().map(|k| k.2).collect()
}

fn key(recording: &Recording, plan: &RowPlan, unit: usize) -> f64 {
    let value = match &plan.order {
        RowOrder::Rate => -(recording.spikes.unit(unit).len() as f64),
        RowOrder::Id => recording.units.ids.get(unit).and_then(|id| id.parse().ok()).unwrap_or(f64::NAN),
        RowOrder::Column(name) => recording.units.columns.iter().find(|c| &c.name == name).map_or(f64::NAN, |c| c.values.number(unit)),
        RowOrder::Similarity => plan.learned.as_ref().and_then(|l| l.get(unit)).copied().unwrap_or(f64::NAN),
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
        let named = |name: &str, values| NamedColumn { name: name.into(), description: String::new(), values };
        let depth = named("depth", Column::Float(vec![3.0, 1.0, f64::NAN, 2.0]));
        let quality = named("quality", Column::Text(["good", "", "fair", "good"].map(String::from).to_vec()));
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units([vec![1.0], vec![1.0, 2.0], vec![0.5, 1.0, 1.5], vec![]]),
            unit_ids: ids.map(String::from).to_vec(),
            unit_areas: areas.map(String::from).to_vec(),
            unit_columns: vec![depth, quality],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("x.nwb".into())).unwrap()
    }

    fn by(order: RowOrder) -> RowPlan {
        RowPlan { order, ..RowPlan::default() }
    }

    fn units(rows: &Rows) -> Vec<usize> {
        rows.units.iter().copied().flatten().collect()
    }

    #[test]
    fn areas_stay_together_and_units_are_in_order() {
        let recording = recording();
        let column = |name: &str| RowOrder::Column(name.into());
        assert_eq!(RowOrder::offered(&recording), [RowOrder::Rate, RowOrder::Id, RowOrder::Similarity, column("depth"), column("quality")]);
        let rows = Rows::of(&recording, &by(RowOrder::Rate));
        assert_eq!(units(&rows), [2, 0, 3, 1]);
        assert_eq!(rows.row_of_unit, [1, 3, 0, 2]);
        assert_eq!(
            rows.bands.iter().map(|b| (b.name.as_str(), b.group, b.rows.clone())).collect::<Vec<_>>(),
            [("V1", 0, 0..3), ("M1", 1, 3..4)]
        );
        assert_eq!(units(&Rows::of(&recording, &by(RowOrder::Id))), [0, 3, 2, 1]);
        assert_eq!(units(&Rows::of(&recording, &by(column("depth")))), [3, 0, 2, 1]);
        assert_eq!(units(&Rows::of(&recording, &by(column("quality")))), [2, 0, 3, 1]);
        let learned = RowPlan { learned: Some(Arc::new(vec![0.3, 0.1, 0.9, 0.2])), ..by(RowOrder::Similarity) };
        assert_eq!(units(&Rows::of(&recording, &learned)), [3, 0, 2, 1]);
    }

    #[test]
    fn groups_can_be_columns_reordered_and_collapsed() {
        let recording = recording();
        assert_eq!(
            RowGroup::offered(&recording),
            [RowGroup::Area, RowGroup::All, RowGroup::Column("depth".into()), RowGroup::Column("quality".into())]
        );
        let quality = RowPlan { group: RowGroup::Column("quality".into()), ..RowPlan::default() };
        let rows = Rows::of(&recording, &quality);
        assert_eq!(
            rows.bands.iter().map(|b| (b.name.as_str(), b.units.clone())).collect::<Vec<_>>(),
            [("good", vec![0, 3]), ("", vec![1]), ("fair", vec![2])]
        );
        let turned = RowPlan { arranged: vec!["M1".into()], ..RowPlan::default() };
        let rows = Rows::of(&recording, &turned);
        assert_eq!((units(&rows), rows.bands[0].group), (vec![1, 2, 0, 3], 1));
        let folded = RowPlan { collapsed: ["V1".to_owned()].into(), ..RowPlan::default() };
        let rows = Rows::of(&recording, &folded);
        assert_eq!(
            (rows.units.clone(), rows.row(1), rows.row(2), rows.band(0).unwrap().units.len()),
            (vec![None, Some(1)], Some(1), None, 3)
        );
        let slots = rows.slots(0.0, 2.0, 100);
        assert_eq!((slots.members, slots.slots, slots.collapsed, slots.hidden), (vec![(1, 1), (2, 2), (2, 0), (2, 3)], 2, 1, vec![]));
        let below = rows.slots(1.0, 2.0, 100);
        assert_eq!((below.members.clone(), below.collapsed, below.hidden.clone()), (vec![(0, 1)], 0, vec![0, 2, 3]));
        assert_eq!((rows.folded(&below, 2.0).count(), rows.folded(&rows.slots(0.0, 2.0, 9), 2.0).next().map(|f| f.0)), (0, Some(2)));
        let all = Rows::of(&recording, &RowPlan { group: RowGroup::All, ..RowPlan::default() });
        assert_eq!((units(&all), all.bands.len()), (vec![2, 1, 0, 3], 1));
    }

    #[test]
    fn rows_become_slots_and_share_them_when_there_are_too_many() {
        let rows = Rows { units: (0..10).map(Some).collect(), row_of_unit: (0..10).collect(), bands: Vec::new() };
        let pairs = |slots: &RowSlots| slots.members.clone();
        let all = rows.slots(0.0, 10.0, 100);
        assert_eq!((all.slots, all.merged, pairs(&all)), (10, false, (0..10).map(|k| (k, k)).collect::<Vec<(u32, u32)>>()));
        let some = rows.slots(2.5, 5.5, 100);
        assert_eq!((some.slots, some.first_row, some.hidden.clone()), (4, 2, vec![0, 1, 6, 7, 8, 9]));
        assert_eq!(pairs(&some), [(0, 2), (1, 3), (2, 4), (3, 5)]);
        let few = rows.slots(0.0, 10.0, 5);
        assert_eq!((few.slots, few.merged, few.units_per_slot), (5, true, 2));
        assert_eq!(few.units(1).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(few.drawn().count(), 10);
        assert_eq!(Rows::default().slots(0.0, 1.0, 100).slots, 0);
    }
}
