//! How views are arranged: named layouts, opening and closing, and the saved layout, which is checked before it is used.

use std::collections::BTreeSet;

use eframe::egui::Id;
use egui_tiles::{Container, Linear, LinearDir, Tile, TileId, Tiles, Tree};
use serde::{Deserialize, Serialize};

use crate::training::ModelRecipe;

/// Layout of the saved arrangement; another one is ignored.
pub const LAYOUT_VERSION: u32 = 1;

/// One open view, by its key in the table of views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pane {
    /// See `views::ViewSpec::key`.
    pub view: String,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    tree: Tree<Pane>,
}

/// A group of tabs: keys of views, of which those that exist are shown.
type Tabs = &'static [&'static str];

/// A layout with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Look at a recording.
    Explore,
    /// Watch couplings between areas.
    Couplings,
    /// Watch rates of single trials and the units they rest on.
    Rates,
    /// Watch attention.
    Attention,
    /// Look at latents beside what happened in the trials.
    Latents,
    /// Lessons: a text beside the views it drives.
    Teach,
}

impl Named {
    /// All, in the order of the menu.
    pub const ALL: [Self; 6] = [Self::Explore, Self::Couplings, Self::Rates, Self::Attention, Self::Latents, Self::Teach];

    /// Name in menus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Explore => "Explore",
            Self::Couplings => "Couplings",
            Self::Rates => "Rates",
            Self::Attention => "Attention",
            Self::Latents => "Latents",
            Self::Teach => "Teach",
        }
    }

    /// What it is for, in one sentence.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Explore => "Arrange the views for looking at a recording",
            Self::Couplings => "Arrange the views for watching what a model learns about areas",
            Self::Rates => "Arrange the views for watching rates of single trials and how well they predict spikes",
            Self::Attention => "Arrange the views for watching attention and what it rests on",
            Self::Latents => "Arrange the views for latents beside trials and rates",
            Self::Teach => "Arrange the views for lessons and classrooms: few, large, in order",
        }
    }

    /// The layout for watching a model with this recipe.
    pub fn for_model(model: &ModelRecipe) -> Self {
        match model {
            ModelRecipe::GlmTransformer(_) | ModelRecipe::Baseline(_) => Self::Couplings,
            ModelRecipe::Stndt(_) => Self::Rates,
            ModelRecipe::NetFormer(_) => Self::Attention,
        }
    }

    /// The arrangement of the views with these keys; the truth is in front where it is known.
    pub fn tree(self, keys: &[&str], has_truth: bool) -> Tree<Pane> {
        match self {
            Self::Explore => explore(keys),
            Self::Couplings => couplings(keys, has_truth),
            Self::Rates => build(
                keys,
                &["train", "recording", "units"],
                &[(&["rates"], 0.62), (&["raster", "psth", "loss", "sweep", "runs", "compare"], 0.38)],
                0.31,
                &[(&["attention", "lesion"], 0.55), (&["trajectories", "decoding"], 0.45)],
            ),
            Self::Attention => build(
                keys,
                &["train", "recording", "units"],
                &[
                    (&["connectivity", "by_group", "trust", "attention", "matrix"], 0.6),
                    (&["prediction", "raster", "rates", "rate_map", "runs", "compare"], 0.4),
                ],
                0.31,
                &[(&["synapses", "attention_time", "lesion", "correlations"], 0.5), (&["loss", "truth"], 0.5)],
            ),
            Self::Latents => build(
                keys,
                &["train", "recording", "units"],
                &[(&["latents"], 0.6), (&["raster", "rate_map", "runs", "compare"], 0.4)],
                0.31,
                &[(&["psth"], 0.5), (&["population", "loss"], 0.5)],
            ),
            Self::Teach => build(
                keys,
                &["lesson", "recording", "train"],
                &[(&["raster"], 0.5), (&["kernels", "loss"], 0.5)],
                0.31,
                &[(&["matrix"], 0.5), (&["truth", "psth"], 0.5)],
            ),
        }
    }
}

/// Look at a recording; train and kernels are one click away.
pub fn explore(keys: &[&str]) -> Tree<Pane> {
    build(
        keys,
        &["recording", "train", "units"],
        &[
            (&["raster"], 0.56),
            (
                &[
                    "psth",
                    "correlogram",
                    "sweep",
                    "runs",
                    "compare",
                    "rate_map",
                    "population",
                    "correlations",
                    "screening",
                    "kernels",
                    "loss",
                    "matrix",
                    "latents",
                    "truth",
                ],
                0.44,
            ),
        ],
        0.34,
        &[],
    )
}

/// Watch what a model learns; the truth is in front where it is known.
pub fn couplings(keys: &[&str], has_truth: bool) -> Tree<Pane> {
    let middle: &[(Tabs, f32)] = &[
        (&["kernels", "area_graph", "decomposition", "factors"], 0.62),
        (&["loss", "raster", "psth", "correlogram", "screening", "runs", "compare"], 0.38),
    ];
    let right: &[(Tabs, f32)] = match has_truth {
        true => &[(&["matrix", "evidence", "latents"], 0.5), (&["truth"], 0.5)],
        false => &[(&["matrix", "evidence"], 0.5), (&["latents", "truth"], 0.5)],
    };
    build(keys, &["train", "recording", "units"], middle, 0.31, right)
}

/// Left column, middle column of stacked groups, right column of stacked groups; whatever views exist and are not named join
/// the last group.
fn build(keys: &[&str], left: Tabs, middle: &[(Tabs, f32)], left_share: f32, right: &[(Tabs, f32)]) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let named: BTreeSet<&str> = left.iter().chain(middle.iter().chain(right).flat_map(|(tabs, _)| tabs.iter())).copied().collect();
    let mut rest: Vec<&str> = keys.iter().copied().filter(|key| !named.contains(key)).collect();
    let mut column = |tiles: &mut Tiles<Pane>, groups: &[(Tabs, f32)], with_rest: bool| -> Option<TileId> {
        let mut children = Vec::new();
        for (place, (tabs, share)) in groups.iter().enumerate() {
            let mut members: Vec<&str> = tabs.iter().copied().filter(|key| keys.contains(key)).collect();
            if with_rest && place + 1 == groups.len() {
                members.append(&mut rest);
            }
            if let Some(group) = group(tiles, &members) {
                children.push((group, *share));
            }
        }
        stack(tiles, LinearDir::Vertical, &children)
    };
    let left = column(&mut tiles, &[(left, 1.0)], false);
    let middle = column(&mut tiles, middle, right.is_empty());
    let right = column(&mut tiles, right, true);
    let middle_share = if right.is_some() { 0.42 } else { 1.0 - left_share };
    let columns: Vec<(TileId, f32)> = [(left, left_share), (middle, middle_share), (right, 1.0 - left_share - 0.42)]
        .into_iter()
        .filter_map(|(id, share)| Some((id?, share)))
        .collect();
    let id = Id::unique("views");
    match stack(&mut tiles, LinearDir::Horizontal, &columns) {
        Some(root) => Tree::new(id, root, tiles),
        None => Tree::empty(id),
    }
}

fn group(tiles: &mut Tiles<Pane>, members: &[&str]) -> Option<TileId> {
    let panes: Vec<TileId> = members.iter().map(|key| tiles.insert_pane(Pane { view: (*key).to_owned() })).collect();
    (!panes.is_empty()).then(|| tiles.insert_tab_tile(panes))
}

fn stack(tiles: &mut Tiles<Pane>, dir: LinearDir, children: &[(TileId, f32)]) -> Option<TileId> {
    if children.len() <= 1 {
        return children.first().map(|(id, _)| *id);
    }
    let mut linear = Linear::new(dir, children.iter().map(|(id, _)| *id).collect());
    for (id, share) in children {
        linear.shares.set_share(*id, *share);
    }
    Some(tiles.insert_container(Container::Linear(linear)))
}

/// Keys of the views that are open.
pub fn open_views(tree: &Tree<Pane>) -> BTreeSet<String> {
    let Some(root) = tree.root() else { return BTreeSet::new() };
    // Only what hangs on the root is shown; a closed tab may linger in the table of tiles until the next collection.
    let mut open = BTreeSet::new();
    let mut todo = vec![root];
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !seen.insert(id.0) {
            continue;
        }
        match tree.tiles.get(id) {
            Some(Tile::Pane(pane)) => {
                open.insert(pane.view.clone());
            }
            Some(Tile::Container(container)) => todo.extend(container.children().copied()),
            None => {}
        }
    }
    open
}

/// Bring a view to the front; a closed one is opened as a tab of the group that holds most views.
pub fn show(tree: &mut Tree<Pane>, key: &str) {
    if !open_views(tree).contains(key) {
        let pane = tree.tiles.insert_pane(Pane { view: key.to_owned() });
        match largest_group(tree) {
            Some(id) => {
                if let Some(Tile::Container(container)) = tree.tiles.get_mut(id) {
                    container.add_child(pane);
                }
            }
            None => {
                let root = tree.tiles.insert_tab_tile(match tree.root() {
                    Some(root) => vec![root, pane],
                    None => vec![pane],
                });
                tree.root = Some(root);
            }
        }
    }
    tree.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if pane.view == key));
}

fn largest_group(tree: &Tree<Pane>) -> Option<TileId> {
    let groups = tree.tiles.iter().filter(|(_, tile)| matches!(tile, Tile::Container(Container::Tabs(_))));
    // Ties go to the same tile in every session, whatever the order of the table.
    groups.max_by_key(|(id, tile)| (if let Tile::Container(c) = tile { c.num_children() } else { 0 }, id.0)).map(|(id, _)| *id)
}

/// Close a view.
pub fn close(tree: &mut Tree<Pane>, key: &str) {
    let found = tree.tiles.iter().find(|(_, tile)| matches!(tile, Tile::Pane(pane) if pane.view == key)).map(|(id, _)| *id);
    if let Some(id) = found {
        tree.remove_recursively(id);
    }
}

/// The arrangement as text: containers, views in order, and shares to a hundredth. Which tab is in front, sizes on the screen and
/// containers of one child do not count, so two trees that look alike to a user are the same.
pub fn shape(tree: &Tree<Pane>) -> String {
    fn of(tree: &Tree<Pane>, id: TileId, depth: usize, text: &mut String) {
        match tree.tiles.get(id) {
            Some(Tile::Pane(pane)) => text.push_str(&pane.view),
            Some(Tile::Container(container)) if depth < 64 => {
                let children: Vec<TileId> = container.children().copied().collect();
                if let [only] = children.as_slice() {
                    return of(tree, *only, depth + 1, text);
                }
                let whole: f32 = match container {
                    Container::Linear(linear) => children.iter().map(|c| linear.shares[*c]).sum(),
                    _ => 0.0,
                };
                text.push_str(match container {
                    Container::Tabs(_) => "tabs(",
                    Container::Linear(linear) if linear.dir == LinearDir::Horizontal => "row(",
                    Container::Linear(_) => "column(",
                    Container::Grid(_) => "grid(",
                });
                for child in children {
                    of(tree, child, depth + 1, text);
                    if let Container::Linear(linear) = container {
                        text.push_str(&format!(":{:.2}", linear.shares[child] / whole.max(1e-6)));
                    }
                    text.push(' ');
                }
                text.push(')');
            }
            _ => {}
        }
    }
    let mut text = String::new();
    if let Some(root) = tree.root() {
        of(tree, root, 0, &mut text);
    }
    text
}

/// The layout as it is saved in the settings.
pub fn save(tree: &Tree<Pane>) -> Option<serde_json::Value> {
    serde_json::to_value(Saved { version: LAYOUT_VERSION, tree: tree.clone() }).ok()
}

/// A saved layout, if it is whole: right version, a root, every view known and open at most once, every child present.
pub fn restore(saved: &serde_json::Value, keys: &[&str]) -> Option<Tree<Pane>> {
    let saved: Saved = serde_json::from_value(saved.clone()).ok()?;
    let tree = saved.tree;
    if saved.version != LAYOUT_VERSION {
        return None;
    }
    let (mut open, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![tree.root()?]);
    while let Some(id) = todo.pop() {
        if !seen.insert(id.0) {
            return None;
        }
        match tree.tiles.get(id)? {
            Tile::Pane(pane) if keys.contains(&pane.view.as_str()) && open.insert(pane.view.clone()) => {}
            Tile::Pane(_) => return None,
            Tile::Container(container) => todo.extend(container.children().copied()),
        }
    }
    (!open.is_empty()).then_some(tree)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: &[&str] = &["recording", "raster", "units", "train", "loss", "kernels", "matrix", "latents", "truth", "new"];

    #[test]
    fn every_view_is_in_every_layout_once() {
        for tree in Named::ALL.into_iter().flat_map(|named| [named.tree(KEYS, true), named.tree(KEYS, false)]) {
            assert_eq!(open_views(&tree), KEYS.iter().map(|k| (*k).to_owned()).collect());
            let panes = tree.tiles.tiles().filter(|t| t.is_pane()).count();
            assert_eq!(panes, KEYS.len());
        }
        assert_eq!(open_views(&explore(&["train"])).len(), 1);
        assert!(explore(&[]).root().is_none());
    }

    #[test]
    fn the_shape_of_a_layout_leaves_out_tabs_in_front_and_single_containers() {
        let tree = explore(KEYS);
        let mut other = tree.clone();
        show(&mut other, "units");
        assert_eq!(shape(&other), shape(&tree));
        close(&mut other, "units");
        assert_ne!(shape(&other), shape(&tree));
        let shapes: BTreeSet<String> = Named::ALL.into_iter().map(|named| shape(&named.tree(KEYS, true))).collect();
        assert_eq!(shapes.len(), Named::ALL.len());
        assert_eq!(shape(&Tree::empty(Id::unique("x"))), "");
    }

    #[test]
    fn a_saved_layout_comes_back() {
        let mut tree = couplings(KEYS, true);
        close(&mut tree, "matrix");
        let back = restore(&save(&tree).unwrap(), KEYS).unwrap();
        assert_eq!(open_views(&back), open_views(&tree));
    }

    #[test]
    fn layouts_of_another_version_or_with_unknown_views_are_refused() {
        let mut saved = save(&explore(KEYS)).unwrap();
        assert!(restore(&saved, &["train"]).is_none());
        saved["version"] = 99.into();
        assert!(restore(&saved, KEYS).is_none());
        assert!(restore(&serde_json::json!({"version": 1}), KEYS).is_none());
        assert!(restore(&serde_json::json!("junk"), KEYS).is_none());
    }

    #[test]
    fn a_layout_that_points_at_itself_or_at_nothing_is_refused() {
        let mut tiles = Tiles::default();
        let pane = tiles.insert_pane(Pane { view: "train".into() });
        let root = tiles.insert_tab_tile(vec![pane]);
        if let Some(Tile::Container(container)) = tiles.get_mut(root) {
            container.add_child(root);
        }
        let tree = Tree::new(Id::unique("x"), root, tiles);
        assert!(restore(&save(&tree).unwrap(), KEYS).is_none());
        let mut tiles = Tiles::default();
        let gone = tiles.insert_pane(Pane { view: "train".into() });
        let root = tiles.insert_tab_tile(vec![gone]);
        tiles.remove(gone);
        let tree = Tree::new(Id::unique("x"), root, tiles);
        assert!(restore(&save(&tree).unwrap(), KEYS).is_none());
    }

    #[test]
    fn closed_views_can_be_shown_again_even_the_last_one() {
        let mut tree = explore(KEYS);
        for key in KEYS {
            close(&mut tree, key);
        }
        assert!(open_views(&tree).is_empty());
        show(&mut tree, "loss");
        show(&mut tree, "train");
        show(&mut tree, "train");
        assert_eq!(open_views(&tree).len(), 2);
    }
}
