//! `spikescope info`: what is in a recording and what the import made of it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output;
use super::sources::ImportOptions;
use crate::analysis::synchrony::{Synchrony, SynchronyCheck, SynchronyError, synchrony};
use crate::formats::info::{info_json, info_text};

/// Options of `info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// Recording to look into
    file: PathBuf,
    #[command(flatten)]
    import: ImportOptions,
    /// Also look for milliseconds in which far more units are active than in jittered data
    #[arg(long)]
    artefacts: bool,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let recording = self.import.open(&self.file)?;
        let found = self.artefacts.then(|| synchrony(&recording.spikes, &SynchronyCheck::default()));
        if !self.json {
            let text = info_text(&recording);
            return output::print(&match found {
                Some(found) => format!("{text}\nArtefacts\n  {}", sentence(&found)),
                None => text,
            });
        }
        let mut info = info_json(&recording);
        if let (Some(found), Some(map)) = (found, info.as_object_mut()) {
            map.insert("artefacts".to_owned(), as_json(&found));
        }
        output::print(&info.to_string())
    }
}

fn sentence(found: &Result<Synchrony, SynchronyError>) -> String {
    match found {
        Ok(found) => found.sentence(),
        Err(e) => e.to_string(),
    }
}

fn as_json(found: &Result<Synchrony, SynchronyError>) -> Value {
    match found {
        Ok(f) => json!({
            "bins": f.bins.len(),
            "bin_s": f.bin_s,
            "threshold_units": f.threshold,
            "largest_units": f.largest,
            "expected_bins": f.expected,
            "spikes": f.spikes,
            "percent_of_spikes": f.percent(),
            "jittered_copies": f.copies,
            "seed": f.seed,
            "message": f.sentence(),
        }),
        Err(e) => json!({ "message": e.to_string() }),
    }
}
