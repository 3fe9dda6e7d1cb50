//! In which order units stand, and which of them belong together: by area, by cell type, by any other column.

use crate::recording::Recording;
use crate::training::Snapshot;
use crate::views::area_matrix::Block;
use crate::views::netformer_part::Grouping;

/// Columns of the model in the order in which they are drawn.
#[derive(Default)]
pub struct Arrangement {
    /// Grows with every change.
    pub number: u64,
    /// What the groups are by.
    pub what: String,
    /// Groups are the areas of the run.
    pub by_area: bool,
    /// Groups that have units, in order.
    pub blocks: Vec<Block>,
    /// Model columns, group after group.
    pub order: Vec<usize>,
    made_of: Option<(Grouping, Vec<usize>, String)>,
}

impl Arrangement {
    /// Arrange anew when the grouping, the units or the recording changed.
    pub fn update(&mut self, recording: Option<&Recording>, grouping: &Grouping, snapshot: &Snapshot) {
        let key = recording.map_or_else(String::new, |r| r.fingerprint.clone());
        let same = self.made_of.as_ref().is_some_and(|(g, units, name)| g == grouping && *units == snapshot.units && *name == key);
        if same {
            return;
        }
        let columns = 0..snapshot.units.len();
        let (what, names, of, values) = match recording {
            Some(recording) => {
                let groups = grouping.groups(recording);
                let of: Vec<usize> = snapshot.units.iter().map(|unit| groups.of_unit.get(*unit).copied().unwrap_or_default()).collect();
                let values: Vec<f64> = snapshot.units.iter().map(|unit| number(recording, grouping, *unit)).collect();
                (groups.what.clone(), (0..groups.names.len()).map(|g| area_name(grouping, recording, &groups, g)).collect(), of, values)
            }
            None => {
                let of = snapshot.area_sizes.iter().enumerate().flat_map(|(area, n)| std::iter::repeat_n(area, *n)).collect();
                ("area".to_owned(), snapshot.areas.clone(), of, vec![0.0; snapshot.units.len()])
            }
        };
        let mut order: Vec<usize> = columns.collect();
        let key_of = |k: usize| (of.get(k).copied().unwrap_or_default(), values.get(k).copied().unwrap_or_default());
        order.sort_by(|a, b| key_of(*a).0.cmp(&key_of(*b).0).then(key_of(*a).1.total_cmp(&key_of(*b).1)));
        let size = |group: usize| of.iter().filter(|g| **g == group).count();
        let block = |(group, name): (usize, &String)| Block { area: group, name: name.clone(), size: size(group) };
        self.blocks = names.iter().enumerate().map(block).filter(|block| block.size > 0).collect();
        (self.what, self.order, self.by_area) = (what, order, *grouping == Grouping::Area);
        self.number += 1;
        self.made_of = Some((grouping.clone(), snapshot.units.clone(), key));
    }

    /// Model column behind a drawn row or column.
    pub fn column(&self, drawn: usize) -> Option<usize> {
        self.order.get(drawn).copied()
    }

    /// Block that a drawn row belongs to.
    pub fn block_of(&self, drawn: usize) -> usize {
        let mut end = 0;
        let inside = |block: &Block| {
            end += block.size;
            drawn < end
        };
        self.blocks.iter().position(inside).unwrap_or(0)
    }

    /// Model columns of a block.
    pub fn members(&self, block: usize) -> Vec<usize> {
        let first: usize = self.blocks.iter().take(block).map(|b| b.size).sum();
        let size = self.blocks.get(block).map_or(0, |b| b.size);
        self.order.get(first..first + size).unwrap_or_default().to_vec()
    }

    /// Rows of every block.
    pub fn sizes(&self) -> Vec<usize> {
        self.blocks.iter().map(|block| block.size).collect()
    }
}

/// Areas keep the name of the file, by which other views know them; groups are named as they are shown.
fn area_name(grouping: &Grouping, recording: &Recording, groups: &crate::recording::Groups, group: usize) -> String {
    match grouping {
        Grouping::Area => recording.areas.get(group).cloned().unwrap_or_default(),
        Grouping::Column(_) => groups.name(group).to_owned(),
    }
}

/// Numbers of a column order the units within their group; text and areas leave them as they are.
fn number(recording: &Recording, grouping: &Grouping, unit: usize) -> f64 {
    let Grouping::Column(name) = grouping else { return 0.0 };
    let column = recording.units.columns.iter().find(|c| c.name == *name).filter(|c| c.values.is_numeric());
    column.map_or(0.0, |c| c.values.number(unit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};
    use crate::training::{ModelSnapshot, NetFormerSnapshot};

    #[test]
    fn units_stand_group_by_group_and_by_number_within() {
        let columns = vec![
            NamedColumn {
                name: "depth".into(),
                description: String::new(),
                values: Column::Float((0..40).map(|k| f64::from(40 - k)).collect()),
            },
            NamedColumn {
                name: "cell_type".into(),
                description: String::new(),
                values: Column::Text((0..40).map(|k| format!("t{}", k % 2)).collect()),
            },
        ];
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(vec![vec![0.5]; 40]),
            unit_ids: (0..40).map(|u| u.to_string()).collect(),
            unit_areas: (0..40).map(|u| if u < 10 { "V1" } else { "" }.to_owned()).collect(),
            unit_columns: columns,
            ..RecordingParts::default()
        };
        let recording = Recording::new(parts, Source::File("r.npz".into())).unwrap();
        let snapshot = Snapshot {
            version: 1,
            stage: 1,
            step: 0,
            bin_s: 0.01,
            areas: vec!["V1".into(), String::new()],
            area_sizes: vec![2, 2],
            units: vec![3, 8, 20, 33],
            trials: vec![],
            model: ModelSnapshot::NetFormer(NetFormerSnapshot::default()),
        };
        let mut own = Arrangement::default();
        own.update(Some(&recording), &Grouping::Area, &snapshot);
        assert!(own.by_area && own.order == [0, 1, 2, 3] && own.sizes() == [2, 2] && own.blocks[1].name.is_empty());
        let before = own.number;
        own.update(Some(&recording), &Grouping::Area, &snapshot);
        assert_eq!(own.number, before);
        own.update(Some(&recording), &Grouping::Column("cell_type".into()), &snapshot);
        assert_eq!((own.order.clone(), own.sizes(), own.what.as_str()), (vec![1, 2, 0, 3], vec![2, 2], "cell type"));
        assert_eq!((own.members(1), own.block_of(0), own.block_of(3), own.column(1)), (vec![0, 3], 0, 1, Some(2)));
        own.update(Some(&recording), &Grouping::Column("depth".into()), &snapshot);
        assert_eq!(own.order, [3, 2, 1, 0], "shallow first");
        own.update(None, &Grouping::Area, &snapshot);
        assert_eq!((own.order.clone(), own.sizes()), (vec![0, 1, 2, 3], vec![2, 2]));
    }
}
