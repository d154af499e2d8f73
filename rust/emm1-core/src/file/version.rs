//! The version of an embedding file: different after every change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::locate::{file_of, ids_beside};
use crate::error::{Error, Result};
use crate::identity::FileId;
use crate::matrix::{ids_of_shards, shards};

/// The identities of the files that make up an embedding file: vectors, ids and codes. Two versions of one path are
/// equal if nothing changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    parts: Vec<(PathBuf, FileId)>,
    /// If a file was written just now, a unique number: another write might not change its times.
    unsettled: Option<u64>,
}

/// Numbers the versions that are not settled.
static UNSETTLED: AtomicU64 = AtomicU64::new(0);

impl Version {
    /// The current version of an embedding file. `ids` is the file or folder of its ids, or None for the ids beside it,
    /// if there are any. `codes` is the file of its codes, whether it exists or not.
    ///
    /// # Errors
    /// One of the files does not exist or cannot be examined.
    pub fn of(path: &Path, ids: Option<&Path>, codes: Option<&Path>) -> Result<Self> {
        let file = file_of(path);
        let mut files = if file.is_dir() { shards(file)? } else { vec![file.to_owned()] };
        match ids.map(Path::to_owned).or_else(|| ids_beside(path)) {
            Some(folder) if folder.is_dir() => files.extend(ids_of_shards(&folder)?),
            beside => files.extend(beside),
        }
        let mut parts = files.into_iter().map(part).collect::<Result<Vec<_>>>()?;
        parts.extend(codes.and_then(|codes| part(codes.to_owned()).ok()));
        let settled = parts.iter().all(|(_, id)| id.unsettled().is_none());
        Ok(Self { parts, unsettled: (!settled).then(|| UNSETTLED.fetch_add(1, Ordering::Relaxed)) })
    }
}

fn part(path: PathBuf) -> Result<(PathBuf, FileId)> {
    let metadata = fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
    Ok((path, FileId::of(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::locate::codes_beside;

    /// The version once it is settled: a few milliseconds after the last write.
    fn settled(path: &Path, ids: Option<&Path>, codes: Option<&Path>) -> Version {
        loop {
            let version = Version::of(path, ids, codes).unwrap();
            if version.unsettled.is_none() {
                return version;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[test]
    fn a_write_within_a_tick_of_another_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.npy");
        let mut seen = Vec::new();
        for text in ["1", "2", "3", "4"] {
            fs::write(&file, text).unwrap(); // some of these have the same times
            let version = Version::of(&file, None, None).unwrap();
            assert!(!seen.contains(&version), "{text}");
            seen.push(version);
        }
        let version = settled(&file, None, None);
        // Known only if a slow machine was a tick late already.
        assert_eq!(seen.contains(&version), seen.last().unwrap().unsettled.is_none());
        assert_eq!(version, Version::of(&file, None, None).unwrap());
    }

    #[test]
    fn every_part_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("shards")).unwrap();
        let codes = codes_beside(&at("shards"));
        let mut seen = Vec::new();
        for (name, text) in [
            ("shards/a.npy", "1"),
            ("shards/b.npy", "1"),
            ("shards/b.npy", "22"),
            ("shards.npy.codes", "not those of the folder"),
            ("shards.codes", "1"),
            ("shards/a.ids.npy", "1"),
            ("shards/a.ids.npy", "22"),
            ("shards.ids.npy", "1"),
        ] {
            fs::write(at(name), text).unwrap();
            let version = settled(&at("shards"), None, Some(&codes));
            let known = seen.contains(&version);
            assert_eq!(known, name == "shards.npy.codes", "{name}");
            seen.push(version);
        }
        let ids = Some(at("shards.npy.codes"));
        assert_ne!(settled(&at("shards"), ids.as_deref(), Some(&codes)), seen[7]);
        assert_ne!(settled(&at("shards"), None, None), seen[7]);
    }

    #[test]
    fn a_tensor_is_that_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.safetensors");
        fs::write(&file, "1").unwrap();
        let tensor = folder.path().join("x.safetensors#image");
        assert_eq!(settled(&tensor, None, None), settled(&file, None, None));
    }

    #[test]
    fn what_is_not_there() {
        assert!(matches!(Version::of(Path::new("nowhere.npy"), None, None), Err(Error::NotFound(..))));
    }
}
