//! Tests of the edges of a run: computed from its folder, and kept in it as `results/edges.json` (everything, to be shown again) and
//! `results/edges.npz` (arrays for NumPy).
//!
//! | array of `edges.npz` | shape | meaning |
//! |---|---|---|
//! | `areas`, `bin_s` | areas; – | names; bin width in s |
//! | `pairs` | pairs × 2 | source and target area |
//! | `fitted`, `supported` | pairs | 1 when the run fitted it; 0 not supported, 1 supported, 2 not settled |
//! | `contribution_percent`, `mean_output`, `train_gain` | pairs | test trials, %; log-rate; nats on training trials |
//! | `held_out` | pairs × test trials | difference of log-likelihoods with and without the pair, nats |
//! | `held_out_p`, `held_out_q` | pairs | one-sided; Benjamini–Hochberg |
//! | `null_shuffle`, `null_jitter` | pairs × copies | contribution of every copy, %, NaN where none was drawn |
//! | `null_shuffle_p`, `null_jitter_p` | pairs | permutation p-value of the size of the contribution |
//! | `null_shuffle_gain`, `null_jitter_gain` | pairs × copies | gain in log-likelihood of every copy, nats |
//! | `null_shuffle_p_gain`, `null_jitter_p_gain` | pairs | permutation p-value of the gain, which the verdict is made of |
//! | `filter`, `filter_low`, `filter_high` | pairs × lags | filter and its band, NaN without one; lag index k acts at k + 1 bins |
//! | `course`, `course_low`, `course_high` | pairs × bins | mean coupling output over the trial and its band, log-rate |
//! | `found`, `halves` | pairs | halves of the training trials in which it was found, of so many |
//! | `network_seed`, `network_contribution_percent`, `network_supported` | pairs × networks | networks trained anew from other seeds |

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;

use super::contents::add_files;
use super::{Manifest, RunError, load};
use crate::analysis::edge_test::{self, Band, EdgeEvidence, EdgeReport, EdgeTestPlan, NullKind, Retrained, Verdict};
use crate::analysis::watch::Watch;
use crate::export::{NpzArray, NpzArrays};
use crate::recording::Recording;
use crate::training::{RateModelError, frozen_model};

/// Report of the tests of edges.
pub const EDGE_REPORT: &str = "results/edges.json";
/// The same as arrays.
pub const EDGE_ARRAYS: &str = "results/edges.npz";

/// Why the edges of a run cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The network.
    #[error(transparent)]
    Model(#[from] RateModelError),
    /// Nothing to test.
    #[error("{0}")]
    Nothing(String),
}

/// Test the edges of the run in `folder`, which was trained on `recording`, and keep the report in the folder. `doing` hears what is
/// being prepared, `publish` the report so far after every pair. A stopped watch gives (and keeps) what was done; `None` when that is
/// nothing.
///
/// # Errors
/// [`EvidenceError`] says what does not fit.
pub fn test_edges(
    folder: &Path,
    recording: &Arc<Recording>,
    plan: &EdgeTestPlan,
    watch: &Watch,
    doing: &dyn Fn(&str),
    publish: &mut dyn FnMut(&EdgeReport),
) -> Result<Option<EdgeReport>, EvidenceError> {
    doing("reading the run");
    let run = load(folder)?;
    if run.manifest.recording.fingerprint != recording.fingerprint {
        return Err(EvidenceError::Nothing(format!(
            "{}: the run was trained on '{}', whose data differ from those of '{}'; open the recording that it was trained on",
            folder.display(),
            run.manifest.recording.name,
            recording.name
        )));
    }
    let stage = run.snapshot.as_ref().map_or(0, |s| s.stage);
    doing("own dynamics of every trial");
    let frozen = frozen_model(&run.recipe, recording, &run.weights()?, stage, &mut |_| !watch.stopped())?;
    let Some(model) = frozen else { return Ok(None) };
    if model.areas.len() < 2 {
        return Err(EvidenceError::Nothing(
            "the run has one area, so there is no pair of areas to test; train with two areas or more".to_owned(),
        ));
    }
    doing("testing edges");
    let report = edge_test::run(&model, plan, watch, publish);
    if report.edges.is_empty() {
        return Ok(None);
    }
    save(folder, &report)?;
    Ok(Some(report))
}

/// Keep a report with its run.
///
/// # Errors
/// [`RunError`] names the file; the run is still a good one.
pub fn save(folder: &Path, report: &EdgeReport) -> Result<(), RunError> {
    let json = serde_json::to_vec_pretty(report).map_err(RunError::contents(EDGE_REPORT))?;
    let mut npz = std::io::Cursor::new(Vec::new());
    arrays(report).write_to(&mut npz).map_err(RunError::contents(EDGE_ARRAYS))?;
    add_files(folder, &[(EDGE_REPORT.to_owned(), json), (EDGE_ARRAYS.to_owned(), npz.into_inner())])
}

/// The report that a run keeps; `None` when its edges were not tested.
///
/// # Errors
/// [`RunError`] when the run or the report cannot be read.
pub fn edge_report(folder: &Path) -> Result<Option<EdgeReport>, RunError> {
    let manifest = Manifest::read(folder)?;
    if !manifest.has(EDGE_REPORT) {
        return Ok(None);
    }
    let bytes = manifest.file(folder, EDGE_REPORT)?.read(folder)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| RunError::damaged(&folder.join(EDGE_REPORT))(e.to_string()))
}

fn arrays(report: &EdgeReport) -> NpzArrays {
    let edges = &report.edges;
    let mut out = NpzArrays::default();
    let numbers = |of: &dyn Fn(&EdgeEvidence) -> f64| NpzArray::F64(edges.iter().map(of).collect::<ndarray::Array1<f64>>().into_dyn());
    let flags = |of: &dyn Fn(&EdgeEvidence) -> u8| NpzArray::U8(edges.iter().map(of).collect::<ndarray::Array1<u8>>().into_dyn());
    out.add("areas", NpzArray::Text(report.areas.clone()));
    out.add("bin_s", NpzArray::scalar(report.bin_s));
    let pairs =
        Array2::from_shape_fn((edges.len(), 2), |(k, side)| edges.get(k).map_or(0, |e| if side == 0 { e.source } else { e.target }) as u64);
    out.add("pairs", NpzArray::U64(pairs.into_dyn()));
    out.add("fitted", flags(&|e| u8::from(e.fitted)));
    let verdict = |e: &EdgeEvidence| match e.verdict(report.plan.level) {
        Verdict::NotSupported => 0,
        Verdict::Supported => 1,
        Verdict::Mixed => 2,
    };
    out.add("supported", flags(&verdict));
    out.add("contribution_percent", numbers(&|e| e.contribution_percent));
    out.add("mean_output", numbers(&|e| e.mean_output));
    out.add("train_gain", numbers(&|e| e.train_gain));
    out.add("held_out", table(edges.iter().map(|e| Some(e.held_out.per_trial.as_slice()))));
    out.add("held_out_p", numbers(&|e| e.held_out.p));
    out.add("held_out_q", numbers(&|e| e.held_out.q));
    out.add("held_out_gain_alone", numbers(&|e| e.held_out.alone.unwrap_or(f64::NAN)));
    for (kind, name) in [(NullKind::Shuffle, "null_shuffle"), (NullKind::Jitter, "null_jitter")] {
        let null = |e: &EdgeEvidence| e.nulls.iter().find(|n| n.kind == kind).cloned();
        let nulls: Vec<_> = edges.iter().map(null).collect();
        out.add(name, table(nulls.iter().map(|n| n.as_ref().map(|n| n.contributions.as_slice()))));
        out.add(format!("{name}_p"), numbers(&|e| null(e).map_or(f64::NAN, |n| n.p)));
        out.add(format!("{name}_gain"), table(nulls.iter().map(|n| n.as_ref().map(|n| n.gains.as_slice()))));
        out.add(format!("{name}_p_gain"), numbers(&|e| null(e).map_or(f64::NAN, |n| n.p_gain)));
    }
    out.add("filter", table(edges.iter().map(|e| Some(e.filter.as_slice()))));
    out.add("course", table(edges.iter().map(|e| Some(e.course.as_slice()))));
    let band = |of: &dyn Fn(&EdgeEvidence) -> Option<&Band>, high: bool| {
        table(edges.iter().map(|e| of(e).map(|b| if high { b.high.as_slice() } else { b.low.as_slice() })))
    };
    for (high, end) in [(false, "low"), (true, "high")] {
        out.add(format!("filter_{end}"), band(&|e| e.bands.as_ref().map(|b| &b.filter), high));
        out.add(format!("course_{end}"), band(&|e| e.bands.as_ref().map(|b| &b.course), high));
    }
    out.add("found", numbers(&|e| e.stability.as_ref().map_or(f64::NAN, |s| s.count() as f64)));
    out.add("halves", numbers(&|e| e.stability.as_ref().map_or(0.0, |s| s.found.len() as f64)));
    let networks = |of: &dyn Fn(&Retrained) -> f64| {
        let rows: Vec<Vec<f64>> = edges.iter().map(|e| e.networks.iter().map(of).collect()).collect();
        table(rows.iter().map(|row| Some(row.as_slice())))
    };
    out.add("network_seed", networks(&|n| n.seed as f64));
    out.add("network_contribution_percent", networks(&|n| n.contribution_percent));
    out.add("network_supported", networks(&|n| f64::from(u8::from(n.supported))));
    out
}

/// Rows of different length, filled up with NaN.
fn table<'a>(rows: impl Iterator<Item = Option<&'a [f64]>>) -> NpzArray {
    let rows: Vec<&[f64]> = rows.map(Option::unwrap_or_default).collect();
    let width = rows.iter().map(|r| r.len()).max().unwrap_or(0);
    let at = |(row, column): (usize, usize)| rows.get(row).and_then(|r| r.get(column)).copied().unwrap_or(f64::NAN);
    NpzArray::F64(Array2::from_shape_fn((rows.len(), width), at).into_dyn())
}
