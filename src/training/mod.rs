//! Training in the background: a [`Recipe`] and a recording start a named thread with its own device; the thread publishes
//! [`Progress`], a loss log and [`Snapshot`]s, and obeys [`Command`]s after every step.

pub mod bench;
mod control;
mod data;
mod device;
mod estimate;
mod glm;
mod handle;
mod learner;
mod losslog;
mod priority;
pub mod recipe;
pub mod snapshot;
mod stndt;
pub mod sweep;
mod thread;

pub use data::{DataError, Prepared, References};
pub use device::{NoDevice, TrainingDevice, open as open_device};
pub use estimate::{DataShape, Estimate, estimate};
pub use handle::{Command, Finished, Phase, Progress, StageProgress, StartOptions, TrainingError, TrainingHandle};
pub use losslog::{LossLog, LossPoint, LossTerm, MOST_TERMS, TermValues};
pub use priority::yield_to_the_window;
pub use recipe::{
    ContrastTarget, DataRecipe, DeviceChoice, GlmRecipe, HeldOut, MaskUnit, ModelRecipe, PRESETS, Preset, Recipe, RecipeError, RecipeField,
    StndtRecipe, Variant,
};
pub use snapshot::{
    GlmSnapshot, GlmTrial, Importance, LayerAttention, ModelSnapshot, PairSnapshot, RateScores, Snapshot, StndtSnapshot, Support,
    Trajectories, TrialSnapshot, TruthScore,
};
pub use stndt::{
    Decoding, Ensemble, EnsembleError, Evaluation, EvaluationError, LesionCurve, LesionPlan, LesionPoint, RateModel, RateModelError,
    decode, velocity_covariates,
};
