//! What the raster keeps of one recording: the spike index (sorted in the background when large), rows, events, gaps.

use std::sync::Arc;

use eframe::egui;

use super::events::EventColumn;
use super::navigation::{gaps, time_bounds};
use crate::recording::Recording;
use crate::render::background::{Outcome, Pending};
use crate::render::{RowOrder, Rows, SpikeIndex};

/// Up to this many spikes are sorted at once, within a frame.
const SORT_AT_ONCE: usize = 100_000;

/// The spike index, or where it is.
#[derive(Debug)]
pub enum Index {
    /// Being sorted.
    Pending(Pending<SpikeIndex>),
    /// There.
    Ready(Arc<SpikeIndex>),
    /// Not possible.
    Failed(String),
}

/// Everything derived from one recording.
#[derive(Debug)]
pub struct RasterData {
    /// The recording.
    pub recording: Arc<Recording>,
    /// Its spikes in order of time.
    pub index: Index,
    /// Orders offered.
    pub orders: Vec<RowOrder>,
    /// Order now.
    pub order: RowOrder,
    /// Units in that order; another `Arc` when the order changes.
    pub rows: Arc<Rows>,
    /// First and last time, seconds.
    pub bounds: (f64, f64),
    /// Not observed, seconds.
    pub gaps: Vec<(f64, f64)>,
    /// Event columns offered.
    pub event_columns: Vec<EventColumn>,
    /// Column now.
    pub events: Option<EventColumn>,
    /// Times and rows of that column.
    pub event_times: Vec<(f64, usize)>,
}

impl RasterData {
    /// Begin with a recording.
    pub fn new(recording: &Arc<Recording>, wanted: &RowOrder, ctx: &egui::Context) -> Self {
        let orders = RowOrder::offered(recording);
        let order = if orders.contains(wanted) { wanted.clone() } else { RowOrder::default() };
        let bounds = time_bounds(recording);
        let mut data = Self {
            index: index(recording, ctx),
            rows: Arc::new(Rows::of(recording, &order)),
            orders,
            order,
            bounds,
            gaps: gaps(&recording.observed, bounds),
            event_columns: EventColumn::offered(recording),
            events: None,
            event_times: Vec::new(),
            recording: Arc::clone(recording),
        };
        data.mark(EventColumn::first_choice(recording));
        data
    }

    /// Sort rows otherwise.
    pub fn sort(&mut self, order: RowOrder) {
        self.rows = Arc::new(Rows::of(&self.recording, &order));
        self.order = order;
    }

    /// Mark other events.
    pub fn mark(&mut self, events: Option<EventColumn>) {
        self.event_times = events.as_ref().map(|e| e.times(&self.recording)).unwrap_or_default();
        self.events = events;
    }

    /// The index, if it is there by now; an error when it will never be.
    pub fn index(&mut self) -> Result<Option<Arc<SpikeIndex>>, String> {
        if let Index::Pending(pending) = &self.index {
            match pending.poll() {
                Outcome::Waiting => return Ok(None),
                Outcome::Done(index) => self.index = Index::Ready(Arc::new(index)),
                Outcome::Lost => self.index = Index::Failed("sorting the spikes failed; open the recording again".to_owned()),
            }
        }
        match &self.index {
            Index::Ready(index) => Ok(Some(Arc::clone(index))),
            Index::Failed(message) => Err(message.clone()),
            Index::Pending(_) => Ok(None),
        }
    }
}

fn index(recording: &Arc<Recording>, ctx: &egui::Context) -> Index {
    if recording.spikes.n_spikes() <= SORT_AT_ONCE {
        return Index::Ready(Arc::new(SpikeIndex::build(&recording.spikes)));
    }
    let (theirs, ctx) = (Arc::clone(recording), ctx.clone());
    match Pending::start("raster index", move || SpikeIndex::build(&theirs.spikes), move || ctx.request_repaint()) {
        Ok(pending) => Index::Pending(pending),
        Err(error) => Index::Failed(format!("no thread could be started to sort the spikes: {error}")),
    }
}
