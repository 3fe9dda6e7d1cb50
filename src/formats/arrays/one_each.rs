//! One array of ascending times per unit: `np.savez(file, unit0=…, unit1=…)`.

use super::flat::{self, Flat};
use super::spikes::Members;
use super::{Import, inventory};
use crate::formats::time_unit::{self, Evidence};
use crate::formats::{FormatError, clean};
use crate::recording::{NoteKind, RecordingParts};

/// Fewer arrays could be anything.
const FEWEST: usize = 2;

/// True when all arrays are vectors of ascending real numbers, named alike.
pub(super) fn fits(import: &mut Import) -> Result<bool, FormatError> {
    let names: Vec<String> = import.arrays.listed.iter().map(|a| a.name.clone()).collect();
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let alike = names.first().is_some_and(|first| names.iter().all(|n| stem(n) == stem(first) && *n != stem(n)));
    if names.len() < FEWEST || !alike || !import.arrays.listed.iter().all(inventory::Listed::is_vector) {
        return Ok(false);
    }
    for name in &names {
        let times = import.arrays.numbers(name)?;
        // Whole numbers could be counts in bins.
        if !times.is_sorted() || times.iter().any(|t| !t.is_finite()) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn read(import: &mut Import) -> Result<RecordingParts, FormatError> {
    let mut names: Vec<String> = import.arrays.listed.iter().map(|a| a.name.clone()).collect();
    let number = |name: &str| name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok();
    names.sort_by_key(|n| number(n));
    let (mut times, mut offsets) = (Vec::new(), vec![0]);
    for name in &names {
        times.extend(import.arrays.numbers(name)?);
        offsets.push(times.len());
        import.used.push(name.clone());
    }
    let message = format!("{} are one unit each", clean::counted(names.len(), "array"));
    import.report.add(NoteKind::Assumed, "units", message);
    let counts: Vec<usize> = offsets.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
    let evidence = Evidence::of(times.iter().copied(), &counts);
    let per_second = time_unit::per_second(&mut import.choices, &evidence)?;
    import.report.add(NoteKind::Assumed, "time", flat::said(import));
    times.iter_mut().for_each(|t| *t /= per_second);
    let index = offsets.windows(2).enumerate().flat_map(|(u, w)| std::iter::repeat_n(u as u32, w[1].saturating_sub(w[0]))).collect();
    let name = "spike times".to_owned();
    let n = names.len();
    let flat = Flat { times, members: Members { index, ids: names }, name, rate: None };
    let mut parts = flat::trains(import, &flat, Vec::new())?;
    import.report.add(
        NoteKind::Assumed,
        "area",
        "the file does not say which area a unit is from; all units are in one area without a name",
    );
    parts.unit_areas = vec![String::new(); n];
    Ok(parts)
}
