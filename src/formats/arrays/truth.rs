//! The true connections of simulated units: a matrix of weights `[units, units]`, or a list of pairs with weights.

use std::collections::HashMap;

use super::{Import, inventory, names};
use crate::formats::choices::Question;
use crate::formats::time_unit::TimeUnit;
use crate::formats::{FormatError, clean};
use crate::recording::{NoteKind, Truth, UnitEdge};

/// Connections among the units, when the file has them.
pub(super) fn find(import: &mut Import, ids: &[String]) -> Result<Option<Truth>, FormatError> {
    let n = ids.len();
    let square = |a: &inventory::Listed| a.is_number() && a.shape() == [n, n] && n > 1;
    let edges = if let Some(name) = import.find(names::WEIGHTS, square) {
        Some(matrix(import, &name, n)?)
    } else if let Some(name) = import.find(names::EDGE_LIST, |a| a.is_number() && matches!(a.shape(), [_, 3])) {
        list(import, &name, ids)?
    } else {
        None
    };
    Ok(edges.map(|edges| Truth { unit_edges: Some(edges), ..Truth::default() }))
}

fn matrix(import: &mut Import, name: &str, n: usize) -> Result<Vec<UnitEdge>, FormatError> {
    let weights = import.arrays.numbers(name)?;
    import.used.push(name.to_owned());
    let delays = import.find(names::DELAYS, |a| a.is_number() && a.shape() == [n, n]);
    let mut per_second = 1.0;
    let delays = match delays {
        Some(delays) => {
            import.used.push(delays.clone());
            per_second = if names::words(&delays).1 == Some(TimeUnit::Milliseconds) { 1e3 } else { 1.0 };
            Some(import.arrays.numbers(&delays)?)
        }
        None => None,
    };
    let why = format!("'{name}' does not say whether a row is the sending or the receiving unit");
    let question = Question { key: "truth_axes", label: "True weights", proposed: Some("pre,post"), why: &why, assumed: true };
    let rows_send =
        import.choices.pick(&question, &[("pre,post", "rows send, columns receive"), ("post,pre", "rows receive, columns send")])?
            == "pre,post";
    let edge = |(at, &weight): (usize, &f64)| {
        let (row, column) = (at / n.max(1), at % n.max(1));
        let (pre, post) = if rows_send { (row, column) } else { (column, row) };
        let delay_s = delays.as_ref().and_then(|d| d.get(at)).map_or(f64::NAN, |d| d / per_second);
        (weight != 0.0 && weight.is_finite()).then_some(UnitEdge { pre, post, weight, delay_s })
    };
    Ok(weights.iter().enumerate().filter_map(edge).collect())
}

/// Rows of sending unit, receiving unit and weight.
fn list(import: &mut Import, name: &str, ids: &[String]) -> Result<Option<Vec<UnitEdge>>, FormatError> {
    let values = import.arrays.numbers(name)?;
    let place: HashMap<&str, usize> = ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    let unit = |v: f64| place.get(v.to_string().as_str()).copied();
    let (mut edges, mut unknown) = (Vec::new(), 0);
    for row in values.chunks_exact(3) {
        let &[pre, post, weight] = row else { continue };
        match (unit(pre), unit(post)) {
            (Some(pre), Some(post)) if weight != 0.0 && weight.is_finite() => edges.push(UnitEdge { pre, post, weight, delay_s: f64::NAN }),
            (Some(_), Some(_)) => {}
            _ => unknown += 1,
        }
    }
    if unknown * 2 > values.len() / 3 {
        // These are not our units, or no connections at all.
        return Ok(None);
    }
    import.used.push(name.to_owned());
    import.report.add(NoteKind::Assumed, name, "rows are read as sending unit, receiving unit and weight");
    if unknown > 0 {
        let message = format!("{} with units that have no spikes", clean::counted(unknown, "connection"));
        import.report.add(NoteKind::LeftOut, name, message);
    }
    Ok(Some(edges))
}
