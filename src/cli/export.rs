//! `spikescope export`: a recording, or the units and the stretch of it that are wanted, as another file.

use std::path::PathBuf;

use clap::Args;

use super::sources::ImportOptions;
use super::{Usage, output};
use crate::formats;
use crate::formats::info::info_line;

/// Options of `export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Recording to write
    file: PathBuf,
    /// File to write; the ending decides the format (.nwb; .npz, which keeps everything; .csv and .tsv, a list of spikes)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    import: ImportOptions,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let (Ok(from), Ok(to)) = (self.file.canonicalize(), self.out.canonicalize())
            && from == to
        {
            return Err(Usage(format!("{}: this is the recording itself; write to another name", self.out.display())).into());
        }
        let recording = self.import.open(&self.file)?;
        for lost in formats::save(&recording, &self.out)? {
            output::tell(&format!("note: {lost}"));
        }
        output::print(&format!("{}: {}, written to {}", recording.name, info_line(&recording), self.out.display()))
    }
}
