//! Embedding files, opened once for the whole process and shared by all queries; opened again when they change.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use emm1_core::{CodesFile, EmbeddingFile, Error, Ids, Result};

use crate::settings::Settings;

/// Files kept open; the one used longest ago is closed for another.
const OPEN: usize = 64;

/// What an argument `FILE` or `FILE?ids=IDS` names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) ids: Option<PathBuf>,
}

impl Named {
    pub(crate) fn parse(argument: &str) -> Self {
        let (path, ids) = match argument.split_once("?ids=") {
            Some((path, ids)) => (path, Some(PathBuf::from(ids))),
            None => (argument, None),
        };
        let path = PathBuf::from(path);
        let ids = ids.or_else(|| Ids::beside(&path));
        Self { path, ids }
    }

    fn open(&self) -> Result<EmbeddingFile> {
        let file = EmbeddingFile::open(&self.path, self.ids.as_deref())?;
        let codes = CodesFile::open(&CodesFile::beside(&self.path), file.matrix())?;
        Ok(file.with_codes(codes))
    }
}

/// By what a file that was replaced or written again is told from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    number: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NotFound(path.to_owned()),
            _ => Error::Io(path.to_owned(), error),
        })?;
        Ok(Self { bytes: metadata.len(), modified: metadata.modified().ok(), number: number(&metadata) })
    }
}

/// The file's number in its file system, where there is one: clocks are too coarse for files replaced in a row.
fn number(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::ino(metadata)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

struct Opened {
    stamps: (Stamp, Option<Stamp>),
    file: Arc<EmbeddingFile>,
    used: u64,
}

#[derive(Default)]
struct Cache {
    files: HashMap<Named, Opened>,
    clock: u64,
}

static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

/// The file that an argument names, as it is now.
///
/// # Errors
/// The database may not read files, or the file is not what it should be.
pub(crate) fn open(settings: &Settings, argument: &str) -> Result<Arc<EmbeddingFile>> {
    settings.check_access()?;
    let named = Named::parse(argument);
    let stamps = (Stamp::of(&named.path)?, named.ids.as_deref().map(Stamp::of).transpose()?);
    // The lock is held while a file is opened, so that it is opened once; nothing is left half done after a panic.
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.get_or_insert_default().get(named, stamps)
}

impl Cache {
    fn get(&mut self, named: Named, stamps: (Stamp, Option<Stamp>)) -> Result<Arc<EmbeddingFile>> {
        self.clock += 1;
        if let Some(opened) = self.files.get_mut(&named)
            && opened.stamps == stamps
        {
            opened.used = self.clock;
            return Ok(Arc::clone(&opened.file));
        }
        let file = Arc::new(named.open()?);
        self.files.remove(&named);
        if self.files.len() >= OPEN {
            let oldest = self.files.iter().min_by_key(|(_, opened)| opened.used).map(|(named, _)| named.clone());
            oldest.map(|named| self.files.remove(&named));
        }
        self.files.insert(named, Opened { stamps, file: Arc::clone(&file), used: self.clock });
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let plain = Named::parse("/x/image.npy");
        assert_eq!((plain.path, plain.ids), (PathBuf::from("/x/image.npy"), None));
        let both = Named::parse("image.npy?ids=/y/a b.ids.npy");
        assert_eq!((both.path, both.ids), (PathBuf::from("image.npy"), Some(PathBuf::from("/y/a b.ids.npy"))));
    }
}
