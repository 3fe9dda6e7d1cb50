//! `spikescope connectivity`: who drives whom by simple methods and by runs of NetFormer, as a matrix and, where the truth is known, as
//! scores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use ndarray::{Array2, Axis};
use serde_json::{Value, json};

use super::sources::ImportOptions;
use super::{Usage, output};
use crate::analysis::connectivity::{MatrixScore, Method, Pairs, UnitActivity, group_means, pearson, score, spearman};
use crate::export::{CsvTable, NpzArray, NpzArrays, write_csv};
use crate::recording::{Groups, Recording};
use crate::runs;
use crate::training::{NetFormerModel, Part};

/// Multiplications that go into the mean of a run's attention, at most.
const WORK: f64 = 1e12;
/// Strongest connections that are printed.
const STRONGEST: usize = 10;

/// Options of `connectivity`.
#[derive(Debug, Args)]
pub(super) struct Connectivity {
    /// Recording: spikes, or the continuous activity of a simulation
    file: PathBuf,
    #[command(flatten)]
    import: ImportOptions,
    /// Methods joined by commas: lag1, ols, covariance, te, mi, tanh, exp, or all. Lag-1 cross-correlation is always shown beside them
    #[arg(long, value_name = "METHODS", default_value = "lag1,ols", value_delimiter = ',', value_parser = methods)]
    method: Vec<Methods>,
    /// A run of NetFormer on this recording, whose attention is set beside the methods; may be given more than once
    #[arg(long, value_name = "RUN")]
    run: Vec<PathBuf>,
    /// Width of the bins in which spikes are counted, milliseconds [default: that of the run, else 10]
    #[arg(long, value_name = "MS")]
    bin_ms: Option<f64>,
    /// Count spikes even where the recording has continuous activity
    #[arg(long)]
    spikes: bool,
    /// Levels of equal width into which activity is cut for te and mi
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=256))]
    levels: u16,
    /// File for the matrix of the first method (.csv), or for all matrices and the truth (.npz)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

/// One entry of `--method`.
#[derive(Debug, Clone)]
struct Methods(Vec<Method>);

fn methods(text: &str) -> Result<Methods, String> {
    if text.trim() == "all" {
        return Ok(Methods(Method::ALL.to_vec()));
    }
    let known = || Method::ALL.map(Method::name).join(", ");
    Method::named(text.trim()).map(|m| Methods(vec![m])).ok_or_else(|| format!("there is {}, all", known()))
}

/// What made a matrix.
enum Kind {
    Method(Method),
    /// A run, by the name of its folder.
    Run(String),
}

impl Kind {
    fn name(&self) -> String {
        match self {
            Self::Method(method) => method.name().to_owned(),
            Self::Run(name) => format!("netformer_{name}"),
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Method(method) => method.label().to_owned(),
            Self::Run(name) => format!("NetFormer ({name})"),
        }
    }

    fn unit(&self, counts: bool) -> &'static str {
        match self {
            Self::Method(method) => method.unit(counts),
            Self::Run(_) => "attention",
        }
    }

    fn unsigned(&self) -> bool {
        matches!(self, Self::Method(method) if method.unsigned())
    }
}

/// A matrix with what is known of its quality; NaN where nothing is estimated.
struct Estimate {
    kind: Kind,
    matrix: Array2<f64>,
    scores: Option<Scores>,
}

/// Agreement with the truth.
struct Scores {
    others: MatrixScore,
    all: MatrixScore,
    /// Pearson and Spearman of the means over pairs of groups, and their number.
    groups: Option<(f64, f64, usize)>,
}

impl Connectivity {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(width) = self.bin_ms.filter(|width| !(*width > 0.0 && width.is_finite())) {
            return Err(Usage(format!("--bin-ms is {width}; it must be above 0")).into());
        }
        let ending = self.out.as_deref().map(ending).transpose()?;
        let recording = self.import.open(&self.file)?;
        let networks = self.run.iter().map(|folder| network(folder, &recording)).collect::<anyhow::Result<Vec<_>>>()?;
        let bin_s = self.bin_ms.map_or_else(|| networks.first().map_or(0.01, |(_, model)| model.bin_s()), |ms| ms / 1e3);
        let activity = if self.spikes { UnitActivity::counts_of(&recording, bin_s)? } else { UnitActivity::of(&recording, bin_s)? };
        let truth = recording.truth.as_ref().and_then(|t| t.unit_weights(recording.n_units()));
        let groups = recording.groups();
        let of_runs = networks.iter().map(|(name, model)| of_run(name, model, truth.as_ref(), &groups));
        let of_methods = self.methods().into_iter().map(|method| {
            let matrix = method.estimate(&activity, self.levels.into(), &|| true);
            let scores = truth.as_ref().map(|truth| Scores::of(method.unsigned(), &matrix, truth, &groups.of_unit, groups.names.len()));
            Estimate { kind: Kind::Method(method), matrix, scores }
        });
        let estimates: Vec<Estimate> = of_runs.chain(of_methods).collect();
        if let (Some(path), Some(ending)) = (&self.out, ending) {
            match ending {
                Ending::Csv => write_csv(path, &as_table(&recording, &estimates))?,
                Ending::Npz => as_arrays(&recording, &activity, &estimates, truth.as_ref()).write(path)?,
            }
        }
        let text = if self.json {
            as_json(&recording, &activity, &estimates, &groups)
        } else {
            as_text(&recording, &activity, &estimates, &groups)
        };
        output::print(&text)
    }

    /// Those asked for, each once, and lag-1 cross-correlation.
    fn methods(&self) -> Vec<Method> {
        let mut wanted: Vec<Method> = Vec::new();
        for method in self.method.iter().flat_map(|m| m.0.iter().copied()).chain([Method::LagOne]) {
            if !wanted.contains(&method) {
                wanted.push(method);
            }
        }
        wanted
    }
}

enum Ending {
    Csv,
    Npz,
}

fn ending(path: &Path) -> anyhow::Result<Ending> {
    match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
        Some("csv") => Ok(Ending::Csv),
        Some("npz") => Ok(Ending::Npz),
        _ => Err(Usage(format!("{}: a matrix is written as .csv or .npz", path.display())).into()),
    }
}

impl Scores {
    fn of(unsigned: bool, matrix: &Array2<f64>, truth: &Array2<f64>, group_of_unit: &[usize], count: usize) -> Self {
        let wanted = if unsigned { truth.mapv(f64::abs) } else { truth.clone() };
        let connected = |post: usize, pre: usize| truth.get([post, pre]).is_some_and(|w| *w != 0.0);
        let means = |m: &Array2<f64>| group_means(m.view(), group_of_unit, count, connected);
        let (found, true_means) = (means(matrix), means(&wanted));
        let (found, true_means): (Vec<f64>, Vec<f64>) =
            found.iter().zip(&true_means).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (*a, *b)).unzip();
        Self {
            others: score(matrix.view(), wanted.view(), Pairs::Others),
            all: score(matrix.view(), wanted.view(), Pairs::All),
            groups: (found.len() > 2).then(|| (pearson(&found, &true_means), spearman(&found, &true_means), found.len())),
        }
    }
}

/// The network of a run on this recording, with the name of its folder.
fn network(folder: &Path, recording: &Arc<Recording>) -> anyhow::Result<(String, NetFormerModel)> {
    let run = runs::load(folder)?;
    if run.manifest.recording.fingerprint != recording.fingerprint {
        let made_from = &run.manifest.recording.name;
        return Err(Usage(format!("{}: the run was made from other data ('{made_from}') than this recording", folder.display())).into());
    }
    let model = NetFormerModel::from_run(&run.recipe, recording, &run.weights()?, run.manifest.steps);
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok((name, model.with_context(|| folder.display().to_string())?))
}

/// Mean attention over training windows, scored for the units that the run predicts.
fn of_run(name: &str, model: &NetFormerModel, truth: Option<&Array2<f64>>, groups: &Groups) -> Estimate {
    let windows = model.windows(Part::Training);
    let most = (WORK / model.cost()).max(500.0) as usize;
    let few: Vec<usize> = windows.iter().copied().step_by(windows.len().div_ceil(most).max(1)).collect();
    let own = model.mean(&few).mapv(f64::from);
    let units = model.units();
    let scores = truth.map(|truth| {
        let rows: Vec<usize> = units.iter().copied().take(own.nrows()).collect();
        let truth = truth.select(Axis(0), &rows).select(Axis(1), units);
        let of_unit: Vec<usize> = units.iter().map(|unit| groups.of_unit.get(*unit).copied().unwrap_or_default()).collect();
        Scores::of(false, &own, &truth, &of_unit, groups.names.len())
    });
    let mut matrix = Array2::from_elem((groups.of_unit.len(), groups.of_unit.len()), f64::NAN);
    for ((row, column), value) in own.indexed_iter() {
        if let Some(cell) = units.get(row).zip(units.get(column)).and_then(|(to, from)| matrix.get_mut([*to, *from])) {
            *cell = *value;
        }
    }
    Estimate { kind: Kind::Run(name.to_owned()), matrix, scores }
}

/// Means over all pairs of different units of two groups.
fn means(groups: &Groups, matrix: &Array2<f64>) -> Array2<f64> {
    let known = |post: usize, pre: usize| post != pre && matrix.get([post, pre]).is_some_and(|v| v.is_finite());
    group_means(matrix.view(), &groups.of_unit, groups.names.len(), known)
}

/// The connections between different units with the largest entries, receiving and sending unit.
fn strongest(matrix: &Array2<f64>) -> Vec<((usize, usize), f64)> {
    let mut pairs: Vec<_> =
        matrix.indexed_iter().filter(|((i, j), v)| i != j && **v != 0.0 && v.is_finite()).map(|(at, v)| (at, *v)).collect();
    pairs.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    pairs.truncate(STRONGEST);
    pairs
}

fn activity_words(recording: &Recording, activity: &UnitActivity) -> String {
    let what = match &recording.activity {
        Some(continuous) if !activity.counts => format!("continuous activity '{}'", continuous.name),
        _ => "spike counts".to_owned(),
    };
    let (bins, width) = (activity.samples().bins(), 1e3 * activity.bin_s);
    format!("{}: {what}, {} units, {bins} bins of {width} ms", recording.name, recording.n_units())
}

fn as_text(recording: &Recording, activity: &UnitActivity, estimates: &[Estimate], groups: &Groups) -> String {
    let mut lines = vec![activity_words(recording, activity)];
    if let Some(scores) = estimates.iter().find_map(|e| e.scores.as_ref()) {
        let (n, pairs) = (scores.others.connected, scores.others.pairs);
        lines.push(format!("truth: {n} connections among {pairs} pairs of different units"));
        let by = format!("by {}", groups.what);
        lines.push(format!("{:28} {:>8} {:>9} {:>7}   {:>12} {:>10}", "", "Pearson", "Spearman", "AUC", "incl. self", by));
    }
    for Estimate { kind: method, matrix, scores } in estimates {
        match scores {
            Some(s) => {
                let groups = s.groups.map_or("–".to_owned(), |(pearson, _, _)| format!("{pearson:.3}"));
                // Without pairs that are not connected there is nothing to tell apart.
                let auc = if s.others.auc.is_finite() { format!("{:.3}", s.others.auc) } else { "–".to_owned() };
                lines.push(format!(
                    "{:28} {:8.3} {:9.3} {auc:>7}   {:12.3} {groups:>10}",
                    method.label(),
                    s.others.pearson,
                    s.others.spearman,
                    s.all.pearson
                ));
            }
            None => {
                let unit = method.unit(activity.counts);
                lines.push(format!("\n{}{}", method.label(), if unit.is_empty() { String::new() } else { format!(" ({unit})") }));
                let id = |unit: usize| recording.units.ids.get(unit).map_or("", String::as_str);
                lines.extend(strongest(matrix).into_iter().map(|((post, pre), value)| format!("  {} → {}: {value:.4}", id(pre), id(post))));
            }
        }
    }
    if estimates.iter().any(|e| e.scores.is_some() && e.kind.unsigned()) {
        lines.push("Entropies have no sign: they are compared with the size of the true weights.".to_owned());
    }
    lines.join("\n")
}

fn as_json(recording: &Recording, activity: &UnitActivity, estimates: &[Estimate], groups: &Groups) -> String {
    let id = |unit: usize| recording.units.ids.get(unit).cloned().unwrap_or_default();
    let one =
        |s: &MatrixScore| json!({"pearson": s.pearson, "spearman": s.spearman, "auc": s.auc, "pairs": s.pairs, "connected": s.connected});
    let methods: Vec<Value> = estimates
        .iter()
        .map(|Estimate { kind: method, matrix, scores }| {
            let means = means(groups, matrix);
            let by_group: Vec<Value> = means
                .indexed_iter()
                .map(|((to, from), mean)| json!({"from": groups.name(from), "to": groups.name(to), "mean": mean.is_finite().then_some(*mean)}))
                .collect();
            let strongest: Vec<Value> =
                strongest(matrix).into_iter().map(|((post, pre), v)| json!({"from": id(pre), "to": id(post), "value": v})).collect();
            json!({
                "method": method.name(),
                "label": method.label(),
                "unit": method.unit(activity.counts),
                "strongest": strongest,
                "group_means": by_group,
                "scores": scores.as_ref().map(|s| json!({
                    "different_units": one(&s.others),
                    "with_self": one(&s.all),
                    "groups": s.groups.map(|(pearson, spearman, pairs)| json!({"pearson": pearson, "spearman": spearman, "pairs": pairs})),
                })),
            })
        })
        .collect();
    json!({
        "name": recording.name,
        "units": recording.n_units(),
        "bins": activity.samples().bins(),
        "bin_s": activity.bin_s,
        "activity": if activity.counts { "spike counts" } else { "continuous" },
        "groups": groups.what,
        "methods": methods,
    })
    .to_string()
}

/// The first matrix with unit ids; a row receives, a column sends.
fn as_table(recording: &Recording, estimates: &[Estimate]) -> CsvTable {
    let ids = &recording.units.ids;
    let header = std::iter::once("receiving_unit".to_owned()).chain(ids.iter().map(|id| format!("from_{id}"))).collect();
    let rows = estimates.first().map(|estimate| {
        let rows = estimate.matrix.outer_iter().zip(ids);
        rows.map(|(row, id)| std::iter::once(id.clone()).chain(row.iter().map(f64::to_string)).collect()).collect()
    });
    CsvTable { header, rows: rows.unwrap_or_default() }
}

fn as_arrays(recording: &Recording, activity: &UnitActivity, estimates: &[Estimate], truth: Option<&Array2<f64>>) -> NpzArrays {
    let mut arrays = NpzArrays::default();
    for estimate in estimates {
        arrays.add(estimate.kind.name(), NpzArray::F64(estimate.matrix.clone().into_dyn()));
    }
    if let Some(truth) = truth {
        arrays.add("truth", NpzArray::F64(truth.clone().into_dyn()));
    }
    arrays.add("unit_ids", NpzArray::Text(recording.units.ids.clone()));
    arrays.add("unit_areas", NpzArray::Text(recording.area_names()));
    arrays.add("bin_s", NpzArray::scalar(activity.bin_s));
    arrays
}
