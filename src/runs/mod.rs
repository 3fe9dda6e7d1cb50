//! The run folder on disk: everything that a training run leaves behind, written whole or not at all.
//!
//! ```text
//! my-run/
//!   manifest.json   layout and program version, status, recording, what was used of it, model, seed, device, times, list of files;
//!                   written last
//!   recipe.toml     everything that decides the result
//!   metrics.jsonl   losses, one point per line, and the references they are compared with
//!   results.npz     the final snapshot: filters, weights, scores, latents, … (see `results`)
//!   edges.csv       one row per ordered pair of areas, for spreadsheets (GLM-Transformer)
//!   weights.safetensors  parameters of the model as named f32 arrays (`weights.bpk`, burnpack, in runs of layout 1)
//!   summary.json    the line that `spikescope train --json` prints
//!   notes.json      optional: name, note and pin that the user gave (see `catalogue`)
//!   figures/*.png   optional pictures
//!   checkpoints/    what is needed to go on, until the run is complete (see `checkpoint`)
//!   run.lock, owner.json  who trains the run now
//!   results/edges.*  tests of the edges, when they were made (GLM-Transformer; see `evidence`)
//! ```
//!
//! A folder is written beside its place under another name, forced to disk and then renamed; see [`RunWriter`]. A run that is being
//! trained has its folder from the first step on (see [`LiveRun`]): the manifest then lists the recipe alone, and everything else
//! is in the newest checkpoint. Programs refuse layouts that are newer than they are.

pub mod catalogue;
mod checkpoint;
pub mod comparison;
mod contents;
mod edges;
mod error;
mod evidence;
mod foreign;
mod keeper;
mod live;
mod load;
mod lock;
#[cfg(test)]
pub(crate) mod made;
mod manifest;
mod metrics;
mod results;
mod retrained;
mod time;
mod used;
mod weights;
mod writer;

pub use checkpoint::{CHECKPOINTS, Checkpoint};
pub use contents::{RunContents, add_figures, write};
pub use edges::{EdgeRow, edge_rows};
pub use error::RunError;
pub use evidence::{EDGE_ARRAYS, EDGE_REPORT, EvidenceError, edge_report, save as save_edge_report, test_edges};
pub use foreign::read_weights;
pub use live::{LiveRun, Resumable, resumable};
pub use load::{LoadedRun, RunEntry, list, load};
pub use manifest::{FileEntry, LAYOUT, MANIFEST, Manifest, RecordingEntry, RecordingSource, RunStatus, StageEntry};
pub use retrained::{NETWORK_NULLS, test_edges_and_networks};
pub use time::{from_utc, utc};
pub use used::{DataDiffers, Difference, Selection, Used, compare_data};
pub use weights::NamedArray;
pub use writer::{RunWriter, check_target};

pub(crate) use checkpoint::{checkpoint_bytes, named};
pub(crate) use keeper::Kept;
pub(crate) use live::{nothing_yet, recipe_of};
pub(crate) use lock::locked;
pub(crate) use writer::{Fault, no_fault};

/// Recipe of the run, TOML.
pub const RECIPE: &str = "recipe.toml";
/// Losses, one JSON object per line.
pub const METRICS: &str = "metrics.jsonl";
/// Final snapshot.
pub const RESULTS: &str = "results.npz";
/// Pairs of areas as a table.
pub const EDGES: &str = "edges.csv";
/// Parameters of the model.
pub const WEIGHTS: &str = "weights.safetensors";
/// Parameters of the model in runs of earlier versions.
pub const OLD_WEIGHTS: &str = "weights.bpk";
/// The line of `train --json`.
pub const SUMMARY: &str = "summary.json";
/// Folder of pictures.
pub const FIGURES: &str = "figures";
