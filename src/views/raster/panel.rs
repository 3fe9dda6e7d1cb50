//! One raster on the screen: its data, where it looks and what is selected in it. For units these are the window's own selection;
//! trials have theirs, because their time is relative to an event.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::colour::RowColour;
use super::data::RasterData;
use super::events::EventColumn;
use super::picture::Shown;
use super::trials::{TrialRows, TrialWish};
use crate::recording::Recording;
use crate::render::RowOrder;
use crate::views::Selection;

/// A raster of units or of trials.
pub struct Panel {
    /// What is shown.
    pub data: RasterData,
    /// Visible time, seconds; `None` = all.
    pub window: Option<(f64, f64)>,
    /// Visible rows; `None` = all.
    pub rows: Option<(f64, f64)>,
    /// Time cursor, seconds.
    pub cursor: Option<f64>,
    /// Selected rows' units.
    pub selected: BTreeSet<usize>,
    /// Row that arrow keys moved to last.
    pub at_row: Option<usize>,
    /// What the last frame drew.
    pub shown: Shown,
}

impl Panel {
    /// Units through a recording.
    pub fn new(recording: &Arc<Recording>, order: &RowOrder, colour: &RowColour) -> Self {
        let data = RasterData::new(recording, order, colour);
        Self { data, window: None, rows: None, cursor: None, selected: BTreeSet::new(), at_row: None, shown: Shown::default() }
    }

    /// Trials around an event, arranged and coloured as `before`.
    pub fn of_trials(rows: &Arc<TrialRows>, wish: &TrialWish, before: Option<Self>, colour: &RowColour) -> Self {
        let order = RowOrder::Column("trial".to_owned());
        let (order, colour) = before.as_ref().map_or((&order, colour), |b| (&b.data.plan.order, &b.data.colour));
        let mut panel = Self::new(&rows.recording, order, colour);
        panel.data.of_trials(rows);
        panel.data.events = Some(EventColumn { table: wish.table.clone(), column: wish.align.clone() });
        panel.data.event_times = vec![(0.0, 0)];
        if let Some(before) = before {
            let same = panel.data.groups.contains(&before.data.plan.group);
            panel.data.replan(|plan| {
                if same {
                    (plan.group, plan.collapsed, plan.arranged) =
                        (before.data.plan.group.clone(), before.data.plan.collapsed.clone(), before.data.plan.arranged.clone());
                }
            });
            // Another stretch around the event shows all of it.
            if before.data.bounds == panel.data.bounds {
                panel.window = before.window;
            }
        }
        panel
    }

    /// Begin a frame with what the whole window has selected.
    pub fn take_from(&mut self, selection: &Selection) {
        (self.window, self.cursor) = (selection.window, selection.cursor);
        if self.selected != selection.units {
            self.selected = selection.units.clone();
        }
    }

    /// End a frame: tell the whole window what changed.
    pub fn give_to(&self, selection: &mut Selection) {
        if selection.window != self.window {
            selection.window = self.window;
        }
        if selection.cursor != self.cursor {
            selection.cursor = self.cursor;
        }
        if selection.units != self.selected {
            selection.units = self.selected.clone();
        }
    }
}
