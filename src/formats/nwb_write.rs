//! NWB 2.x writer.
use crate::recording::Recording;
use std::fs::File;
pub(super) fn write(_recording: &Recording, _to: &mut File) -> Result<(), String> {
    Err("not yet".into())
}
