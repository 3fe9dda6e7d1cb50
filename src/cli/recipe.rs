//! From options to a recipe: a file or the defaults, then single settings, then the options that have names of their own.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Usage, sources};
use crate::recording::{AreaError, AreaRule, Recording};
use crate::training::{DeviceChoice, PRESETS, Recipe, RecipeError};

/// Options that make a recipe.
#[derive(Debug, Args)]
pub(super) struct RecipeOptions {
    /// Model [default: glm-transformer, or that of the recipe file]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(PRESETS.iter().map(|preset| clap::builder::PossibleValue::new(preset.key).help(preset.about))))]
    model: Option<String>,
    /// Recipe to start from (TOML or JSON; `recipe.toml` of a run) [default: the recommended settings]
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// One setting of the recipe, for example model.beta=0.5; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = sources::key_value)]
    settings: Vec<(String, String)>,
    /// Where areas come from: `recorded`, `id/1000` (unit id divided by 1000), `column:NAME` (a unit column), `one` (all units)
    #[arg(long, value_name = "AREAS")]
    areas: Option<Areas>,
    /// Device that trains
    #[arg(long, value_enum)]
    device: Option<Device>,
    /// Seed of initial weights, batches and jitter
    #[arg(long)]
    seed: Option<u64>,
    /// The authors' staging, in which true edges can be missed; for comparison
    #[arg(long)]
    published_staging: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Device {
    /// Discrete GPU, else integrated GPU, else CPU
    Auto,
    /// A GPU; an error when there is none
    Gpu,
    /// CPU
    Cpu,
    /// A software GPU (for tests; very slow)
    SoftwareGpu,
}

impl From<Device> for DeviceChoice {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => Self::Auto,
            Device::Gpu => Self::Gpu,
            Device::Cpu => Self::Cpu,
            Device::SoftwareGpu => Self::SoftwareGpu,
        }
    }
}

/// Where areas come from, as written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Areas {
    Recorded,
    Id(u64),
    Column(String),
    One,
}

impl FromStr for Areas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let column = text.strip_prefix("column:").map(str::trim).filter(|name| !name.is_empty());
        let id = text.strip_prefix("id/").and_then(|n| n.trim().parse().ok()).filter(|&n| n > 0);
        match (text, id, column) {
            ("recorded", ..) => Ok(Self::Recorded),
            ("one", ..) => Ok(Self::One),
            (_, Some(divide_by), _) => Ok(Self::Id(divide_by)),
            (_, _, Some(name)) => Ok(Self::Column(name.to_owned())),
            _ => Err("write recorded, id/1000, column:NAME or one".to_owned()),
        }
    }
}

/// Change single settings of a recipe.
pub(super) fn change(recipe: &mut Recipe, settings: &[(String, String)]) -> anyhow::Result<()> {
    settings.iter().try_for_each(|(key, value)| recipe.set(&full_path(recipe, key), value).map_err(usage))
}

impl RecipeOptions {
    /// The recipe for a recording.
    pub(super) fn recipe(&self, recording: &Recording) -> anyhow::Result<Recipe> {
        let mut recipe = self.start(Some(recording))?;
        self.choose_areas(&mut recipe, recording)?;
        Ok(recipe)
    }

    /// Whether the options make a recipe at all, before a recording is read.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.start(None).map(|_| ())
    }

    fn start(&self, recording: Option<&Recording>) -> anyhow::Result<Recipe> {
        let mut recipe = match &self.recipe {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("{}: the recipe cannot be read", path.display()))?;
                Recipe::parse(&text).with_context(|| path.display().to_string())?
            }
            None => Recipe::default(),
        };
        let wanted = self.model.as_ref().and_then(|key| PRESETS.iter().find(|preset| preset.key == key));
        if let Some(preset) = wanted.filter(|preset| preset.key != recipe.model.preset().key) {
            preset.choose(&mut recipe, recording);
        }
        change(&mut recipe, &self.settings)?;
        if self.published_staging {
            recipe.set("model.published_staging", "true").map_err(usage)?;
        }
        if let Some(device) = self.device {
            recipe.device = device.into();
        }
        if let Some(seed) = self.seed {
            recipe.seed = seed;
        }
        recipe.check().map_err(usage)?;
        Ok(recipe)
    }

    /// Put the wanted area rule into the recipe, with the names that the recording knows for ids.
    fn choose_areas(&self, recipe: &mut Recipe, recording: &Recording) -> anyhow::Result<()> {
        let rule = match &self.areas {
            None => return Ok(()),
            Some(Areas::Recorded) => AreaRule::Recorded,
            Some(Areas::One) => AreaRule::OneArea,
            Some(Areas::Column(name)) => AreaRule::UnitColumn { name: name.clone() },
            Some(Areas::Id(divide_by)) => {
                let same = |rule: &AreaRule| matches!(rule, AreaRule::UnitId { divide_by: d, .. } if d == divide_by);
                let offered = AreaRule::offered(recording).into_iter().map(|split| split.rule).find(same);
                offered.unwrap_or_else(|| AreaRule::UnitId { divide_by: *divide_by, names: Default::default() })
            }
        };
        if rule.names(recording).is_none() {
            return Err(AreaError::NotApplicable { rule: rule.label() }.into());
        }
        recipe.data.areas = rule;
        Ok(())
    }
}

fn usage(error: RecipeError) -> anyhow::Error {
    Usage(error.to_string()).into()
}

/// The last part of a setting's path is enough where only one setting ends like that: `beta` is `model.beta`.
pub(super) fn full_path(recipe: &Recipe, key: &str) -> String {
    let ending = format!(".{key}");
    let mut fitting = recipe.fields().filter(|f| f.path.ends_with(&ending));
    match (recipe.fields().any(|f| f.path == key), fitting.next(), fitting.next()) {
        (false, Some(only), None) => only.path.to_owned(),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{Column, NamedColumn, RecordingParts, Source, SpikeTrains};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: RecipeOptions,
    }

    fn options(line: &str) -> RecipeOptions {
        Line::try_parse_from(std::iter::once("test").chain(line.split_whitespace())).unwrap().options
    }

    #[test]
    fn options_become_a_recipe() {
        let recipe = options("--set beta=0.5 --set model.batch=8 --device cpu --seed 7 --published-staging").start(None).unwrap();
        assert_eq!((recipe.glm().unwrap().beta, recipe.glm().unwrap().batch, recipe.glm().unwrap().published_staging), (0.5, 8, true));
        assert_eq!((recipe.device, recipe.seed), (DeviceChoice::Cpu, 7));
        assert_eq!(options("").start(None).unwrap(), Recipe::default());
    }

    #[test]
    fn a_recipe_file_comes_first_and_options_change_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        let base = Recipe { seed: 3, ..Recipe::default() };
        std::fs::write(&path, base.to_toml().unwrap()).unwrap();
        let recipe = options(&format!("--recipe {} --set model.rank=2", path.display())).start(None).unwrap();
        assert_eq!((recipe.seed, recipe.glm().unwrap().rank), (3, 2));
        std::fs::write(&path, "seed = many").unwrap();
        let error = options(&format!("--recipe {}", path.display())).start(None).unwrap_err();
        assert!(format!("{error:#}").contains("recipe.toml") && !error.is::<Usage>());
    }

    #[test]
    fn wrong_settings_are_wrong_usage() {
        for line in ["--set betta=1", "--set model.batch=0", "--set kind=x"] {
            assert!(options(line).start(None).unwrap_err().is::<Usage>(), "{line}");
        }
    }

    #[test]
    fn areas_are_read_and_refused() {
        assert_eq!("id/1000".parse(), Ok(Areas::Id(1000)));
        assert_eq!("column:electrode group".parse(), Ok(Areas::Column("electrode group".to_owned())));
        for wrong in ["id/0", "id/x", "id", "column:", "", "V1"] {
            assert!(wrong.parse::<Areas>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_ids_come_from_the_recording() {
        let area = ["PMd", "PMd", "M1", "M1"].map(str::to_owned).to_vec();
        let parts = RecordingParts {
            spikes: SpikeTrains::from_units(vec![vec![0.5]; 4]),
            unit_ids: ["1001", "1002", "2001", "2002"].map(str::to_owned).to_vec(),
            unit_areas: vec!["PMd".into(); 4],
            unit_columns: vec![NamedColumn { name: "area_from_id".into(), description: String::new(), values: Column::Text(area.clone()) }],
            ..RecordingParts::default()
        };
        let recording = Recording::new(parts, Source::File("nlb.nwb".into())).unwrap();
        let mut recipe = Recipe::default();
        options("--areas id/1000").choose_areas(&mut recipe, &recording).unwrap();
        assert_eq!(recipe.data.areas.names(&recording).unwrap(), area);
        let error = options("--areas column:shank").choose_areas(&mut recipe, &recording).unwrap_err();
        assert!(error.to_string().contains("shank"), "{error}");
        options("--areas one").choose_areas(&mut recipe, &recording).unwrap();
        assert_eq!(recipe.data.areas, AreaRule::OneArea);
    }
}
