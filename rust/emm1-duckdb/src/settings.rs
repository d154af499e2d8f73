//! What a DuckDB database has set: how many threads to use, and whether files may be read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use emm1_core::{Error, Result};

/// The settings of one database, shared by the functions registered in it.
#[derive(Debug)]
pub(crate) struct Settings {
    threads: AtomicUsize,
    external_access: AtomicBool,
    searches: AtomicUsize,
}

impl Settings {
    pub(crate) fn new(threads: i64, external_access: bool) -> Self {
        let settings = Self {
            threads: AtomicUsize::new(1),
            external_access: AtomicBool::new(external_access),
            searches: AtomicUsize::new(0),
        };
        settings.set_threads(threads);
        settings
    }

    pub(crate) fn set_threads(&self, threads: i64) {
        self.threads.store(usize::try_from(threads).unwrap_or(1).max(1), Relaxed);
    }

    pub(crate) fn set_external_access(&self, allowed: bool) {
        self.external_access.store(allowed, Relaxed);
    }

    /// An error where the database may not read files.
    pub(crate) fn check_access(&self) -> Result<()> {
        if self.external_access.load(Relaxed) {
            return Ok(());
        }
        Err(Error::Request("emm1 reads no embedding files here: enable_external_access is false".into()))
    }

    /// DuckDB's threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(Relaxed)
    }

    /// Runs a search with its share of the threads: DuckDB may call from all of its own at once.
    pub(crate) fn with_threads<T>(&self, search: impl FnOnce(usize) -> T) -> T {
        let running = Running::start(&self.searches);
        search((self.threads() / running.count).max(1))
    }
}

/// A search that is under way, counted until it ends, however it ends.
struct Running<'a> {
    searches: &'a AtomicUsize,
    count: usize,
}

impl<'a> Running<'a> {
    fn start(searches: &'a AtomicUsize) -> Self {
        Self { searches, count: searches.fetch_add(1, Relaxed) + 1 }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.searches.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_share_the_threads() {
        let settings = Settings::new(4, true);
        let shares = settings.with_threads(|first| (first, settings.with_threads(|second| second)));
        assert_eq!(shares, (4, 2));
        assert_eq!(settings.with_threads(|again| again), 4);
        settings.set_threads(-1);
        assert_eq!(settings.with_threads(|least| least), 1);
    }

    #[test]
    fn no_access_is_an_error() {
        let settings = Settings::new(1, true);
        assert!(settings.check_access().is_ok());
        settings.set_external_access(false);
        assert!(settings.check_access().is_err());
    }
}
