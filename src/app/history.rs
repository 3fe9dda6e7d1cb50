//! Undo and redo of what the user chose and arranged: selection, layout, and orders of views. A change counts once it stands still,
//! so that a drag or a turn of the wheel is one step.

use std::collections::VecDeque;

use egui_tiles::Tree;
use serde_json::Value;

use super::layout::{self, Pane};
use crate::views::Selection;

/// Steps kept.
const MOST_STEPS: usize = 200;

/// What is undone.
#[derive(Clone)]
pub struct Moment {
    /// Selection, without the state of playing.
    pub selection: Selection,
    /// Arrangement of the views.
    pub tree: Tree<Pane>,
    /// Orders of views by their keys.
    pub orders: Vec<Value>,
    shape: String,
}

impl Moment {
    /// As the window is now.
    pub fn new(selection: &Selection, tree: &Tree<Pane>, orders: Vec<Value>) -> Self {
        Self { selection: selection.without_playback(), tree: tree.clone(), orders, shape: layout::shape(tree) }
    }

    /// Nothing to undo between the two. Which tab is in front and how large the window is do not count.
    fn same(&self, other: &Self) -> bool {
        self.selection == other.selection && self.shape == other.shape && self.orders == other.orders
    }
}

/// Past and future.
#[derive(Default)]
pub struct History {
    past: VecDeque<Moment>,
    present: Option<Moment>,
    future: Vec<Moment>,
    /// Seen in the last frame, not yet counted.
    moving: Option<Moment>,
}

impl History {
    /// Begin anew (another recording).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Look at the window once a frame. `busy` is true while the pointer is down or time plays. Returns true when a step still
    /// waits to be counted, so that another frame is needed.
    pub fn observe(&mut self, now: Moment, busy: bool) -> bool {
        let Some(present) = &self.present else {
            self.present = Some(now);
            return false;
        };
        if present.same(&now) {
            self.moving = None;
            return false;
        }
        let still = !busy && self.moving.as_ref().is_some_and(|before| before.same(&now));
        if still {
            self.count(now);
        } else {
            self.moving = Some(now);
        }
        !still && !busy
    }

    fn count(&mut self, now: Moment) {
        self.moving = None;
        self.future.clear();
        if let Some(before) = self.present.replace(now) {
            self.past.push_back(before);
            if self.past.len() > MOST_STEPS {
                self.past.pop_front();
            }
        }
    }

    /// True when there is something to undo.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty() || self.moving.is_some()
    }

    /// True when there is something to redo.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty() && self.moving.is_none()
    }

    /// The moment before `now`, if there is one.
    pub fn undo(&mut self, now: Moment) -> Option<Moment> {
        self.settle(now);
        let before = self.past.pop_back()?;
        self.future.extend(self.present.replace(before.clone()));
        Some(before)
    }

    /// The moment that was undone last, if nothing was changed since.
    pub fn redo(&mut self, now: Moment) -> Option<Moment> {
        self.settle(now);
        let after = self.future.pop()?;
        self.past.extend(self.present.replace(after.clone()));
        Some(after)
    }

    /// Count what is still moving.
    fn settle(&mut self, now: Moment) {
        match &self.present {
            Some(present) if present.same(&now) => self.moving = None,
            Some(_) => self.count(now),
            None => self.present = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: &[&str] = &["raster", "train", "units"];

    fn at(cursor: f64) -> Moment {
        Moment::new(&Selection { cursor: Some(cursor), ..Selection::default() }, &layout::explore(KEYS), vec![])
    }

    fn cursor(moment: Option<Moment>) -> Option<f64> {
        moment.and_then(|m| m.selection.cursor)
    }

    #[test]
    fn a_change_is_one_step_once_it_stands_still() {
        let mut history = History::default();
        history.observe(at(0.0), false);
        for k in 1..20 {
            history.observe(at(f64::from(k)), true);
        }
        assert!(history.observe(at(19.5), false), "one more frame is needed");
        assert!(!history.observe(at(19.5), false));
        assert!(history.can_undo() && !history.can_redo());
        assert_eq!(cursor(history.undo(at(19.5))), Some(0.0));
        assert!(history.undo(at(0.0)).is_none());
        assert_eq!(cursor(history.redo(at(0.0))), Some(19.5));
        assert!(history.redo(at(19.5)).is_none());
    }

    #[test]
    fn what_has_not_been_counted_is_undone_too_and_a_change_ends_the_future() {
        let mut history = History::default();
        history.observe(at(0.0), false);
        history.observe(at(1.0), false);
        assert_eq!(cursor(history.undo(at(1.0))), Some(0.0));
        assert!(history.can_redo());
        history.observe(at(5.0), false);
        assert!(!history.can_redo(), "a change is on its way");
        history.observe(at(5.0), false);
        assert!(history.redo(at(5.0)).is_none());
        assert_eq!(cursor(history.undo(at(5.0))), Some(0.0));
    }

    #[test]
    fn tabs_sizes_and_playing_are_no_steps_but_layouts_and_orders_are() {
        let mut history = History::default();
        let selection = Selection::default();
        let tree = layout::explore(KEYS);
        history.observe(Moment::new(&selection, &tree, vec![Value::Null]), false);
        let mut front = tree.clone();
        layout::show(&mut front, "units");
        let mut playing = selection.clone();
        playing.playback.playing = true;
        for _ in 0..2 {
            history.observe(Moment::new(&playing, &front, vec![Value::Null]), false);
        }
        assert!(!history.can_undo());
        let mut closed = tree.clone();
        layout::close(&mut closed, "units");
        for _ in 0..2 {
            history.observe(Moment::new(&selection, &closed, vec!["depth".into()]), false);
        }
        let back = history.undo(Moment::new(&selection, &closed, vec!["depth".into()])).unwrap();
        assert_eq!((layout::open_views(&back.tree).len(), back.orders), (3, vec![Value::Null]));
    }

    #[test]
    fn the_past_has_an_end() {
        let mut history = History::default();
        for k in 0..1000 {
            history.observe(at(f64::from(k)), false);
            history.observe(at(f64::from(k)), false);
        }
        assert_eq!(history.past.len(), MOST_STEPS);
    }
}
