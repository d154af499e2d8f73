//! The identity of a file: different for every other file, and after every write.

use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Size, mtime, ctime and inode. Every write changes mtime and ctime, and nobody can set ctime; a copied or restored
/// file has another inode. Where there is no ctime, which is on Windows, size and the times of creation and of the last
/// write, which anyone can set: codes are not trusted there (`matrix::disk`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId([u64; Self::WORDS]);

/// For file systems that store whole seconds: a second write within this time may leave the times unchanged.
const SECONDS: Duration = Duration::from_secs(2);
/// Two ticks of the slowest clock from which a kernel takes file times: 100 Hz, on Windows 64 Hz.
pub(crate) const TICK: Duration = Duration::from_millis(if cfg!(windows) { 32 } else { 20 });

impl FileId {
    pub(crate) const WORDS: usize = 4;

    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let nanoseconds = |seconds: i64, rest: i64| (seconds as u64).wrapping_mul(1_000_000_000) + rest as u64;
            let modified = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
            let changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
            Self([metadata.len(), modified, changed, metadata.ino()])
        }
        #[cfg(not(unix))]
        {
            let nanoseconds = |time: std::io::Result<SystemTime>| {
                let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                since.map_or(0, |since| since.as_nanos() as u64)
            };
            Self([metadata.len(), nanoseconds(metadata.created()), nanoseconds(metadata.modified()), 0])
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0[0]
    }

    pub(crate) fn words(&self) -> [u64; Self::WORDS] {
        self.0
    }

    /// For how long a write may still leave the identity unchanged, because the clock of file times has not ticked.
    pub(crate) fn unsettled(&self) -> Option<Duration> {
        let changed = Duration::from_nanos(self.0[2]);
        let tick = if self.0[2].is_multiple_of(1_000_000_000) { SECONDS } else { TICK };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        tick.checked_sub(now.abs_diff(changed)).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_settles_within_two_ticks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "1").unwrap();
        let now = FileId::of(&fs::metadata(&path).unwrap());
        std::thread::sleep(now.unsettled().unwrap_or_default());
        assert_eq!(now.unsettled(), None);
        fs::write(&path, "2").unwrap();
        assert_ne!(FileId::of(&fs::metadata(&path).unwrap()), now);
    }
}
