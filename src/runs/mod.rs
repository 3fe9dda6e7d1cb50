//! The run folder on disk: everything that a training run leaves behind, written whole or not at all.
//!
//! ```text
//! my-run/
//!   manifest.json   layout and program version, status, recording, model, seed, device, times, list of files; written last
//!   recipe.toml     everything that decides the result
//!   metrics.jsonl   losses, one point per line, and the references they are compared with
//!   results.npz     the final snapshot: filters, weights, scores, latents, … (see `results`)
//!   edges.csv       one row per ordered pair of areas, for spreadsheets (GLM-Transformer)
//!   weights.bpk     parameters of the model as named f32 arrays (burnpack)
//!   summary.json    the line that `spikescope train --json` prints
//!   notes.json      optional: name, note and pin that the user gave (see `catalogue`)
//!   figures/*.png   optional pictures
//! ```
//!
//! A folder is written beside its place under another name, forced to disk and then renamed; see [`RunWriter`]. Resuming adds
//! files and raises the layout; programs refuse layouts that are newer than they are.

pub mod catalogue;
pub mod comparison;
mod contents;
mod edges;
mod error;
mod load;
mod manifest;
mod metrics;
mod results;
mod time;
mod weights;
mod writer;

pub use contents::{RunContents, add_figures, write};
pub use edges::{EdgeRow, edge_rows};
pub use error::RunError;
pub use load::{LoadedRun, RunEntry, list, load};
pub use manifest::{FileEntry, LAYOUT, MANIFEST, Manifest, RecordingEntry, RecordingSource, RunStatus, StageEntry};
pub use time::{from_utc, utc};
pub use weights::NamedArray;
pub use writer::{RunWriter, check_target};

/// Recipe of the run, TOML.
pub const RECIPE: &str = "recipe.toml";
/// Losses, one JSON object per line.
pub const METRICS: &str = "metrics.jsonl";
/// Final snapshot.
pub const RESULTS: &str = "results.npz";
/// Pairs of areas as a table.
pub const EDGES: &str = "edges.csv";
/// Parameters of the model.
pub const WEIGHTS: &str = "weights.bpk";
/// The line of `train --json`.
pub const SUMMARY: &str = "summary.json";
/// Folder of pictures.
pub const FIGURES: &str = "figures";
