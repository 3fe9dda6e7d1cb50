//! SONATA spikes of simulated networks, in HDF5 (`/spikes/<population>/{timestamps, node_ids}`, or without population as first
//! written) and in text (`timestamps population node_ids`), with the network beside them when it is there: cell types as columns,
//! connections as ground truth. Specification: <https://github.com/AllenInstitute/sonata>.

mod edges;
mod network;
mod spikes;

use std::collections::HashMap;
use std::path::Path;

use self::network::Network;
use self::spikes::Population;
use super::arrays::columns;
use super::arrays::spikes::Members;
use super::choices::{Choices, Question};
use super::npz::npy::Values;
use super::time_unit::{self, Evidence, TimeUnit};
use super::{FormatError, Loaded, OpenOptions, Progress, clean};
use crate::recording::{Column, ImportReport, NamedColumn, NoteKind, RecordingParts, Truth};

pub(super) use spikes::sniff;

/// A unit: population and node.
pub(super) type Node = (String, i64);

/// Read the spikes of a simulation, and its network when it lies beside them.
pub(super) fn read(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Loaded, FormatError> {
    let mut report = ImportReport::default();
    let mut choices = Choices::new(path, &options.answers);
    let mut populations = spikes::read(path, options, progress)?;
    select(&mut populations, &mut choices)?;
    progress.at(0.4, "looking for the network")?;
    let network = Network::find(path, options, progress, &mut report);
    let per_second = unit_of_time(&populations, &mut choices, &mut report)?;
    let several = populations.len() > 1;
    let mut nodes: Vec<Node> = Vec::new();
    let (mut times, mut offsets) = (Vec::new(), vec![0]);
    for population in populations {
        let mut members = Members::of(Values::I64(population.ids)).map_err(|p| FormatError::corrupt(path, "node_ids", p))?;
        let listed = silent(&population.name, &members, &network, &mut choices, &mut report)?;
        members.list(listed);
        let seconds: Vec<f64> = population.times.iter().map(|t| t / per_second).collect();
        let (sorted, ends) = members.trains(&seconds);
        let base = times.len();
        times.extend(sorted);
        offsets.extend(ends.iter().skip(1).map(|o| o + base));
        nodes.extend(members.ids.iter().filter_map(|id| Some((population.name.clone(), id.parse().ok()?))));
    }
    progress.at(0.6, "sorting spikes into units")?;
    let ids: Vec<String> = nodes.iter().map(|(p, id)| if several { format!("{p}/{id}") } else { id.to_string() }).collect();
    let spikes = clean::clean(times, offsets, &ids, "timestamps", &mut report)
        .ok_or_else(|| FormatError::corrupt(path, "node_ids", "they do not add up to the spikes"))?;
    let mut unit_columns = network.columns(&nodes);
    if several {
        let values = Column::Text(nodes.iter().map(|(p, _)| p.clone()).collect());
        unit_columns.insert(0, NamedColumn { name: "population".to_owned(), description: String::new(), values });
    }
    let unit_areas = columns::areas(&mut choices, &mut report, &mut unit_columns, ids.len(), &["population"])?;
    progress.at(0.8, "reading connections")?;
    let truth = truth(&network, &nodes, options, progress, &mut report);
    let last = spikes.time_range().map_or(0.0, |r| r.1);
    let observed = network.stop_s.filter(|stop| *stop >= last).map(|stop| (0.0, stop)).into_iter().collect();
    report.choices = choices.made;
    Ok(RecordingParts { spikes, unit_ids: ids, unit_areas, unit_columns, observed, truth, report, ..RecordingParts::default() }.into())
}

/// Keep the chosen population of several.
fn select(populations: &mut Vec<Population>, choices: &mut Choices) -> Result<(), FormatError> {
    if populations.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = populations.iter().map(|p| p.name.clone()).collect();
    let why = format!("the file has the populations {}; the column 'population' tells their units apart", names.join(", "));
    let question = Question { key: "population", label: "Populations", proposed: Some("(all)"), why: &why, assumed: false };
    let mut options = vec![("(all)", "all populations")];
    options.extend(names.iter().map(|n| (n.as_str(), n.as_str())));
    let pick = choices.pick(&question, &options)?;
    populations.retain(|p| pick == "(all)" || p.name == pick);
    Ok(())
}

fn unit_of_time(populations: &[Population], choices: &mut Choices, report: &mut ImportReport) -> Result<f64, FormatError> {
    let said = populations.iter().find_map(|p| p.unit.clone());
    let named = match said.as_deref() {
        Some(unit) => TimeUnit::named(unit.trim()).map(|u| (u, format!("the attribute units ('{unit}')"))),
        None => Some((TimeUnit::Milliseconds, "the SONATA specification".to_owned())),
    };
    let evidence = Evidence { named, ..Evidence::default() };
    let per_second = time_unit::per_second(choices, &evidence)?;
    for told in time_unit::told(choices) {
        report.add(NoteKind::Assumed, "timestamps", told);
    }
    Ok(per_second)
}

/// All nodes of a population when the user wants those without spikes too, else those with spikes.
fn silent(
    name: &str,
    members: &Members,
    network: &Network,
    choices: &mut Choices,
    report: &mut ImportReport,
) -> Result<Vec<String>, FormatError> {
    let all = network.nodes_of(name);
    let silent = all.len().saturating_sub(members.ids.len());
    if silent == 0 {
        return Ok(members.ids.clone());
    }
    let why = format!("{silent} of {} nodes of '{name}' have no spikes", all.len());
    let question = Question { key: "silent_units", label: "Nodes without spikes", proposed: Some("leave_out"), why: &why, assumed: true };
    if choices.pick(&question, &[("leave_out", "leave out"), ("keep", "keep")])? == "keep" {
        return Ok(all.iter().map(i64::to_string).collect());
    }
    report.add(NoteKind::LeftOut, "nodes", why);
    Ok(members.ids.clone())
}

fn truth(network: &Network, nodes: &[Node], options: &OpenOptions, progress: &Progress, report: &mut ImportReport) -> Option<Truth> {
    let place: HashMap<&Node, usize> = nodes.iter().enumerate().map(|(u, n)| (n, u)).collect();
    let found = edges::read(network, &place, options, progress, report)?;
    Some(Truth { unit_edges: Some(found), ..Truth::default() })
}
