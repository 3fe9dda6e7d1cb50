//! Looking into a pickle without running it. A pickle is a program for a stack machine; here it only builds a tree of plain
//! values, and what would call into Python becomes a node that says what would have been called. Calls that only rebuild a numpy
//! array are understood, all others stay opaque. Opcodes: CPython `Lib/pickletools.py`, protocols 2 to 5.

use std::collections::HashMap;

use crate::formats::npz::literal::Literal;
use crate::formats::npz::npy::Values;
use crate::formats::npz::{Builder, Dtype};
use crate::recording::Column;

/// A pickle with more values than this holds no table of units.
const MOST_NODES: usize = 4_000_000;

type Id = usize;
/// Columns with their names.
type Columns = Vec<(String, Column)>;

/// One value. Values refer to each other by number, so that a pickle that contains itself does no harm.
#[derive(Debug, Clone)]
enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A list, a tuple or a set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that Python would import.
    Global(String),
    /// What Python would call, its arguments, and the state that is set afterwards.
    Call(Id, Id, Option<Id>),
}

/// What a pickle builds.
pub(super) struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

/// The numpy array in a pickle.
struct NumpyArray {
    len: usize,
    values: ArrayValues,
}

enum ArrayValues {
    Plain(Values),
    Objects(Vec<Id>),
}

impl Pickle {
    /// Read a pickle; the error says what stopped the reader.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        let root = machine.run()?;
        Ok(Self { nodes: machine.nodes, root })
    }

    /// The columns of a dictionary from names to one-dimensional arrays or lists, alone or in an array of one object; and the
    /// names of entries that are of another kind.
    pub(super) fn columns(&self) -> Option<(Columns, Vec<String>)> {
        let mut id = self.root;
        if let Some(NumpyArray { values: ArrayValues::Objects(objects), .. }) = self.array(id) {
            id = *objects.first()?;
        }
        let Node::Dict(pairs) = self.nodes.get(id)? else { return None };
        let (mut columns, mut others) = (Vec::new(), Vec::new());
        for &(key, value) in pairs {
            let Some(Node::Text(name)) = self.nodes.get(key) else { continue };
            match self.column(value) {
                Some(column) => columns.push((name.clone(), column)),
                None => others.push(name.clone()),
            }
        }
        Some((columns, others))
    }

    fn column(&self, id: Id) -> Option<Column> {
        if let Node::List(list) = self.nodes.get(id)? {
            return self.scalars(list);
        }
        match self.array(id)? {
            NumpyArray { values: ArrayValues::Plain(values), len } => values.into_column().filter(|c| c.len() == len),
            NumpyArray { values: ArrayValues::Objects(objects), .. } => self.scalars(&objects),
        }
    }

    /// Plain values as a column: text when one is text.
    fn scalars(&self, list: &[Id]) -> Option<Column> {
        let nodes: Vec<&Node> = list.iter().map(|&id| self.nodes.get(id)).collect::<Option<_>>()?;
        let text = nodes.iter().any(|n| matches!(n, Node::Text(_)));
        if text {
            let texts = nodes.iter().map(|n| match n {
                Node::Text(t) => Some(t.clone()),
                Node::None => Some(String::new()),
                Node::Float(f) if f.is_nan() => Some(String::new()),
                Node::Int(i) => Some(i.to_string()),
                _ => None,
            });
            return texts.collect::<Option<_>>().map(Column::Text);
        }
        let numbers = nodes.iter().map(|n| match n {
            Node::Int(i) => Some(*i as f64),
            Node::Float(f) => Some(*f),
            Node::Bool(b) => Some(f64::from(u8::from(*b))),
            Node::None => Some(f64::NAN),
            _ => None,
        });
        let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
        if nodes.iter().all(|n| matches!(n, Node::Int(_))) {
            return Some(Column::Int(numbers.iter().map(|&x| x as i64).collect()));
        }
        Some(Column::Float(numbers))
    }

    fn list(&self, id: Id) -> Option<&[Id]> {
        if let Some(Node::List(list)) = self.nodes.get(id) { Some(list) } else { None }
    }

    fn global(&self, id: Id) -> Option<&str> {
        if let Some(Node::Global(name)) = self.nodes.get(id) { Some(name) } else { None }
    }

    fn text(&self, id: Id) -> Option<&str> {
        if let Some(Node::Text(text)) = self.nodes.get(id) { Some(text) } else { None }
    }

    /// The one-dimensional numpy array at `id`: `_reconstruct(…)` with the state `(version, shape, dtype, fortran, data)`.
    fn array(&self, id: Id) -> Option<NumpyArray> {
        let Some(Node::Call(function, _, Some(state))) = self.nodes.get(id) else { return None };
        if !self.global(*function)?.ends_with("multiarray _reconstruct") {
            return None;
        }
        let &[_, shape, dtype, _, data] = self.list(*state)? else { return None };
        let sizes: Vec<usize> = self.list(shape)?.iter().map(|&d| self.size(d)).collect::<Option<_>>()?;
        let len = sizes.iter().try_fold(1usize, |a, &d| a.checked_mul(d))?;
        if sizes.len() > 1 && len > 1 {
            return None;
        }
        if let Some(objects) = self.list(data) {
            return (objects.len() == len).then(|| NumpyArray { len, values: ArrayValues::Objects(objects.to_vec()) });
        }
        let bytes = self.bytes(data)?;
        let dtype = Dtype::parse(&Literal::Text(self.dtype(dtype)?)).ok()?;
        if len.checked_mul(dtype.width)? != bytes.len() || dtype.width == 0 {
            return None;
        }
        let mut builder = Builder::new(dtype, len).ok()?;
        builder.add(&bytes).ok()?;
        Some(NumpyArray { len, values: ArrayValues::Plain(builder.finish().ok()?) })
    }

    fn size(&self, id: Id) -> Option<usize> {
        if let Some(Node::Int(size)) = self.nodes.get(id) { usize::try_from(*size).ok() } else { None }
    }

    /// `dtype('f8', False, True)` with the state `(3, '<', …)`.
    fn dtype(&self, id: Id) -> Option<String> {
        let Some(Node::Call(function, arguments, state)) = self.nodes.get(id) else { return None };
        if self.global(*function)? != "numpy dtype" {
            return None;
        }
        let kind = self.text(*self.list(*arguments)?.first()?)?;
        let order = state.and_then(|s| self.text(*self.list(s)?.get(1)?)).unwrap_or("|");
        Some(format!("{order}{kind}"))
    }

    /// Bytes, as they are or as protocol 2 has them: `_codecs.encode(text, 'latin1')`.
    fn bytes(&self, id: Id) -> Option<Vec<u8>> {
        match self.nodes.get(id)? {
            Node::Bytes(bytes) => Some(bytes.clone()),
            Node::Call(function, arguments, _) if self.global(*function)? == "_codecs encode" => {
                self.text(*self.list(*arguments)?.first()?)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
            }
            _ => None,
        }
    }
}

struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

fn cut() -> String {
    "it ends too early".to_owned()
}

fn odd() -> String {
    "its instructions make no sense".to_owned()
}

impl<'b> Machine<'b> {
    fn take(&mut self, n: usize) -> Result<&'b [u8], String> {
        let end = self.at.checked_add(n).ok_or_else(cut)?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(cut)?;
        self.at = end;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|b| b.first().copied().unwrap_or(0))
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take(4)?.try_into().map(u32::from_le_bytes).map_err(|_| cut())
    }

    fn u64(&mut self) -> Result<usize, String> {
        let value = self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| cut())?;
        usize::try_from(value).map_err(|_| cut())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).ok_or_else(cut)?;
        let end = rest.iter().position(|&b| b == b'\n').ok_or_else(cut)?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned())
    }

    fn push(&mut self, node: Node) -> Result<(), String> {
        if self.nodes.len() >= MOST_NODES {
            return Err(format!("it holds more than {MOST_NODES} values"));
        }
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
        Ok(())
    }

    fn text(&mut self, len: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.push(Node::Text(text))
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.marks.last().is_some_and(|&m| m >= self.stack.len()) {
            return Err(odd());
        }
        self.stack.pop().ok_or_else(odd)
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(odd)?;
        if mark > self.stack.len() { Err(odd()) } else { Ok(self.stack.split_off(mark)) }
    }

    fn tuple(&mut self, n: usize) -> Result<(), String> {
        let mut list = Vec::new();
        for _ in 0..n {
            list.push(self.pop()?);
        }
        list.reverse();
        self.push(Node::List(list))
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or_else(odd)?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(odd)?;
        self.stack.push(id);
        if self.stack.len() > MOST_NODES { Err(odd()) } else { Ok(()) }
    }

    /// Add entries to the list or dictionary on top of the stack.
    fn extend(&mut self, items: Vec<Id>) -> Result<(), String> {
        let top = *self.stack.last().ok_or_else(odd)?;
        match self.nodes.get_mut(top) {
            Some(Node::List(list)) => list.extend(items),
            Some(Node::Dict(pairs)) => pairs.extend(items.chunks_exact(2).map(|p| (p[0], p[1]))),
            // A call whose result is filled: nothing that is looked at.
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        self.push(Node::Call(function, arguments, None))
    }

    fn run(&mut self) -> Result<Id, String> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                0x80 => {
                    let protocol = self.byte()?;
                    if protocol > 5 {
                        return Err(format!("its protocol {protocol} is not known"));
                    }
                }
                // Frames are no more than a hint for buffers.
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.since_mark()?),
                b'2' => {
                    let top = *self.stack.last().ok_or_else(odd)?;
                    self.stack.push(top);
                }
                code => self.value(code)?,
            }
            if self.marks.len() > MOST_NODES || self.stack.len() > MOST_NODES {
                return Err(odd());
            }
        }
    }

    fn value(&mut self, code: u8) -> Result<(), String> {
        match code {
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' => {
                let value = self.u32()? as i32;
                self.push(Node::Int(i64::from(value)))
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Node::Int(i64::from(value)))
            }
            b'M' => {
                let value = self.take(2)?.try_into().map(u16::from_le_bytes).map_err(|_| cut())?;
                self.push(Node::Int(i64::from(value)))
            }
            0x8a => {
                let n = usize::from(self.byte()?);
                let bytes = self.take(n)?;
                let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
                let mut whole = [if negative { 0xff } else { 0 }; 8];
                whole.get_mut(..n).ok_or("an integer is larger than 2^63")?.copy_from_slice(bytes);
                self.push(Node::Int(i64::from_le_bytes(whole)))
            }
            b'G' => {
                let value = self.take(8)?.try_into().map(f64::from_be_bytes).map_err(|_| cut())?;
                self.push(Node::Float(value))
            }
            b'X' => {
                let n = self.u32()? as usize;
                self.text(n)
            }
            0x8c => {
                let n = usize::from(self.byte()?);
                self.text(n)
            }
            0x8d => {
                let n = self.u64()?;
                self.text(n)
            }
            b'B' | b'T' => {
                let n = self.u32()? as usize;
                let bytes = self.take(n)?.to_vec();
                self.push(Node::Bytes(bytes))
            }
            b'C' | b'U' => {
                let n = usize::from(self.byte()?);
                let bytes = self.take(n)?.to_vec();
                self.push(Node::Bytes(bytes))
            }
            0x8e | 0x96 => {
                let n = self.u64()?;
                let bytes = self.take(n)?.to_vec();
                self.push(Node::Bytes(bytes))
            }
            _ => self.structure(code),
        }
    }

    fn structure(&mut self, code: u8) -> Result<(), String> {
        match code {
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b'l' | b't' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Node::List(items))
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Node::Dict(items.chunks_exact(2).map(|p| (p[0], p[1])).collect()))
            }
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend(vec![key, value])
            }
            b'e' | b'u' | 0x90 => {
                let items = self.since_mark()?;
                self.extend(items)
            }
            b'q' => {
                let key = self.byte()?;
                self.remember(u32::from(key))
            }
            b'r' => {
                let key = self.u32()?;
                self.remember(key)
            }
            0x94 => self.remember(self.memo.len() as u32),
            b'h' => {
                let key = self.byte()?;
                self.recall(u32::from(key))
            }
            b'j' => {
                let key = self.u32()?;
                self.recall(key)
            }
            b'c' => {
                let name = format!("{} {}", self.line()?, self.line()?);
                self.push(Node::Global(name))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let of = |id: Id| if let Some(Node::Text(t)) = self.nodes.get(id) { t.clone() } else { String::new() };
                self.push(Node::Global(format!("{} {}", of(module), of(name))))
            }
            b'R' | 0x81 => self.call(),
            0x92 => {
                let _keywords = self.pop()?;
                self.call()
            }
            b'b' => {
                let state = self.pop()?;
                let top = *self.stack.last().ok_or_else(odd)?;
                if let Some(Node::Call(_, _, kept)) = self.nodes.get_mut(top) {
                    *kept = Some(state);
                }
                Ok(())
            }
            code => Err(format!("its instruction {code:#04x} is not known")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// `pickle.dumps({'location': np.array(['a', 'bc']), 'group': np.array([3, 4]), 'tag': ['x', None], 'fit': object()}, 2)` by
    /// hand, as far as it matters.
    fn sample() -> Vec<u8> {
        let mut p = b"\x80\x04}(".to_vec();
        let array = |p: &mut Vec<u8>, name: &str, kind: &str, width: u8, data: &[u8]| {
            p.extend([0x8c, name.len() as u8]);
            p.extend(name.as_bytes());
            p.extend(b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\n");
            p.extend([0x8c, kind.len() as u8]);
            p.extend(kind.as_bytes());
            p.extend(b"\x89\x88\x87R(K\x03\x8c\x01<NNNK\x0cK\x04K\x08tb\x89B");
            p.extend(u32::from(width).to_le_bytes());
            p.extend(data);
            p.extend(b"tb");
        };
        array(&mut p, "location", "U2", 16, b"a\0\0\0\0\0\0\0b\0\0\0c\0\0\0");
        array(&mut p, "group", "i8", 16, b"\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0");
        p.extend(b"\x8c\x03tag](\x8c\x01xNe\x8c\x03fitcbuiltins\nobject\n)R");
        p.extend(b"u.");
        p
    }

    #[test]
    fn columns_are_read_and_nothing_is_called() {
        let (columns, others) = Pickle::read(&sample()).unwrap().columns().unwrap();
        let wanted = [
            ("location".to_owned(), Column::Text(vec!["a".into(), "bc".into()])),
            ("group".to_owned(), Column::Int(vec![3, 4])),
            ("tag".to_owned(), Column::Text(vec!["x".into(), String::new()])),
        ];
        assert_eq!((columns.as_slice(), others), (&wanted[..], vec!["fit".to_owned()]));
    }

    #[test]
    fn hostile_pickles_do_nothing() {
        // The classic `os.system('echo')`: a node, not a call.
        let hostile = Pickle::read(b"\x80\x04cos\nsystem\n\x8c\x04echo\x85R.").unwrap();
        assert!(hostile.columns().is_none());
        // A list that contains itself, and a dictionary that does.
        assert!(Pickle::read(b"]\x94h\0a.").unwrap().columns().is_none());
        let (columns, others) = Pickle::read(b"}\x94\x8c\x01kh\0s.").unwrap().columns().unwrap();
        assert!(columns.is_empty() && others == ["k"]);
        for cut in 0..sample().len() {
            assert!(Pickle::read(&sample()[..cut]).is_err(), "{cut}");
        }
        for odd in [&b"a."[..], b"(u.", b"t.", b"h\x07.", b"\x80\x09.", b"\xff.", b"(0.", b"\x8a\xff", b"X\xff\xff\xff\xff."] {
            assert!(Pickle::read(odd).is_err(), "{odd:?}");
        }
    }
}
