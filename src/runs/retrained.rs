//! Networks of a run's recipe that are trained anew from other seeds, each tested like the run itself: how far an edge depends on where
//! training began. They are not kept; what they say of every pair is kept with the report of the run.

use std::path::Path;
use std::sync::Arc;

use super::evidence::{EvidenceError, edge_report, save, test_edges};
use super::load;
use crate::analysis::edge_test::{self, EdgeReport, EdgeTestPlan};
use crate::analysis::watch::Watch;
use crate::recording::Recording;
use crate::training::benchmarks::train;
use crate::training::{Recipe, StartOptions, frozen_model};

/// Most copies per pair and null of a network that is trained anew: with 40, one copy may be as large as the data at p ≤ 0.05.
pub const NETWORK_NULLS: usize = 40;

/// As [`test_edges`], and then with so many networks more, trained from the seeds that follow the run's. A complete report of the same
/// plan is not made again, nor is a network that it has. Whatever is done when the watch is stopped is kept.
///
/// # Errors
/// [`EvidenceError`] says what does not fit, or why a network could not be trained.
pub fn test_edges_and_networks(
    folder: &Path,
    recording: &Arc<Recording>,
    plan: &EdgeTestPlan,
    networks: usize,
    watch: &Watch,
    doing: &dyn Fn(&str),
    publish: &mut dyn FnMut(&EdgeReport),
) -> Result<Option<EdgeReport>, EvidenceError> {
    watch.part(0, networks + 1);
    let same = |theirs: &EdgeTestPlan| EdgeTestPlan { window_bins: theirs.window_bins, ..*plan } == *theirs;
    let kept = edge_report(folder)?.filter(|report| networks > 0 && report.complete && same(&report.plan));
    let report = match kept {
        Some(report) => Some(report),
        None => test_edges(folder, recording, plan, watch, doing, publish)?,
    };
    let Some(mut report) = report else { return Ok(None) };
    if networks == 0 || !report.complete {
        return Ok(Some(report));
    }
    let recipe = load(folder)?.recipe;
    for network in 1..=networks {
        let seed = recipe.seed.wrapping_add(network as u64);
        watch.part(network, networks + 1);
        if report.has_network(seed) {
            continue;
        }
        doing(&format!("training network {network} of {networks}"));
        let recipe = Recipe { seed, ..recipe.clone() };
        let heard = |_: &EdgeReport| doing(&format!("testing edges of network {network} of {networks}"));
        let Some(theirs) = retrained(recipe, recording, &report.plan, watch, &heard)? else { break };
        report.add_network(seed, &theirs);
        save(folder, &report)?;
        publish(&report);
    }
    Ok(Some(report))
}

/// Train and test one network. `None` when it was stopped.
fn retrained(
    recipe: Recipe,
    recording: &Arc<Recording>,
    plan: &EdgeTestPlan,
    watch: &Watch,
    heard: &dyn Fn(&EdgeReport),
) -> Result<Option<EdgeReport>, EvidenceError> {
    if watch.stopped() {
        return Ok(None);
    }
    let seed = recipe.seed;
    let failed = |message: String| EvidenceError::Nothing(format!("the network of seed {seed} could not be trained: {message}"));
    let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
    let run = folder.path().join("run");
    let options = StartOptions { run: Some(run.clone()), below_the_window: true, ..StartOptions::default() };
    if train(recording, recipe.clone(), options, watch).map_err(failed)?.is_none() {
        return Ok(None);
    }
    let kept = load(&run)?;
    let stage = kept.snapshot.as_ref().map_or(0, |s| s.stage);
    let Some(model) = frozen_model(&recipe, recording, &kept.weights()?, stage, &mut |_| !watch.stopped())? else { return Ok(None) };
    let plan = EdgeTestPlan { nulls: plan.nulls.min(NETWORK_NULLS), bootstrap: 0, seed, ..*plan };
    let report = edge_test::run(&model, &plan, watch, &mut |report| heard(report));
    Ok(Some(report).filter(|r| r.complete))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;
    use crate::simulate;
    use crate::training::{DeviceChoice, GlmRecipe, ModelRecipe};

    #[test]
    fn networks_are_trained_anew_once_and_kept_with_the_report() {
        let recording =
            Arc::new(simulate::by_name("glm", &[("areas", "5x4"), ("trials", "40"), ("units_per_edge", "3"), ("seed", "6")]).unwrap());
        let model = GlmRecipe { width: 8, hidden: 8, layers: 1, batch: 16, max_epochs: 2, edge_jitters: 3, ..GlmRecipe::default() };
        let recipe = Recipe { model: ModelRecipe::GlmTransformer(model), seed: 3, device: DeviceChoice::Cpu, ..Recipe::default() };
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let options = StartOptions { run: Some(run.clone()), ..StartOptions::default() };
        train(&recording, recipe, options, &Watch::default()).unwrap().unwrap();
        let plan = EdgeTestPlan { nulls: 3, bootstrap: 0, halves: 2, seed: 3, ..EdgeTestPlan::default() };
        let told = RefCell::new(Vec::new());
        let go = |networks: usize, watch: &Watch| {
            let doing = |text: &str| told.borrow_mut().push(text.to_owned());
            test_edges_and_networks(&run, &recording, &plan, networks, watch, &doing, &mut |_| ()).unwrap()
        };
        let trained = || told.borrow().iter().filter(|t| t.starts_with("training network")).count();
        assert!(go(0, &Watch::default()).unwrap().edges.iter().all(|e| e.networks.is_empty()));
        let watch = Watch::default();
        let report = go(1, &watch).unwrap();
        assert_eq!((trained(), watch.share()), (1, Some(1.0)));
        for edge in &report.edges {
            assert_eq!(edge.networks.iter().map(|n| n.seed).collect::<Vec<_>>(), [4]);
            assert!(edge.networks[0].halves.as_ref().is_some_and(|h| h.found.len() == 2) && edge.networks[0].held_out_gain.is_finite());
        }
        assert_eq!(go(2, &Watch::default()).unwrap().edges[0].networks.iter().map(|n| n.seed).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(trained(), 2, "the first network is not trained again");
        assert_eq!(told.borrow().iter().filter(|t| *t == "testing edges").count(), 1, "nor are the run's own edges tested again");
        let kept = edge_report(&run).unwrap().unwrap();
        assert!(kept.has_network(4) && kept.has_network(5));
        let stopped = Watch::default();
        stopped.stop();
        assert_eq!(go(3, &stopped).unwrap().edges[0].networks.len(), 2, "stopped: what is there stays");
    }
}
