//! Pictures as PNG.

use std::io::{self, Cursor, Write};
use std::path::Path;

use image::{ImageFormat, RgbaImage};

use super::{WriteError, write_atomically};

/// A picture as the bytes of a PNG file.
///
/// # Errors
/// When the picture is too large for the format.
pub fn encode_png(picture: &RgbaImage) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}

/// Write a picture whole or not at all.
///
/// # Errors
/// [`WriteError`] names the path and what to do.
pub fn write_png(path: &Path, picture: &RgbaImage) -> Result<(), WriteError> {
    let bytes = encode_png(picture).map_err(WriteError::at(path, "encoding the picture"))?;
    write_atomically(path, |file| file.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pixels_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a picture.png");
        let picture = RgbaImage::from_fn(7, 5, |x, y| image::Rgba([x as u8 * 30, y as u8 * 40, 9, 255]));
        write_png(&path, &picture).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgba8(), picture);
    }
}
