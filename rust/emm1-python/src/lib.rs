//! The Python face of emm1-core: arguments in, arrays out, the GIL released in between, errors turned into emm1's own.

use std::path::PathBuf;

use emm1_core::{EmbeddingFile, Error, Hit, Search};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

/// The one place where a Rust error becomes a Python one.
fn raise(py: Python<'_>, error: Error) -> PyErr {
    let class = match error {
        // Python raises the interrupt itself once it looks at its signals.
        Error::Stopped => return py.check_signals().err().unwrap_or_else(|| PyKeyboardInterrupt::new_err(())),
        Error::NotFound(_) => "FileNotFoundError",
        _ => "EmbeddingError",
    };
    let raised = py.import("emm1.errors").and_then(|errors| errors.getattr(class)?.call1((error.to_string(),)));
    raised.map_or_else(|failed| failed, PyErr::from_value)
}

type Hits<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// Vectors in a file, memory-mapped, and the id of each.
#[pyclass(frozen, module = "emm1._native", name = "EmbeddingFile")]
struct PyEmbeddingFile(EmbeddingFile);

#[pymethods]
impl PyEmbeddingFile {
    #[new]
    #[pyo3(signature = (path, ids_path=None, ids=None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        ids_path: Option<PathBuf>,
        ids: Option<PyReadonlyArray1<'_, i64>>,
    ) -> PyResult<Self> {
        let ids = ids.map(|ids| ids.as_array().to_vec());
        let opened = py.detach(|| match ids {
            Some(ids) => EmbeddingFile::open_with(&path, ids),
            None => EmbeddingFile::open(&path, ids_path.as_deref()),
        });
        opened.map(Self).map_err(|error| raise(py, error))
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.matrix().rows()
    }

    #[getter]
    fn dims(&self) -> usize {
        self.0.matrix().dims()
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.matrix().dtype().name()
    }

    fn ids<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let ids = self.0.ids();
        let list: Vec<i64> = py.detach(|| (0..ids.len()).map(|row| ids.id(row)).collect());
        list.into_pyarray(py)
    }

    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: PyReadonlyArray2<'py, f32>,
        k: usize,
        metric: &str,
        among: Option<PyReadonlyArray1<'py, i64>>,
        threads: usize,
    ) -> PyResult<Hits<'py>> {
        let metric = metric.parse().map_err(|error| raise(py, error))?;
        let among = among.map(|ids| ids.as_array().to_vec());
        let queries: Vec<Vec<f32>> = queries.as_array().outer_iter().map(|query| query.to_vec()).collect();
        let slices: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let search = Search { k, metric, among, threads };
        let found = py.detach(|| self.0.search(&slices, &search, &mut interrupted));
        rectangle(py, found.map_err(|error| raise(py, error))?)
    }

    fn score<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, i64>,
        query: PyReadonlyArray1<'py, f32>,
        metric: &str,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let metric = metric.parse().map_err(|error| raise(py, error))?;
        let (ids, query) = (ids.as_array().to_vec(), query.as_array().to_vec());
        let scores = py.detach(|| self.0.score(&ids, &query, metric));
        Ok(scores.map_err(|error| raise(py, error))?.into_pyarray(py))
    }

    fn within<'py>(
        &self,
        py: Python<'py>,
        query: PyReadonlyArray1<'py, f32>,
        threshold: f32,
        metric: &str,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f32>>)> {
        let metric = metric.parse().map_err(|error| raise(py, error))?;
        let query = query.as_array().to_vec();
        let found = py.detach(|| self.0.within(&query, threshold, metric, &mut interrupted));
        let found = found.map_err(|error| raise(py, error))?;
        let (ids, scores): (Vec<i64>, Vec<f32>) = found.into_iter().map(|hit| (hit.id, hit.score)).unzip();
        Ok((ids.into_pyarray(py), scores.into_pyarray(py)))
    }

    fn vectors<'py>(&self, py: Python<'py>, ids: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let ids = ids.as_array().to_vec();
        let vectors = py.detach(|| self.0.vectors(&ids)).map_err(|error| raise(py, error))?;
        vectors.into_pyarray(py).reshape([ids.len(), self.0.matrix().dims()])
    }

    fn centroid<'py>(&self, py: Python<'py>, ids: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let ids = ids.as_array().to_vec();
        let centroid = py.detach(|| self.0.centroid(&ids));
        Ok(centroid.map_err(|error| raise(py, error))?.into_pyarray(py))
    }
}

/// Whether Python has a signal to handle, such as Ctrl-C.
fn interrupted() -> bool {
    Python::attach(|py| py.check_signals().is_err())
}

/// Every query finds the same number of hits, so they make a rectangle.
fn rectangle(py: Python<'_>, found: Vec<Vec<Hit>>) -> PyResult<Hits<'_>> {
    let shape = [found.len(), found.first().map_or(0, Vec::len)];
    let ids: Vec<i64> = found.iter().flatten().map(|hit| hit.id).collect();
    let scores: Vec<f32> = found.iter().flatten().map(|hit| hit.score).collect();
    Ok((ids.into_pyarray(py).reshape(shape)?, scores.into_pyarray(py).reshape(shape)?))
}

/// The score of each pair of rows: the i-th id of one file and the i-th of another.
#[pyfunction]
fn score_pairs<'py>(
    py: Python<'py>,
    a: PyRef<'py, PyEmbeddingFile>,
    a_ids: PyReadonlyArray1<'py, i64>,
    b: PyRef<'py, PyEmbeddingFile>,
    b_ids: PyReadonlyArray1<'py, i64>,
    metric: &str,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let metric = metric.parse().map_err(|error| raise(py, error))?;
    let (a_ids, b_ids) = (a_ids.as_array().to_vec(), b_ids.as_array().to_vec());
    let (a, b) = (&a.0, &b.0);
    let scores = py.detach(|| emm1_core::score_pairs(a, &a_ids, b, &b_ids, metric));
    Ok(scores.map_err(|error| raise(py, error))?.into_pyarray(py))
}

/// The columns of lines of exactly `columns` non-negative integers each; None where any line is not that.
#[pyfunction]
fn parse_integers<'py>(
    py: Python<'py>,
    data: PyReadonlyArray1<'py, u8>,
    columns: usize,
) -> PyResult<Option<Vec<Bound<'py, PyArray1<i32>>>>> {
    let bytes = data.as_slice()?;
    let parsed = py.detach(|| emm1_core::parse_integers(bytes, columns));
    Ok(parsed.map(|columns| columns.into_iter().map(|column| column.into_pyarray(py)).collect()))
}

/// The native part of emm1.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::PyEmbeddingFile;
    #[pymodule_export]
    use super::parse_integers;
    #[pymodule_export]
    use super::score_pairs;
}
