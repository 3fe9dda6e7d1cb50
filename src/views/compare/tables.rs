//! Settings that differ and numbers of the results, one column per run; and the table of agreement.

use eframe::egui::{self, RichText, Ui};
use serde_json::Value;

use super::{color, letter};
use crate::app::theme;
use crate::runs::catalogue::{metric, setting_field, words};
use crate::runs::comparison::{Comparison, Pairwise, common_loss};
use crate::views::widgets;

/// Both tables.
pub fn ui(ui: &mut Ui, comparison: &Comparison) {
    egui::ScrollArea::both().id_salt("comparison tables").auto_shrink(false).show(ui, |ui| {
        widgets::section(ui, "Settings that differ");
        if comparison.settings.is_empty() {
            widgets::note(ui, "All settings are the same");
        } else {
            let row = |(path, values): &(String, Vec<Option<Value>>)| {
                let (label, help) = setting(path);
                let values = values.iter().map(|value| (value.as_ref().map_or_else(|| "–".to_owned(), shown), false)).collect();
                (label, help, values)
            };
            let readable = |at: usize| comparison.runs.get(at).is_some_and(|run| run.run.is_ok());
            // Settings that all models have say more than those of one model.
            let everywhere = |values: &[Option<Value>]| values.iter().enumerate().all(|(at, value)| value.is_some() || !readable(at));
            let (common, own): (Vec<_>, Vec<_>) = comparison.settings.iter().partition(|(_, values)| everywhere(values));
            grid(ui, "settings", comparison.runs.len(), common.into_iter().map(row));
            if !own.is_empty() {
                let title = format!("{} settings that only some of these models have", own.len());
                egui::CollapsingHeader::new(title).id_salt("own settings").show(ui, |ui| {
                    grid(ui, "own settings", comparison.runs.len(), own.into_iter().map(row));
                });
            }
        }
        ui.add_space(6.0);
        widgets::section(ui, "Results");
        let loaded: Vec<_> = comparison.runs.iter().filter_map(|run| run.run.as_ref().ok()).collect();
        let one_loss = common_loss(&loaded).is_some();
        if !one_loss {
            let tokens = theme::of(ui);
            let text = "The models have losses of their own: test and validation losses are not comparable between them";
            ui.label(RichText::new(text).small().color(tokens.warning));
        }
        let rows = comparison.metrics.iter().map(|(name, values)| {
            let known = metric(name);
            let title = known.map_or_else(|| words(name), |m| m.title.to_owned());
            let unit = known.map_or("", |m| m.unit);
            let label = if unit.is_empty() { title } else { format!("{title} ({unit})") };
            let comparable = comparison.same_data && (one_loss || !name.ends_with("_loss"));
            let best = known.filter(|_| comparable).and_then(|m| best(values, m.more_is_better));
            let values = values.iter().map(|v| (v.map_or_else(|| "–".to_owned(), |v| widgets::number(v, 5)), v.is_some() && *v == best));
            (label, known.map_or("", |m| m.help).to_owned(), values.collect())
        });
        grid(ui, "results", comparison.runs.len(), rows);
        widgets::note(ui, "The best value of a row is bold where runs can be compared; – : the run has no such result");
    });
}

/// Best of at least two values that are not all the same.
fn best(values: &[Option<f64>], more_is_better: bool) -> Option<f64> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let (low, high) = widgets::range(known.iter().copied()).filter(|(low, high)| known.len() > 1 && low < high)?;
    Some(if more_is_better { high } else { low })
}

/// Label with unit, and help, of a setting.
fn setting(path: &str) -> (String, String) {
    match (path, setting_field(path)) {
        ("model.kind", _) => ("Model".to_owned(), "Kind of model".to_owned()),
        ("data.areas", _) => ("Areas".to_owned(), "How units are grouped into areas".to_owned()),
        (_, Some(field)) if field.unit.is_empty() => (field.label.to_owned(), format!("{}\n{path}", field.help)),
        (_, Some(field)) => (format!("{} ({})", field.label, field.unit), format!("{}\n{path}", field.help)),
        (_, None) => (words(path), path.to_owned()),
    }
}

/// A setting's value as people read it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => text.replace('_', " "),
        Value::Bool(on) => if *on { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

type Row = (String, String, Vec<(String, bool)>);

fn grid(ui: &mut Ui, id: &str, runs: usize, rows: impl Iterator<Item = Row>) {
    let tokens = theme::of(ui);
    egui::Grid::new(("comparison", id)).num_columns(runs + 1).striped(true).spacing([22.0, 4.0]).show(ui, |ui| {
        ui.label("");
        for at in 0..runs {
            widgets::swatch_label(ui, color(tokens, at), &letter(at).to_string());
        }
        ui.end_row();
        for (label, help, values) in rows {
            ui.label(RichText::new(label).color(tokens.weak)).on_hover_text(help);
            for (text, strong) in values {
                let text = RichText::new(text);
                ui.label(if strong { text.strong() } else { text });
            }
            ui.end_row();
        }
    });
}

/// How well runs agree, pair by pair.
pub fn agreement(ui: &mut Ui, id: &str, pairs: &Pairwise) {
    let tokens = theme::of(ui);
    let known: Vec<_> = pairs.iter().filter_map(|(a, b, found)| Some((a, b, found.as_ref().ok()?))).collect();
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| widgets::number(v, 3));
    if !known.is_empty() {
        egui::Grid::new(("agreement", id)).num_columns(5).striped(true).spacing([22.0, 4.0]).show(ui, |ui| {
            let headings = [
                ("Runs", "Which two runs"),
                ("Entries", "Connections that both runs have, without those of an area or unit with itself"),
                ("Correlation", "Pearson correlation of the entries; needs at least three that differ"),
                ("Rank correlation", "Spearman correlation: means the same when the quantities differ"),
                ("Same sign", "Share of entries, zero in neither run, whose signs are the same"),
            ];
            for (title, help) in headings {
                ui.label(RichText::new(title).small().color(tokens.weak)).on_hover_text(help);
            }
            ui.end_row();
            for (a, b, found) in known {
                ui.label(format!("{} and {}", letter(*a), letter(*b)));
                ui.label(widgets::count(found.entries));
                ui.label(number(found.pearson));
                ui.label(number(found.spearman));
                ui.label(found.same_sign.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share)));
                ui.end_row();
            }
        });
    }
    for (a, b, found) in pairs {
        if let Err(why) = found {
            widgets::note(ui, format!("{} and {}: {why}", letter(*a), letter(*b)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_best_is_the_one_that_is_better() {
        let values = [Some(0.2), None, Some(0.1), Some(f64::NAN)];
        assert_eq!((best(&values, true), best(&values, false)), (Some(0.2), Some(0.1)));
        assert_eq!(best(&[Some(1.0), Some(1.0)], true), None, "equal values have no best");
        assert_eq!(best(&[Some(1.0), None], true), None);
    }

    #[test]
    fn settings_read_as_words() {
        assert_eq!(setting("model.kind").0, "Model");
        assert_eq!(setting("data.trials.bin_s").0, "Bin width (s)");
        assert_eq!(shown(&json!("software_gpu")), "software gpu");
        assert_eq!((shown(&json!(true)), shown(&json!(0.001)), shown(&json!(""))), ("yes".into(), "0.001".into(), "none".into()));
    }
}
