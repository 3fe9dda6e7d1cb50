//! What training will need of the memory, told before it begins, and what it took, told after it.

use std::sync::Arc;

use super::output;
use crate::formats::memory::bytes;
use crate::recording::Recording;
use crate::training::{DeviceLimits, MemoryFit, Recipe, device_limits, memory_fit};
use crate::views::data_summary::summarise_for;

/// Tell what is needed and free; where it does not fit, say so and name a batch that would. Training begins all the same: on a machine
/// without a display nobody could be asked, and an estimate is no measurement.
pub(super) fn tell(recording: &Arc<Recording>, recipe: &Recipe, quiet: bool) {
    // Whatever is wrong with data or device is told when training begins.
    let Ok(summary) = summarise_for(recording, &recipe.data, &recipe.model) else { return };
    let Ok(limits) = device_limits(recipe.device) else { return };
    let free = limits.free();
    let fit = memory_fit(recipe, &summary.shape(), &limits, free);
    if !quiet {
        output::tell(&line(&fit, &limits, free));
    }
    if let Some(warning) = warning(&fit) {
        output::tell(&warning);
    }
}

fn line(fit: &MemoryFit, limits: &DeviceLimits, free: Option<u64>) -> String {
    let of = |n: f64| bytes(n as u64);
    let parts: Vec<String> = fit.need.parts().into_iter().map(|(name, n)| format!("{name} {}", of(n))).collect();
    let free = free.map(|free| format!("; {} free on {}", bytes(free), limits.name)).unwrap_or_default();
    format!("memory: training needs about {} ({}){free}", of(fit.need.total()), parts.join(", "))
}

fn warning(fit: &MemoryFit) -> Option<String> {
    let problem = fit.problem.as_ref()?;
    let advice = match fit.smaller {
        Some(batch) => format!("--set model.batch={batch} would fit"),
        None => "take fewer units or bins, a smaller model, or another device".to_owned(),
    };
    Some(format!("warning: {problem}; {advice}"))
}

/// Tell the most that this process has used.
pub(super) fn tell_peak(quiet: bool) {
    if let (false, Some(megabytes)) = (quiet, output::peak_rss_mb()) {
        output::tell(&format!("memory: at most {megabytes:.1} MB were used"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::MemoryNeed;

    #[test]
    fn what_does_not_fit_is_a_warning_with_a_way_out() {
        let need = MemoryNeed { activations: 2e9, data: 1e6, ..MemoryNeed::default() };
        let fits = MemoryFit { need, problem: None, smaller: None };
        let told = line(&fits, &DeviceLimits::cpu(), Some(3_000_000_000));
        assert!(told.starts_with("memory: training needs about 2.0 GB (a batch 2.0 GB, data 1.0 MB"), "{told}");
        assert!(told.ends_with("3.0 GB free on CPU") && warning(&fits).is_none());
        let problem = Some("training needs about 2.0 GB".to_owned());
        let tight = MemoryFit { problem: problem.clone(), smaller: Some(16), ..fits.clone() };
        assert!(warning(&tight).is_some_and(|w| w.contains("--set model.batch=16 would fit")));
        assert!(warning(&MemoryFit { problem, ..fits }).is_some_and(|w| w.contains("smaller model")));
    }
}
