//! What the program can find out about itself and the machine: the system report with its self-tests, and what is left out of texts
//! that are sent to others.

mod privacy;

pub use privacy::Privacy;
