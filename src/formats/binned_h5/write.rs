//! Writes counts per bin in the layout of the Neural Latents Benchmark or of LFADS, for tools that want those.

use std::io::Write;
use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder};
use ndarray::{Array3, ArrayView3, Axis};

use super::{OURS, round, width};
use crate::export::write_whole;
use crate::formats::FormatError;
use crate::recording::{BinnedTrials, Column, Recording, SplitFractions, TrialPlan, Trials, split_trials};

/// Names of the arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinnedKind {
    /// `train_spikes_heldin`, `train_spikes_heldout`, `…_forward`, and the same with `eval`.
    Benchmark,
    /// `train_data` and `valid_data`, with `train_inds` and `valid_inds`.
    Lfads,
}

/// Units that a model has to predict without seeing them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeldOut {
    /// Those whose unit column `heldout` is true; none when there is no such column.
    #[default]
    Column,
    /// None.
    None,
    /// Every n-th unit of every area, from the n-th on.
    EveryNth(usize),
}

impl std::str::FromStr for HeldOut {
    type Err = String;

    /// `column`, `none` or a whole number from 2.
    fn from_str(text: &str) -> Result<Self, String> {
        match (text.trim(), text.trim().parse()) {
            ("column", _) => Ok(Self::Column),
            ("none", _) => Ok(Self::None),
            (_, Ok(n)) if n >= 2 => Ok(Self::EveryNth(n)),
            _ => Err(format!("'{text}' is no choice of held-out units; write column, none, or 4 for every fourth unit")),
        }
    }
}

/// What is written by [`save_binned`].
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedLayout {
    /// Names of the arrays.
    pub kind: BinnedKind,
    /// Trials and bin width; history before the window is not written.
    pub plan: TrialPlan,
    /// Last bins of the window that become the `…_forward` arrays; only for [`BinnedKind::Benchmark`].
    pub forward_bins: usize,
    /// Units that become the `…_heldout` arrays; only for [`BinnedKind::Benchmark`].
    pub heldout: HeldOut,
}

impl Default for BinnedLayout {
    /// The benchmark's arrays with its bins of 5 ms.
    fn default() -> Self {
        let plan = TrialPlan { bin_s: 0.005, padding_s: 0.0, ..TrialPlan::default() };
        Self { kind: BinnedKind::Benchmark, plan, forward_bins: 0, heldout: HeldOut::Column }
    }
}

/// Whether [`save_binned`] writes files with this extension (lower case).
pub(in crate::formats) fn writes(extension: &str) -> bool {
    ["h5", "hdf5"].contains(&extension)
}

/// What will be written, once a layout has met a recording.
struct Planned {
    trials: Trials,
    heldin: Vec<usize>,
    heldout: Vec<usize>,
    /// Trials for training and for evaluation, ascending (numbers of `trials`).
    parts: [Vec<usize>; 2],
    /// The recording says which trials are for training.
    by_column: bool,
    forward: usize,
}

impl Planned {
    fn new(recording: &Recording, layout: &BinnedLayout) -> Result<Self, String> {
        let trials = TrialPlan { padding_s: 0.0, ..layout.plan.clone() }.resolve(recording).map_err(|e| e.to_string())?;
        let forward = if layout.kind == BinnedKind::Benchmark { layout.forward_bins } else { 0 };
        if forward >= trials.bins {
            return Err(format!("{forward} forward bins leave nothing of a window of {} bins", trials.bins));
        }
        let which = if layout.kind == BinnedKind::Lfads { HeldOut::None } else { layout.heldout };
        let heldout = held_out(recording, which);
        let heldin: Vec<usize> = (0..recording.n_units()).filter(|u| heldout.binary_search(u).is_err()).collect();
        if heldin.is_empty() {
            return Err("every unit is held out".to_owned());
        }
        let (train, other, by_column) = split(recording, &trials);
        if train.is_empty() || other.is_empty() {
            return Err(format!("{} trials for training and {} for evaluation; both are needed", train.len(), other.len()));
        }
        Ok(Self { trials, heldin, heldout, parts: [train, other], by_column, forward })
    }

    /// Sizes in words.
    fn sizes(&self) -> String {
        let [train, other] = &self.parts;
        let forward = if self.forward > 0 { format!(", the last {} of them forward", self.forward) } else { String::new() };
        let held = if self.heldout.is_empty() { String::new() } else { format!(" and {} held out", self.heldout.len()) };
        format!(
            "{} trials for training and {} for evaluation, {} bins of {} ms{forward}, {} units{held}",
            train.len(),
            other.len(),
            self.trials.bins,
            round(self.trials.bin_s * 1e3),
            self.heldin.len()
        )
    }

    fn lost(&self, recording: &Recording) -> Vec<String> {
        let mut lost = lost(recording, &self.trials);
        if !self.by_column {
            lost.push("the trials have no column 'split': four in five are for training, drawn with seed 0".to_owned());
        }
        lost
    }
}

/// What [`save_binned`] would write: sizes first, then what the layout cannot hold, one sentence each.
///
/// # Errors
/// Why nothing would be written.
pub fn binned_beforehand(recording: &Recording, layout: &BinnedLayout) -> Result<Vec<String>, String> {
    let planned = Planned::new(recording, layout)?;
    let mut told = vec![planned.sizes()];
    told.extend(planned.lost(recording));
    Ok(told)
}

/// Write counts `[trials, bins, units]` (f32) of `recording` to an HDF5 file. Trials whose column `split` is `train` become the
/// training arrays, all others the evaluation arrays; without such a column four in five trials are for training. Returns what the
/// layout cannot hold, one sentence each.
///
/// # Errors
/// [`FormatError::NotWritable`], also when the plan gives no trials. The old file, if any, is untouched then.
pub fn save_binned(recording: &Recording, path: &Path, layout: &BinnedLayout) -> Result<Vec<String>, FormatError> {
    let refused = |problem: String| FormatError::not_writable(path, problem);
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !writes(&extension) {
        return Err(refused("counts are written to HDF5, so the name must end in .h5 or .hdf5".to_owned()));
    }
    let planned = Planned::new(recording, layout).map_err(refused)?;
    let Planned { trials, heldin, heldout, forward, .. } = &planned;
    let mut file = FileBuilder::new();
    file.set_attr(width::ATTRIBUTE, AttrValue::F64(trials.bin_s));
    let second = if layout.kind == BinnedKind::Benchmark { "eval" } else { "valid" };
    for (prefix, rows) in ["train", second].into_iter().zip(&planned.parts) {
        for (units, name) in [(heldin, "heldin"), (heldout, "heldout")] {
            if units.is_empty() {
                continue;
            }
            let counts = counts(recording, trials, units, rows).map_err(|e| refused(e.to_string()))?;
            let (now, then) = counts.view().split_at(Axis(1), trials.bins - forward);
            match layout.kind {
                BinnedKind::Benchmark => {
                    array(&mut file, &format!("{prefix}_spikes_{name}"), now);
                    if *forward > 0 {
                        array(&mut file, &format!("{prefix}_spikes_{name}_forward"), then);
                    }
                }
                BinnedKind::Lfads => array(&mut file, &format!("{prefix}_data"), now),
            }
        }
        if layout.kind == BinnedKind::Lfads {
            let numbers: Vec<i64> = rows.iter().map(|&r| r as i64).collect();
            file.create_dataset(&format!("{prefix}_inds")).with_i64_data(&numbers);
        }
    }
    let mut extra = file.create_group(OURS);
    let units: Vec<usize> = heldin.iter().chain(heldout).copied().collect();
    let ids: Vec<&str> = units.iter().filter_map(|&u| recording.units.ids.get(u)).map(String::as_str).collect();
    let areas: Vec<&str> = units.iter().filter_map(|&u| recording.areas.get(*recording.units.area.get(u)?)).map(String::as_str).collect();
    extra.create_dataset("unit_ids").with_vlen_strings(&ids);
    extra.create_dataset("unit_areas").with_vlen_strings(&areas);
    file.add_group(extra.finish());
    let bytes = file.finish().map_err(|e| refused(e.to_string()))?;
    write_whole(path, |to| to.write_all(&bytes).map_err(|e| FormatError::not_writable(path, e)))?;
    Ok(planned.lost(recording))
}

/// Units that are held out, ascending.
fn held_out(recording: &Recording, which: HeldOut) -> Vec<usize> {
    let flagged = |u: &usize| recording.units.columns.iter().any(|c| c.name == "heldout" && c.values.number(*u) == 1.0);
    let mut units: Vec<usize> = match which {
        HeldOut::Column => (0..recording.n_units()).filter(flagged).collect(),
        HeldOut::None => Vec::new(),
        HeldOut::EveryNth(n) => {
            let n = n.max(2);
            (0..recording.areas.len()).flat_map(|area| recording.units_of_area(area).into_iter().skip(n - 1).step_by(n)).collect()
        }
    };
    units.sort_unstable();
    units
}

/// Trials for training and for evaluation, ascending (numbers of `trials`), and whether the recording says which are which.
fn split(recording: &Recording, trials: &Trials) -> (Vec<usize>, Vec<usize>, bool) {
    let table = trials.table.as_ref().and_then(|name| recording.table(name));
    if let Some(Column::Text(splits)) = table.and_then(|t| t.column("split")).map(|c| &c.values) {
        let is_train = |k: &usize| trials.rows.get(*k).and_then(|&r| splits.get(r)).is_some_and(|s| s == "train");
        let (train, other) = (0..trials.starts.len()).partition(is_train);
        return (train, other, true);
    }
    let split = split_trials(&trials.conditions, SplitFractions { train: 0.8, validation: 0.2 }, 0);
    let (mut train, mut other) = (split.train, split.validation);
    other.extend(split.test);
    train.sort_unstable();
    other.sort_unstable();
    (train, other, false)
}

/// Counts `[rows, bins, units]` in the order of `units`.
fn counts(recording: &Recording, trials: &Trials, units: &[usize], rows: &[usize]) -> Result<Array3<f32>, crate::recording::BinningError> {
    let binned = BinnedTrials::count(recording, trials, units)?;
    let mut counts = Array3::<f32>::zeros((rows.len(), trials.bins, units.len()));
    for (to, &row) in rows.iter().enumerate() {
        for (column, unit) in binned.units.iter().enumerate() {
            let Some(place) = units.iter().position(|u| u == unit) else { continue };
            let from = binned.counts.index_axis(Axis(0), row);
            let mut trial = counts.index_axis_mut(Axis(0), to);
            trial.index_axis_mut(Axis(1), place).assign(&from.index_axis(Axis(1), column).mapv(f32::from));
        }
    }
    Ok(counts)
}

fn array(file: &mut FileBuilder, name: &str, counts: ArrayView3<f32>) {
    let shape: Vec<u64> = counts.shape().iter().map(|&n| n as u64).collect();
    let values: Vec<f32> = counts.iter().copied().collect();
    // Chunks of about 1 MiB, whole trials.
    let per_trial = (counts.len_of(Axis(1)) * counts.len_of(Axis(2)) * 4).max(1);
    let trials = ((1 << 20) / per_trial).clamp(1, counts.len_of(Axis(0)).max(1)) as u64;
    let chunk = [trials, shape[1], shape[2]];
    file.create_dataset(name).with_f32_data(&values).with_shape(&shape).with_chunks(&chunk).with_shuffle().with_deflate(4);
}

fn lost(recording: &Recording, trials: &Trials) -> Vec<String> {
    let mut lost = vec![format!("spike times are written as counts in bins of {} ms", trials.bin_s * 1e3)];
    let inside: usize = trials
        .starts
        .iter()
        .map(|&start| {
            let stop = start + trials.bins as f64 * trials.bin_s;
            (0..recording.n_units()).map(|u| recording.spikes.unit_between(u, start, stop).len()).sum::<usize>()
        })
        .sum();
    let outside = recording.spikes.n_spikes().saturating_sub(inside);
    if outside > 0 {
        lost.push(format!("{outside} spikes outside the windows of the trials are not written"));
    }
    if !trials.dropped.is_empty() {
        lost.push(format!("{} trials are not written, the first because {}", trials.dropped.len(), trials.dropped[0].reason));
    }
    let mut say = |gone: bool, what: &str| {
        if gone {
            lost.push(format!("{what} not written to arrays of counts; save as .nwb or .npz to keep them"));
        }
    };
    say(recording.units.columns.iter().any(|c| c.name != "heldout"), "unit columns are");
    say(
        recording.tables.iter().any(|t| Some(&t.name) != trials.table.as_ref() || t.columns.iter().any(|c| c.name != "split")),
        "interval tables are",
    );
    say(!recording.covariates.is_empty(), "time series are");
    say(recording.truth.is_some(), "the ground truth and its parameters are");
    lost
}
