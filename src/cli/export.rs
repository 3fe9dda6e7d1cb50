//! `spikescope export`: a recording, or the units and the stretch of it that are wanted, as another file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::sources::ImportOptions;
use super::{Usage, output};
use crate::formats::info::info_line;
use crate::formats::{self, BinnedKind, BinnedLayout, HeldOut};
use crate::recording::{TrialPlan, TrialSource};

/// Options of `export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Recording to write
    file: PathBuf,
    /// File to write; the ending decides the format (.nwb; .npz, which keeps everything; .csv and .tsv, a list of spikes; .h5, counts per bin)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    import: ImportOptions,
    #[command(flatten)]
    counts: Counts,
}

/// How counts are written to .h5.
#[derive(Debug, Args)]
#[command(next_help_heading = "Counts per bin (.h5)")]
struct Counts {
    /// Names of the arrays
    #[arg(long, value_enum, default_value_t = Arrays::Nlb)]
    arrays: Arrays,
    /// Bin width, ms
    #[arg(long, value_name = "MS", default_value_t = 5.0)]
    bin_ms: f64,
    /// Interval table with one trial per row, or `tiles` to cut the recording into windows end to end [default: trials, else tiles]
    #[arg(long, value_name = "TABLE")]
    trials: Option<String>,
    /// Column of the table that the window starts from
    #[arg(long, value_name = "COLUMN", default_value = "start_time")]
    align: String,
    /// Start of the window from there, ms
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_hyphen_values = true)]
    window_start_ms: f64,
    /// Length of the window, ms; 0 chooses the shortest common length up to 500 ms
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    window_ms: f64,
    /// Units that are held out: `column` (unit column heldout), `none`, or N for every N-th unit of every area
    #[arg(long, value_name = "UNITS", default_value = "column")]
    heldout: HeldOut,
    /// Last bins of the window that are to be predicted forward
    #[arg(long, value_name = "BINS", default_value_t = 0)]
    forward_bins: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Arrays {
    /// Neural Latents Benchmark: train_spikes_heldin, eval_spikes_heldout, …
    Nlb,
    /// LFADS and NDT: train_data, valid_data
    Lfads,
}

impl Counts {
    fn layout(self) -> BinnedLayout {
        let source = match self.trials {
            None => TrialSource::Automatic,
            Some(name) if name == "tiles" => TrialSource::Tiles,
            Some(table) => TrialSource::Table { table, align: self.align },
        };
        let plan = TrialPlan {
            source,
            bin_s: self.bin_ms / 1e3,
            window_start_s: self.window_start_ms / 1e3,
            window_s: self.window_ms / 1e3,
            ..BinnedLayout::default().plan
        };
        let kind = match self.arrays {
            Arrays::Nlb => BinnedKind::Benchmark,
            Arrays::Lfads => BinnedKind::Lfads,
        };
        BinnedLayout { kind, plan, forward_bins: self.forward_bins, heldout: self.heldout }
    }
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let (Ok(from), Ok(to)) = (self.file.canonicalize(), self.out.canonicalize())
            && from == to
        {
            return Err(Usage(format!("{}: this is the recording itself; write to another name", self.out.display())).into());
        }
        let recording = self.import.open(&self.file)?;
        for lost in formats::save_with(&recording, &self.out, &self.counts.layout())? {
            output::tell(&format!("note: {lost}"));
        }
        output::print(&format!("{}: {}, written to {}", recording.name, info_line(&recording), self.out.display()))
    }
}
