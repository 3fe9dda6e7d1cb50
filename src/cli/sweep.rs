//! `spikescope sweep`: runs with settings drawn from the published ranges, one after another, ranked by their score.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::recipe::RecipeOptions;
use super::resume::resume;
use super::sources::Input;
use super::train::{Saving, train};
use super::{Usage, output};
use crate::recording::Recording;
use crate::runs::{self, RunStatus};
use crate::training::sweep::{differences, sample};
use crate::training::{Recipe, StartOptions};

/// Options of `sweep`.
#[derive(Debug, Args)]
pub(super) struct Sweep {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// How many recipes are drawn
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: u32,
    /// Seed of the draws
    #[arg(long, value_name = "S", default_value_t = 0)]
    sweep_seed: u64,
    /// Only every n-th sample, beginning with the i-th (from 1), for several machines
    #[arg(long, value_name = "i/n", default_value = "1/1")]
    shard: Shard,
    /// Folder of the runs; samples that are there already are not trained again, interrupted ones go on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    saving: Saving,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

/// Part `number` (from 1) of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write i/n with i from 1 to n, for example 2/4".to_owned()),
        }
    }
}

impl Sweep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.recipe.check()?;
        let recording = self.input.open()?;
        let base = self.recipe.recipe(&recording)?;
        sample(&base, self.sweep_seed, 0).map_err(|e| Usage(e.to_string()))?;
        std::fs::create_dir_all(&self.out)?;
        let mut failed = 0;
        for index in (self.shard.number - 1..self.samples as usize).step_by(self.shard.of) {
            let recipe = sample(&base, self.sweep_seed, index)?;
            let folder = self.out.join(format!("sample-{index:04}"));
            if is_done(&folder, &recipe, &recording) {
                continue;
            }
            output::tell(&format!("sample {} of {}: {}", index + 1, self.samples, differences(&recipe, &base).join(" ")));
            let options = StartOptions { run: Some(folder.clone()), opened_from: self.input.path(), ..self.saving.options() };
            let trained = match goes_on(&folder, &recipe, &recording) {
                true => resume(&folder, Arc::clone(&recording), None, options, self.quiet),
                false => train(Arc::clone(&recording), recipe, options, self.quiet),
            };
            if let Err(error) = trained {
                // One network that diverges is no reason to give up the others.
                output::tell(&format!("sample {} failed: {error:#}", index + 1));
                failed += 1;
            }
        }
        let ranking = ranking(&self.out, &base)?;
        output::print(&if self.json { json!({ "failed": failed, "runs": ranking }).to_string() } else { text(&ranking) })
    }
}

/// True when the folder holds a finished run of this recipe on this recording.
fn is_done(folder: &Path, recipe: &Recipe, recording: &Recording) -> bool {
    let run = runs::load(folder).ok();
    run.is_some_and(|run| {
        run.manifest.status == RunStatus::Complete && &run.recipe == recipe && run.manifest.recording.fingerprint == recording.fingerprint
    })
}

/// True when the folder holds an interrupted run of this recipe on this recording.
fn goes_on(folder: &Path, recipe: &Recipe, recording: &Recording) -> bool {
    let run = runs::load(folder).ok().filter(|run| run.manifest.status == RunStatus::Interrupted);
    run.is_some_and(|run| &run.recipe == recipe && run.manifest.recording.fingerprint == recording.fingerprint)
}

/// Runs of a folder from the best to the worst validation co-bps.
fn ranking(folder: &Path, base: &Recipe) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    for entry in runs::list(folder)? {
        let Ok(run) = runs::load(&entry.path) else { continue };
        let score = |key: &str| run.summary.get(key).and_then(Value::as_f64);
        let Some(validation) = score("validation_co_bps") else { continue };
        let row = json!({
            "run": entry.path.display().to_string(),
            "validation_co_bps": validation,
            "co_bps": score("co_bps"),
            "seconds": run.manifest.seconds,
            "settings": differences(&run.recipe, base),
        });
        rows.push((validation, row));
    }
    rows.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn text(ranking: &[Value]) -> String {
    let line = |(place, row): (usize, &Value)| {
        let number = |key: &str| row.get(key).and_then(Value::as_f64).map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
        let run = row.get("run").and_then(Value::as_str).unwrap_or_default();
        format!("{:>3}. validation co-bps {}, test {}  {run}", place + 1, number("validation_co_bps"), number("co_bps"))
    };
    match ranking.is_empty() {
        true => "No run has a score; were units held out?".to_owned(),
        false => ranking.iter().enumerate().map(line).collect::<Vec<_>>().join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        for wrong in ["0/4", "5/4", "4", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_ranking_says_what_is_missing() {
        assert!(text(&[]).contains("held out"));
        assert_eq!(
            text(&[json!({ "run": "sweep/sample-0001", "validation_co_bps": 0.31234, "co_bps": null })]),
            "  1. validation co-bps 0.3123, test –  sweep/sample-0001"
        );
    }
}
