//! A NetFormer with its data outside the training thread: attention of any windows, single entries over time, predictions. Views
//! compute with it in the background; a live run hands out a new one a few times per epoch, a kept run is put together again.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Axis, Slice};

use super::{ActivityData, config, options};
use crate::analysis::connectivity::{Method, UnitActivity};
use crate::analysis::watch::Watch;
use crate::models::netformer::{Data, Host, Loss, NetFormerConfig, Trainer};
use crate::models::params;
use crate::models::{ConfigError, DeviceFailed};
use crate::recording::Recording;
use crate::runs::NamedArray;
use crate::training::data::DataError;
use crate::training::device::{NoDevice, open};
use crate::training::{DeviceChoice, ModelRecipe, Recipe, kept};

/// How often a live run hands out its network within an epoch, at most.
const PER_EPOCH: usize = 20;

/// Why a network cannot be put together again.
#[derive(Debug, thiserror::Error)]
pub enum NetFormerModelError {
    /// A model of another kind.
    #[error("the run is one of {0}; take a run of NetFormer")]
    OtherModel(&'static str),
    /// The data do not give what the recipe says.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Shapes that fit no network.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No device.
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    /// Weights that are missing or of another shape.
    #[error("the run's weights do not fit the recording: {0}; open the recording that the run was trained on")]
    Weights(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceFailed),
}

/// What a stretch of the recording was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Fitted.
    Training,
    /// Decided when to stop.
    Validation,
    /// Neither.
    Test,
}

/// Neighbouring windows that are looked at together.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// First bins of the windows that stand for the block.
    pub windows: Vec<usize>,
    /// Begin of the first and end of the last predicted bin, seconds.
    pub seconds: (f64, f64),
    /// What most of it was used for.
    pub part: Part,
}

impl Block {
    /// Its middle, seconds.
    pub fn middle(&self) -> f64 {
        (self.seconds.0 + self.seconds.1) / 2.0
    }
}

/// A network with the data of its recipe. Units are the columns of [`crate::training::Snapshot::units`]; matrices are
/// `[receiving, sending]`, rows only for predicted units.
pub struct NetFormerModel {
    host: Host,
    config: NetFormerConfig,
    data: Arc<ActivityData>,
    step: u64,
    key: u64,
}

impl std::fmt::Debug for NetFormerModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetFormerModel").field("config", &self.config).field("step", &self.step).finish_non_exhaustive()
    }
}

impl PartialEq for NetFormerModel {
    /// The same weights on data of the same size.
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.config == other.config
    }
}

impl NetFormerModel {
    pub(super) fn new(host: Host, config: NetFormerConfig, data: &Arc<ActivityData>, step: u64) -> Self {
        let mut hash = DefaultHasher::new();
        (Arc::as_ptr(data) as usize, step).hash(&mut hash);
        if let Some(run) = data.runs.iter().map(|(run, _)| run).find(|run| run.len() > config.history) {
            host.attention_rows(&data.data, run.start, 0..1).iter().for_each(|v| v.to_bits().hash(&mut hash));
        }
        Self { key: hash.finish(), host, config, data: Arc::clone(data), step }
    }

    /// From what a run keeps. `recording` is the one that was opened (the recipe holds the rule for areas).
    ///
    /// # Errors
    /// [`NetFormerModelError`] says what does not fit.
    pub fn from_run(recipe: &Recipe, recording: &Arc<Recording>, weights: &[NamedArray], step: u64) -> Result<Self, NetFormerModelError> {
        let ModelRecipe::NetFormer(own) = &recipe.model else {
            return Err(NetFormerModelError::OtherModel(recipe.model.preset().title));
        };
        Self::with_weights(recipe, &Arc::new(ActivityData::new(recording, &recipe.data, own)?), weights, step)
    }

    /// The network of another run of the same recipe (but for its seed) on the same data.
    ///
    /// # Errors
    /// As [`Self::from_run`].
    pub fn sibling(&self, recipe: &Recipe, weights: &[NamedArray], step: u64) -> Result<Self, NetFormerModelError> {
        Self::with_weights(recipe, &self.data, weights, step)
    }

    fn with_weights(recipe: &Recipe, data: &Arc<ActivityData>, weights: &[NamedArray], step: u64) -> Result<Self, NetFormerModelError> {
        let ModelRecipe::NetFormer(own) = &recipe.model else {
            return Err(NetFormerModelError::OtherModel(recipe.model.preset().title));
        };
        let config = config(own, data.units.len(), data.inputs, data.types.clone());
        let device = open(DeviceChoice::Cpu)?;
        let mut trainer = Trainer::new(config.clone(), data.data.clone(), options(own, recipe.seed), &device.device, device.cpu)?;
        let values = kept::values(&params::read(trainer.net())?, weights).map_err(NetFormerModelError::Weights)?;
        trainer.load(&values);
        Ok(Self::new(trainer.host()?, config, data, step))
    }

    /// Names these weights on these data.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Optimiser steps.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Units of the recording behind the columns.
    pub fn units(&self) -> &[usize] {
        &self.data.units
    }

    /// Predicted units, the first ones: rows of matrices.
    pub fn predicted(&self) -> usize {
        self.config.queries.min(self.data.units.len())
    }

    /// Bins of history that a window holds.
    pub fn history(&self) -> usize {
        self.config.history
    }

    /// Bin width, seconds.
    pub fn bin_s(&self) -> f64 {
        self.data.bin_s()
    }

    /// The recording as the run sees it.
    pub fn recording(&self) -> &Arc<Recording> {
        &self.data.recording
    }

    /// True when counts are predicted, by log-rates.
    pub fn counts(&self) -> bool {
        self.config.loss == Loss::Poisson
    }

    /// Multiplications that the attention of one window takes, about.
    pub fn cost(&self) -> f64 {
        let (tokens, width) = (self.config.tokens as f64, self.config.width() as f64);
        tokens * width + self.config.queries as f64 * width * (width + tokens)
    }

    /// Windows of a part of the recording, as their first bins.
    pub fn windows(&self, part: Part) -> Vec<usize> {
        let bins = match part {
            Part::Training => &self.data.train,
            Part::Validation => &self.data.validation,
            Part::Test => &self.data.test,
        };
        self.data.data.windows(bins, self.config.history)
    }

    /// All windows in time order.
    pub fn all_windows(&self) -> &[usize] {
        &self.data.windows
    }

    /// Place of the first test window among all; `None` without.
    pub fn first_test(&self) -> Option<usize> {
        let bin = self.data.test.first()?.start;
        let place = self.data.windows.partition_point(|window| window + self.config.history < bin);
        (place < self.data.windows.len()).then_some(place)
    }

    /// Time at which the bin that a window predicts begins, seconds.
    pub fn seconds(&self, window: usize) -> f64 {
        let bin = window + self.config.history;
        let run = self.data.runs.partition_point(|(run, _)| run.start <= bin).saturating_sub(1);
        self.data.runs.get(run).map_or(0.0, |(run, begin)| begin + (bin - run.start) as f64 * self.bin_s())
    }

    fn part(&self, window: usize) -> Part {
        let bin = window + self.config.history;
        let inside = |runs: &[Range<usize>]| runs.iter().any(|run| run.contains(&bin));
        match (inside(&self.data.validation), inside(&self.data.test)) {
            (true, _) => Part::Validation,
            (_, true) => Part::Test,
            _ => Part::Training,
        }
    }

    /// The recording cut into blocks of `length` windows, each represented by at most `most` of them, evenly spread.
    pub fn blocks(&self, length: usize, most: usize) -> Vec<Block> {
        let block = |windows: &[usize]| {
            let (first, last) = (windows.first().copied()?, windows.last().copied()?);
            let step = windows.len().div_ceil(most.max(1)).max(1);
            Some(Block {
                seconds: (self.seconds(first), self.seconds(last) + self.bin_s()),
                part: self.part(windows.get(windows.len() / 2).copied()?),
                windows: windows.iter().copied().skip((step - 1) / 2).step_by(step).collect(),
            })
        };
        self.data.windows.chunks(length.max(1)).filter_map(block).collect()
    }

    /// Mean attention over windows.
    pub fn mean(&self, windows: &[usize]) -> Array2<f32> {
        self.data.of_units(self.host.mean_attention(&self.data.data, windows))
    }

    /// Mean attention of every block; `None` when nobody wants it any more.
    pub fn matrices(&self, blocks: &[Block], watch: &Watch) -> Option<Vec<Array2<f32>>> {
        let one = |(done, block): (usize, &Block)| {
            watch.tell(done, blocks.len());
            (!watch.stopped()).then(|| self.mean(&block.windows))
        };
        blocks.iter().enumerate().map(one).collect()
    }

    /// Mean of single entries `(receiving, sending)` in every block `[blocks, entries]`; `None` when nobody wants it any more.
    pub fn entries(&self, blocks: &[Block], entries: &[(usize, usize)], watch: &Watch) -> Option<Array2<f32>> {
        let mut rows: Vec<usize> = entries.iter().map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        // One product over all windows is cheaper than entry by entry as soon as much of A is wanted.
        let whole = 2 * rows.len() > self.config.queries;
        let mut values = Array2::zeros((blocks.len(), entries.len()));
        for (done, (block, mut out)) in blocks.iter().zip(values.outer_iter_mut()).enumerate() {
            watch.tell(done, blocks.len());
            if watch.stopped() {
                return None;
            }
            if whole {
                let mean = self.host.mean_attention(&self.data.data, &block.windows);
                out.iter_mut().zip(entries).for_each(|(to, at)| *to = mean.get(*at).copied().unwrap_or(f32::NAN));
            } else if let Some(mean) = self.host.entries(&self.data.data, &block.windows, entries).mean_axis(Axis(0)) {
                out.assign(&mean);
            }
        }
        Some(values)
    }

    /// True strengths of entries in every block `[blocks, entries]`; `None` when they are not known.
    pub fn true_entries(&self, blocks: &[Block], entries: &[(usize, usize)]) -> Option<Array2<f32>> {
        let truth = self.data.recording.truth.as_ref()?;
        let unit = |column: usize| self.data.units.get(column).copied().unwrap_or(usize::MAX);
        let fixed = truth.unit_weights(self.data.recording.n_units())?;
        let weight = |&(row, column): &(usize, usize)| fixed.get([unit(row), unit(column)]).copied().unwrap_or(0.0) as f32;
        let mut values = Array2::from_shape_fn((blocks.len(), entries.len()), |(_, entry)| entries.get(entry).map_or(f32::NAN, weight));
        let Some(changing) = &truth.changing else { return Some(values) };
        let synapses: Vec<Option<usize>> = entries.iter().map(|&(row, column)| changing.synapse(unit(column), unit(row))).collect();
        for (block, mut out) in blocks.iter().zip(values.outer_iter_mut()) {
            let mut means = changing.mean_between(block.seconds.0, block.seconds.1);
            if means.iter().all(|m| m.is_nan()) {
                // Samples are wider apart than the block is long: the last one holds.
                means = changing.at(&[block.middle()]).iter().map(|&v| f64::from(v)).collect();
            }
            for (to, synapse) in out.iter_mut().zip(&synapses) {
                if let Some(value) = synapse.and_then(|s| means.get(s)) {
                    *to = *value as f32;
                }
            }
        }
        Some(values)
    }

    /// Mean true strengths `[predicted, units]`; `None` when they are not known.
    pub fn true_weights(&self) -> Option<Array2<f64>> {
        let recording = &self.data.recording;
        let weights = recording.truth.as_ref()?.unit_weights(recording.n_units())?;
        let rows = self.data.units.get(..self.predicted())?;
        Some(weights.select(Axis(0), rows).select(Axis(1), &self.data.units))
    }

    /// Names the data: the same for all networks of one run.
    pub fn data_key(&self) -> usize {
        Arc::as_ptr(&self.data) as usize
    }

    /// What a method without hidden parts says of the training bins `[predicted, units]`; `levels` is for the two entropies. Ends
    /// early, with what it has, when `goes_on` says no.
    pub fn by(&self, method: Method, levels: usize, goes_on: &dyn Fn() -> bool) -> Array2<f32> {
        let activity = UnitActivity {
            values: self.data.raw.clone().into_shared(),
            inputs: None,
            runs: self.data.train.clone(),
            bin_s: self.bin_s(),
            counts: self.data.counted,
        };
        let all = method.estimate(&activity, levels, goes_on);
        all.slice_axis(Axis(0), Slice::from(..self.predicted())).mapv(|v| v as f32)
    }

    /// Entries whose true strength is known to change, between different units.
    pub fn changing(&self) -> Vec<(usize, usize)> {
        let Some(changing) = self.data.recording.truth.as_ref().and_then(|t| t.changing.as_ref()) else { return Vec::new() };
        let column = |unit: &usize| self.data.units.iter().position(|u| u == unit);
        let pairs = changing.post.iter().zip(&changing.pre).filter_map(|(post, pre)| Some((column(post)?, column(pre)?)));
        pairs.filter(|(row, sending)| row != sending && *row < self.predicted()).collect()
    }

    /// Attention of a window in which every unit is at its mean over the training bins: what identities alone give.
    ///
    /// # Errors
    /// Never for data that a network was trained on.
    pub fn of_identities(&self) -> Result<Array2<f32>, ConfigError> {
        let bins: Vec<usize> = self.data.train.iter().cloned().flatten().collect();
        let inputs = self.data.data.inputs();
        let mean = inputs.select(Axis(0), &bins).mean_axis(Axis(0)).unwrap_or_else(|| ndarray::Array1::zeros(inputs.ncols()));
        let rows = Array2::from_shape_fn((self.config.history + 1, inputs.ncols()), |(_, column)| mean[column]);
        Ok(self.data.of_units(self.host.attention(&Data::new(rows, None)?, 0)))
    }

    /// Predictions of the bins after windows, and what these bins hold, both `[windows, predicted]`, as the network reads it
    /// (standardised), or counts.
    pub fn predictions(&self, windows: &[usize]) -> (Array2<f32>, Array2<f32>) {
        let mut predicted = self.host.predictions(&self.data.data, windows);
        if self.counts() {
            predicted.mapv_inplace(|p| self.config.rate(p));
        }
        (predicted, self.data.data.targets_of(windows, self.config.history, self.config.queries))
    }

    pub(super) fn data(&self) -> &Arc<ActivityData> {
        &self.data
    }
}

/// The network that a live run last handed out.
#[derive(Default)]
pub(super) struct Published(RefCell<Option<Arc<NetFormerModel>>>);

impl Published {
    /// The network for a snapshot after `step` steps: a new one a few times per epoch of `batches` steps.
    pub(super) fn at(
        &self,
        step: u64,
        batches: usize,
        read: impl FnOnce() -> Result<(Host, NetFormerConfig), DeviceFailed>,
        data: &Arc<ActivityData>,
    ) -> Result<Arc<NetFormerModel>, DeviceFailed> {
        let recent = |model: &&Arc<NetFormerModel>| step.saturating_sub(model.step) < batches.div_ceil(PER_EPOCH) as u64;
        if let Some(model) = self.0.borrow().as_ref().filter(recent) {
            return Ok(Arc::clone(model));
        }
        let (host, config) = read()?;
        Ok(self.now(step, host, config, data))
    }

    /// A new one.
    pub(super) fn now(&self, step: u64, host: Host, config: NetFormerConfig, data: &Arc<ActivityData>) -> Arc<NetFormerModel> {
        let model = Arc::new(NetFormerModel::new(host, config, data, step));
        *self.0.borrow_mut() = Some(Arc::clone(&model));
        model
    }
}
