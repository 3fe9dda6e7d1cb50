//! What the program can find out about itself and the machine: the system report with its self-tests, and what is left out of texts
//! that are sent to others.

mod privacy;
mod report;
mod self_test;
mod system;

pub use privacy::Privacy;
pub use report::{Examine, Report, Timed};
pub use self_test::{MODELS, Outcome, Vector, print_vectors};
pub use system::{Adapter, Folder, System};

pub(crate) use system::wait_for;
