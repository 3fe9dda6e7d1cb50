//! The arrays of a file of counts: train, valid, test and eval, each with held-in and held-out units and forward bins.

use hdf5_pure::Group;

use super::SPLITS;
use super::counts::Counts;
use crate::formats::FormatError;
use crate::formats::clean::counted;
use crate::formats::guard::Hdf5;
use crate::recording::{ImportReport, NoteKind};

/// One array of counts `[trials, bins, units]`.
pub(super) struct Block {
    pub(super) name: String,
    pub(super) heldout: bool,
    pub(super) forward: bool,
    pub(super) counts: Counts,
}

/// All arrays with the same trials.
pub(super) struct Part {
    pub(super) split: &'static str,
    pub(super) trials: usize,
    pub(super) blocks: Vec<Block>,
    /// True rates as they are in the file, `[trials, bins, units]`.
    pub(super) truth: Option<Vec<f64>>,
    /// Number of every trial in the whole session.
    pub(super) numbers: Option<Vec<i64>>,
}

/// Sizes that all parts share.
pub(super) struct Sizes {
    pub(super) bins: usize,
    pub(super) forward: usize,
    pub(super) heldin: usize,
    pub(super) heldout: usize,
    /// The layout of the benchmark, not that of LFADS.
    pub(super) benchmark: bool,
}

/// Read every part.
pub(super) fn read(h5: &Hdf5, report: &mut ImportReport) -> Result<Vec<Part>, FormatError> {
    let root = h5.group("/")?.ok_or_else(|| FormatError::corrupt(h5.path, "/", "the root group is missing"))?;
    let names = root.datasets().map_err(|e| h5.failed("/", &e))?;
    let (mut parts, mut used) = (Vec::new(), Vec::new());
    for (prefix, split) in SPLITS {
        let kinds = [
            ("_spikes_heldin", false, false),
            ("_spikes_heldout", true, false),
            ("_spikes_heldin_forward", false, true),
            ("_spikes_heldout_forward", true, true),
            ("_data", false, false),
        ];
        let mut blocks: Vec<Block> = Vec::new();
        for (suffix, heldout, forward) in kinds {
            let name = format!("{prefix}{suffix}");
            if !names.contains(&name) || (suffix == "_data" && !blocks.is_empty()) {
                continue;
            }
            let (sizes, values) = array(h5, &root, &name, 0.1 + 0.08 * used.len() as f32)?;
            let [trials, bins, units] = sizes;
            let counts = Counts::new([trials, bins, units], [bins * units, units, 1], values)
                .map_err(|p| FormatError::corrupt(h5.path, name.clone(), p))?;
            let (_, missing) = counts.check().map_err(|p| FormatError::corrupt(h5.path, name.clone(), p))?;
            if missing > 0 {
                report.add(
                    NoteKind::LeftOut,
                    name.clone(),
                    format!("{} (NaN) read as no spikes", counted(missing as usize, "missing count")),
                );
            }
            used.push(name.clone());
            blocks.push(Block { name, heldout, forward, counts });
        }
        let Some(first) = blocks.first() else { continue };
        let trials = first.counts.trials;
        let truth = truth(h5, &root, &names, prefix, &first.counts, &mut used, report)?;
        let numbers = numbers(h5, &root, &names, prefix, trials, &mut used)?;
        parts.push(Part { split, trials, blocks, truth, numbers });
    }
    let rest: Vec<&str> = names.iter().filter(|n| !used.contains(n)).map(String::as_str).take(20).collect();
    if !rest.is_empty() {
        report.add(NoteKind::LeftOut, "/", format!("not read: {}", rest.join(", ")));
    }
    Ok(parts)
}

fn array(h5: &Hdf5, root: &Group, name: &str, at: f32) -> Result<([usize; 3], Vec<f64>), FormatError> {
    let dataset = h5.dataset(root, "", name)?.ok_or_else(|| FormatError::corrupt(h5.path, name, "it is no dataset"))?;
    let shape = dataset.shape().map_err(|e| h5.failed(name, &e))?;
    let wrong = || FormatError::corrupt(h5.path, name, format!("its shape is {shape:?}, expected [trials, bins, units]"));
    let sizes: [u64; 3] = shape.clone().try_into().map_err(|_| wrong())?;
    if !h5.is_number(name, &dataset)? {
        return Err(FormatError::corrupt(h5.path, name, "it does not hold numbers"));
    }
    h5.check(name, &dataset)?;
    let values = h5.numbers(name, &dataset, (at.min(0.6), at.min(0.6)), "reading counts")?;
    let sizes = sizes.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if sizes[0].checked_mul(sizes[1]).and_then(|n| n.checked_mul(sizes[2])) != Some(values.len()) {
        return Err(wrong());
    }
    Ok((sizes, values))
}

fn truth(
    h5: &Hdf5,
    root: &Group,
    names: &[String],
    prefix: &str,
    counts: &Counts,
    used: &mut Vec<String>,
    report: &mut ImportReport,
) -> Result<Option<Vec<f64>>, FormatError> {
    let name = format!("{prefix}_truth");
    if !names.contains(&name) {
        return Ok(None);
    }
    used.push(name.clone());
    let (sizes, values) = array(h5, root, &name, 0.1 + 0.08 * used.len() as f32)?;
    if sizes != [counts.trials, counts.bins, counts.units] || values.iter().any(|v| !v.is_finite() || *v < 0.0) {
        report.add(NoteKind::LeftOut, name, "the true rates do not fit the counts");
        return Ok(None);
    }
    Ok(Some(values))
}

fn numbers(
    h5: &Hdf5,
    root: &Group,
    names: &[String],
    prefix: &str,
    trials: usize,
    used: &mut Vec<String>,
) -> Result<Option<Vec<i64>>, FormatError> {
    let name = format!("{prefix}_inds");
    if !names.contains(&name) {
        return Ok(None);
    }
    used.push(name.clone());
    let Some(dataset) = h5.dataset(root, "", &name)? else { return Ok(None) };
    Ok(match h5.column(&name, &dataset)? {
        Some(crate::recording::Column::Int(numbers)) if numbers.len() == trials => Some(numbers),
        _ => None,
    })
}

/// The sizes of all parts, which have to agree.
pub(super) fn sizes(h5: &Hdf5, parts: &[Part]) -> Result<Sizes, FormatError> {
    let blocks = || parts.iter().flat_map(|p| &p.blocks);
    let Some(first) = blocks().next() else {
        return Err(FormatError::corrupt(h5.path, "/", "it has no array of counts"));
    };
    let size = |heldout: bool, forward: bool| blocks().find(|b| b.heldout == heldout && b.forward == forward).map(|b| &b.counts);
    let sizes = Sizes {
        bins: first.counts.bins,
        forward: size(false, true).or(size(true, true)).map_or(0, |c| c.bins),
        heldin: first.counts.units,
        heldout: size(true, false).or(size(true, true)).map_or(0, |c| c.units),
        benchmark: first.name.contains("_spikes_"),
    };
    for part in parts {
        for block in &part.blocks {
            let bins = if block.forward { sizes.forward } else { sizes.bins };
            let units = if block.heldout { sizes.heldout } else { sizes.heldin };
            let (found, expected) = ([block.counts.trials, block.counts.bins, block.counts.units], [part.trials, bins, units]);
            if found != expected {
                let problem = format!("its shape is {found:?}, but the other arrays make it {expected:?}");
                return Err(FormatError::corrupt(h5.path, block.name.clone(), problem));
            }
        }
    }
    let (trials, length, units) = (parts.iter().map(|p| p.trials).sum::<usize>(), sizes.bins + sizes.forward, sizes.heldin + sizes.heldout);
    if trials == 0 || length == 0 || units == 0 {
        return Err(FormatError::corrupt(
            h5.path,
            first.name.clone(),
            format!("it has {trials} trials of {length} bins and {units} units"),
        ));
    }
    Ok(sizes)
}
