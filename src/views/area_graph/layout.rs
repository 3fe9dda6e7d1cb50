//! Where the areas of a graph stand: on a circle, or in the order of the visual hierarchy where their names are known.

use eframe::egui::{Pos2, Rect, pos2};

/// How areas are placed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Placing {
    #[default]
    Circle,
    Hierarchy,
}

pub(super) const PLACINGS: [(Placing, &str, &str); 2] = [
    (Placing::Circle, "Circle", "Areas on a circle, in the order of the recording"),
    (
        Placing::Hierarchy,
        "Hierarchy",
        "Areas from bottom to top: by the published order of the mouse's visual areas where the names are known, else senders below receivers",
    ),
];

/// Mouse visual areas from low to high (Siegle, Jia et al. 2021, Nature 592:86); those on one level share a number.
const VISUAL: [(&[&str], f32); 8] = [
    (&["LGD", "LGN", "LGD-CO", "LGD-SH"], 0.0),
    (&["V1", "VISP", "VISP1"], 1.0),
    (&["RL", "VISRL"], 2.0),
    (&["LM", "VISL"], 2.0),
    (&["LP"], 2.5),
    (&["AL", "VISAL"], 3.0),
    (&["PM", "VISPM"], 4.0),
    (&["AM", "VISAM"], 5.0),
];

fn level(name: &str) -> Option<f32> {
    let name = name.trim().to_uppercase();
    VISUAL.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, level)| *level)
}

/// A level for every area: the published one when all names are known, else by net sending (what it contributes less what it
/// receives).
pub(super) fn levels(names: &[String], edges: &[(usize, usize, f64)]) -> Vec<f32> {
    let known: Option<Vec<f32>> = names.iter().map(|n| level(n)).collect();
    if let Some(known) = known.filter(|k| k.iter().any(|l| *l != k.first().copied().unwrap_or(0.0))) {
        return known;
    }
    let net = |area: usize| -> f64 {
        let sum = |of: &dyn Fn(&(usize, usize, f64)) -> bool| edges.iter().filter(|e| of(e)).map(|e| e.2.abs()).sum::<f64>();
        sum(&|e| e.0 == area) - sum(&|e| e.1 == area)
    };
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| net(b).total_cmp(&net(a)));
    let mut levels = vec![0.0; names.len()];
    // Two areas per level keep the picture from becoming a column.
    order.iter().enumerate().for_each(|(rank, &area)| levels[area] = (rank / 2) as f32);
    levels
}

/// Moved so that their middle is the middle of `rect`: an odd number on a circle reaches higher than it hangs low.
fn centred(places: Vec<Pos2>, rect: Rect) -> Vec<Pos2> {
    let around = Rect::from_points(&places);
    if !around.is_finite() {
        return places;
    }
    let by = rect.center() - around.center();
    places.into_iter().map(|p| p + by).collect()
}

/// Places inside `rect`, which leaves room for nodes and names.
pub(super) fn places(placing: Placing, names: &[String], edges: &[(usize, usize, f64)], rect: Rect) -> Vec<Pos2> {
    let n = names.len();
    match placing {
        Placing::Circle => {
            let radius = 0.5 * rect.size().min_elem();
            // Two areas stand side by side, more begin at the top.
            let first = if n == 2 { std::f32::consts::PI } else { -std::f32::consts::FRAC_PI_2 };
            let stretch = (rect.width() / rect.height().max(1.0)).clamp(1.0, 1.5);
            let at = |k: usize| {
                let angle = first + std::f32::consts::TAU * k as f32 / n.max(1) as f32;
                rect.center() + eframe::egui::vec2(stretch * radius * angle.cos(), radius * angle.sin())
            };
            centred((0..n).map(at).collect(), rect)
        }
        Placing::Hierarchy => {
            let levels = levels(names, edges);
            let mut distinct = levels.clone();
            distinct.sort_by(f32::total_cmp);
            distinct.dedup();
            let rows = distinct.len().max(1);
            let at = |area: usize| {
                let level = levels.get(area).copied().unwrap_or(0.0);
                let row = distinct.iter().position(|l| *l == level).unwrap_or(0);
                let members: Vec<usize> = (0..n).filter(|&other| levels.get(other) == Some(&level)).collect();
                let place = members.iter().position(|&m| m == area).unwrap_or(0);
                let share = (place as f32 + 0.5) / members.len().max(1) as f32;
                // Rows lean to either side in turn, so that arrows between far rows do not run through the nodes between.
                let lean = if members.len() == 1 { if row % 2 == 0 { -0.12 } else { 0.12 } } else { 0.0 };
                let up = if rows > 1 { row as f32 / (rows - 1) as f32 } else { 0.5 };
                pos2(rect.left() + rect.width() * (share + lean), rect.bottom() - rect.height() * up)
            };
            (0..n).map(at).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn known_areas_stand_by_their_published_order() {
        let found = levels(&names(&["AM", "V1", "LM", "VISal"]), &[]);
        assert_eq!(found, [5.0, 1.0, 2.0, 3.0]);
        let rect = Rect::from_min_max(Pos2::ZERO, pos2(100.0, 100.0));
        let at = places(Placing::Hierarchy, &names(&["V1", "AM"]), &[], rect);
        assert!(at[0].y > at[1].y, "V1 is below AM");
    }

    #[test]
    fn others_stand_by_what_they_send() {
        let found = levels(&names(&["A", "B", "C", "D"]), &[(2, 0, 5.0), (2, 1, 1.0), (3, 0, 1.0)]);
        assert!(found[2] < found[0] && found.iter().all(|l| l.is_finite()));
    }

    #[test]
    fn all_places_are_inside_and_apart() {
        let rect = Rect::from_min_max(Pos2::ZERO, pos2(300.0, 200.0));
        for n in 1..9 {
            let names: Vec<String> = (0..n).map(|k| k.to_string()).collect();
            for placing in [Placing::Circle, Placing::Hierarchy] {
                let at = places(placing, &names, &[], rect);
                assert!(at.iter().all(|p| rect.expand(1.0).contains(*p)), "{placing:?} {n}: {at:?}");
                for (i, a) in at.iter().enumerate() {
                    assert!(at[i + 1..].iter().all(|b| a.distance(*b) > 20.0), "{placing:?} {n}");
                }
            }
        }
    }
}
