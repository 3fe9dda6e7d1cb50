//! External links: pynwb writes them when a file is made from another without copying its data. hdf5-pure passes them over, so
//! that what they stand for seems to be missing. They are not followed, but the message should say where the data are.

use std::path::Path;

use super::Hdf5;
use crate::formats::FormatError;

/// Bytes looked through; files that hold little but links are small.
const LOOK_THROUGH: u64 = 256 << 20;
const BLOCK: u64 = 1 << 20;
/// Longest link that is recognised, bytes.
const LONGEST: u64 = 4096;
const EXTERNAL: u8 = 64;

impl Hdf5<'_> {
    /// What to say of `place` when the object at its end is an external link, as far as one can be found.
    pub(in crate::formats) fn elsewhere(&self, place: &str) -> Option<FormatError> {
        let name = place.rsplit('/').next().unwrap_or(place).as_bytes();
        let mut block = Vec::new();
        let end = self.len.min(LOOK_THROUGH);
        for start in (0..end).step_by(BLOCK as usize) {
            block.resize((BLOCK + LONGEST).min(end - start) as usize, 0);
            self.source.fill(start, &mut block).ok()?;
            let found = block.windows(name.len()).enumerate().filter(|(_, w)| *w == name);
            if let Some((file, object)) = found.filter_map(|(at, _)| link(&block, at, name.len())).next() {
                return Some(refused(self.path, place, &file, &object));
            }
        }
        None
    }
}

fn refused(path: &Path, place: &str, file: &str, object: &str) -> FormatError {
    FormatError::Unknown {
        path: path.to_owned(),
        found: format!("{place} is an external link to {object} in the file '{file}', which is not followed"),
        remedy: "open that file, or write one that holds the data itself (in pynwb: export with write_args={'link_data': False})"
            .to_owned(),
    }
}

/// File and object of the external link whose name begins at `at`, when a link message lies there.
fn link(bytes: &[u8], at: usize, name: usize) -> Option<(String, String)> {
    // Before the name: version 1, flags, kind, order of creation (8 bytes, perhaps), character set (perhaps), length of the name.
    let before = |n: usize| at.checked_sub(n).and_then(|k| bytes.get(k)).copied();
    let head = |flags: u8, n: usize| before(n) == Some(1) && before(n - 1) == Some(flags) && before(n - 2) == Some(EXTERNAL);
    let known = head(0x08, 4) || head(0x18, 5) || head(0x0c, 12) || head(0x1c, 13);
    if !known || before(1).map(usize::from) != Some(name) {
        return None;
    }
    let rest = bytes.get(at + name..)?;
    let len = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
    // One byte of version and flags, then two texts that end in zero.
    let mut texts = rest.get(3..2 + len)?.split(|&b| b == 0);
    let mut text = || texts.next().map(|t| String::from_utf8_lossy(t).into_owned()).filter(|t| !t.is_empty());
    Some((text()?, text()?))
}
