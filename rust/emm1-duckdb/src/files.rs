//! Embedding files, opened once for the whole process and shared by all queries; opened again when they change, and let go
//! with the last database that uses them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use emm1_core::{CodesFile, EmbeddingFile, KeepVerdict, Result, Version};

use crate::settings::Settings;

/// Files kept open; the one used longest ago is closed for another.
const OPEN: usize = 64;

/// What an argument `FILE`, `FILE?ids=IDS`, `FILE?codes=CODES` or `FILE?ids=IDS?codes=CODES` names; `?codes=` alone says
/// that no codes are to be used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    path: PathBuf,
    ids: Option<PathBuf>,
    codes: Option<PathBuf>,
}

impl Named {
    fn parse(argument: &str) -> Self {
        let (file, codes) = match argument.split_once("?codes=") {
            Some((file, codes)) => (file, Some(codes)),
            None => (argument, None),
        };
        let (path, ids) = match file.split_once("?ids=") {
            Some((path, ids)) => (path, Some(ids.into())),
            None => (file, None),
        };
        let codes = match codes {
            Some("") => None,
            Some(codes) => Some(codes.into()),
            None => Some(CodesFile::beside(Path::new(path))),
        };
        Self { path: path.into(), ids, codes }
    }

    fn version(&self) -> Result<Version> {
        Version::of(&self.path, self.ids.as_deref(), self.codes.as_deref())
    }

    fn open(&self) -> Result<EmbeddingFile> {
        let file = EmbeddingFile::open(&self.path, self.ids.as_deref(), &mut || false)?;
        match &self.codes {
            // SQL writes no file of codes, not even what is known of the vectors.
            Some(codes) => file.with_codes(codes, KeepVerdict::InProcess, &mut || false),
            None => Ok(file),
        }
    }
}

#[derive(Debug)]
struct Opened {
    version: Version,
    file: Arc<EmbeddingFile>,
    used: u64,
}

/// The files that a database has open. A file that is gone or replaced is let go within a second of use of any other, and all
/// of them with the database.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    files: HashMap<Named, Opened>,
    clock: u64,
    swept: Option<Instant>,
}

/// How long what is gone may stay open while other files are in use.
const PATIENCE: Duration = Duration::from_secs(1);

/// Files that any database of the process has open: another one uses the same.
static SHARED: Mutex<Vec<(Named, Version, Weak<EmbeddingFile>)>> = Mutex::new(Vec::new());

/// The file that an argument names, as it is now.
///
/// # Errors
/// The database may not read files, or the file is not what it should be.
pub(crate) fn open(settings: &Settings, argument: &str) -> Result<Arc<EmbeddingFile>> {
    settings.check_access()?;
    let named = Named::parse(argument);
    let version = named.version();
    // The lock is held while a file is opened, so that it is opened once; nothing is left half done after a panic.
    let mut cache = settings.files.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.swept.is_none_or(|swept| version.is_err() || swept.elapsed() > PATIENCE) {
        cache.sweep();
    }
    cache.get(named, version?)
}

/// Opens a file, or finds it open.
fn shared(named: &Named, version: &Version) -> Result<Arc<EmbeddingFile>> {
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(_, _, file)| file.strong_count() > 0);
    let known = all.iter().find(|(name, of, _)| name == named && of == version);
    if let Some(file) = known.and_then(|(_, _, file)| file.upgrade()) {
        return Ok(file);
    }
    let file = Arc::new(named.open()?);
    all.push((named.clone(), version.clone(), Arc::downgrade(&file)));
    Ok(file)
}

impl Cache {
    fn get(&mut self, named: Named, version: Version) -> Result<Arc<EmbeddingFile>> {
        self.clock += 1;
        if let Some(opened) = self.files.get_mut(&named)
            && opened.version == version
        {
            opened.used = self.clock;
            return Ok(Arc::clone(&opened.file));
        }
        let file = shared(&named, &version)?;
        self.files.remove(&named);
        if self.files.len() >= OPEN {
            let oldest = self.files.iter().min_by_key(|(_, opened)| opened.used).map(|(named, _)| named.clone());
            oldest.map(|named| self.files.remove(&named));
        }
        self.files.insert(named, Opened { version, file: Arc::clone(&file), used: self.clock });
        Ok(file)
    }

    /// Lets go of files that are gone, or are not any more what was opened.
    fn sweep(&mut self) {
        self.files.retain(|named, opened| named.version().is_ok_and(|version| version == opened.version));
        self.swept = Some(Instant::now());
    }
}

/// The files of one call, each looked at once however many rows name it.
pub(crate) struct Files<'a> {
    settings: &'a Settings,
    open: HashMap<&'a str, Arc<EmbeddingFile>>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self { settings, open: HashMap::new() }
    }

    /// The file that an argument names.
    ///
    /// # Errors
    /// Those of [`open`].
    pub(crate) fn get(&mut self, argument: &'a str) -> Result<Arc<EmbeddingFile>> {
        if let Some(file) = self.open.get(argument) {
            return Ok(Arc::clone(file));
        }
        let file = open(self.settings, argument)?;
        self.open.insert(argument, Arc::clone(&file));
        Ok(file)
    }
}

/// The path in an argument.
pub(crate) fn path_of(argument: &str) -> PathBuf {
    Named::parse(argument).path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        for (argument, path, ids, codes) in [
            ("/x/image.npy", "/x/image.npy", None, Some("/x/image.npy.codes")),
            ("image.npy?ids=/y/a b.ids.npy", "image.npy", Some("/y/a b.ids.npy"), Some("image.npy.codes")),
            ("image.npy?codes=/z/a.codes", "image.npy", None, Some("/z/a.codes")),
            ("image.npy?ids=a.npy?codes=", "image.npy", Some("a.npy"), None),
        ] {
            let (path, ids, codes) = (path.into(), ids.map(PathBuf::from), codes.map(PathBuf::from));
            assert_eq!(Named::parse(argument), Named { path, ids, codes });
        }
    }
}
