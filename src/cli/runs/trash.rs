//! `spikescope runs --trash` and what can be done with runs that were thrown away, as in the window.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::super::{Usage, output};
use crate::formats::memory;
use crate::runs::RunError;
use crate::runs::catalogue::{InTrash, Trashed, delete_for_good, move_to_trash, restore, trashed_in};

/// Move runs to the trash beside them.
pub(super) fn throw_away(runs: &[PathBuf]) -> anyhow::Result<()> {
    for run in runs {
        let trashed = move_to_trash(run, SystemTime::now())?;
        output::print(&format!("{} is in the trash: {}", run.display(), trashed.to.display()))?;
    }
    Ok(())
}

/// Put runs back, by name or by their path in the trash.
pub(super) fn bring_back(folders: &[PathBuf], names: &[String]) -> anyhow::Result<()> {
    each(folders, names, restore, |trashed| format!("{} is back", trashed.from.display()))
}

/// Delete runs that are in the trash, for good.
pub(super) fn delete(folders: &[PathBuf], names: &[String]) -> anyhow::Result<()> {
    each(folders, names, delete_for_good, |trashed| format!("{} is deleted", trashed.to.display()))
}

fn each(
    folders: &[PathBuf],
    names: &[String],
    act: impl Fn(&Trashed) -> Result<(), RunError>,
    told: impl Fn(&Trashed) -> String,
) -> anyhow::Result<()> {
    // All names are looked up before anything is done.
    let chosen: Vec<Trashed> = names.iter().map(|name| find(folders, name)).collect::<Result<_, Usage>>()?;
    for trashed in chosen {
        act(&trashed)?;
        output::print(&told(&trashed))?;
    }
    Ok(())
}

fn all(folders: &[PathBuf]) -> Vec<Trashed> {
    folders.iter().flat_map(|folder| trashed_in(folder)).collect()
}

fn find(folders: &[PathBuf], name: &str) -> Result<Trashed, Usage> {
    let mut found: Vec<Trashed> = all(folders);
    found.retain(|trashed| trashed.to == Path::new(name) || trashed.from.file_name().is_some_and(|own| own == name));
    match (found.len(), found.pop()) {
        (1, Some(trashed)) => Ok(trashed),
        (0, _) | (_, None) => Err(Usage(format!("there is no '{name}' in the trash; --trash lists what is there"))),
        (n, Some(last)) => {
            found.push(last);
            let paths: Vec<String> = found.iter().map(|trashed| trashed.to.display().to_string()).collect();
            Err(Usage(format!("there are {n} runs '{name}' in the trash; name one by its path: {}", paths.join(", "))))
        }
    }
}

/// List what is in the trash, newest first.
pub(super) fn list(folders: &[PathBuf], as_json: bool) -> anyhow::Result<()> {
    let mut found: Vec<InTrash> = all(folders).into_iter().map(InTrash::read).collect();
    found.sort_by(|a, b| b.thrown.cmp(&a.thrown));
    if as_json {
        return output::print(&Value::Array(found.iter().map(json_of).collect()).to_string());
    }
    if found.is_empty() {
        return output::print("The trash is empty");
    }
    let line = |thrown: &InTrash| {
        let model = &thrown.entry.facts.model;
        format!("{}  {model}  {}  {}  {}", thrown.entry.name(), memory::bytes(thrown.bytes), thrown.thrown, thrown.trashed.to.display())
    };
    output::print(&found.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn json_of(thrown: &InTrash) -> Value {
    json!({
        "name": thrown.entry.name(),
        "model": thrown.entry.facts.model,
        "from": thrown.trashed.from.display().to_string(),
        "run": thrown.trashed.to.display().to_string(),
        "thrown": thrown.thrown,
        "bytes": thrown.bytes,
    })
}
