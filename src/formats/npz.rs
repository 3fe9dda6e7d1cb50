//! Our own lossless layout in an NPZ file: everything a [`Recording`] holds, the truth of a simulation included, readable with
//! `numpy.load` without pickle. Arrays:
//!
//! - `spikescope`: one text, JSON with names and notes; its `version` is 1
//! - `spike_times` f8 seconds, unit after unit; `spike_offsets` i8 `[units + 1]`; `unit_ids` text; `unit_areas` text
//! - `unit_columns/K`, `tables/T/start_time`, `tables/T/stop_time`, `tables/T/columns/K` (names of T and K are in the JSON)
//! - `covariates/K/times`, `covariates/K/values`; `observed` f8 `[stretches, 2]`
//! - `truth/edges/K/send`, `…/receive`, `…/filter`; `truth/glm/scalars` (bin, trial spacing in seconds, baseline),
//!   `truth/glm/factors` f4 `[trials, areas, factors, bins]`, `truth/glm/loadings` f8 `[units, factors]`, `truth/glm/post_spike`
//! - `truth/units/pre`, `…/post` i8 (unit index), `truth/units/weight`, `truth/units/delay_s` f8 (NaN when unknown)
//! - `activity` f8 `[bins, units]`; `truth/changing/pre`, `…/post` i8 (unit index), `…/times` f8 seconds, `…/values` f4 `[times, synapses]`
//! - `truth/rates` f4 `[trials, bins, units]`
//! - `truth/currents/scalars` (bin, trial spacing in seconds, padding bins), `…/pairs` i8 `[pairs, 2]`, `…/synaptic` f4 `[trials, pairs,
//!   bins]`, `…/external` and `…/background` f4 `[trials, areas, bins]`

mod currents;
mod dtype;
pub(super) mod literal;
pub(super) mod npy;
mod npy_write;
pub(super) mod zip;

pub(super) use dtype::{Builder, Dtype};

use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use ndarray::{Array2, Array3, Array4};
use serde::{Deserialize, Serialize};

use self::npy::{Array, Values};
use self::npy_write::Out;
use self::zip::{Zip, ZipWriter};
use super::{FormatError, Loaded, OpenOptions, Progress, clean};
use crate::recording::{
    Activity, ChangingWeights, Column, Covariate, GlmTruth, ImportReport, IntervalTable, NamedColumn, NoteKind, Recording, RecordingParts,
    Source, TrueEdge, TrueRates, Truth, UnitEdge,
};

const VERSION: u32 = 1;

/// Names and notes: everything that is not an array.
#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    name: String,
    simulated: Option<MetaSource>,
    unit_columns: Vec<MetaColumn>,
    tables: Vec<MetaTable>,
    /// Name and physical unit.
    covariates: Vec<(String, String)>,
    /// Source and target area of every true edge; `None` without truth.
    edges: Option<Vec<(usize, usize)>>,
    /// Padding bins and bins of the simulated trials.
    glm: Option<(usize, usize)>,
    /// Bin width of the true rates, seconds; `None` without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rates_bin_s: Option<f64>,
    /// Whether the connections between single units are known.
    #[serde(default)]
    unit_edges: bool,
    /// Whether strengths that change are known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    changing: bool,
    /// Whether the currents of a simulated network are known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    currents: bool,
    /// What the continuous activity is; `None` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activity: Option<MetaActivity>,
    report: ImportReport,
}

#[derive(Serialize, Deserialize)]
struct MetaActivity {
    name: String,
    unit: String,
    start_s: f64,
    bin_s: f64,
}

#[derive(Serialize, Deserialize)]
struct MetaSource {
    simulator: String,
    parameters: String,
    seed: u64,
}

#[derive(Serialize, Deserialize)]
struct MetaColumn {
    name: String,
    description: String,
}

#[derive(Serialize, Deserialize)]
struct MetaTable {
    name: String,
    columns: Vec<MetaColumn>,
}

/// True for zip archives.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// True for an archive written by [`write`].
pub(super) fn is_ours(path: &Path) -> bool {
    Zip::open(path).is_ok_and(|zip| zip.entry("spikescope.npy").is_some())
}

/// Read a recording written by [`write`].
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let zip = Zip::open(path)?;
    let mut arrays = Arrays { zip, max_bytes: options.max_bytes };
    let text = arrays.texts("spikescope")?.pop().unwrap_or_default();
    let meta: Meta = serde_json::from_str(&text).map_err(|e| arrays.damaged("spikescope", e.to_string()))?;
    if meta.version > VERSION {
        let problem = format!("it was written by a newer Spikescope (layout {}, this one reads up to {VERSION})", meta.version);
        return Err(FormatError::NpzLayout { path: path.to_owned(), problem, remedy: "update Spikescope".to_owned() });
    }
    progress.at(0.1, "reading spike times")?;
    let mut report = meta.report;
    let unit_ids = arrays.texts("unit_ids")?;
    let offsets: Option<Vec<usize>> = arrays.integers("spike_offsets")?.into_iter().map(|o| usize::try_from(o).ok()).collect();
    let times = arrays.floats("spike_times")?;
    // What was said about these spikes when they were first imported is not said again.
    let mut again = ImportReport::default();
    let spikes = offsets.and_then(|o| clean::clean(times, o, &unit_ids, "spike_times", &mut again));
    let spikes = spikes.ok_or_else(|| arrays.damaged("spike_offsets", "they do not ascend to the number of spike times"))?;
    progress.at(0.7, "reading tables")?;
    let unit_areas = arrays.texts("unit_areas")?;
    let mut unit_columns = Vec::new();
    for (k, column) in meta.unit_columns.into_iter().enumerate() {
        unit_columns.push(arrays.column(&format!("unit_columns/{k}"), column)?);
    }
    let mut tables = Vec::new();
    for (t, table) in meta.tables.into_iter().enumerate() {
        let mut columns = Vec::new();
        for (k, column) in table.columns.into_iter().enumerate() {
            columns.push(arrays.column(&format!("tables/{t}/columns/{k}"), column)?);
        }
        let (start, stop) = (arrays.floats(&format!("tables/{t}/start_time"))?, arrays.floats(&format!("tables/{t}/stop_time"))?);
        tables.push(IntervalTable { name: table.name, start, stop, columns });
    }
    let mut covariates = Vec::new();
    for (k, (name, unit)) in meta.covariates.into_iter().enumerate() {
        let times = arrays.floats(&format!("covariates/{k}/times"))?;
        let values = arrays.floats(&format!("covariates/{k}/values"))?;
        covariates.push(Covariate { name, unit, times, values });
    }
    let observed = arrays.floats("observed")?.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    progress.at(0.8, "reading the ground truth")?;
    let truth = match meta.edges {
        None => None,
        Some(edges) => Some(Truth {
            rates: meta.rates_bin_s.map(|bin_s| Ok::<_, FormatError>(TrueRates { bin_s, values: arrays.rates()? })).transpose()?,
            changing: if meta.changing { Some(arrays.changing()?) } else { None },
            currents: if meta.currents { Some(arrays.currents()?) } else { None },
            ..arrays.truth(&edges, meta.glm, meta.unit_edges)?
        }),
    };
    let activity = match meta.activity {
        None => None,
        Some(MetaActivity { name, unit, start_s, bin_s }) => {
            Some(Activity { name, unit, start_s, bin_s, values: arrays.table_f64("activity")?.into_shared() })
        }
    };
    report.notes.extend(again.notes.into_iter().filter(|n| n.kind != NoteKind::Advice));
    let source = meta.simulated.map(|s| Source::Simulated { simulator: s.simulator, parameters: s.parameters, seed: s.seed });
    let parts = RecordingParts {
        name: meta.name,
        spikes,
        unit_ids,
        unit_areas,
        unit_columns,
        tables,
        covariates,
        activity,
        observed,
        truth,
        fingerprint: None,
        report,
    };
    Ok(Loaded { parts, source, whole: None })
}

struct Arrays {
    zip: Zip,
    max_bytes: u64,
}

impl Arrays {
    fn damaged(&self, array: &str, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt(&self.zip.path, array, problem)
    }

    fn read(&mut self, name: &str) -> Result<Array, FormatError> {
        npy::read(&mut self.zip, name, self.max_bytes)
    }

    fn floats(&mut self, name: &str) -> Result<Vec<f64>, FormatError> {
        match self.read(name)?.values {
            Values::F64(values) => Ok(values),
            _ => Err(self.damaged(name, "it should hold 64-bit real numbers")),
        }
    }

    fn integers(&mut self, name: &str) -> Result<Vec<i64>, FormatError> {
        match self.read(name)?.values {
            Values::I64(values) => Ok(values),
            _ => Err(self.damaged(name, "it should hold 64-bit integers")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, FormatError> {
        match self.read(name)?.values {
            Values::Text(values) => Ok(values),
            _ => Err(self.damaged(name, "it should hold texts")),
        }
    }

    fn column(&mut self, name: &str, meta: MetaColumn) -> Result<NamedColumn, FormatError> {
        let values = match self.read(name)?.values {
            Values::F64(v) => Column::Float(v),
            Values::I64(v) => Column::Int(v),
            Values::Bool(v) => Column::Bool(v),
            Values::Text(v) => Column::Text(v),
            _ => return Err(self.damaged(name, "a column holds 64-bit numbers, truth values or texts")),
        };
        Ok(NamedColumn { name: meta.name, description: meta.description, values })
    }

    fn truth(&mut self, pairs: &[(usize, usize)], glm: Option<(usize, usize)>, units: bool) -> Result<Truth, FormatError> {
        let mut edges = Vec::new();
        for (k, &(source, target)) in pairs.iter().enumerate() {
            let mut part = |what: &str| self.floats(&format!("truth/edges/{k}/{what}"));
            edges.push(TrueEdge { source, target, send: part("send")?, receive: part("receive")?, filter: part("filter")? });
        }
        let glm = match glm {
            None => None,
            Some((pad_bins, bins)) => Some(self.glm(pad_bins, bins)?),
        };
        let unit_edges = if units { Some(self.unit_edges()?) } else { None };
        Ok(Truth { edges, glm, unit_edges, ..Truth::default() })
    }

    fn rates(&mut self) -> Result<Array3<f32>, FormatError> {
        self.cube("truth/rates", "its shape is not the one of true rates")
    }

    fn cube(&mut self, name: &str, problem: &str) -> Result<Array3<f32>, FormatError> {
        let wrong = |at: &Self| at.damaged(name, problem);
        let Array { shape, values: Values::F32(values) } = self.read(name)? else { return Err(wrong(self)) };
        let shape: [usize; 3] = shape.try_into().map_err(|_| wrong(self))?;
        Array3::from_shape_vec(shape, values).map_err(|_| wrong(self))
    }

    fn table_f64(&mut self, name: &str) -> Result<Array2<f64>, FormatError> {
        let wrong = |at: &Self| at.damaged(name, "it should be a table of 64-bit real numbers");
        let Array { shape, values: Values::F64(values) } = self.read(name)? else { return Err(wrong(self)) };
        let shape: [usize; 2] = shape.try_into().map_err(|_| wrong(self))?;
        Array2::from_shape_vec(shape, values).map_err(|_| wrong(self))
    }

    fn changing(&mut self) -> Result<ChangingWeights, FormatError> {
        let name = "truth/changing/values";
        let wrong = |at: &Self| at.damaged(name, "its shape is not that of its times and synapses");
        let unit = |units: Vec<i64>| units.into_iter().map(|u| usize::try_from(u).ok()).collect::<Option<Vec<_>>>();
        let (pre, post) = (unit(self.integers("truth/changing/pre")?), unit(self.integers("truth/changing/post")?));
        let (Some(pre), Some(post)) = (pre, post) else { return Err(self.damaged("truth/changing", "a unit is negative")) };
        let times = self.floats("truth/changing/times")?;
        let Array { shape, values: Values::F32(values) } = self.read(name)? else { return Err(wrong(self)) };
        if shape != [times.len(), pre.len()] || post.len() != pre.len() {
            return Err(wrong(self));
        }
        let values = Array2::from_shape_vec((times.len(), pre.len()), values).map_err(|_| wrong(self))?.into_shared();
        Ok(ChangingWeights { pre, post, times, values })
    }

    fn unit_edges(&mut self) -> Result<Vec<UnitEdge>, FormatError> {
        let (pre, post) = (self.integers("truth/units/pre")?, self.integers("truth/units/post")?);
        let (weight, delay) = (self.floats("truth/units/weight")?, self.floats("truth/units/delay_s")?);
        if [post.len(), weight.len(), delay.len()].iter().any(|&n| n != pre.len()) {
            return Err(self.damaged("truth/units", "its arrays differ in length"));
        }
        let pairs = pre.into_iter().zip(post).zip(weight.into_iter().zip(delay));
        let edge = |((pre, post), (weight, delay_s))| {
            let (pre, post) = (usize::try_from(pre).ok()?, usize::try_from(post).ok()?);
            Some(UnitEdge { pre, post, weight, delay_s })
        };
        pairs.map(edge).collect::<Option<_>>().ok_or_else(|| self.damaged("truth/units", "a unit is negative"))
    }

    fn glm(&mut self, pad_bins: usize, bins: usize) -> Result<GlmTruth, FormatError> {
        let scalars = self.floats("truth/glm/scalars")?;
        let &[bin_s, trial_spacing_s, baseline] = scalars.as_slice() else {
            return Err(self.damaged("truth/glm/scalars", "it should hold three numbers"));
        };
        let shape_error = |at: &Self, name: &str| at.damaged(name, "its shape is not the one of a truth");
        let factors = match self.read("truth/glm/factors")? {
            Array { shape, values: Values::F32(values) } => {
                let shape: [usize; 4] = shape.try_into().map_err(|_| shape_error(self, "truth/glm/factors"))?;
                Array4::from_shape_vec(shape, values).map_err(|_| shape_error(self, "truth/glm/factors"))?
            }
            _ => return Err(shape_error(self, "truth/glm/factors")),
        };
        let loadings = match self.read("truth/glm/loadings")? {
            Array { shape, values: Values::F64(values) } => {
                let shape: [usize; 2] = shape.try_into().map_err(|_| shape_error(self, "truth/glm/loadings"))?;
                Array2::from_shape_vec(shape, values).map_err(|_| shape_error(self, "truth/glm/loadings"))?
            }
            _ => return Err(shape_error(self, "truth/glm/loadings")),
        };
        let post_spike = self.floats("truth/glm/post_spike")?;
        Ok(GlmTruth { bin_s, pad_bins, bins, trial_spacing_s, baseline, factors, loadings, post_spike })
    }
}

/// Write a recording.
pub(super) fn write<W: Write + Seek>(recording: &Recording, to: W) -> std::io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::with_capacity(1 << 18, to));
    let text = serde_json::to_string(&meta_of(recording)).map_err(std::io::Error::other)?;
    npy_write::write(&mut zip, "spikescope", &[], &Out::Text(&[text]))?;
    let offsets: Vec<i64> = recording.spikes.offsets().iter().map(|&o| o as i64).collect();
    vector(&mut zip, "spike_times", recording.spikes.block())?;
    npy_write::write(&mut zip, "spike_offsets", &[offsets.len()], &Out::I64(&offsets))?;
    let n = recording.n_units();
    npy_write::write(&mut zip, "unit_ids", &[n], &Out::Text(&recording.units.ids))?;
    let areas: Vec<String> = recording.units.area.iter().map(|&a| recording.areas.get(a).cloned().unwrap_or_default()).collect();
    npy_write::write(&mut zip, "unit_areas", &[n], &Out::Text(&areas))?;
    for (k, column) in recording.units.columns.iter().enumerate() {
        write_column(&mut zip, &format!("unit_columns/{k}"), &column.values)?;
    }
    for (t, table) in recording.tables.iter().enumerate() {
        vector(&mut zip, &format!("tables/{t}/start_time"), &table.start)?;
        vector(&mut zip, &format!("tables/{t}/stop_time"), &table.stop)?;
        for (k, column) in table.columns.iter().enumerate() {
            write_column(&mut zip, &format!("tables/{t}/columns/{k}"), &column.values)?;
        }
    }
    for (k, covariate) in recording.covariates.iter().enumerate() {
        vector(&mut zip, &format!("covariates/{k}/times"), &covariate.times)?;
        vector(&mut zip, &format!("covariates/{k}/values"), &covariate.values)?;
    }
    let observed: Vec<f64> = recording.observed.iter().flat_map(|&(a, b)| [a, b]).collect();
    npy_write::write(&mut zip, "observed", &[recording.observed.len(), 2], &Out::F64(&observed))?;
    if let Some(activity) = &recording.activity {
        let values = activity.values.as_standard_layout();
        npy_write::write(&mut zip, "activity", activity.values.shape(), &Out::F64(values.as_slice().unwrap_or_default()))?;
    }
    if let Some(truth) = &recording.truth {
        write_truth(&mut zip, truth)?;
    }
    zip.finish()
}

fn vector<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, values: &[f64]) -> std::io::Result<()> {
    npy_write::write(zip, name, &[values.len()], &Out::F64(values))
}

fn cube<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, values: &Array3<f32>) -> std::io::Result<()> {
    let standard = values.as_standard_layout();
    npy_write::write(zip, name, values.shape(), &Out::F32(standard.as_slice().unwrap_or_default()))
}

fn write_column<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, column: &Column) -> std::io::Result<()> {
    let values = match column {
        Column::Float(v) => Out::F64(v),
        Column::Int(v) => Out::I64(v),
        Column::Bool(v) => Out::Bool(v),
        Column::Text(v) => Out::Text(v),
    };
    npy_write::write(zip, name, &[column.len()], &values)
}

fn write_truth<W: Write + Seek>(zip: &mut ZipWriter<W>, truth: &Truth) -> std::io::Result<()> {
    for (k, edge) in truth.edges.iter().enumerate() {
        vector(zip, &format!("truth/edges/{k}/send"), &edge.send)?;
        vector(zip, &format!("truth/edges/{k}/receive"), &edge.receive)?;
        vector(zip, &format!("truth/edges/{k}/filter"), &edge.filter)?;
    }
    if let Some(units) = &truth.unit_edges {
        let ends = |end: fn(&UnitEdge) -> usize| units.iter().map(|e| end(e) as i64).collect::<Vec<_>>();
        npy_write::write(zip, "truth/units/pre", &[units.len()], &Out::I64(&ends(|e| e.pre)))?;
        npy_write::write(zip, "truth/units/post", &[units.len()], &Out::I64(&ends(|e| e.post)))?;
        vector(zip, "truth/units/weight", &units.iter().map(|e| e.weight).collect::<Vec<_>>())?;
        vector(zip, "truth/units/delay_s", &units.iter().map(|e| e.delay_s).collect::<Vec<_>>())?;
    }
    if let Some(glm) = &truth.glm {
        vector(zip, "truth/glm/scalars", &[glm.bin_s, glm.trial_spacing_s, glm.baseline])?;
        let factors = glm.factors.as_standard_layout();
        npy_write::write(zip, "truth/glm/factors", glm.factors.shape(), &Out::F32(factors.as_slice().unwrap_or_default()))?;
        let loadings = glm.loadings.as_standard_layout();
        npy_write::write(zip, "truth/glm/loadings", glm.loadings.shape(), &Out::F64(loadings.as_slice().unwrap_or_default()))?;
        vector(zip, "truth/glm/post_spike", &glm.post_spike)?;
    }
    if let Some(changing) = &truth.changing {
        let ends = |units: &[usize]| units.iter().map(|&u| u as i64).collect::<Vec<_>>();
        npy_write::write(zip, "truth/changing/pre", &[changing.pre.len()], &Out::I64(&ends(&changing.pre)))?;
        npy_write::write(zip, "truth/changing/post", &[changing.post.len()], &Out::I64(&ends(&changing.post)))?;
        vector(zip, "truth/changing/times", &changing.times)?;
        let values = changing.values.as_standard_layout();
        npy_write::write(zip, "truth/changing/values", changing.values.shape(), &Out::F32(values.as_slice().unwrap_or_default()))?;
    }
    if let Some(rates) = &truth.rates {
        cube(zip, "truth/rates", &rates.values)?;
    }
    if let Some(currents) = &truth.currents {
        currents::write(zip, currents)?;
    }
    Ok(())
}

fn meta_of(recording: &Recording) -> Meta {
    let column = |c: &NamedColumn| MetaColumn { name: c.name.clone(), description: c.description.clone() };
    let simulated = match &recording.source {
        Source::Simulated { simulator, parameters, seed } => {
            Some(MetaSource { simulator: simulator.clone(), parameters: parameters.clone(), seed: *seed })
        }
        Source::File(_) => None,
    };
    Meta {
        version: VERSION,
        name: recording.name.clone(),
        simulated,
        unit_columns: recording.units.columns.iter().map(column).collect(),
        tables: recording
            .tables
            .iter()
            .map(|t| MetaTable { name: t.name.clone(), columns: t.columns.iter().map(column).collect() })
            .collect(),
        covariates: recording.covariates.iter().map(|c| (c.name.clone(), c.unit.clone())).collect(),
        edges: recording.truth.as_ref().map(|t| t.edges.iter().map(|e| (e.source, e.target)).collect()),
        glm: recording.truth.as_ref().and_then(|t| t.glm.as_ref()).map(|g| (g.pad_bins, g.bins)),
        rates_bin_s: recording.truth.as_ref().and_then(|t| t.rates.as_ref()).map(|r| r.bin_s),
        unit_edges: recording.truth.as_ref().is_some_and(|t| t.unit_edges.is_some()),
        changing: recording.truth.as_ref().is_some_and(|t| t.changing.is_some()),
        currents: recording.truth.as_ref().is_some_and(|t| t.currents.is_some()),
        activity: recording.activity.as_ref().map(|a| MetaActivity {
            name: a.name.clone(),
            unit: a.unit.clone(),
            start_s: a.start_s,
            bin_s: a.bin_s,
        }),
        report: recording.report.clone(),
    }
}
