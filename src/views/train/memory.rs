//! Memory in the Train view: what training will need beside what the chosen device has, and what to do where it does not fit.

use eframe::egui::{self, RichText, Ui};

use crate::app::theme;
use crate::training::{DataShape, DeviceChoice, DeviceLimits, MemoryFit, Recipe, device_limits, memory_fit};
use crate::views::data_summary::{DataSummary, sentence};
use crate::views::work::Background;
use crate::views::{Action, ViewContext, widgets};

/// Free memory is looked at this often, seconds.
const EVERY_S: f64 = 5.0;

/// What is known of the device, and whether the recipe fits.
#[derive(Default)]
pub struct MemoryPart {
    device: Background<DeviceChoice, Option<DeviceLimits>>,
    free: Background<(DeviceLimits, u64), Option<u64>>,
    now: Option<Now>,
    /// The user starts all the same with this recipe.
    anyway: Option<Recipe>,
}

/// As of the last look.
struct Now {
    /// What it was worked out for.
    of: (Recipe, DataShape, Option<u64>),
    fit: MemoryFit,
    free: Option<u64>,
    device: String,
}

impl MemoryPart {
    /// Work out what the recipe needs. While something trains what is free says nothing about the next run.
    pub fn look(&mut self, ctx: &egui::Context, recipe: &Recipe, summary: Option<&DataSummary>, active: bool) {
        let Some(summary) = summary else {
            self.now = None;
            return;
        };
        let choice = recipe.device;
        let device = self.device.get(ctx, "training device", &choice, move || device_limits(choice).ok()).cloned().flatten();
        let Some(device) = device else {
            self.now = None;
            return;
        };
        let tick = ctx.input(|i| (i.time / EVERY_S) as u64);
        let limits = device.clone();
        let free = match active {
            true => None,
            false => {
                self.free.get(ctx, "free memory", &(device.clone(), tick), move || limits.free()).copied().or(self.free.latest().copied())
            }
        };
        let free = free.flatten();
        // Other programs take and give a little all the time: a hundredth more or less changes nothing.
        let rough = free.map(|free| free / (1 << 27));
        let of = (recipe.clone(), summary.shape(), rough);
        if self.now.as_ref().is_some_and(|now| now.of == of && now.device == device.name) {
            return;
        }
        let fit = memory_fit(recipe, &of.1, &device, free);
        self.now = Some(Now { of, fit, free, device: device.name });
    }

    /// Why training should not be started with this recipe: it would run out of memory.
    pub fn problem(&self, recipe: &Recipe) -> Option<String> {
        let now = self.now.as_ref().filter(|now| now.of.0 == *recipe && self.anyway.as_ref() != Some(recipe))?;
        let advice = match now.fit.smaller {
            Some(batch) => format!("; a batch of {batch} fits"),
            None => "; take fewer units or bins, a smaller model, or another device".to_owned(),
        };
        now.fit.problem.as_ref().map(|problem| format!("{}{advice}", sentence(problem)))
    }

    /// What is needed and free, and ways out where it does not fit.
    pub fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(now) = &self.now else { return };
        let need = &now.fit.need;
        let bytes = |n: f64| widgets::bytes(n as u64);
        let free = now.free.map(|free| format!(", {} free", widgets::bytes(free))).unwrap_or_default();
        let parts: Vec<String> = need.parts().into_iter().map(|(name, n)| format!("{name} {}", bytes(n))).collect();
        let text = format!("about {}{free}", bytes(need.total()));
        ui.scope(|ui| widgets::fact(ui, "Memory to train", &text)).response.on_hover_text(format!(
            "On {}: {}",
            now.device,
            parts.join(", ")
        ));
        let Some(problem) = self.problem(context.recipe) else { return };
        let tokens = theme::of(ui);
        ui.label(RichText::new(problem).color(tokens.error));
        let smaller = now.fit.smaller;
        ui.horizontal_wrapped(|ui| {
            if let Some(batch) = smaller
                && ui.button(format!("Use a batch of {batch}")).on_hover_text("Set the batch to the largest that fits").clicked()
                && let Err(e) = context.recipe.set("model.batch", &batch.to_string())
            {
                context.actions.push(Action::Tell(e.to_string()));
            }
            let help = "Start although the memory may not suffice: the program may be ended by the system; its last checkpoint stays";
            if ui.button("Start anyway").on_hover_text(help).clicked() {
                self.anyway = Some(context.recipe.clone());
                context.actions.push(Action::Train(Box::new(context.recipe.clone())));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;
    use crate::training::{ModelRecipe, StndtRecipe};
    use crate::views::{RunsContext, Selection};

    struct State {
        part: MemoryPart,
        recipe: Recipe,
        selection: Selection,
        actions: Vec<Action>,
    }

    /// A recipe with a batch of 256 on a machine that has room for less.
    fn tight() -> State {
        let mut recipe = Recipe { model: ModelRecipe::Stndt(StndtRecipe::default()), device: DeviceChoice::Cpu, ..Recipe::default() };
        recipe.set("model.batch", "256").unwrap();
        let shape = DataShape { areas: vec![60], bins: 100, pad_bins: 0, bin_s: 0.01, train: 1000, others: 200 };
        let device = DeviceLimits::cpu();
        let need = memory_fit(&recipe, &shape, &device, None).need.total();
        let free = Some((0.8 * need) as u64);
        let fit = memory_fit(&recipe, &shape, &device, free);
        let now = Now { of: (recipe.clone(), shape, free), fit, free, device: device.name };
        State { part: MemoryPart { now: Some(now), ..MemoryPart::default() }, recipe, selection: Selection::default(), actions: Vec::new() }
    }

    fn draw(ui: &mut Ui, state: &mut State) {
        let (mut looks, mut more) = (false, Vec::new());
        let mut context = ViewContext {
            recording: None,
            run: None,
            runs: RunsContext::default(),
            selection: &mut state.selection,
            recipe: &mut state.recipe,
            actions: &mut state.actions,
            looks_at_run: &mut looks,
            more_trials: &mut more,
        };
        state.part.ui(ui, &mut context);
    }

    #[test]
    fn a_recipe_that_does_not_fit_is_refused_and_a_smaller_batch_is_one_click() {
        let state = tight();
        let batch = state.part.now.as_ref().unwrap().fit.smaller.unwrap();
        let told = state.part.problem(&state.recipe).unwrap();
        assert!(told.starts_with("Training needs about") && told.contains(&format!("a batch of {batch} fits")), "{told}");
        let mut harness = Harness::new_ui_state(draw, state);
        harness.step();
        harness.get_by_label("Memory to train");
        harness.get_by_label(&format!("Use a batch of {batch}")).click();
        harness.step();
        harness.step();
        let state = harness.state();
        assert_eq!(state.recipe.get("model.batch").unwrap(), batch);
        assert_eq!(state.part.problem(&state.recipe), None, "another recipe is looked at anew");
        assert!(state.actions.is_empty());
    }

    #[test]
    fn who_knows_better_starts_anyway() {
        let mut harness = Harness::new_ui_state(draw, tight());
        harness.step();
        harness.get_by_label("Start anyway").click();
        harness.step();
        harness.step();
        let state = harness.state();
        assert!(matches!(state.actions.as_slice(), [Action::Train(recipe)] if **recipe == state.recipe));
        assert_eq!(state.part.problem(&state.recipe), None);
        assert!(state.part.problem(&Recipe::default()).is_none(), "of another recipe nothing is known yet");
    }
}
