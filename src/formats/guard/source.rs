//! The bytes of an HDF5 file, never read past their end nor many times over, and from any thread.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_pure::FormatError as Hdf5FormatError;

use super::SIGNATURE;
use crate::formats::hdf5_bytes;

/// Files up to this size are read into memory first.
const IN_MEMORY: u64 = 64 << 20;

enum Bytes {
    Memory(Vec<u8>),
    File(std::fs::File),
}

pub(super) struct BoundedSource {
    bytes: Bytes,
    pub(super) len: u64,
    /// Bytes that may still be read: a sound file is never read many times over.
    budget: AtomicU64,
    /// Bytes that are shown other than they are in the file (see [`hdf5_bytes`]).
    changed: Mutex<BTreeMap<u64, u8>>,
    /// Whether the messages of the last object header carry their creation order; its continuation blocks do the same.
    creation_order: AtomicBool,
}

impl BoundedSource {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        Self::with_memory(path, IN_MEMORY)
    }

    /// For a look at a few objects.
    pub(super) fn on_disk(path: &Path) -> std::io::Result<Self> {
        Self::with_memory(path, 0)
    }

    fn with_memory(path: &Path, in_memory: u64) -> std::io::Result<Self> {
        let mut file = std::fs::File::open(path)?;
        let mut len = file.metadata()?.len();
        let bytes = if len <= in_memory {
            let mut all = Vec::new();
            file.read_to_end(&mut all)?;
            len = all.len() as u64;
            Bytes::Memory(all)
        } else {
            Bytes::File(file)
        };
        let budget = AtomicU64::new(len.saturating_mul(16).saturating_add(256 << 20));
        Ok(Self { bytes, len, budget, changed: Mutex::default(), creation_order: AtomicBool::new(false) })
    }

    /// Bytes as they are in the file.
    pub(super) fn fill(&self, offset: u64, buf: &mut [u8]) -> Result<(), Hdf5FormatError> {
        let failed = |what: String| Hdf5FormatError::Source(what);
        match &self.bytes {
            Bytes::Memory(all) => {
                let part = usize::try_from(offset).ok().and_then(|at| all.get(at..)?.get(..buf.len()));
                buf.copy_from_slice(part.ok_or_else(|| failed("outside the file".to_owned()))?);
                Ok(())
            }
            Bytes::File(file) => read_exact_at(file, offset, buf).map_err(|e| failed(e.to_string())),
        }
    }

    /// Show layout messages of version 5 as version 4.
    fn translate(&self, offset: u64, buf: &mut [u8]) -> Result<(), Hdf5FormatError> {
        let block = match buf.get(..4) {
            Some(b"OHDR") => {
                let mut head = vec![0; (self.len - offset).min(64) as usize];
                self.fill(offset, &mut head)?;
                let Some(prefix) = hdf5_bytes::prefix(&head).filter(|p| p.len as u64 <= (self.len - offset).min(1 << 20)) else {
                    return Ok(());
                };
                self.creation_order.store(prefix.creation_order, Ordering::Relaxed);
                let mut block = vec![0; prefix.len];
                self.fill(offset, &mut block)?;
                hdf5_bytes::with_layout_4(&block, prefix.messages, prefix.creation_order).map(|new| (block, new))
            }
            Some(b"OCHK") => {
                let new = hdf5_bytes::with_layout_4(buf, 4, self.creation_order.load(Ordering::Relaxed));
                new.map(|new| (buf.to_vec(), new))
            }
            _ => None,
        };
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((old, new)) = block {
            let different = (offset..).zip(old.iter().zip(&new)).filter(|(_, (a, b))| a != b);
            changed.extend(different.map(|(at, (_, &new))| (at, new)));
        }
        for (at, byte) in changed.range(offset..offset + buf.len() as u64) {
            if let Some(shown) = buf.get_mut((at - offset) as usize) {
                *shown = *byte;
            }
        }
        Ok(())
    }
}

/// Read at a place, from any thread.
#[cfg(unix)]
fn read_exact_at(file: &std::fs::File, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &std::fs::File, mut offset: u64, mut buf: &mut [u8]) -> std::io::Result<()> {
    while !buf.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, buf, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        offset += n as u64;
        buf = buf.get_mut(n..).unwrap_or_default();
    }
    Ok(())
}

impl BoundedSource {
    /// Take `bytes` off what may still be read.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), Hdf5FormatError> {
        let spend = |left: u64| left.checked_sub(bytes);
        match self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend) {
            Ok(_) => Ok(()),
            Err(_) => Err(Hdf5FormatError::Source("its index points at the same bytes again and again".to_owned())),
        }
    }

    /// Whether addresses count from the first byte of the file (no user block before them).
    pub(super) fn starts_at_zero(&self) -> bool {
        let mut start = [0; 8];
        self.fill(0, &mut start).is_ok() && start == SIGNATURE
    }
}

/// The source as hdf5-pure has it.
pub(super) struct Shared(pub(super) Arc<BoundedSource>);

impl hdf5_pure::Source for Shared {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Hdf5FormatError> {
        let wanted = buf.len() as u64;
        if offset.checked_add(wanted).is_none_or(|end| end > self.0.len) {
            let problem = format!("{wanted} bytes at {offset} lie outside the file of {} bytes", self.0.len);
            return Err(Hdf5FormatError::Source(problem));
        }
        self.0.spend(wanted)?;
        self.0.fill(offset, buf)?;
        self.0.translate(offset, buf)
    }
}
