//! Which files an argument names, in Python.

use std::path::PathBuf;

use emm1_core::{Location, Registered, locate};
use pyo3::prelude::*;

use crate::errors::raise;
use crate::file::PyEmbeddingFile;

/// An entry of a store's table of embeddings, found by its name.
#[pyclass(frozen, module = "emm1._native", name = "Registered")]
pub(crate) struct PyRegistered(Registered);

#[pymethods]
impl PyRegistered {
    #[new]
    fn new(py: Python<'_>, name: Option<&str>, known: Vec<Vec<Option<String>>>) -> PyResult<Self> {
        let known: Vec<Vec<_>> = known.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
        Registered::find(name, &known).map(Self).map_err(|error| raise(py, error))
    }

    #[getter]
    fn argument(&self) -> &str {
        &self.0.argument
    }

    #[getter]
    fn metric(&self) -> &str {
        &self.0.metric
    }

    #[getter]
    fn items(&self) -> &str {
        &self.0.items
    }

    #[getter]
    fn shape(&self) -> Option<(&str, &str, &str)> {
        self.0.shape.as_ref().map(|[rows, dims, dtype]| (&**rows, &**dims, &**dtype))
    }

    /// An error if a file does not have the shape that was registered.
    fn check(&self, py: Python<'_>, file: &PyEmbeddingFile) -> PyResult<()> {
        self.0.check(&file.0).map_err(|error| raise(py, error))
    }
}

/// Vectors, ids and codes.
type Files = (PathBuf, Option<PathBuf>, Option<PathBuf>);

/// The files that an argument names: vectors, ids (None if it names none) and codes (None for no codes).
#[pyfunction]
pub(crate) fn parse_location(py: Python<'_>, argument: &str) -> PyResult<Files> {
    let Location { path, ids, codes } = Location::parse(argument).map_err(|error| raise(py, error))?;
    Ok((path, ids, codes))
}

/// The default path of the codes of a file.
#[pyfunction]
pub(crate) fn codes_beside(path: PathBuf) -> PathBuf {
    locate::codes_beside(&path)
}

/// The default path of the one file of ids of a file or folder.
#[pyfunction]
pub(crate) fn ids_place(path: PathBuf) -> PathBuf {
    locate::ids_place(&path)
}

/// The file or folder that a path to vectors names.
#[pyfunction]
pub(crate) fn file_of(path: PathBuf) -> PathBuf {
    locate::file_of(&path).to_owned()
}

/// Whether a string names a file rather than registered embeddings.
#[pyfunction]
pub(crate) fn is_file(name_or_file: PathBuf) -> bool {
    locate::is_file(&name_or_file)
}
