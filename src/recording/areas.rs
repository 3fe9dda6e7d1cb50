//! Where a unit's area comes from, and which other ways of telling areas apart a recording offers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Recording, RecordingError};

/// How units are assigned to areas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum AreaRule {
    /// As the file says.
    #[default]
    Recorded,
    /// By the text of a unit column (probe, group, shank, …).
    UnitColumn {
        /// Column name.
        name: String,
    },
    /// By integer division of the unit id, for example 1011 / 1000 = 1.
    UnitId {
        /// Divisor.
        divide_by: u64,
        /// Names of the quotients; a quotient without a name is shown as it is.
        names: BTreeMap<String, String>,
    },
    /// All units in one area.
    OneArea,
}

/// An area rule with what it would give, for the import report and the Train view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaSplit {
    /// The rule.
    pub rule: AreaRule,
    /// Area names with their number of units, in order of first appearance.
    pub areas: Vec<(String, usize)>,
    /// The rule in words, for a menu.
    pub label: String,
}

impl AreaRule {
    /// Area name of every unit under this rule; `None` when the recording lacks what the rule needs.
    pub fn names(&self, recording: &Recording) -> Option<Vec<String>> {
        let units = &recording.units;
        match self {
            Self::Recorded => Some(units.area.iter().map(|&a| recording.areas[a].clone()).collect()),
            Self::UnitColumn { name } => {
                let column = units.columns.iter().find(|c| &c.name == name)?;
                Some((0..recording.n_units()).map(|u| column.values.text(u)).collect())
            }
            Self::UnitId { divide_by, names } => units
                .ids
                .iter()
                .map(|id| {
                    let quotient = id.parse::<u64>().ok()?.checked_div(*divide_by)?.to_string();
                    Some(names.get(&quotient).cloned().unwrap_or(quotient))
                })
                .collect(),
            Self::OneArea => Some(vec!["all units".to_owned(); recording.n_units()]),
        }
    }

    /// The recording with its areas under this rule; the recording itself for [`AreaRule::Recorded`].
    ///
    /// # Errors
    /// [`AreaError`] when the recording lacks what the rule needs.
    pub fn apply(&self, recording: &Recording) -> Result<Recording, AreaError> {
        let names = self.names(recording).ok_or_else(|| AreaError::NotApplicable { rule: self.label() })?;
        Ok(recording.with_areas(&names)?)
    }

    /// The rule in words.
    pub fn label(&self) -> String {
        match self {
            Self::Recorded => "as recorded in the file".to_owned(),
            Self::UnitColumn { name } => format!("unit column '{name}'"),
            Self::UnitId { divide_by, names } if names.is_empty() => format!("unit id / {divide_by}"),
            Self::UnitId { divide_by, names } => {
                let names: Vec<String> = names.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                format!("unit id / {divide_by} ({})", names.join(", "))
            }
            Self::OneArea => "all units as one area".to_owned(),
        }
    }

    /// Every rule that works on this recording and gives 1 to 32 areas, the recorded one first.
    pub fn offered(recording: &Recording) -> Vec<AreaSplit> {
        let mut rules = vec![Self::Recorded];
        let by_id = if numbered_through(recording) { &[][..] } else { &[1000, 100][..] };
        for &divide_by in by_id {
            rules.push(Self::UnitId { divide_by, names: id_names(recording, divide_by) });
        }
        rules.extend(recording.units.columns.iter().map(|c| Self::UnitColumn { name: c.name.clone() }));
        rules.push(Self::OneArea);
        let mut seen: Vec<Vec<usize>> = Vec::new();
        let mut offered = Vec::new();
        for rule in rules {
            let Some(names) = rule.names(recording) else { continue };
            let areas = count(&names);
            let pattern: Vec<usize> = names.iter().map(|n| areas.iter().position(|(a, _)| a == n).unwrap_or(0)).collect();
            // A single quotient tells nothing apart; all units as one area has its own rule.
            let splits = areas.len() >= 2 || !matches!(rule, Self::UnitId { .. });
            let useful = rule == Self::Recorded || (splits && areas.len() <= 32 && areas.iter().all(|(_, n)| *n >= 2));
            if useful && !seen.contains(&pattern) {
                seen.push(pattern);
                offered.push(AreaSplit { label: rule.label(), rule, areas });
            }
        }
        offered
    }
}

/// Units numbered one after the other: their ids say nothing but the order.
fn numbered_through(recording: &Recording) -> bool {
    let ids: Option<Vec<u64>> = recording.units.ids.iter().map(|id| id.parse().ok()).collect();
    ids.is_some_and(|ids| ids.windows(2).all(|w| w[0].checked_add(1) == Some(w[1])))
}

/// Names known for quotients of unit ids: the import may leave them in the report's recording as unit column
/// `area_from_id` (a text column with the name of every unit's quotient).
fn id_names(recording: &Recording, divide_by: u64) -> BTreeMap<String, String> {
    let Some(column) = recording.units.columns.iter().find(|c| c.name == "area_from_id") else { return BTreeMap::new() };
    if divide_by != 1000 {
        return BTreeMap::new();
    }
    let quotient = |id: &String| id.parse::<u64>().ok().map(|id| (id / divide_by).to_string());
    recording.units.ids.iter().enumerate().filter_map(|(u, id)| Some((quotient(id)?, column.values.text(u)))).collect()
}

fn count(names: &[String]) -> Vec<(String, usize)> {
    let mut areas: Vec<(String, usize)> = Vec::new();
    for name in names {
        match areas.iter_mut().find(|(a, _)| a == name) {
            Some((_, n)) => *n += 1,
            None => areas.push((name.clone(), 1)),
        }
    }
    areas
}

/// Why an area rule cannot be applied.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum AreaError {
    /// The recording lacks the column, or its ids are not numbers.
    #[error("areas by {rule} are not possible for this recording; choose another way of telling areas apart")]
    NotApplicable {
        /// The rule in words.
        rule: String,
    },
    /// See [`RecordingError`].
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

#[cfg(test)]
mod tests {
    use super::super::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};
    use super::*;

    fn recording(ids: &[&str], areas: &[&str], columns: &[(&str, &[&str])]) -> Recording {
        let column = |(name, values): &(&str, &[&str])| NamedColumn {
            name: (*name).to_owned(),
            description: String::new(),
            values: Column::Text(values.iter().map(|v| (*v).to_owned()).collect()),
        };
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(ids.iter().map(|_| vec![1.0])),
            unit_ids: ids.iter().map(|i| (*i).to_owned()).collect(),
            unit_areas: areas.iter().map(|a| (*a).to_owned()).collect(),
            unit_columns: columns.iter().map(column).collect(),
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("test".into())).unwrap()
    }

    #[test]
    fn ids_tell_areas_apart_with_the_names_the_import_left() {
        let names: &[&str] = &["PMd", "PMd", "M1", "M1"];
        let recording = recording(&["1001", "1999", "2000", "2001"], &["PMd"; 4], &[("area_from_id", names)]);
        let offered = AreaRule::offered(&recording);
        let labels: Vec<&str> = offered.iter().map(|s| s.label.as_str()).collect();
        // The column gives the same split as the ids, and one area the same as recorded: neither is offered twice.
        assert_eq!(labels, ["as recorded in the file", "unit id / 1000 (1 = PMd, 2 = M1)"]);
        let applied = offered[1].rule.apply(&recording).unwrap();
        assert_eq!((applied.areas, applied.units.area), (vec!["PMd".to_owned(), "M1".to_owned()], vec![0, 0, 1, 1]));
        assert_eq!(applied.fingerprint, recording.fingerprint);
    }

    #[test]
    fn splits_with_single_units_are_not_offered_and_text_ids_cannot_be_divided() {
        let recording = recording(&["a", "b", "c", "d"], &["x"; 4], &[("probe", &["p", "q", "p", "q"]), ("depth", &["1", "2", "3", "4"])]);
        let offered = AreaRule::offered(&recording);
        assert_eq!(offered.iter().map(|s| s.label.as_str()).collect::<Vec<_>>(), ["as recorded in the file", "unit column 'probe'"]);
        assert_eq!(offered[1].areas, [("p".to_owned(), 2), ("q".to_owned(), 2)]);
        let by_id = AreaRule::UnitId { divide_by: 1000, names: BTreeMap::new() };
        assert!(matches!(by_id.apply(&recording), Err(AreaError::NotApplicable { .. })));
        let missing = AreaRule::UnitColumn { name: "shank".to_owned() };
        assert!(missing.apply(&recording).unwrap_err().to_string().contains("unit column 'shank'"));
        let zero = AreaRule::UnitId { divide_by: 0, names: BTreeMap::new() };
        assert_eq!(zero.names(&recording), None);
    }

    #[test]
    fn ids_that_only_number_the_units_are_not_offered() {
        let ids: Vec<String> = (950..1050).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let areas: Vec<&str> = (0..100).map(|u| ["a", "b"][u % 2]).collect();
        let labels: Vec<String> = AreaRule::offered(&recording(&ids, &areas, &[])).into_iter().map(|s| s.label).collect();
        assert_eq!(labels, ["as recorded in the file", "all units as one area"]);
    }

    #[test]
    fn one_area_and_recorded_areas_work_on_every_recording() {
        let recording = recording(&["1", "2"], &["b", "a"], &[]);
        assert_eq!(AreaRule::OneArea.apply(&recording).unwrap().areas, ["all units"]);
        assert_eq!(AreaRule::Recorded.apply(&recording).unwrap().units, recording.units);
    }
}
