//! Units in groups by what a column says of them: cell type, layer, probe, area. Matrices between units are sorted and averaged by
//! these.

use super::{Column, Recording};

/// Column of units that names their type, as simulators and readers write it.
pub const CELL_TYPE: &str = "cell_type";
/// A column with more different values than this makes no groups.
const MOST_GROUPS: usize = 40;
/// Numbers with more different values than this are cut into quarters of the units.
const MOST_NUMBERS: usize = 12;
/// Groups that numbers are cut into.
const QUARTERS: usize = 4;

/// Units in groups; every unit is in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// What the groups are by, in words: `cell type`, `area`, or the name of the column.
    pub what: String,
    /// Names of the groups, in the order in which they are shown.
    pub names: Vec<String>,
    /// Group of every unit of the recording, an index into `names`.
    pub of_unit: Vec<usize>,
}

impl Groups {
    /// Name of a group as shown; a missing value has words of its own.
    pub fn name(&self, group: usize) -> &str {
        match self.names.get(group).map(String::as_str) {
            None | Some("") => "(none)",
            Some(name) => name,
        }
    }

    /// `None` as soon as there are too many different values.
    fn by_text(what: String, values: impl Iterator<Item = String>) -> Option<Self> {
        let mut names: Vec<String> = Vec::new();
        let mut of_unit = Vec::new();
        for name in values {
            let place = names.iter().position(|n| *n == name).unwrap_or(names.len());
            if place == names.len() {
                names.push(name);
            }
            if names.len() > MOST_GROUPS {
                return None;
            }
            of_unit.push(place);
        }
        Some(Self { what, names, of_unit })
    }

    /// Numbers: as they are when there are few different ones, else in quarters of the units, from small to large.
    fn by_number(what: String, values: &[f64], words: impl Fn(usize) -> String) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut different = sorted.clone();
        different.dedup();
        let missing = values.iter().any(|v| !v.is_finite());
        let place = |value: f64| different.partition_point(|d| *d < value);
        let (mut names, mut of_unit): (Vec<String>, Vec<usize>);
        if different.len() <= MOST_NUMBERS {
            let word = |value: &f64| values.iter().position(|v| v == value).map_or_else(String::new, &words);
            names = different.iter().map(word).collect();
            of_unit = values.iter().map(|v| if v.is_finite() { place(*v) } else { different.len() }).collect();
        } else {
            let edge = |quarter: usize| sorted.get((quarter * sorted.len() / QUARTERS).min(sorted.len() - 1)).copied().unwrap_or_default();
            let short = |v: f64| format!("{:.4}", v).trim_end_matches('0').trim_end_matches('.').to_owned();
            names = (0..QUARTERS).map(|q| format!("{} to {}", short(edge(q)), short(edge(q + 1)))).collect();
            let quarter = |value: f64| (1..QUARTERS).take_while(|q| value >= edge(*q)).count();
            of_unit = values.iter().map(|v| if v.is_finite() { quarter(*v) } else { QUARTERS }).collect();
        }
        if missing {
            names.push(String::new());
        }
        of_unit.iter_mut().for_each(|g| *g = (*g).min(names.len().saturating_sub(1)));
        Self { what, names, of_unit }
    }
}

impl Recording {
    /// Units by area.
    pub fn groups_by_area(&self) -> Groups {
        Groups { what: "area".to_owned(), names: self.areas.clone(), of_unit: self.units.area.clone() }
    }

    /// Units by a column of the unit table: text and truth values as they are, numbers with many different values in quarters of
    /// the units. `None` when there is no such column, or when it tells nearly every unit apart.
    pub fn groups_by(&self, column: &str) -> Option<Groups> {
        let values = &self.units.columns.iter().find(|c| c.name == column)?.values;
        let what = if column == CELL_TYPE { "cell type".to_owned() } else { column.to_owned() };
        let groups = match values {
            Column::Text(_) | Column::Bool(_) => Groups::by_text(what, (0..values.len()).map(|row| values.text(row)))?,
            Column::Int(_) | Column::Float(_) => {
                let numbers: Vec<f64> = (0..values.len()).map(|row| values.number(row)).collect();
                Groups::by_number(what, &numbers, |row| values.text(row))
            }
        };
        (groups.of_unit.len() == self.n_units() && groups.names.len() <= MOST_GROUPS).then_some(groups)
    }

    /// Units by cell type where the recording has any, else by area.
    pub fn groups(&self) -> Groups {
        self.groups_by(CELL_TYPE).unwrap_or_else(|| self.groups_by_area())
    }

    /// Columns of units that make more than one group, cell type first.
    pub fn grouping_columns(&self) -> Vec<String> {
        let mut names: Vec<String> = self.units.columns.iter().map(|c| c.name.clone()).collect();
        names.retain(|name| self.groups_by(name).is_some_and(|groups| groups.names.len() > 1));
        names.sort_by_key(|name| name != CELL_TYPE);
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{NamedColumn, RecordingParts, Source, SpikeTrains};

    fn recording(columns: Vec<(&str, Column)>) -> Recording {
        let columns = columns.into_iter().map(|(name, values)| NamedColumn { name: name.into(), description: String::new(), values });
        let n = 6;
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(vec![vec![0.5]; n]),
            unit_ids: (0..n).map(|u| u.to_string()).collect(),
            unit_areas: ["V1", "V1", "V1", "LM", "LM", ""].map(str::to_owned).to_vec(),
            unit_columns: columns.collect(),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r.npz".into())).unwrap()
    }

    #[test]
    fn types_come_first_and_areas_stand_in_for_them() {
        let types = Column::Text(["EC", "Sst", "EC", "", "Sst", "EC"].map(str::to_owned).to_vec());
        let with = recording(vec![("depth", Column::Float(vec![3.0, 1.0, 2.0, 2.0, 1.0, f64::NAN])), (CELL_TYPE, types)]);
        let groups = with.groups();
        assert_eq!((groups.what.as_str(), groups.of_unit.clone()), ("cell type", vec![0, 1, 0, 2, 1, 0]));
        assert_eq!([0, 1, 2, 9].map(|g| groups.name(g).to_owned()), ["EC", "Sst", "(none)", "(none)"]);
        assert_eq!(with.grouping_columns(), [CELL_TYPE, "depth"]);
        let depth = with.groups_by("depth").unwrap();
        assert_eq!((depth.names.clone(), depth.of_unit), (vec!["1".into(), "2".into(), "3".into(), String::new()], vec![2, 0, 1, 1, 0, 3]));
        let without = recording(vec![]);
        assert_eq!((without.groups().what.as_str(), without.groups().of_unit), ("area", vec![0, 0, 0, 1, 1, 2]));
        assert!(without.groups_by("depth").is_none() && without.grouping_columns().is_empty());
    }

    #[test]
    fn many_numbers_are_cut_into_quarters_and_columns_that_tell_all_units_apart_are_no_groups() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let quarters = Groups::by_number("depth".into(), &values, |_| String::new());
        let size = |g: usize| quarters.of_unit.iter().filter(|o| **o == g).count();
        assert_eq!((quarters.names.len(), [0, 1, 2, 3].map(size)), (4, [25; 4]));
        assert_eq!(quarters.names[1], "25 to 50");
        let one = recording(vec![("probe", Column::Int(vec![3; 6]))]);
        assert!(one.grouping_columns().is_empty());
        assert_eq!(Groups::by_number("x".into(), &[], |_| String::new()).names.len(), 0);
    }
}
