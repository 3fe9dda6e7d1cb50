//! How the raster is arranged, as a value that undo brings back: rows (order, groups, what is collapsed, what was dragged where, how
//! high they are), colours, trial mode.

use serde::{Deserialize, Serialize};

use super::RasterView;
use super::colour::RowColour;
use super::data::RasterData;
use super::panel::Panel;
use super::trials::TrialWish;
use crate::render::{RowGroup, RowOrder};

/// Everything the user arranged.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Arranged {
    units: Plan,
    /// Trial mode, when it is on.
    trials: Option<Wish>,
    /// Rows of trials.
    trial_rows: Plan,
    hidden_events: Vec<String>,
    rates: bool,
}

/// Rows of one panel.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Plan {
    order: String,
    group: String,
    colour: String,
    collapsed: Vec<String>,
    arranged: Vec<String>,
    /// Rows in view; `None` = all.
    rows: Option<(f64, f64)>,
}

/// Trials around an event (of the units that are selected).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wish {
    table: String,
    align: String,
    from_s: f64,
    to_s: f64,
}

impl Plan {
    /// Before anything was arranged.
    fn first(order: &RowOrder, colour: &RowColour) -> Self {
        Self { order: order.label(), group: RowGroup::default().label(), colour: colour.label("the group"), ..Self::default() }
    }

    fn of(panel: &Panel) -> Self {
        let data = &panel.data;
        Self {
            order: data.plan.order.label(),
            group: data.plan.group.label(),
            colour: data.colour.label("the group"),
            collapsed: data.plan.collapsed.iter().cloned().collect(),
            arranged: data.plan.arranged.clone(),
            rows: panel.rows,
        }
    }

    /// Arrange as it was; what the recording does not offer (any more) stays as it is.
    fn restore(&self, panel: &mut Panel) {
        let data: &mut RasterData = &mut panel.data;
        let order = data.orders.iter().find(|o| o.label() == self.order).cloned();
        let group = data.groups.iter().find(|g| g.label() == self.group).cloned();
        let colour = data.colours.iter().find(|c| c.label("the group") == self.colour).cloned();
        data.replan(|plan| {
            plan.order = order.unwrap_or_else(|| plan.order.clone());
            plan.group = group.unwrap_or_else(|| plan.group.clone());
            plan.collapsed = self.collapsed.iter().cloned().collect();
            plan.arranged = self.arranged.clone();
        });
        if let Some(colour) = colour {
            data.recolour(colour);
        }
        panel.rows = self.rows;
    }
}

impl RasterView {
    /// See `View::ordering`.
    pub(super) fn arranged(&self) -> serde_json::Value {
        let arranged = Arranged {
            units: self.units.as_ref().map_or_else(|| Plan::first(&self.order, &self.colour), Plan::of),
            trials: self.trials.as_ref().map(|wish| Wish {
                table: wish.table.clone(),
                align: wish.align.clone(),
                from_s: wish.from_s,
                to_s: wish.to_s,
            }),
            trial_rows: self.trial_panel.as_ref().map_or_else(|| self.first_trial_rows(), |(_, panel)| Plan::of(panel)),
            hidden_events: self.trial_events.hidden(),
            rates: self.rates.on,
        };
        serde_json::to_value(arranged).unwrap_or_default()
    }

    /// How trials will be arranged when they are first shown: appearing is no step of its own.
    fn first_trial_rows(&self) -> Plan {
        let colour = if matches!(self.colour, RowColour::Column(_)) { RowColour::Group } else { self.colour.clone() };
        Plan::first(&RowOrder::Column("trial".to_owned()), &colour)
    }

    /// See `View::restore_ordering`.
    pub(super) fn rearrange(&mut self, ordering: &serde_json::Value) {
        let Ok(before) = serde_json::from_value::<Arranged>(ordering.clone()) else { return };
        if let Some(panel) = &mut self.units {
            before.units.restore(panel);
            (self.order, self.colour) = (panel.data.plan.order.clone(), panel.data.colour.clone());
        }
        self.trials = before.trials.map(|wish| {
            // Units follow the selection, which undo brings back by itself.
            let units = self.trials.as_ref().map(|w| w.units.clone()).unwrap_or_default();
            TrialWish { table: wish.table, align: wish.align, from_s: wish.from_s, to_s: wish.to_s, units }
        });
        if let Some((_, panel)) = &mut self.trial_panel {
            before.trial_rows.restore(panel);
        }
        self.trial_events.hide(before.hidden_events);
        self.rates.on = before.rates;
    }
}
