//! The Python bindings of emm1-core, and nothing else: `emm1._native`.

mod csv;
mod errors;
mod file;
mod locate;

use pyo3::prelude::*;

/// The native part of emm1.
#[pymodule]
mod _native {
    use numpy::{PyArray1, PyArrayMethods};
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::csv::parse_records;
    #[pymodule_export]
    use crate::file::{PyEmbeddingFile, PyVersion};
    #[pymodule_export]
    use crate::locate::{PyRegistered, codes_beside, file_of, ids_place, is_file, parse_location};

    /// NumPy's functions are fetched here: that runs Python, and at the first call a signal would make it a panic.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        py.import("numpy.lib")?;
        drop(PyArray1::<i64>::zeros(py, 0, false).readonly());
        Ok(())
    }
}
