//! Spike counts per bin in two or three dimensions: `[bins, units]`, `[trials, bins, units]`, in any order. Spikes of a bin are
//! spread evenly over it, so that binning again gives the same counts.

use super::{Import, columns, inventory, names};
use crate::formats::choices::Question;
use crate::formats::npz::npy::{Array, Values};
use crate::formats::time_unit::TimeUnit;
use crate::formats::{FormatError, clean};
use crate::recording::{IntervalTable, NoteKind, RecordingParts};

/// A bin with more spikes holds no counts.
const MOST_PER_BIN: f64 = 10_000.0;

/// What an axis of the array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Trials,
    Bins,
    Units,
}

impl Axis {
    fn name(self) -> &'static str {
        match self {
            Self::Trials => "trials",
            Self::Bins => "bins",
            Self::Units => "units",
        }
    }
}

/// Size and stride of every axis.
struct Layout {
    trials: (usize, usize),
    bins: (usize, usize),
    units: (usize, usize),
}

pub(super) fn read(import: &mut Import, name: &str) -> Result<RecordingParts, FormatError> {
    let shape = import.arrays.get(name).map(|a| a.shape().to_vec()).unwrap_or_default();
    let layout = layout(import, name, &shape)?;
    let bin_s = bin_width(import)?;
    import.progress.at(0.3, "reading counts")?;
    let array = import.arrays.read(name)?;
    let (n_trials, n_bins, n_units) = (layout.trials.0, layout.bins.0, layout.units.0);
    let length = n_bins as f64 * bin_s;
    let (start, placed) = starts(import, n_trials, length)?;
    import.progress.at(0.6, "turning counts into spikes")?;
    let (times, offsets) = spread(import, name, &array, &layout, &start, bin_s)?;
    let ids: Vec<String> = (0..n_units).map(|u| u.to_string()).collect();
    let spikes = clean::clean(times, offsets, &ids, name, &mut import.report)
        .ok_or_else(|| import.arrays.damaged(name, "its counts do not add up"))?;
    let message = format!("spikes are spread evenly over their bins of {} ms; times within a bin are not known", bin_s * 1e3);
    import.report.add(NoteKind::Assumed, name, message);
    let stop: Vec<f64> = start.iter().map(|s| s + length).collect();
    let mut parts = RecordingParts { spikes, unit_ids: ids, ..RecordingParts::default() };
    parts.observed = merged(&start, &stop);
    let mut unit_columns = columns::per_unit(import, n_units)?;
    if shape.len() == 3 {
        let columns = columns::named(import, |a| a.is_row() && a.len() == n_trials && n_trials > 1 && (a.is_number() || a.is_text()))?;
        parts.tables.push(IntervalTable { name: "trials".to_owned(), start, stop, columns });
        if placed {
            let message = format!("{n_trials} trials of {length} s were put one after another");
            import.report.add(NoteKind::Assumed, name, message);
        }
    }
    parts.unit_areas = columns::areas(&mut import.choices, &mut import.report, &mut unit_columns, n_units, &[])?;
    parts.unit_columns = unit_columns;
    Ok(parts)
}

/// Which axis is which: from arrays of the same length, else as benchmarks have them, `[trials, bins, units]`.
fn layout(import: &mut Import, name: &str, shape: &[usize]) -> Result<Layout, FormatError> {
    let lengths = |known: &dyn Fn(&inventory::Listed) -> bool| -> Vec<usize> {
        import.arrays.listed.iter().filter(|a| a.name != name && a.is_row() && known(a)).map(inventory::Listed::len).collect()
    };
    let of_units = lengths(&|a| names::is(&a.name, names::AREA) || names::is(&a.name, names::UNIT_LIST));
    let of_trials = lengths(&|a| names::is(&a.name, names::TRIAL_START) || names::is(&a.name, names::TRIALS));
    let unit_axes: Vec<usize> = (0..shape.len()).filter(|&i| shape.get(i).is_some_and(|d| of_units.contains(d))).collect();
    let three = shape.len() == 3;
    let mut axes = if three {
        vec![Axis::Trials, Axis::Bins, Axis::Units]
    } else if shape.first() < shape.get(1) {
        vec![Axis::Units, Axis::Bins]
    } else {
        vec![Axis::Bins, Axis::Units]
    };
    let mut why = if three {
        "no other array tells the axes apart; benchmarks have them in this order".to_owned()
    } else {
        "no other array tells the axes apart; there are usually more bins than units".to_owned()
    };
    let mut assumed = true;
    if let [units] = unit_axes.as_slice() {
        let rest: Vec<usize> = (0..shape.len()).filter(|i| i != units).collect();
        let trials = rest.iter().copied().find(|&i| shape.get(i).is_some_and(|d| of_trials.contains(d))).or(rest.first().copied());
        for (i, axis) in axes.iter_mut().enumerate() {
            *axis = if i == *units {
                Axis::Units
            } else if three && Some(i) == trials {
                Axis::Trials
            } else {
                Axis::Bins
            };
        }
        why = "an array about units has the length of that axis".to_owned();
        assumed = three && !rest.iter().any(|&i| shape.get(i).is_some_and(|d| of_trials.contains(d)));
    }
    let key = |axes: &[Axis]| axes.iter().map(|a| a.name()).collect::<Vec<_>>().join(",");
    let all: Vec<String> = if three {
        let [t, b, u] = [Axis::Trials, Axis::Bins, Axis::Units];
        [[t, b, u], [t, u, b], [u, t, b], [u, b, t], [b, t, u], [b, u, t]].iter().map(|a| key(a)).collect()
    } else {
        vec![key(&[Axis::Bins, Axis::Units]), key(&[Axis::Units, Axis::Bins])]
    };
    let options: Vec<(&str, &str)> = all.iter().map(|k| (k.as_str(), k.as_str())).collect();
    let proposed = key(&axes);
    let question = Question { key: "axes", label: "Order of axes", proposed: Some(&proposed), why: &why, assumed };
    let chosen = import.choices.pick(&question, &options)?;
    let mut layout = Layout { trials: (1, 0), bins: (0, 0), units: (0, 0) };
    let mut stride = 1usize;
    for (axis, &size) in chosen.split(',').zip(shape).rev_pairs() {
        let place = match axis {
            "trials" => &mut layout.trials,
            "bins" => &mut layout.bins,
            _ => &mut layout.units,
        };
        *place = (size, stride);
        stride = stride.saturating_mul(size);
    }
    Ok(layout)
}

trait RevPairs<T> {
    fn rev_pairs(self) -> std::iter::Rev<std::vec::IntoIter<T>>;
}

impl<I: Iterator> RevPairs<I::Item> for I {
    fn rev_pairs(self) -> std::iter::Rev<std::vec::IntoIter<I::Item>> {
        self.collect::<Vec<_>>().into_iter().rev()
    }
}

/// Bin width in seconds: from an array that is called so, else it is asked.
fn bin_width(import: &mut Import) -> Result<f64, FormatError> {
    let found = import.scalar(names::BIN_WIDTH).filter(|(_, v)| *v > 0.0);
    let (proposed, why, assumed) = match &found {
        Some((name, value)) => {
            let (ms, said) = match names::words(name).1 {
                Some(TimeUnit::Milliseconds) => (*value, true),
                Some(TimeUnit::Seconds) => (value * 1e3, true),
                // Bins of a second or more are as unusual as bins below a millisecond.
                _ => (if *value < 1.0 { value * 1e3 } else { *value }, false),
            };
            (Some(ms.to_string()), format!("'{name}' is {value}"), !said)
        }
        None => (None, "no array says how wide the bins of the counts are".to_owned(), false),
    };
    let question = Question { key: "bin_width_ms", label: "Bin width", proposed: proposed.as_deref(), why: &why, assumed };
    Ok(import.choices.positive(&question, "ms")? / 1e3)
}

/// Start of every trial in seconds; true when the file does not say and they were put one after another.
fn starts(import: &mut Import, n_trials: usize, length: f64) -> Result<(Vec<f64>, bool), FormatError> {
    if n_trials == 1 {
        return Ok((vec![0.0], false));
    }
    let name = import.find(names::TRIAL_START, |a| a.is_vector() && a.len() == n_trials);
    if let Some(name) = name {
        let starts = import.arrays.numbers(&name)?;
        let sound = starts.iter().all(|s| s.is_finite()) && starts.windows(2).all(|w| w[1] >= w[0] + length * 0.999);
        import.used.push(name.clone());
        if sound {
            return Ok((starts, false));
        }
        let message = "trials do not follow each other in time or overlap; they were put one after another instead";
        import.report.add(NoteKind::LeftOut, name, message);
    }
    let spacing = length + import.trial_gap()?;
    Ok(((0..n_trials).map(|t| t as f64 * spacing).collect(), true))
}

/// Spike times unit after unit, and their offsets.
fn spread(
    import: &Import,
    name: &str,
    array: &Array,
    layout: &Layout,
    start: &[f64],
    bin_s: f64,
) -> Result<(Vec<f64>, Vec<usize>), FormatError> {
    let value = |at: usize| match &array.values {
        Values::U8(v) => v.get(at).map(|&x| f64::from(x)),
        Values::I64(v) => v.get(at).map(|&x| x as f64),
        Values::Bool(v) => v.get(at).map(|&x| f64::from(u8::from(x))),
        Values::F32(v) => v.get(at).map(|&x| f64::from(x)),
        Values::F64(v) => v.get(at).copied(),
        Values::Text(_) | Values::Fields(_) => None,
    };
    let most = import.options.max_bytes / 8;
    let mut times: Vec<f64> = Vec::new();
    let mut offsets = vec![0];
    for unit in 0..layout.units.0 {
        for (trial, &start) in start.iter().enumerate() {
            for bin in 0..layout.bins.0 {
                let at = unit * layout.units.1 + trial * layout.trials.1 + bin * layout.bins.1;
                let count = value(at).unwrap_or(0.0);
                if count == 0.0 {
                    continue;
                }
                if count < 0.0 || count.fract() != 0.0 || count > MOST_PER_BIN || count.is_nan() {
                    let problem = format!("its value {count} (unit {unit}, bin {bin}) is no number of spikes");
                    let remedy = "choose an array of counts; rates and smoothed activity cannot be turned back into spikes".to_owned();
                    let problem = format!("array '{name}' holds no counts: {problem}");
                    return Err(FormatError::NpzLayout { path: import.path.to_owned(), problem, remedy });
                }
                if times.len() as u64 + count as u64 > most {
                    let reason = format!("at most {} are read", import.options.max_bytes);
                    let claimed = (times.len() as u64).saturating_mul(8);
                    return Err(FormatError::TooBig { path: import.path.to_owned(), object: name.to_owned(), claimed, reason });
                }
                let begin = start + bin as f64 * bin_s;
                times.extend((0..count as usize).map(|k| begin + bin_s * (k as f64 + 0.5) / count));
            }
        }
        offsets.push(times.len());
    }
    Ok((times, offsets))
}

/// Stretches that touch are one.
fn merged(start: &[f64], stop: &[f64]) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = Vec::new();
    for (&a, &b) in start.iter().zip(stop) {
        match all.last_mut() {
            Some(last) if a <= last.1 + 1e-9 => last.1 = last.1.max(b),
            _ => all.push((a, b)),
        }
    }
    all
}
