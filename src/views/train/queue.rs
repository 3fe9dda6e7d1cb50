//! The runs that wait for their turn, in the Train view: each with its progress, and ways to hold, stop, move or remove it.

use eframe::egui::{self, RichText, Ui};

use crate::app::theme::{self, Tokens};
use crate::app::{Job, JobState, Queue, QueueWish};
use crate::training::sweep::differences;
use crate::training::{Phase, Progress};
use crate::views::{Action, ViewContext, widgets};

/// Draw the list; nothing while at most one run was asked for.
pub fn ui(ui: &mut Ui, context: &mut ViewContext<'_>) {
    let Some(queue) = context.runs.queue.filter(|queue| queue.waiting() > 0 || queue.jobs().len() > 1) else { return };
    let open = context.recording.map(|recording| recording.fingerprint.as_str());
    let progress = context.runs.live.map(|run| &*run.progress);
    let over = queue.jobs().iter().filter(|job| job.is_over()).count();
    let mut wish = None;
    ui.horizontal(|ui| {
        widgets::section(ui, "Queue");
        widgets::note(ui, format!("{} waiting, one trains at a time", queue.waiting()));
        if queue.has_held() && ui.small_button("Start all").on_hover_text("Let every run that is held go on, one after another").clicked() {
            wish = Some(QueueWish::ResumeAll);
        }
        if over > 0 && ui.small_button("Clear finished").on_hover_text("Take all that are over off this list; their runs stay").clicked() {
            wish = Some(QueueWish::ClearOver);
        }
    });
    widgets::card(ui, |ui| {
        for (place, job) in queue.jobs().iter().enumerate() {
            ui.push_id(job.id, |ui| {
                wish = row(ui, queue, job, place, open, progress).or(wish);
            });
        }
    });
    ui.add_space(6.0);
    context.actions.extend(wish.map(Action::QueueWish));
}

fn row(ui: &mut Ui, queue: &Queue, job: &Job, place: usize, open: Option<&str>, progress: Option<&Progress>) -> Option<QueueWish> {
    let tokens = theme::of(ui);
    let mut wish = None;
    let title = job.recipe.model.preset().title;
    let settings = differences(&job.recipe, &job.recipe.defaults()).join("  ");
    let here = progress.filter(|_| job.state == JobState::Training);
    let paused = here.is_some_and(|progress| progress.phase == Phase::Paused);
    let number = place + 1;
    let (words, color) = state(job, open, here, tokens);
    ui.horizontal(|ui| {
        ui.label(format!("{number}.  {title}"));
        ui.label(RichText::new(&words).small().color(color));
        if let Some(progress) = here {
            let share = overall(progress);
            let name = format!("Queued run {number}: {:.0} %", 100.0 * share);
            widgets::bar(ui, share, 90.0_f32.min(ui.available_width()), tokens.accent, &name);
            ui.label(RichText::new(format!("{:.0} %", 100.0 * share)).small().color(tokens.weak));
        }
        let text = if settings.is_empty() { "usual settings" } else { &settings };
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.weak)).truncate()).on_hover_text(text);
    });
    ui.horizontal(|ui| {
        ui.add_space(20.0);
        ui.spacing_mut().item_spacing.x = 4.0;
        let mut button = |on: bool, text: &str, help: &str, asked: QueueWish| {
            let response = ui.add_enabled(on, egui::Button::new(text).small()).on_hover_text(help);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, on, format!("{text} queued run {number}")));
            if response.clicked() {
                wish = Some(asked);
            }
        };
        let id = job.id;
        match (&job.state, paused) {
            (JobState::Held, _) | (JobState::Training, true) => button(true, "Resume", "Let it go on", QueueWish::Resume(id)),
            (JobState::Waiting, _) => button(true, "Pause", "Others go first until you let it go on", QueueWish::Pause(id)),
            (JobState::Training, false) => button(true, "Pause", "Hold after the current step; the next run waits", QueueWish::Pause(id)),
            _ => {}
        }
        if job.is_waiting() {
            let (earlier, later) = queue.can_move(id);
            button(earlier, "Earlier", "Change places with the one before", QueueWish::Earlier(id));
            button(later, "Later", "Change places with the next one", QueueWish::Later(id));
        }
        if job.state == JobState::Training {
            button(true, "Stop", "End it now and keep the best weights; the next run begins", QueueWish::Stop(id));
        } else {
            button(true, "Remove", "Take it off the list", QueueWish::Remove(id));
        }
    });
    if let JobState::Failed { why } = &job.state {
        ui.label(RichText::new(why).small().color(tokens.error));
    }
    wish
}

/// Share of all stages that is done; stages count the same, since nobody knows how long they will take.
fn overall(progress: &Progress) -> f32 {
    let shares = progress.stages.iter().map(|stage| if stage.done { 1.0 } else { stage.fraction });
    shares.sum::<f32>() / progress.stages.len().max(1) as f32
}

fn state(job: &Job, open: Option<&str>, progress: Option<&Progress>, tokens: &Tokens) -> (String, egui::Color32) {
    let elsewhere = open != Some(job.fingerprint.as_str());
    match &job.state {
        JobState::Waiting if elsewhere => (format!("waits until '{}' is open as it was", job.recording), tokens.warning),
        JobState::Waiting => ("waiting".to_owned(), tokens.weak),
        JobState::Held => ("held".to_owned(), tokens.warning),
        JobState::Training => match progress.map(|p| &p.phase) {
            Some(Phase::Paused) => ("paused".to_owned(), tokens.warning),
            Some(Phase::Preparing) => ("preparing".to_owned(), tokens.accent),
            Some(Phase::Finishing) => ("finishing".to_owned(), tokens.accent),
            _ => ("training".to_owned(), tokens.accent),
        },
        JobState::Done => ("done".to_owned(), tokens.success),
        JobState::Discarded => ("discarded".to_owned(), tokens.weak),
        JobState::Failed { .. } => ("failed".to_owned(), tokens.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Recipe, StageProgress};

    #[test]
    fn a_job_of_another_recording_says_what_it_waits_for() {
        let mut queue = Queue::default();
        queue.add(Recipe::default(), "abc", "maze");
        let tokens = theme::tokens(egui::Theme::Light);
        let job = &queue.jobs()[0];
        assert!(state(job, Some("other"), None, tokens).0.contains("'maze'"));
        assert_eq!(state(job, Some("abc"), None, tokens).0, "waiting");
    }

    #[test]
    fn stages_count_the_same() {
        let stage = |fraction, done| StageProgress { name: String::new(), fraction, done };
        let progress = Progress {
            phase: Phase::Running,
            doing: String::new(),
            device: String::new(),
            stages: vec![stage(0.3, true), stage(0.5, false), stage(0.0, false)],
            stage: 1,
            step: 0,
            epoch: 0,
            steps_per_s: 0.0,
            eta_s: None,
            elapsed_s: 0.0,
        };
        assert!((overall(&progress) - 0.5).abs() < 1e-6);
        assert!(overall(&Progress { stages: Vec::new(), ..progress }).abs() < 1e-6);
    }
}
