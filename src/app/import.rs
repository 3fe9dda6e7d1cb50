//! The import dialog, one for every format: what was found, and every decision as a field with its reason. A changed answer
//! reads the file again behind the window, and the line on top shows what it leads to before anything is opened. A reader that
//! cannot go on without an answer asks in the same dialog.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, RichText, Ui, vec2};

use super::import_preview::Preview;
use super::open::{Answers, How, Opened, Opening, Request};
use super::report::notes;
use super::{theme, welcome};
use crate::formats::info::info_line;
use crate::formats::{TIME_RANGE, TimeRange};
use crate::recording::{Choice, NoteKind, Recording, Source};
use crate::views::widgets;

/// The dialog for one file.
pub struct ImportDialog {
    path: PathBuf,
    shape: Option<String>,
    preview: Option<Arc<Preview>>,
    /// What the reader cannot go on without.
    question: Option<Choice>,
    /// Decisions of the last reading.
    choices: Vec<Choice>,
    /// What the user answered, by key.
    answers: Answers,
    /// Text fields being typed into, by key.
    texts: Answers,
    reading: Option<Opening>,
    read: Option<Arc<Recording>>,
    problem: Option<String>,
    remember: bool,
    changed: bool,
}

/// What the user decided.
pub enum Outcome {
    /// Nothing yet.
    Open,
    /// Close the dialog, change nothing.
    Cancel,
    /// Show this recording.
    Show {
        /// The recording.
        recording: Arc<Recording>,
        /// File or folder.
        path: PathBuf,
        /// Shape of the file.
        shape: Option<String>,
        /// Answers to keep for files of this shape; `None` keeps none.
        remember: Option<Answers>,
    },
    /// Forget what was remembered for files of this shape.
    Forget(String),
}

impl ImportDialog {
    fn new(path: PathBuf, shape: Option<String>) -> Self {
        Self {
            path,
            shape,
            preview: None,
            question: None,
            choices: Vec::new(),
            answers: Answers::new(),
            texts: Answers::new(),
            reading: None,
            read: None,
            problem: None,
            remember: true,
            changed: false,
        }
    }

    /// A reader asks before it can go on.
    pub fn question(path: &Path, opening: &Opening, choice: Choice) -> Self {
        let mut dialog = Self::new(path.to_owned(), opening.shape().map(|s| s.to_string()));
        dialog.preview = opening.preview();
        dialog.question = Some(choice);
        dialog
    }

    /// Other answers for the open recording. Starts reading, so that the first rows are there too.
    pub fn reconsider(ctx: &egui::Context, recording: &Arc<Recording>, shape: Option<String>, how: &How) -> Option<Self> {
        let Source::File(path) = &recording.source else { return None };
        let mut dialog = Self::new(path.clone(), shape);
        let original = recording.original();
        dialog.answers = original.report.choices.iter().filter(|c| !c.assumed).map(|c| (c.key.clone(), c.value.clone())).collect();
        dialog.choices.clone_from(&original.report.choices);
        dialog.start(ctx, how);
        Some(dialog)
    }

    /// True while the file is read.
    pub fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    fn start(&mut self, ctx: &egui::Context, how: &How) {
        if let Some(before) = self.reading.take() {
            before.cancel();
        }
        let how = How { answers: Some(self.answers.clone()), ..how.clone() };
        match Opening::start(ctx, Request::File(self.path.clone()), how) {
            Ok(opening) => self.reading = Some(opening),
            Err(failure) => self.problem = Some(failure.details),
        }
    }

    /// Look whether the reading has ended; never waits.
    fn poll(&mut self) {
        let Some(reading) = &self.reading else { return };
        self.preview = reading.preview().or_else(|| self.preview.take());
        self.shape = reading.shape().map(|s| s.to_string()).or_else(|| self.shape.take());
        match reading.poll() {
            Opened::NotYet => return,
            Opened::Cancelled => self.problem = Some("Reading was cancelled; change an answer to read again".to_owned()),
            Opened::Failed(failure) => self.problem = Some(failure.details),
            Opened::Question(choice) => (self.question, self.problem) = (Some(*choice), None),
            Opened::Recording(recording) => {
                self.choices.clone_from(&recording.original().report.choices);
                (self.read, self.question, self.problem) = (Some(recording), None, None);
            }
        }
        self.reading = None;
    }

    /// Draw; `remembered` tells whether there are answers for files of this shape.
    pub fn ui(&mut self, ctx: &egui::Context, how: &How) -> Outcome {
        self.poll();
        let mut outcome = Outcome::Open;
        let mut answered = None;
        let size = ctx.content_rect().size();
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(18.0);
        let modal = egui::Modal::new(egui::Id::unique("import")).frame(frame).show(ctx, |ui| {
            let tokens = theme::of(ui);
            ui.set_width(620.0_f32.min(size.x - 50.0));
            let name = Request::File(self.path.clone()).name();
            ui.label(RichText::new(format!("Import {name}")).size(18.0)).on_hover_text(self.path.display().to_string());
            self.consequences(ui);
            ui.separator();
            egui::ScrollArea::vertical().max_height((size.y - 260.0).max(120.0)).show(ui, |ui| {
                if let Some(preview) = &self.preview {
                    widgets::section(ui, "First rows");
                    preview.ui(ui);
                    ui.add_space(6.0);
                }
                answered = self.fields(ui);
                if let Some(recording) = &self.read {
                    ui.add_space(6.0);
                    for (kind, title) in NoteKind::LISTED {
                        notes(ui, &recording.report, kind, title);
                    }
                }
            });
            ui.separator();
            if let Some(shape) = &self.shape {
                ui.horizontal_wrapped(|ui| {
                    ui.checkbox(&mut self.remember, "Remember the answers for files like this").on_hover_text(shape);
                    let known = how.remembered.contains_key(shape);
                    if known && ui.button("Forget").on_hover_text("Forget the answers remembered for files like this").clicked() {
                        outcome = Outcome::Forget(shape.clone());
                    }
                });
            }
            ui.horizontal(|ui| {
                let ready = self.read.is_some() && self.reading.is_none() && self.problem.is_none() && self.question.is_none();
                if ui.add_enabled(ready, widgets::primary(ui, "Open with these")).clicked()
                    && let Some(recording) = self.read.clone()
                {
                    let kept = || self.answers.iter().filter(|(key, _)| *key != TIME_RANGE).map(|(k, v)| (k.clone(), v.clone())).collect();
                    outcome = Outcome::Show {
                        recording,
                        path: self.path.clone(),
                        shape: self.shape.clone(),
                        remember: (self.remember && self.changed).then(kept),
                    };
                }
                if ui.button("Cancel").clicked() {
                    outcome = Outcome::Cancel;
                }
                ui.label(RichText::new("Every choice stays in the import report").small().color(tokens.weak));
            });
        });
        if let Some((key, value)) = answered {
            self.changed = true;
            if value.is_empty() {
                self.answers.remove(&key);
            } else {
                self.answers.insert(key, value);
            }
            (self.problem, self.question) = (None, None);
            self.start(ctx, how);
        }
        if modal.should_close() && matches!(outcome, Outcome::Open) && !ctx.any_popup_open() {
            outcome = Outcome::Cancel;
        }
        if let (Outcome::Cancel, Some(reading)) = (&outcome, &self.reading) {
            reading.cancel();
        }
        outcome
    }

    /// What the answers lead to.
    fn consequences(&self, ui: &mut Ui) {
        let tokens = theme::of(ui);
        match (&self.reading, &self.problem, &self.read) {
            (Some(reading), _, _) => welcome::progress(ui, reading),
            (None, Some(problem), _) => {
                ui.colored_label(tokens.error, problem);
            }
            (None, None, Some(recording)) if self.question.is_none() => {
                ui.label(RichText::new(info_line(recording)).size(15.0).strong());
                let areas: Vec<String> = recording
                    .areas
                    .iter()
                    .enumerate()
                    .take(8)
                    .map(|(area, name)| format!("{} {}", crate::views::shown_area(name), recording.units_of_area(area).len()))
                    .collect();
                let more = if recording.areas.len() > 8 { ", …" } else { "" };
                ui.label(RichText::new(format!("Areas: {}{more}", areas.join(", "))).color(tokens.weak));
            }
            _ => {
                ui.label("One thing must be known before this can be opened");
            }
        }
    }

    /// Every decision as a field; the key and value of one that was changed.
    fn fields(&mut self, ui: &mut Ui) -> Option<(String, String)> {
        let mut answered = None;
        let mut choices: Vec<Choice> = self.question.iter().cloned().collect();
        choices.extend(self.choices.iter().filter(|c| self.question.as_ref().is_none_or(|q| q.key != c.key)).cloned());
        if !choices.iter().any(|c| c.key == TIME_RANGE) {
            choices.push(whole_recording());
        }
        widgets::section(ui, "Choices");
        for choice in &choices {
            let asked = self.question.as_ref().is_some_and(|q| q.key == choice.key);
            if let Some(value) = self.field(ui, choice, asked) {
                answered = Some((choice.key.clone(), value));
            }
        }
        answered
    }

    fn field(&mut self, ui: &mut Ui, choice: &Choice, asked: bool) -> Option<String> {
        let tokens = theme::of(ui);
        let mut answer = None;
        // An answer on its way is shown at once, not only when it has been read.
        let now = self.answers.get(&choice.key).unwrap_or(&choice.value).clone();
        ui.horizontal(|ui| {
            let mark = match (asked, choice.assumed && !self.answers.contains_key(&choice.key)) {
                (true, _) => ("needed", tokens.error),
                (_, true) => ("assumed", tokens.warning),
                _ => ("", tokens.weak),
            };
            let label = widgets::left_text(ui, 170.0, RichText::new(&choice.label));
            if choice.options.is_empty() {
                let text = self.texts.entry(choice.key.clone()).or_insert_with(|| now.clone());
                let field = ui.add(egui::TextEdit::singleline(text).desired_width(150.0)).labelled_by(label.id);
                ui.label(RichText::new(&choice.unit).color(tokens.weak));
                let typed = text.trim().to_owned();
                let enter = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                let set = asked && ui.add_enabled(!typed.is_empty(), egui::Button::new("Use")).clicked();
                if set || ((enter || field.lost_focus()) && typed != now) || (enter && asked) {
                    answer = Some(typed);
                } else if !field.has_focus() && !asked && typed != now {
                    *text = now.clone();
                }
            } else {
                widgets::combo(ui, &choice.key, &choice.label, &choice.shown_as(&now), 230.0, |ui| {
                    for option in &choice.options {
                        if ui.selectable_label(option.value == now, &option.label).clicked() && (option.value != now || asked) {
                            answer = Some(option.value.clone());
                        }
                    }
                });
            }
            if !mark.0.is_empty() {
                ui.label(RichText::new(mark.0).small().color(mark.1));
            }
        });
        if !choice.why.is_empty() {
            ui.indent(&choice.key, |ui| ui.add(egui::Label::new(RichText::new(&choice.why).small().color(tokens.weak)).wrap()));
        }
        answer.filter(|value| choice.key != TIME_RANGE || value.is_empty() || value.parse::<TimeRange>().is_ok() || asked)
    }
}

/// The stretch of time is a choice with every format.
fn whole_recording() -> Choice {
    Choice {
        key: TIME_RANGE.to_owned(),
        label: "Time range".to_owned(),
        value: String::new(),
        options: Vec::new(),
        unit: "s".to_owned(),
        why: "All of the recording; write for example 0..600 to load only that stretch".to_owned(),
        assumed: false,
    }
}

/// One line under the menu after a file was opened about which something was decided; `None` when there is nothing to say.
pub fn notice(recording: &Recording) -> Option<String> {
    let report = &recording.report;
    if report.is_empty() {
        return None;
    }
    let assumed: Vec<String> = report.assumed().take(3).map(|c| format!("{} {}", c.label.to_lowercase(), c.shown())).collect();
    let more = if report.assumed().count() > 3 { ", …" } else { "" };
    Some(match assumed.is_empty() {
        true => format!("Import: {}", report.counts()),
        false => format!("Assumed: {}{more} ({})", assumed.join(", "), report.counts()),
    })
}

/// The line itself: report, change, close. `can_change` where there is something to answer differently.
pub fn notice_ui(ui: &mut Ui, text: &str, can_change: bool) -> Option<Noticed> {
    let mut noticed = None;
    ui.horizontal(|ui| {
        let tokens = theme::of(ui);
        ui.allocate_ui_with_layout(vec2(ui.available_width(), 20.0), egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("×").on_hover_text("Close this line").clicked() {
                noticed = Some(Noticed::Close);
            }
            if can_change && ui.button("Change…").on_hover_text("Read the file with other answers").clicked() {
                noticed = Some(Noticed::Change);
            }
            if ui.button("Report").on_hover_text("Everything that was assumed, repaired and left out").clicked() {
                noticed = Some(Noticed::Report);
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(text).color(tokens.warning)).truncate());
            });
        });
    });
    noticed
}

/// What was pressed on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// Show the report.
    Report,
    /// Open the dialog.
    Change,
    /// Close the line.
    Close,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recording::{ChoiceOption, ImportReport, RecordingParts, SpikeTrains};
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    fn choice(key: &str, options: &[&str], assumed: bool) -> Choice {
        let option = |o: &&str| ChoiceOption { value: (*o).to_owned(), label: format!("{o} in words") };
        Choice {
            key: key.to_owned(),
            label: format!("Label of {key}"),
            value: options.first().map(|o| (*o).to_owned()).unwrap_or_default(),
            options: options.iter().map(option).collect(),
            unit: if options.is_empty() { "Hz".to_owned() } else { String::new() },
            why: format!("why {key}"),
            assumed,
        }
    }

    fn file(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("list.csv");
        let lines: String = (0..200).map(|k| format!("{},{:.2}\n", k % 2, 0.1 * f64::from(k))).collect();
        std::fs::write(&path, format!("unit,time_s\n{lines}")).unwrap();
        path
    }

    struct Stage {
        dialog: ImportDialog,
        how: How,
        last: Option<Outcome>,
    }

    fn stage(dialog: ImportDialog, how: How) -> Harness<'static, Stage> {
        let draw = |ui: &mut Ui, stage: &mut Stage| {
            let outcome = stage.dialog.ui(ui.ctx(), &stage.how);
            if !matches!(outcome, Outcome::Open) {
                stage.last = Some(outcome);
            }
        };
        Harness::builder().with_size([900.0, 700.0]).with_max_steps(30).build_ui_state(draw, Stage { dialog, how, last: None })
    }

    /// Step until nothing is read and nothing moves for some frames: what a click begins is seen only after its frame.
    fn settle(harness: &mut Harness<'_, Stage>) {
        let mut quiet = 0;
        for _ in 0..4000 {
            harness.step();
            let busy = harness.state().dialog.is_reading() || harness.ctx.has_requested_repaint();
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet >= 8 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        unreachable!("reading never ended");
    }

    const SHAPE: &str = "Spike list: csv;comma;long;unit,time_s";

    #[test]
    fn a_question_is_answered_and_the_file_is_read_with_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let mut dialog = ImportDialog::new(file(&folder), None);
        dialog.question = Some(choice("rate", &[], false));
        let mut harness = stage(dialog, How::default());
        settle(&mut harness);
        harness.get_by_label("One thing must be known before this can be opened");
        harness.get_by_label("needed");
        harness.get_by_label("why rate");
        harness.get_by_label("Label of rate").focus();
        harness.run_steps(2);
        harness.get_by_label("Label of rate").type_text("30000");
        harness.run_steps(2);
        harness.get_by_label("Use").click();
        settle(&mut harness);
        assert_eq!(harness.state().dialog.answers.get("rate").map(String::as_str), Some("30000"));
        harness.get_by_label("2 units, 19.9 s, 5.0 Hz mean");
        harness.get_by_label("Open with these").click();
        settle(&mut harness);
        let Some(Outcome::Show { recording, shape, remember, .. }) = &harness.state().last else { unreachable!() };
        assert_eq!((recording.n_units(), shape.as_deref()), (2, Some(SHAPE)));
        assert_eq!(remember.as_ref().unwrap().get("rate").map(String::as_str), Some("30000"));
    }

    #[test]
    fn a_recording_larger_than_memory_is_opened_for_the_stretch_that_is_proposed() {
        let folder = tempfile::tempdir().unwrap();
        let mut dialog = ImportDialog::new(file(&folder), None);
        let why = "the list takes 8.0 GB of memory".to_owned();
        dialog.question = Some(Choice { value: "0..10".to_owned(), why, ..whole_recording() });
        let mut harness = stage(dialog, How::default());
        settle(&mut harness);
        harness.get_by_label("the list takes 8.0 GB of memory");
        harness.get_by_label("Use").click();
        settle(&mut harness);
        harness.get_by_label("2 units, 9.9 s, 5.1 Hz mean");
        harness.get_by_label("Open with these").click();
        settle(&mut harness);
        let Some(Outcome::Show { remember, .. }) = &harness.state().last else { unreachable!() };
        assert!(remember.as_ref().is_some_and(|kept| !kept.contains_key(TIME_RANGE)), "other files are not cut");
    }

    #[test]
    fn another_answer_reads_again_and_shows_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let mut dialog = ImportDialog::new(file(&folder), None);
        dialog.choices = vec![choice("unit", &["ms", "s"], true)];
        let how = How { remembered: [(SHAPE.to_owned(), Answers::new())].into(), ..How::default() };
        let mut harness = stage(dialog, how);
        settle(&mut harness);
        harness.get_by_label("assumed");
        harness.get_by_label("Label of unit: ms in words").click();
        settle(&mut harness);
        harness.get_by_label("s in words").click();
        settle(&mut harness);
        assert_eq!(harness.state().dialog.answers.get("unit").map(String::as_str), Some("s"));
        // Every format can be cut to a stretch; nonsense is not taken.
        for (typed, shown) in [("5..1", "2 units, 19.9 s, 5.0 Hz mean"), ("0..10", "2 units, 9.9 s, 5.1 Hz mean")] {
            harness.get_by_label("Time range").focus();
            harness.run_steps(2);
            harness.key_combination_modifiers(egui::Modifiers::COMMAND, &[egui::Key::A]);
            harness.get_by_label("Time range").type_text(typed);
            harness.run_steps(2);
            harness.key_press(egui::Key::Enter);
            settle(&mut harness);
            harness.get_by_label(shown);
        }
        assert!(harness.query_all_by_label("time_s").next().is_some(), "the first rows are there under their names");
        harness.get_by_label("Forget").click();
        settle(&mut harness);
        assert!(matches!(&harness.state().last, Some(Outcome::Forget(shape)) if shape.ends_with("unit,time_s")));
        harness.get_by_label("Cancel").click();
        settle(&mut harness);
        assert!(matches!(harness.state().last, Some(Outcome::Cancel)));
    }

    #[test]
    fn the_line_names_what_was_assumed_and_is_silent_for_clean_files() {
        let mut report = ImportReport::default();
        let recording = |report: &ImportReport| {
            let parts = RecordingParts { spikes: SpikeTrains::default(), report: report.clone(), ..RecordingParts::default() };
            Recording::new(parts, Source::File("x".into())).unwrap()
        };
        report.offer(choice("unit", &["s", "ms"], false));
        assert_eq!(notice(&recording(&report)), None);
        report.add(NoteKind::Repaired, "x", "sorted");
        assert_eq!(notice(&recording(&report)).unwrap(), "Import: 1 repaired");
        report.offer(choice("rate", &["ms"], true));
        assert_eq!(notice(&recording(&report)).unwrap(), "Assumed: label of rate ms in words (1 assumed, 1 repaired)");
    }
}
