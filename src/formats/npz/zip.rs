//! Zip archives as numpy writes them: stored (`numpy.savez`) and deflated (`numpy.savez_compressed`). Only what NPZ needs, with
//! every size checked against the file before anything is allocated, and zip bombs refused.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;

use crate::formats::FormatError;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// 1 January 1980, so that the same recording gives the same bytes.
const DATE: u16 = 0x0021;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Binned counts that are nearly all zero shrink to a hundredth; what shrinks more, and is this large, is a zip bomb.
const PLAUSIBLE_EXPANSION: u64 = 400;
const SUSPICIOUS_SIZE: u64 = 1 << 30;

/// One file of the archive.
#[derive(Debug, Clone)]
pub(in crate::formats) struct Entry {
    pub(in crate::formats) name: String,
    pub(in crate::formats) method: u16,
    pub(in crate::formats) size: u64,
    stored: u64,
    crc: u32,
    header: u64,
    encrypted: bool,
}

/// An open archive.
pub(in crate::formats) struct Zip {
    file: File,
    pub(in crate::formats) path: PathBuf,
    len: u64,
    pub(in crate::formats) entries: Vec<Entry>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Zip {
    /// Read the table of contents.
    pub(in crate::formats) fn open(path: &Path) -> Result<Self, FormatError> {
        let unreadable = |e| FormatError::not_readable(path, e);
        let mut file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let tail_len = len.min(65_557);
        file.seek(SeekFrom::Start(len - tail_len)).map_err(unreadable)?;
        let mut tail = Vec::new();
        (&mut file).take(tail_len).read_to_end(&mut tail).map_err(unreadable)?;
        let damaged = |what: &str| FormatError::corrupt(path, "the zip archive", what);
        let end = tail.windows(4).rposition(|w| w == END.to_le_bytes()).and_then(|at| tail.get(at..));
        let end = end.ok_or_else(|| damaged("its table of contents is missing, the file is probably cut off"))?;
        let (size, start) = match (u32_at(end, 12), u32_at(end, 16)) {
            (Some(size), Some(start)) if u64::from(start) + u64::from(size) <= len => (u64::from(size), u64::from(start)),
            _ => return Err(damaged("its table of contents lies outside the file")),
        };
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let mut directory = Vec::new();
        (&mut file).take(size).read_to_end(&mut directory).map_err(unreadable)?;
        let entries = parse_directory(&directory).ok_or_else(|| damaged("its table of contents cannot be decoded"))?;
        // Entries of a zip bomb share their bytes.
        if entries.iter().try_fold(0u64, |sum, e| sum.checked_add(e.stored)).is_none_or(|sum| sum > len) {
            return Err(damaged("its arrays claim more bytes than the file has"));
        }
        Ok(Self { file, path: path.to_owned(), len, entries })
    }

    /// The entry called `name`.
    pub(in crate::formats) fn entry(&self, name: &str) -> Option<Entry> {
        self.entries.iter().find(|e| e.name == name).cloned()
    }

    /// Read an entry piece by piece; the checksum is checked at the end.
    pub(in crate::formats) fn read(
        &mut self,
        entry: &Entry,
        mut piece: impl FnMut(&[u8]) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let path = self.path.clone();
        let damaged = |what: &str| FormatError::corrupt(&path, entry.name.clone(), what);
        let unreadable = |e| FormatError::not_readable(&path, e);
        if entry.method != STORED && entry.method != DEFLATED {
            return Err(FormatError::UnsupportedFilter {
                path: path.clone(),
                object: entry.name.clone(),
                filter: format!("zip compression method {}", entry.method),
                remedy: "write it with numpy.savez or numpy.savez_compressed".to_owned(),
            });
        }
        if entry.size > SUSPICIOUS_SIZE && entry.size / PLAUSIBLE_EXPANSION > entry.stored {
            let reason = format!("only {} bytes are stored for it", entry.stored);
            return Err(FormatError::TooBig { path: path.clone(), object: entry.name.clone(), claimed: entry.size, reason });
        }
        if entry.encrypted {
            return Err(damaged("it is encrypted"));
        }
        let mut local = [0u8; 30];
        self.file.seek(SeekFrom::Start(entry.header)).map_err(unreadable)?;
        self.file.read_exact(&mut local).map_err(|_| damaged("it lies outside the file"))?;
        let skip = u64::from(u16_at(&local, 26).unwrap_or(0)) + u64::from(u16_at(&local, 28).unwrap_or(0));
        let start = entry.header.saturating_add(30).saturating_add(skip);
        let fits = start.checked_add(entry.stored).is_some_and(|end| end <= self.len);
        let consistent = entry.method == DEFLATED || entry.stored == entry.size;
        if u32_at(&local, 0) != Some(LOCAL) || !consistent || !fits {
            return Err(damaged("its size or place does not fit the file"));
        }
        self.file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let stored = (&mut self.file).take(entry.stored);
        let mut bytes: Box<dyn Read> = match entry.method {
            DEFLATED => Box::new(DeflateDecoder::new(BufReader::with_capacity(1 << 16, stored))),
            _ => Box::new(stored),
        };
        let mut buffer = vec![0u8; 1 << 18];
        let (mut left, mut crc) = (entry.size, Crc::new());
        while left > 0 {
            let now = left.min(buffer.len() as u64) as usize;
            let part = &mut buffer[..now];
            bytes.read_exact(part).map_err(|_| damaged("its compressed bytes cannot be decoded or end too early"))?;
            crc.update(part);
            piece(part)?;
            left -= now as u64;
        }
        if crc.value() == entry.crc { Ok(()) } else { Err(damaged("its checksum is wrong")) }
    }
}

fn parse_directory(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let head = bytes.get(at..)?;
        if u32_at(head, 0)? != CENTRAL {
            return None;
        }
        let (name_len, extra_len, comment_len) = (u16_at(head, 28)? as usize, u16_at(head, 30)? as usize, u16_at(head, 32)? as usize);
        let name = String::from_utf8_lossy(head.get(46..46 + name_len)?).into_owned();
        let extra = head.get(46 + name_len..46 + name_len + extra_len)?;
        let (mut stored, mut size, mut header) = (u64::from(u32_at(head, 20)?), u64::from(u32_at(head, 24)?), u64::from(u32_at(head, 42)?));
        zip64(extra, &mut size, &mut stored, &mut header);
        entries.push(Entry {
            name,
            method: u16_at(head, 10)?,
            size,
            stored,
            crc: u32_at(head, 16)?,
            header,
            encrypted: u16_at(head, 8)? & 1 == 1,
        });
        at += 46 + name_len + extra_len + comment_len;
    }
    Some(entries)
}

/// Sizes beyond 32 bits stand in an extra field.
fn zip64(extra: &[u8], size: &mut u64, stored: &mut u64, header: &mut u64) {
    let mut at = 0;
    while let (Some(id), Some(len)) = (u16_at(extra, at), u16_at(extra, at + 2)) {
        if id == 1 {
            let mut field = at + 4;
            for value in [size, stored, header] {
                if *value == u64::from(u32::MAX)
                    && let Some(large) = u64_at(extra, field)
                {
                    *value = large;
                    field += 8;
                }
            }
            return;
        }
        at += 4 + len as usize;
    }
}

/// Writes an archive front to back, with checksums put in afterwards.
pub(super) struct ZipWriter<W: Write + Seek> {
    to: W,
    at: u64,
    entries: Vec<Entry>,
}

impl<W: Write + Seek> ZipWriter<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, at: 0, entries: Vec::new() }
    }

    /// Add an entry of `size` bytes that `fill` writes.
    pub(super) fn add(&mut self, name: &str, size: u64, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
        if self.at + size > u64::from(u32::MAX) - (1 << 20) {
            return Err(std::io::Error::other("an NPZ file holds at most 4 GiB; write NWB instead"));
        }
        let mut entry = Entry { name: name.to_owned(), method: STORED, size, stored: size, crc: 0, header: self.at, encrypted: false };
        self.to.write_all(&local_header(&entry))?;
        let mut counted = Counted { to: &mut self.to, crc: Crc::new(), written: 0 };
        fill(&mut counted)?;
        let written = counted.written;
        entry.crc = counted.crc.value();
        if written != size {
            return Err(std::io::Error::other(format!("{name}: {written} bytes written, {size} announced")));
        }
        self.to.seek(SeekFrom::Start(entry.header))?;
        let header = local_header(&entry);
        self.to.write_all(&header)?;
        self.at = entry.header + header.len() as u64 + size;
        self.to.seek(SeekFrom::Start(self.at))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Write the table of contents.
    pub(super) fn finish(mut self) -> std::io::Result<()> {
        let count = u16::try_from(self.entries.len()).map_err(|_| std::io::Error::other("an NPZ file holds at most 65535 arrays"))?;
        let mut directory = Vec::new();
        for entry in &self.entries {
            let local = local_header(entry);
            directory.extend(CENTRAL.to_le_bytes());
            directory.extend(20u16.to_le_bytes());
            // From the version needed to the length of the name, the fields are those of the local header.
            directory.extend(&local[4..28]);
            directory.extend([0u8; 12]);
            directory.extend((entry.header as u32).to_le_bytes());
            directory.extend(entry.name.as_bytes());
        }
        let size = directory.len() as u32;
        directory.extend(END.to_le_bytes());
        directory.extend([0u8; 4]);
        directory.extend(count.to_le_bytes());
        directory.extend(count.to_le_bytes());
        directory.extend(size.to_le_bytes());
        directory.extend((self.at as u32).to_le_bytes());
        directory.extend([0u8; 2]);
        self.to.write_all(&directory)?;
        self.to.flush()
    }
}

fn local_header(entry: &Entry) -> Vec<u8> {
    let mut header = Vec::with_capacity(30 + entry.name.len());
    header.extend(LOCAL.to_le_bytes());
    // Version 2.0, names in UTF-8, stored, time 0.
    header.extend([20u16, 0x0800, 0, 0, DATE].iter().flat_map(|v| v.to_le_bytes()));
    header.extend(entry.crc.to_le_bytes());
    header.extend((entry.size as u32).to_le_bytes());
    header.extend((entry.size as u32).to_le_bytes());
    header.extend((entry.name.len() as u16).to_le_bytes());
    header.extend(0u16.to_le_bytes());
    header.extend(entry.name.as_bytes());
    header
}

struct Counted<'w, W: Write> {
    to: &'w mut W,
    crc: Crc,
    written: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write_all(bytes)?;
        self.crc.update(bytes);
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// CRC-32 of zip (polynomial 0xEDB88320), eight bytes at a time.
struct Crc(u32);

const CRC_TABLES: [[u32; 256]; 8] = crc_tables();

const fn crc_tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let (mut value, mut bit) = (i as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        tables[0][i] = value;
        i += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut i = 0;
        while i < 256 {
            let before = tables[k - 1][i];
            tables[k][i] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            i += 1;
        }
        k += 1;
    }
    tables
}

impl Crc {
    fn new() -> Self {
        Self(u32::MAX)
    }

    fn update(&mut self, bytes: &[u8]) {
        let t = &CRC_TABLES;
        let mut crc = self.0;
        let mut blocks = bytes.chunks_exact(8);
        for b in &mut blocks {
            let low = crc ^ u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            crc = t[7][(low & 0xff) as usize]
                ^ t[6][(low >> 8 & 0xff) as usize]
                ^ t[5][(low >> 16 & 0xff) as usize]
                ^ t[4][(low >> 24) as usize]
                ^ t[3][b[4] as usize]
                ^ t[2][b[5] as usize]
                ^ t[1][b[6] as usize]
                ^ t[0][b[7] as usize];
        }
        for &b in blocks.remainder() {
            crc = (crc >> 8) ^ t[0][((crc ^ u32::from(b)) & 0xff) as usize];
        }
        self.0 = crc;
    }

    fn value(&self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zip() {
        let crc = |text: &[u8]| {
            let mut crc = Crc::new();
            crc.update(text);
            crc.value()
        };
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc(b"The quick brown fox jumps over the lazy dog"), 0x414F_A339);
    }
}
