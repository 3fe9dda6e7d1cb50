//! `spikescope connectivity`: who drives whom by simple methods, as a matrix and, where the truth is known, as scores.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array2;
use serde_json::{Value, json};

use super::sources::ImportOptions;
use super::{Usage, output};
use crate::analysis::connectivity::{MatrixScore, Method, Pairs, UnitActivity, group_means, pearson, score, spearman};
use crate::export::{CsvTable, NpzArray, NpzArrays, write_csv};
use crate::recording::{Groups, Recording};

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
    /// Width of the bins in which spikes are counted, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    bin_ms: f64,
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

/// A matrix with what is known of its quality.
struct Estimate {
    method: Method,
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
        if !(self.bin_ms > 0.0 && self.bin_ms.is_finite()) {
            return Err(Usage(format!("--bin-ms is {}; it must be above 0", self.bin_ms)).into());
        }
        let ending = self.out.as_deref().map(ending).transpose()?;
        let recording = self.import.open(&self.file)?;
        let bin_s = self.bin_ms / 1e3;
        let activity = if self.spikes { UnitActivity::counts_of(&recording, bin_s)? } else { UnitActivity::of(&recording, bin_s)? };
        let truth = recording.truth.as_ref().and_then(|t| t.unit_weights(recording.n_units()));
        let groups = recording.groups();
        let estimates: Vec<Estimate> = self
            .methods()
            .into_iter()
            .map(|method| {
                let matrix = method.estimate(&activity, self.levels.into(), &|| true);
                let scores = truth.as_ref().map(|truth| Scores::of(method, &matrix, truth, &groups));
                Estimate { method, matrix, scores }
            })
            .collect();
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
    fn of(method: Method, matrix: &Array2<f64>, truth: &Array2<f64>, groups: &Groups) -> Self {
        let wanted = if method.unsigned() { truth.mapv(f64::abs) } else { truth.clone() };
        let count = groups.names.len();
        let connected = |post: usize, pre: usize| truth.get([post, pre]).is_some_and(|w| *w != 0.0);
        let means = |m: &Array2<f64>| group_means(m.view(), &groups.of_unit, count, connected);
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

/// Means over all pairs of different units of two groups.
fn means(groups: &Groups, matrix: &Array2<f64>) -> Array2<f64> {
    group_means(matrix.view(), &groups.of_unit, groups.names.len(), |post, pre| post != pre)
}

/// The connections between different units with the largest entries, receiving and sending unit.
fn strongest(matrix: &Array2<f64>) -> Vec<((usize, usize), f64)> {
    let mut pairs: Vec<_> = matrix.indexed_iter().filter(|((i, j), v)| i != j && **v != 0.0).map(|(at, v)| (at, *v)).collect();
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
    for Estimate { method, matrix, scores } in estimates {
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
    if estimates.iter().any(|e| e.scores.is_some() && e.method.unsigned()) {
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
        .map(|Estimate { method, matrix, scores }| {
            let means = means(groups, matrix);
            let by_group: Vec<Value> = means
                .indexed_iter()
                .map(|((to, from), mean)| json!({"from": groups.name(from), "to": groups.name(to), "mean": mean}))
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
        arrays.add(estimate.method.name(), NpzArray::F64(estimate.matrix.clone().into_dyn()));
    }
    if let Some(truth) = truth {
        arrays.add("truth", NpzArray::F64(truth.clone().into_dyn()));
    }
    arrays.add("unit_ids", NpzArray::Text(recording.units.ids.clone()));
    arrays.add("unit_areas", NpzArray::Text(recording.area_names()));
    arrays.add("bin_s", NpzArray::scalar(activity.bin_s));
    arrays
}
