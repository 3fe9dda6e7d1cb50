//! The Decoding view: behaviour read from inferred rates by a linear decoder, against what was measured, on trials that neither the
//! network nor the decoder was fitted on.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Align2, FontId, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::stndt_part::{folder, network, shown};
use super::work::Background;
use super::{View, ViewContext, widgets};
use crate::app::theme;
use crate::recording::{Covariate, Recording, Trials};
use crate::render::axis::nice_step;
use crate::training::{Decoding, decode};

/// Trials shown side by side.
const SHOWN: usize = 4;

#[derive(Clone)]
struct Job {
    folder: PathBuf,
    data: Arc<(Arc<Recording>, Trials)>,
    names: Vec<String>,
    lag_ms: f64,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        (&self.folder, &self.names, self.lag_ms) == (&other.folder, &other.names, other.lag_ms) && Arc::ptr_eq(&self.data, &other.data)
    }
}

struct Found {
    job: Job,
    decoding: Decoding,
}

/// The Decoding view.
pub struct DecodingView {
    /// What is decoded; `None` chooses.
    group: Option<String>,
    lag_ms: f64,
    first: usize,
    work: Background<Job, Result<Found, String>>,
}

impl Default for DecodingView {
    fn default() -> Self {
        Self { group: None, lag_ms: 80.0, first: 0, work: Background::default() }
    }
}

impl View for DecodingView {
    fn title(&self) -> &'static str {
        "Decoding"
    }

    fn help(&self) -> &'static str {
        "A linear decoder (ridge regression as in the Neural Latents Benchmark) is fitted on the inferred rates of training trials and reads behaviour from those of test trials. \
         The dashed lines are what was measured and the solid ones what was decoded; R² is 1 when they agree and 0 when the decoder only knows the mean. \
         The same decoder on smoothed spikes says what the network adds; behaviour is taken some time after the spikes, the lag."
    }

    fn ui(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let what = "behaviour decoded from inferred rates";
        let Some((run, snapshot, _)) = shown(ui, context, "Nothing decoded yet", what) else { return };
        let Some(data) = run.data.clone() else { return };
        let groups = groups(&data.0.covariates);
        if groups.is_empty() {
            let text = "Decoding needs a time series beside the spikes, such as hand velocity or position; this recording has none.";
            widgets::empty(ui, "No behaviour to decode", text, None);
            return;
        }
        let chosen = self.group.clone().filter(|g| groups.iter().any(|(name, _)| name == g)).unwrap_or_else(|| usual(&groups));
        self.controls(ui, &groups, &chosen);
        let folder = match folder(run) {
            Ok(folder) => folder,
            Err(text) => {
                widgets::empty(ui, "No network to decode from", text, None);
                return;
            }
        };
        let names = groups.into_iter().find(|(name, _)| *name == chosen).map(|(_, names)| names).unwrap_or_default();
        let job = Job { folder, data, names, lag_ms: self.lag_ms };
        let theirs = job.clone();
        self.work.get(ui.ctx(), "decoding", &job, move || {
            let model = network(&theirs.folder, &theirs.data)?;
            let decoding = decode(&model, &theirs.names, theirs.lag_ms / 1e3).map_err(|e| e.to_string())?;
            Ok(Found { job: theirs, decoding })
        });
        if self.work.is_running() {
            ui.horizontal(|ui| {
                ui.spinner();
                widgets::note(ui, "inferring rates and fitting decoders");
            });
        }
        match self.work.latest() {
            None => {}
            Some(Err(why)) => {
                ui.colored_label(theme::of(ui).error, why);
            }
            Some(Ok(found)) => {
                headline(ui, &found.decoding);
                let first = self.first.min(found.decoding.trials.len().saturating_sub(1));
                if let Some(trial) = traces(ui, found, snapshot.bin_s, first, context.selection.trial) {
                    context.selection.trial = trial;
                }
            }
        }
    }
}

impl DecodingView {
    fn controls(&mut self, ui: &mut Ui, groups: &[(String, Vec<String>)], chosen: &str) {
        ui.horizontal_wrapped(|ui| {
            widgets::caption(ui, "Decode", 150.0);
            widgets::combo(ui, "decoded", "Decode", chosen, 180.0, |ui| {
                for (name, _) in groups {
                    if ui.selectable_label(name == chosen, name).clicked() {
                        self.group = Some(name.clone());
                    }
                }
            });
            widgets::amount(ui, "Lag", &mut self.lag_ms, -1000.0..=1000.0, "ms", 1.0);
            let most = self.work.latest().and_then(|r| r.as_ref().ok()).map_or(0, |f| f.decoding.trials.len());
            if most > SHOWN {
                let label = widgets::caption(ui, "From test trial", 50.0);
                let mut number = self.first + 1;
                if ui.add(egui::DragValue::new(&mut number).range(1..=most).speed(0.1)).labelled_by(label.id).changed() {
                    self.first = number.saturating_sub(1);
                }
            }
        });
    }
}

/// Name without the part that tells components apart (`hand velocity x`, `hand_vel 2`, `pos_y`).
fn base(name: &str) -> &str {
    let (rest, end) = name.rsplit_once([' ', '_']).unwrap_or((name, ""));
    if matches!(end.to_lowercase().as_str(), "x" | "y" | "z" | "0" | "1" | "2" | "3") && !rest.is_empty() { rest } else { name }
}

/// Covariates that are components of one quantity, in their order.
fn groups(covariates: &[Covariate]) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for name in covariates.iter().map(|c| &c.name) {
        match groups.iter_mut().find(|(group, _)| group == base(name)) {
            Some((_, names)) => names.push(name.clone()),
            None => groups.push((base(name).to_owned(), vec![name.clone()])),
        }
    }
    groups
}

/// A velocity when there is one, else a position, else the first.
fn usual(groups: &[(String, Vec<String>)]) -> String {
    let has = |part: &str| groups.iter().find(|(name, _)| name.to_lowercase().contains(part));
    ["vel", "speed", "pos"].into_iter().find_map(has).or(groups.first()).map(|(name, _)| name.clone()).unwrap_or_default()
}

fn headline(ui: &mut Ui, found: &Decoding) {
    let tokens = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("R² {} from inferred rates", widgets::number(found.inferred_r2, 3))).strong());
        if let Some(r2) = found.smoothed_r2 {
            ui.label(RichText::new(format!("{} from smoothed spikes", widgets::number(r2, 3))).color(tokens.weak));
        }
        let (fitted, trials) = (widgets::count(found.fitted), widgets::count(found.trials.len()));
        widgets::note(ui, format!("fitted on {fitted} training trials, scored on {trials} test trials"));
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 14.0;
        widgets::line_label(ui, tokens.truth, true, "measured");
        widgets::line_label(ui, tokens.accent, false, "decoded");
    });
}

/// Trials side by side, outputs one under another; returns the trial that was clicked.
fn traces(ui: &mut Ui, found: &Found, bin_s: f64, first: usize, selected: usize) -> Option<usize> {
    let tokens = theme::of(ui);
    let decoding = &found.decoding;
    let (_, bins, outputs) = decoding.truth.dim();
    let shown: Vec<usize> = (first..decoding.trials.len()).take(SHOWN).collect();
    let (gutter, head, foot) = (58.0, 20.0, 36.0);
    let size = ui.available_size();
    let (whole, _) = ui.allocate_exact_size(vec2(size.x, (size.y - 4.0).max(head + foot + 40.0 * outputs as f32)), Sense::hover());
    let cell = vec2((whole.width() - gutter) / shown.len().max(1) as f32, (whole.height() - head - foot) / outputs.max(1) as f32);
    let (ms, mut clicked) = (bins as f64 * bin_s * 1e3, None);
    for output in 0..outputs {
        let values = decoding.truth.iter().skip(output).step_by(outputs.max(1)).copied();
        let (low, high) = widgets::range(values).unwrap_or((-1.0, 1.0));
        let pad = 0.15 * (high - low).max(1e-9);
        let (low, high) = (low - pad, high + pad);
        let name = found.job.names.get(output).map_or("", String::as_str);
        let unit = found.job.data.0.covariates.iter().find(|c| c.name == name).map_or("", |c| c.unit.as_str());
        for (column, &place) in shown.iter().enumerate() {
            let corner = whole.min + vec2(gutter + cell.x * column as f32, head + cell.y * output as f32);
            let rect = Rect::from_min_max(corner + vec2(4.0, 16.0), corner + cell - vec2(6.0, 4.0));
            let y = |v: f64| rect.bottom() - ((v - low) / (high - low)) as f32 * rect.height();
            let x = |bin: usize| rect.left() + (bin as f32 + 0.5) / bins.max(1) as f32 * rect.width();
            let trial = decoding.trials.get(place).copied().unwrap_or(0);
            let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
            let step = nice_step((high - low) / 2.5);
            for k in (low / step).ceil() as i64..=((high / step).floor() as i64).min((low / step).ceil() as i64 + 20) {
                let value = k as f64 * step;
                painter.hline(rect.x_range(), y(value), Stroke::new(1.0, if k == 0 { tokens.line } else { tokens.grid }));
                if column == 0 {
                    let at = pos2(rect.left() - 5.0, y(value));
                    ui.painter().text(at, Align2::RIGHT_CENTER, widgets::number(value, 3), FontId::proportional(10.5), tokens.weak);
                }
            }
            if column == 0 {
                let title = Rect::from_min_max(pos2(whole.left(), corner.y), pos2(whole.right(), corner.y + 14.0));
                let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
                widgets::text_in(ui, title, Align2::LEFT_CENTER, &format!("{name}{unit}"), 11.5, tokens.weak);
            }
            let line = |values: &ndarray::Array3<f64>| -> Vec<Pos2> {
                let own = (0..bins).map(|bin| (bin, values.get((place, bin, output)).copied().unwrap_or(f64::NAN)));
                own.filter(|(_, v)| v.is_finite()).map(|(bin, v)| pos2(x(bin), y(v))).collect()
            };
            painter.extend(Shape::dashed_line(&line(&decoding.truth), Stroke::new(1.5, tokens.truth), 5.0, 3.0));
            painter.add(Shape::line(line(&decoding.inferred), Stroke::new(1.9, tokens.accent)));
            let response = ui.interact(rect, ui.scope_id().with(("decoded", place, output)), Sense::click());
            if output == 0 {
                let title = Rect::from_min_size(pos2(corner.x, whole.top()), vec2(cell.x, head));
                let color = if trial == selected { tokens.accent } else { tokens.text };
                widgets::text_in(ui, title, Align2::CENTER_CENTER, &format!("trial {}", trial + 1), 12.0, color);
            }
            if response.clicked() {
                clicked = Some(trial);
            }
            if let Some(at) = response.hover_pos() {
                let bin = ((at.x - rect.left()) / rect.width().max(1.0) * bins as f32).max(0.0) as usize;
                let value =
                    |values: &ndarray::Array3<f64>| widgets::number(values.get((place, bin, output)).copied().unwrap_or(f64::NAN), 3);
                egui::Tooltip::for_widget(&response).at_pointer().show(|ui| {
                    ui.strong(format!("Trial {} at {} ms", trial + 1, widgets::number((bin as f64 + 0.5) * bin_s * 1e3, 4)));
                    ui.label(format!("measured {} {unit}, decoded {} {unit}", value(&decoding.truth), value(&decoding.inferred)));
                });
            }
            let said = format!("{name} of trial {}, measured and decoded, over {} ms", trial + 1, widgets::number(ms, 4));
            widgets::describe(&response, said);
            if output + 1 == outputs {
                for (share, align) in [(0.0, Align2::LEFT_TOP), (1.0, Align2::RIGHT_TOP)] {
                    let at = pos2(rect.left() + share * rect.width(), rect.bottom() + 5.0);
                    ui.painter().text(at, align, widgets::number(ms * f64::from(share), 4), FontId::proportional(10.5), tokens.weak);
                }
            }
        }
    }
    let title = pos2(whole.center().x + gutter / 2.0, whole.bottom());
    ui.painter().text(title, Align2::CENTER_BOTTOM, "Time from the start of the window (ms)", FontId::proportional(11.5), tokens.weak);
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_one_quantity_are_decoded_together_and_velocity_first() {
        let covariate = |name: &str| Covariate { name: name.into(), unit: String::new(), times: vec![], values: vec![] };
        let found = groups(&["pupil", "hand_pos 1", "hand_pos 2", "Hand velocity x", "Hand velocity y", "x"].map(covariate));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["pupil", "hand_pos", "Hand velocity", "x"]);
        assert_eq!(found[2].1, ["Hand velocity x", "Hand velocity y"]);
        assert_eq!(usual(&found), "Hand velocity");
        assert_eq!(usual(&found[..2]), "hand_pos");
        assert_eq!(usual(&found[..1]), "pupil");
    }
}
