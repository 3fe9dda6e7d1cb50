//! The members as a table: those with a score from the best to the worst, then those that wait.

use std::path::PathBuf;

use eframe::egui::{self, Align, Layout, RichText, Sense, Ui};
use egui_extras::{Column, TableBuilder};

use super::live;
use crate::app::theme;
use crate::runs::catalogue::Status;
use crate::training::sweep::{Averaged, Found, Member, Range, ranked};
use crate::views::{Action, ViewContext, widgets};

/// Draw the table with what can be done with the selected member, `height` points high.
pub(super) fn ui(ui: &mut Ui, context: &mut ViewContext<'_>, sweep: &Found, averages: Option<&Averaged>, height: f32) {
    let order = order(&sweep.members);
    let line = ui.text_style_height(&egui::TextStyle::Body) + 6.0;
    let drawn: Vec<&Range> = sweep.plan.ranges.iter().filter(|range| range.drawn).collect();
    let (mut clicked, mut opened) = (None, None);
    ui.push_id("members", |ui| {
        TableBuilder::new(ui)
            .cell_layout(Layout::left_to_right(Align::Center))
            .striped(true)
            .sense(Sense::CLICK)
            .auto_shrink(false)
            .max_scroll_height((height - 2.0 * line - 26.0).max(80.0))
            .min_scrolled_height(60.0)
            .column(Column::exact(30.0))
            .column(Column::initial(54.0).clip(true))
            .column(Column::initial(82.0).clip(true))
            .column(Column::initial(68.0).clip(true))
            .column(Column::initial(50.0).clip(true))
            .column(Column::remainder().at_least(30.0).clip(true))
            .header(line, |mut header| {
                let heads = [
                    ("", "Place by validation score"),
                    ("Member", "Number of the draw, from 1"),
                    ("Run", "How the run stands"),
                    ("Validation", "Best co-bps on validation trials, bits per spike: what members are ranked by"),
                    ("Test", "co-bps of the kept weights on test trials, bits per spike"),
                    ("Drawn settings", "What was drawn for this member"),
                ];
                for (title, help) in heads {
                    header.col(|ui| {
                        ui.add(egui::Label::new(RichText::new(title).strong()).selectable(false).truncate()).on_hover_text(help);
                    });
                }
            })
            .body(|body| {
                body.rows(line, order.len(), |mut row| {
                    let Some((place, member)) = order.get(row.index()) else { return };
                    let selected = context.selection.runs.contains(&member.folder);
                    row.set_selected(selected);
                    let state = live(context, member).unwrap_or_else(|| state(member));
                    let score = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| widgets::number(v, 3));
                    let texts = [
                        place.map(|place| format!("{place}.")).unwrap_or_default(),
                        format!("{}", member.index + 1),
                        state.clone(),
                        score(member.validation),
                        score(member.test),
                        settings(member, &drawn, "  ·  "),
                    ];
                    for (column, text) in texts.into_iter().enumerate() {
                        row.col(|ui| {
                            let tokens = theme::of(ui);
                            let color = match (column, &member.status) {
                                (2, Some(Status::Failed | Status::Unreadable)) => tokens.error,
                                (5, _) | (_, None) => tokens.weak,
                                _ => tokens.text,
                            };
                            let shown = ui.add(egui::Label::new(RichText::new(text).color(color)).selectable(false).truncate());
                            match (column, &member.problem) {
                                (2, Some(why)) => {
                                    shown.on_hover_text(why);
                                }
                                (5, _) => {
                                    shown.on_hover_text(settings(member, &drawn, "\n"));
                                }
                                _ => {}
                            }
                        });
                    }
                    let response = row.response();
                    let name = format!("member {}, {state}, validation co-bps {}", member.index + 1, score(member.validation));
                    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, selected, &name));
                    if response.double_clicked() {
                        opened = Some(member.folder.clone());
                    } else if response.clicked() {
                        clicked = Some(member.folder.clone());
                    }
                });
            });
    });
    if let Some(folder) = clicked {
        context.selection.runs = vec![folder];
    }
    if let Some(folder) = opened {
        context.actions.push(Action::ShowRun(folder));
    }
    foot(ui, context, sweep, averages);
}

/// What can be done with the selected member, and what the scores are compared with.
fn foot(ui: &mut Ui, context: &mut ViewContext<'_>, sweep: &Found, averages: Option<&Averaged>) {
    let folder: Option<&PathBuf> = context.selection.runs.last();
    let member = folder.and_then(|folder| sweep.members.iter().find(|member| member.folder == *folder));
    ui.horizontal_wrapped(|ui| {
        let readable = member.filter(|member| member.has_weights()).map(|member| member.folder.clone());
        if ui.add_enabled(readable.is_some(), egui::Button::new("Show in all views").small()).clicked()
            && let Some(folder) = readable
        {
            context.actions.push(Action::ShowRun(folder));
        }
        let recipe = member.map(|member| member.recipe.clone());
        let use_it = ui.add_enabled(recipe.is_some(), egui::Button::new("Use its recipe").small());
        if use_it.on_hover_text("Put the settings of the selected member into the Train view").clicked()
            && let Some(recipe) = recipe
        {
            *context.recipe = recipe;
            context.actions.push(Action::Show("Train"));
        }
        widgets::note(ui, beside(averages));
    });
}

/// Flat rate and smoothing on validation trials.
fn beside(averages: Option<&Averaged>) -> String {
    let Some(averages) = averages else {
        return "Select a member; flat rate and smoothing come with the first one that is complete".to_owned();
    };
    let [validation, _] = &averages.beside;
    let score = |name: &str, value: f32| format!("{name} {}", widgets::number(f64::from(value), 3));
    let others = [validation.smoothing.map(|s| score("smoothing", s.co_bps)), validation.oracle.map(|s| score("true rates", s.co_bps))];
    let parts: Vec<String> = [score("flat rate", validation.flat.co_bps)].into_iter().chain(others.into_iter().flatten()).collect();
    format!("On the same {} validation trials: {} (bits per spike)", averages.trials[0], parts.join(", "))
}

/// Members in the order shown, those with a score with their place.
fn order(members: &[Member]) -> Vec<(Option<usize>, &Member)> {
    let ranked = ranked(members);
    let rest = members.iter().filter(|member| member.validation.is_none());
    let places = ranked.iter().enumerate().map(|(place, member)| (Some(place + 1), *member));
    places.chain(rest.map(|member| (None, member))).collect()
}

fn state(member: &Member) -> String {
    match member.status {
        None => "waiting".to_owned(),
        Some(Status::Foreign) => "in the way".to_owned(),
        Some(status) => status.word().to_owned(),
    }
}

/// Drawn settings with their values.
fn settings(member: &Member, drawn: &[&Range], between: &str) -> String {
    let one = |range: &&Range| {
        let value = member.recipe.get(&range.path).ok()?.as_f64()?;
        let path = range.path.trim_start_matches("model.");
        Some(format!("{} {}", path.replace('_', " "), widgets::number(value, 3)))
    };
    drawn.iter().filter_map(one).collect::<Vec<_>>().join(between)
}
