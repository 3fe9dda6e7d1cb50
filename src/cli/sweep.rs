//! `spikescope sweep`: runs with settings drawn from the published ranges, one after another, ranked by their score.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::recipe::RecipeOptions;
use super::resume::resume;
use super::sources::Input;
use super::train::{Saving, Telling, train};
use super::{Usage, output};
use crate::recording::Recording;
use crate::training::StartOptions;
use crate::training::sweep::{Member, Plan, RangeChange, Search, ToDo, differences, members, ranked, write_plan};

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
    /// How recipes are drawn
    #[arg(long, value_enum, default_value_t = How::Random)]
    search: How,
    /// Another range of one setting, for example model.rate=1e-4..1e-2, or model.dropout=off to leave it alone; may be given more than once
    #[arg(long = "range", value_name = "KEY=LOW..HIGH")]
    ranges: Vec<RangeChange>,
    /// Only every n-th sample, beginning with the i-th (from 1), for several machines
    #[arg(long, value_name = "i/n", default_value = "1/1")]
    shard: Shard,
    /// Folder of the runs; samples that are there already are not trained again, those that did not end by themselves go on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    telling: Telling,
}

/// See [`Search`].
#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// Each by itself
    Random,
    /// The first ten by themselves, the others where those before them scored well (tree-structured Parzen estimators)
    Tpe,
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
        let plan = self.plan(&recording).map_err(|e| Usage(e.to_string()))?;
        let plan = Plan { members: plan.members, ..write_plan(&self.out, &plan)? };
        let mut failed = 0;
        for index in (self.shard.number - 1..plan.members).step_by(self.shard.of) {
            // Looked at again before each: other machines may work in the same folder.
            let Some(member) = members(&self.out, &plan)?.into_iter().nth(index) else { continue };
            if let Err(error) = self.train(&recording, &plan, &member) {
                // One network that diverges is no reason to give up the others.
                output::tell(&format!("sample {} failed: {error:#}", index + 1));
                failed += 1;
            }
        }
        let ranking = ranking(&self.out, &plan)?;
        output::print(&if self.telling.json { json!({ "failed": failed, "runs": ranking }).to_string() } else { text(&ranking) })
    }

    fn plan(&self, recording: &Recording) -> anyhow::Result<Plan> {
        let base = self.recipe.recipe(recording)?;
        let mut plan = Plan::new(&base, self.samples as usize, self.sweep_seed, recording)?;
        plan.search = match self.search {
            How::Random => Search::Random,
            How::Tpe => Search::Tpe,
        };
        self.ranges.iter().try_for_each(|change| change.apply(&mut plan.ranges))?;
        plan.check()?;
        Ok(plan)
    }

    fn train(&self, recording: &Arc<Recording>, plan: &Plan, member: &Member) -> anyhow::Result<()> {
        let number = member.index + 1;
        let begin = || {
            output::tell(&format!("sample {number} of {}: {}", plan.members, differences(&member.recipe, &plan.base).join(" ")));
            StartOptions { run: Some(member.folder.clone()), opened_from: self.input.path(), ..self.saving.options() }
        };
        let (recording, quiet) = (Arc::clone(recording), self.telling.quiet);
        match member.to_do() {
            ToDo::Nothing => {}
            ToDo::Leave => output::tell(&format!(
                "sample {number} is left alone: {}",
                member.problem.as_deref().unwrap_or("another process trains it")
            )),
            ToDo::GoOn => {
                resume(&member.folder, recording, None, begin(), quiet)?;
            }
            ToDo::Train => {
                train(recording, member.recipe.clone(), begin(), quiet)?;
            }
        }
        Ok(())
    }
}

/// Runs of a sweep from the best to the worst validation co-bps.
fn ranking(folder: &Path, plan: &Plan) -> anyhow::Result<Vec<Value>> {
    let row = |member: &Member| {
        json!({
            "run": member.folder.display().to_string(),
            "validation_co_bps": member.validation,
            "co_bps": member.test,
            "seconds": member.seconds,
            "settings": differences(&member.recipe, &plan.base),
        })
    };
    Ok(ranked(&members(folder, plan)?).into_iter().map(row).collect())
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
