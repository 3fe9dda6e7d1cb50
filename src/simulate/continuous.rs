//! A recording of continuous activity: what the simulators of rate networks share.

use ndarray::Array2;

use super::SimulateError;
use crate::recording::{Activity, Covariate, IntervalTable, NamedColumn, Recording, RecordingParts, Source, SpikeTrains, Truth};

/// What was simulated. Units are numbered from 0 and lie in one area that has the simulator's name.
pub(super) struct Continuous {
    /// Name of the simulator.
    pub(super) name: &'static str,
    /// Settings in words.
    pub(super) parameters: String,
    /// Random seed.
    pub(super) seed: u64,
    /// Seconds from one bin to the next.
    pub(super) bin_s: f64,
    /// Activity `[bins, units]`, without a physical unit.
    pub(super) values: Array2<f64>,
    /// Columns of the units.
    pub(super) unit_columns: Vec<NamedColumn>,
    /// Interval tables.
    pub(super) tables: Vec<IntervalTable>,
    /// Time series beside the activity.
    pub(super) covariates: Vec<Covariate>,
    /// What is true of it.
    pub(super) truth: Truth,
}

impl Continuous {
    pub(super) fn recording(self) -> Result<Recording, SimulateError> {
        let (bins, units) = self.values.dim();
        let parts = RecordingParts {
            name: self.name.to_owned(),
            spikes: SpikeTrains::from_units(vec![Vec::new(); units]),
            unit_ids: (0..units).map(|unit| unit.to_string()).collect(),
            unit_areas: vec![self.name.to_owned(); units],
            unit_columns: self.unit_columns,
            tables: self.tables,
            covariates: self.covariates,
            activity: Some(Activity {
                name: "state".to_owned(),
                unit: String::new(),
                start_s: 0.0,
                bin_s: self.bin_s,
                values: self.values.into_shared(),
            }),
            observed: vec![(0.0, bins as f64 * self.bin_s)],
            truth: Some(self.truth),
            ..RecordingParts::default()
        };
        let source = Source::Simulated { simulator: self.name.to_owned(), parameters: self.parameters, seed: self.seed };
        Ok(Recording::new(parts, source)?)
    }
}
