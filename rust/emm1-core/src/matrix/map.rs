//! Memory maps; the only `unsafe` code of this crate outside the kernels.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[cfg(unix)]
use memmap2::Advice;
use memmap2::{Mmap, MmapMut};

use super::regular;
use crate::error::{Error, Result};
use crate::identity::{FileId, TICK};

/// How much of a file will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// All of it, or a large part.
    Bulk,
    /// A few scattered rows.
    Sparse,
}

/// A memory-mapped file, and its descriptor, to detect that it shrank.
#[derive(Debug)]
pub(crate) struct Map {
    file: File,
    map: Mmap,
    /// Whether the map is advised for sparse access.
    sparse: AtomicBool,
}

impl Map {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (file, bytes) = regular::open(path)?;
        if bytes == 0 {
            return Err(Error::file(path, "is empty"));
        }
        // SAFETY: the map is read-only, and its length is compared with the file's before each use (`check`). A file
        // that is truncated while a call reads it can still end the process with SIGBUS, which no program can rule out;
        // the documentation says so. The bytes are plain numbers: if others change them, any value is valid.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        Ok(Self { file, map, sparse: AtomicBool::new(false) })
    }

    /// Advises the system how much will be read. For sparse access the map is MADV_RANDOM: otherwise read-ahead fetches
    /// up to megabytes per row. Only the speed of reading depends on this.
    pub(crate) fn advise(&self, access: Access) {
        let sparse = access == Access::Sparse;
        if self.sparse.swap(sparse, Ordering::Relaxed) != sparse {
            #[cfg(unix)]
            let _ = self.map.advise(if sparse { Advice::Random } else { Advice::Normal }); // a hint: it may fail
        }
    }

    /// Asks the system to read a part of the file meanwhile. Only the speed of reading depends on this.
    pub(crate) fn will_need(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        let _ = self.map.advise_range(Advice::WillNeed, bytes.start, bytes.len()); // a hint: it may fail
        #[cfg(not(unix))]
        let _ = bytes;
    }

    /// The current identity of the file.
    ///
    /// # Errors
    /// It is shorter than when it was opened: its last bytes must not be read.
    pub(crate) fn check(&self, path: &Path) -> Result<FileId> {
        let now = FileId::of(&self.file.metadata().map_err(|error| Error::io(path, error))?);
        if now.bytes() < self.map.len() as u64 {
            return Err(Error::file(path, "was cut short since it was opened: open it again"));
        }
        Ok(now)
    }

    /// The file descriptor.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The bytes of the file as it was opened; call `check` first.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}

/// Whether a write through a map to a clean page of a file in this folder changes the file's mtime.
pub(super) fn map_writes_change_mtime(folder: &Path) -> io::Result<bool> {
    let file = tempfile::tempfile_in(folder)?;
    file.set_len(1)?;
    // SAFETY: nobody else has access to the file, which has no name, so that nobody can truncate it.
    let mut map = unsafe { MmapMut::map_mut(&file) }?;
    map[0] = 1;
    file.sync_all()?;
    let before = FileId::of(&file.metadata()?);
    thread::sleep(TICK);
    map[0] = 2;
    Ok(FileId::of(&file.metadata()?) != before)
}
