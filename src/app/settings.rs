//! Settings of the window: one small JSON file in the user's configuration folder, written whole or not at all, by a thread of
//! its own. A file that cannot be read is set aside, never overwritten unseen; one from a newer version is backed up first.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError};
use serde::{Deserialize, Serialize};

use super::kept::{self, Kept};
use crate::export::{WriteError, parent, write_atomically};
use crate::runs::catalogue::Column;
use crate::training::OnDeviceLost;

/// Layout of the settings file that this program writes.
pub const VERSION: u32 = 1;

/// How many recordings the recent list keeps.
pub const RECENT: usize = 9;

/// For how many shapes of files answers are kept.
pub const SHAPES: usize = 500;

/// Light, dark or whatever the system says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// Follow the system.
    #[default]
    System,
}

impl ThemeChoice {
    /// All, in the order menus show them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Name in menus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "Light",
            Self::Dark => "Dark",
            Self::System => "Follow the system",
        }
    }
}

impl From<ThemeChoice> for eframe::egui::ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::Light => Self::Light,
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::System => Self::System,
        }
    }
}

/// What the window remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Layout of this file.
    pub version: u32,
    /// Theme.
    pub theme: ThemeChoice,
    /// Recordings opened last, newest first.
    pub recent: Vec<PathBuf>,
    /// Say in a line after opening what the import assumed, repaired and left out.
    pub show_report: bool,
    /// Answers to the choices of imports, by shape of the file (see `formats::shape`) and key.
    pub answers: BTreeMap<String, BTreeMap<String, String>>,
    /// Folder for runs; `None` is the default in the user's data folder.
    pub runs: Option<PathBuf>,
    /// Folders beside it in which the Runs view looks for runs.
    pub run_folders: Vec<PathBuf>,
    /// Columns of the Runs view; empty for the usual ones.
    pub run_columns: Vec<Column>,
    /// What to do when the GPU that trains is lost.
    pub on_device_lost: OnDeviceLost,
    /// Arrangement of the views, see `layout`; checked before it is used.
    pub layout: Option<serde_json::Value>,
    /// Arrangements by recording (fingerprint), newest first.
    pub layouts: Vec<(String, serde_json::Value)>,
}

/// How many recordings' arrangements are kept.
pub const LAYOUTS: usize = 40;

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            theme: ThemeChoice::System,
            recent: Vec::new(),
            show_report: true,
            answers: BTreeMap::new(),
            runs: None,
            run_folders: Vec::new(),
            run_columns: Vec::new(),
            on_device_lost: OnDeviceLost::default(),
            layout: None,
            layouts: Vec::new(),
        }
    }
}

impl Settings {
    /// Where settings are kept on this system; `None` without a home folder.
    pub fn default_path() -> Option<PathBuf> {
        directories::ProjectDirs::from("", "", "spikescope").map(|dirs| dirs.config_dir().join("settings.json"))
    }

    /// Read settings. A missing file gives the defaults; the text, if any, tells the user what was wrong and what was done.
    pub fn load(path: &Path) -> (Self, Option<String>) {
        let (value, newer) = match kept::read(path, VERSION) {
            Kept::Nothing => return (Self::default(), None),
            Kept::Known(value) => (value, None),
            Kept::Newer(value, version) => (value, Some(version)),
            Kept::Unusable(why) => return (Self::default(), Some(unusable(path, &why))),
        };
        match (serde_json::from_value::<Self>(value), newer) {
            (Ok(settings), None) => (settings, None),
            (Ok(mut settings), Some(version)) => {
                // What this version does not know would be lost when it saves.
                let backup = kept::beside(path, &format!("version-{version}"));
                let copied = fs::copy(path, &backup).is_ok();
                settings.version = VERSION;
                let copy = if copied { format!(" A copy was kept as {}.", backup.display()) } else { String::new() };
                (
                    settings,
                    Some(format!("The settings were written by a newer Spikescope; what this version does not know is ignored.{copy}")),
                )
            }
            (Err(e), _) => (Self::default(), Some(unusable(path, &e.to_string()))),
        }
    }

    /// Put a recording at the top of the recent list.
    pub fn remember(&mut self, path: &Path) {
        self.recent.retain(|p| p != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(RECENT);
    }

    /// Keep answers for files of this shape in place of those before; none forgets them.
    pub fn remember_answers(&mut self, shape: &str, answers: BTreeMap<String, String>) {
        if answers.is_empty() {
            self.answers.remove(shape);
        } else if self.answers.len() < SHAPES || self.answers.contains_key(shape) {
            self.answers.insert(shape.to_owned(), answers);
        }
    }

    /// The arrangement kept for the recording with this fingerprint.
    pub fn layout_of(&self, fingerprint: &str) -> Option<&serde_json::Value> {
        self.layouts.iter().find(|(recording, _)| recording == fingerprint).map(|(_, layout)| layout)
    }

    /// Keep an arrangement for a recording, or forget it.
    pub fn keep_layout(&mut self, fingerprint: &str, layout: Option<serde_json::Value>) {
        if self.layout_of(fingerprint) == layout.as_ref() {
            return;
        }
        self.layouts.retain(|(recording, _)| recording != fingerprint);
        if let Some(layout) = layout {
            self.layouts.insert(0, (fingerprint.to_owned(), layout));
            self.layouts.truncate(LAYOUTS);
        }
    }

    /// Write settings whole or not at all: temporary sibling, flush to disk, rename.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn save(&self, path: &Path) -> Result<(), WriteError> {
        fs::create_dir_all(parent(path)).map_err(WriteError::at(path, "making its folder"))?;
        write_atomically(path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }
}

fn unusable(path: &Path, why: &str) -> String {
    let aside = kept::set_aside(path, "unreadable");
    format!("The settings in {} cannot be understood ({why}); defaults are used and {aside}.", path.display())
}

/// Writes settings on the thread `settings`, so that the window never waits for a disk.
pub struct SettingsWriter {
    queue: Option<Sender<Settings>>,
    thread: Option<JoinHandle<()>>,
    written: Settings,
    /// Changed, but not yet handed to the thread.
    waiting: Option<Settings>,
    last: Option<Instant>,
}

/// Dragging a border changes the settings in every frame; the disk is asked less often.
const BETWEEN_WRITES: Duration = Duration::from_millis(700);

impl SettingsWriter {
    /// A writer to `path`; without a path (no home folder, tests) nothing is ever written.
    pub fn new(path: Option<PathBuf>, loaded: Settings) -> Self {
        let Some(path) = path else { return Self { queue: None, thread: None, written: loaded, waiting: None, last: None } };
        let (queue, inbox) = crossbeam_channel::bounded::<Settings>(8);
        let thread = std::thread::Builder::new()
            .name("settings".to_owned())
            .spawn(move || {
                while let Ok(mut settings) = inbox.recv() {
                    // Only the newest matters.
                    while let Ok(newer) = inbox.try_recv() {
                        settings = newer;
                    }
                    if let Err(e) = settings.save(&path) {
                        tracing::warn!("settings were not saved to {}: {e}", path.display());
                    }
                }
            })
            .ok();
        Self { queue: thread.is_some().then_some(queue), thread, written: loaded, waiting: None, last: None }
    }

    /// Write `settings` if they changed, at most about once a second; what is held back is written at the end.
    pub fn write(&mut self, settings: &Settings) {
        let Some(queue) = &self.queue else { return };
        if *settings == self.written {
            self.waiting = None;
            return;
        }
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN_WRITES) {
            self.waiting = Some(settings.clone());
            return;
        }
        match queue.try_send(settings.clone()) {
            Ok(()) => (self.written, self.waiting, self.last) = (settings.clone(), None, Some(Instant::now())),
            Err(TrySendError::Full(_)) => self.waiting = Some(settings.clone()),
            Err(TrySendError::Disconnected(_)) => self.queue = None,
        }
    }
}

impl Drop for SettingsWriter {
    fn drop(&mut self) {
        if let (Some(queue), Some(settings)) = (&self.queue, self.waiting.take()) {
            let _ = queue.send(settings);
        }
        // Closing the queue ends the thread after the last write; at exit that write must not be lost.
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_round_trip_and_missing_fields_take_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.json");
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        let mut settings = Settings { theme: ThemeChoice::Dark, ..Settings::default() };
        settings.remember(Path::new("/data/übung.nwb"));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), (settings, None));
        fs::write(&path, "{\"theme\": \"light\"}").unwrap();
        assert_eq!(Settings::load(&path).0, Settings { theme: ThemeChoice::Light, ..Settings::default() });
    }

    #[test]
    fn an_unreadable_file_is_set_aside_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "{\"theme\": ").unwrap();
        let (settings, message) = Settings::load(&path);
        assert_eq!(settings, Settings::default());
        assert!(message.unwrap().contains("settings.unreadable.json"));
        assert_eq!(fs::read_to_string(folder.path().join("settings.unreadable.json")).unwrap(), "{\"theme\": ");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]
        /// Whatever happened to the bytes: no panic, and they are used, or kept under another name.
        #[test]
        fn no_damage_is_fatal_and_no_file_is_lost(cut in 1..600usize, flips in proptest::collection::vec((0..600usize, proptest::prelude::any::<u8>()), 0..6)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("settings.json");
            let mut settings = Settings { theme: ThemeChoice::Dark, runs: Some("/größe".into()), ..Settings::default() };
            settings.remember(Path::new("/data/a.nwb"));
            settings.save(&path).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes.truncate(cut);
            for (place, byte) in flips {
                if let Some(b) = bytes.get_mut(place) {
                    *b = byte;
                }
            }
            fs::write(&path, &bytes).unwrap();
            let (read, told) = Settings::load(&path);
            proptest::prop_assert!(read.version <= VERSION);
            let kept: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
            proptest::prop_assert!(kept.iter().any(|path| fs::read(path).unwrap() == bytes));
            proptest::prop_assert_eq!(told.is_none(), kept == [path]);
        }
    }

    #[test]
    fn settings_of_a_newer_version_are_used_and_backed_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "{\"version\": 99, \"theme\": \"dark\", \"hologram\": true}").unwrap();
        let (settings, message) = Settings::load(&path);
        assert_eq!((settings.theme, settings.version), (ThemeChoice::Dark, VERSION));
        assert!(message.unwrap().contains("newer"));
        assert!(fs::read_to_string(folder.path().join("settings.version-99.json")).unwrap().contains("hologram"));
    }

    #[test]
    fn the_recent_list_has_no_doubles_and_an_end() {
        let mut settings = Settings::default();
        for i in 0..20 {
            settings.remember(Path::new(&format!("/{}", i % 12)));
        }
        assert_eq!(settings.recent.len(), RECENT);
        assert_eq!(settings.recent.first().unwrap(), Path::new("/7"));
        assert_eq!(settings.recent.iter().collect::<std::collections::BTreeSet<_>>().len(), RECENT);
    }

    #[test]
    fn answers_are_kept_by_shape_and_forgotten() {
        let mut settings = Settings::default();
        let answers = BTreeMap::from([("time_unit".to_owned(), "ms".to_owned())]);
        settings.remember_answers("Spike list: unit,time", answers.clone());
        let back: Settings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(back.answers.get("Spike list: unit,time"), Some(&answers));
        settings.remember_answers("Spike list: unit,time", BTreeMap::new());
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn layouts_are_kept_by_recording_up_to_a_number() {
        let mut settings = Settings::default();
        for k in 0..60 {
            settings.keep_layout(&format!("recording {k}"), Some(k.into()));
        }
        assert_eq!((settings.layouts.len(), settings.layout_of("recording 59")), (LAYOUTS, Some(&59.into())));
        assert_eq!(settings.layout_of("recording 3"), None);
        settings.keep_layout("recording 59", None);
        assert_eq!(settings.layout_of("recording 59"), None);
    }

    #[test]
    fn the_writer_leaves_the_last_settings_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let mut settings = Settings::default();
        {
            let mut writer = SettingsWriter::new(Some(path.clone()), settings.clone());
            for i in 0..4 {
                settings.remember(Path::new(&format!("/{i}")));
                writer.write(&settings);
            }
        }
        assert_eq!(Settings::load(&path).0, settings);
    }
}
