//! The one error type: what is wrong, in which file and row, and what to do about it.

use std::collections::TryReserveError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What emm1-core returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong.
#[derive(Debug)]
pub enum Error {
    /// A file does not exist.
    NotFound(PathBuf),
    /// A file cannot be read.
    Io(PathBuf, io::Error),
    /// A file cannot be written.
    Write(PathBuf, String),
    /// A file is not what it should be.
    File(PathBuf, String),
    /// A query or another argument is wrong.
    Request(String),
    /// There is no memory for an answer.
    Memory(String),
    /// The caller asked to stop.
    Stopped,
}

impl Error {
    pub(crate) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File(path.to_owned(), what.into())
    }

    pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        Self::Write(path.to_owned(), error.to_string())
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NotFound(path.to_owned())
        } else {
            Self::Io(path.to_owned(), error)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "{} does not exist", path.display()),
            Self::Io(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write(path, error) => {
                write!(f, "{} cannot be written: {error}. Name another place for it, or make room", path.display())
            }
            Self::File(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Request(what) => f.write_str(what),
            Self::Memory(reason) => write!(f, "the answer does not fit in memory ({reason}): ask for less at a time"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {}

/// A list of so many zeros, as [`list_for`] makes it.
///
/// # Errors
/// There is no memory for them.
pub(crate) fn zeros<T: Copy + Default>(items: usize) -> Result<Vec<T>> {
    let mut list = list_for(items)?;
    list.resize(items, T::default());
    Ok(list)
}

/// The error for memory that is not there.
pub(crate) fn no_memory(error: TryReserveError) -> Error {
    Error::Memory(error.to_string())
}

/// An empty list with room for so many items; what can be large is made by this.
///
/// # Errors
/// There is no memory for them.
pub fn list_for<T>(items: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(items).map_err(no_memory)?;
    Ok(list)
}
