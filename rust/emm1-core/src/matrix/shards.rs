//! A folder of `.npy` shards: one matrix in several files, in the order of their names.

use std::fs;
use std::path::{Path, PathBuf};

use super::format::expected;
use crate::error::{Error, Result};

/// The suffix of a file of ids beside an embedding file.
pub(crate) const IDS: &str = ".ids.npy";

/// The shards in a folder, sorted by the bytes of their names; without files of ids, hidden files and other files.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let shards = listed(folder, |name| name.ends_with(".npy") && !name.ends_with(IDS))?;
    if shards.is_empty() {
        return Err(Error::file(folder, format!("is a folder without .npy files: expected {}", expected())));
    }
    Ok(shards)
}

/// The files of ids in a folder, by name.
pub(crate) fn ids(folder: &Path) -> Result<Vec<PathBuf>> {
    listed(folder, |name| name.ends_with(IDS))
}

/// Whether a folder holds ids of its shards.
pub(crate) fn has_ids(folder: &Path) -> bool {
    ids(folder).is_ok_and(|ids| !ids.is_empty())
}

fn listed(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(folder, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(|name| !name.starts_with('.') && wanted(name)) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
