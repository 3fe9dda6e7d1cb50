//! Time series beside the spikes that are simple and small enough to be covariates, and interval tables kept outside `/intervals`.

use hdf5_pure::{Dataset, Group};

use super::tables::{Found, interval_table};
use crate::formats::FormatError;
use crate::formats::guard::Hdf5;
use crate::recording::{Covariate, ImportReport, NoteKind};

/// Groups that are looked at, and how deep.
const ROOTS: &[&str] = &["processing", "acquisition", "stimulus/presentation"];
const DEPTH: usize = 4;
const MOST_GROUPS: usize = 2000;
const MOST_COVARIATES: usize = 200;
/// Columns of a two-dimensional series that become covariates of their own (x, y, z).
const MOST_COLUMNS: u64 = 3;

struct Walk<'w, 'a> {
    h5: &'w Hdf5<'a>,
    longest: u64,
    /// Samples that may still be kept, all series together.
    samples_left: u64,
    groups_left: usize,
    /// Series that were not taken, with why.
    skipped: Vec<String>,
    /// Where every covariate was found.
    places: Vec<String>,
    /// Series without times of their own.
    timeless: Vec<Timeless>,
}

/// A series whose times are missing. hdf5-pure 0.47 passes over soft links, which is how pynwb writes times that series share.
struct Timeless {
    at: String,
    name: String,
    unit: String,
    samples: u64,
    wide: usize,
    /// Scaled values, row after row.
    values: Vec<f64>,
}

/// Signals of electrodes and cameras, which are data of their own and no behaviour, by their type.
fn electrical(group: &Group) -> Option<String> {
    const TYPES: [&str; 10] = [
        "LFP",
        "FilteredEphys",
        "ElectricalSeries",
        "SpikeEventSeries",
        "EventWaveform",
        "DecompositionSeries",
        "CurrentClampSeries",
        "VoltageClampSeries",
        "ImageSeries",
        "TwoPhotonSeries",
    ];
    let kind = group.attrs().ok()?.get("neurodata_type")?.as_str()?.to_owned();
    TYPES.contains(&kind.as_str()).then_some(kind)
}

/// Collect covariates and interval tables from the parts of the file that may hold them.
pub(super) fn walk(h5: &Hdf5, longest: u64, found: &mut Found, report: &mut ImportReport) -> Result<(), FormatError> {
    let mut walk = Walk {
        h5,
        longest,
        samples_left: longest.saturating_mul(4),
        groups_left: MOST_GROUPS,
        skipped: Vec::new(),
        places: Vec::new(),
        timeless: Vec::new(),
    };
    for root in ROOTS {
        match h5.group(root) {
            Ok(Some(group)) => walk.visit(root, &group, DEPTH, found, report)?,
            Ok(None) => {}
            Err(e) => report.add(NoteKind::LeftOut, *root, format!("it was not read: {}", e.brief())),
        }
    }
    walk.share_times(found, report);
    if !walk.skipped.is_empty() {
        let (shown, more) = (walk.skipped.len().min(8), walk.skipped.len().saturating_sub(8));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let list = walk.skipped.get(..shown).unwrap_or_default().join("; ");
        report.add(NoteKind::LeftOut, "time series", format!("not kept as covariates: {list}{more}"));
    }
    Ok(())
}

impl Walk<'_, '_> {
    fn visit(&mut self, place: &str, group: &Group, depth: usize, found: &mut Found, report: &mut ImportReport) -> Result<(), FormatError> {
        let children = match self.h5.groups(group, place) {
            Ok(children) => children,
            Err(e) => {
                report.add(NoteKind::LeftOut, place, format!("it was not read: {}", e.brief()));
                return Ok(());
            }
        };
        for (name, child) in children {
            if self.groups_left == 0 {
                return Ok(());
            }
            self.groups_left -= 1;
            let at = format!("{place}/{name}");
            if let Some(kind) = electrical(&child) {
                self.skipped.push(format!("{at} ({kind}, left alone)"));
                continue;
            }
            self.h5.progress.at(0.85, &format!("reading {name}"))?;
            if let Ok(Some(_)) = self.h5.dataset(&child, &at, "start_time") {
                interval_table(self.h5, &at, &name, &child, found, report);
            } else if let Ok(Some(data)) = self.h5.dataset(&child, &at, "data") {
                match self.series(&at, &name, &child, &data, found) {
                    Ok(None) => {}
                    Ok(Some(why)) => self.skipped.push(format!("{at} ({why})")),
                    Err(e) => self.skipped.push(format!("{at} ({})", e.brief())),
                }
            } else if depth > 1 {
                self.visit(&at, &child, depth - 1, found, report)?;
            }
        }
        Ok(())
    }

    /// `Ok(Some(why))` when the series is fine but no covariate.
    fn series(&mut self, at: &str, name: &str, group: &Group, data: &Dataset, found: &mut Found) -> Result<Option<String>, FormatError> {
        let object = format!("{at}/data");
        let dims = data.shape().map_err(|e| self.h5.failed(&object, &e))?;
        let samples = dims.first().copied().unwrap_or(0);
        let wide = dims.get(1).copied().unwrap_or(1);
        if dims.is_empty() || dims.len() > 2 || wide == 0 || wide > MOST_COLUMNS {
            return Ok(Some(format!("shape {dims:?}")));
        }
        if samples < 2 || samples > self.longest || samples * wide > self.samples_left || found.covariates.len() >= MOST_COVARIATES {
            return Ok(Some(format!("{samples} samples")));
        }
        if !self.h5.is_number(&object, data)? {
            return Ok(Some("not numbers".to_owned()));
        }
        let values = self.h5.numbers(&object, data, (0.85, 0.85), "reading time series")?;
        let attributes = data.attrs().unwrap_or_default();
        let number = |key: &str, default: f64| attributes.get(key).and_then(|v| v.as_f64()).filter(|v| v.is_finite()).unwrap_or(default);
        let (scale, offset) = (number("conversion", 1.0), number("offset", 0.0));
        let unit = attributes.get("unit").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let values = values.into_iter().map(|v| v * scale + offset).collect();
        self.samples_left -= samples * wide;
        let series = Timeless { at: at.to_owned(), name: name.to_owned(), unit, samples, wide: wide as usize, values };
        match self.times(at, group, samples)? {
            Some(times) => self.push(series, &times, found),
            None => self.timeless.push(series),
        }
        Ok(None)
    }

    fn push(&mut self, series: Timeless, times: &[f64], found: &mut Found) {
        let (name, wide) = (series.name, series.wide);
        let taken = found.covariates.iter().any(|c| c.name == name || c.name == format!("{name} 1"));
        let name = if taken { series.at.clone() } else { name };
        for column in 0..wide {
            self.places.push(series.at.clone());
            found.covariates.push(Covariate {
                name: if wide == 1 { name.clone() } else { format!("{name} {}", column + 1) },
                unit: series.unit.clone(),
                times: times.to_vec(),
                values: series.values.iter().skip(column).step_by(wide).copied().collect(),
            });
        }
    }

    /// Give series without times those of a series beside them with as many samples, when there is only one such list of times.
    fn share_times(&mut self, found: &mut Found, report: &mut ImportReport) {
        for series in std::mem::take(&mut self.timeless) {
            let folder = |at: &str| at.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let own = folder(&series.at);
            let beside =
                self.places.iter().zip(&found.covariates).filter(|(at, c)| folder(at) == own && c.times.len() as u64 == series.samples);
            let mut beside = beside.map(|(at, c)| (at.clone(), &c.times));
            match beside.next() {
                Some((at, times)) if beside.all(|(_, other)| other == times) => {
                    let message = format!("no ascending sample times of its own; those of {at}, which has as many samples, are used");
                    report.add(NoteKind::Assumed, series.at.clone(), message);
                    let times = times.clone();
                    self.push(series, &times, found);
                }
                _ => self.skipped.push(format!("{} (no ascending sample times)", series.at)),
            }
        }
    }

    /// Sample times in seconds, `None` when there are none or they do not ascend.
    fn times(&self, at: &str, group: &Group, samples: u64) -> Result<Option<Vec<f64>>, FormatError> {
        // A soft link looks damaged to hdf5-pure 0.47; either way the series has no times of its own.
        if let Ok(Some(dataset)) = self.h5.dataset(group, at, "timestamps") {
            let times = self.h5.numbers(&format!("{at}/timestamps"), &dataset, (0.85, 0.85), "reading time series")?;
            let good = times.len() as u64 == samples && times.iter().all(|t| t.is_finite()) && times.is_sorted();
            return Ok(good.then_some(times));
        }
        let Some(dataset) = self.h5.dataset(group, at, "starting_time")? else { return Ok(None) };
        let object = format!("{at}/starting_time");
        let start = self.h5.numbers(&object, &dataset, (0.85, 0.85), "reading time series")?.first().copied();
        let rate = dataset.attrs().unwrap_or_default().get("rate").and_then(|v| v.as_f64().or_else(|| v.as_i64().map(|rate| rate as f64)));
        Ok(match (start, rate) {
            (Some(start), Some(rate)) if start.is_finite() && rate.is_finite() && rate > 0.0 => {
                Some((0..samples).map(|i| start + i as f64 / rate).collect())
            }
            _ => None,
        })
    }
}
