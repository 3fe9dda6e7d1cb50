//! pynapple's own files (`TsGroup.save`): `t` and `index` (spikes), `keys` (units), `start` and `end` (observed stretches), and
//! further columns as arrays or in the pickle `_metadata`, which is looked into but not run.

use super::flat::{self, Flat};
use super::inventory::{Inventory, Listed};
use super::pickle::Pickle;
use super::spikes::Members;
use super::{Import, columns};
use crate::formats::FormatError;
use crate::recording::{NamedColumn, NoteKind, RecordingParts};

/// A table of units is smaller.
const LARGEST_METADATA: u64 = 64 << 20;

/// Which pynapple object this is, `None` for other files.
pub(super) fn kind(arrays: &mut Inventory) -> Option<String> {
    arrays.get("type").filter(|a| a.is_text() && a.len() == 1)?;
    let kind = arrays.text("type")?;
    ["TsGroup", "Ts", "Tsd", "TsdFrame", "TsdTensor", "IntervalSet"].contains(&kind.as_str()).then_some(kind)
}

pub(super) fn read(import: &mut Import, kind: &str) -> Result<RecordingParts, FormatError> {
    import.used.push("type".to_owned());
    if kind != "TsGroup" && kind != "Ts" {
        return Err(FormatError::NpzLayout {
            path: import.path.to_owned(),
            problem: format!("it is a pynapple {kind}, which has no spikes"),
            remedy: "save the TsGroup of the units with TsGroup.save(…) and open that".to_owned(),
        });
    }
    import.progress.at(0.2, "reading spike times")?;
    let times = take(import, "t")?;
    let mut members = Members::one(times.len());
    if kind == "TsGroup" {
        let index = import.arrays.read("index")?.values;
        members = Members::of(index).map_err(|problem| import.arrays.damaged("index", problem))?;
        let keys = Members::of(import.arrays.read("keys")?.values).map_err(|problem| import.arrays.damaged("keys", problem))?;
        members.list(keys.index.iter().filter_map(|&i| keys.ids.get(i as usize).cloned()).collect());
        import.used.extend(["index", "keys"].map(str::to_owned));
        if members.index.len() != times.len() {
            let problem = format!("it has {} values, 't' has {}", members.index.len(), times.len());
            return Err(import.arrays.damaged("index", problem));
        }
    }
    let n_units = members.ids.len();
    let flat = Flat { times, members, name: "t".to_owned(), rate: None };
    let observed = stretches(import)?;
    let mut parts = flat::trains(import, &flat, observed)?;
    let mut found = metadata(import, n_units);
    found.extend(columns::per_unit(import, n_units)?);
    parts.unit_areas = columns::areas(&mut import.choices, &mut import.report, &mut found, n_units, &[])?;
    parts.unit_columns = found;
    Ok(parts)
}

fn take(import: &mut Import, name: &str) -> Result<Vec<f64>, FormatError> {
    import.used.push(name.to_owned());
    import.arrays.numbers(name)
}

/// Stretches in which units were observed.
fn stretches(import: &mut Import) -> Result<Vec<(f64, f64)>, FormatError> {
    if import.arrays.get("start").is_none() || import.arrays.get("end").is_none() {
        return Ok(Vec::new());
    }
    let (start, end) = (take(import, "start")?, take(import, "end")?);
    let stretches: Vec<(f64, f64)> = start.iter().copied().zip(end.iter().copied()).collect();
    let sound = start.len() == end.len() && stretches.iter().all(|(a, b)| a <= b) && stretches.windows(2).all(|w| w[0].1 <= w[1].0);
    if sound {
        return Ok(stretches);
    }
    import.report.add(NoteKind::LeftOut, "start, end", "the observed stretches do not follow each other in time");
    Ok(Vec::new())
}

/// Columns in the pickle that have one value per unit.
fn metadata(import: &mut Import, n_units: usize) -> Vec<NamedColumn> {
    const NAME: &str = "_metadata";
    if !import.arrays.get(NAME).is_some_and(Listed::is_pickled) {
        return Vec::new();
    }
    import.used.push(NAME.to_owned());
    let bytes = import.arrays.pickled_bytes(NAME, LARGEST_METADATA).map_err(|e| e.brief());
    let (found, others) = match bytes.and_then(|b| Pickle::read(&b)).map(|p| p.columns()) {
        Ok(Some(found)) => found,
        Ok(None) => (Vec::new(), vec!["its content is no table".to_owned()]),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    let (fitting, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, column)| column.len() == n_units);
    if !fitting.is_empty() {
        let names: Vec<&str> = fitting.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("columns read from a pickle without running it: {}", names.join(", "));
        import.report.add(NoteKind::Assumed, NAME, message);
    }
    let lost: Vec<String> = wrong.into_iter().map(|(name, _)| name).chain(others).take(12).collect();
    if !lost.is_empty() {
        import.report.add(NoteKind::LeftOut, NAME, format!("parts of the pickle were not read: {}", lost.join(", ")));
    }
    fitting.into_iter().map(|(name, values)| NamedColumn { name, description: String::new(), values }).collect()
}
