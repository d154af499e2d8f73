//! Read-only memory maps; the one place outside the kernels with `unsafe`.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

#[cfg(unix)]
use memmap2::Advice;
use memmap2::Mmap;

use crate::error::{Error, Result};

/// How much of a file will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it, or so much that it does not matter.
    Much,
    /// Some rows here and there.
    Little,
}

/// A file mapped into memory, and the file itself, to see whether it shrank.
#[derive(Debug)]
pub(crate) struct Map {
    file: File,
    map: Mmap,
    /// Whether the system was told that little will be read.
    little: AtomicBool,
}

impl Map {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        if metadata.is_dir() {
            return Err(Error::file(path, "is a folder, expected a file"));
        }
        if metadata.len() == 0 {
            return Err(Error::file(path, "is empty"));
        }
        // SAFETY: the map is read-only and its length is compared with the file's before each use (`check`). A file
        // that is cut while a call reads it can still end the process with SIGBUS, which no program can rule out; the
        // documentation says so. Bytes changed by others are plain numbers here: any value is valid.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        Ok(Self { file, map, little: AtomicBool::new(false) })
    }

    /// Tells the system how much will be read. By itself it reads on, megabytes on some machines, after each page that it is
    /// asked for. This changes the time that reading takes, and nothing else.
    pub(crate) fn expect(&self, reading: Reading) {
        let little = reading == Reading::Little;
        if self.little.swap(little, Ordering::Relaxed) != little {
            #[cfg(unix)]
            let _ = self.map.advise(if little { Advice::Random } else { Advice::Normal }); // a hint: it may fail
        }
    }

    /// An error where the file is shorter than when it was opened: its last bytes must not be read then.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let length = self.file.metadata().map_err(|error| Error::io(path, error))?.len();
        if length < self.map.len() as u64 {
            return Err(Error::file(path, "was cut short since it was opened: open it again"));
        }
        Ok(())
    }

    /// Length of the file and when it was last changed, in nanoseconds since 1970: what tells versions of it apart.
    pub(crate) fn version(&self, path: &Path) -> Result<[u64; 2]> {
        let metadata = self.file.metadata().map_err(|error| Error::io(path, error))?;
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok([metadata.len(), changed.map_or(0, |since| since.as_nanos() as u64)])
    }

    /// The bytes of the file as it was opened; `check` comes first.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}
