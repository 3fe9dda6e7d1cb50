//! Looking into a pickle without running it. A pickle is a program for a stack machine; here it only builds a tree of plain
//! values, and what would call into Python becomes a node that says what would have been called. Calls that only rebuild a numpy
//! array are understood, all others stay opaque. Opcodes: CPython `Lib/pickletools.py`, protocols 2 to 5.

mod machine;

use self::machine::Machine;
use crate::formats::npz::literal::Literal;
use crate::formats::npz::npy::Values;
use crate::formats::npz::{Builder, Dtype};
use crate::recording::Column;

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
        let mut machine = Machine::new(bytes);
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
