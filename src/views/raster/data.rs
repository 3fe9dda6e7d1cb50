//! What the raster keeps of one recording: its spikes with their pyramid (built in the background), rows, colours, events, marks,
//! gaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{self, Color32};

use super::colour::{RowColour, Shade, UnitShades};
use super::events::EventColumn;
use super::lanes::Lanes;
use super::marks::{MarkColumn, Marks};
use super::navigation::{gaps, time_bounds};
use super::similarity::similarity_order;
use super::trials::TrialRows;
use crate::analysis::observed::{Coverage, Observed};
use crate::analysis::watch::Watch;
use crate::recording::Recording;
use crate::render::{Pyramid, RasterStyle, RowGroup, RowOrder, RowPlan, Rows, SpikeField};
use crate::views::work::Background;

/// Everything derived from one recording.
pub struct RasterData {
    /// The recording.
    pub recording: Arc<Recording>,
    /// Its spikes.
    pub field: SpikeField,
    pyramid: Background<(), Option<Arc<Pyramid>>>,
    /// Frames in which this was asked for; the pyramid is begun when the first picture is up.
    frames: u64,
    similarity: Background<(), Arc<Vec<f64>>>,
    /// What one row is called: "unit" or "trial".
    pub row_name: &'static str,
    /// Orders offered.
    pub orders: Vec<RowOrder>,
    /// Groupings offered.
    pub groups: Vec<RowGroup>,
    /// Meanings of colour offered.
    pub colours: Vec<RowColour>,
    /// How rows are arranged.
    pub plan: RowPlan,
    /// Rows so arranged; another `Arc` when that changes.
    pub rows: Arc<Rows>,
    /// What colour means.
    pub colour: RowColour,
    /// Shades of units; another `Arc` when they change.
    pub shades: Arc<UnitShades>,
    /// First and last time, seconds.
    pub bounds: (f64, f64),
    /// Not observed, seconds.
    pub gaps: Vec<(f64, f64)>,
    /// Share of the rows that was observed at every moment.
    pub coverage: Coverage,
    /// The same for collapsed groups, by name, where their rows differ.
    pub group_coverage: BTreeMap<String, Coverage>,
    /// Trials, where rows are trials.
    pub trials: Option<Arc<TrialRows>>,
    /// Event columns offered.
    pub event_columns: Vec<EventColumn>,
    /// Column now.
    pub events: Option<EventColumn>,
    /// Times and rows of that column.
    pub event_times: Vec<(f64, usize)>,
    /// Conditions and epochs offered.
    pub mark_columns: Vec<MarkColumn>,
    /// Those shown.
    pub marks: Option<Marks>,
    /// Covariates shown.
    pub lanes: Lanes,
}

impl RasterData {
    /// Begin with a recording.
    pub fn new(recording: &Arc<Recording>, order: &RowOrder, colour: &RowColour) -> Self {
        let (orders, colours) = (RowOrder::offered(recording), RowColour::offered(recording));
        let order = if orders.contains(order) { order.clone() } else { RowOrder::default() };
        let colour = if colours.contains(colour) { colour.clone() } else { RowColour::default() };
        let plan = RowPlan { order, ..RowPlan::default() };
        let rows = Arc::new(Rows::of(recording, &plan));
        let bounds = time_bounds(recording);
        let mut data = Self {
            field: SpikeField::new(Arc::clone(recording)),
            pyramid: Background::default(),
            frames: 0,
            similarity: Background::default(),
            row_name: "unit",
            shades: Arc::new(UnitShades::new(recording, &colour, &rows)),
            groups: RowGroup::offered(recording),
            orders,
            colours,
            plan,
            rows,
            colour,
            bounds,
            gaps: gaps(&recording.observed, bounds),
            coverage: coverage(recording, bounds),
            group_coverage: BTreeMap::new(),
            trials: None,
            event_columns: EventColumn::offered(recording),
            events: None,
            event_times: Vec::new(),
            mark_columns: MarkColumn::offered(recording),
            marks: None,
            lanes: Lanes::default(),
            recording: Arc::clone(recording),
        };
        data.mark(EventColumn::first_choice(recording));
        data
    }

    /// Rows are these trials.
    pub fn of_trials(&mut self, trials: &Arc<TrialRows>) {
        self.row_name = "trial";
        self.coverage = trials.coverage(0..self.recording.n_units());
        self.trials = Some(Arc::clone(trials));
    }

    /// Take what was finished in the background since the last frame, and begin what is needed.
    pub fn poll(&mut self, ctx: &egui::Context) {
        self.frames += 1;
        if self.frames == 1 {
            // It would share the cores with the first picture, which does without.
            ctx.request_repaint();
        } else if self.field.pyramid().is_none() && self.recording.spikes.n_spikes() > 0 {
            let theirs = Arc::clone(&self.recording);
            let built = self.pyramid.get(ctx, "raster pyramid", &(), move || Pyramid::build(&theirs.spikes).map(Arc::new));
            if let Some(Some(pyramid)) = built {
                self.field = self.field.clone().with_pyramid(Some(Arc::clone(pyramid)));
            }
        }
        if self.plan.order == RowOrder::Similarity && self.plan.learned.is_none() {
            let theirs = Arc::clone(&self.recording);
            let work = move |watch: &Watch| similarity_order(&theirs.spikes, watch).map(Arc::new);
            if let Some(order) = self.similarity.watched(ctx, "similarity of units", &(), work).cloned() {
                self.plan.learned = Some(order);
                self.arrange();
            }
        }
    }

    /// True while the order by similarity is being worked out.
    pub fn is_learning(&self) -> bool {
        self.similarity.is_running()
    }

    /// How far it is, with a button that cancels it.
    pub fn learning(&mut self, ui: &mut egui::Ui) {
        if self.plan.order == RowOrder::Similarity && self.plan.learned.is_none() {
            self.similarity.progress(ui, "Comparing the activity of units");
        }
    }

    /// Sort, group, collapse or arrange rows otherwise.
    pub fn replan(&mut self, change: impl FnOnce(&mut RowPlan)) {
        change(&mut self.plan);
        self.arrange();
    }

    fn arrange(&mut self) {
        self.rows = Arc::new(Rows::of(&self.recording, &self.plan));
        if let Some(trials) = self.trials.as_ref().filter(|t| t.has_gaps()) {
            let folded = self.rows.bands.iter().filter(|b| b.collapsed);
            self.group_coverage = folded.map(|b| (b.name.clone(), trials.coverage(b.units.iter().copied()))).collect();
        }
        self.recolour(self.colour.clone());
    }

    /// Colour of the group `group` of rows: areas have the user's colours, other groups the usual ones.
    pub fn group_color(&self, style: &RasterStyle, group: usize) -> Color32 {
        // Where trials are rows, the areas of this recording are units.
        let areas = self.plan.group == RowGroup::Area && self.row_name == "unit";
        if areas { style.area(group) } else { style.category(group) }
    }

    /// Colour of a unit.
    pub fn unit_color(&self, style: &RasterStyle, unit: usize) -> Color32 {
        match self.shades.shades.get(unit) {
            Some(Shade::Kind(group)) if matches!(self.colour, RowColour::Group | RowColour::Count) => self.group_color(style, *group),
            _ => self.shades.color(unit, style),
        }
    }

    /// Give colour another meaning.
    pub fn recolour(&mut self, colour: RowColour) {
        self.shades = Arc::new(UnitShades::new(&self.recording, &colour, &self.rows));
        self.colour = colour;
    }

    /// Mark other events.
    pub fn mark(&mut self, events: Option<EventColumn>) {
        self.event_times = events.as_ref().map(|e| e.times(&self.recording)).unwrap_or_default();
        self.events = events;
    }

    /// Show other conditions or epochs.
    pub fn band(&mut self, of: Option<MarkColumn>) {
        self.marks = of.and_then(|of| Marks::new(&self.recording, &of));
    }
}

/// A recording that does not say what was observed is drawn as observed all the time: cutting its first and last bin at the first
/// and last spike would make these two bins look busier than they are.
fn coverage(recording: &Recording, (start, stop): (f64, f64)) -> Coverage {
    let length = stop - start;
    Coverage::of([match recording.observed.is_empty() {
        true => vec![(start - length, stop + length)],
        false => Observed::of(recording).stretches().to_vec(),
    }])
}
