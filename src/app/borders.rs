//! The borders between views for people without a mouse: the tiling library lets Tab stop at them, but gives them no name and no key.
//! Here they get both, and what has the focus is seen.

use eframe::egui::{EventFilter, Id, IdSalt, Key, Modifiers, Role, Stroke, StrokeKind, Ui};
use egui_tiles::{Container, Linear, LinearDir, Tile, TileId, Tree};

use super::layout::Pane;
use super::theme;

/// Share of both neighbours that one press of an arrow key moves a border by.
const STEP: f32 = 0.05;
/// A neighbour keeps at least this share.
const LEAST: f32 = 0.1;

/// A border, with the tiles on both sides.
struct Border {
    id: Id,
    parent: TileId,
    dir: LinearDir,
    before: TileId,
    after: TileId,
}

/// Name the borders of a tree that was just drawn in `ui`, and let arrow keys move the one that has the focus. True when one was
/// moved. `title` is the name of a view.
pub(super) fn ui(tree: &mut Tree<Pane>, ui: &Ui, title: &dyn Fn(&Pane) -> String) -> bool {
    let mut borders = Vec::new();
    if let Some(root) = tree.root() {
        collect(tree, root, ui.scope_id(), &mut borders);
    }
    let mut moved = false;
    for border in borders {
        let name = format!("Border between {} and {}", name(tree, border.before, title), name(tree, border.after, title));
        ui.ctx().accesskit_node_builder(border.id, |node| {
            node.set_role(Role::Splitter);
            node.set_label(name);
        });
        if !ui.memory(|memory| memory.has_focus(border.id)) {
            continue;
        }
        if let Some(response) = ui.ctx().read_response(border.id) {
            let stroke = Stroke::new(1.5, theme::of(ui).accent);
            ui.painter().rect_stroke(response.rect, 2.0, stroke, StrokeKind::Inside);
        }
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(border.id, filter));
        let (less, more) = match border.dir {
            LinearDir::Horizontal => (Key::ArrowLeft, Key::ArrowRight),
            LinearDir::Vertical => (Key::ArrowUp, Key::ArrowDown),
        };
        let by = ui.input_mut(|input| {
            f32::from(u8::from(input.consume_key(Modifiers::NONE, more))) - f32::from(u8::from(input.consume_key(Modifiers::NONE, less)))
        });
        if by != 0.0 {
            shift(tree, &border, by);
            moved = true;
        }
    }
    moved
}

/// Borders of a tile and of what is in it. The ids are those that the library makes (`container/linear.rs` and `tree.rs` of egui_tiles
/// 0.18); where they should change one day, borders are without a name again and nothing else happens.
fn collect(tree: &Tree<Pane>, tile: TileId, above: Id, borders: &mut Vec<Border>) {
    let scope = above.with(tile).with(IdSalt::new("child"));
    let Some(Tile::Container(container)) = tree.tiles.get(tile) else { return };
    match container {
        Container::Linear(linear) => {
            let shown = visible(tree, linear);
            for (i, pair) in shown.windows(2).enumerate() {
                let &[before, after] = pair else { continue };
                borders.push(Border { id: scope.with((tile, "resize", i)), parent: tile, dir: linear.dir, before, after });
            }
            shown.into_iter().for_each(|child| collect(tree, child, scope, borders));
        }
        Container::Tabs(tabs) => tabs.active.into_iter().for_each(|child| collect(tree, child, scope, borders)),
        Container::Grid(_) => {}
    }
}

fn visible(tree: &Tree<Pane>, linear: &Linear) -> Vec<TileId> {
    linear.children.iter().copied().filter(|&child| tree.is_visible_in_layout(child)).collect()
}

/// The view that is seen first in a tile.
fn name(tree: &Tree<Pane>, tile: TileId, title: &dyn Fn(&Pane) -> String) -> String {
    let inside = match tree.tiles.get(tile) {
        Some(Tile::Pane(pane)) => return title(pane),
        Some(Tile::Container(Container::Tabs(tabs))) => tabs.active,
        Some(Tile::Container(Container::Linear(linear))) => visible(tree, linear).first().copied(),
        _ => None,
    };
    inside.map_or_else(|| "another view".to_owned(), |inside| name(tree, inside, title))
}

fn shift(tree: &mut Tree<Pane>, border: &Border, by: f32) {
    let Some(Tile::Container(Container::Linear(linear))) = tree.tiles.get_mut(border.parent) else { return };
    let (before, after) = (linear.shares[border.before], linear.shares[border.after]);
    let both = before + after;
    let share = (before / both + by * STEP).clamp(LEAST, 1.0 - LEAST);
    if share.is_finite() {
        linear.shares.set_share(border.before, both * share);
        linear.shares.set_share(border.after, both * (1.0 - share));
    }
}
