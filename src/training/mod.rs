//! Training in the background: a [`Recipe`] and a recording start a named thread with its own device; the thread publishes
//! [`Progress`], a loss log and [`Snapshot`]s, and obeys [`Command`]s after every step.

mod handle;
pub mod recipe;
pub mod snapshot;
mod thread;

pub use handle::{Command, Finished, LossLog, LossPoint, Phase, Progress, StageProgress, StartOptions, TrainingError, TrainingHandle};
pub use recipe::{DataRecipe, DeviceChoice, GlmRecipe, ModelRecipe, Recipe, RecipeError, RecipeField};
pub use snapshot::{PairSnapshot, Snapshot, Support, TrialSnapshot, TruthScore};
