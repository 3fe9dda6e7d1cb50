//! `spikescope info`: what is in a recording and what the import made of it.

use std::path::PathBuf;

use clap::Args;

use super::{output, sources};
use crate::formats::info::{info_json, info_text};

/// Options of `info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// Recording to look into
    file: PathBuf,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let recording = sources::open(&self.file)?;
        match self.json {
            true => output::print(&info_json(&recording).to_string()),
            false => output::print(&info_text(&recording)),
        }
    }
}
