//! The one error type: what is wrong, in which file and row, and what to do about it.

use std::collections::TryReserveError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What emm1-core returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. Callers decide by the variant and never read the text.
#[derive(Debug)]
pub enum Error {
    /// A file does not exist.
    NotFound(PathBuf, io::Error),
    /// A file cannot be read.
    Io(PathBuf, io::Error),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// A file is malformed, or does not fit the others.
    File(PathBuf, String),
    /// A file of codes is damaged, or no longer belongs to these vectors: it must be built again.
    Codes(PathBuf, String),
    /// An embedding file is not as it was registered: it must be registered again.
    NotAsRegistered(String),
    /// No embeddings are registered under a name.
    UnknownName(String),
    /// A query or another argument is wrong.
    Request(String),
    /// There is not enough memory for an answer.
    Memory(TryReserveError),
    /// The caller asked to stop.
    Stopped,
}

/// A remark about an embedding file; not an error, because the answers are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Codes exist, but are not used until they are built again.
    UnusedCodes(String),
    /// The caller need not do anything.
    Note(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::UnusedCodes(text) | Self::Note(text)) = self;
        f.write_str(text)
    }
}

impl Error {
    pub(crate) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File(path.to_owned(), what.into())
    }

    pub(crate) fn codes(path: &Path, what: impl Into<String>) -> Self {
        Self::Codes(path.to_owned(), what.into())
    }

    pub(crate) fn cannot_write(path: &Path, error: io::Error) -> Self {
        Self::Write(path.to_owned(), error)
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NotFound(path.to_owned(), error)
        } else {
            Self::Io(path.to_owned(), error)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path, _) => write!(f, "{} does not exist", path.display()),
            Self::Io(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write(path, error) => {
                write!(f, "{} cannot be written: {error}. Name another place for it, or make room", path.display())
            }
            Self::File(path, what) | Self::Codes(path, what) => write!(f, "{}: {what}", path.display()),
            Self::NotAsRegistered(what) | Self::UnknownName(what) | Self::Request(what) => f.write_str(what),
            Self::Memory(reason) => write!(f, "the answer does not fit in memory ({reason}): ask for less at a time"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(_, error) | Self::Io(_, error) | Self::Write(_, error) => Some(error),
            Self::Memory(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TryReserveError> for Error {
    fn from(error: TryReserveError) -> Self {
        Self::Memory(error)
    }
}

/// A list of this many zeros, allocated by [`list_for`].
///
/// # Errors
/// There is no memory for them.
pub(crate) fn zeros<T: Copy + Default>(items: usize) -> Result<Vec<T>> {
    let mut list = list_for(items)?;
    list.resize(items, T::default());
    Ok(list)
}

/// An empty list with capacity for this many items; every list that may be large is allocated here.
///
/// # Errors
/// There is no memory for them.
pub fn list_for<T>(items: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(items)?;
    Ok(list)
}
