//! Spikescope opens spike recordings, trains models of neural interaction in a background thread and plots what they learn
//! while they learn it. See `ARCHITECTURE.md` for the map; the window and the command line call the same functions.

pub mod analysis;
pub mod app;
pub mod cli;
pub mod doctor;
pub mod export;
pub mod formats;
pub mod models;
pub mod recording;
pub mod render;
pub mod runs;
pub mod simulate;
pub mod training;
pub mod views;
