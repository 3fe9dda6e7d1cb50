//! Headers and values of NeuroExplorer files. Every size that a file claims is checked against the file before anything is read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::formats::FormatError;
use crate::recording::{Column, NamedColumn};

const HEADER_1: usize = 544;
const VARIABLE_1: usize = 208;
const HEADER_5: usize = 356;
const VARIABLE_5: usize = 244;
/// Length of the name of a marker field.
const FIELD_NAME: u64 = 64;

/// What a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Neuron,
    Event,
    Interval,
    Waveform,
    Population,
    Continuous,
    Marker,
    Other(i32),
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    I16,
    I32,
    U32,
    I64,
    U64,
    F32,
}

impl Stored {
    fn width(self) -> u64 {
        match self {
            Self::I16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 => 8,
        }
    }

    fn value(self, b: &[u8]) -> f64 {
        match (self, b) {
            (Self::I16, &[a, b]) => f64::from(i16::from_le_bytes([a, b])),
            (Self::I32, &[a, b, c, d]) => f64::from(i32::from_le_bytes([a, b, c, d])),
            (Self::U32, &[a, b, c, d]) => f64::from(u32::from_le_bytes([a, b, c, d])),
            (Self::F32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
            (Self::I64, b) => b.try_into().map_or(0.0, |b| i64::from_le_bytes(b) as f64),
            (Self::U64, b) => b.try_into().map_or(0.0, |b| u64::from_le_bytes(b) as f64),
            _ => 0.0,
        }
    }
}

/// One variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) kind: Kind,
    pub(super) name: String,
    offset: u64,
    /// Timestamps, intervals or pieces.
    pub(super) count: u64,
    pub(super) wire: i64,
    pub(super) unit: i64,
    /// Sampling rate of continuous values, Hz.
    pub(super) frequency: f64,
    scale: f64,
    shift: f64,
    pub(super) unit_of_values: String,
    /// Continuous values.
    pub(super) points: u64,
    fields: u64,
    field_len: u64,
    times: Stored,
    values: Stored,
    firsts: Stored,
    /// Marker values are numbers, not text.
    numbers: bool,
}

/// An open file.
pub(super) struct Nex {
    pub(super) path: PathBuf,
    file: File,
    len: u64,
    max_bytes: u64,
    /// Bytes that may still be read: variables of a sound file do not lie on top of each other.
    budget: u64,
    /// Ticks per second.
    frequency: f64,
    pub(super) variables: Vec<Variable>,
}

/// Fields of a header, one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let part = self.bytes.get(self.at..self.at + n).unwrap_or_default();
        self.at += n;
        part
    }

    fn i32(&mut self) -> i32 {
        self.take(4).try_into().map_or(0, i32::from_le_bytes)
    }

    fn u64(&mut self) -> u64 {
        self.take(8).try_into().map_or(0, u64::from_le_bytes)
    }

    fn f64(&mut self) -> f64 {
        self.take(8).try_into().map_or(0.0, f64::from_le_bytes)
    }

    fn text(&mut self, n: usize) -> String {
        text(self.take(n))
    }
}

/// Text up to the first zero: UTF-8, else Latin-1.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|&b| b == 0).next().unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect::<String>().trim().to_owned(),
    }
}

impl Nex {
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Self, FormatError> {
        let unreadable = |e| FormatError::not_readable(path, e);
        let damaged = |problem: String| FormatError::corrupt(path, "the file header", problem);
        let mut file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let mut head = Vec::new();
        (&mut file).take(HEADER_1 as u64).read_to_end(&mut head).map_err(unreadable)?;
        let five = head.starts_with(b"NEX5");
        let (header_len, variable_len) = if five { (HEADER_5, VARIABLE_5) } else { (HEADER_1, VARIABLE_1) };
        if head.len() < header_len {
            return Err(damaged(format!("it is cut off, it should have {header_len} bytes and has {}", head.len())));
        }
        let mut fields = Fields { bytes: &head, at: 8 + 256 };
        let frequency = fields.f64();
        fields.take(8);
        let count = fields.i32();
        if !(frequency.is_finite() && frequency > 0.0) {
            return Err(damaged(format!("{frequency} ticks per second, expected a number greater than zero")));
        }
        let room = (len - header_len as u64) / variable_len as u64;
        let count = u64::try_from(count).ok().filter(|c| *c <= room);
        let Some(count) = count else {
            let claimed = Fields { bytes: &head, at: 280 }.i32();
            return Err(damaged(format!("it claims {claimed} variables, but the file has room for {room}")));
        };
        let mut bytes = vec![0; count as usize * variable_len];
        file.seek(SeekFrom::Start(header_len as u64)).and_then(|_| file.read_exact(&mut bytes)).map_err(unreadable)?;
        let variables = bytes.chunks_exact(variable_len).map(|b| if five { variable_5(b) } else { variable_1(b) }).collect();
        let budget = len.saturating_mul(4).saturating_add(1 << 20);
        Ok(Self { path: path.to_owned(), file, len, max_bytes, budget, frequency, variables })
    }

    /// `count` numbers from byte `offset` on.
    fn numbers(&mut self, variable: &Variable, offset: u64, count: u64, stored: Stored) -> Result<Vec<f64>, FormatError> {
        let bytes = self.bytes(variable, offset, count, stored.width())?;
        Ok(bytes.chunks_exact(stored.width() as usize).map(|b| stored.value(b)).collect())
    }

    fn bytes(&mut self, variable: &Variable, offset: u64, count: u64, width: u64) -> Result<Vec<u8>, FormatError> {
        let claimed = count.checked_mul(width);
        let fits = claimed.and_then(|c| offset.checked_add(c)).is_some_and(|end| end <= self.len);
        let object = || format!("variable '{}'", variable.name);
        let Some(size) = claimed.filter(|_| fits) else {
            let left = self.len.saturating_sub(offset);
            let reason = format!("only {left} bytes follow in the file");
            return Err(FormatError::TooBig { path: self.path.clone(), object: object(), claimed: claimed.unwrap_or(u64::MAX), reason });
        };
        if size > self.max_bytes {
            let reason = format!("at most {} are read", self.max_bytes);
            return Err(FormatError::TooBig { path: self.path.clone(), object: object(), claimed: size, reason });
        }
        let Some(budget) = self.budget.checked_sub(size) else {
            let problem = "the variables lie on top of each other, the same bytes are claimed again and again";
            return Err(FormatError::corrupt(&self.path, object(), problem));
        };
        self.budget = budget;
        let mut bytes = vec![0; size as usize];
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|e| FormatError::not_readable(&self.path, e))?;
        Ok(bytes)
    }

    /// Times of a variable in seconds.
    pub(super) fn timestamps(&mut self, variable: &Variable) -> Result<Vec<f64>, FormatError> {
        self.timestamps_at(variable, 0)
    }

    /// As many times as the variable counts, from the one with number `first` on, in seconds.
    pub(super) fn timestamps_at(&mut self, variable: &Variable, first: u64) -> Result<Vec<f64>, FormatError> {
        let offset = after(variable.offset, first, variable.times.width());
        let mut times = self.numbers(variable, offset, variable.count, variable.times)?;
        times.iter_mut().for_each(|t| *t /= self.frequency);
        Ok(times)
    }

    /// Number of the first value of every piece of a continuous variable.
    pub(super) fn fragment_starts(&mut self, variable: &Variable) -> Result<Vec<f64>, FormatError> {
        let offset = after(variable.offset, variable.count, variable.times.width());
        self.numbers(variable, offset, variable.count, variable.firsts)
    }

    /// Values of a continuous variable.
    pub(super) fn samples(&mut self, variable: &Variable) -> Result<Vec<f64>, FormatError> {
        let pieces = variable.times.width() + variable.firsts.width();
        let offset = after(variable.offset, variable.count, pieces);
        let mut values = self.numbers(variable, offset, variable.points, variable.values)?;
        values.iter_mut().for_each(|v| *v = *v * variable.scale + variable.shift);
        Ok(values)
    }

    /// Fields of a marker variable, one column each.
    pub(super) fn marker_fields(&mut self, variable: &Variable) -> Result<Vec<NamedColumn>, FormatError> {
        let width = if variable.numbers { 4 } else { variable.field_len };
        let mut offset = after(variable.offset, variable.count, variable.times.width());
        let mut columns = Vec::new();
        for _ in 0..variable.fields {
            let name = text(&self.bytes(variable, offset, 1, FIELD_NAME)?);
            offset = offset.saturating_add(FIELD_NAME);
            let bytes = self.bytes(variable, offset, variable.count, width)?;
            let each = bytes.chunks_exact(width.max(1) as usize);
            let values = match variable.numbers {
                true => Column::Int(each.map(|b| Stored::U32.value(b) as i64).collect()),
                false if width == 0 => Column::Text(vec![String::new(); variable.count as usize]),
                false => Column::Text(each.map(text).collect()),
            };
            columns.push(NamedColumn { name, description: String::new(), values });
            offset = after(offset, variable.count, width);
        }
        Ok(columns)
    }
}

/// The byte behind `count` values.
fn after(offset: u64, count: u64, width: u64) -> u64 {
    offset.saturating_add(count.saturating_mul(width))
}

fn kind(number: i32) -> Kind {
    match number {
        0 => Kind::Neuron,
        1 => Kind::Event,
        2 => Kind::Interval,
        3 => Kind::Waveform,
        4 => Kind::Population,
        5 => Kind::Continuous,
        6 => Kind::Marker,
        other => Kind::Other(other),
    }
}

/// A count; a negative one is as large as no file can hold.
fn size(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn variable_1(bytes: &[u8]) -> Variable {
    let mut fields = Fields { bytes, at: 0 };
    let (kind, _version) = (kind(fields.i32()), fields.i32());
    let name = fields.text(64);
    let (offset, count) = (size(fields.i32()), size(fields.i32()));
    let (wire, unit) = (i64::from(fields.i32()), i64::from(fields.i32()));
    let (_gain, _filter, _x, _y) = (fields.i32(), fields.i32(), fields.f64(), fields.f64());
    let (frequency, scale) = (fields.f64(), fields.f64());
    let (points, markers, marker_len) = (size(fields.i32()), size(fields.i32()), size(fields.i32()));
    let shift = fields.f64();
    Variable {
        kind,
        name,
        offset,
        count,
        wire,
        unit,
        frequency,
        scale,
        shift,
        unit_of_values: "mV".to_owned(),
        points,
        fields: markers,
        field_len: marker_len,
        times: Stored::I32,
        values: Stored::I16,
        firsts: Stored::I32,
        numbers: false,
    }
}

fn variable_5(bytes: &[u8]) -> Variable {
    let mut fields = Fields { bytes, at: 0 };
    let (kind, _version) = (kind(fields.i32()), fields.i32());
    let name = fields.text(64);
    let (offset, count) = (fields.u64(), fields.u64());
    let times = if fields.i32() == 1 { Stored::I64 } else { Stored::I32 };
    let values = if fields.i32() == 1 { Stored::F32 } else { Stored::I16 };
    let frequency = fields.f64();
    let unit_of_values = fields.text(32);
    let (scale, shift) = (fields.f64(), fields.f64());
    let (points, _threshold) = (fields.u64(), fields.f64());
    let numbers = fields.i32() == 1;
    let (markers, marker_len) = (size(fields.i32()), size(fields.i32()));
    let firsts = if fields.i32() == 1 { Stored::U64 } else { Stored::U32 };
    // Values that are stored as they are need no scale.
    let (scale, shift) = if values == Stored::F32 { (1.0, 0.0) } else { (scale, shift) };
    Variable {
        kind,
        name,
        offset,
        count,
        wire: 0,
        unit: 0,
        frequency,
        scale,
        shift,
        unit_of_values,
        points,
        fields: markers,
        field_len: marker_len,
        times,
        values,
        firsts,
        numbers,
    }
}
