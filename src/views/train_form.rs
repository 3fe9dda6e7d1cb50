//! The form of the Train view: every setting of the recipe from `Recipe::fields`, with unit, help, reset and the reason why a
//! value is refused under the field.

use std::collections::BTreeMap;

use eframe::egui::{self, RichText, TextEdit, Ui};

use super::widgets;
use crate::app::theme;
use crate::recording::{Recording, TrialSource};
use crate::render::parse_number;
use crate::training::{Recipe, RecipeError, RecipeField};

/// Text being edited and what is wrong with it.
#[derive(Default)]
pub struct Form {
    drafts: BTreeMap<&'static str, Draft>,
    /// Text of the field that has the focus: `0.0` on the way to `0.05` must not become `0`.
    typing: Option<(&'static str, String)>,
}

struct Draft {
    text: String,
    error: String,
}

/// Groups that are open from the start; the others are for those who look for them.
const OPEN: [&str; 3] = ["Data", "Coupling", "Held out"];

impl Form {
    /// Draw all groups. Valid changes go into the recipe at once; invalid text stays in its field with the reason.
    pub fn ui(&mut self, ui: &mut Ui, recipe: &mut Recipe, recording: Option<&Recording>) {
        let (defaults, all) = (recipe.defaults(), recipe.fields().collect::<Vec<_>>());
        // Text that was being edited may belong to a setting that another model does not have.
        self.drafts.retain(|path, _| all.iter().any(|field| field.path == *path));
        let mut groups: Vec<&'static str> = Vec::new();
        for field in &all {
            if groups.last() != Some(&field.group) {
                groups.push(field.group);
            }
        }
        for group in groups {
            let fields: Vec<&RecipeField> = all.iter().copied().filter(|f| f.group == group).collect();
            let changed = fields.iter().filter(|f| differs(recipe, &defaults, f.path)).count();
            let title = if changed > 0 { format!("{group} · {changed} changed") } else { group.to_owned() };
            let wrong = fields.iter().any(|f| self.drafts.contains_key(f.path));
            egui::CollapsingHeader::new(RichText::new(title).strong())
                .id_salt(group)
                .default_open(OPEN.contains(&group))
                .open(wrong.then_some(true))
                .show_unindented(ui, |ui| {
                    for field in fields {
                        self.field(ui, field, (recipe, &defaults), recording);
                    }
                    ui.add_space(4.0);
                });
        }
        if recipe.model != defaults.model
            && ui.button("Reset model settings").on_hover_text("Back to the defaults for every setting of the model").clicked()
        {
            recipe.model = defaults.model;
            self.drafts.clear();
        }
    }

    /// The first thing that is wrong with the form, in words; training does not start while there is one.
    pub fn problem(&self, recipe: &Recipe) -> Option<String> {
        let (path, draft) = self.drafts.iter().next()?;
        Some(format!("{}: {}", label_of(recipe, path), draft.error))
    }

    fn field(&mut self, ui: &mut Ui, field: &RecipeField, (recipe, defaults): (&mut Recipe, &Recipe), recording: Option<&Recording>) {
        let Ok(value) = recipe.get(field.path) else { return };
        ui.horizontal(|ui| {
            let label_width = (ui.available_width() * 0.5).clamp(60.0, 210.0);
            let tokens = theme::of(ui);
            let name = widgets::left_text(ui, label_width, RichText::new(field.label))
                .on_hover_text(format!("{}\n\nSetting: {}", field.help, field.path));
            match &value {
                serde_json::Value::Bool(on) => {
                    let mut on = *on;
                    let response = ui.checkbox(&mut on, "").labelled_by(name.id).on_hover_text(field.help);
                    if response.changed() {
                        self.set(field.path, &on.to_string(), recipe);
                    }
                }
                _ if field.path == "data.trials.condition" => {
                    column(ui, field, &mut recipe.data.trials.condition, condition_columns(recording, &recipe.data.trials.source));
                }
                _ if field.path == "data.split_column" => {
                    column(ui, field, &mut recipe.data.split_column, condition_columns(recording, &recipe.data.trials.source));
                }
                serde_json::Value::String(now) if !field.choices.is_empty() => {
                    widgets::combo(ui, field.path, field.label, now, 160.0, |ui| {
                        for choice in field.choices {
                            if ui.selectable_label(now == choice, *choice).clicked() {
                                self.set(field.path, choice, recipe);
                            }
                        }
                    });
                }
                value => self.text(ui, field, value, name.id, recipe),
            }
            if !field.unit.is_empty() {
                ui.label(RichText::new(field.unit).color(tokens.weak));
            }
            let default = defaults.get(field.path).map(|v| shown(&v)).unwrap_or_default();
            if (differs(recipe, defaults, field.path) || self.drafts.contains_key(field.path))
                && ui
                    .small_button("Reset")
                    .on_hover_text(format!("Reset {} to {}", field.label, if default.is_empty() { "none" } else { &default }))
                    .clicked()
            {
                self.drafts.remove(field.path);
                self.set(field.path, &quoted(&value, &default), recipe);
            }
        });
        if let Some(draft) = self.drafts.get(field.path) {
            let tokens = theme::of(ui);
            ui.label(RichText::new(&draft.error).small().color(tokens.error));
        }
    }

    fn text(&mut self, ui: &mut Ui, field: &RecipeField, value: &serde_json::Value, label: egui::Id, recipe: &mut Recipe) {
        let typed = self.typing.as_ref().filter(|(path, _)| *path == field.path).map(|(_, text)| text.clone());
        let mut text = typed.unwrap_or_else(|| self.drafts.get(field.path).map_or_else(|| shown(value), |draft| draft.text.clone()));
        let response = ui.add(TextEdit::singleline(&mut text).id_salt(field.path).desired_width(74.0)).labelled_by(label);
        let response = response.on_hover_text(field.help);
        if response.gained_focus() {
            // With Tab one walks through the whole form, also through what is scrolled away.
            response.scroll_to_me(None);
        }
        if response.changed() {
            self.set(field.path, &quoted(value, &text), recipe);
            if let Some(draft) = self.drafts.get_mut(field.path) {
                draft.text.clone_from(&text);
            }
            self.typing = Some((field.path, text));
        }
        if response.lost_focus() && self.typing.as_ref().is_some_and(|(path, _)| *path == field.path) {
            self.typing = None;
        }
    }

    fn set(&mut self, path: &'static str, text: &str, recipe: &mut Recipe) {
        match recipe.set(path, text) {
            Ok(()) => {
                self.drafts.remove(path);
            }
            Err(e) => {
                let error = match e {
                    RecipeError::Value { path: at, expected, .. } if at == path => sentence(&expected),
                    RecipeError::Value { path: at, value, expected } => format!("{} = {value}: {expected}", label_of(recipe, &at)),
                    e => e.to_string(),
                };
                self.drafts.insert(path, Draft { text: text.trim_matches('"').to_owned(), error });
            }
        }
    }
}

/// Columns by which trials can be grouped: those of the table trials come from, without free times.
fn condition_columns(recording: Option<&Recording>, source: &TrialSource) -> Vec<String> {
    let Some(recording) = recording else { return Vec::new() };
    let table = match source {
        TrialSource::Automatic => recording.table("trials"),
        TrialSource::Table { table, .. } => recording.table(table),
        TrialSource::Tiles => None,
    };
    let Some(table) = table else { return Vec::new() };
    let events = table.event_columns();
    table.columns.iter().map(|c| c.name.clone()).filter(|name| !events.contains(name)).collect()
}

/// A choice among columns, or none.
fn column(ui: &mut Ui, field: &RecipeField, now: &mut String, columns: Vec<String>) {
    let shown = if now.is_empty() { "none".to_owned() } else { now.clone() };
    widgets::combo(ui, field.path, field.label, &shown, 160.0, |ui| {
        ui.selectable_value(now, String::new(), "none");
        for column in columns {
            ui.selectable_value(now, column.clone(), column);
        }
    });
}

fn differs(recipe: &Recipe, defaults: &Recipe, path: &str) -> bool {
    recipe.get(path).ok() != defaults.get(path).ok()
}

/// A JSON value as people type it.
fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        value if value.as_f64().is_some_and(|v| v != 0.0 && v.abs() < 1e-3) => value.as_f64().map(|v| format!("{v:e}")).unwrap_or_default(),
        value => {
            let text = value.to_string();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
    }
}

/// Text for `Recipe::set`: text settings are quoted, so that `5` stays text.
fn quoted(value: &serde_json::Value, text: &str) -> String {
    match parse_number(text).filter(|_| value.is_number() && text.contains([',', '−']) && !text.ends_with(',')) {
        // In JSON a number has a point.
        Some(number) => number.to_string(),
        None if value.is_string() => serde_json::Value::String(text.to_owned()).to_string(),
        None => text.trim().to_owned(),
    }
}

fn label_of<'a>(recipe: &Recipe, path: &'a str) -> &'a str {
    recipe.fields().find(|f| f.path == path).map_or(path, |f| f.label)
}

/// `invalid value: string "x", expected f64` becomes something a user can act on.
fn sentence(expected: &str) -> String {
    if expected.contains("expected usize") || expected.contains("expected u64") {
        return "This must be a whole number, 0 or more".to_owned();
    }
    if expected.contains("expected f64") {
        return "This must be a number".to_owned();
    }
    let mut letters = expected.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refused_value_stays_in_the_field_with_its_reason() {
        let (mut form, mut recipe) = (Form::default(), Recipe::default());
        form.set("model.batch", "0", &mut recipe);
        assert_eq!(recipe, Recipe::default());
        assert_eq!(form.problem(&recipe).unwrap(), "Batch: It must be between 1 and 100000");
        form.set("model.batch", "12", &mut recipe);
        assert_eq!((form.problem(&recipe), recipe.glm().unwrap().batch), (None, 12));
    }

    #[test]
    fn words_for_wrong_kinds_of_values() {
        let (mut form, mut recipe) = (Form::default(), Recipe::default());
        form.set("model.beta", "much", &mut recipe);
        assert_eq!(form.problem(&recipe).unwrap(), "KL weight: This must be a number");
        form.set("model.beta", "1", &mut recipe);
        form.set("model.layers", "1.5", &mut recipe);
        assert_eq!(form.problem(&recipe).unwrap(), "Layers: This must be a whole number, 0 or more");
    }

    #[test]
    fn a_value_that_clashes_with_another_setting_names_it() {
        let (mut form, mut recipe) = (Form::default(), Recipe::default());
        form.set("model.heads", "4", &mut recipe);
        form.set("model.width", "126", &mut recipe);
        assert_eq!(form.problem(&recipe).unwrap(), "Width: Heads = 4: it must divide model.width = 126");
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!(shown(&serde_json::json!(1000.0)), "1000");
        assert_eq!(shown(&serde_json::json!(1e-5)), "1e-5");
        assert_eq!(shown(&serde_json::json!("condition")), "condition");
        assert_eq!(quoted(&serde_json::json!(""), "5"), "\"5\"");
        assert_eq!(quoted(&serde_json::json!(""), "0,5"), "\"0,5\"");
        assert_eq!((quoted(&serde_json::json!(1.0), "0,5"), quoted(&serde_json::json!(3), "0,5")), ("0.5".into(), "0.5".into()));
    }
}
