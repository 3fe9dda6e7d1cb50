//! The part of the export window that is for counts per bin: which trials, how wide the bins, which units are held out.

use eframe::egui::{DragValue, Ui};

use crate::formats::{BinnedKind, BinnedLayout, HeldOut};
use crate::recording::{Recording, TrialPlan, TrialSource};
use crate::views::widgets;

/// Choices of held-out units in the menu.
const HELD_OUT: [(HeldOut, &str); 5] = [
    (HeldOut::Column, "Unit column 'heldout'"),
    (HeldOut::None, "None"),
    (HeldOut::EveryNth(5), "Every 5th unit of an area"),
    (HeldOut::EveryNth(4), "Every 4th unit of an area"),
    (HeldOut::EveryNth(3), "Every 3rd unit of an area"),
];

/// What is set in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct CountsForm {
    kind: BinnedKind,
    source: TrialSource,
    bin_ms: f64,
    window_ms: f64,
    forward_bins: usize,
    heldout: HeldOut,
}

impl Default for CountsForm {
    fn default() -> Self {
        let layout = BinnedLayout::default();
        Self {
            kind: layout.kind,
            source: layout.plan.source,
            bin_ms: layout.plan.bin_s * 1e3,
            window_ms: layout.plan.window_s * 1e3,
            forward_bins: layout.forward_bins,
            heldout: layout.heldout,
        }
    }
}

impl CountsForm {
    /// As [`crate::formats::save_with`] takes it.
    pub fn layout(&self) -> BinnedLayout {
        let plan = TrialPlan {
            source: self.source.clone(),
            bin_s: self.bin_ms / 1e3,
            window_s: self.window_ms / 1e3,
            ..BinnedLayout::default().plan
        };
        BinnedLayout { kind: self.kind, plan, forward_bins: self.forward_bins, heldout: self.heldout }
    }

    /// Draw the fields.
    pub fn ui(&mut self, ui: &mut Ui, recording: &Recording) {
        ui.horizontal(|ui| {
            ui.label("Arrays");
            let kinds = [
                (BinnedKind::Benchmark, "NLB", "Neural Latents Benchmark: train_spikes_heldin, eval_spikes_heldout, …"),
                (BinnedKind::Lfads, "LFADS", "LFADS and NDT: train_data, valid_data"),
            ];
            widgets::segmented(ui, &mut self.kind, &kinds);
            ui.add_space(8.0);
            self.trials(ui, recording);
        });
        ui.horizontal(|ui| {
            widgets::amount(ui, "Bin width", &mut self.bin_ms, 0.1..=1000.0, "ms", 0.1);
            widgets::amount(ui, "Window", &mut self.window_ms, 0.0..=600_000.0, "ms", 1.0);
            if self.window_ms == 0.0 {
                widgets::note(ui, "0 ms: the shortest trial, at most 500 ms");
            }
        });
        if self.kind == BinnedKind::Lfads {
            return;
        }
        ui.horizontal(|ui| {
            let name = HELD_OUT.iter().find(|(which, _)| *which == self.heldout).map_or("", |(_, name)| name);
            ui.label("Held-out units");
            widgets::combo(ui, "held-out units", "Held-out units", name, 190.0, |ui| {
                for (which, name) in HELD_OUT {
                    ui.selectable_value(&mut self.heldout, which, name);
                }
            });
            let label = widgets::caption(ui, "Forward bins", 60.0);
            ui.add(DragValue::new(&mut self.forward_bins).range(0..=100_000)).labelled_by(label.id);
        });
    }

    fn trials(&mut self, ui: &mut Ui, recording: &Recording) {
        let shown = match &self.source {
            TrialSource::Automatic => "Automatic".to_owned(),
            TrialSource::Tiles => "Windows end to end".to_owned(),
            TrialSource::Table { table, .. } => table.clone(),
        };
        ui.label("Trials");
        widgets::combo(ui, "trials of counts", "Trials", &shown, 170.0, |ui| {
            let start = |table: &str| TrialSource::Table { table: table.to_owned(), align: "start_time".to_owned() };
            ui.selectable_value(&mut self.source, TrialSource::Automatic, "Automatic")
                .on_hover_text("Rows of the table trials, else windows end to end");
            for table in &recording.tables {
                ui.selectable_value(&mut self.source, start(&table.name), &table.name);
            }
            ui.selectable_value(&mut self.source, TrialSource::Tiles, "Windows end to end");
        });
    }
}
