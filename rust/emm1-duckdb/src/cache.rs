//! Embedding files, opened once per process and shared by all queries; opened again when they change, and closed with the
//! last database that uses them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use emm1_core::{EmbeddingFile, KeepVerdict, Location, Result, Version};

use crate::settings::Settings;

/// The maximum number of open files; beyond it, the least recently used one is closed.
const OPEN: usize = 64;

#[derive(Debug)]
struct Opened {
    version: Version,
    file: Arc<EmbeddingFile>,
    used: u64,
}

/// The files that a database has open. A file that was deleted or replaced is closed within a second if any other is used;
/// all of them are closed with the database.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    files: HashMap<Location, Opened>,
    clock: u64,
    swept: Option<Instant>,
}

/// How long a deleted file may stay open while others are in use.
const PATIENCE: Duration = Duration::from_secs(1);

/// The files that any database of the process has open, to be shared with the others.
static SHARED: Mutex<Vec<(Location, Version, Weak<EmbeddingFile>)>> = Mutex::new(Vec::new());

/// The current version of the file that an argument names, open.
///
/// # Errors
/// The database may not read files, or the file cannot be opened.
pub(crate) fn open(settings: &Settings, argument: &str) -> Result<Arc<EmbeddingFile>> {
    settings.check_access()?;
    let location = Location::parse(argument)?;
    let version = location.version();
    // The lock is held while a file is opened, so that it is opened only once. A panic leaves no inconsistent state.
    let mut cache = settings.files.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.swept.is_none_or(|swept| version.is_err() || swept.elapsed() > PATIENCE) {
        cache.sweep();
    }
    cache.get(location, version?)
}

/// Opens a file, or finds it open.
fn shared(location: &Location, version: &Version) -> Result<Arc<EmbeddingFile>> {
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(_, _, file)| file.strong_count() > 0);
    let known = all.iter().find(|(at, of, _)| at == location && of == version);
    if let Some(file) = known.and_then(|(_, _, file)| file.upgrade()) {
        return Ok(file);
    }
    // SQL never writes to a file of codes, not even the verdict on the vectors.
    let file = Arc::new(location.open(KeepVerdict::InProcess, &mut || false)?);
    all.push((location.clone(), version.clone(), Arc::downgrade(&file)));
    Ok(file)
}

impl Cache {
    fn get(&mut self, location: Location, version: Version) -> Result<Arc<EmbeddingFile>> {
        self.clock += 1;
        if let Some(opened) = self.files.get_mut(&location)
            && opened.version == version
        {
            opened.used = self.clock;
            return Ok(Arc::clone(&opened.file));
        }
        let file = shared(&location, &version)?;
        self.files.remove(&location);
        if self.files.len() >= OPEN {
            let oldest = self.files.iter().min_by_key(|(_, opened)| opened.used).map(|(location, _)| location.clone());
            oldest.map(|location| self.files.remove(&location));
        }
        self.files.insert(location, Opened { version, file: Arc::clone(&file), used: self.clock });
        Ok(file)
    }

    /// Closes files that were deleted or have changed since they were opened.
    fn sweep(&mut self) {
        self.files.retain(|location, opened| location.version().is_ok_and(|version| version == opened.version));
        self.swept = Some(Instant::now());
    }
}

/// The files of one call; each is checked once, however many rows name it.
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
