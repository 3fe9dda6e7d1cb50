//! Lines and fields of a text file: plain or gzip; UTF-8, UTF-16 or Latin-1; any line ending; fields with or without quotes.

use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use super::fields::{Row, Separator, open_quote};
use crate::formats::FormatError;

/// Text is unpacked to at most this many times the size of its archive (real spike lists shrink to a third or a tenth).
const EXPANSION: u64 = 200;
/// Small archives may unpack to this many bytes.
const SMALL: u64 = 64 << 20;
/// A quoted field may hold this much, line ends included.
const LONGEST_QUOTE: usize = 1 << 16;
const BUFFER: usize = 1 << 18;

/// True for gzip archives.
pub(in crate::formats) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// The first bytes of a file, unpacked when it is a gzip archive.
pub(in crate::formats) fn unpacked_head(head: &[u8]) -> Cow<'_, [u8]> {
    if !is_gzip(head) {
        return Cow::Borrowed(head);
    }
    let mut decoder = MultiGzDecoder::new(head);
    let mut plain = vec![0; 4096];
    let mut filled = 0;
    // The archive goes on behind the head, so that its end is an error here.
    while let Some(rest) = plain.get_mut(filled..).filter(|r| !r.is_empty()) {
        match decoder.read(rest) {
            Ok(0) | Err(_) => break,
            Ok(n) => filled += n,
        }
    }
    plain.truncate(filled);
    Cow::Owned(plain)
}

/// Counts the bytes that were taken from the file, for the progress.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buf)?;
        self.taken.set(self.taken.get() + n as u64);
        Ok(n)
    }
}

/// Where reading failed before; it fails there again.
struct Failing(std::io::ErrorKind);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(self.0.into())
    }
}

/// A text file that is read line by line.
pub(in crate::formats) struct Text<'a> {
    path: &'a Path,
    reader: BufReader<Box<dyn Read>>,
    gzip: bool,
    /// Byte at the end of a line.
    end: u8,
    /// Number of the line that was read last, from 1.
    line: u64,
    taken: Rc<Cell<u64>>,
    /// Bytes of the file.
    len: u64,
    unpacked: u64,
    limit: u64,
    /// Lines that begin with `%` are comments as long as no other line was seen.
    started: bool,
}

impl<'a> Text<'a> {
    pub(in crate::formats) fn open(path: &'a Path, max_bytes: u64) -> Result<Self, FormatError> {
        let unreadable = |e| FormatError::not_readable(path, e);
        let mut file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        if len > max_bytes {
            let reason = format!("at most {max_bytes} are read");
            return Err(FormatError::TooBig { path: path.to_owned(), object: "the text".to_owned(), claimed: len, reason });
        }
        let mut magic = Vec::new();
        (&mut file).take(2).read_to_end(&mut magic).map_err(unreadable)?;
        let gzip = is_gzip(&magic);
        let taken = Rc::new(Cell::new(0));
        let file = Cursor::new(magic).chain(Counted { file, taken: Rc::clone(&taken) });
        let inner: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let limit = if gzip { len.saturating_mul(EXPANSION).max(SMALL).min(max_bytes) } else { max_bytes };
        let reader = BufReader::with_capacity(BUFFER, inner);
        let mut text = Self { path, reader, gzip, end: b'\n', line: 0, taken, len, unpacked: 0, limit, started: false };
        text.look_at_start()?;
        Ok(text)
    }

    /// Byte order mark, UTF-16, and line ends of old Macintosh programs.
    fn look_at_start(&mut self) -> Result<(), FormatError> {
        let mut head = Vec::new();
        let read = (&mut self.reader).take(BUFFER as u64).read_to_end(&mut head);
        // An archive that is cut off may still have lines before the cut; the error comes again where it belongs.
        let failed = read.err();
        if head.is_empty()
            && let Some(e) = failed
        {
            return Err(self.unreadable(e));
        }
        let wide = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
        if wide {
            let rest = (&mut self.reader).take(self.limit).read_to_end(&mut head);
            rest.map_err(|e| self.unreadable(e))?;
            head = from_utf16(&head).into_bytes();
        } else if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        if !head.contains(&b'\n') && head.iter().rev().skip(1).any(|&b| b == b'\r') {
            self.end = b'\r';
        }
        let rest = std::mem::replace(&mut self.reader, BufReader::new(Box::new(std::io::empty())));
        let rest: Box<dyn Read> = match failed {
            Some(e) => Box::new(Failing(e.kind())),
            None => Box::new(rest),
        };
        self.reader = BufReader::with_capacity(BUFFER, Box::new(Cursor::new(head).chain(rest)));
        Ok(())
    }

    /// How much of the file was read, 0 to 1.
    pub(in crate::formats) fn fraction(&self) -> f32 {
        self.taken.get() as f32 / self.len.max(1) as f32
    }

    /// Bytes of text that were read.
    pub(in crate::formats) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    fn unreadable(&self, error: std::io::Error) -> FormatError {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if self.gzip && matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
            return FormatError::corrupt(self.path, "the gzip archive", "it is cut off or its bytes were changed");
        }
        FormatError::not_readable(self.path, error)
    }

    /// The first `most` bytes as lines, and whether the file goes on behind them.
    pub(in crate::formats) fn head(&mut self, most: u64) -> Result<(Vec<u8>, bool), FormatError> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(most).read_to_end(&mut bytes);
        if let (Err(e), true) = (read, bytes.is_empty()) {
            return Err(self.unreadable(e));
        }
        if self.end == b'\r' {
            bytes.iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
        let cut = bytes.len() as u64 == most;
        Ok((bytes, cut))
    }

    /// One line without its end; `false` behind the last.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, FormatError> {
        let before = line.len();
        let left = self.limit.saturating_sub(self.unpacked).saturating_add(1);
        let read = (&mut self.reader).take(left).read_until(self.end, line);
        let n = read.map_err(|e| self.unreadable(e))?;
        if n == 0 {
            return Ok(false);
        }
        self.line += 1;
        self.unpacked += n as u64;
        if self.unpacked > self.limit {
            let reason = match self.gzip {
                true => format!("{} bytes of gzip are unpacked to at most {}", self.len, self.limit),
                false => format!("at most {} are read", self.limit),
            };
            return Err(FormatError::TooBig { path: self.path.to_owned(), object: "the text".to_owned(), claimed: self.unpacked, reason });
        }
        while line.len() > before && matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        Ok(true)
    }

    /// The next line with data, split into fields; `false` behind the last.
    pub(in crate::formats) fn next_row(&mut self, separator: Separator, row: &mut Row) -> Result<bool, FormatError> {
        row.blank_before = 0;
        loop {
            row.bytes.clear();
            if !self.next_line(&mut row.bytes)? {
                return Ok(false);
            }
            row.line = self.line;
            if is_comment(&row.bytes, self.started) {
                continue;
            }
            if row.bytes.trim_ascii().is_empty() {
                row.blank_before += 1;
                continue;
            }
            while separator != Separator::Space && row.bytes.contains(&b'"') && open_quote(&row.bytes, separator.byte()) {
                row.bytes.push(b'\n');
                if row.bytes.len() > LONGEST_QUOTE || !self.next_line(&mut row.bytes)? {
                    let problem = "a quotation mark is opened here and not closed; put fields between two of them or none".to_owned();
                    return Err(FormatError::CsvLine { path: self.path.to_owned(), line: row.line, problem });
                }
            }
            self.started = true;
            row.split(separator);
            return Ok(true);
        }
    }
}

/// Comments begin with `#`, in the lines above the data also with `%`.
pub(in crate::formats) fn is_comment(line: &[u8], started: bool) -> bool {
    line.starts_with(b"#") || (!started && line.starts_with(b"%"))
}

fn from_utf16(bytes: &[u8]) -> String {
    let little = bytes.first() == Some(&0xff);
    let pairs = bytes.get(2..).unwrap_or_default().as_chunks::<2>().0.iter();
    let codes = pairs.map(|&pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    char::decode_utf16(codes).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quotes_may_hold_line_ends_and_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        std::fs::write(&path, "# made\n\na,\"b\r\nc\"\r\n# more\nd,e\n").unwrap();
        let mut text = Text::open(&path, 1000).unwrap();
        let mut row = Row::default();
        assert!(text.next_row(Separator::Comma, &mut row).unwrap());
        assert_eq!((row.text(1).as_ref(), row.line, row.blank_before), ("b\nc", 3, 1));
        assert!(text.next_row(Separator::Comma, &mut row).unwrap());
        assert_eq!((row.text(0).as_ref(), row.line), ("d", 6));
        assert!(!text.next_row(Separator::Comma, &mut row).unwrap());
    }

    #[test]
    fn other_encodings_and_line_ends_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.txt");
        let wide: Vec<u8> = std::iter::once(0xfeff).chain("µ\t2\r\n3\t4".encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [wide, b"\xb5\t2\r3\t4".to_vec(), "\u{feff}µ\t2\n3\t4".as_bytes().to_vec()] {
            std::fs::write(&path, &bytes).unwrap();
            let mut text = Text::open(&path, 1000).unwrap();
            let mut row = Row::default();
            assert!(text.next_row(Separator::Tab, &mut row).unwrap());
            assert_eq!((row.text(0).as_ref(), row.text(1).as_ref()), ("µ", "2"), "{bytes:?}");
            assert!(text.next_row(Separator::Tab, &mut row).unwrap() && row.get(1) == b"4");
        }
    }
}
