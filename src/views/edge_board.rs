//! The tests of edges of the run that is shown, shared by all views of one window: read from the run folder once, replaced while the
//! tests go on, kept until another run is shown.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use eframe::egui::{self, Ui};

use super::work::Background;
use super::{RunState, stndt_part};
use crate::analysis::edge_test::EdgeReport;
use crate::runs;

/// The newest report and the run folder it belongs to.
type Pinned = ArcSwapOption<(PathBuf, Arc<EdgeReport>)>;

/// Where reports of this window are.
#[derive(Clone, Default)]
pub(super) struct Board(Arc<Pinned>);

impl Board {
    pub(super) fn of(ctx: &egui::Context) -> Self {
        ctx.data_mut(|data| data.get_temp_mut_or_default::<Self>(egui::Id::unique("edge reports")).clone())
    }

    /// Show this report from now on; may be called by the thread that makes it.
    pub(super) fn pin(&self, folder: PathBuf, report: Arc<EdgeReport>) {
        self.0.store(Some(Arc::new((folder, report))));
    }

    fn report(&self, folder: &PathBuf) -> Option<Arc<EdgeReport>> {
        self.0.load().as_ref().filter(|pinned| pinned.0 == *folder).map(|pinned| Arc::clone(&pinned.1))
    }
}

/// What one view needs to get at the report.
#[derive(Default)]
pub(super) struct Reports {
    reading: Background<PathBuf, Option<Arc<EdgeReport>>>,
}

impl Reports {
    /// The report of this run, as soon as it is there.
    pub(super) fn get(&mut self, ui: &Ui, run: &RunState) -> Option<Arc<EdgeReport>> {
        let folder = stndt_part::folder(run).ok()?;
        let board = Board::of(ui.ctx());
        if let Some(report) = board.report(&folder) {
            return Some(report);
        }
        let theirs = folder.clone();
        // A report that cannot be read is as good as none: testing again replaces it.
        let read = self.reading.get(ui.ctx(), "edge report", &folder, move || runs::edge_report(&theirs).ok().flatten().map(Arc::new));
        let report = read.cloned().flatten()?;
        board.pin(folder, Arc::clone(&report));
        Some(report)
    }
}
