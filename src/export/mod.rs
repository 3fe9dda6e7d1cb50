//! What leaves the program: arrays as NPZ, tables as CSV, pictures as PNG, and the one way in which files are written
//! (whole or not at all). Formats, runs and settings share [`write_whole`] and [`write_atomically`].

mod atomic;
mod csv;
mod npz;
mod png;

pub use atomic::{WriteError, sync_folder, write_atomically, write_whole};
pub(crate) use atomic::{open_to_umask, parent};
pub use csv::{CsvTable, write_csv};
pub use npz::{NpzArray, NpzArrays, NpzError, NpzSource};
pub use png::{encode_png, write_png};
