//! The settings of a DuckDB database (threads, memory, access to files) and the files that it has open.

use std::ffi::CStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use emm1_core::{Error, Result};

use crate::cache::Cache;

/// The settings of one database, shared by the functions registered in it.
#[derive(Debug)]
pub(crate) struct Settings {
    threads: AtomicUsize,
    external_access: AtomicBool,
    searches: AtomicUsize,
    memory_limit: AtomicUsize,
    /// Bytes of the answers in progress.
    answers: AtomicUsize,
    /// Kept here so that files are closed with the database.
    pub(crate) files: Mutex<Cache>,
}

impl Settings {
    pub(crate) fn new(threads: i64, external_access: bool) -> Self {
        let settings = Self {
            threads: AtomicUsize::new(1),
            external_access: AtomicBool::new(external_access),
            searches: AtomicUsize::new(0),
            memory_limit: AtomicUsize::new(usize::MAX),
            answers: AtomicUsize::new(0),
            files: Mutex::default(),
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

    /// An error if the database may not read files.
    pub(crate) fn check_access(&self) -> Result<()> {
        if self.external_access.load(Relaxed) {
            return Ok(());
        }
        Err(Error::Request("emm1 reads no embedding files here: enable_external_access is false".into()))
    }

    /// Sets the limit from DuckDB's text, such as `18.6 GiB`; a text that is not understood means no limit.
    pub(crate) fn set_memory_limit(&self, limit: &str) {
        self.memory_limit.store(bytes_of(limit).unwrap_or(usize::MAX), Relaxed);
    }

    /// Bytes that all answers together may use.
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit.load(Relaxed)
    }

    /// The memory budget for the answers of one call of a function.
    pub(crate) fn budget(&self, function: &'static CStr) -> Budget<'_> {
        Budget { settings: self, function, taken: 0 }
    }

    /// The number of DuckDB's threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(Relaxed)
    }

    /// Runs a search with its share of the threads: DuckDB may call from all of its threads at once.
    pub(crate) fn with_threads<T>(&self, search: impl FnOnce(usize) -> T) -> T {
        let running = Running::start(&self.searches);
        search((self.threads() / running.count).max(1))
    }
}

/// The part of the memory limit that the answers of one call use, released when they are done.
///
/// DuckDB does not allocate memory for functions and does not count theirs; the budget prevents answers that cannot
/// fit.
pub(crate) struct Budget<'a> {
    settings: &'a Settings,
    function: &'static CStr,
    taken: usize,
}

impl Budget<'_> {
    /// Reserves memory for `items` of `bytes` each.
    ///
    /// # Errors
    /// This exceeds DuckDB's memory limit.
    pub(crate) fn take(&mut self, items: usize, bytes: usize) -> Result<()> {
        let bytes = items.saturating_mul(bytes).min(1 << 48); // more than any memory, and sums do not overflow
        self.taken += bytes;
        let all = self.settings.answers.fetch_add(bytes, Relaxed) + bytes;
        let limit = self.settings.memory_limit();
        if all <= limit {
            return Ok(());
        }
        let function = self.function.to_string_lossy();
        Err(Error::Request(format!(
            "the answers of {function} to these rows take {:.1} MB, with memory_limit at {:.1} MB: ask for less at a time, \
             or raise memory_limit",
            self.taken as f64 / 1e6,
            limit as f64 / 1e6,
        )))
    }
}

impl Drop for Budget<'_> {
    fn drop(&mut self) {
        self.settings.answers.fetch_sub(self.taken, Relaxed);
    }
}

/// Parses a number of bytes, such as `18.6 GiB`.
fn bytes_of(text: &str) -> Option<usize> {
    let (number, unit) = text.trim().split_once(' ')?;
    let power = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"].iter().position(|known| *known == unit)?;
    Some((number.parse::<f64>().ok()? * 1024f64.powi(power as i32)) as usize)
}

/// Counts a running search until it ends, even by a panic.
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
    fn answers_share_the_memory() {
        let settings = Settings::new(1, true);
        assert!(settings.budget(c"f").take(usize::MAX, 8).is_ok());
        settings.set_memory_limit("1.0 KiB");
        let mut first = settings.budget(c"f");
        assert!(first.take(100, 8).is_ok());
        let error = settings.budget(c"g").take(300, 1).unwrap_err().to_string();
        assert!(error.starts_with("the answers of g to these rows take 0.0 MB"), "{error}");
        drop(first);
        assert!(settings.budget(c"g").take(1024, 1).is_ok());
        for (text, bytes) in [("0 bytes", 0), ("18.5 MiB", 19_398_656), ("2.0 TiB", 2 << 40)] {
            assert_eq!(bytes_of(text), Some(bytes));
        }
        assert_eq!(bytes_of("unlimited"), None);
    }

    #[test]
    fn no_access_is_an_error() {
        let settings = Settings::new(1, true);
        assert!(settings.check_access().is_ok());
        settings.set_external_access(false);
        assert!(settings.check_access().is_err());
    }
}
