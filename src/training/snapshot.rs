//! What the window draws while a model trains: one immutable value, replaced by a newer one (latest wins). What every model has
//! is here, what only one has in its own part.

mod glm;
mod netformer;
mod stndt;

pub use glm::{GlmSnapshot, GlmTrial, PairSnapshot, Support, TruthScore};
pub use netformer::{ConnectivityScores, NetFormerSnapshot};
pub use stndt::{Importance, LayerAttention, RateScores, StndtSnapshot, Trajectories};

/// One chosen trial, for views of single trials.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialSnapshot {
    /// Index of the trial among the trials used.
    pub trial: usize,
    /// Log-rate per bin `[bins][units]`, of a GLM-Transformer without its post-spike term (see [`Snapshot::rates_hz`]); empty when the
    /// model has no rates.
    pub log_rate: Vec<Vec<f32>>,
}

/// What only one model has.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelSnapshot {
    /// GLM-Transformer.
    Glm(GlmSnapshot),
    /// STNDT or NDT.
    Stndt(StndtSnapshot),
    /// NetFormer.
    NetFormer(NetFormerSnapshot),
}

/// State of a model in training.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Grows with every publication; a view uploads again only when it changed.
    pub version: u64,
    /// Stage, from 1.
    pub stage: usize,
    /// Optimiser steps since the start of training.
    pub step: u64,
    /// Bin width, seconds.
    pub bin_s: f64,
    /// Area names.
    pub areas: Vec<String>,
    /// Units per area.
    pub area_sizes: Vec<usize>,
    /// Unit of the recording behind every model unit (areas one after another).
    pub units: Vec<usize>,
    /// The trials that views asked for.
    pub trials: Vec<TrialSnapshot>,
    /// What only this model has.
    pub model: ModelSnapshot,
}

impl Snapshot {
    /// The part of a GLM-Transformer.
    pub fn glm(&self) -> Option<&GlmSnapshot> {
        match &self.model {
            ModelSnapshot::Glm(glm) => Some(glm),
            _ => None,
        }
    }

    /// The part of an STNDT or NDT.
    pub fn stndt(&self) -> Option<&StndtSnapshot> {
        match &self.model {
            ModelSnapshot::Stndt(stndt) => Some(stndt),
            _ => None,
        }
    }

    /// The part of a NetFormer.
    pub fn netformer(&self) -> Option<&NetFormerSnapshot> {
        match &self.model {
            ModelSnapshot::NetFormer(netformer) => Some(netformer),
            _ => None,
        }
    }

    /// How well the activity of every unit is predicted on trials (or bins) that the model was not fitted on, and in which measure:
    /// `bits/spike` beyond the unit's mean rate there (an STNDT sees the spikes of units that are not held out), or R². `None`
    /// without a spike; no values before they are known.
    pub fn unit_fit(&self) -> (&'static str, Vec<Option<f32>>) {
        match &self.model {
            ModelSnapshot::Glm(glm) => ("bits/spike", glm.unit_bits.clone()),
            ModelSnapshot::Stndt(stndt) => ("bits/spike", stndt.unit_bits.clone()),
            ModelSnapshot::NetFormer(netformer) => ("R²", netformer.r2.iter().map(|&r2| Some(r2).filter(|r2| r2.is_finite())).collect()),
        }
    }

    /// Rate in Hz of one column in every bin of the trial at `place` of [`Self::trials`], past spikes included where the model has
    /// learned what they do; NaN where there is none.
    pub fn rates_hz(&self, place: usize, column: usize) -> impl Iterator<Item = f64> {
        let log_rate = self.trials.get(place).map(|t| t.log_rate.as_slice()).unwrap_or_default();
        let past = self.glm().and_then(|glm| glm.trials.get(place)).map(|t| t.post_spike.as_slice()).unwrap_or_default();
        log_rate.iter().enumerate().map(move |(bin, row)| {
            let past = past.get(bin).and_then(|row| row.get(column)).copied().unwrap_or(0.0);
            row.get(column).map_or(f64::NAN, |z| f64::from(z + past).exp() / self.bin_s)
        })
    }

    /// Coupled pairs of areas; none when the model has no coupling.
    pub fn pairs(&self) -> &[PairSnapshot] {
        self.glm().map_or(&[], |glm| &glm.pairs)
    }

    /// How well true edges have been found, by step; none when the model has no coupling or no truth is known.
    pub fn truth(&self) -> &[(u64, TruthScore)] {
        self.glm().map_or(&[], |glm| &glm.truth)
    }

    /// Trials with a latent, and their latents `[area][trials][dimensions]`; none when the model has no such latents.
    pub fn latents(&self) -> (&[usize], &[Vec<Vec<f32>>]) {
        self.glm().map_or((&[], &[]), |glm| (&glm.latent_trials, &glm.latents))
    }
}
