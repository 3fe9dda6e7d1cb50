//! The instructions of a pickle: they build plain values, and calls become nodes instead of being made.

use std::collections::HashMap;

use super::{Id, Node};

/// A pickle with more values than this holds no table of units.
const MOST_NODES: usize = 4_000_000;

/// The stack machine that a pickle is a program for.
pub(super) struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    pub(super) nodes: Vec<Node>,
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
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() }
    }

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

    /// Run to the end; the value that is left.
    pub(super) fn run(&mut self) -> Result<Id, String> {
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
