//! The Python face of emm1-core.
use pyo3::prelude::*;

#[pymodule]
mod _native {}
