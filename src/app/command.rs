//! Everything a user can ask for: one enum with name, tooltip and shortcut. Menus, keyboard, command palette and tests use it.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::layout::Named;
use super::settings::{RECENT, ThemeChoice};
use super::timeline::Stride;
use crate::views::VIEWS;

/// One thing the window can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Ask for a file with the system's dialog.
    Open,
    /// Ask for a path as text.
    OpenPath,
    /// Ask for a folder with the system's dialog.
    OpenFolder,
    /// Open the demo recording.
    OpenDemo,
    /// Open an entry of the recent list.
    OpenRecent(usize),
    /// Show what the import assumed, repaired and left out.
    ShowReport,
    /// Read the open file with other answers to the choices of its import.
    ImportOptions,
    /// Write the open recording, or a part of it, to a file.
    Export,
    /// Close the recording and go back to the welcome page.
    CloseRecording,
    /// Open what the last session had open, as it was.
    RestoreSession,
    /// Close the window.
    Quit,
    /// Show a view, by its place in [`VIEWS`].
    Show(usize),
    /// Take the last change of selection, layout or order back.
    Undo,
    /// Do again what was taken back.
    Redo,
    /// Play or pause time.
    Play,
    /// Move the visible time.
    StepTime {
        /// Later.
        forward: bool,
        /// How far.
        stride: Stride,
    },
    /// To the start of the recording.
    TimeStart,
    /// To the end of the recording.
    TimeEnd,
    /// To a time that is typed.
    GoToTime,
    /// Show less or more time, around the cursor.
    ZoomTime {
        /// Less.
        closer: bool,
    },
    /// To the next event (or the previous one).
    NextEvent {
        /// Later.
        forward: bool,
    },
    /// Show the whole recording.
    AllTime,
    /// Play the visible time again and again, or no longer.
    Loop,
    /// Select nothing.
    ClearSelection,
    /// Arrange the views for a purpose.
    Layout(Named),
    /// Back to the first layout.
    ResetLayout,
    /// Choose the theme.
    Theme(ThemeChoice),
    /// Larger text and widgets.
    ZoomIn,
    /// Smaller text and widgets.
    ZoomOut,
    /// Original size.
    ZoomReset,
    /// Full screen on or off.
    FullScreen,
    /// Settings.
    Settings,
    /// Start training.
    Train,
    /// Go on with the run that is shown and was interrupted, stopped or failed.
    ResumeRun,
    /// Train after everything that was asked for before.
    QueueTraining,
    /// Let all runs of the queue that are held go on.
    StartQueue,
    /// Show the run that trains again, not a kept one.
    CloseKept,
    /// Hold a running training, or go on.
    PauseOrResume,
    /// One training step.
    Step,
    /// End training, keep what was learned.
    StopAndKeep,
    /// End training, keep nothing.
    Discard,
    /// Find a command by typing.
    Palette,
    /// Shortcuts and help.
    Help,
    /// What a bug report has to say about this machine.
    SystemReport,
    /// About the program.
    About,
}

impl Command {
    /// Every command, in the order of the menus.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Open, Self::OpenFolder, Self::OpenPath, Self::OpenDemo];
        all.extend((0..RECENT).map(Self::OpenRecent));
        all.extend([
            Self::ShowReport,
            Self::ImportOptions,
            Self::Export,
            Self::CloseRecording,
            Self::RestoreSession,
            Self::Settings,
            Self::Quit,
        ]);
        all.extend((0..VIEWS.len()).map(Self::Show));
        all.extend(Named::ALL.map(Self::Layout));
        all.extend([Self::ResetLayout, Self::Undo, Self::Redo, Self::ClearSelection]);
        all.push(Self::Play);
        all.extend(Stride::ALL.into_iter().flat_map(|stride| [false, true].map(|forward| Self::StepTime { forward, stride })));
        all.extend([Self::TimeStart, Self::TimeEnd, Self::GoToTime, Self::AllTime, Self::Loop]);
        all.extend([true, false].map(|closer| Self::ZoomTime { closer }));
        all.extend([false, true].map(|forward| Self::NextEvent { forward }));
        all.extend(ThemeChoice::ALL.map(Self::Theme));
        all.extend([Self::ZoomIn, Self::ZoomOut, Self::ZoomReset, Self::FullScreen]);
        all.extend([Self::Train, Self::QueueTraining, Self::StartQueue, Self::ResumeRun, Self::CloseKept]);
        all.extend([Self::PauseOrResume, Self::Step, Self::StopAndKeep, Self::Discard]);
        all.extend([Self::Palette, Self::Help, Self::SystemReport, Self::About]);
        all
    }

    /// Name in menus; `titles` are the titles of the views.
    pub fn name(self, titles: &[&'static str]) -> String {
        match self {
            Self::Open => "Open a recording…".to_owned(),
            Self::OpenPath => "Open a path…".to_owned(),
            Self::OpenFolder => "Open a folder…".to_owned(),
            Self::OpenDemo => "Try the demo".to_owned(),
            Self::OpenRecent(index) => format!("Open recent {}", index + 1),
            Self::ShowReport => "Import report".to_owned(),
            Self::ImportOptions => "Import options…".to_owned(),
            Self::Export => "Export recording…".to_owned(),
            Self::CloseRecording => "Close recording".to_owned(),
            Self::RestoreSession => "Restore the last session".to_owned(),
            Self::Quit => "Quit".to_owned(),
            Self::Show(index) => titles.get(index).map_or_else(|| "Show view".to_owned(), |title| format!("Show {title}")),
            Self::Undo => "Undo".to_owned(),
            Self::Redo => "Redo".to_owned(),
            Self::Play => "Play or pause time".to_owned(),
            Self::StepTime { forward, stride } => {
                let way = if forward { "forward" } else { "back" };
                match stride {
                    Stride::Quarter => format!("Step {way}"),
                    Stride::Full => format!("Step {way} a whole window"),
                    Stride::Fine => format!("Step {way} a little"),
                }
            }
            Self::TimeStart => "Go to the start".to_owned(),
            Self::TimeEnd => "Go to the end".to_owned(),
            Self::GoToTime => "Go to a time…".to_owned(),
            Self::ZoomTime { closer: true } => "Zoom into time".to_owned(),
            Self::ZoomTime { closer: false } => "Zoom out of time".to_owned(),
            Self::NextEvent { forward: true } => "Next event".to_owned(),
            Self::NextEvent { forward: false } => "Previous event".to_owned(),
            Self::AllTime => "Show the whole recording".to_owned(),
            Self::Loop => "Loop the visible time".to_owned(),
            Self::ClearSelection => "Clear selection".to_owned(),
            Self::Layout(named) => format!("Layout: {}", named.name()),
            Self::ResetLayout => "Reset layout".to_owned(),
            Self::Theme(theme) => format!("Theme: {}", theme.name()),
            Self::ZoomIn => "Zoom in".to_owned(),
            Self::ZoomOut => "Zoom out".to_owned(),
            Self::ZoomReset => "Original size".to_owned(),
            Self::FullScreen => "Full screen".to_owned(),
            Self::Settings => "Settings…".to_owned(),
            Self::Train => "Start training".to_owned(),
            Self::ResumeRun => "Resume run".to_owned(),
            Self::QueueTraining => "Queue training".to_owned(),
            Self::StartQueue => "Start the queue".to_owned(),
            Self::CloseKept => "Close kept run".to_owned(),
            Self::PauseOrResume => "Pause or resume training".to_owned(),
            Self::Step => "One training step".to_owned(),
            Self::StopAndKeep => "Stop training and keep".to_owned(),
            Self::Discard => "Discard training".to_owned(),
            Self::Palette => "Find a command…".to_owned(),
            Self::Help => "Shortcuts and help".to_owned(),
            Self::SystemReport => "System report".to_owned(),
            Self::About => "About Spikescope".to_owned(),
        }
    }

    /// What it does, in one sentence.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Open => "Choose a file with spike times",
            Self::OpenFolder => "Choose a folder with spike times, for example the output of a spike sorter",
            Self::OpenPath => "Type or paste the path of a file or folder",
            Self::OpenDemo => "A simulated recording of two areas, of which the first drives the second",
            Self::OpenRecent(_) => "Open a recording that was open before",
            Self::ShowReport => "What was assumed, repaired and left out when this file was opened",
            Self::ImportOptions => "What was assumed when this file was opened; change it and see what it leads to",
            Self::Export => "Write the recording, the selected units or the visible time as NWB, NPZ, CSV or TSV",
            Self::CloseRecording => "Back to the welcome page",
            Self::RestoreSession => "Open the recording of the last session with its recipe, layout, selection, run and queue",
            Self::Quit => "Close the window; a running training is asked about",
            Self::Show(_) => "Open this view, or bring it to the front",
            Self::Undo => "Take back the last change of selection, layout or order",
            Self::Redo => "Do again what was taken back",
            Self::Play => "Move through the recording at the chosen speed, or stop",
            Self::StepTime { stride: Stride::Quarter, .. } => "Move the visible time by a quarter of its width",
            Self::StepTime { stride: Stride::Full, .. } => "Move the visible time by its whole width",
            Self::StepTime { stride: Stride::Fine, .. } => "Move the visible time by a fiftieth of its width",
            Self::TimeStart => "Show the first part of the recording",
            Self::TimeEnd => "Show the last part of the recording",
            Self::GoToTime => "Type a time to show, such as 12.5 s or 2:30",
            Self::ZoomTime { closer: true } => "Show half of the visible time, around the cursor",
            Self::ZoomTime { closer: false } => "Show twice the visible time, around the cursor",
            Self::NextEvent { .. } => "Put the cursor at the next or previous marked event",
            Self::AllTime => "Show all of the recording's time",
            Self::Loop => "Playing repeats the visible time, or goes on to the end again",
            Self::ClearSelection => "Select no unit, area, trial or pair",
            Self::Layout(named) => named.purpose(),
            Self::ResetLayout => "Bring back all views in their first places",
            Self::Theme(_) => "Colours of the window",
            Self::ZoomIn => "Make everything larger",
            Self::ZoomOut => "Make everything smaller",
            Self::ZoomReset => "Back to the original size",
            Self::FullScreen => "Use the whole screen, or leave it",
            Self::Settings => "Theme, run folder and what is shown after opening",
            Self::Train => "Train the model of the Train view in the background",
            Self::ResumeRun => "Go on training from the last checkpoint of a run that was interrupted, stopped or failed",
            Self::QueueTraining => "Train with the settings of the Train view when everything before it is done",
            Self::StartQueue => "Let every run of the queue that is held go on, one after another",
            Self::CloseKept => "Stop showing a run from a folder; the run that trains is shown again",
            Self::PauseOrResume => "Hold the training after its current step, or go on",
            Self::Step => "Do one training step, then hold",
            Self::StopAndKeep => "End now, keep the best weights, evaluate and write the run",
            Self::Discard => "End now and write nothing",
            Self::Palette => "Type a few letters of what you want to do",
            Self::Help => "All keyboard shortcuts, and how to begin",
            Self::SystemReport => "Graphics, memory, folders and a self-test of every model, to copy into a bug report",
            Self::About => "Version, licence and sources",
        }
    }

    /// Keyboard shortcut.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let plain = |key| Some(KeyboardShortcut::new(Modifiers::NONE, key));
        let ctrl = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND, key));
        let ctrl_shift = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, key));
        match self {
            Self::Open => ctrl(Key::O),
            Self::OpenPath => ctrl_shift(Key::O),
            Self::OpenRecent(index) => ctrl(digit(index)?),
            Self::Quit => ctrl(Key::Q),
            Self::FullScreen => plain(Key::F11),
            Self::Settings => ctrl(Key::Comma),
            Self::Train => ctrl(Key::Enter),
            Self::QueueTraining => ctrl_shift(Key::Enter),
            Self::PauseOrResume => ctrl(Key::Period),
            Self::Palette => ctrl(Key::P),
            Self::Help => plain(Key::F1),
            Self::ZoomIn => ctrl(Key::Plus),
            Self::ZoomOut => ctrl(Key::Minus),
            Self::ZoomReset => ctrl(Key::Num0),
            Self::Undo => ctrl(Key::Z),
            Self::Redo => ctrl_shift(Key::Z),
            Self::Play => plain(Key::Space),
            Self::StepTime { forward, stride } => {
                let key = if forward { Key::ArrowRight } else { Key::ArrowLeft };
                let modifiers = match stride {
                    Stride::Quarter => Modifiers::NONE,
                    Stride::Full => Modifiers::SHIFT,
                    Stride::Fine => Modifiers::ALT,
                };
                Some(KeyboardShortcut::new(modifiers, key))
            }
            Self::TimeStart => plain(Key::Home),
            Self::TimeEnd => plain(Key::End),
            Self::GoToTime => plain(Key::G),
            Self::ZoomTime { closer: true } => plain(Key::Z),
            Self::ZoomTime { closer: false } => Some(KeyboardShortcut::new(Modifiers::SHIFT, Key::Z)),
            Self::NextEvent { forward } => plain(if forward { Key::Period } else { Key::Comma }),
            Self::AllTime => plain(Key::R),
            Self::OpenFolder
            | Self::OpenDemo
            | Self::ShowReport
            | Self::ImportOptions
            | Self::Export
            | Self::CloseRecording
            | Self::RestoreSession
            | Self::Show(_)
            | Self::Layout(_)
            | Self::Loop
            | Self::ClearSelection
            | Self::ResetLayout
            | Self::Theme(_)
            | Self::ResumeRun
            | Self::StartQueue
            | Self::CloseKept
            | Self::Step
            | Self::StopAndKeep
            | Self::Discard
            | Self::SystemReport
            | Self::About => None,
        }
    }

    /// The shortcut as menus show it, empty without one.
    pub fn shortcut_text(self, ctx: &egui::Context) -> String {
        let Some(shortcut) = self.shortcut() else { return String::new() };
        let text = ctx.format_shortcut(&shortcut);
        // Keys with a sign of their own are shown by it.
        let signs = [("Comma", ","), ("Period", "."), ("Plus", "+"), ("Minus", "−")];
        signs.into_iter().find_map(|(word, sign)| text.strip_suffix(word).map(|rest| format!("{rest}{sign}"))).unwrap_or(text)
    }

    /// A key that means something else inside a text field, on a button or in a plot: it is looked at after them.
    fn is_plain(self) -> bool {
        let function = |key: Key| key.name().starts_with('F') && key.name().len() > 1;
        self.shortcut().is_some_and(|s| !s.modifiers.command && !function(s.logical_key))
    }

    /// The command whose shortcut was pressed in this frame; its key press is used up. Asked before the views are drawn.
    pub fn pressed(ctx: &egui::Context) -> Option<Self> {
        // Text fields undo by themselves.
        let typing = ctx.text_edit_focused();
        let mut commands = Self::all();
        // egui zooms by itself; asking for those keys here would take them away from it.
        commands.retain(|c| !matches!(c, Self::ZoomIn | Self::ZoomOut | Self::ZoomReset) && !c.is_plain());
        commands.retain(|c| !(typing && matches!(c, Self::Undo | Self::Redo)));
        Self::first_pressed(ctx, commands)
    }

    /// The command of a plain key (Space, arrows, letters) that no view and no widget used. Asked after the views are drawn.
    pub fn pressed_plain(ctx: &egui::Context) -> Option<Self> {
        if ctx.memory(|m| m.focused()).is_some() || ctx.any_popup_open() {
            return None;
        }
        let mut commands = Self::all();
        commands.retain(|c| c.is_plain());
        Self::first_pressed(ctx, commands)
    }

    fn first_pressed(ctx: &egui::Context, mut commands: Vec<Self>) -> Option<Self> {
        // Extra Shift and Alt are ignored when keys are matched, so the longer shortcut must be asked first.
        commands.sort_by_key(|c| !c.shortcut().is_some_and(|s| s.modifiers.shift || s.modifiers.alt));
        ctx.input_mut(|input| commands.into_iter().find(|c| c.shortcut().is_some_and(|s| input.consume_shortcut(&s))))
    }
}

fn digit(index: usize) -> Option<Key> {
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9].get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_shortcuts_are_used_once() {
        let titles: Vec<&'static str> = VIEWS.iter().map(|v| (v.make)().title()).collect();
        let all = Command::all();
        let names: std::collections::BTreeSet<String> = all.iter().map(|c| c.name(&titles)).collect();
        assert_eq!(names.len(), all.len());
        let shortcuts: Vec<KeyboardShortcut> = all.iter().filter_map(|c| c.shortcut()).collect();
        for (i, shortcut) in shortcuts.iter().enumerate() {
            assert!(!shortcuts[i + 1..].contains(shortcut), "{shortcut:?} is used twice");
        }
        for command in all {
            assert!(!command.tooltip().is_empty() && !command.tooltip().ends_with('.'));
        }
    }

    #[test]
    fn shortcuts_are_shown_with_signs() {
        let ctx = egui::Context::default();
        ctx.set_os(egui::os::OperatingSystem::Nix);
        assert_eq!(Command::Settings.shortcut_text(&ctx), "Ctrl+,");
        assert_eq!(Command::PauseOrResume.shortcut_text(&ctx), "Ctrl+.");
        assert_eq!(Command::About.shortcut_text(&ctx), "");
    }

    #[test]
    fn the_longer_shortcut_wins() {
        let press = |modifiers: Modifiers| {
            let ctx = egui::Context::default();
            let event = egui::Event::Key { key: Key::O, physical_key: None, pressed: true, repeat: false, modifiers };
            let mut found = None;
            let input = egui::RawInput { events: vec![event], ..egui::RawInput::default() };
            let _ = ctx.run_ui(input, |ui| found = found.or(Command::pressed(ui.ctx())));
            found
        };
        assert_eq!(press(Modifiers::COMMAND | Modifiers::CTRL), Some(Command::Open));
        assert_eq!(press(Modifiers::COMMAND | Modifiers::CTRL | Modifiers::SHIFT), Some(Command::OpenPath));
        assert_eq!(press(Modifiers::NONE), None);
    }

    #[test]
    fn plain_keys_step_through_time_and_wait_for_views() {
        let press = |key: Key, modifiers: Modifiers, plain: bool| {
            let ctx = egui::Context::default();
            let event = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
            let mut found = None;
            let input = egui::RawInput { events: vec![event], ..egui::RawInput::default() };
            let _ = ctx.run_ui(input, |ui| {
                found = found.or(if plain { Command::pressed_plain(ui.ctx()) } else { Command::pressed(ui.ctx()) });
            });
            found
        };
        assert_eq!(press(Key::Space, Modifiers::NONE, false), None);
        assert_eq!(press(Key::Space, Modifiers::NONE, true), Some(Command::Play));
        let step = |forward, stride| Some(Command::StepTime { forward, stride });
        assert_eq!(press(Key::ArrowRight, Modifiers::NONE, true), step(true, Stride::Quarter));
        assert_eq!(press(Key::ArrowLeft, Modifiers::SHIFT, true), step(false, Stride::Full));
        assert_eq!(press(Key::ArrowLeft, Modifiers::ALT, true), step(false, Stride::Fine));
        assert_eq!(press(Key::F11, Modifiers::NONE, false), Some(Command::FullScreen));
        assert_eq!(press(Key::Z, Modifiers::COMMAND | Modifiers::CTRL | Modifiers::SHIFT, false), Some(Command::Redo));
    }
}
