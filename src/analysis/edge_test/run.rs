//! The tests of all pairs, receiving area by receiving area; whoever waits is shown what is done so far and may end it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::bands::bands;
use super::pair::{Area, Pair};
use super::{EdgeReport, EdgeTestPlan};
use crate::analysis::coupling_stage::FrozenModel;
use crate::analysis::goodness::goodness;
use crate::analysis::watch::Watch;

/// Parts of the work of which the watch is told.
pub(super) struct Steps<'a> {
    watch: &'a Watch,
    done: AtomicUsize,
    all: usize,
}

impl Steps<'_> {
    /// One more part is done. False when nobody wants the rest.
    pub(super) fn step(&self, parts: usize) -> bool {
        self.watch.tell(self.done.fetch_add(parts, Ordering::AcqRel) + parts, self.all);
        !self.watch.stopped()
    }

    pub(super) fn stopped(&self) -> bool {
        self.watch.stopped()
    }
}

/// Parts that a joint fit stands for, in copies of a null.
pub(super) const FIT_PARTS: usize = 6;

/// Test every ordered pair of different areas. `publish` is handed the report after every pair. Stopping the watch gives what is there,
/// with `complete` false.
pub fn run(model: &FrozenModel, plan: &EdgeTestPlan, watch: &Watch, publish: &mut dyn FnMut(&EdgeReport)) -> EdgeReport {
    let areas = model.areas.len();
    let plan = EdgeTestPlan { window_bins: plan.window_bins.max(model.basis.nrows()), ..*plan };
    let train = thinned(&model.train, plan.most_trials);
    let mut report = EdgeReport {
        plan,
        areas: model.areas.clone(),
        bin_s: model.bin_s,
        trials: (train.len(), model.test.len()),
        window_s: plan.window_bins as f64 * model.bin_s,
        edges: Vec::new(),
        pairs: areas * areas.saturating_sub(1),
        complete: false,
        goodness: None,
        warnings: Vec::new(),
    };
    let fitted = model.couplings.len();
    let all = report.pairs * (3 * FIT_PARTS + 2 * plan.nulls + plan.halves) + plan.bootstrap * FIT_PARTS * fitted.min(areas) + 1;
    let steps = Steps { watch, done: AtomicUsize::new(0), all };
    report.goodness = goodness(model, plan.seed);
    report.warnings.clone_from(&model.notes);
    report.warnings.extend(report.goodness.iter().flat_map(|g| g.warnings(&model.areas)));
    for target in 0..areas {
        let area = Area::new(model, target, &train);
        for source in (0..areas).filter(|&source| source != target) {
            if steps.stopped() {
                return report;
            }
            let Some(evidence) = Pair::new(&area, source, &plan).evidence(&steps) else { return report };
            report.edges.push(evidence);
            report.correct();
            publish(&report);
        }
        if plan.bootstrap > 0 && !area.terms.is_empty() {
            let found = bands(&area, &plan, &steps);
            let cut = found.is_none();
            for (source, bands) in found.into_iter().flatten() {
                if let Some(edge) = report.edges.iter_mut().find(|e| (e.source, e.target) == (source, target)) {
                    edge.bands = Some(bands);
                }
            }
            publish(&report);
            if cut {
                return report;
            }
        }
    }
    report.complete = !steps.stopped();
    watch.tell(1, 1);
    publish(&report);
    report
}

/// At most so many, evenly spread.
fn thinned(trials: &[usize], most: usize) -> Vec<usize> {
    if most == 0 || trials.len() <= most {
        return trials.to_vec();
    }
    (0..most).filter_map(|k| trials.get(k * trials.len() / most).copied()).collect()
}
