//! The Runs view: every run of the open recording, or of all recordings, in the run folder and others; sorted by any column, with
//! notes, pins and a trash; chosen here, runs are shown, compared, or their recipe is used again.

mod bars;
mod detail;
mod shelf;
mod table;
mod trash;

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, RichText, Ui, UiBuilder, pos2};

use super::{Action, RunsContext, Selection, View, ViewContext, train, widgets};
use crate::app::theme;
use crate::runs::catalogue::{Column, Entry, Listing, Sorting, Status, order};
use crate::training::Phase;
pub use table::text as cell_text;

use bars::{ColumnMenu, FolderMenu};
use detail::{Detail, Wish};
use shelf::{Answer, Request, Shelf};
use trash::TrashMenu;

/// The Runs view. Selected runs are those of the whole window.
#[derive(Default)]
pub struct RunsView {
    shelf: Option<Shelf>,
    sorting: Sorting,
    /// Runs of all recordings, not only of the open one.
    all: bool,
    search: String,
    /// Runs in the trash that Ctrl+Z brings back.
    trashed: BTreeSet<PathBuf>,
    columns: ColumnMenu,
    folders: FolderMenu,
    trash: TrashMenu,
    detail: Detail,
    rows: Rows,
    table: table::Table,
    /// The phase of the run that trains when it was seen last.
    phase: Option<std::mem::Discriminant<Phase>>,
}

/// What decides which rows there are, and their order.
#[derive(PartialEq)]
struct Question {
    listing: usize,
    /// Fingerprint of the recording whose runs are shown; `None` for all.
    open: Option<String>,
    search: String,
    sorting: Sorting,
    trashed: BTreeSet<PathBuf>,
    live: Option<PathBuf>,
}

/// What the table shows, worked out anew when something of it changed.
#[derive(Default)]
struct Rows {
    of: Option<Question>,
    listing: Arc<Listing>,
    order: Vec<usize>,
    /// Runs of other recordings, and folders that are no run or cannot be read: not shown.
    others: usize,
    unreadable: usize,
    models: usize,
}

impl Rows {
    fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.order.iter().filter_map(|at| self.listing.entries.get(*at))
    }
}

impl View for RunsView {
    fn title(&self) -> &'static str {
        "Runs"
    }

    fn help(&self) -> &'static str {
        "One row per training run of the open recording, or of all recordings; a click on a heading sorts by it, and Columns chooses results and settings to see. \
         Select a run to name it, to write a note, to show its results in all views, or to use its recipe again; select two to five (Ctrl+click) to compare them. \
         Add the folder that a cluster writes to with Folders: its runs appear as they are finished."
    }

    fn ordering(&self) -> serde_json::Value {
        serde_json::json!({ "sorting": self.sorting, "trashed": self.trashed })
    }

    fn restore_ordering(&mut self, ordering: &serde_json::Value) {
        if let Ok(sorting) = serde_json::from_value(ordering["sorting"].clone()) {
            self.sorting = sorting;
        }
        let Ok(trashed) = serde_json::from_value::<BTreeSet<PathBuf>>(ordering["trashed"].clone()) else { return };
        let Some(shelf) = &mut self.shelf else { return };
        for folder in self.trashed.difference(&trashed) {
            shelf.ask(Request::Restore(folder.clone()));
        }
        for folder in trashed.difference(&self.trashed) {
            shelf.ask(Request::Trash(folder.clone()));
        }
        self.trashed = trashed;
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        if self.shelf.is_none() {
            self.shelf = Shelf::open(ui.ctx());
        }
        let Some(shelf) = &mut self.shelf else {
            widgets::empty(ui, "Runs cannot be listed", "The system gave no thread to look into folders; close other programs.", None);
            return;
        };
        shelf.look(context.runs.own, context.runs.others);
        let phase = context.runs.live.map(|run| std::mem::discriminant(&run.progress.phase));
        if self.phase != phase {
            // A run that has just ended is in its folder now.
            shelf.ask(Request::Again);
            self.phase = phase;
        }
        let (listing, answers) = (shelf.listing(), shelf.answers());
        for answer in answers {
            self.hear(answer, context);
        }
        let live = live(&context.runs);
        self.arrange(listing, context, live.as_ref());
        self.controls(ui, context);
        self.notes(ui, context);
        if self.rows.order.is_empty() && live.is_none() {
            self.nothing(ui, context);
            return;
        }
        self.table_and_detail(ui, context, live.as_ref());
    }
}

/// The run that trains, as a row.
fn live(runs: &RunsContext<'_>) -> Option<Entry> {
    let job = runs.queue?.training()?;
    let run = runs.live.filter(|run| train::is_active(&run.progress.phase))?;
    let folder = job.folder.clone().unwrap_or_else(|| PathBuf::from("not written"));
    let (progress, recording) = (&run.progress, (job.recording.as_str(), job.fingerprint.as_str()));
    Some(Entry::running(&folder, &job.recipe, recording, &progress.device, f64::from(progress.elapsed_s), progress.step))
}

impl RunsView {
    fn ask(&mut self, request: Request) {
        if let Some(shelf) = &mut self.shelf {
            shelf.ask(request);
        }
    }

    fn hear(&mut self, answer: Answer, context: &mut ViewContext<'_>) {
        match answer {
            Answer::Trashed(folder) => {
                context.actions.push(Action::Tell(format!("{} is in the trash; Ctrl+Z brings it back", detail::short(&folder))));
            }
            Answer::Restored(folder) => context.actions.push(Action::Tell(format!("{} is back", detail::short(&folder)))),
            Answer::Deleted(folder) => context.actions.push(Action::Tell(format!("{} is deleted", detail::short(&folder)))),
            Answer::NotTrashed(folder, why) => {
                self.trashed.remove(&folder);
                context.actions.push(Action::Tell(why));
            }
            Answer::NotRestored(why) | Answer::NotMarked(why) | Answer::NotDeleted(why) => context.actions.push(Action::Tell(why)),
            Answer::Recipe(Ok(recipe)) => {
                *context.recipe = *recipe;
                context.actions.push(Action::Show("Train"));
                context.actions.push(Action::Tell("The Train view has the settings of that run".to_owned()));
            }
            Answer::Recipe(Err(why)) => context.actions.push(Action::Tell(why)),
        }
    }

    /// Filter and sort again when something changed.
    fn arrange(&mut self, listing: Arc<Listing>, context: &ViewContext<'_>, live: Option<&Entry>) {
        let open = context.recording.map(|r| r.fingerprint.clone()).filter(|_| !self.all);
        let live = live.map(|live| live.folder.clone());
        let of = Some(Question {
            listing: Arc::as_ptr(&listing) as usize,
            open: open.clone(),
            search: self.search.clone(),
            sorting: self.sorting.clone(),
            trashed: self.trashed.clone(),
            live: live.clone(),
        });
        if self.rows.of == of {
            return;
        }
        let needle = self.search.trim().to_lowercase();
        let here = |entry: &Entry| open.as_ref().is_none_or(|open| entry.facts.fingerprint == *open);
        let there = |entry: &Entry| !self.trashed.contains(&entry.folder) && Some(&entry.folder) != live.as_ref();
        let shown = |entry: &Entry| there(entry) && here(entry) && matches(entry, &needle);
        let order = order(&listing.entries, shown, &self.sorting);
        let hidden = || listing.entries.iter().filter(|entry| there(entry) && !here(entry));
        let unreadable = hidden().filter(|entry| entry.facts.fingerprint.is_empty()).count();
        let others = hidden().count() - unreadable;
        let models: BTreeSet<&str> = order.iter().filter_map(|at| listing.entries.get(*at)).map(|e| e.facts.model.as_str()).collect();
        let models = models.iter().filter(|model| !model.is_empty()).count();
        self.rows = Rows { of, order, others, unreadable, models, listing };
    }

    fn controls(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        ui.horizontal_wrapped(|ui| {
            if context.recording.is_some() {
                let choices = [
                    (false, "This recording", "Runs made from the data that are open"),
                    (true, "All recordings", "Runs of all recordings, and folders that cannot be read as runs"),
                ];
                widgets::segmented(ui, &mut self.all, &choices);
                ui.separator();
            }
            let label = widgets::caption(ui, "Search", 130.0);
            let field = egui::TextEdit::singleline(&mut self.search).hint_text("name, note, model").desired_width(120.0);
            ui.add(field).labelled_by(label.id);
            let shown = columns(context);
            let version = Arc::as_ptr(&self.rows.listing) as usize;
            self.columns.ui(ui, version, &self.rows.listing.entries, &shown, context.actions);
            self.folders.ui(ui, context);
            for request in self.trash.ui(ui, &self.rows.listing.trash) {
                if let Request::BringBack(trashed) = &request {
                    // Ctrl+Z throws it away again.
                    self.trashed.remove(&trashed.from);
                }
                self.ask(request);
            }
            let selected = context.selection.runs.len();
            let runs = if self.rows.order.len() == 1 { "run" } else { "runs" };
            let text = match selected {
                0 => format!("{} {runs}", widgets::count(self.rows.order.len())),
                n => format!("{} {runs}, {n} selected", widgets::count(self.rows.order.len())),
            };
            widgets::note(ui, text);
        });
    }

    /// What is not shown, and what cannot be compared.
    fn notes(&mut self, ui: &mut Ui, context: &ViewContext<'_>) {
        let tokens = theme::of(ui);
        for (_, why) in &self.rows.listing.problems {
            ui.label(RichText::new(why).small().color(tokens.error));
        }
        if self.rows.models > 1 && self.sorting.column.is_of_one_model() {
            let text = "Losses of different models are different quantities: compare them only within one model";
            ui.label(RichText::new(text).small().color(tokens.warning));
        }
        if self.rows.unreadable > 0 && !self.rows.order.is_empty() && context.recording.is_some() {
            let n = self.rows.unreadable;
            let text = format!(
                "{n} {} cannot be read as runs; All recordings shows them with the reason",
                if n == 1 { "folder" } else { "folders" }
            );
            widgets::note(ui, text);
        }
    }

    /// No row to show: say why and what to do.
    fn nothing(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        if !self.rows.listing.ready {
            widgets::empty(ui, "Looking for runs…", "Run folders are being read.", None);
        } else if !self.search.trim().is_empty() {
            if widgets::empty(ui, "No run matches", "No name, note, model, device or recording has this in it.", Some("Clear search")) {
                self.search.clear();
            }
        } else if self.rows.others + self.rows.unreadable > 0 {
            let text =
                format!("There are {} runs of other recordings or folders that cannot be read.", self.rows.others + self.rows.unreadable);
            if widgets::empty(ui, "No runs of this recording yet", &text, Some("Show all recordings")) {
                self.all = true;
            }
        } else {
            let text = match context.runs.own {
                Some(_) => "Every training run is kept here with its recipe, losses and results. Train a model, or add a folder with runs.",
                None => "This window does not write runs to disk. Choose a folder for them in Settings, or add a folder with runs.",
            };
            if widgets::empty(ui, "No runs yet", text, Some("Go to Train")) {
                context.actions.push(Action::Show("Train"));
            }
        }
    }

    fn table_and_detail(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, live: Option<&Entry>) {
        let last = context.selection.runs.last();
        let entry = last.and_then(|last| self.rows.entries().find(|e| e.folder == *last)).map(Arc::clone);
        if let Some((folder, mark)) = self.detail.follow(entry.as_deref()) {
            self.ask(Request::Mark(folder, mark));
        }
        let room = ui.available_rect_before_wrap();
        let with_detail = entry.is_some() && room.height() > 190.0;
        let foot = if with_detail { 104.0 } else { 0.0 };
        let mut wish = self.keys(ui, context.selection, entry.as_deref());
        let mut upper = ui.new_child(UiBuilder::new().max_rect(room.with_max_y(room.bottom() - foot)));
        let columns = columns(context);
        let (asked, sorting) = self.table.ui(&mut upper, &self.rows.listing, &self.rows.order, live, &columns, &self.sorting, context);
        wish = wish.or(asked);
        if let Some(sorting) = sorting {
            self.sorting = sorting;
        }
        if let Some(entry) = entry.as_ref().filter(|_| with_detail) {
            let place = room.with_min_y(room.bottom() - foot + 4.0);
            ui.painter().hline(place.x_range(), place.top() - 2.0, egui::Stroke::new(1.0, theme::of(ui).line));
            let mut lower =
                ui.new_child(UiBuilder::new().max_rect(egui::Rect::from_min_max(pos2(place.left(), place.top() + 3.0), place.max)));
            let selected = context.selection.runs.len();
            let shown = |ui: &mut Ui| self.detail.ui(ui, entry, selected);
            let (asked, written) = egui::ScrollArea::vertical().id_salt("selected run").auto_shrink(false).show(&mut lower, shown).inner;
            wish = wish.or(asked.map(|asked| (asked, entry.folder.clone())));
            if let Some((folder, mark)) = written {
                self.ask(Request::Mark(folder, mark));
            }
        }
        ui.advance_cursor_after_rect(room);
        if let Some((wish, folder)) = wish {
            self.carry_out(ui, context, wish, folder);
        }
    }

    fn keys(&mut self, ui: &Ui, selection: &mut Selection, entry: Option<&Entry>) -> Option<(Wish, PathBuf)> {
        if !self.table.has_keyboard(ui) {
            return None;
        }
        let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        if ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::A)) {
            selection.runs = self.rows.entries().map(|e| e.folder.clone()).collect();
        }
        let entry = entry?;
        let wish =
            [(Key::Enter, Wish::Show), (Key::F2, Wish::Rename), (Key::Delete, Wish::Trash)].into_iter().find(|(key, _)| pressed(*key));
        wish.map(|(_, wish)| (wish, entry.folder.clone()))
    }

    /// Do what was asked for a run, or for all selected ones when it is among them.
    fn carry_out(&mut self, ui: &Ui, context: &mut ViewContext<'_>, wish: Wish, folder: PathBuf) {
        let several = context.selection.runs.contains(&folder) && matches!(wish, Wish::Trash | Wish::Pin);
        let folders: HashSet<PathBuf> = if several { context.selection.runs.iter().cloned().collect() } else { HashSet::from([folder]) };
        let selected = context.selection.runs.len();
        let entries: Vec<Arc<Entry>> = self.rows.listing.entries.iter().filter(|e| folders.contains(&e.folder)).cloned().collect();
        let pin = entries.iter().any(|entry| !entry.mark.pinned);
        for entry in entries.iter().filter(|entry| wish.refusal(entry, selected).is_none()) {
            match wish {
                Wish::Show => context.actions.push(Action::ShowRun(entry.folder.clone())),
                Wish::Resume => context.actions.push(Action::ResumeRun(entry.folder.clone())),
                Wish::UseRecipe => self.ask(Request::Recipe(entry.folder.clone())),
                Wish::Compare => context.actions.push(Action::Show("Compare")),
                Wish::CopyPath => ui.ctx().copy_text(entry.folder.display().to_string()),
                Wish::Pin => {
                    let mark = self.detail.pin(entry, pin);
                    self.ask(Request::Mark(entry.folder.clone(), mark));
                }
                Wish::Rename => {
                    context.selection.runs = vec![entry.folder.clone()];
                    self.detail.rename = true;
                }
                Wish::Trash => {
                    self.trashed.insert(entry.folder.clone());
                    self.ask(Request::Trash(entry.folder.clone()));
                }
            }
        }
        if wish == Wish::Trash {
            context.selection.runs.retain(|run| !self.trashed.contains(run));
        }
    }
}

/// The columns to show; names come first whatever was chosen.
fn columns(context: &ViewContext<'_>) -> Vec<Column> {
    let mut columns = if context.runs.columns.is_empty() { Column::usual() } else { context.runs.columns.to_vec() };
    columns.retain(|column| *column != Column::Name);
    columns.insert(0, Column::Name);
    columns
}

/// True when what the user typed is somewhere in the words of a run.
fn matches(entry: &Entry, needle: &str) -> bool {
    let facts = &entry.facts;
    let words = [&entry.name(), &entry.folder_name(), &entry.mark.note, &facts.model, &facts.recording, &facts.device];
    needle.is_empty() || entry.status.word().contains(needle) || words.iter().any(|text| text.to_lowercase().contains(needle))
}

/// Colour of a status; its word is always beside it.
fn status_color(status: Status, tokens: &theme::Tokens) -> egui::Color32 {
    match status {
        Status::Running | Status::Stopped => tokens.accent,
        Status::Complete => tokens.success,
        Status::Failed | Status::Unreadable => tokens.error,
        Status::Interrupted => tokens.warning,
        Status::Foreign => tokens.weak,
    }
}

#[cfg(test)]
mod tests;
