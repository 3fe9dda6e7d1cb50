//! What a recording is: spike trains, units, areas, interval tables, covariates and, when it was simulated, the truth.
//!
//! A [`Recording`] is built once by a reader (`formats`) or a simulator (`simulate`), checked by [`Recording::new`], and then
//! never changes: the window, the training thread and the command line share it behind an `Arc`. Times are f64 seconds on one
//! clock per recording.

mod activity;
mod area_edit;
mod areas;
mod artefact;
mod binning;
pub mod filter;
mod fingerprint;
mod groups;
pub mod quality;
mod report;
mod sidecar;
mod spikes;
mod split;
mod states;
mod subset;
mod table;
mod trials;
mod truth;

pub use activity::Activity;
pub use area_edit::{AreaEdit, AreaEditError, DepthRange};
pub use areas::{AreaError, AreaRule, AreaSplit};
pub use artefact::ArtefactMask;
pub use binning::{BinnedTrials, BinningError};
pub use fingerprint::{Fingerprint, Fingerprinting, fingerprint};
pub use groups::{CELL_TYPE, Groups};
pub use report::{Choice, ChoiceOption, ImportReport, Note, NoteKind};
pub use sidecar::{Prepared, SIDECAR_VERSION, Sidecar, SidecarError};
pub use spikes::SpikeTrains;
pub use split::{Split, SplitFractions, split_by_label, split_trials};
pub use states::{StateSource, States};
pub use table::{Column, IntervalTable, NamedColumn};
pub use trials::{TrialDropped, TrialError, TrialPlan, TrialSource, Trials};
pub use truth::{ChangingWeights, GlmTruth, TrueCurrents, TrueEdge, TrueRates, Truth, UnitEdge};

use std::path::PathBuf;
use std::sync::Arc;

/// Units of a recording: one row per spike train, in the order of the spike trains.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Units {
    /// Identifier as the file gives it (an integer id is written in decimal).
    pub ids: Vec<String>,
    /// Index into [`Recording::areas`] for every unit.
    pub area: Vec<usize>,
    /// Any further columns (quality, depth, `heldout`, …), one value per unit.
    pub columns: Vec<NamedColumn>,
}

/// A time series that goes with the recording (running speed, pupil, …).
#[derive(Debug, Clone, PartialEq)]
pub struct Covariate {
    /// Name, for example `pupil`.
    pub name: String,
    /// Physical unit of the values, empty when the file does not say.
    pub unit: String,
    /// Sample times in seconds, ascending.
    pub times: Vec<f64>,
    /// One value per time.
    pub values: Vec<f64>,
}

/// Where a recording came from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A file (or folder) on disk.
    File(PathBuf),
    /// A simulator, by name, with its parameters as one line of text and its seed.
    Simulated {
        /// Name of the simulator, for example `glm`.
        simulator: String,
        /// Parameters in words, for display.
        parameters: String,
        /// Random seed.
        seed: u64,
    },
}

/// One spike recording. Immutable once built; share it as `Arc<Recording>`.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Short name for titles (file stem or simulator name).
    pub name: String,
    /// Spike times per unit, seconds, ascending.
    pub spikes: SpikeTrains,
    /// One row per spike train.
    pub units: Units,
    /// Area names; every unit points at one of them.
    pub areas: Vec<String>,
    /// Trials, stimuli, epochs and any other interval table, in file order.
    pub tables: Vec<IntervalTable>,
    /// Time series beside the spikes.
    pub covariates: Vec<Covariate>,
    /// Continuous activity of the units, for recordings that are more than (or not) spikes.
    pub activity: Option<Activity>,
    /// Stretches in which units were observed, seconds, ascending and disjoint; empty when the file does not say.
    pub observed: Vec<(f64, f64)>,
    /// The truth behind a simulated recording.
    pub truth: Option<Truth>,
    /// File or simulator.
    pub source: Source,
    /// SHA-256 (hex) over spike times, offsets, unit ids and continuous activity, if any: the same data give the same fingerprint whatever the file format.
    pub fingerprint: String,
    /// What the import assumed, repaired and left out.
    pub report: ImportReport,
    /// What the user made of the recording as read (areas by hand, units left out, …); `None` when it is as read.
    pub prepared: Option<Arc<Prepared>>,
}

/// Everything a reader hands to [`Recording::new`].
#[derive(Debug, Clone, Default)]
pub struct RecordingParts {
    /// See [`Recording::name`].
    pub name: String,
    /// See [`Recording::spikes`].
    pub spikes: SpikeTrains,
    /// Unit ids, one per spike train.
    pub unit_ids: Vec<String>,
    /// Area name of every unit, as the source has it (may be empty text). Areas are numbered in order of first appearance.
    pub unit_areas: Vec<String>,
    /// Further unit columns.
    pub unit_columns: Vec<NamedColumn>,
    /// See [`Recording::tables`].
    pub tables: Vec<IntervalTable>,
    /// See [`Recording::covariates`].
    pub covariates: Vec<Covariate>,
    /// See [`Recording::activity`].
    pub activity: Option<Activity>,
    /// See [`Recording::observed`].
    pub observed: Vec<(f64, f64)>,
    /// See [`Recording::truth`].
    pub truth: Option<Truth>,
    /// See [`Recording::report`].
    pub report: ImportReport,
    /// The fingerprint of just these ids and spike times, where the reader made it while it read.
    pub fingerprint: Option<Fingerprint>,
}

/// Why parts do not make a recording.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
pub enum RecordingError {
    /// A per-unit list does not have one entry per spike train.
    #[error("{what} has {found} entries but there are {expected} spike trains")]
    Length {
        /// The list.
        what: String,
        /// Its length.
        found: usize,
        /// Number of spike trains.
        expected: usize,
    },
    /// Spike times not ascending or not finite.
    #[error("spike times of unit {unit} are not ascending and finite")]
    Times {
        /// Unit id.
        unit: String,
    },
    /// Continuous activity that cannot be used.
    #[error("continuous activity '{name}': all values, its start and its bin width must be finite numbers and the bin width above 0")]
    Activity {
        /// What the values are.
        name: String,
    },
    /// A table whose columns differ in length.
    #[error("table '{table}': column '{column}' has {found} rows, expected {expected}")]
    Table {
        /// Table name.
        table: String,
        /// Column name.
        column: String,
        /// Rows found.
        found: usize,
        /// Rows expected.
        expected: usize,
    },
}

impl Recording {
    /// Check the parts and build the recording. Spike times must already be ascending and finite within each unit
    /// (a reader sorts and reports); every list must have one entry per unit.
    ///
    /// # Errors
    /// [`RecordingError`] when lengths disagree or times are not ascending and finite.
    pub fn new(parts: RecordingParts, source: Source) -> Result<Self, RecordingError> {
        let known = parts.fingerprint.clone().map(|known| known.0);
        Self::build(parts, source, known)
    }

    /// As [`Self::new`]; a fingerprint that is known is not computed again.
    fn build(parts: RecordingParts, source: Source, known: Option<String>) -> Result<Self, RecordingError> {
        let n = parts.spikes.n_units();
        let check = |what: &str, found: usize| {
            if found == n { Ok(()) } else { Err(RecordingError::Length { what: what.to_owned(), found, expected: n }) }
        };
        check("unit ids", parts.unit_ids.len())?;
        check("unit areas", parts.unit_areas.len())?;
        for column in &parts.unit_columns {
            check(&format!("unit column '{}'", column.name), column.values.len())?;
        }
        if let Some(unit) = parts.spikes.unsound() {
            return Err(RecordingError::Times { unit: parts.unit_ids[unit].clone() });
        }
        for table in &parts.tables {
            table.check()?;
        }
        if let Some(activity) = &parts.activity {
            activity.check(n)?;
        }
        let mut areas: Vec<String> = Vec::new();
        let area = parts
            .unit_areas
            .iter()
            .map(|name| {
                areas.iter().position(|a| a == name).unwrap_or_else(|| {
                    areas.push(name.clone());
                    areas.len() - 1
                })
            })
            .collect();
        let fingerprint = known.unwrap_or_else(|| fingerprint(&parts.spikes, &parts.unit_ids, parts.activity.as_ref()));
        Ok(Self {
            name: parts.name,
            spikes: parts.spikes,
            units: Units { ids: parts.unit_ids, area, columns: parts.unit_columns },
            areas,
            tables: parts.tables,
            covariates: parts.covariates,
            activity: parts.activity,
            observed: parts.observed,
            truth: parts.truth,
            source,
            fingerprint,
            report: parts.report,
            prepared: None,
        })
    }

    /// Number of units.
    pub fn n_units(&self) -> usize {
        self.spikes.n_units()
    }

    /// First and last time in seconds at which there is a spike or continuous activity, `None` without either.
    pub fn time_range(&self) -> Option<(f64, f64)> {
        let activity = self.activity.as_ref().and_then(Activity::time_range);
        match (self.spikes.time_range(), activity) {
            (Some(spikes), Some(activity)) => Some((spikes.0.min(activity.0), spikes.1.max(activity.1))),
            (spikes, activity) => spikes.or(activity),
        }
    }

    /// Seconds that rates are counted over: what was observed where the file says so, else from the first to the last time.
    pub fn observed_seconds(&self) -> f64 {
        let observed: f64 = self.observed.iter().map(|(a, b)| (b - a).max(0.0)).sum();
        let whole = || self.time_range().map_or(0.0, |(first, last)| last - first);
        if observed > 0.0 { observed } else { whole() }
    }

    /// Units of area `area`, ascending.
    pub fn units_of_area(&self, area: usize) -> Vec<usize> {
        (0..self.n_units()).filter(|&u| self.units.area[u] == area).collect()
    }

    /// The interval table called `name`.
    pub fn table(&self, name: &str) -> Option<&IntervalTable> {
        self.tables.iter().find(|t| t.name == name)
    }
}
