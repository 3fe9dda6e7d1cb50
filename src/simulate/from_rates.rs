//! A recording whose trials repeat given firing rates, with spikes drawn from them and the rates attached as truth.

use ndarray::{Array3, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::SimulateError;
use super::draws::{draw_count, spread};
use crate::recording::{Column, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains, TrueRates, Truth};

/// Bins between two trials, in which nothing is recorded.
const GAP_BINS: usize = 50;

/// What to repeat.
pub(super) struct Repeated {
    /// Name of the recording and of its one area.
    pub(super) name: &'static str,
    /// Settings in words.
    pub(super) parameters: String,
    /// Rates `[conditions, bins, units]`, spikes per second.
    pub(super) rates: Array3<f64>,
    /// Trials of every condition. Trials go through the conditions in turn.
    pub(super) repeats: usize,
    /// Bin width, seconds.
    pub(super) bin_s: f64,
    /// Seed of the spikes.
    pub(super) seed: u64,
}

impl Repeated {
    /// Draw spikes. Counting in the bins of the simulation gives Poisson counts of the rates.
    pub(super) fn simulate(self) -> Result<Recording, SimulateError> {
        let (conditions, bins, units) = self.rates.dim();
        let trials = conditions * self.repeats;
        let drawn: Vec<Vec<(u32, f32)>> = (0..trials).into_par_iter().map(|trial| self.trial(trial)).collect::<Result<_, _>>()?;
        let start = |trial: usize| (trial * (bins + GAP_BINS)) as f64 * self.bin_s;
        let stop = |trial: usize| start(trial) + bins as f64 * self.bin_s;
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); units];
        for (trial, spikes) in drawn.iter().enumerate() {
            for &(unit, at) in spikes {
                times[unit as usize].push(start(trial) + f64::from(at) * self.bin_s);
            }
        }
        let condition = NamedColumn {
            name: "condition".to_owned(),
            description: "Which start of the dynamics the trial repeats, from 1".to_owned(),
            values: Column::Int((0..trials).map(|trial| (trial % conditions) as i64 + 1).collect()),
        };
        let values = Array3::from_shape_fn((trials, bins, units), |(trial, bin, unit)| self.rates[[trial % conditions, bin, unit]] as f32);
        let parts = RecordingParts {
            name: self.name.to_owned(),
            spikes: SpikeTrains::from_units(times),
            unit_ids: (0..units).map(|unit| unit.to_string()).collect(),
            unit_areas: vec![self.name.to_owned(); units],
            tables: vec![IntervalTable {
                name: "trials".to_owned(),
                start: (0..trials).map(start).collect(),
                stop: (0..trials).map(stop).collect(),
                columns: vec![condition],
            }],
            observed: (0..trials).map(|trial| (start(trial), stop(trial))).collect(),
            truth: Some(Truth { rates: Some(TrueRates { bin_s: self.bin_s, values }), ..Truth::default() }),
            ..RecordingParts::default()
        };
        let source = Source::Simulated { simulator: self.name.to_owned(), parameters: self.parameters, seed: self.seed };
        Ok(Recording::new(parts, source)?)
    }

    /// Spikes of a trial as (unit, time in bins), units ascending.
    fn trial(&self, trial: usize) -> Result<Vec<(u32, f32)>, SimulateError> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // Stream 0 is for what is drawn once.
        random.set_stream(1 + trial as u64);
        let rates = self.rates.index_axis(Axis(0), trial % self.rates.len_of(Axis(0)));
        let (mut spikes, mut times) = (Vec::new(), Vec::new());
        for (unit, rates) in rates.columns().into_iter().enumerate() {
            times.clear();
            for (bin, rate) in rates.iter().enumerate() {
                let count = draw_count(rate * self.bin_s, &mut random);
                if count > u32::from(u8::MAX) {
                    return Err(SimulateError::RunAway { unit, trial });
                }
                spread(bin, count, &mut random, &mut times);
            }
            spikes.extend(times.iter().map(|&at| (unit as u32, at)));
        }
        Ok(spikes)
    }
}
