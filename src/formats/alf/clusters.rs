//! What an ALF folder says about its clusters: brain area, depth, quality and further columns.

use super::atlas::Atlas;
use super::datasets::Folder;
use super::parquet;
use crate::formats::FormatError;
use crate::formats::npz::npy::{self, Array};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind};

/// Name of the column with acronyms.
pub(super) const AREA: &str = "acronym";
const BY_ID: &str = "brainLocationIds_ccf_2017";
const BY_NAME: &[&str] = &["brainLocationAcronyms_ccf_2017", "acronym", "acronyms", "brainLocation"];

/// Columns with one value per listed cluster.
#[derive(Default)]
pub(super) struct Clusters {
    /// Number of listed clusters; their ids are 0, 1, ….
    pub(super) count: usize,
    pub(super) columns: Vec<NamedColumn>,
}

/// Read everything about clusters. What cannot be read is left out and told.
pub(super) fn read(folder: &Folder, max_bytes: u64, report: &mut ImportReport) -> Result<Clusters, FormatError> {
    let mut clusters = Clusters::default();
    let mut channels: Option<Vec<i64>> = None;
    for dataset in folder.datasets.iter().filter(|d| d.object == "clusters") {
        let place = format!("clusters.{}.{}", dataset.attribute, dataset.extension);
        let found = match dataset.extension.as_str() {
            "npy" => match npy::read_file(&dataset.path, max_bytes) {
                // Waveforms and the like have several values per cluster.
                Ok(Array { shape, .. }) if shape.iter().filter(|&&d| d != 1).count() > 1 => Ok(Vec::new()),
                Ok(array) => Ok(array.values.into_column().map(|c| (dataset.attribute.clone(), c)).into_iter().collect()),
                Err(e) => Err(e),
            },
            "pqt" | "parquet" => parquet::read(&dataset.path),
            "csv" | "tsv" if dataset.attribute == "uuids" || dataset.attribute == "metrics" => text_table(&dataset.path),
            _ => Ok(Vec::new()),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                report.add(NoteKind::LeftOut, place, error.brief());
                continue;
            }
        };
        let table = dataset.attribute == "metrics" || dataset.attribute == "table";
        let ids = found.iter().find(|(n, _)| table && n == "cluster_id").map(|(_, c)| c.clone());
        for (name, column) in found {
            if name == "channels" || name == "peakChannel" {
                // The figshare release of Steinmetz et al. counts channels from 1.
                let first = i64::from(name == "peakChannel");
                channels = Some((0..column.len()).map(|r| column.number(r) as i64 - first).collect());
            }
            if name != "cluster_id" {
                clusters.add(name, column, ids.as_ref(), &place, report);
            }
        }
    }
    if let Some(areas) = areas(folder, channels.as_deref(), &clusters, max_bytes, report)? {
        clusters.columns.retain(|c| c.name != AREA);
        clusters.add(AREA.to_owned(), Column::Text(areas), None, AREA, report);
    }
    Ok(clusters)
}

impl Clusters {
    /// Add a column; rows of a table are put where `ids` says.
    fn add(&mut self, name: String, column: Column, ids: Option<&Column>, place: &str, report: &mut ImportReport) {
        let column = match ids {
            Some(ids) => match by_id(&column, ids) {
                Some(column) => column,
                None => {
                    report.add(NoteKind::LeftOut, place, format!("column '{name}': its clusters have ids that are no small whole numbers"));
                    return;
                }
            },
            None => column,
        };
        if self.count == 0 || (ids.is_some() && column.len() > self.count) {
            self.count = self.count.max(column.len());
        }
        if ids.is_none() && column.len() != self.count {
            report.add(NoteKind::LeftOut, place, format!("it has {} values for {} clusters", column.len(), self.count));
            return;
        }
        let mut name = name;
        if self.columns.iter().any(|c| c.name == name) {
            name.push_str(" (2)");
        }
        self.columns.push(NamedColumn { name, description: String::new(), values: column });
    }
}

/// A column in the order of cluster ids; clusters without a row have no value.
fn by_id(column: &Column, ids: &Column) -> Option<Column> {
    let rows: Vec<usize> =
        (0..ids.len()).map(|r| Some(ids.number(r)).filter(|v| *v >= 0.0 && *v < 1e6).map(|v| v as usize)).collect::<Option<_>>()?;
    if rows.iter().enumerate().all(|(row, &id)| row == id) {
        return Some(column.clone());
    }
    let count = rows.iter().max().map_or(0, |m| m + 1);
    let mut at = vec![None; count];
    for (row, &id) in rows.iter().enumerate() {
        if let Some(at) = at.get_mut(id) {
            *at = Some(row);
        }
    }
    Some(match column {
        Column::Text(_) => Column::Text(at.iter().map(|r| r.map(|r| column.text(r)).unwrap_or_default()).collect()),
        _ => Column::Float(at.iter().map(|r| r.map_or(f64::NAN, |r| column.number(r))).collect()),
    })
}

/// Columns of a small text table with a header.
fn text_table(path: &std::path::Path) -> Result<Vec<(String, Column)>, FormatError> {
    const LARGEST: u64 = 64 << 20;
    let unreadable = |e| FormatError::not_readable(path, e);
    let claimed = std::fs::metadata(path).map_err(unreadable)?.len();
    if claimed > LARGEST {
        let reason = format!("at most {LARGEST} are read of a table");
        return Err(FormatError::TooBig { path: path.to_owned(), object: "the table".to_owned(), claimed, reason });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let header = lines.next().unwrap_or_default();
    let separator = if header.contains('\t') { '\t' } else { ',' };
    let mut columns: Vec<(String, Vec<String>)> = header.split(separator).map(|n| (n.trim().to_owned(), Vec::new())).collect();
    for line in lines {
        let mut fields = line.split(separator);
        columns.iter_mut().for_each(|(_, values)| values.push(fields.next().unwrap_or_default().trim().to_owned()));
    }
    let typed = |values: Vec<String>| {
        let numbers: Option<Vec<f64>> = values.iter().map(|v| if v.is_empty() { Some(f64::NAN) } else { v.parse().ok() }).collect();
        numbers.map_or(Column::Text(values), Column::Float)
    };
    Ok(columns.into_iter().filter(|(n, _)| !n.is_empty()).map(|(n, v)| (n, typed(v))).collect())
}

/// Acronym of the area of every cluster: its own, else that of its channel; names before numbers of the atlas.
fn areas(
    folder: &Folder,
    channels: Option<&[i64]>,
    clusters: &Clusters,
    max_bytes: u64,
    report: &mut ImportReport,
) -> Result<Option<Vec<String>>, FormatError> {
    let own = |name: &str| clusters.columns.iter().find(|c| c.name == name);
    if let Some(column) = BY_NAME.iter().find_map(|n| own(n)).filter(|c| matches!(c.values, Column::Text(_))) {
        return Ok(Some((0..column.values.len()).map(|r| column.values.text(r)).collect()));
    }
    if let Some(column) = own(BY_ID) {
        let ids: Vec<i64> = (0..column.values.len()).map(|r| column.values.number(r) as i64).collect();
        return Ok(Some(acronyms(&ids, "clusters", report)));
    }
    let named = BY_NAME.iter().find_map(|n| folder.find("channels", n, &["npy"]));
    let of_channel: Vec<String> = if let Some(named) = named {
        match npy::read_file(&named.path, max_bytes)?.values.into_column() {
            Some(column @ Column::Text(_)) => (0..column.len()).map(|r| column.text(r)).collect(),
            _ => return Ok(None),
        }
    } else if let Some(path) = folder.npy("channels", BY_ID) {
        let ids = npy::read_file(path, max_bytes)?.values.into_integers();
        acronyms(
            &ids.ok_or_else(|| FormatError::corrupt(path, "the array", "ids of brain areas should be whole numbers"))?,
            "channels",
            report,
        )
    } else if let Some(table) = folder.find("channels", "brainLocation", &["tsv"]) {
        let found = text_table(&table.path)?.into_iter().find(|(n, _)| n == "allen_ontology").map(|(_, c)| c);
        found.map(|c| (0..c.len()).map(|r| c.text(r)).collect()).unwrap_or_default()
    } else {
        return Ok(None);
    };
    let Some(channels) = channels else {
        report.add(NoteKind::LeftOut, "channels", "areas of channels are known, but clusters.channels is missing");
        return Ok(None);
    };
    let area = |&channel: &i64| usize::try_from(channel).ok().and_then(|c| of_channel.get(c)).cloned();
    let lost = channels.iter().filter(|c| area(c).is_none()).count();
    if lost > 0 {
        report.add(NoteKind::LeftOut, "clusters.channels", format!("{lost} clusters on channels that have no brain area"));
    }
    Ok(Some(channels.iter().map(|c| area(c).unwrap_or_default()).collect()))
}

fn acronyms(ids: &[i64], object: &str, report: &mut ImportReport) -> Vec<String> {
    let atlas = Atlas::new();
    let unknown = ids.iter().filter(|&&id| atlas.acronym(id).is_none()).count();
    if unknown > 0 {
        let message = format!("{unknown} ids that the Allen atlas (CCF 2017) does not have; kept as numbers");
        report.add(NoteKind::Advice, format!("{object}.{BY_ID}"), message);
    }
    ids.iter().map(|&id| atlas.acronym(id).map_or_else(|| format!("id {id}"), str::to_owned)).collect()
}
