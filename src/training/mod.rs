//! Training in the background: a [`Recipe`] and a recording start a named thread with its own device; the thread publishes
//! [`Progress`], a loss log and [`Snapshot`]s, and obeys [`Command`]s after every step.

mod baseline;
pub mod bench;
mod control;
mod data;
mod device;
mod estimate;
mod glm;
mod handle;
mod learner;
mod losslog;
mod netformer;
mod priority;
pub mod recipe;
pub mod shared_background;
pub mod snapshot;
mod stndt;
pub mod sweep;
mod thread;

pub use data::{DataError, Prepared, References};
pub use device::{NoDevice, TrainingDevice, open as open_device};
pub use estimate::{DataShape, Estimate, estimate};
pub use handle::{Command, Finished, Phase, Progress, StageProgress, StartOptions, TrainingError, TrainingHandle};
pub use losslog::{LossLog, LossPoint, LossTerm, MOST_TERMS, TermValues};
pub use netformer::ActivityShape;
pub use priority::yield_to_the_window;
pub use recipe::{
    AttentionActivation, BaselineMethod, BaselineRecipe, ContrastTarget, DataRecipe, DeviceChoice, Fit, GlmRecipe, HeldOut, MaskUnit,
    ModelRecipe, NetFormerRecipe, PRESETS, Preset, RateSchedule, Recipe, RecipeError, RecipeField, Signal, Standardise, StndtRecipe,
    Variant,
};
pub use snapshot::{
    ConnectivityScores, GlmSnapshot, GlmTrial, Importance, LayerAttention, ModelSnapshot, NetFormerSnapshot, PairSnapshot, RateScores,
    Snapshot, StndtSnapshot, Support, Trajectories, TrialSnapshot, TruthScore,
};
pub use stndt::{
    Decoding, Ensemble, EnsembleError, Evaluation, EvaluationError, LesionCurve, LesionPlan, LesionPoint, RateModel, RateModelError,
    RateScorer, decode, velocity_covariates,
};
