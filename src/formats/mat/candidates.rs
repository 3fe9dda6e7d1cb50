//! Which variables of a MATLAB file may hold spikes, best first.

use super::value::{Numbers, Value};

/// A unit before its times are read: where it stands in nested cells, and its numbers.
pub(super) struct Leaf<'v> {
    /// Position in every level of cells, counted from 0.
    pub(super) index: Vec<usize>,
    /// `None` for an empty place.
    pub(super) times: Option<&'v Numbers>,
    /// True when the times lie in a struct of their own (`time`, `timerange`, …).
    pub(super) in_struct: bool,
}

/// What a variable can be read as.
pub(super) enum Kind<'v> {
    /// One vector of times per unit (and perhaps per trial).
    Trains(Vec<Leaf<'v>>),
    /// One vector of times.
    Vector(&'v Numbers),
    /// Numbers in two or three dimensions: counts per bin.
    Counts(&'v Numbers),
}

/// What belongs to a unit: a variable with one value per unit, or a field of every struct.
pub(super) enum Beside<'v> {
    Whole(&'v Value),
    Each(Vec<&'v Value>),
}

/// A variable that may hold spikes.
pub(super) struct Candidate<'v> {
    pub(super) path: String,
    pub(super) kind: Kind<'v>,
    /// Class and shape, for example `cell, 1 × 15`.
    pub(super) description: String,
    /// Variables and fields in the same place.
    pub(super) beside: Vec<(String, Beside<'v>)>,
    /// Higher for names and shapes that look like spikes.
    score: i32,
}

const DEEPEST: usize = 5;
/// From here on a name and a shape are taken for spikes without asking.
const CERTAIN: i32 = 5;
const TIME_FIELDS: [&str; 8] = ["time", "times", "spiketimes", "spike_times", "spikes", "timestamps", "ts", "t"];
const OTHER_THINGS: [&str; 22] = [
    "stim",
    "trial",
    "event",
    "lick",
    "reward",
    "wave",
    "position",
    "ripple",
    "lfp",
    "channel",
    "note",
    "amplitude",
    "theta",
    "filt",
    "electrode",
    "depth",
    "width",
    "epoch",
    "path",
    "mean",
    "noise",
    "thresh",
];

/// All candidates, best first.
pub(super) fn find(variables: &[(String, Value)]) -> Vec<Candidate<'_>> {
    let mut found = Vec::new();
    let top: Vec<(&str, &Value)> = variables.iter().map(|(n, v)| (n.as_str(), v)).collect();
    visit("", &top, 0, &mut found);
    // Stable: those alike stay in the order of the file.
    found.sort_by_key(|c| -c.score);
    found
}

/// The first when nothing speaks against it.
pub(super) fn certain<'c, 'v>(candidates: &'c [Candidate<'v>]) -> Option<&'c Candidate<'v>> {
    let best = candidates.first()?;
    let second = candidates.get(1).map_or(i32::MIN, |c| c.score);
    (best.score >= CERTAIN && best.score > second).then_some(best)
}

fn visit<'v>(place: &str, fields: &[(&'v str, &'v Value)], depth: usize, found: &mut Vec<Candidate<'v>>) {
    for (name, value) in fields {
        let path = if place.is_empty() { (*name).to_owned() } else { format!("{place}.{name}") };
        let others = || fields.iter().filter(|(n, _)| n != name).map(|(n, v)| ((*n).to_owned(), Beside::Whole(v))).collect();
        let mut add = |kind: Kind<'v>, path: String, beside: Vec<(String, Beside<'v>)>| {
            let description = format!("{}, {}", value.class(), value.shape());
            let score = name_score(&path) + kind_score(&kind);
            found.push(Candidate { path, kind, description, beside, score });
        };
        match value {
            Value::Numbers(numbers) if numbers.is_vector() && numbers.len() >= 2 && !numbers.is_logical() => {
                add(Kind::Vector(numbers), path, others())
            }
            Value::Numbers(numbers) if !numbers.is_vector() && numbers.dims.len() <= 3 => add(Kind::Counts(numbers), path, others()),
            Value::Cell { .. } => {
                if let Some(leaves) = trains(value) {
                    add(Kind::Trains(leaves), path, others());
                } else if let Value::Cell { items, .. } = value
                    && let [one] = items.as_slice()
                    && let Some(inner) = one.fields()
                    && depth < DEEPEST
                {
                    visit(&path, &inner, depth + 1, found);
                }
            }
            Value::Struct { fields: inner, .. } => match value.fields() {
                Some(inner) if depth < DEEPEST => visit(&path, &inner, depth + 1, found),
                Some(_) => {}
                None => {
                    for (field, values) in inner {
                        if let Some(leaves) = array_trains(values) {
                            let each = inner.iter().filter(|(n, _)| n != field);
                            let beside = each.map(|(n, v)| (n.clone(), Beside::Each(v.iter().collect()))).collect();
                            add(Kind::Trains(leaves), format!("{path}.{field}"), beside);
                        }
                    }
                }
            },
            _ => {}
        }
    }
}

/// One vector per element of an array of structs.
fn array_trains(values: &[Value]) -> Option<Vec<Leaf<'_>>> {
    let mut leaves = Vec::with_capacity(values.len());
    for (k, value) in values.iter().enumerate() {
        let Value::Numbers(n) = value else { return None };
        if !n.is_vector() || n.is_logical() {
            return None;
        }
        leaves.push(Leaf { index: vec![k], times: (n.len() > 0).then_some(n), in_struct: false });
    }
    any_train(&leaves).then_some(leaves)
}

/// Vectors that are not all single numbers.
fn any_train(leaves: &[Leaf]) -> bool {
    leaves.iter().any(|l| l.times.is_some_and(|t| t.len() >= 2))
}

/// The vectors inside nested cells; `None` when something else is in there.
fn trains(cell: &Value) -> Option<Vec<Leaf<'_>>> {
    let mut top = cell;
    while let Value::Cell { items, .. } = top
        && let [one @ Value::Cell { .. }] = items.as_slice()
    {
        top = one;
    }
    let mut leaves = Vec::new();
    collect(top, &mut Vec::new(), &mut leaves)?;
    // Among structs an empty place is a unit that does not exist, among vectors one without spikes.
    if leaves.iter().any(|l| l.in_struct) {
        leaves.retain(|l| l.in_struct);
    }
    any_train(&leaves).then_some(leaves)
}

fn collect<'v>(value: &'v Value, index: &mut Vec<usize>, leaves: &mut Vec<Leaf<'v>>) -> Option<()> {
    if index.len() > DEEPEST {
        return None;
    }
    match value {
        Value::Numbers(n) if n.is_vector() && !n.is_logical() => {
            leaves.push(Leaf { index: index.clone(), times: (n.len() > 0).then_some(n), in_struct: false });
        }
        Value::Struct { .. } => {
            let times = TIME_FIELDS.iter().find_map(|f| match value.field(f) {
                Some(Value::Numbers(n)) if n.is_vector() => Some(n),
                _ => None,
            })?;
            leaves.push(Leaf { index: index.clone(), times: (times.len() > 0).then_some(times), in_struct: true });
        }
        Value::Cell { items, dims } => {
            let rows = dims.first().copied().unwrap_or(1) as usize;
            let table = dims.len() == 2 && dims.iter().all(|&d| d > 1);
            for (k, item) in items.iter().enumerate() {
                let deeper = index.len();
                if table {
                    index.extend([k % rows.max(1), k / rows.max(1)]);
                } else {
                    index.push(k);
                }
                collect(item, index, leaves)?;
                index.truncate(deeper);
            }
        }
        _ => return None,
    }
    Some(())
}

fn kind_score(kind: &Kind) -> i32 {
    match kind {
        Kind::Trains(leaves) if leaves.len() > 1 => 4,
        Kind::Trains(_) => 3,
        Kind::Counts(numbers) if numbers.dims.len() == 3 => 2,
        Kind::Counts(_) | Kind::Vector(_) => 0,
    }
}

/// How much a path sounds like spikes.
fn name_score(path: &str) -> i32 {
    let path = path.to_lowercase();
    let last = path.rsplit('.').next().unwrap_or_default();
    let mut score = 0;
    if ["spike", "spk", "sptime", "sp_time"].iter().any(|w| path.contains(w)) {
        score += 3;
    }
    if ["count", "raster", "binned"].iter().any(|w| last.contains(w)) {
        score += 2;
    }
    if last.contains("time") {
        score += 2;
    } else if last == "ts" || ["unit", "cell", "neuron", "train", "clu"].iter().any(|w| last.contains(w)) {
        score += 1;
    }
    if OTHER_THINGS.iter().any(|w| last.contains(w)) {
        score -= 10;
    }
    score
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::value::Data;
    use super::*;

    fn numbers(dims: &[u64]) -> Value {
        Value::Numbers(Numbers { dims: dims.to_vec(), class: "double", data: Data::Empty })
    }

    fn cell(items: Vec<Value>) -> Value {
        Value::Cell { dims: vec![1, items.len() as u64], items }
    }

    fn one(fields: Vec<(&str, Value)>) -> Value {
        Value::Struct { dims: vec![1, 1], fields: fields.into_iter().map(|(n, v)| (n.to_owned(), vec![v])).collect() }
    }

    fn best(variables: Vec<(&str, Value)>) -> (Vec<String>, Option<String>) {
        let variables: Vec<(String, Value)> = variables.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let found = find(&variables);
        (found.iter().map(|c| c.path.clone()).collect(), certain(&found).map(|c| c.path.clone()))
    }

    #[test]
    fn spikes_are_preferred_to_what_merely_has_their_shape() {
        let trains = || cell(vec![numbers(&[5, 1]), numbers(&[0, 0]), numbers(&[1, 3])]);
        let explorer = one(vec![("ts", trains()), ("times", trains()), ("filtWaveform", trains()), ("UID", numbers(&[1, 3]))]);
        let (all, chosen) = best(vec![("lickTimes", trains()), ("spikes", explorer)]);
        assert_eq!(chosen.unwrap(), "spikes.times");
        assert_eq!(all.len(), 5);
        assert_eq!(best(vec![("stimTimes", trains())]).1, None);
        assert_eq!(best(vec![("a", trains()), ("b", trains())]), (vec!["a".to_owned(), "b".to_owned()], None));
        assert_eq!(best(vec![("spikes_a", trains()), ("spikes_b", trains())]).1, None, "two alike are not chosen between");
        assert_eq!(best(vec![("spike_counts", numbers(&[10, 4, 3]))]).1.unwrap(), "spike_counts");
    }

    #[test]
    fn nested_cells_keep_their_places() {
        let unit = || one(vec![("time", numbers(&[7, 1])), ("timerange", numbers(&[1, 2]))]);
        let tetrodes = cell(vec![cell(vec![unit(), numbers(&[0, 0]), unit()]), cell(vec![]), cell(vec![numbers(&[0, 0]), unit()])]);
        let variables = vec![("spikes".to_owned(), cell(vec![cell(vec![tetrodes])]))];
        let found = find(&variables);
        let Kind::Trains(leaves) = &found[0].kind else { panic!("no trains") };
        let places: Vec<&[usize]> = leaves.iter().map(|l| l.index.as_slice()).collect();
        assert_eq!(places, [&[0, 0], &[0, 2], &[2, 1]]);
        let square = Value::Cell { dims: vec![2, 2], items: (0..4).map(|_| numbers(&[2, 1])).collect() };
        let variables = vec![("spikes".to_owned(), square)];
        let found = find(&variables);
        let Kind::Trains(leaves) = &found[0].kind else { panic!("no trains") };
        assert_eq!(leaves.iter().map(|l| l.index.clone()).collect::<Vec<_>>(), [[0, 0], [1, 0], [0, 1], [1, 1]]);
    }

    #[test]
    fn cells_of_scalars_texts_or_matrices_are_no_spikes() {
        let scalars = cell(vec![numbers(&[1, 1]), numbers(&[1, 1])]);
        let texts = cell(vec![Value::Text(vec!["a".to_owned()])]);
        let matrices = cell(vec![numbers(&[3, 3]), numbers(&[2, 1])]);
        assert_eq!(best(vec![("spikes", scalars), ("cells", texts), ("units", matrices)]), (vec![], None));
    }
}
