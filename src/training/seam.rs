//! Where tests put faults into a run: between the training thread and its model, its device and its disk. The program itself always
//! takes [`Seam::default`], which changes nothing.

use super::device::TrainingDevice;
use super::learner::Learner;
use crate::runs::{Fault, no_fault};

/// Puts something around a learner.
pub(super) type Wrap = Box<dyn for<'a> Fn(Box<dyn Learner + 'a>) -> Box<dyn Learner + 'a> + Send>;

/// What stands between a run and the machine.
pub(super) struct Seam {
    pub(super) wrap: Wrap,
    /// The device in place of the one that the recipe names.
    pub(super) device: Option<TrainingDevice>,
    pub(super) disk: Box<dyn Fn() -> Fault + Send>,
}

impl Default for Seam {
    fn default() -> Self {
        Self { wrap: Box::new(|learner| learner), device: None, disk: Box::new(no_fault) }
    }
}
