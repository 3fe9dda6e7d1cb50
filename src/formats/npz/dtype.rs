//! Kinds of values in `.npy` arrays and how their bytes become values.

use super::literal::Literal;
use super::npy::Values;

const PICKLED: &str = "it holds pickled Python objects, which are not read because they can run code";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
    /// Four bytes per character.
    Unicode,
    /// One byte per character.
    Bytes,
    /// Bytes that mean nothing.
    Padding,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    kind: Kind,
    big: bool,
    offset: usize,
    width: usize,
}

/// Kind of the values of an array: one field, or several in a record.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) struct Dtype {
    fields: Vec<Field>,
    /// Bytes per value (record).
    pub(in crate::formats) width: usize,
    record: bool,
}

impl Dtype {
    /// From `'<f8'` or `[('a', '<f8'), …]`; otherwise why not.
    pub(in crate::formats) fn parse(descr: &Literal) -> Result<Self, String> {
        if let Some(text) = descr.text() {
            let field = field(String::new(), text, 0)?;
            return Ok(Self { width: field.width, fields: vec![field], record: false });
        }
        let mut fields = Vec::new();
        let mut width = 0usize;
        for one in descr.list().ok_or("its kind of values is not named")? {
            let one = match one.list() {
                Some([Literal::Text(name), Literal::Text(kind)]) => field(name.clone(), kind, width)?,
                _ => return Err("records within records are not read; save one array per field".to_owned()),
            };
            width = width.saturating_add(one.width);
            fields.push(one);
        }
        Ok(Self { fields, width, record: true })
    }

    pub(super) fn is_number(&self) -> bool {
        !self.record && self.fields.iter().all(|f| matches!(f.kind, Kind::Float | Kind::Signed | Kind::Unsigned | Kind::Bool))
    }

    pub(super) fn is_text(&self) -> bool {
        !self.record && self.fields.iter().all(|f| matches!(f.kind, Kind::Unicode | Kind::Bytes))
    }

    /// Bytes that one value takes in memory.
    pub(in crate::formats) fn decoded_bytes(&self) -> u64 {
        let one = |f: &Field| match f.kind {
            Kind::Unicode | Kind::Bytes => 32 + f.width as u64,
            _ if f.width == 1 => 1,
            _ => f.width.max(8) as u64,
        };
        self.fields.iter().map(one).fold(0, u64::saturating_add)
    }
}

fn field(name: String, descr: &str, offset: usize) -> Result<Field, String> {
    let unknown = || format!("values of kind {descr} are not read; save numbers (times in seconds)");
    let (big, rest) = match descr.split_at_checked(1) {
        Some((">", rest)) => (true, rest),
        Some(("<" | "|" | "=", rest)) => (false, rest),
        _ => (false, descr),
    };
    let (letter, count) = rest.split_at_checked(1).ok_or_else(unknown)?;
    if letter == "O" {
        return Err(PICKLED.to_owned());
    }
    let count: usize = count.parse().map_err(|_| unknown())?;
    let (kind, width) = match (letter, count) {
        ("f", 2 | 4 | 8) => (Kind::Float, count),
        ("i", 1 | 2 | 4 | 8) => (Kind::Signed, count),
        ("u", 1 | 2 | 4 | 8) => (Kind::Unsigned, count),
        ("b", 1) => (Kind::Bool, 1),
        ("U", _) => (Kind::Unicode, count.saturating_mul(4)),
        ("S" | "a", _) => (Kind::Bytes, count),
        ("V", _) => (Kind::Padding, count),
        _ => return Err(unknown()),
    };
    Ok(Field { name, kind, big, offset, width })
}

/// Turns bytes into values as they come.
pub(in crate::formats) struct Builder {
    dtype: Dtype,
    values: Vec<Values>,
    /// Bytes of a value that a piece has cut.
    rest: Vec<u8>,
}

impl Builder {
    /// For `count` values, which the caller has found plausible.
    pub(in crate::formats) fn new(dtype: Dtype, count: usize) -> Result<Self, String> {
        let mut values = Vec::new();
        for field in &dtype.fields {
            let mut one = match (field.kind, field.width) {
                (Kind::Float, 4) => Values::F32(Vec::new()),
                (Kind::Float, _) => Values::F64(Vec::new()),
                (Kind::Unsigned, 1) | (Kind::Padding, _) => Values::U8(Vec::new()),
                (Kind::Signed | Kind::Unsigned, _) => Values::I64(Vec::new()),
                (Kind::Bool, _) => Values::Bool(Vec::new()),
                (Kind::Unicode | Kind::Bytes, _) => Values::Text(Vec::new()),
            };
            let reserved = match &mut one {
                Values::F64(v) => v.try_reserve_exact(count),
                Values::F32(v) => v.try_reserve_exact(count),
                Values::I64(v) => v.try_reserve_exact(count),
                Values::U8(v) if field.kind != Kind::Padding => v.try_reserve_exact(count),
                Values::Bool(v) => v.try_reserve_exact(count),
                Values::Text(v) => v.try_reserve_exact(count),
                _ => Ok(()),
            };
            reserved.map_err(|_| "there is not enough memory for it".to_owned())?;
            values.push(one);
        }
        Ok(Self { dtype, values, rest: Vec::new() })
    }

    pub(in crate::formats) fn add(&mut self, mut piece: &[u8]) -> Result<(), String> {
        let width = self.dtype.width.max(1);
        if !self.rest.is_empty() {
            let missing = (width - self.rest.len()).min(piece.len());
            let (head, tail) = piece.split_at(missing);
            self.rest.extend_from_slice(head);
            piece = tail;
            if self.rest.len() == width {
                let whole = std::mem::take(&mut self.rest);
                self.add_whole(&whole)?;
            }
        }
        let (whole, rest) = piece.split_at(piece.len() - piece.len() % width);
        self.add_whole(whole)?;
        self.rest.extend_from_slice(rest);
        Ok(())
    }

    fn add_whole(&mut self, bytes: &[u8]) -> Result<(), String> {
        let width = self.dtype.width.max(1);
        if let ([field], [values]) = (self.dtype.fields.as_slice(), self.values.as_mut_slice()) {
            return decode(field, bytes, values);
        }
        for row in bytes.chunks_exact(width) {
            for (field, values) in self.dtype.fields.iter().zip(&mut self.values) {
                decode(field, row.get(field.offset..field.offset + field.width).unwrap_or_default(), values)?;
            }
        }
        Ok(())
    }

    pub(in crate::formats) fn finish(self) -> Result<Values, String> {
        if !self.rest.is_empty() {
            return Err("it ends within a value".to_owned());
        }
        let mut values = self.values;
        if !self.dtype.record {
            return values.pop().ok_or_else(|| "it has no values".to_owned());
        }
        let fields = self.dtype.fields.into_iter().zip(values);
        Ok(Values::Fields(fields.filter(|(f, _)| f.kind != Kind::Padding).map(|(f, v)| (f.name, v)).collect()))
    }
}

/// Decode values that lie end to end.
fn decode(field: &Field, bytes: &[u8], to: &mut Values) -> Result<(), String> {
    let big = field.big;
    macro_rules! each {
        ($to:expr, $type:ty, $convert:expr) => {{
            let values = bytes.as_chunks().0.iter();
            if big {
                $to.extend(values.map(|&c| $convert(<$type>::from_be_bytes(c))));
            } else {
                $to.extend(values.map(|&c| $convert(<$type>::from_le_bytes(c))));
            }
        }};
    }
    match (to, field.kind, field.width) {
        (Values::F64(v), _, 8) => each!(v, f64, |x| x),
        (Values::F64(v), _, _) => each!(v, u16, half),
        (Values::F32(v), _, _) => each!(v, f32, |x| x),
        (Values::I64(v), Kind::Signed, 1) => each!(v, i8, i64::from),
        (Values::I64(v), Kind::Signed, 2) => each!(v, i16, i64::from),
        (Values::I64(v), Kind::Signed, 4) => each!(v, i32, i64::from),
        (Values::I64(v), Kind::Signed, _) => each!(v, i64, |x| x),
        (Values::I64(v), _, 2) => each!(v, u16, i64::from),
        (Values::I64(v), _, 4) => each!(v, u32, i64::from),
        (Values::I64(v), _, _) => {
            let begin = v.len();
            each!(v, i64, |x| x);
            if v.get(begin..).unwrap_or_default().iter().any(|&x| x < 0) {
                return Err("an integer is larger than 2^63".to_owned());
            }
        }
        (Values::U8(_), Kind::Padding, _) => {}
        (Values::U8(v), _, _) => v.extend_from_slice(bytes),
        (Values::Bool(v), _, _) => v.extend(bytes.iter().map(|&b| b != 0)),
        (Values::Text(v), Kind::Bytes, width) => {
            v.extend(bytes.chunks_exact(width.max(1)).map(|one| String::from_utf8_lossy(one).trim_end_matches('\0').to_owned()));
        }
        (Values::Text(v), _, width) => {
            for one in bytes.chunks_exact(width.max(4)) {
                let code = |&c: &[u8; 4]| if big { u32::from_be_bytes(c) } else { u32::from_le_bytes(c) };
                let text: Option<String> = one.as_chunks().0.iter().map(|c| char::from_u32(code(c))).collect();
                let text = text.ok_or("a text holds a code that is no character")?;
                v.push(text.trim_end_matches('\0').to_owned());
            }
        }
        (Values::Fields(_), _, _) => {}
    }
    Ok(())
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}
