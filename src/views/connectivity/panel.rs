//! One matrix with its title, colours and strongest connections: these stand above it, or beside it where the pane is wide.

use eframe::egui::{self, RichText, Ui, Vec2, vec2};

use super::arrangement::Arrangement;
use super::maps::{Kind, Made, Panel};
use crate::app::theme;
use crate::render::RasterStyle;
use crate::render::heatmap::{HeatScale, Heatmap, colour_bar};
use crate::training::Snapshot;
use crate::views::netformer_part::{cell_number, short_name};
use crate::views::{RunState, area_matrix, shown_area, widgets};

/// Width of what stands beside a matrix, at least.
const BESIDE: f32 = 150.0;
/// Height of what stands above one, about.
const HEAD: f32 = 76.0;

/// What rows and columns are called.
pub struct Names<'a> {
    pub run: &'a RunState,
    pub snapshot: &'a Snapshot,
    pub arrangement: &'a Arrangement,
    /// Rows are groups.
    pub groups: bool,
}

impl Names<'_> {
    fn group(&self, block: usize) -> String {
        self.arrangement.blocks.get(block).map_or_else(String::new, |b| shown_area(&b.name).to_owned())
    }

    fn short(&self, k: usize) -> String {
        match self.groups {
            true => self.group(k),
            false => self.arrangement.column(k).map_or_else(String::new, |column| short_name(self.run, self.snapshot, column)),
        }
    }

    fn long(&self, k: usize) -> String {
        match self.groups {
            true => self.group(k),
            false => format!("{} ({})", self.short(k), self.group(self.arrangement.block_of(k))),
        }
    }

    fn blocks(&self) -> Vec<area_matrix::Block> {
        let size = |block: &area_matrix::Block| if self.groups { 1 } else { block.size };
        self.arrangement.blocks.iter().map(|block| area_matrix::Block { size: size(block), ..block.clone() }).collect()
    }
}

/// Side of the matrix in a cell: with its title beside it where there is room, else above it.
pub fn side(cell: Vec2) -> f32 {
    if cell.x > cell.y + BESIDE { area_matrix::side(cell) } else { area_matrix::side(cell - vec2(0.0, HEAD)) }
}

/// Draw; gives the pair that was clicked, receiving and sending.
pub fn show(ui: &mut Ui, panel: &mut Panel, kind: Kind, names: &Names<'_>, cell: Vec2) -> Option<(usize, usize)> {
    let Some((made, picture, version)) = panel.made() else {
        ui.label(RichText::new(kind.title()).strong());
        ui.spinner();
        return None;
    };
    if cell.x > cell.y + BESIDE {
        let side = area_matrix::side(cell);
        return ui
            .horizontal_top(|ui| {
                let clicked = matrix(ui, (made, picture, version), kind, names, side);
                let listed = ui.vertical(|ui| {
                    ui.set_max_width((cell.x - side - area_matrix::GUTTER - 20.0).max(60.0));
                    let top = ui.cursor().top();
                    narrow_head(ui, made, kind);
                    strongest(ui, made, kind, names, cell.y - (ui.cursor().top() - top))
                });
                clicked.or(listed.inner)
            })
            .inner;
    }
    ui.vertical(|ui| {
        let top = ui.cursor().top();
        head(ui, made, kind);
        let side = area_matrix::side(vec2(cell.x, cell.y - (ui.cursor().top() - top)));
        let clicked = matrix(ui, (made, picture, version), kind, names, side);
        let rest = cell.y - (ui.cursor().top() - top);
        clicked.or(strongest(ui, made, kind, names, rest))
    })
    .inner
}

fn head(ui: &mut Ui, made: &Made, kind: Kind) {
    ui.label(RichText::new(kind.title()).strong()).on_hover_text(kind.about());
    let scale = HeatScale::Diverging { limit: made.limit };
    ui.horizontal_wrapped(|ui| colour_bar(ui, scale, kind.unit(), &RasterStyle::of(ui)));
    match made.colours.words(kind.unit()) {
        Some((short, full)) => ui.label(RichText::new(short).small().color(theme::of(ui).weak)).on_hover_text(full),
        None => ui.label(RichText::new("rows receive, columns send; grey is not estimated").small().color(theme::of(ui).weak)),
    };
}

/// The same in a narrow column.
fn narrow_head(ui: &mut Ui, made: &Made, kind: Kind) {
    let style = RasterStyle::of(ui);
    let scale = HeatScale::Diverging { limit: made.limit };
    ui.label(RichText::new(kind.title()).strong()).on_hover_text(kind.about());
    widgets::color_bar(ui, "", "", "", |share| scale.color(made.limit * (2.0 * share - 1.0) as f32, &style));
    widgets::note(ui, format!("± {} {}", widgets::number(f64::from(made.limit), 2), kind.unit()));
    if let Some((short, full)) = made.colours.words(kind.unit()) {
        ui.label(RichText::new(short).small().color(theme::of(ui).weak)).on_hover_text(full);
    }
    widgets::note(ui, "rows receive, columns send");
}

/// As many of the strongest connections as there is room for; gives the one that was clicked.
fn strongest(ui: &mut Ui, made: &Made, kind: Kind, names: &Names<'_>, height: f32) -> Option<(usize, usize)> {
    let tokens = theme::of(ui);
    let line = ui.text_style_height(&egui::TextStyle::Small) + 3.0;
    let room = ((height - 10.0) / line).max(0.0) as usize;
    if room < 4 {
        return None;
    }
    let spacing = ui.spacing_mut();
    (spacing.item_spacing.y, spacing.interact_size.y, spacing.button_padding.y) = (1.0, 10.0, 0.0);
    ui.add_space(4.0);
    ui.label(RichText::new("Strongest").small().color(tokens.weak));
    let mut clicked = None;
    for (at, value) in made.strongest.iter().take(room - 1) {
        let text = format!("{} → {}  {}", names.short(at.1), names.short(at.0), widgets::number(f64::from(*value), 2));
        let told = format!("{}: {text}", kind.title());
        let response = ui.add(egui::Button::new(RichText::new(text).small()).frame(false).truncate());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &told));
        if response.on_hover_text("Select this connection in all views").clicked() {
            clicked = Some(*at);
        }
    }
    clicked
}

fn matrix(
    ui: &mut Ui,
    (made, picture, version): (&Made, &mut Heatmap, u64),
    kind: Kind,
    names: &Names<'_>,
    side: f32,
) -> Option<(usize, usize)> {
    let scale = HeatScale::Diverging { limit: made.limit };
    let limit = made.limit;
    let numbers = |value: f32| cell_number(value, limit);
    let numbers: Option<&dyn Fn(f32) -> String> = if names.groups { Some(&numbers) } else { None };
    let drawn = area_matrix::show(ui, kind.title(), picture, version, &made.values, &names.blocks(), scale, side, numbers);
    widgets::describe(&drawn.response, made.summary(kind, &|k| names.long(k)));
    let (row, column) = drawn.at?;
    let value = made.values.get((row, column)).copied().unwrap_or(f32::NAN);
    egui::Tooltip::for_widget(&drawn.response).at_pointer().show(|ui| {
        ui.strong(format!("{} → {}", names.long(column), names.long(row)));
        ui.label(match value.is_nan() {
            true => "not estimated".to_owned(),
            false => format!("{} {}", widgets::number(f64::from(value), 4), kind.unit()),
        });
    });
    drawn.response.clicked().then_some((row, column))
}
