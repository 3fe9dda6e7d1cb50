//! Changes to brain areas that a user makes by hand: a list of small edits, applied in order to the recording as read, each of
//! which can be told in words and taken back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AreaRule, Recording};

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum AreaEdit {
    /// All units by a rule (a unit column, the unit ids, one area).
    Rule {
        /// The rule.
        rule: AreaRule,
    },
    /// Units by id, as a list `unit,area` gives them; units that are not listed stay where they are.
    List {
        /// Where the list came from.
        from: String,
        /// Area by unit id.
        areas: BTreeMap<String, String>,
    },
    /// Units by a number in a unit column, usually depth; units outside of every range stay where they are.
    Depth {
        /// Unit column.
        column: String,
        /// Ranges; the first that fits counts.
        ranges: Vec<DepthRange>,
    },
    /// Some units by hand.
    Assign {
        /// Units, as indices into the recording as read.
        units: Vec<usize>,
        /// Their area.
        area: String,
    },
    /// One area under another name; merged with the area that has this name already.
    Rename {
        /// Name now.
        from: String,
        /// New name.
        to: String,
    },
}

/// Part of a depth axis that belongs to one area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DepthRange {
    /// From here, in the unit of the column…
    pub from: f64,
    /// …to before here.
    pub to: f64,
    /// Area.
    pub area: String,
}

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AreaEditError {
    /// The rule needs what the recording lacks.
    #[error("areas by {rule} are not possible for this recording; choose another way of telling areas apart")]
    Rule {
        /// The rule in words.
        rule: String,
    },
    /// No such unit column with numbers.
    #[error("there is no unit column '{column}' with numbers; columns with numbers are: {have}")]
    Column {
        /// Column asked for.
        column: String,
        /// Columns that would do.
        have: String,
    },
    /// An area that is not there.
    #[error("there is no area '{name}'; there are: {have}")]
    NoArea {
        /// Name asked for.
        name: String,
        /// Areas.
        have: String,
    },
    /// Nothing changes.
    #[error("{what}: no unit of this recording is concerned; {remedy}")]
    Nothing {
        /// The edit in words.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl DepthRange {
    /// Ranges as people write them: `0..400=V1, 400..900=CA1`.
    ///
    /// # Errors
    /// One sentence that says which part cannot be read.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let ranges: Result<Vec<Self>, String> =
            text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect();
        match ranges {
            Ok(ranges) if ranges.is_empty() => Err("write ranges as 0..400=V1, 400..900=CA1".to_owned()),
            ranges => ranges,
        }
    }

    fn parse(part: &str) -> Result<Self, String> {
        let read = || {
            let (range, area) = part.split_once('=')?;
            let (from, to) = range.split_once("..")?;
            let (from, to) = (from.trim().parse::<f64>().ok()?, to.trim().parse::<f64>().ok()?);
            let area = area.trim();
            (to > from && !area.is_empty()).then(|| Self { from, to, area: area.to_owned() })
        };
        read().ok_or_else(|| format!("'{part}' is no range; write it as 0..400=V1 (from the first number to before the second)"))
    }
}

impl AreaEdit {
    /// Change `names` (one per unit of `recording`, which is as read). Returns how many units changed their area.
    ///
    /// # Errors
    /// [`AreaEditError`]; `names` are then as they were.
    pub fn apply(&self, recording: &Recording, names: &mut [String]) -> Result<usize, AreaEditError> {
        let before = names.to_vec();
        let mut concerned = 0;
        let mut set = |unit: usize, area: &str| {
            if let Some(name) = names.get_mut(unit) {
                area.clone_into(name);
                concerned += 1;
            }
        };
        match self {
            Self::Rule { rule } => {
                let by_rule = rule.names(recording).ok_or_else(|| AreaEditError::Rule { rule: rule.label() })?;
                by_rule.iter().enumerate().for_each(|(unit, area)| set(unit, area));
            }
            Self::List { areas, .. } => {
                for (unit, id) in recording.units.ids.iter().enumerate() {
                    if let Some(area) = areas.get(id) {
                        set(unit, area);
                    }
                }
            }
            Self::Depth { column, ranges } => {
                let numbers = recording.units.columns.iter().find(|c| &c.name == column && c.values.is_numeric());
                let numbers = numbers.ok_or_else(|| AreaEditError::Column { column: column.clone(), have: numeric_columns(recording) })?;
                for unit in 0..recording.n_units() {
                    let depth = numbers.values.number(unit);
                    if let Some(range) = ranges.iter().find(|r| depth >= r.from && depth < r.to) {
                        set(unit, &range.area);
                    }
                }
            }
            Self::Assign { units, area } => units.iter().for_each(|&unit| set(unit, area)),
            Self::Rename { from, to } => {
                if !before.contains(from) {
                    let mut have = before.clone();
                    have.sort();
                    have.dedup();
                    return Err(AreaEditError::NoArea { name: from.clone(), have: have.join(", ") });
                }
                before.iter().enumerate().filter(|(_, name)| *name == from).for_each(|(unit, _)| set(unit, to));
            }
        }
        if concerned == 0 {
            return Err(AreaEditError::Nothing { what: self.label(), remedy: "check ids and ranges" });
        }
        Ok(before.iter().zip(names.iter()).filter(|(a, b)| a != b).count())
    }

    /// In words, for reports and menus.
    pub fn label(&self) -> String {
        let count = |n: usize| if n == 1 { "1 unit".to_owned() } else { format!("{n} units") };
        match self {
            Self::Rule { rule } => format!("areas by {}", rule.label()),
            Self::List { from, areas } => format!("areas of {} listed in {from}", count(areas.len())),
            Self::Depth { column, ranges } => {
                let ranges: Vec<String> = ranges.iter().map(|r| format!("{} to {} {}", r.from, r.to, r.area)).collect();
                format!("areas by '{column}': {}", ranges.join(", "))
            }
            Self::Assign { units, area } => format!("{} by hand in {area}", count(units.len())),
            Self::Rename { from, to } => format!("'{from}' is called '{to}'"),
        }
    }
}

/// Names of unit columns with numbers, for a message.
fn numeric_columns(recording: &Recording) -> String {
    let names: Vec<&str> = recording.units.columns.iter().filter(|c| c.values.is_numeric()).map(|c| c.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};
    use super::*;

    fn recording() -> Recording {
        let depth = Column::Float(vec![10.0, 399.9, 400.0, f64::NAN]);
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(vec![vec![1.0]; 4]),
            unit_ids: ["1", "2", "3", "4"].map(String::from).to_vec(),
            unit_areas: ["A", "A", "B", "B"].map(String::from).to_vec(),
            unit_columns: vec![NamedColumn { name: "depth".into(), description: String::new(), values: depth }],
            ..RecordingParts::default()
        };
        Recording::new(parts, Source::File("r".into())).unwrap()
    }

    fn edited(edit: &AreaEdit) -> Result<(usize, Vec<String>), AreaEditError> {
        let recording = recording();
        let mut names = recording.area_names();
        edit.apply(&recording, &mut names).map(|changed| (changed, names))
    }

    #[test]
    fn every_kind_of_edit_moves_the_units_it_names() {
        let ranges = DepthRange::parse_list("0..400 = V1; 400..900=CA1").unwrap();
        let depth = AreaEdit::Depth { column: "depth".into(), ranges };
        assert_eq!(edited(&depth).unwrap(), (3, ["V1", "V1", "CA1", "B"].map(String::from).to_vec()));
        let list = AreaEdit::List { from: "a.csv".into(), areas: [("2".into(), "M1".into()), ("77".into(), "X".into())].into() };
        assert_eq!(edited(&list).unwrap(), (1, ["A", "M1", "B", "B"].map(String::from).to_vec()));
        let merge = AreaEdit::Rename { from: "B".into(), to: "A".into() };
        assert_eq!(edited(&merge).unwrap(), (2, vec!["A".to_owned(); 4]));
        let hand = AreaEdit::Assign { units: vec![3, 0], area: "B".into() };
        assert_eq!(edited(&hand).unwrap(), (1, ["B", "A", "B", "B"].map(String::from).to_vec()));
        assert_eq!(edited(&AreaEdit::Rule { rule: AreaRule::OneArea }).unwrap().0, 4);
        assert_eq!(depth.label(), "areas by 'depth': 0 to 400 V1, 400 to 900 CA1");
    }

    #[test]
    fn edits_that_concern_nothing_say_what_there_is() {
        let message = |edit| edited(&edit).unwrap_err().to_string();
        assert_eq!(message(AreaEdit::Rename { from: "C".into(), to: "A".into() }), "there is no area 'C'; there are: A, B");
        let depth = AreaEdit::Depth { column: "shank".into(), ranges: vec![] };
        assert_eq!(message(depth), "there is no unit column 'shank' with numbers; columns with numbers are: depth");
        let list = AreaEdit::List { from: "a.csv".into(), areas: [("77".into(), "X".into())].into() };
        assert_eq!(message(list), "areas of 1 unit listed in a.csv: no unit of this recording is concerned; check ids and ranges");
        assert!(message(AreaEdit::Assign { units: vec![9], area: "X".into() }).contains("no unit"));
    }

    #[test]
    fn ranges_are_read_or_refused() {
        assert_eq!(DepthRange::parse_list("-50..0=top").unwrap(), [DepthRange { from: -50.0, to: 0.0, area: "top".into() }]);
        for wrong in ["", "0-400=V1", "5..1=V1", "0..1=", "0..x=V1", "V1"] {
            assert!(DepthRange::parse_list(wrong).is_err(), "{wrong}");
        }
    }
}
