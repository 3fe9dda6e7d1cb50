//! Below the table of runs: the selected run with its name and note to be edited, and what can be done with it.

use std::path::{Path, PathBuf};

use eframe::egui::{self, RichText, Ui};

use crate::app::theme;
use crate::runs::catalogue::{Entry, Mark, Status};
use crate::runs::comparison::RUNS;
use crate::views::widgets;

/// What can be done with runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Show it in all views.
    Show,
    /// Go on training it.
    Resume,
    /// Put its recipe into the Train view.
    UseRecipe,
    /// Compare the selected runs.
    Compare,
    /// Put it at the top, or no longer.
    Pin,
    /// Change its name.
    Rename,
    /// Copy the path of its folder.
    CopyPath,
    /// Move it to the trash.
    Trash,
}

impl Wish {
    /// Name on buttons.
    pub fn name(self, entry: &Entry) -> &'static str {
        match self {
            Self::Show => "Show in all views",
            Self::Resume => "Resume training",
            Self::UseRecipe => "Use this recipe",
            Self::Compare => "Compare",
            Self::Pin if entry.mark.pinned => "Unpin",
            Self::Pin => "Pin to the top",
            Self::Rename => "Rename",
            Self::CopyPath => "Copy path",
            Self::Trash => "Move to trash",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Show => "Show this run's results in all views (Enter)",
            Self::Resume => "Go on with this run from its last checkpoint; its recording is opened first where another one is open",
            Self::UseRecipe => "Put all settings of this run into the Train view",
            Self::Compare => "Settings, losses, matrices and kernels of the selected runs side by side",
            Self::Pin => "Pinned runs are at the top of every list",
            Self::Rename => "Give the run another name here; its folder keeps its own (F2)",
            Self::CopyPath => "Copy the path of the run folder",
            Self::Trash => "Move the run folder to .trash beside it (Delete); Ctrl+Z or Trash brings it back",
        }
    }

    /// Why it cannot be done; `None` when it can.
    pub fn refusal(self, entry: &Entry, selected: usize) -> Option<String> {
        let running = entry.status == Status::Running;
        match self {
            Self::Show if running => Some("The run that trains is shown already".to_owned()),
            Self::Show if !entry.is_readable() => Some(entry.problem.clone().unwrap_or_else(|| "There are no results".to_owned())),
            Self::Resume if running => Some("It is being trained".to_owned()),
            Self::Resume if entry.status == Status::Complete => Some("All stages are done".to_owned()),
            Self::Resume if !entry.may_resume() => {
                Some(entry.problem.clone().unwrap_or_else(|| "There is nothing to go on from".to_owned()))
            }
            Self::Compare if !RUNS.contains(&selected) => Some(format!("Select {} to {} runs (Ctrl+click)", RUNS.start(), RUNS.end())),
            Self::UseRecipe if entry.facts.settings.get("seed").is_none() => Some("There is no recipe that can be read".to_owned()),
            Self::Pin | Self::Rename | Self::Trash if running => Some("Possible as soon as the run is written".to_owned()),
            Self::Pin | Self::Rename | Self::Trash if entry.status == Status::Foreign => Some("This folder is no run".to_owned()),
            _ => None,
        }
    }
}

/// A button for a wish, or an entry of a menu. True when pressed.
pub fn button(ui: &mut Ui, wish: Wish, entry: &Entry, selected: usize) -> bool {
    let refusal = wish.refusal(entry, selected);
    let name = match wish {
        Wish::Compare if selected > 1 => format!("Compare ({selected})"),
        _ => wish.name(entry).to_owned(),
    };
    let response = ui.add_enabled(refusal.is_none(), egui::Button::new(name).wrap_mode(egui::TextWrapMode::Extend));
    match refusal {
        Some(why) => response.on_disabled_hover_text(why).clicked(),
        None => response.on_hover_text(wish.help()).clicked(),
    }
}

/// Entries of the menu of a row.
pub fn menu(ui: &mut Ui, entry: &Entry, selected: usize) -> Option<Wish> {
    let mut chosen = None;
    for group in
        [&[Wish::Show, Wish::Resume, Wish::UseRecipe, Wish::Compare][..], &[Wish::Pin, Wish::Rename, Wish::CopyPath], &[Wish::Trash]]
    {
        for wish in group {
            if button(ui, *wish, entry, selected) {
                chosen = Some(*wish);
                ui.close();
            }
        }
        if group.first() != Some(&Wish::Trash) {
            ui.separator();
        }
    }
    chosen
}

/// Name and note while they are edited.
#[derive(Default)]
pub struct Detail {
    draft: Option<Draft>,
    /// Put the keyboard into the name field.
    pub rename: bool,
}

struct Draft {
    folder: PathBuf,
    before: Mark,
    now: Mark,
    /// Asked to be written and not yet seen on disk: what is seen until then is older than what was typed.
    awaited: Option<Mark>,
}

impl Detail {
    /// Edit a run's mark from what is on disk. Gives what must be written of the run edited before.
    pub fn follow(&mut self, entry: Option<&Entry>) -> Option<(PathBuf, Mark)> {
        let same = |draft: &Draft| entry.is_some_and(|entry| entry.folder == draft.folder);
        if self.draft.as_ref().is_some_and(same) {
            if let (Some(draft), Some(entry)) = (&mut self.draft, entry) {
                draft.awaited.take_if(|awaited| *awaited == entry.mark);
                if draft.awaited.is_none() && draft.before == draft.now {
                    (draft.before, draft.now) = (entry.mark.clone(), entry.mark.clone());
                }
            }
            return None;
        }
        let left = self.finished();
        self.draft = entry.map(|e| Draft { folder: e.folder.clone(), before: e.mark.clone(), now: e.mark.clone(), awaited: None });
        left
    }

    /// The mark to write for a run that is pinned or not any more: with what was typed, if it is the one that is edited.
    pub fn pin(&mut self, entry: &Entry, pinned: bool) -> Mark {
        match self.draft.as_mut().filter(|draft| draft.folder == entry.folder) {
            Some(draft) => {
                draft.now.pinned = pinned;
                draft.before = draft.now.clone();
                draft.awaited = Some(draft.now.clone());
                draft.now.clone()
            }
            None => Mark { pinned, ..entry.mark.clone() },
        }
    }

    /// What was edited and must be written.
    fn finished(&mut self) -> Option<(PathBuf, Mark)> {
        let draft = self.draft.as_mut().filter(|draft| draft.before != draft.now)?;
        draft.now.name = draft.now.name.trim().to_owned();
        draft.before = draft.now.clone();
        draft.awaited = Some(draft.now.clone());
        Some((draft.folder.clone(), draft.now.clone()))
    }

    /// The selected run. Gives what was asked for, and what must be written.
    pub fn ui(&mut self, ui: &mut Ui, entry: &Entry, selected: usize) -> (Option<Wish>, Option<(PathBuf, Mark)>) {
        let tokens = theme::of(ui);
        let mut wish = None;
        ui.horizontal_wrapped(|ui| {
            for one in [Wish::Show, Wish::Resume, Wish::Compare, Wish::UseRecipe, Wish::Pin, Wish::CopyPath, Wish::Trash] {
                // Most runs are complete.
                if (one != Wish::Resume || entry.may_resume()) && button(ui, one, entry, selected) {
                    wish = Some(one);
                }
            }
        });
        let mut written = None;
        let editable = Wish::Rename.refusal(entry, selected).is_none();
        let rename = std::mem::take(&mut self.rename);
        if let Some(draft) = self.draft.as_mut().filter(|_| editable) {
            let mut done = false;
            ui.horizontal(|ui| {
                let label = ui.label(RichText::new("Name").color(tokens.weak));
                let width = (ui.available_width() * 0.32).clamp(110.0, 260.0);
                let hint = entry.folder_name();
                let field = egui::TextEdit::singleline(&mut draft.now.name).hint_text(hint).desired_width(width).char_limit(200);
                let name = ui.add(field).labelled_by(label.id);
                if rename {
                    name.request_focus();
                }
                let label = ui.label(RichText::new("Note").color(tokens.weak));
                let field = egui::TextEdit::singleline(&mut draft.now.note)
                    .hint_text("What you want to remember about this run")
                    .desired_width(f32::INFINITY)
                    .char_limit(20_000);
                let note = ui.add(field).labelled_by(label.id);
                done = name.lost_focus() || note.lost_focus();
            });
            if done {
                written = self.finished();
            }
        }
        if let Some(problem) = &entry.problem {
            ui.label(RichText::new(problem).small().color(tokens.error));
        }
        if let Some(message) = entry.facts.message.as_ref().filter(|_| entry.status == Status::Failed) {
            ui.label(RichText::new(message).small().color(tokens.error));
        }
        widgets::note(ui, facts(entry));
        (wish, written)
    }
}

fn facts(entry: &Entry) -> String {
    let facts = &entry.facts;
    let mut parts = Vec::new();
    if !facts.recording.is_empty() {
        parts.push(format!("recording {}", facts.recording));
    }
    if facts.steps > 0 {
        parts.push(format!("{} steps in {}", widgets::count(facts.steps as usize), widgets::duration(facts.seconds)));
    }
    parts.push(entry.folder.display().to_string());
    parts.join("  ·  ")
}

/// A run's folder, shortened at its front.
pub fn short(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::training::Recipe;

    fn entry(name: &str) -> Entry {
        let mut entry = Entry::running(Path::new(name), &Recipe::default(), ("demo", "abc"), "CPU", 1.0, 5);
        entry.status = Status::Complete;
        entry
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        let complete = entry("runs/a");
        for wish in [Wish::Show, Wish::UseRecipe, Wish::Pin, Wish::Rename, Wish::CopyPath, Wish::Trash] {
            assert_eq!(wish.refusal(&complete, 1), None, "{wish:?}");
        }
        assert!(Wish::Compare.refusal(&complete, 1).is_some() && Wish::Compare.refusal(&complete, 6).is_some());
        assert_eq!((Wish::Compare.refusal(&complete, 2), Wish::Compare.refusal(&complete, 5)), (None, None));
        assert_eq!(Wish::Resume.refusal(&complete, 1).unwrap(), "All stages are done");
        for status in [Status::Stopped, Status::Failed, Status::Interrupted] {
            let ended = Entry { status, ..entry("runs/a") };
            assert_eq!((Wish::Resume.refusal(&ended, 1), Wish::Show.refusal(&ended, 1)), (None, None), "{status:?}");
        }
        let running = Entry { status: Status::Running, ..entry("runs/a") };
        assert!(Wish::Resume.refusal(&running, 1).is_some());
        assert!(Wish::Trash.refusal(&running, 1).is_some() && Wish::Show.refusal(&running, 1).is_some());
        let foreign = Entry { status: Status::Foreign, facts: Default::default(), problem: Some("no manifest".into()), ..entry("x") };
        assert_eq!(Wish::Show.refusal(&foreign, 1).unwrap(), "no manifest");
        assert!(Wish::Trash.refusal(&foreign, 1).is_some() && Wish::UseRecipe.refusal(&foreign, 1).is_some());
    }

    #[test]
    fn an_edited_note_is_written_when_another_run_is_selected() {
        let mut detail = Detail::default();
        assert_eq!(detail.follow(Some(&entry("runs/a"))), None);
        detail.draft.as_mut().unwrap().now.note = "good".into();
        assert_eq!(detail.follow(Some(&entry("runs/a"))), None, "still edited");
        let (folder, mark) = detail.follow(Some(&entry("runs/b"))).unwrap();
        assert_eq!((folder.as_path(), mark.note.as_str()), (Path::new("runs/a"), "good"));
        assert_eq!(detail.follow(None), None);
    }

    #[test]
    fn what_was_written_is_not_undone_by_an_older_look_at_the_disk() {
        let mut detail = Detail::default();
        let old = entry("runs/a");
        detail.follow(Some(&old));
        detail.draft.as_mut().unwrap().now.name = "Baseline ".into();
        let (_, written) = detail.finished().unwrap();
        assert_eq!(written.name, "Baseline");
        detail.follow(Some(&old));
        detail.draft.as_mut().unwrap().now.note = "warm".into();
        let pinned = detail.pin(&old, true);
        assert_eq!((pinned.name.as_str(), pinned.note.as_str(), pinned.pinned), ("Baseline", "warm", true));
        detail.follow(Some(&old));
        assert_eq!(detail.draft.as_ref().unwrap().now, pinned);
        // Once it is on disk, what others write there is followed again.
        detail.follow(Some(&Entry { mark: pinned.clone(), ..old.clone() }));
        let other = Mark { note: "by somebody else".into(), ..pinned };
        detail.follow(Some(&Entry { mark: other.clone(), ..old }));
        assert_eq!(detail.draft.as_ref().unwrap().now, other);
    }
}
