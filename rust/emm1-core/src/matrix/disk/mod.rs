//! Whether every write to a file changes its mtime, which depends on the file system.
//!
//! Writes by system calls always do. Writes through a shared memory map do so on local disks, when they write to a
//! clean page; on tmpfs never, on ZFS with a delay, and on network file systems other machines write unseen.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_vendor = "apple", path = "apple.rs")]
#[cfg_attr(not(any(target_os = "linux", target_vendor = "apple")), path = "other.rs")]
mod system;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use super::map::map_writes_change_mtime;
use crate::lock::Lock;

/// None if every write to a file changes its mtime; otherwise the name of its file system.
pub(super) fn hides_writes(file: &File, path: &Path) -> Option<String> {
    match system::map_writes(file) {
        MapWrites::Show => None,
        MapWrites::Hidden(name) => Some(name),
        MapWrites::Unknown(name) => {
            static TRIED: Lock<Option<HashMap<u64, bool>>> = Lock::new(None);
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut tried = TRIED.lock();
            let shows = || map_writes_change_mtime(folder).unwrap_or(false);
            (!*tried.get_or_insert_default().entry(system::device(file)?).or_insert_with(shows)).then_some(name)
        }
    }
}

#[allow(dead_code)] // each system returns only some of them
enum MapWrites {
    Show,
    Hidden(String),
    /// To be tested.
    Unknown(String),
}
