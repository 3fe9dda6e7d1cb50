//! Counts per bin in a MATLAB file: (time × unit × trial) or any other order, or (time × unit).

use super::Mat;
use super::candidates::Candidate;
use super::columns::{self, Rows};
use super::value::{Numbers, Value};
use crate::formats::binned_h5::counts::{Counts, Grid, starts};
use crate::formats::choices::Question;
use crate::formats::clean::{clean_trains, counted};
use crate::formats::{FormatError, binned_h5};
use crate::recording::{ImportReport, IntervalTable, NoteKind, RecordingParts};

const ORDERS_3: [&str; 6] =
    ["time,unit,trial", "unit,time,trial", "trial,time,unit", "time,trial,unit", "unit,trial,time", "trial,unit,time"];
const ORDERS_2: [&str; 2] = ["time,unit", "unit,time"];

/// Counts become spikes inside their bins, trials one after the other.
pub(super) fn read(
    mat: &Mat,
    candidate: &Candidate,
    numbers: &Numbers,
    variables: &[(String, Value)],
    report: &mut ImportReport,
) -> Result<RecordingParts, FormatError> {
    let path = candidate.path.as_str();
    let order = order(mat, numbers, report)?;
    let bin_s = bin_width(mat, candidate, variables, report)?;
    let (mut sizes, mut strides, mut stride) = ([1usize; 3], [0usize; 3], 1usize);
    for (axis, &size) in order.split(',').zip(&numbers.dims) {
        let at = match axis {
            "trial" => 0,
            "time" => 1,
            _ => 2,
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        (sizes[at], strides[at]) = (size, stride);
        stride = stride.saturating_mul(size);
    }
    let values = mat.values(numbers, 0.5)?.into_owned();
    let counts = Counts::new(sizes, strides, values).map_err(|problem| mat.damaged(path, problem))?;
    let (_, missing) = counts.check().map_err(|problem| mat.damaged(path, format!("{problem}; choose another variable")))?;
    if missing > 0 {
        report.add(NoteKind::LeftOut, path, format!("{} (NaN) read as no spikes", counted(missing as usize, "missing count")));
    }
    let starts = starts(counts.trials, counts.bins, bin_s);
    let mut trains = vec![Vec::new(); counts.units];
    counts.spikes(&Grid { starts: &starts, first_bin: 0, bin_s }, 0, &mut trains);
    let ids: Vec<String> = (1..=counts.units).map(|u| u.to_string()).collect();
    let spikes = clean_trains(trains, &ids, path, report);
    let mut parts = super::parts(spikes.ok_or_else(|| mat.damaged(path, "its counts do not fit together"))?, ids);
    let stop: Vec<f64> = starts.iter().map(|s| s + counts.bins as f64 * bin_s).collect();
    parts.observed = starts.iter().copied().zip(stop.iter().copied()).collect();
    if order.contains("trial") {
        parts.tables.push(IntervalTable { name: "trials".to_owned(), start: starts, stop, columns: Vec::new() });
    }
    binned_h5::note_bins(report, path, bin_s);
    columns::add(mat, candidate, &Rows { units: counts.units, groups: None }, &[], &mut parts, report)?;
    Ok(parts)
}

fn order(mat: &Mat, numbers: &Numbers, report: &mut ImportReport) -> Result<String, FormatError> {
    let orders = if numbers.dims.len() == 3 { &ORDERS_3[..] } else { &ORDERS_2[..] };
    let words = |o: &&str| ((*o).to_owned(), format!("{} ({})", o.replace(',', " × "), dims(numbers)));
    let options: Vec<(String, String)> = orders.iter().map(words).collect();
    let (own, why) = if numbers.dims.len() == 3 {
        ("time,unit,trial", format!("the usual order; the array is {}", dims(numbers)))
    } else {
        let first = numbers.dims.first() >= numbers.dims.get(1);
        let order = if first { "time,unit" } else { "unit,time" };
        (order, format!("the array is {}, and there are more bins than units", dims(numbers)))
    };
    let mut choices = mat.choices();
    let question = Question { key: "axes", label: "Order of dimensions", proposed: Some(own), why: &why, assumed: true };
    let value = choices.pick(&question, &options)?;
    let why = choices.made.last().map_or("", |c| c.why.as_str());
    report.add(NoteKind::Assumed, "dimensions", format!("read as {}: {why}", value.replace(',', " × ")));
    choices.hand_over(report);
    Ok(value)
}

fn dims(numbers: &Numbers) -> String {
    numbers.dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
}

/// Seconds.
fn bin_width(mat: &Mat, candidate: &Candidate, variables: &[(String, Value)], report: &mut ImportReport) -> Result<f64, FormatError> {
    let named = |name: &str| name == "dt" || (name.contains("bin") && ["width", "size", "ms", "dt"].iter().any(|w| name.contains(w)));
    let (own, why) = match super::scalar(mat, candidate, variables, named)? {
        None => (None, format!("{} holds counts per bin, but the file does not say the bin width", candidate.path)),
        Some((name, value)) => {
            // Bins are shorter than half a second and longer than half a millisecond.
            let in_ms = name.to_lowercase().ends_with("ms") || value >= 0.5;
            let ms = if in_ms { value } else { value * 1e3 };
            let unit = if in_ms { "milliseconds" } else { "seconds" };
            (Some(ms.to_string()), format!("the variable {name} is {value}, taken as {unit}"))
        }
    };
    let mut choices = mat.choices();
    let question = Question { key: "bin_width", label: "Bin width", proposed: own.as_deref(), why: &why, assumed: true };
    let ms = choices.positive(&question, "ms")?;
    choices.hand_over(report);
    Ok(ms / 1e3)
}
