//! Writing arrays of an NPZ file: `.npy` format 1.0, little-endian, C order.

use std::io::{Seek, Write};

use super::zip::ZipWriter;

/// Borrowed values to write.
pub(super) enum Out<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    I64(&'a [i64]),
    Bool(&'a [bool]),
    Text(&'a [String]),
}

/// Write one array.
pub(super) fn write<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, shape: &[usize], values: &Out) -> std::io::Result<()> {
    let chars = if let Out::Text(v) = values { v.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1) } else { 0 };
    let (descr, count, width) = match values {
        Out::F64(v) => ("<f8".to_owned(), v.len(), 8),
        Out::F32(v) => ("<f4".to_owned(), v.len(), 4),
        Out::I64(v) => ("<i8".to_owned(), v.len(), 8),
        Out::Bool(v) => ("|b1".to_owned(), v.len(), 1),
        Out::Text(v) => (format!("<U{chars}"), v.len(), chars * 4),
    };
    debug_assert_eq!(shape.iter().product::<usize>(), count);
    let dims = match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {dims}, }}");
    // numpy aligns the values to 64 bytes.
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding % 64));
    header.push('\n');
    let size = (10 + header.len() + count * width) as u64;
    zip.add(&format!("{name}.npy"), size, |to| {
        to.write_all(b"\x93NUMPY\x01\x00")?;
        to.write_all(&(header.len() as u16).to_le_bytes())?;
        to.write_all(header.as_bytes())?;
        let mut block = Vec::with_capacity(1 << 16);
        match values {
            Out::F64(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::F32(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::I64(v) => blocks(v, &mut block, to, |x, b| b.extend(x.to_le_bytes())),
            Out::Bool(v) => blocks(v, &mut block, to, |x, b| b.push(u8::from(*x))),
            Out::Text(v) => blocks(v, &mut block, to, |text, b| {
                let end = b.len() + width;
                text.chars().for_each(|c| b.extend(u32::from(c).to_le_bytes()));
                b.resize(end, 0);
            }),
        }
    })
}

fn blocks<T>(values: &[T], block: &mut Vec<u8>, to: &mut dyn Write, put: impl Fn(&T, &mut Vec<u8>)) -> std::io::Result<()> {
    for part in values.chunks(4096) {
        block.clear();
        part.iter().for_each(|v| put(v, block));
        to.write_all(block)?;
    }
    Ok(())
}
