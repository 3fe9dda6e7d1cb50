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
            false => self.free.get(ctx, "free memory", &(device.clone(), tick), move || limits.free()).copied().or(self.free.latest().copied()),
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
        ui.scope(|ui| widgets::fact(ui, "Memory to train", &text))
            .response
            .on_hover_text(format!("On {}: {}", now.device, parts.join(", ")));
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
