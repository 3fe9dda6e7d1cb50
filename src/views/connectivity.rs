//! The Connectivity view: NetFormer's attention as a matrix of who drives whom, beside the truth where it is known and beside the
//! cross-correlation that any such estimate has to beat.

mod arrangement;
mod beside;
mod maps;
mod panel;
mod time;

use std::sync::Arc;

use eframe::egui::{self, RichText, Ui, vec2};

use self::arrangement::Arrangement;
use self::beside::Other;
use self::maps::{AtTime, Kind, Panel};
use self::time::{Range, When};
use super::netformer_part::{Grouping, Network, snapshot};
use super::stndt_part::choose;
use super::{Action, RunState, Selection, View, ViewContext, kernels, widgets};
use crate::app::theme;
use crate::recording::Recording;
use crate::training::{ConnectivityScores, NetFormerSnapshot, Snapshot};

/// What is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Between {
    #[default]
    Units,
    Groups,
}

/// The Connectivity view.
#[derive(Default)]
pub struct ConnectivityView {
    between: Between,
    grouping: Option<Grouping>,
    arrangement: Arrangement,
    network: Network,
    range: Range,
    panels: [Panel; 4],
    other: Other,
    /// Colours of every matrix for itself.
    own_scale: bool,
}

impl View for ConnectivityView {
    fn title(&self) -> &'static str {
        "Connectivity"
    }

    fn help(&self) -> &'static str {
        "Each row is a receiving unit and each column a sending one: red raises, blue lowers the activity that NetFormer predicts for the next bin, in every bin anew; the diagonal is grey, since a unit's own memory cannot be told from a connection to itself. \
         Beside it are the truth, where it is known, and the lag-1 cross-correlation, a strong and simple estimate: trust attention only as far as it differs from that. \
         Group units by area, cell type or any other column, show the means between groups, set another simple method beside, and move or play a range of time to see attention change; where the truth is known, all have its colours unless One scale is off."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let Some((run, snapshot, own)) = snapshot(ui, context, "No connectivity yet", "which unit drives which") else { return };
        if own.attention.is_empty() {
            return kernels::waiting(ui, context, "No connectivity yet");
        }
        let recording = run.data.as_ref().map(|data| Arc::clone(&data.0));
        self.arrange(recording.as_deref(), snapshot);
        self.controls(ui, recording.as_deref(), own.truth.is_some());
        let wanted = self.range.when == When::Range || self.other.is_chosen();
        let network = if wanted { self.network.of(ui, run, own) } else { Err(String::new()) };
        if let (true, Err(why)) = (self.other.is_chosen(), &network) {
            widgets::note(ui, why);
        }
        let network = network.ok();
        let (number, at_time) = self.range.show(ui, network.as_ref(), run, snapshot, own, context.selection);
        headline(ui, own);
        let other = self.other.show(ui, network.as_ref(), own);
        if 4 * own.attention.nrows() < own.attention.ncols() {
            ui.horizontal_wrapped(|ui| {
                let (rows, units) = own.attention.dim();
                widgets::note(ui, format!("{rows} of {units} units are predicted, so that only their rows are estimated"));
                if ui.button("Show their synapses").on_hover_text("The same connections over time").clicked() {
                    context.actions.push(Action::Show("Synapses"));
                }
            });
        }
        let mut kinds = vec![Kind::Attention];
        kinds.extend(own.truth.is_some().then_some(Kind::Truth));
        kinds.push(Kind::LagOne);
        kinds.extend(other.as_ref().map(|(method, _)| Kind::Other(*method)));
        let key = maps::Key {
            snapshot: (snapshot.version, Arc::as_ptr(snapshot) as usize),
            time: number,
            groups: self.between == Between::Groups,
            own_scale: self.own_scale,
            order: self.arrangement.number,
        };
        let other = other.map_or(AtTime::Mean, |(_, matrix)| AtTime::Range(matrix));
        for (panel, kind) in self.panels.iter_mut().zip(&kinds) {
            let source = if matches!(kind, Kind::Other(_)) { &other } else { &at_time };
            panel.update(ui, *kind, key, snapshot, source, &self.arrangement);
        }
        let clicked = self.draw(ui, run, snapshot, &kinds);
        if let Some((receiving, sending)) = clicked {
            self.select(run, snapshot, context.selection, receiving, sending);
        }
    }
}

impl ConnectivityView {
    fn arrange(&mut self, recording: Option<&Recording>, snapshot: &Snapshot) {
        let grouping = match recording {
            Some(recording) => self.grouping.get_or_insert_with(|| Grouping::first_choice(recording)).clone(),
            None => Grouping::Area,
        };
        self.arrangement.update(recording, &grouping, snapshot);
    }

    fn controls(&mut self, ui: &mut Ui, recording: Option<&Recording>, known: bool) {
        ui.horizontal_wrapped(|ui| {
            let words = if self.arrangement.by_area { "Areas" } else { "Groups" };
            let help = format!("Mean over the units of each pair of groups, by {}", self.arrangement.what);
            let between = [(Between::Units, "Units", "Every unit on every other"), (Between::Groups, words, help.as_str())];
            widgets::segmented(ui, &mut self.between, &between);
            if let (Some(recording), Some(grouping)) = (recording, &mut self.grouping) {
                grouping.choose(ui, recording);
            }
            ui.separator();
            self.range.choose(ui);
            self.other.choose(ui);
            if known {
                let mut one_scale = !self.own_scale;
                ui.checkbox(&mut one_scale, "One scale").on_hover_text(
                    "Colour every estimate on the scale of the truth, by the best line through zero; off, by its own largest values",
                );
                self.own_scale = !one_scale;
            }
        });
    }

    /// Matrices side by side where the pane is wide, else below each other; gives the pair that was clicked.
    fn draw(&mut self, ui: &mut Ui, run: &RunState, snapshot: &Snapshot, kinds: &[Kind]) -> Option<(usize, usize)> {
        let size = ui.available_size();
        let n = kinds.len();
        let cell_of = |columns: usize| {
            let rows = n.div_ceil(columns);
            vec2((size.x - 8.0 * (columns - 1) as f32) / columns as f32 - 4.0, (size.y / rows as f32 - 8.0).max(200.0))
        };
        // As large as they can be; below each other only where that is clearly larger, since side by side they are compared.
        let gain = |columns: usize| panel::side(cell_of(columns)) * if columns == n { 1.15 } else { 1.0 };
        let columns = (1..=n).max_by(|a, b| gain(*a).total_cmp(&gain(*b))).unwrap_or(1);
        let (rows, cell) = (n.div_ceil(columns), cell_of(columns));
        let mut clicked = None;
        let names = panel::Names { run, snapshot, arrangement: &self.arrangement, groups: self.between == Between::Groups };
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for row in 0..rows {
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = 8.0;
                    for at in (row * columns)..((row + 1) * columns).min(n) {
                        let (Some(panel), Some(kind)) = (self.panels.get_mut(at), kinds.get(at)) else { continue };
                        ui.allocate_ui(cell, |ui| {
                            ui.set_width(cell.x);
                            if let Some(pair) = panel::show(ui, panel, *kind, &names, cell) {
                                clicked = Some(pair);
                            }
                        });
                    }
                });
            }
        });
        clicked
    }

    fn select(&self, run: &RunState, snapshot: &Snapshot, selection: &mut Selection, receiving: usize, sending: usize) {
        match self.between {
            Between::Units => {
                let (Some(receiving), Some(sending)) = (self.arrangement.column(receiving), self.arrangement.column(sending)) else {
                    return;
                };
                choose(snapshot, selection, sending, false);
                choose(snapshot, selection, receiving, true);
                let unit = |k: usize| snapshot.units.get(k).copied();
                selection.unit_pair = unit(sending).zip(unit(receiving));
            }
            Between::Groups if self.arrangement.by_area => {
                let place =
                    |block: usize| self.arrangement.blocks.get(block).and_then(|b| snapshot.areas.iter().position(|a| *a == b.name));
                selection.pair = place(sending).zip(place(receiving));
                if let (Some(data), Some(area)) = (&run.data, place(sending)) {
                    selection.choose_area(&data.0, run.area_index(area), false);
                }
            }
            Between::Groups => {
                selection.units = self.arrangement.members(sending).into_iter().filter_map(|k| snapshot.units.get(k).copied()).collect();
            }
        }
    }
}

/// How well attention agrees with the truth, beside the cross-correlation, and how far it can be trusted.
fn headline(ui: &mut Ui, own: &NetFormerSnapshot) {
    let tokens = theme::of(ui);
    let words = |scores: &ConnectivityScores| {
        let number = |value: f32| widgets::number(f64::from(value), 3);
        format!("Pearson {}, Spearman {}", number(scores.pearson), number(scores.spearman))
    };
    ui.horizontal_wrapped(|ui| {
        if let Some(scores) = own.scores.last() {
            ui.label(RichText::new(words(scores)).strong())
                .on_hover_text("Agreement of attention with the true weights, between different units");
        }
        if let Some(scores) = &own.lag_one_scores {
            ui.label(RichText::new(format!("cross-correlation: {}", words(scores))).color(tokens.weak))
                .on_hover_text("The same for the lag-1 cross-correlation of the training bins");
        }
        if own.static_share.is_finite() {
            let percent = widgets::number(f64::from(own.static_share) * 100.0, 3);
            ui.label(RichText::new(format!("{percent} % of attention is the same at all times")).color(tokens.weak)).on_hover_text(
                "Share of the mean square of attention that its mean over validation windows explains; the rest follows activity",
            );
        }
        if !own.r2.is_empty() {
            let mean = own.r2.iter().sum::<f32>() / own.r2.len() as f32;
            ui.label(RichText::new(format!("R² of predictions {}", widgets::number(f64::from(mean), 3))).color(tokens.weak))
                .on_hover_text("Mean over units, on validation windows");
        }
    });
}
