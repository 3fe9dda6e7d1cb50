//! Training in the background: a [`Recipe`] and a recording start a named thread with its own device; the thread publishes
//! [`Progress`], a loss log and [`Snapshot`]s, and obeys [`Command`]s after every step.

mod baseline;
pub mod bench;
pub mod benchmarks;
mod checkpoints;
mod control;
mod data;
mod device;
mod estimate;
mod glm;
mod handle;
mod kept;
mod learner;
mod losslog;
mod material;
mod memory;
mod netformer;
mod priority;
pub mod recipe;
mod saved;
mod screening;
mod seam;
pub mod shared_background;
pub mod snapshot;
mod stndt;
mod stopper;
pub mod sweep;
mod thread;

pub use checkpoints::CheckpointPlan;
pub use data::{DataError, Prepared, References};
pub use device::{NoDevice, TrainingDevice, open as open_device};
pub use estimate::{DataShape, Estimate, estimate};
pub use glm::frozen_model;
pub use handle::{
    Command, Finished, OnDeviceLost, Phase, Progress, StageProgress, StartOptions, TrainingError, TrainingHandle, TrainingWatch,
};
pub use losslog::{LossLog, LossPoint, LossTerm, MOST_TERMS, TermValues};
pub use material::{CheckError, check_data};
pub use memory::{DeviceLimits, MemoryFit, MemoryNeed, device_limits, memory_fit, memory_need};
pub use netformer::{ActivityShape, Block, NetFormerModel, NetFormerModelError, Part, stretches_of};
pub use priority::yield_to_the_window;
pub use recipe::{
    AttentionActivation, BaselineMethod, BaselineRecipe, ContrastTarget, DataRecipe, DeviceChoice, Fit, GlmRecipe, HeldOut, LeftOut,
    MaskUnit, ModelRecipe, NetFormerRecipe, PRESETS, Preset, RateSchedule, Recipe, RecipeError, RecipeField, Signal, Standardise,
    StndtRecipe, Variant,
};
pub use screening::{ScreeningError, screen_recording};
pub use snapshot::{
    ConnectivityScores, GlmSnapshot, GlmTrial, Importance, LayerAttention, ModelSnapshot, NetFormerSnapshot, PairSnapshot, RateScores,
    Snapshot, StndtSnapshot, Support, Trajectories, TrialSnapshot, TruthScore,
};
pub use stndt::{
    Beside, Decoding, Ensemble, EnsembleError, Evaluation, EvaluationError, LesionCurve, LesionPlan, LesionPoint, RateModel,
    RateModelError, RateScorer, decode, produced_column, produced_correlation, velocity_covariates,
};
pub(crate) use thread::panic_text;
