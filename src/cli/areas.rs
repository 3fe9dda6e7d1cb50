//! `spikescope areas`: brain areas of a recording, shown and changed. Changes are kept beside the recording in the user's data
//! folder, never in the file, and the window and every other command apply them.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::sources::{self, ImportOptions};
use super::{Usage, output};
use crate::formats::area_list;
use crate::formats::shelf::Shelf;
use crate::recording::quality::{QualityFilter, UnitQuality};
use crate::recording::{AreaEdit, AreaRule, DepthRange, Recording, Sidecar};

/// Options of `areas`.
#[derive(Debug, Args)]
pub(super) struct Areas {
    /// Recording
    file: PathBuf,
    #[command(flatten)]
    import: ImportOptions,
    /// Forget all changes made before
    #[arg(long)]
    clear: bool,
    /// Take back the last change
    #[arg(long, conflicts_with = "clear")]
    undo: bool,
    /// Areas from a list with a unit id and an area on every line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Areas from a unit column
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    /// Areas by depth (or another number): COLUMN:0..400=V1,400..900=CA1
    #[arg(long, value_name = "COLUMN:RANGES", value_parser = depth)]
    depth: Option<(String, Vec<DepthRange>)>,
    /// Units for which an expression holds: AREA:EXPR, for example "V1:depth < 400". May be given more than once
    #[arg(long, value_name = "AREA:EXPR", value_parser = assignment)]
    assign: Vec<(String, String)>,
    /// Another name for an area; the name of another area merges them. May be given more than once
    #[arg(long, value_name = "NOW=NEW", value_parser = renaming)]
    rename: Vec<(String, String)>,
    /// Order of the areas, which also decides their colours: V1,LM,AL
    #[arg(long, value_name = "AREAS", value_delimiter = ',')]
    order: Vec<String>,
    /// Colour of an area in every view: V1=#d55e00; `V1=` for the usual one. May be given more than once
    #[arg(long, value_name = "AREA=#RRGGBB", value_parser = color)]
    color: Vec<(String, Option<[u8; 3]>)>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

impl Areas {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let shelf = Shelf::of_user().ok_or_else(|| anyhow::anyhow!("this system has no home folder in which changes could be kept"))?;
        let opened = self.import.open(&self.file)?;
        let original = opened.original();
        let before = shelf.load(&original.fingerprint)?;
        let mut sidecar = before.clone().unwrap_or_else(|| Sidecar::of(&original));
        self.change(&mut sidecar, &original)?;
        let recording = sources::apply(&sidecar, &original)?;
        if let Some(unknown) = self.color.iter().map(|(area, _)| area).find(|area| !recording.areas.contains(area)) {
            let have = recording.areas.join(", ");
            return Err(Usage(format!("there is no area '{unknown}' to give a colour to; there are: {have}")).into());
        }
        if before.as_ref() != Some(&sidecar) {
            shelf.save(&sidecar)?;
        }
        if self.json {
            let areas: Vec<_> = counted(&recording).into_iter().map(|(area, units)| json!({"area": area, "units": units})).collect();
            return output::print(
                &json!({"areas": areas, "changes": sidecar.areas, "order": sidecar.order, "colors": sidecar.colors}).to_string(),
            );
        }
        let mut lines: Vec<String> = counted(&recording).into_iter().map(|(area, units)| format!("{area}: {units} units")).collect();
        lines.extend(sidecar.colors.iter().map(|(area, [r, g, b])| format!("colour of {area}: #{r:02x}{g:02x}{b:02x}")));
        lines.extend(sidecar.areas.iter().map(|edit| format!("changed: {}", edit.label())));
        output::print(&lines.join("\n"))
    }

    /// Changes in the order: clear or undo, list, column, depth, by hand, names, order.
    fn change(&self, sidecar: &mut Sidecar, original: &Arc<Recording>) -> anyhow::Result<()> {
        if self.clear {
            (sidecar.areas, sidecar.order) = (Vec::new(), Vec::new());
            sidecar.colors.clear();
        }
        if self.undo {
            sidecar.areas.pop();
        }
        if let Some(list) = &self.list {
            sidecar.areas.push(AreaEdit::List { from: list.display().to_string(), areas: area_list::read(list)? });
        }
        if let Some(name) = &self.column {
            sidecar.areas.push(AreaEdit::Rule { rule: AreaRule::UnitColumn { name: name.clone() } });
        }
        if let Some((column, ranges)) = &self.depth {
            sidecar.areas.push(AreaEdit::Depth { column: column.clone(), ranges: ranges.clone() });
        }
        let quality = if self.assign.is_empty() { UnitQuality::default() } else { UnitQuality::of(original) };
        for (area, expression) in &self.assign {
            let units = QualityFilter::expression(expression).kept(original, &quality).map_err(|e| Usage(e.to_string()))?;
            sidecar.areas.push(AreaEdit::Assign { units, area: area.clone() });
        }
        for (from, to) in &self.rename {
            sidecar.areas.push(AreaEdit::Rename { from: from.clone(), to: to.clone() });
        }
        if !self.order.is_empty() {
            sidecar.order = self.order.iter().map(|name| name.trim().to_owned()).collect();
        }
        for (area, color) in &self.color {
            match color {
                Some(color) => sidecar.colors.insert(area.clone(), *color),
                None => sidecar.colors.remove(area),
            };
        }
        Ok(())
    }
}

/// `NOW=NEW` as a pair, for clap; nothing before the sign is the area of units without one.
fn renaming(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((now, new)) => Ok((now.trim().to_owned(), new.trim().to_owned())),
        None => Err("write it as NOW=NEW, for example V1=VISp; nothing before = is the area without a name".to_owned()),
    }
}

fn counted(recording: &Recording) -> Vec<(String, usize)> {
    recording.areas.iter().enumerate().map(|(area, name)| (name.clone(), recording.units_of_area(area).len())).collect()
}

fn depth(text: &str) -> Result<(String, Vec<DepthRange>), String> {
    let (column, ranges) = text.split_once(':').ok_or("write it as COLUMN:0..400=V1,400..900=CA1")?;
    Ok((column.trim().to_owned(), DepthRange::parse_list(ranges)?))
}

fn color(text: &str) -> Result<(String, Option<[u8; 3]>), String> {
    let wrong = || "write it as AREA=#RRGGBB, for example V1=#d55e00".to_owned();
    let (area, color) = text.rsplit_once('=').ok_or_else(wrong)?;
    if color.trim().is_empty() {
        return Ok((area.trim().to_owned(), None));
    }
    let digits = color.trim().trim_start_matches('#');
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6).ok_or_else(wrong)?;
    let [_, r, g, b] = number.to_be_bytes();
    Ok((area.trim().to_owned(), Some([r, g, b])))
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((area, expression)) if !area.trim().is_empty() && !expression.trim().is_empty() => {
            Ok((area.trim().to_owned(), expression.trim().to_owned()))
        }
        _ => Err("write it as AREA:EXPR, for example \"V1:depth < 400\"".to_owned()),
    }
}
