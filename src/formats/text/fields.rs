//! Fields of one line of text, with or without quotes.

use std::borrow::Cow;
use std::ops::Range;

/// What stands between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Separator {
    Comma,
    Semicolon,
    Tab,
    /// Any run of spaces and tabs.
    Space,
}

impl Separator {
    pub(in crate::formats) const ALL: [Self; 4] = [Self::Tab, Self::Semicolon, Self::Comma, Self::Space];

    pub(in crate::formats) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Space => b' ',
        }
    }

    pub(in crate::formats) fn name(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
            Self::Space => "spaces",
        }
    }

    /// The answer that stands for it.
    pub(in crate::formats) fn key(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
            Self::Space => "space",
        }
    }
}

/// The fields of one line.
#[derive(Default)]
pub(in crate::formats) struct Row {
    /// The line, and behind it the fields from which quotes were taken.
    pub(super) bytes: Vec<u8>,
    fields: Vec<Range<usize>>,
    /// Line number, from 1.
    pub(in crate::formats) line: u64,
    /// Blank lines just before.
    pub(in crate::formats) blank_before: usize,
}

impl Row {
    /// Split one line (used on the first lines of a file).
    pub(in crate::formats) fn of(line: &[u8], separator: Separator) -> Self {
        let mut row = Self { bytes: line.to_vec(), ..Self::default() };
        row.split(separator);
        row
    }

    pub(in crate::formats) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(in crate::formats) fn get(&self, at: usize) -> &[u8] {
        self.fields.get(at).and_then(|f| self.bytes.get(f.clone())).unwrap_or_default()
    }

    pub(in crate::formats) fn text(&self, at: usize) -> Cow<'_, str> {
        decoded(self.get(at))
    }

    pub(in crate::formats) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.get(at))
    }

    pub(super) fn split(&mut self, separator: Separator) {
        self.fields.clear();
        let end = self.bytes.len();
        if separator == Separator::Space {
            let mut at = 0;
            while at < end {
                let begin = at + self.run(at, end, |b| matches!(b, b' ' | b'\t'));
                at = begin + self.run(begin, end, |b| !matches!(b, b' ' | b'\t'));
                if begin < at {
                    let field = self.trimmed(begin, at);
                    self.fields.push(self.without_marks(field));
                }
            }
            return;
        }
        let byte = separator.byte();
        let mut at = 0;
        loop {
            let blank = self.run(at, end, |b| b == b' ' || (b == b'\t' && byte != b'\t'));
            if self.bytes.get(at + blank) == Some(&b'"') && at + blank < end {
                at = self.quoted(at + blank + 1, end, byte);
            } else {
                let stop = at + self.run(at, end, |b| b != byte);
                let field = self.trimmed(at, stop);
                self.fields.push(field);
                at = stop;
            }
            // `at` is on a separator or at the end.
            if at >= end {
                return;
            }
            at += 1;
        }
    }

    /// Length of the run of bytes from `at` for which `belongs` holds.
    fn run(&self, at: usize, end: usize, belongs: impl Fn(u8) -> bool) -> usize {
        self.bytes.get(at..end).unwrap_or_default().iter().take_while(|&&b| belongs(b)).count()
    }

    fn trimmed(&self, begin: usize, stop: usize) -> Range<usize> {
        let field = self.bytes.get(begin..stop).unwrap_or_default();
        let left = field.len() - field.trim_ascii_start().len();
        let right = field.trim_ascii_start().len() - field.trim_ascii().len();
        begin + left..stop - right
    }

    fn without_marks(&self, field: Range<usize>) -> Range<usize> {
        match self.bytes.get(field.clone()) {
            Some([b'"', .., b'"']) => field.start + 1..field.end - 1,
            _ => field,
        }
    }

    /// A field that begins behind a quotation mark; returns where the next separator stands.
    fn quoted(&mut self, begin: usize, end: usize, separator: u8) -> usize {
        let start = self.bytes.len();
        let mut at = begin;
        while at < end {
            match (self.bytes.get(at).copied().unwrap_or(0), self.bytes.get(at + 1).copied().filter(|_| at + 1 < end)) {
                (b'"', Some(b'"')) => {
                    self.bytes.push(b'"');
                    at += 2;
                }
                (b'"', _) => break,
                (byte, _) => {
                    self.bytes.push(byte);
                    at += 1;
                }
            }
        }
        let field = self.trimmed(start, self.bytes.len());
        self.fields.push(field);
        at + self.run(at, end, |b| b != separator)
    }
}

/// Whether a quoted field goes on behind the end of the line.
pub(super) fn open_quote(line: &[u8], separator: u8) -> bool {
    let mut at = 0;
    while at < line.len() {
        let blank = line.get(at..).unwrap_or_default().iter().take_while(|&&b| b == b' ' || (b == b'\t' && separator != b'\t')).count();
        if line.get(at + blank) == Some(&b'"') {
            at += blank + 1;
            loop {
                match (line.get(at), line.get(at + 1)) {
                    (None, _) => return true,
                    (Some(b'"'), Some(b'"')) => at += 2,
                    (Some(b'"'), _) => break,
                    _ => at += 1,
                }
            }
        }
        at += line.get(at..).unwrap_or_default().iter().take_while(|&&b| b != separator).count() + 1;
    }
    false
}

/// UTF-8, else Latin-1, in which every byte is a character.
pub(in crate::formats) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str, separator: Separator) -> Vec<String> {
        Row::of(line.as_bytes(), separator).iter().map(|f| decoded(f).into_owned()).collect()
    }

    #[test]
    fn fields_are_split_with_and_without_quotes() {
        assert_eq!(fields("1, 0.5 ,V1", Separator::Comma), ["1", "0.5", "V1"]);
        assert_eq!(fields("a,\"b, \"\"c\"\"\",d", Separator::Comma), ["a", "b, \"c\"", "d"]);
        assert_eq!(fields(",,", Separator::Comma), ["", "", ""]);
        assert_eq!(fields("\"a\"x,b", Separator::Comma), ["a", "b"]);
        assert_eq!(fields("a\"b,c", Separator::Comma), ["a\"b", "c"]);
        assert_eq!(fields("  1   \"0.5\"\t7 ", Separator::Space), ["1", "0.5", "7"]);
        assert_eq!(fields("1\t\t2", Separator::Tab), ["1", "", "2"]);
        assert_eq!(fields("\"", Separator::Comma), [""]);
    }
}
