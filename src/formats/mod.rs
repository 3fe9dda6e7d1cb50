//! File formats: from a file to a [`Recording`] and back. [`open`] tells formats apart by content first and name second, reads,
//! and leaves in [`Recording::report`] what was assumed, repaired and left out. A new format is one file and one line in `TABLE`.

mod alf;
pub mod area_list;
mod arrays;
mod binned_h5;
mod choices;
mod clean;
mod error;
mod foreign;
mod guard;
mod hdf5_bytes;
pub mod info;
mod mat;
pub mod memory;
mod nex;
mod npz;
mod nwb;
mod nwb_write;
mod phy;
mod save;
mod shape;
pub mod shelf;
mod sonata;
mod spikeinterface;
mod text;
mod time_range;
mod time_unit;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::recording::{NoteKind, Recording, RecordingParts, Source};

pub use binned_h5::{BinnedKind, BinnedLayout, HeldOut, SubmittedRates, binned_beforehand, save_binned, save_submission};
pub use error::FormatError;
pub use save::{WRITES, beforehand, counts_to, save, save_with};
pub use shape::shape;
pub use text::preview::{TextEffect, TextPreview, preview, preview_with, shape_key};
pub use time_range::{TIME_RANGE, TimeRange};

/// How to open a file.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOptions {
    /// Answers to the [`crate::recording::Choice`]s of an import, by key; what is not answered is decided by the reader.
    pub answers: BTreeMap<String, String>,
    /// Largest single array (or text file) that is read, bytes.
    pub max_bytes: u64,
    /// Longest time series kept as a covariate, samples.
    pub max_covariate_samples: u64,
    /// Keep this stretch only; also understood as the answer [`TIME_RANGE`].
    pub time_range: Option<TimeRange>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { answers: BTreeMap::new(), max_bytes: 16 << 30, max_covariate_samples: 4_000_000, time_range: None }
    }
}

/// A format in words, for file dialogs and help texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Name, for example `NWB 2.x`.
    pub name: &'static str,
    /// Extensions without the dot, lower case.
    pub extensions: &'static [&'static str],
    /// Whether [`save`] writes it.
    pub writes: bool,
}

struct Format {
    known: Known,
    /// Looks at the content.
    sniff: fn(&Probe) -> bool,
    read: fn(&Path, &OpenOptions, &Progress) -> Result<Loaded, FormatError>,
}

/// What formats are told apart by, before anything is read.
pub(crate) struct Probe<'a> {
    /// The file or folder; a sniffer of a container format may look deeper than `head`.
    pub(crate) path: &'a Path,
    /// First bytes of a file; empty for a folder.
    pub(crate) head: &'a [u8],
    /// Names in a folder, sorted; `None` for a file.
    pub(crate) names: Option<&'a [String]>,
    /// What lies at the root of an HDF5 file; looked at once, by whichever format asks first.
    root: OnceCell<Option<guard::Root>>,
}

impl<'a> Probe<'a> {
    fn file(path: &'a Path, head: &'a [u8]) -> Self {
        Self { path, head, names: None, root: OnceCell::new() }
    }

    fn folder(path: &'a Path, names: &'a [String]) -> Self {
        Self { path, head: &[], names: Some(names), root: OnceCell::new() }
    }

    /// What lies at the root of an HDF5 file; `None` when this is none or its root cannot be read.
    fn hdf5_root(&self) -> Option<&guard::Root> {
        self.root.get_or_init(|| guard::root(self.path, self.head)).as_ref()
    }

    /// The first format that claims this. A sniffer that fails on a damaged file claims nothing.
    fn claimed(&self) -> Option<&'static Format> {
        TABLE.iter().find(|format| catch_unwind(AssertUnwindSafe(|| (format.sniff)(self))).unwrap_or(false))
    }
}

/// What a reader hands back.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) parts: RecordingParts,
    /// Where the data came from before they were in this file; `None` for the file itself.
    pub(crate) source: Option<Source>,
    /// What was seen of all spikes, by a reader that kept only the stretch that is asked for.
    pub(crate) whole: Option<time_range::Whole>,
}

impl From<RecordingParts> for Loaded {
    fn from(parts: RecordingParts) -> Self {
        Self { parts, ..Self::default() }
    }
}

/// Name of the format of text files.
pub const SPIKE_LIST: &str = "Spike list";
/// Name of the format of folders of text files.
const FOLDER_OF_LISTS: &str = "Folder of spike lists";

/// All formats; the first whose `sniff` agrees reads the file.
const TABLE: &[Format] = &[
    Format { known: Known { name: "NWB 2.x", extensions: &["nwb"], writes: true }, sniff: nwb::is_nwb, read: nwb::read },
    Format { known: Known { name: "MATLAB", extensions: &["mat"], writes: false }, sniff: mat::is_mat, read: mat::read },
    Format { known: Known { name: "SONATA spikes", extensions: &[], writes: false }, sniff: sonata::sniff, read: sonata::read },
    Format {
        known: Known { name: "Binned counts (NLB, LFADS)", extensions: &["h5", "hdf5"], writes: true },
        sniff: binned_h5::is_binned,
        read: binned_h5::read,
    },
    Format {
        known: Known { name: "Spikescope NPZ", extensions: &["npz"], writes: true },
        sniff: |p| npz::is_zip(p.head) && npz::is_ours(p.path),
        read: npz::read,
    },
    Format {
        known: Known { name: "SpikeInterface sorting", extensions: &[], writes: false },
        sniff: spikeinterface::sniff,
        read: spikeinterface::read,
    },
    Format { known: Known { name: "IBL ALF folder", extensions: &[], writes: false }, sniff: alf::sniff, read: alf::read },
    Format { known: Known { name: "Kilosort/Phy folder", extensions: &["py"], writes: false }, sniff: phy::sniff, read: phy::read },
    Format { known: Known { name: "NumPy arrays", extensions: &["npz", "npy"], writes: false }, sniff: arrays::sniff, read: arrays::read },
    Format {
        known: Known { name: "NeuroExplorer", extensions: &["nex", "nex5"], writes: false },
        sniff: |p| nex::is_nex(p.head),
        read: nex::read,
    },
    Format {
        known: Known { name: SPIKE_LIST, extensions: &["csv", "tsv", "txt", "gz"], writes: true },
        sniff: |p| p.names.is_none() && text::sniff(p.head),
        read: text::read,
    },
    Format { known: Known { name: FOLDER_OF_LISTS, extensions: &[], writes: false }, sniff: text::folder::sniff, read: text::folder::read },
];

/// Formats that can be opened, with their extensions.
pub fn known() -> Vec<Known> {
    TABLE.iter().map(|f| f.known).collect()
}

/// Progress and cancelling, as readers see it.
pub(crate) struct Progress<'a> {
    path: &'a Path,
    report: &'a dyn Fn(f32, &str) -> bool,
}

impl Progress<'_> {
    /// Tell how far the import is (0 to 1).
    pub(crate) fn at(&self, fraction: f32, what: &str) -> Result<(), FormatError> {
        if (self.report)(fraction.clamp(0.0, 1.0), what) { Ok(()) } else { Err(FormatError::Cancelled { path: self.path.to_owned() }) }
    }
}

/// Open a recording. `progress` is called with a fraction from 0 to 1 and what is being done; returning `false` cancels.
///
/// # Errors
/// [`FormatError`] names the file, the object inside it, what was expected and what to do. A damaged file never panics here.
pub fn open(path: &Path, options: &OpenOptions, progress: &dyn Fn(f32, &str) -> bool) -> Result<Recording, FormatError> {
    let progress = Progress { path, report: progress };
    progress.at(0.0, "opening")?;
    let before = stamp(path);
    let format = sniff(path)?;
    // hdf5-pure reports nearly every damage as an error; what it does not must not take the window down.
    let read = catch_unwind(AssertUnwindSafe(|| (format.read)(path, options, &progress)));
    let Loaded { mut parts, source, whole } = read.unwrap_or_else(|_| {
        Err(FormatError::corrupt(path, "the file", format!("reading it as {} failed in an unexpected way", format.known.name)))
    })?;
    if stamp(path) != before {
        let message = "it changed while it was read, so that parts of it may not fit together; open it again when nothing writes to it";
        parts.report.add(NoteKind::Advice, "the file", message);
    }
    progress.at(0.95, "checking")?;
    if parts.name.is_empty() {
        parts.name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let source = source.unwrap_or(Source::File(absolute));
    let recording = Recording::new(parts, source).map_err(|source| FormatError::Recording { path: path.to_owned(), source })?;
    let recording = match time_range::wanted(path, options)? {
        Some(range) => time_range::cut(path, recording, range, whole)?,
        None => recording,
    };
    progress.at(1.0, "done")?;
    Ok(recording)
}

/// Length and time of the last change of a file, where the system tells.
fn stamp(path: &Path) -> Option<(u64, std::time::SystemTime)> {
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((file.len(), file.modified().ok()?))
}

fn sniff(path: &Path) -> Result<&'static Format, FormatError> {
    let unreadable = |e| FormatError::not_readable(path, e);
    let unknown = |found: &str, remedy: &str| FormatError::Unknown { path: path.to_owned(), found: found.into(), remedy: remedy.into() };
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        return Probe::folder(path, &names).claimed().ok_or_else(|| {
            let (found, remedy) = foreign::in_folder(path, &names);
            unknown(&found, &remedy)
        });
    }
    let head = guard::head(path)?;
    if head.is_empty() {
        return Err(unknown("the file is empty", "copy or download it again"));
    }
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let by_name = TABLE.iter().find(|f| f.known.extensions.contains(&extension.as_str()));
    let probe = Probe::file(path, &head);
    let foreign = foreign::recognised(&probe);
    match (probe.claimed(), by_name) {
        // Text in a file that claims to be a binary format is a download error page or a pointer file, not a spike list.
        (Some(found), Some(named)) if found.known.name != named.known.name && found.known.extensions.contains(&"csv") => Err(unknown(
            &format!("the name ends in .{extension}, but the content is text"),
            "download the file itself, not its pointer or web page",
        )),
        _ if foreign.is_some() => {
            let (found, remedy) = foreign.unwrap_or_default();
            Err(unknown(&found, &remedy))
        }
        (Some(found), _) => Ok(found),
        (None, _) if guard::is_hdf5(&head) => Err(guard::unknown(&probe)),
        (None, _) if text::is_gzip(&head) => Err(unknown("this is a gzip archive without readable text", "unpack it first")),
        (None, Some(named)) => {
            let found = format!("the name ends in .{extension}, but the content is not {}", named.known.name);
            Err(unknown(&found, "it may be cut off, compressed or of another kind; copy it again or rename it"))
        }
        (None, None) => {
            let named = TABLE.iter().filter(|f| !f.known.extensions.is_empty());
            let formats: Vec<String> = named.map(|f| format!("{} (.{})", f.known.name, f.known.extensions.join(", ."))).collect();
            Err(unknown("the content is of no known format", &format!("these can be opened: {}", formats.join("; "))))
        }
    }
}
