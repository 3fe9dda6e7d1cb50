//! Spikes counted in bins, as the Neural Latents Benchmark (`train_spikes_heldin`, …, `eval_spikes_heldout_forward`) and LFADS or
//! NDT (`train_data`, `valid_data`, `train_truth`) keep them in HDF5. Counts become spikes inside their bins.
//!
//! Layouts: <https://github.com/neurallatents/nlb_tools> (`make_tensors.py`) and <https://github.com/snel-repo/neural-data-transformers>.

pub(super) mod counts;
mod parts;
mod submission;
mod width;
mod write;

use std::path::Path;

use self::counts::{Grid, starts};
use self::parts::{Part, Sizes};
use super::guard::Hdf5;
use super::{FormatError, Loaded, OpenOptions, Probe, Progress, clean};
use crate::recording::{Column, ImportReport, IntervalTable, NamedColumn, NoteKind, RecordingParts, TrueRates, Truth};

pub use self::submission::{SubmittedRates, save_submission};
pub(super) use self::write::writes;
pub use self::write::{BinnedKind, BinnedLayout, HeldOut, binned_beforehand, save_binned};

/// Prefixes of datasets and what their trials are called in the column `split`.
const SPLITS: [(&str, &str); 5] = [("train", "train"), ("valid", "valid"), ("val", "valid"), ("test", "test"), ("eval", "eval")];
/// Group in which our own files keep what the layouts have no place for.
const OURS: &str = "spikescope";

/// True for HDF5 files with datasets of these names.
pub(super) fn is_binned(probe: &Probe) -> bool {
    let named = |name: &String| SPLITS.iter().any(|(p, _)| *name == format!("{p}_spikes_heldin") || *name == format!("{p}_data"));
    probe.hdf5_root().is_some_and(|root| !root.nwb && root.names.iter().any(named))
}

/// Read a file of counts.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let h5 = Hdf5::open(path, options.max_bytes, progress)?;
    let mut report = ImportReport::default();
    let found = parts::read(&h5, &mut report)?;
    let sizes = parts::sizes(&h5, &found)?;
    let width = width::decide(&h5, options, &found, &sizes, &mut report)?;
    note_bins(&mut report, "counts", width.bin_s);
    progress.at(0.7, "placing spikes")?;

    let order = Order::new(&found, &mut report);
    let total: usize = found.iter().map(|p| p.trials).sum();
    let all = starts(total, sizes.bins + sizes.forward, width.bin_s);
    let mut trains = vec![Vec::new(); sizes.heldin + sizes.heldout];
    for (number, part) in found.iter().enumerate() {
        let starts: Vec<f64> = order.of_part(number).iter().filter_map(|&t| all.get(t).copied()).collect();
        for block in &part.blocks {
            let first_bin = if block.forward { sizes.bins } else { 0 };
            let first_unit = if block.heldout { sizes.heldin } else { 0 };
            block.counts.spikes(&Grid { starts: &starts, first_bin, bin_s: width.bin_s }, first_unit, &mut trains);
            progress.at(0.8, "placing spikes")?;
        }
    }
    // Parts and forward bins come in the order of the file, not of time: that is no fault of the data.
    trains.iter_mut().for_each(|train| train.sort_unstable_by(f64::total_cmp));
    let (ids, areas) = ours(&h5, trains.len());
    let spikes = clean::clean_trains(trains, &ids, "counts", &mut report);
    let spikes = spikes.ok_or_else(|| FormatError::corrupt(path, "counts", "they do not fit together"))?;
    let table = trials_table(&found, &order, &all, &sizes, width.bin_s);
    let observed = table.start.iter().copied().zip(table.stop.iter().copied()).collect();
    let truth = rates(&found, &order, &sizes, width.truth_scale)
        .map(|values| Truth { rates: Some(TrueRates { bin_s: width.bin_s, values }), ..Truth::default() });
    if areas.iter().all(String::is_empty) {
        report.add(NoteKind::Assumed, "units", "the file does not say which area a unit is from; all units are in one area without a name");
    }
    let parts = RecordingParts {
        activity: None,
        name: String::new(),
        spikes,
        unit_ids: ids,
        unit_areas: areas,
        unit_columns: heldout_column(&sizes),
        tables: vec![table],
        covariates: Vec::new(),
        observed,
        truth,
        report,
        fingerprint: None,
    };
    Ok(parts.into())
}

/// Say that spikes stand for counts.
pub(super) fn note_bins(report: &mut ImportReport, place: &str, bin_s: f64) {
    let message =
        format!("the file has counts per bin of {} ms; spikes are placed at equal distances inside their bin", round(bin_s * 1e3));
    report.add(NoteKind::Assumed, place, message);
}

/// Without the digits that come from binary fractions.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Position in time of every trial of every part.
struct Order {
    of_part: Vec<Vec<usize>>,
}

impl Order {
    /// By the numbers of the trials where every part has them, else in the order of the file.
    fn new(parts: &[Part], report: &mut ImportReport) -> Self {
        let total: usize = parts.iter().map(|p| p.trials).sum();
        let mut taken = vec![false; total];
        let mut fits = true;
        for &number in parts.iter().flat_map(|p| p.numbers.iter().flatten()) {
            match usize::try_from(number).ok().and_then(|n| taken.get_mut(n)) {
                Some(place) if !*place => *place = true,
                _ => fits = false,
            }
        }
        if fits && total > 0 && taken.iter().all(|t| *t) {
            report.add(NoteKind::Assumed, "trials", "trials of all parts stand in the order of their numbers (train_inds, valid_inds)");
            let of_part = parts.iter().map(|p| p.numbers.iter().flatten().map(|&n| usize::try_from(n).unwrap_or(0)).collect());
            return Self { of_part: of_part.collect() };
        }
        let mut next = 0;
        let of_part = parts.iter().map(|p| {
            next += p.trials;
            (next - p.trials..next).collect()
        });
        Self { of_part: of_part.collect() }
    }

    fn of_part(&self, part: usize) -> &[usize] {
        self.of_part.get(part).map(Vec::as_slice).unwrap_or_default()
    }
}

fn trials_table(parts: &[Part], order: &Order, starts: &[f64], sizes: &Sizes, bin_s: f64) -> IntervalTable {
    let mut split = vec![String::new(); starts.len()];
    for (number, part) in parts.iter().enumerate() {
        for &trial in order.of_part(number) {
            if let Some(place) = split.get_mut(trial) {
                part.split.clone_into(place);
            }
        }
    }
    let column = |name: &str, description: &str, values| NamedColumn { name: name.to_owned(), description: description.to_owned(), values };
    let mut columns = vec![column("split", "part of the file that the trial is from", Column::Text(split))];
    if sizes.forward > 0 {
        let begin = starts.iter().map(|s| s + sizes.bins as f64 * bin_s).collect();
        columns.push(column("forward_time", "where the bins to be predicted forward begin, seconds", Column::Float(begin)));
    }
    let length = (sizes.bins + sizes.forward) as f64 * bin_s;
    IntervalTable { name: "trials".to_owned(), start: starts.to_vec(), stop: starts.iter().map(|s| s + length).collect(), columns }
}

fn heldout_column(sizes: &Sizes) -> Vec<NamedColumn> {
    if sizes.heldout == 0 {
        return Vec::new();
    }
    let flags = (0..sizes.heldin + sizes.heldout).map(|u| u >= sizes.heldin).collect();
    let description = "unit is held out: a model predicts it without seeing it".to_owned();
    vec![NamedColumn { name: "heldout".to_owned(), description, values: Column::Bool(flags) }]
}

/// True rates `[trials, bins, units]`, spikes per second, when every part has them.
fn rates(parts: &[Part], order: &Order, sizes: &Sizes, scale: f64) -> Option<ndarray::Array3<f32>> {
    let total: usize = parts.iter().map(|p| p.trials).sum();
    let mut all = ndarray::Array3::<f32>::zeros((total, sizes.bins, sizes.heldin));
    for (number, part) in parts.iter().enumerate() {
        let truth = part.truth.as_ref()?;
        for (&trial, values) in order.of_part(number).iter().zip(truth.chunks_exact((sizes.bins * sizes.heldin).max(1))) {
            let values = values.iter().map(|v| (v * scale) as f32).collect();
            all.index_axis_mut(ndarray::Axis(0), trial).assign(&ndarray::Array2::from_shape_vec((sizes.bins, sizes.heldin), values).ok()?);
        }
    }
    Some(all)
}

/// Ids and areas that our own writer left, else numbers and nothing.
fn ours(h5: &Hdf5, units: usize) -> (Vec<String>, Vec<String>) {
    let list = |name: &str| -> Option<Vec<String>> {
        let group = h5.group(OURS).ok()??;
        let dataset = h5.dataset(&group, OURS, name).ok()??;
        match h5.column(&format!("{OURS}/{name}"), &dataset).ok()?? {
            Column::Text(values) if values.len() == units => Some(values),
            _ => None,
        }
    };
    let numbers = || (0..units).map(|u| u.to_string()).collect();
    (list("unit_ids").unwrap_or_else(numbers), list("unit_areas").unwrap_or_else(|| vec![String::new(); units]))
}
