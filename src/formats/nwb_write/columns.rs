//! Tables and columns as the NWB schema wants them: type, namespace, description and object id on every object.

use std::time::{SystemTime, UNIX_EPOCH};

use hdf5_pure::{AttrValue, DatasetBuilder, EnumTypeBuilder, GroupBuilder, make_i8_type};

use super::links;
use crate::recording::Column;

/// Start of the session when it is not known.
pub(super) const UNKNOWN_START: &str = "1970-01-01T00:00:00+00:00";

/// Types of the schema that are written.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Units,
    TimeIntervals,
    TimeSeries,
    Device,
    ElectrodeGroup,
    DynamicTable,
    DynamicTableRegion,
    VectorData,
    VectorIndex,
    ElementIdentifiers,
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Units => ("core", "Units"),
            Self::TimeIntervals => ("core", "TimeIntervals"),
            Self::TimeSeries => ("core", "TimeSeries"),
            Self::Device => ("core", "Device"),
            Self::ElectrodeGroup => ("core", "ElectrodeGroup"),
            Self::DynamicTable => ("hdmf-common", "DynamicTable"),
            Self::DynamicTableRegion => ("hdmf-common", "DynamicTableRegion"),
            Self::VectorData => ("hdmf-common", "VectorData"),
            Self::VectorIndex => ("hdmf-common", "VectorIndex"),
            Self::ElementIdentifiers => ("hdmf-common", "ElementIdentifiers"),
        }
    }
}

/// Identifier of one object.
pub(super) struct ObjectId {
    pub(super) number: u32,
    pub(super) uuid: String,
}

/// Object ids that follow from the data, so that the same recording gives the same ids.
pub(super) struct Ids {
    seed: String,
    next: u32,
}

impl Ids {
    pub(super) fn new(fingerprint: &str) -> Self {
        Self { seed: format!("{fingerprint:0<24}"), next: 0 }
    }

    pub(super) fn next(&mut self) -> ObjectId {
        self.next += 1;
        let part = |from: usize, to: usize| self.seed.get(from..to).unwrap_or("000000000000");
        let uuid = format!("{:08x}-{}-4{}-8{}-{}", self.next, part(0, 4), part(4, 7), part(7, 10), part(10, 22));
        ObjectId { number: self.next, uuid }
    }
}

fn text(value: &str) -> AttrValue {
    AttrValue::VarLenString(value.to_owned())
}

/// A name that can be a link in HDF5 and is not taken.
pub(super) fn link_name(name: &str, taken: &mut Vec<String>) -> String {
    let mut name = name.replace('/', "_");
    if name.is_empty() || name.chars().all(|c| c == '.') {
        name = format!("unnamed{name}").replace('.', "_");
    }
    while taken.contains(&name) {
        name.push('_');
    }
    taken.push(name.clone());
    name
}

/// Type, description and id of a group.
pub(super) fn typed(group: &mut GroupBuilder, kind: Kind, description: &str, id: &ObjectId) {
    let (namespace, name) = kind.names();
    group.set_attr("namespace", text(namespace));
    group.set_attr("neurodata_type", text(name));
    group.set_attr("object_id", text(&id.uuid));
    group.set_attr("description", text(description));
}

/// Type, description and id of a table with these columns.
pub(super) fn table(group: &mut GroupBuilder, kind: Kind, description: &str, columns: &[&str], id: &ObjectId) {
    typed(group, kind, description, id);
    group.set_attr("colnames", AttrValue::VarLenStringArray(columns.iter().map(|c| (*c).to_owned()).collect()));
}

/// Type, description and id of a dataset.
pub(super) fn typed_column(dataset: &mut DatasetBuilder, kind: Kind, description: &str, id: &ObjectId) {
    let (namespace, name) = kind.names();
    dataset.set_attr("namespace", text(namespace)).set_attr("neurodata_type", text(name)).set_attr("object_id", text(&id.uuid));
    let description = if description.is_empty() { "no description" } else { description };
    dataset.set_attr("description", text(description));
}

/// The `id` column.
pub(super) fn ids(group: &mut GroupBuilder, numbers: &[i64], ids: &mut Ids) {
    let dataset = group.create_dataset("id").with_i64_data(numbers);
    let (namespace, name) = Kind::ElementIdentifiers.names();
    dataset.set_attr("namespace", text(namespace)).set_attr("neurodata_type", text(name)).set_attr("object_id", text(&ids.next().uuid));
}

/// An `id` column that numbers the rows from 0.
pub(super) fn row_ids(group: &mut GroupBuilder, rows: usize, all: &mut Ids) {
    ids(group, &(0..rows as i64).collect::<Vec<_>>(), all);
}

/// A column of plain values.
pub(super) fn column(group: &mut GroupBuilder, name: &str, description: &str, values: &Column, ids: &mut Ids) {
    let dataset = group.create_dataset(name);
    match values {
        Column::Float(v) => dataset.with_f64_data(v),
        Column::Int(v) => dataset.with_i64_data(v),
        Column::Text(v) => text_array(dataset, v),
        Column::Bool(v) => {
            // What h5py takes for truth values.
            let values: Vec<u8> = v.iter().map(|&b| u8::from(b)).collect();
            match EnumTypeBuilder::with_base(make_i8_type()).value("FALSE", 0).value("TRUE", 1).build() {
                Ok(kind) => dataset.with_enum_u8_data(kind, &values),
                Err(_) => dataset.with_u8_data(&values),
            }
        }
    };
    typed_column(dataset, Kind::VectorData, description, &ids.next());
}

/// The index column of a ragged column whose object is marked with `target`.
pub(super) fn index(group: &mut GroupBuilder, of: &str, ends: &[u64], target: u32, ids: &mut Ids) {
    let dataset = group.create_dataset(&format!("{of}_index")).with_u64_data(ends);
    typed_column(dataset, Kind::VectorIndex, &format!("where the values of every row of {of} end"), &ids.next());
    links::refer_data(dataset, "target", target);
}

/// A list of texts.
pub(super) fn text_array<'d>(dataset: &'d mut DatasetBuilder, values: &[String]) -> &'d mut DatasetBuilder {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    dataset.with_vlen_strings(&values)
}

/// One text.
pub(super) fn text_scalar<'d>(dataset: &'d mut DatasetBuilder, value: &str) -> &'d mut DatasetBuilder {
    dataset.with_vlen_strings(&[value]).with_shape(&[])
}

/// Now, in UTC, as ISO 8601.
pub(super) fn timestamp_now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or(0);
    timestamp(seconds)
}

/// Seconds since 1970 as ISO 8601 (days to date after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+00:00", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(timestamp(0), UNKNOWN_START);
        assert_eq!(timestamp(951_782_399), "2000-02-28T23:59:59+00:00");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00+00:00");
        assert_eq!(timestamp(1_795_255_200), "2026-11-21T10:00:00+00:00");
    }

    #[test]
    fn names_become_links_that_are_free() {
        let mut taken = vec!["id".to_owned()];
        assert_eq!(link_name("a/b", &mut taken), "a_b");
        assert_eq!(link_name("id", &mut taken), "id_");
        assert_eq!(link_name("a_b", &mut taken), "a_b_");
        assert_eq!(link_name("", &mut taken), "unnamed");
        assert_eq!(link_name("..", &mut taken), "unnamed__");
    }
}
