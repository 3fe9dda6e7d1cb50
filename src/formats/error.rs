//! Why a file cannot be opened or written: every message names the file, the object inside it, what was expected and what to do.

use std::path::{Path, PathBuf};

use crate::export::WriteError;
use crate::recording::{Choice, RecordingError};

/// Why a file cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is missing or the system refuses to read it.
    #[error("{}: cannot be read ({source}); check that the file exists and that you may read it", path.display())]
    NotReadable {
        /// File.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No reader knows the content.
    #[error("{}: {found}; {remedy}", path.display())]
    Unknown {
        /// File.
        path: PathBuf,
        /// What the file looks like.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A file of a known kind without units.
    #[error("{}: no units table ({found}); choose a file with sorted spikes, in NWB they are in /units", path.display())]
    NoUnits {
        /// File.
        path: PathBuf,
        /// What the file has instead.
        found: String,
    },
    /// Units, but no spike times.
    #[error("{}: {units} units but no spike times in {object}; choose a file in which this column is filled", path.display())]
    NoSpikeTimes {
        /// File.
        path: PathBuf,
        /// Object that should hold them.
        object: String,
        /// Number of units.
        units: usize,
    },
    /// An object that contradicts itself or cannot be decoded.
    #[error("{}: {object} is damaged: {problem}; copy or download the file again", path.display())]
    Corrupt {
        /// File.
        path: PathBuf,
        /// Object inside the file.
        object: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Data compressed in a way that is not supported.
    #[error("{}: {object} is stored with the {filter}, which is not supported; {remedy}", path.display())]
    UnsupportedFilter {
        /// File.
        path: PathBuf,
        /// Object inside the file.
        object: String,
        /// Filter in words.
        filter: String,
        /// What to do.
        remedy: String,
    },
    /// An object larger than is allowed.
    #[error("{}: {object} claims {claimed} bytes, but {reason}; the file is damaged, or too large to open whole: then save a part of it as a file of its own", path.display())]
    TooBig {
        /// File.
        path: PathBuf,
        /// Object inside the file.
        object: String,
        /// Bytes claimed (or a lower bound).
        claimed: u64,
        /// Which limit was hit.
        reason: String,
    },
    /// Something the reader must be told before it can go on.
    #[error("{}: {}; answer with --import {}=VALUE{}", path.display(), choice.why, choice.key, answers(choice))]
    NeedsAnswer {
        /// File or folder.
        path: PathBuf,
        /// The question; its `value` is empty or a proposal.
        choice: Box<Choice>,
    },
    /// A stretch of time without spikes, or that is none.
    #[error("{}: {problem}; write the stretch in seconds as 0..60", path.display())]
    TimeRange {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The user stopped the import.
    #[error("{}: opening was cancelled", path.display())]
    Cancelled {
        /// File.
        path: PathBuf,
    },
    /// One line of a text file that does not fit.
    #[error("{}, line {line}: {problem}", path.display())]
    CsvLine {
        /// File.
        path: PathBuf,
        /// Line number, counted from 1.
        line: u64,
        /// What was expected and what was found.
        problem: String,
    },
    /// A text file whose columns are not a list of spikes.
    #[error("{}: {problem}; expected one spike per line (columns like 'unit,time_s'; name yours with --import role/NAME=unit and role/NAME=time), times of one unit per column or line, or counts per bin", path.display())]
    CsvLayout {
        /// File.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// An NPZ file with arrays other than our own.
    #[error("{}: {problem}; {remedy}", path.display())]
    NpzLayout {
        /// File.
        path: PathBuf,
        /// What was found.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// What was read does not make a recording.
    #[error("{}: {source}", path.display())]
    Recording {
        /// File.
        path: PathBuf,
        /// Why.
        source: RecordingError,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written ({problem}); choose another folder or name", path.display())]
    NotWritable {
        /// File.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A name that does not say which format to write.
    #[error("{}: the name must end in .nwb, .npz, .h5, .csv or .tsv to say which format to write", path.display())]
    UnknownExtension {
        /// File.
        path: PathBuf,
    },
}

impl FormatError {
    /// The message without the file, for a report that belongs to the file anyway.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Corrupt { problem, .. } => problem.clone(),
            Self::TooBig { claimed, reason, .. } => format!("it claims {claimed} bytes, but {reason}"),
            Self::UnsupportedFilter { filter, remedy, .. } => format!("it is stored with the {filter}; {remedy}"),
            other => other.to_string(),
        }
    }

    pub(crate) fn corrupt(path: &Path, object: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), object: object.into(), problem: problem.into() }
    }

    pub(crate) fn not_readable(path: &Path, source: std::io::Error) -> Self {
        Self::NotReadable { path: path.to_owned(), source }
    }

    pub(crate) fn not_writable(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::NotWritable { path: path.to_owned(), problem: problem.to_string() }
    }
}

impl From<WriteError> for FormatError {
    fn from(error: WriteError) -> Self {
        Self::not_writable(&error.path, &error.source)
    }
}

/// What can be answered, for a message.
fn answers(choice: &Choice) -> String {
    let values: Vec<&str> = choice.options.iter().map(|o| o.value.as_str()).collect();
    match (values.is_empty(), choice.unit.is_empty()) {
        (false, _) => format!(" (one of {})", values.join(", ")),
        (true, false) => format!(" (in {})", choice.unit),
        (true, true) => String::new(),
    }
}
