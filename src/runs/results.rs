//! The final snapshot as NPZ arrays, for `numpy.load` and to be shown again.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `step`, `stage`, `version`, `bin_s` | – | optimiser steps, stage 1–4, publication number, bin width in s |
//! | `areas` | areas | names (read back from the manifest) |
//! | `area_sizes`, `units` | areas; units | units per area; unit of the recording behind every model unit |
//! | `pairs` | pairs × 2 | source and target area of every ordered pair |
//! | `support` | pairs × 2 | edge score and threshold of its jitter null, NaN when not scored |
//! | `supported` | pairs | 0 no, 1 yes, 2 not scored |
//! | `contribution_percent`, `mean_output` | pairs | % of the target's rate variance; log-rate |
//! | `filter_K`, `send_K`, `receive_K` | rank × lags; rank × units | coupling of pair K; lag index k acts at k + 1 bins |
//! | `candidate_K` | lags | filter that the score found for a pair that is not supported; else empty |
//! | `post_spike` | units × lags | post-spike filters (log-rate) |
//! | `latent_trials`, `latents_A` | trials; trials × dimensions | latent means of area A |
//! | `trials` | trials | trials with detail; trial number T of these has: |
//! | `trialT_coupling_K`, `trialT_factors_A`, `trialT_log_rate` | rank × bins; factors × bins; bins × units | single-trial detail |
//! | `truth_step`, `truth_pair`, `truth_score` | n; n × 2; n × 3 | steps; source, target; \|cos\| send, \|cos\| receive, filter correlation |
//! | `loss_step`, `loss_stage`, `loss_validation`, `loss_terms` | n; n; n; n × terms | losses (read back from metrics.jsonl) |
//! | `loss_names` | terms | names of the terms |

use ndarray::{Array2, Ix2};

use crate::export::{NpzArray, NpzArrays, NpzError, NpzSource};
use crate::training::{LossLog, PairSnapshot, Snapshot, Support, TrialSnapshot, TruthScore};

/// The arrays of a snapshot and of the losses that led to it.
///
/// # Errors
/// The name of an array whose rows differ in length.
pub(super) fn to_arrays(snapshot: &Snapshot, losses: &LossLog) -> Result<NpzArrays, String> {
    let mut out = Output(NpzArrays::default());
    out.0.add("step", NpzArray::index(snapshot.step));
    out.0.add("stage", NpzArray::index(snapshot.stage as u64));
    out.0.add("version", NpzArray::index(snapshot.version));
    out.0.add("bin_s", NpzArray::scalar(snapshot.bin_s));
    out.0.add("areas", NpzArray::Text(snapshot.areas.clone()));
    out.indices("area_sizes", &snapshot.area_sizes);
    out.indices("units", &snapshot.units);
    out.pairs(&snapshot.pairs)?;
    out.rows("post_spike", &snapshot.post_spike)?;
    out.indices("latent_trials", &snapshot.latent_trials);
    out.tables("latents", &snapshot.latents)?;
    out.indices("trials", &snapshot.trials.iter().map(|t| t.trial).collect::<Vec<_>>());
    for (number, trial) in snapshot.trials.iter().enumerate() {
        out.tables(&format!("trial{number}_coupling"), &trial.coupling)?;
        out.tables(&format!("trial{number}_factors"), &trial.factors)?;
        out.rows(&format!("trial{number}_log_rate"), &trial.log_rate)?;
    }
    out.truth(&snapshot.truth);
    out.losses(losses);
    Ok(out.0)
}

/// The snapshot from its arrays; the names of the areas come from the manifest.
///
/// # Errors
/// [`NpzError`] names the array that is missing or does not fit.
pub(super) fn from_arrays(npz: &mut NpzSource, areas: Vec<String>) -> Result<Snapshot, NpzError> {
    let stage = npz.scalar::<u64>("stage")?;
    let trials = npz.indices("trials")?.into_iter().enumerate().map(|(number, trial)| {
        Ok(TrialSnapshot {
            trial,
            coupling: tables(npz, &format!("trial{number}_coupling"))?,
            factors: tables(npz, &format!("trial{number}_factors"))?,
            log_rate: npz.rows(&format!("trial{number}_log_rate"))?,
        })
    });
    let trials = trials.collect::<Result<_, NpzError>>()?;
    Ok(Snapshot {
        version: npz.scalar("version")?,
        stage: usize::try_from(stage).map_err(|e| npz.wrong("stage", e))?,
        step: npz.scalar("step")?,
        bin_s: npz.scalar("bin_s")?,
        area_sizes: same_length(npz, "area_sizes", areas.len())?,
        areas,
        units: npz.indices("units")?,
        pairs: pairs(npz)?,
        post_spike: npz.rows("post_spike")?,
        latent_trials: npz.indices("latent_trials")?,
        latents: tables(npz, "latents")?,
        trials,
        truth: truth(npz)?,
    })
}

struct Output(NpzArrays);

impl Output {
    fn indices(&mut self, name: &str, values: &[usize]) {
        self.0.add(name, NpzArray::indices(values.iter().map(|&v| v as u64).collect()));
    }

    fn rows(&mut self, name: &str, rows: &[Vec<f32>]) -> Result<(), String> {
        let array = NpzArray::rows(rows).ok_or_else(|| format!("the rows of '{name}' differ in length"))?;
        self.0.add(name, array);
        Ok(())
    }

    /// A list of tables that may differ in size: one array each.
    fn tables(&mut self, name: &str, tables: &[Vec<Vec<f32>>]) -> Result<(), String> {
        tables.iter().enumerate().try_for_each(|(i, table)| self.rows(&format!("{name}_{i}"), table))
    }

    fn pairs(&mut self, pairs: &[PairSnapshot]) -> Result<(), String> {
        let areas: Vec<u64> = pairs.iter().flat_map(|p| [p.source as u64, p.target as u64]).collect();
        self.0.add("pairs", table(areas, 2, NpzArray::U64));
        let scores = pairs.iter().flat_map(|p| match p.support {
            Support::NotScored => [f32::NAN, f32::NAN],
            Support::Scored { score, null, .. } => [score, null],
        });
        self.0.add("support", table(scores.collect(), 2, NpzArray::F32));
        let supported = pairs.iter().map(|p| match p.support {
            Support::Scored { supported, .. } => u8::from(supported),
            Support::NotScored => 2,
        });
        self.0.add("supported", NpzArray::U8(supported.collect::<ndarray::Array1<u8>>().into_dyn()));
        self.0.add("contribution_percent", NpzArray::list(pairs.iter().map(|p| p.contribution_percent).collect()));
        self.0.add("mean_output", NpzArray::list(pairs.iter().map(|p| p.mean_output).collect()));
        for (k, pair) in pairs.iter().enumerate() {
            self.rows(&format!("filter_{k}"), &pair.filter)?;
            self.0.add(format!("candidate_{k}"), NpzArray::list(pair.candidate.clone()));
            self.rows(&format!("send_{k}"), &pair.send)?;
            self.rows(&format!("receive_{k}"), &pair.receive)?;
        }
        Ok(())
    }

    fn truth(&mut self, truth: &[(u64, TruthScore)]) {
        self.0.add("truth_step", NpzArray::indices(truth.iter().map(|(step, _)| *step).collect()));
        self.0.add("truth_pair", table(truth.iter().flat_map(|(_, t)| [t.source as u64, t.target as u64]).collect(), 2, NpzArray::U64));
        self.0.add(
            "truth_score",
            table(truth.iter().flat_map(|(_, t)| [t.cos_send, t.cos_receive, t.filter_corr]).collect(), 3, NpzArray::F32),
        );
    }

    fn losses(&mut self, losses: &LossLog) {
        let points = &losses.points;
        self.0.add("loss_step", NpzArray::indices(points.iter().map(|p| p.step).collect()));
        self.0.add("loss_stage", NpzArray::indices(points.iter().map(|p| u64::from(p.stage)).collect()));
        self.0.add(
            "loss_validation",
            NpzArray::U8(points.iter().map(|p| u8::from(p.validation)).collect::<ndarray::Array1<u8>>().into_dyn()),
        );
        let terms = losses.terms.len();
        self.0.add("loss_names", NpzArray::Text(losses.terms.iter().map(|term| term.key.to_owned()).collect()));
        self.0
            .add("loss_terms", table(points.iter().flat_map(|p| p.values.into_iter().take(terms)).collect(), terms.max(1), NpzArray::F32));
    }
}

/// Values as rows of `width`; `values` holds whole rows by construction.
fn table<T: Clone>(values: Vec<T>, width: usize, kind: impl Fn(ndarray::ArrayD<T>) -> NpzArray) -> NpzArray {
    let rows = values.len() / width;
    kind(Array2::from_shape_fn((rows, width), |(r, c)| values[r * width + c].clone()).into_dyn())
}

fn tables(npz: &mut NpzSource, name: &str) -> Result<Vec<Vec<Vec<f32>>>, NpzError> {
    let mut tables = Vec::new();
    while npz.has(&format!("{name}_{}", tables.len())) {
        tables.push(npz.rows(&format!("{name}_{}", tables.len()))?);
    }
    Ok(tables)
}

/// A list of indices with as many entries as something else.
fn same_length(npz: &mut NpzSource, name: &str, length: usize) -> Result<Vec<usize>, NpzError> {
    let values = npz.indices(name)?;
    if values.len() == length { Ok(values) } else { Err(npz.wrong(name, format!("it has {} entries, expected {length}", values.len()))) }
}

/// A table of whole numbers or reals with a fixed number of rows and columns.
fn sized<A: ndarray_npy::ReadableElement>(npz: &mut NpzSource, name: &str, rows: usize, columns: usize) -> Result<Array2<A>, NpzError> {
    let array = npz.array::<A, Ix2>(name)?;
    if array.dim() == (rows, columns) {
        Ok(array)
    } else {
        Err(npz.wrong(name, format!("its shape is {:?}, expected ({rows}, {columns})", array.dim())))
    }
}

fn index(npz: &NpzSource, name: &str, value: u64) -> Result<usize, NpzError> {
    usize::try_from(value).map_err(|e| npz.wrong(name, e))
}

fn pairs(npz: &mut NpzSource) -> Result<Vec<PairSnapshot>, NpzError> {
    let supported = npz.list::<u8>("supported")?;
    let n = supported.len();
    let areas = sized::<u64>(npz, "pairs", n, 2)?;
    let support = sized::<f32>(npz, "support", n, 2)?;
    let contribution = npz.list::<f32>("contribution_percent")?;
    let output = npz.list::<f32>("mean_output")?;
    if contribution.len() != n || output.len() != n {
        return Err(npz.wrong("contribution_percent", format!("it and mean_output must have {n} entries")));
    }
    let mut pairs = Vec::with_capacity(n);
    for (k, (&flag, (contribution_percent, mean_output))) in supported.iter().zip(contribution.into_iter().zip(output)).enumerate() {
        let (score, null) = (support[[k, 0]], support[[k, 1]]);
        let support = match flag {
            0 | 1 => Support::Scored { score, null, supported: flag == 1 },
            2 => Support::NotScored,
            other => return Err(npz.wrong("supported", format!("{other} is none of 0, 1, 2"))),
        };
        pairs.push(PairSnapshot {
            source: index(npz, "pairs", areas[[k, 0]])?,
            target: index(npz, "pairs", areas[[k, 1]])?,
            support,
            filter: npz.rows(&format!("filter_{k}"))?,
            candidate: npz.list(&format!("candidate_{k}"))?,
            send: npz.rows(&format!("send_{k}"))?,
            receive: npz.rows(&format!("receive_{k}"))?,
            contribution_percent,
            mean_output,
        });
    }
    Ok(pairs)
}

fn truth(npz: &mut NpzSource) -> Result<Vec<(u64, TruthScore)>, NpzError> {
    let steps = npz.list::<u64>("truth_step")?;
    let areas = sized::<u64>(npz, "truth_pair", steps.len(), 2)?;
    let scores = sized::<f32>(npz, "truth_score", steps.len(), 3)?;
    let entry = |(i, step): (usize, u64)| {
        Ok((
            step,
            TruthScore {
                source: index(npz, "truth_pair", areas[[i, 0]])?,
                target: index(npz, "truth_pair", areas[[i, 1]])?,
                cos_send: scores[[i, 0]],
                cos_receive: scores[[i, 1]],
                filter_corr: scores[[i, 2]],
            },
        ))
    };
    steps.into_iter().enumerate().map(entry).collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn number() -> impl Strategy<Value = f32> + Clone {
        // Everything but NaN, which is not equal to itself.
        any::<u32>().prop_map(f32::from_bits).prop_map(|v| if v.is_nan() { 0.0 } else { v })
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
        (0usize..4, 0usize..4).prop_flat_map(|(r, c)| prop::collection::vec(prop::collection::vec(number(), c), r))
    }

    fn pair() -> impl Strategy<Value = PairSnapshot> {
        let support = prop_oneof![
            Just(Support::NotScored),
            (number(), number(), any::<bool>()).prop_map(|(score, null, supported)| Support::Scored { score, null, supported })
        ];
        let candidate = prop::collection::vec(number(), 0..5);
        (0usize..9, 0usize..9, support, rows(), candidate, rows(), rows(), number(), number()).prop_map(
            |(source, target, support, filter, candidate, send, receive, contribution_percent, mean_output)| PairSnapshot {
                source,
                target,
                support,
                filter,
                candidate,
                send,
                receive,
                contribution_percent,
                mean_output,
            },
        )
    }

    fn trial() -> impl Strategy<Value = TrialSnapshot> {
        (0usize..99, prop::collection::vec(rows(), 0..3), prop::collection::vec(rows(), 0..3), rows())
            .prop_map(|(trial, coupling, factors, log_rate)| TrialSnapshot { trial, coupling, factors, log_rate })
    }

    fn score() -> impl Strategy<Value = (u64, TruthScore)> {
        (any::<u64>(), 0usize..9, 0usize..9, number(), number(), number()).prop_map(
            |(step, source, target, cos_send, cos_receive, filter_corr)| {
                (step, TruthScore { source, target, cos_send, cos_receive, filter_corr })
            },
        )
    }

    /// Any snapshot, empty parts included.
    pub fn snapshot() -> impl Strategy<Value = Snapshot> {
        let numbers = (any::<u64>(), 1usize..=4, any::<u64>(), 1e-4f64..1.0);
        let areas = prop::collection::vec(("[a-zA-Zäµ ,0-9]{0,6}", 0usize..200), 0..4);
        let lists = (prop::collection::vec(0usize..1000, 0..6), prop::collection::vec(0usize..1000, 0..6));
        let parts = (
            prop::collection::vec(pair(), 0..5),
            rows(),
            prop::collection::vec(rows(), 0..3),
            prop::collection::vec(trial(), 0..3),
            prop::collection::vec(score(), 0..4),
        );
        (numbers, areas, lists, parts).prop_map(
            |((version, stage, step, bin_s), areas, (units, latent_trials), (pairs, post_spike, latents, trials, truth))| {
                let (areas, area_sizes) = areas.into_iter().unzip();
                Snapshot { version, stage, step, bin_s, areas, area_sizes, units, pairs, post_spike, latent_trials, latents, trials, truth }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_snapshot_round_trips(snapshot in snapshot()) {
            let mut bytes = std::io::Cursor::new(Vec::new());
            to_arrays(&snapshot, &LossLog::default()).unwrap().write_to(&mut bytes).unwrap();
            let mut npz = NpzSource::from_bytes(Path::new("results.npz"), bytes.into_inner()).unwrap();
            prop_assert_eq!(from_arrays(&mut npz, snapshot.areas.clone()).unwrap(), snapshot);
        }
    }

    #[test]
    fn rows_of_different_length_are_named() {
        let mut snapshot = Snapshot {
            version: 1,
            stage: 4,
            step: 9,
            bin_s: 0.002,
            areas: vec![],
            area_sizes: vec![],
            units: vec![],
            pairs: vec![],
            post_spike: vec![],
            latent_trials: vec![],
            latents: vec![],
            trials: vec![],
            truth: vec![],
        };
        snapshot.post_spike = vec![vec![1.0], vec![]];
        assert!(to_arrays(&snapshot, &LossLog::default()).unwrap_err().contains("post_spike"));
    }
}
