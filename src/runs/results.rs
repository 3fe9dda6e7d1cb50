//! The final snapshot as NPZ arrays, for `numpy.load` and to be shown again. Every model has these; what only one has is told in
//! its own file (`results/glm.rs`, `results/stndt.rs`, `results/netformer.rs`).
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `step`, `stage`, `version`, `bin_s` | – | optimiser steps, stage from 1, publication number, bin width in s |
//! | `areas` | areas | names (read back from the manifest) |
//! | `area_sizes`, `units` | areas; units | units per area; unit of the recording behind every model unit |
//! | `unit_bits` | units | bits per spike of every unit on trials not fitted, beyond its mean rate; NaN without a spike |
//! | `trials`, `trialT_log_rate` | trials; bins × units | trials with detail; log-rate per bin in entry T of these |
//! | `loss_step`, `loss_stage`, `loss_validation`, `loss_terms` | n; n; n; n × terms | losses (read back from metrics.jsonl) |
//! | `loss_names` | terms | names of the terms |

mod glm;
mod netformer;
mod stndt;

use ndarray::{Array2, Ix2};

use crate::export::{NpzArray, NpzArrays, NpzError, NpzSource};
use crate::training::{LossLog, ModelRecipe, ModelSnapshot, Snapshot, TrialSnapshot};

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
    out.indices("trials", &snapshot.trials.iter().map(|t| t.trial).collect::<Vec<_>>());
    for (number, trial) in snapshot.trials.iter().enumerate() {
        out.rows(&format!("trial{number}_log_rate"), &trial.log_rate)?;
    }
    match &snapshot.model {
        ModelSnapshot::Glm(own) => glm::add(&mut out, own)?,
        ModelSnapshot::Stndt(own) => stndt::add(&mut out, own)?,
        ModelSnapshot::NetFormer(own) => netformer::add(&mut out, own),
    }
    out.losses(losses);
    Ok(out.0)
}

/// The snapshot of a model from its arrays; the names of the areas come from the manifest.
///
/// # Errors
/// [`NpzError`] names the array that is missing or does not fit.
pub(super) fn from_arrays(npz: &mut NpzSource, areas: Vec<String>, model: &ModelRecipe) -> Result<Snapshot, NpzError> {
    let stage = npz.scalar::<u64>("stage")?;
    let trials = npz.indices("trials")?.into_iter().enumerate();
    let trials: Vec<TrialSnapshot> = trials
        .map(|(number, trial)| Ok(TrialSnapshot { trial, log_rate: npz.rows(&format!("trial{number}_log_rate"))? }))
        .collect::<Result<_, NpzError>>()?;
    let units = npz.indices("units")?;
    let own = match model {
        ModelRecipe::GlmTransformer(_) | ModelRecipe::Baseline(_) => ModelSnapshot::Glm(glm::read(npz, trials.len())?),
        ModelRecipe::Stndt(_) => ModelSnapshot::Stndt(stndt::read(npz, trials.len(), units.len())?),
        ModelRecipe::NetFormer(_) => ModelSnapshot::NetFormer(netformer::read(npz, trials.len())?),
    };
    Ok(Snapshot {
        version: npz.scalar("version")?,
        stage: usize::try_from(stage).map_err(|e| npz.wrong("stage", e))?,
        step: npz.scalar("step")?,
        bin_s: npz.scalar("bin_s")?,
        area_sizes: same_length(npz, "area_sizes", areas.len())?,
        areas,
        units,
        trials,
        model: own,
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

/// Bits per spike of units; an array of NaN where there is none.
fn bits_array(bits: &[Option<f32>]) -> NpzArray {
    NpzArray::list(bits.iter().map(|bits| bits.unwrap_or(f32::NAN)).collect())
}

/// The same read back; older runs do not have it.
fn bits(npz: &mut NpzSource) -> Result<Vec<Option<f32>>, NpzError> {
    let values: Vec<f32> = if npz.has("unit_bits") { npz.list("unit_bits")? } else { Vec::new() };
    Ok(values.into_iter().map(|bits| Some(bits).filter(|bits| !bits.is_nan())).collect())
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

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::training::{
        GlmRecipe, GlmSnapshot, GlmTrial, NetFormerRecipe, NetFormerSnapshot, PairSnapshot, StndtRecipe, Support, TruthScore,
    };
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

    fn trial() -> impl Strategy<Value = (TrialSnapshot, GlmTrial)> {
        (0usize..99, prop::collection::vec(rows(), 0..3), prop::collection::vec(rows(), 0..3), rows(), rows()).prop_map(
            |(trial, coupling, factors, log_rate, post_spike)| {
                (TrialSnapshot { trial, log_rate }, GlmTrial { coupling, factors, post_spike })
            },
        )
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
        let lists = (
            prop::collection::vec(0usize..1000, 0..6),
            prop::collection::vec(0usize..1000, 0..6),
            prop::collection::vec(prop::option::of(number()), 0..6),
        );
        let parts = (
            prop::collection::vec(pair(), 0..5),
            rows(),
            prop::collection::vec(rows(), 0..3),
            prop::collection::vec(trial(), 0..3),
            prop::collection::vec(score(), 0..4),
        );
        (numbers, areas, lists, parts).prop_map(
            |((version, stage, step, bin_s), areas, (units, latent_trials, unit_bits), (pairs, post_spike, latents, trials, truth))| {
                let (areas, area_sizes) = areas.into_iter().unzip();
                let (trials, details) = trials.into_iter().unzip();
                let loadings = latents.clone();
                let glm = GlmSnapshot { pairs, unit_bits, post_spike, loadings, latent_trials, latents, trials: details, truth };
                Snapshot { version, stage, step, bin_s, areas, area_sizes, units, trials, model: ModelSnapshot::Glm(glm) }
            },
        )
    }

    fn round_trip(snapshot: &Snapshot, model: &ModelRecipe) -> Snapshot {
        let mut bytes = std::io::Cursor::new(Vec::new());
        to_arrays(snapshot, &LossLog::default()).unwrap().write_to(&mut bytes).unwrap();
        let mut npz = NpzSource::from_bytes(Path::new("results.npz"), bytes.into_inner()).unwrap();
        from_arrays(&mut npz, snapshot.areas.clone(), model).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_snapshot_round_trips(snapshot in snapshot()) {
            prop_assert_eq!(round_trip(&snapshot, &ModelRecipe::GlmTransformer(GlmRecipe::default())), snapshot);
        }
    }

    fn empty(model: ModelSnapshot) -> Snapshot {
        Snapshot { version: 1, stage: 1, step: 9, bin_s: 0.002, areas: vec![], area_sizes: vec![], units: vec![], trials: vec![], model }
    }

    #[test]
    fn a_spatiotemporal_snapshot_round_trips() {
        let model = ModelRecipe::Stndt(StndtRecipe::default());
        let mut snapshot = empty(ModelSnapshot::Stndt(Default::default()));
        assert_eq!(round_trip(&snapshot, &model), snapshot);
        snapshot.units = vec![4, 2, 7];
        snapshot.trials = vec![TrialSnapshot { trial: 5, log_rate: vec![vec![-1.0, 0.5, 2.0]; 4] }];
        snapshot.model = ModelSnapshot::Stndt(stndt::tests::example(3, 4));
        assert_eq!(round_trip(&snapshot, &model), snapshot);
    }

    #[test]
    fn a_snapshot_of_netformer_round_trips() {
        let model = ModelRecipe::NetFormer(NetFormerRecipe::default());
        let mut snapshot = empty(ModelSnapshot::NetFormer(NetFormerSnapshot { static_share: 1.0, ..NetFormerSnapshot::default() }));
        assert_eq!(round_trip(&snapshot, &model), snapshot);
        snapshot.trials = vec![TrialSnapshot { trial: 2, log_rate: vec![] }];
        snapshot.model = ModelSnapshot::NetFormer(netformer::tests::example());
        assert_eq!(round_trip(&snapshot, &model), snapshot);
    }

    #[test]
    fn rows_of_different_length_are_named() {
        let glm = GlmSnapshot { post_spike: vec![vec![1.0], vec![]], ..GlmSnapshot::default() };
        let snapshot = empty(ModelSnapshot::Glm(glm));
        assert!(to_arrays(&snapshot, &LossLog::default()).unwrap_err().contains("post_spike"));
    }
}
