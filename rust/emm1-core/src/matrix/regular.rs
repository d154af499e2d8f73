//! Opens regular files only: opening a pipe waits for a writer, and a device has no end.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file for reading; returns it and its length.
///
/// # Errors
/// There is no such file, or it is a folder, a pipe, a socket or a device.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32); // opening a pipe does not wait
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000; // opens a folder too, so that it can be told apart
        options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    }
    let failed = |error| Error::io(path, error);
    let file = options.open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::file(path, "is a folder, expected a file"));
    }
    if !metadata.is_file() {
        return Err(Error::file(path, "is not a regular file: save what it gives to a file, and name that"));
    }
    Ok((file, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_called_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = open(folder.path()).unwrap_err().to_string();
        assert!(text.ends_with("is a folder, expected a file"), "{text}");
    }
}
