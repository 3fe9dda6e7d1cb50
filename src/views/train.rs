//! The Train view: what will be trained on what and where, and how far it has come.

mod memory;
mod queue;

use eframe::egui::{self, RichText, Ui};

use super::data_summary::{DataSummary, summarise_for};
use super::train_form::Form;
use super::work::Background;
use super::{Action, RunState, View, ViewContext, shown_area, widgets};
use crate::app::theme;
use crate::recording::{AreaRule, AreaSplit, Recording, TrialSource};
use crate::training::{
    Command, DataRecipe, DataShape, DeviceChoice, Estimate, ModelRecipe, NetFormerRecipe, OnDeviceLost, PRESETS, Phase, Progress, Recipe,
    estimate,
};
use std::sync::Arc;

/// Model, data, settings, device; start, pause, step, stop; progress by stage.
#[derive(Default)]
pub struct TrainView {
    form: Form,
    summary: Background<(String, DataRecipe, Option<NetFormerRecipe>), Result<DataSummary, String>>,
    offered: Background<String, Vec<AreaSplit>>,
    cost: Background<(DataShape, ModelRecipe), Result<Estimate, String>>,
    memory: memory::MemoryPart,
}

impl View for TrainView {
    fn title(&self) -> &'static str {
        "Train"
    }

    fn help(&self) -> &'static str {
        "Choose how units are grouped into areas, look at what will be used, and press Start training. \
         GLM-Transformer separates each area's own slow dynamics from what other areas send; STNDT and NDT infer the rates of single trials. \
         You can pause, go step by step, stop and keep the best weights so far, or discard the run, at any time."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some(recording) = context.recording.cloned() else {
            if widgets::empty(
                ui,
                "Nothing to train on yet",
                "Open a recording, or try the demo: a simulation with a known coupling between two areas.",
                Some("Try the demo"),
            ) {
                context.actions.push(Action::OpenDemo);
            }
            return;
        };
        let summary = self.summarise(ui, &recording, context.recipe);
        let active = context.run.is_some_and(|run| is_active(&run.progress.phase));
        self.memory.look(ui.ctx(), context.recipe, summary.as_ref().and_then(|s| s.as_ref().ok()), active);
        self.controls(ui, context, summary.as_ref());
        ui.separator();
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if let Some(run) = context.run {
                progress(ui, run);
            }
            queue::ui(ui, context);
            if ui.available_width() > 760.0 {
                ui.columns(2, |columns| {
                    if let [left, right] = columns {
                        self.data(left, context, &recording, summary.as_ref());
                        self.settings(right, context, &recording);
                    }
                });
            } else {
                self.data(ui, context, &recording, summary.as_ref());
                ui.add_space(6.0);
                self.settings(ui, context, &recording);
            }
        });
    }
}

impl TrainView {
    fn summarise(&mut self, ui: &Ui, recording: &Arc<Recording>, recipe: &Recipe) -> Option<Result<DataSummary, String>> {
        // Of the model only what NetFormer takes from a recording matters.
        let netformer = match &recipe.model {
            ModelRecipe::NetFormer(own) => Some(own.clone()),
            _ => None,
        };
        let key = (recording.key(), recipe.data.clone(), netformer);
        let (theirs, data, model) = (Arc::clone(recording), recipe.data.clone(), recipe.model.clone());
        self.summary.get(ui.ctx(), "data summary", &key, move || summarise_for(&theirs, &data, &model)).cloned()
    }

    /// Start, pause, step, stop, discard.
    fn controls(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, summary: Option<&Result<DataSummary, String>>) {
        let phase = context.run.map(|run| &run.progress.phase);
        let (active, paused) = (phase.is_some_and(is_active), phase == Some(&Phase::Paused));
        ui.horizontal_wrapped(|ui| {
            // Five buttons, and six while a run is active, fit into the first column of the Couplings layout in a window of usual size.
            let tighter = if active { 1.0 } else { 0.0 };
            ui.spacing_mut().item_spacing.x = 5.0 - 2.0 * tighter;
            ui.spacing_mut().button_padding.x = 6.0 - 2.0 * tighter;
            let refused = self.form.problem(context.recipe).or_else(|| summary.and_then(|s| s.as_ref().err().cloned()));
            let problem = refused.or_else(|| self.memory.problem(context.recipe));
            ui.ctx().data_mut(|data| data.insert_temp(problem_id(), problem.clone()));
            let start = ui.add_enabled(!active && problem.is_none(), widgets::primary(ui, "Start training"));
            let start = match &problem {
                Some(problem) => start.on_disabled_hover_text(problem),
                None => start.on_hover_text("Train in the background with the settings below (Ctrl+Enter)"),
            };
            if start.clicked() {
                context.actions.push(Action::Train(Box::new(context.recipe.clone())));
            }
            if active {
                // Beside what trains; when nothing does, starting is the same.
                let queue = ui.add_enabled(problem.is_none(), egui::Button::new("Queue"));
                let queue = match &problem {
                    Some(problem) => queue.on_disabled_hover_text(problem),
                    None => queue.on_hover_text("Train with the settings below when everything before it is done (Ctrl+Shift+Enter)"),
                };
                if queue.clicked() {
                    context.actions.push(Action::Queue(Box::new(context.recipe.clone())));
                }
            }
            let mut button = |ui: &mut Ui, on: bool, name: &str, help: &str, command: Command| {
                if ui.add_enabled(on, egui::Button::new(name)).on_hover_text(help).clicked() {
                    context.actions.push(Action::Run(command));
                }
            };
            if paused {
                button(ui, active, "Resume", "Go on (Ctrl+.)", Command::Resume);
            } else {
                button(ui, active, "Pause", "Hold after the current step (Ctrl+.)", Command::Pause);
            }
            button(ui, active, "Step", "Do one step, then hold", Command::Step);
            button(ui, active, "Stop and keep", "End now, keep the best weights, evaluate and write the run", Command::StopAndKeep);
            button(ui, active, "Discard", "End now and write nothing", Command::Discard);
        });
    }

    fn data(
        &mut self,
        ui: &mut Ui,
        context: &mut ViewContext<'_>,
        recording: &Arc<Recording>,
        summary: Option<&Result<DataSummary, String>>,
    ) {
        widgets::section(ui, "What is trained on what");
        widgets::card(ui, |ui| {
            row(ui, "Model", |ui| model(ui, context, recording));
            row(ui, "Areas", |ui| self.areas(ui, context, recording));
            row(ui, "Trials from", |ui| trial_source(ui, context, recording));
            row(ui, "Device", |ui| device(ui, context));
            if context.recipe.device != DeviceChoice::Cpu {
                row(ui, "GPU lost", |ui| device_lost(ui, context));
            }
        });
        ui.add_space(4.0);
        widgets::section(ui, "What will be used");
        widgets::card(ui, |ui| match summary {
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Counting trials and units…");
                });
            }
            Some(Err(problem)) => {
                let tokens = theme::of(ui);
                ui.label(RichText::new(problem).color(tokens.error));
            }
            Some(Ok(summary)) => {
                show_summary(ui, summary);
                self.cost(ui, context, summary);
                self.memory.ui(ui, context);
            }
        });
    }

    /// Parameters and time. A step is timed for it, which would disturb a run and be disturbed by it.
    fn cost(&mut self, ui: &mut Ui, context: &ViewContext<'_>, summary: &DataSummary) {
        let key = (summary.shape(), context.recipe.model.clone());
        let cost = match context.run.is_some_and(|run| is_active(&run.progress.phase)) {
            true => self.cost.latest(),
            false => {
                let (shape, recipe) = key.clone();
                self.cost.get(ui.ctx(), "cost of training", &key, move || estimate(&recipe, &shape))
            }
        };
        if let Some(Ok(cost)) = cost {
            widgets::fact(ui, "Parameters", &widgets::count(cost.parameters));
            widgets::fact(ui, "Estimated time", &format!("about {} on the CPU", widgets::duration(cost.cpu_seconds)));
        }
    }

    fn areas(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Arc<Recording>) {
        let theirs = Arc::clone(recording);
        let offered = self.offered.get(ui.ctx(), "area rules", &recording.key(), move || AreaRule::offered(&theirs)).cloned();
        let now = context.recipe.data.areas.clone();
        widgets::combo(ui, "areas", "Areas", &now.label(), f32::INFINITY, |ui| {
            for split in offered.unwrap_or_default() {
                let areas: Vec<String> = split.areas.iter().map(|(name, n)| format!("{n} {}", shown_area(name))).collect();
                let text = format!("{}  ·  {}", split.label, areas.join(", "));
                ui.selectable_value(&mut context.recipe.data.areas, split.rule, text);
            }
        });
    }

    fn settings(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Recording) {
        widgets::section(ui, "Settings");
        widgets::card(ui, |ui| self.form.ui(ui, context.recipe, Some(recording)));
    }
}

/// Why training cannot start with what the form shows, as far as the view has been drawn: the shortcut must not train with
/// other values than those on the screen.
pub fn problem(ctx: &egui::Context) -> Option<String> {
    ctx.data(|data| data.get_temp::<Option<String>>(problem_id())).flatten()
}

/// Another recording is open: what was wrong with the old one does not count.
pub fn forget_problem(ctx: &egui::Context) {
    ctx.data_mut(|data| data.insert_temp::<Option<String>>(problem_id(), None));
}

fn problem_id() -> egui::Id {
    egui::Id::unique("problem of the recipe form")
}

/// True while a run can be paused or stopped.
pub fn is_active(phase: &Phase) -> bool {
    matches!(phase, Phase::Preparing | Phase::Running | Phase::Paused | Phase::Finishing)
}

fn row(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    let tokens = theme::of(ui);
    ui.horizontal(|ui| {
        widgets::left_text(ui, 84.0, RichText::new(name).color(tokens.weak));
        contents(ui);
    });
}

/// Another model starts from its own defaults and bins.
fn model(ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Recording) {
    let now = context.recipe.model.preset();
    widgets::combo(ui, "model", "Model", now.title, f32::INFINITY, |ui| {
        for (place, preset) in PRESETS.iter().enumerate() {
            if preset.published && !PRESETS.get(place.wrapping_sub(1)).is_some_and(|before| before.published) {
                ui.separator();
                widgets::note(ui, "Published experiments, with the settings of the paper");
            }
            let text = format!("{}  ·  {}", preset.title, preset.about);
            if ui.selectable_label(preset.key == now.key, text).clicked() && preset.key != now.key {
                preset.choose(context.recipe, Some(recording));
            }
        }
    });
}

fn trial_source(ui: &mut Ui, context: &mut ViewContext<'_>, recording: &Recording) {
    let source = &mut context.recipe.data.trials.source;
    let words = |source: &TrialSource| match source {
        TrialSource::Automatic => "automatic".to_owned(),
        TrialSource::Table { table, align } => format!("{table}, aligned to {align}"),
        TrialSource::Tiles => "windows without overlap".to_owned(),
    };
    widgets::combo(ui, "trial source", "Trials from", &words(source), f32::INFINITY, |ui| {
        let mut choices = vec![TrialSource::Automatic, TrialSource::Tiles];
        for table in &recording.tables {
            choices.extend(table.event_columns().into_iter().map(|align| TrialSource::Table { table: table.name.clone(), align }));
        }
        for choice in choices {
            let text = words(&choice);
            ui.selectable_value(source, choice, text);
        }
    });
}

fn device(ui: &mut Ui, context: &mut ViewContext<'_>) {
    let device = &mut context.recipe.device;
    let name = |device: DeviceChoice| match device {
        DeviceChoice::Auto => "automatic: GPU if there is one, else CPU",
        DeviceChoice::Gpu => "GPU",
        DeviceChoice::Cpu => "CPU",
        DeviceChoice::SoftwareGpu => "software GPU (very slow, for tests)",
    };
    widgets::combo(ui, "device", "Device", name(*device), f32::INFINITY, |ui| {
        for choice in [DeviceChoice::Auto, DeviceChoice::Gpu, DeviceChoice::Cpu, DeviceChoice::SoftwareGpu] {
            ui.selectable_value(device, choice, name(choice));
        }
    });
}

/// What becomes of a run whose GPU is lost; kept for all runs to come.
fn device_lost(ui: &mut Ui, context: &mut ViewContext<'_>) {
    let name = |choice: OnDeviceLost| match choice {
        OnDeviceLost::ContinueOnCpu => "continue on the CPU",
        OnDeviceLost::Stop => "stop, to be resumed",
    };
    let mut choice = context.runs.on_device_lost;
    widgets::combo(ui, "device lost", "When the GPU is lost", name(choice), f32::INFINITY, |ui| {
        for offered in [OnDeviceLost::ContinueOnCpu, OnDeviceLost::Stop] {
            ui.selectable_value(&mut choice, offered, name(offered));
        }
    });
    if choice != context.runs.on_device_lost {
        context.actions.push(Action::OnDeviceLost(choice));
    }
}

fn show_summary(ui: &mut Ui, summary: &DataSummary) {
    let [train, validation, test] = summary.split;
    let (bins, pad) = summary.bins;
    let (trials, units) = (widgets::count(summary.trials()), widgets::count(summary.units));
    let headline = if summary.in_bins {
        format!("{trials} bins × {units} units")
    } else {
        format!("{trials} trials × {bins} bins × {units} units")
    };
    ui.label(RichText::new(headline).size(15.0));
    ui.horizontal_wrapped(|ui| {
        for (index, (name, kept, total)) in summary.areas.iter().enumerate() {
            let text =
                if kept == total { format!("{} {kept}", shown_area(name)) } else { format!("{} {kept} of {total}", shown_area(name)) };
            widgets::area_label(ui, index, &text);
        }
    });
    widgets::note(ui, &summary.description);
    ui.add_space(2.0);
    let pieces = if summary.in_bins { "bins, one part of the time after another" } else { "trials" };
    widgets::fact(ui, "Training, validation, test", &format!("{train} / {validation} / {test} {pieces}"));
    if !summary.in_bins {
        widgets::fact(ui, "Window", &format!("{} ms + {} ms of history", ms(bins, summary.bin_s), ms(pad, summary.bin_s)));
        widgets::fact(ui, "Spikes", &widgets::count(summary.spikes));
    }
    widgets::fact(ui, "Counts", &format!("{} (on a GPU {})", widgets::bytes(summary.bytes.0), widgets::bytes(summary.bytes.1)));
    let dropped: usize = summary.dropped_trials.iter().map(|(_, n)| n).sum();
    if dropped == 0 && summary.dropped_units.is_empty() && !summary.in_bins {
        widgets::note(ui, "No trial and no unit is left out");
    }
    let tokens = theme::of(ui);
    for (reason, n) in summary.dropped_trials.iter().take(5) {
        ui.label(RichText::new(format!("{n} trials left out: {reason}")).small().color(tokens.warning));
    }
    if let Some((first, rate)) = summary.dropped_units.first() {
        let all: Vec<String> =
            summary.dropped_units.iter().take(60).map(|(id, rate)| format!("{id} ({} Hz)", widgets::number(*rate, 2))).collect();
        let text = format!(
            "{} units left out: too few spikes, for example unit {first} with {} Hz",
            summary.dropped_units.len(),
            widgets::number(*rate, 2)
        );
        ui.label(RichText::new(text).small().color(tokens.warning)).on_hover_text(all.join(", "));
    }
}

fn ms(bins: usize, bin_s: f64) -> String {
    widgets::number(bins as f64 * bin_s * 1e3, 4)
}

/// Phase, device, speed, stages, and how the run ended.
fn progress(ui: &mut Ui, run: &RunState) {
    let progress = &*run.progress;
    let tokens = theme::of(ui);
    let (color, headline) = match &progress.phase {
        Phase::Preparing => (tokens.accent, format!("Preparing: {}", progress.doing)),
        Phase::Running => (tokens.accent, progress.doing.clone()),
        Phase::Paused => (tokens.warning, "Paused".to_owned()),
        Phase::Finishing => (tokens.accent, format!("Finishing: {}", progress.doing)),
        Phase::Finished(_) => (tokens.success, "Training finished".to_owned()),
        Phase::Discarded => (tokens.weak, "Run discarded, nothing was kept".to_owned()),
        Phase::Failed(_) => (tokens.error, "Training ended with an error".to_owned()),
    };
    widgets::card(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            if matches!(progress.phase, Phase::Preparing | Phase::Finishing) {
                ui.spinner();
            }
            ui.label(RichText::new(headline).size(15.0).color(color));
        });
        if let Phase::Failed(why) = &progress.phase {
            ui.label(RichText::new(why).color(tokens.error));
        }
        if let Phase::Finished(finished) = &progress.phase {
            result(ui, finished);
        }
        widgets::note(ui, facts(progress));
        stages(ui, progress);
    });
    ui.add_space(6.0);
}

fn facts(progress: &Progress) -> String {
    let mut facts = Vec::new();
    if !progress.device.is_empty() {
        facts.push(progress.device.clone());
    }
    facts.push(format!("step {}", widgets::count(progress.step as usize)));
    if progress.steps_per_s > 0.0 {
        facts.push(format!("{} steps/s", widgets::number(f64::from(progress.steps_per_s), 3)));
    }
    facts.push(format!("{} so far", widgets::duration(f64::from(progress.elapsed_s))));
    if let (Some(eta), true) = (progress.eta_s, is_active(&progress.phase)) {
        facts.push(format!("about {} left", widgets::duration(f64::from(eta))));
    }
    facts.join("  ·  ")
}

fn stages(ui: &mut Ui, progress: &Progress) {
    let tokens = theme::of(ui);
    let name_width = (ui.available_width() * 0.42).clamp(70.0, 230.0);
    for (index, stage) in progress.stages.iter().enumerate() {
        let now = index == progress.stage && is_active(&progress.phase);
        let fraction = if stage.done { 1.0 } else { stage.fraction };
        ui.horizontal(|ui| {
            let text = RichText::new(&stage.name).color(if now { tokens.text } else { tokens.weak });
            widgets::left_text(ui, name_width, text);
            let color = if stage.done { tokens.success } else { tokens.accent };
            let percent = format!("{:.0} %", fraction * 100.0);
            widgets::bar(ui, fraction, ui.available_width() - 56.0, color, &format!("{}: {percent}", stage.name));
            ui.label(RichText::new(if stage.done { "done" } else { &percent }).small().color(tokens.weak));
        });
    }
}

fn result(ui: &mut Ui, finished: &crate::training::Finished) {
    let loss = |key: &str| finished.summary.get(key).and_then(serde_json::Value::as_f64);
    let mut parts = Vec::new();
    for (key, name) in [("test_loss", "test loss"), ("flat_loss", "flat rate"), ("psth_loss", "PSTH")] {
        if let Some(value) = loss(key) {
            parts.push(format!("{name} {}", widgets::number(value, 5)));
        }
    }
    if !parts.is_empty() {
        ui.label(format!("{} (per bin and unit)", parts.join(", ")));
    }
    let scores: Vec<String> =
        [("co_bps", "co-bps"), ("smoothing_co_bps", "smoothing"), ("oracle_co_bps", "true rates"), ("fp_bps", "fp-bps")]
            .into_iter()
            .filter_map(|(key, name)| Some(format!("{name} {}", widgets::number(loss(key)?, 3))))
            .collect();
    if !scores.is_empty() {
        ui.label(format!("{} (bits per spike of test trials)", scores.join(", ")));
    }
    match &finished.run {
        Some(folder) => {
            ui.horizontal_wrapped(|ui| {
                ui.label(format!("Run folder: {}", folder.display()));
                if ui.small_button("Copy path").clicked() {
                    ui.ctx().copy_text(folder.display().to_string());
                }
            });
        }
        None => widgets::note(ui, "This run was not written to disk"),
    }
}
