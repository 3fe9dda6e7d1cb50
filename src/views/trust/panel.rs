//! How far to trust this: what the method cannot tell, in words, and what can be computed about this run, in numbers.

use std::path::PathBuf;

use eframe::egui::{RichText, ScrollArea, Ui};

use super::compute::Standing;
use crate::app::theme;
use crate::training::NetFormerSnapshot;
use crate::views::widgets;

/// What the numbers depend on beside the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub folder: Option<PathBuf>,
}

/// Draw; `kept` says whether the run has a folder, `missing` why there are no numbers.
pub fn show(ui: &mut Ui, own: &NetFormerSnapshot, standing: Option<&Standing>, kept: bool, missing: Option<&str>) {
    ScrollArea::vertical().id_salt("trust").auto_shrink(false).show(ui, |ui| {
        if ui.available_width() > 700.0 {
            ui.columns(2, |columns| {
                if let [left, right] = columns {
                    numbers(left, own, standing, kept, missing);
                    words(right);
                }
            });
        } else {
            numbers(ui, own, standing, kept, missing);
            ui.add_space(6.0);
            words(ui);
        }
    });
}

fn numbers(ui: &mut Ui, own: &NetFormerSnapshot, standing: Option<&Standing>, kept: bool, missing: Option<&str>) {
    let percent = |share: f64| format!("{} %", widgets::number(100.0 * share, 3));
    let number = |value: f64| widgets::number(value, 3);
    widgets::section(ui, "This run");
    widgets::card(ui, |ui| {
        if let (Some(scores), Some(beside)) = (own.scores.last(), &own.lag_one_scores) {
            widgets::fact(ui, "Pearson with the true weights", &number(f64::from(scores.pearson)));
            widgets::fact(ui, "the same of the lag-1 cross-correlation", &number(f64::from(beside.pearson)));
            let text = match scores.pearson > beside.pearson {
                true => "Attention is closer to the truth than the cross-correlation here.",
                false => "The cross-correlation is closer to the truth than attention here: use that, or train longer.",
            };
            widgets::note(ui, text);
        } else {
            widgets::note(
                ui,
                "The truth is not known, so that nothing here says whether connections are right; the numbers below only say how they were found.",
            );
        }
        if !own.r2.is_empty() {
            let mean = own.r2.iter().map(|v| f64::from(*v)).sum::<f64>() / own.r2.len() as f64;
            widgets::fact(ui, "R² of predictions, mean over units", &number(mean));
        }
    });
    let Some(standing) = standing else {
        widgets::note(ui, missing.unwrap_or("What never changes is being computed"));
        return;
    };
    widgets::section(ui, "What never changes");
    widgets::card(ui, |ui| {
        widgets::fact(ui, "Attention that is the same at all times", &percent(standing.parts.fixed));
        widgets::fact(ui, "Attention that follows activity", &percent(1.0 - standing.parts.fixed));
        widgets::fact(ui, "Of what is fixed: explained by identities alone", &percent(standing.parts.of_identity));
        let text = format!(
            "Shares of the mean square of attention between different units in {} single windows spread over the recording. What identities alone give is the attention of a window in which every unit is at its mean.",
            standing.times.0
        );
        widgets::note(ui, text);
        if standing.symmetry.is_finite() {
            widgets::fact(ui, "Correlation with its own transpose", &number(standing.symmetry));
            widgets::note(ui, "Near 1, attention hardly tells who drives whom.");
        }
    });
    widgets::section(ui, "Other seeds");
    widgets::card(ui, |ui| {
        if standing.others.is_empty() {
            let text = match kept {
                true => {
                    "The runs folder holds no run of this recipe on these data with another seed. Change the seed in the Train view and train again: connections that do not come back are chance."
                }
                false => {
                    "Compared when the run has finished and was written to a folder, with runs of the same recipe and other seeds beside it."
                }
            };
            widgets::note(ui, text);
            return;
        }
        widgets::fact(ui, "Mean correlation between runs", &number(standing.agreement));
        for (name, seed, r) in &standing.others {
            widgets::fact(ui, &format!("seed {seed} ({name})"), &number(*r));
        }
        widgets::note(
            ui,
            "Pearson correlation of mean attention between different units. Seeds that agree are not thereby right: all share the same data.",
        );
    });
}

/// What holds for every run.
const CANNOT: [(&str, &str); 5] = [
    (
        "The diagonal says nothing",
        "A unit's own memory, its leak and the value that is added to what it receives cannot be told from a connection to itself. It is grey, and left out of every score.",
    ),
    (
        "Common input looks like a connection",
        "Two units that follow a third, recorded or not, predict each other. So does a stimulus that many units respond to; only inputs that are in the recording can be given to the model.",
    ),
    (
        "Strong recurrence makes false edges",
        "In a network that reverberates, activity of distant units is correlated. On the simulated ring, the stronger the recurrence, the more connections any such method finds that do not exist.",
    ),
    (
        "Attention resembles a covariance",
        "It is a product of recent activity with learned weights. Where it does not differ from the lag-1 cross-correlation, it says nothing more than that does.",
    ),
    (
        "Sign and size are relative",
        "Attention stands for the connection times the slope of the unit's response, in units of standardised activity. Compare entries with each other, not with synaptic strengths.",
    ),
];

fn words(ui: &mut Ui) {
    let tokens = theme::of(ui);
    widgets::section(ui, "What the method cannot tell");
    widgets::card(ui, |ui| {
        for (title, text) in CANNOT {
            ui.label(RichText::new(title).strong());
            ui.label(RichText::new(text).color(tokens.weak));
            ui.add_space(4.0);
        }
    });
}
