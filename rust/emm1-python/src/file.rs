//! Embedding files in Python: arguments in, arrays out, the GIL released in between.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use emm1_core::{
    CodesFile, EmbeddingFile, Error, Exclude, Goal, Hit, KeepVerdict, Result, Search, Stop, Version, list_for,
};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray1,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::errors::{raise, run, run_heard, warning};

type Ranks<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);
type Rows<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray2<f32>>);
type Hits<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// The version of an embedding file; two versions are equal if nothing changed in between.
#[pyclass(frozen, eq, module = "emm1._native", name = "Version")]
#[derive(PartialEq)]
pub(crate) struct PyVersion(Version);

#[pymethods]
impl PyVersion {
    #[new]
    #[pyo3(signature = (path, ids_path=None, codes_path=None))]
    fn new(py: Python<'_>, path: PathBuf, ids_path: Option<PathBuf>, codes_path: Option<PathBuf>) -> PyResult<Self> {
        run(py, |_| Version::of(&path, ids_path.as_deref(), codes_path.as_deref())).map(Self)
    }
}

/// Vectors in a file, memory-mapped, and the id of each.
#[pyclass(frozen, module = "emm1._native", name = "EmbeddingFile")]
pub(crate) struct PyEmbeddingFile(pub(crate) EmbeddingFile);

#[pymethods]
impl PyEmbeddingFile {
    #[new]
    #[pyo3(signature = (path, ids_path=None, ids=None, codes_path=None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        ids_path: Option<PathBuf>,
        ids: Option<PyReadonlyArray1<'_, i64>>,
        codes_path: Option<PathBuf>,
    ) -> PyResult<Self> {
        let ids = ids.map(|ids| copied(py, &ids)).transpose()?;
        let opened = run(py, |stop| {
            let file = match ids {
                Some(ids) => EmbeddingFile::open_with(&path, ids, stop),
                None => EmbeddingFile::open(&path, ids_path.as_deref(), stop),
            }?;
            match codes_path {
                Some(codes) => file.with_codes(&codes, KeepVerdict::InFile, stop),
                None => Ok(file),
            }
        })?;
        Ok(Self(opened))
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

    #[getter]
    fn files(&self) -> Vec<&Path> {
        self.0.matrix().files().map(|(file, _)| file).collect()
    }

    #[getter]
    fn ids_path(&self) -> Option<&Path> {
        self.0.ids_path()
    }

    #[getter]
    fn codes_path(&self) -> Option<&Path> {
        self.0.codes().map(CodesFile::path)
    }

    /// Writes codes of the vectors; `progress` is called with the number of rows done, on the calling thread.
    fn build_codes(&self, py: Python<'_>, path: PathBuf, threads: usize, progress: Py<PyAny>) -> PyResult<()> {
        run_counting(py, &progress, |count, stop| self.0.build_codes(&path, threads, count, stop))
    }

    /// Encodes every row again and compares with the codes in use; False if there are none. `progress` is as for
    /// [`build_codes`](Self::build_codes).
    fn verify_codes(&self, py: Python<'_>, threads: usize, progress: Py<PyAny>) -> PyResult<bool> {
        run_counting(py, &progress, |count, stop| self.0.verify_codes(threads, count, stop))
    }

    /// The norm of every row; without codes every row is read and must be finite. `progress` is as for
    /// [`build_codes`](Self::build_codes).
    fn norms<'py>(&self, py: Python<'py>, threads: usize, progress: Py<PyAny>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let norms = run_counting(py, &progress, |count, stop| self.0.norms(threads, count, stop))?;
        Ok(norms.into_pyarray(py))
    }

    /// The reason why codes of this file are neither built nor used, or None.
    fn why_no_codes(&self) -> Option<String> {
        self.0.why_no_codes()
    }

    /// Remarks that are not errors, as warnings; each is returned once.
    fn remarks<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.0.remarks().iter().map(|remark| warning(py, remark)).collect()
    }

    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let ids = run(py, |stop| self.0.list_ids(0, self.0.ids().len(), stop))?;
        Ok(ids.into_pyarray(py))
    }

    /// Where rows are left out, a query may have fewer hits than others: then the rest is the id -1 with the score NaN.
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: PyReadonlyArray2<'py, f32>,
        k: usize,
        how: How<'py>,
    ) -> PyResult<Hits<'py>> {
        let found = self.found(py, queries, Goal::Best(k), how)?;
        rectangle(py, &found)
    }

    fn within<'py>(
        &self,
        py: Python<'py>,
        query: PyReadonlyArray2<'py, f32>,
        threshold: f64,
        how: How<'py>,
    ) -> PyResult<Hits<'py>> {
        let found = self.found(py, query, Goal::Within(threshold), how)?;
        rectangle(py, &found)
    }

    /// For each id and its query: the numbers of rows with a better score, and of others with the same. `of` has the
    /// position of the query of each id, where ids share queries.
    #[pyo3(signature = (ids, queries, how, of=None))]
    fn rank_of<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, i64>,
        queries: PyReadonlyArray2<'py, f32>,
        how: How<'py>,
        of: Option<PyReadonlyArray1<'py, i64>>,
    ) -> PyResult<Ranks<'py>> {
        let of = of.map(|of| copied(py, &of)).transpose()?;
        // A negative position is too large, too.
        let of: Option<Vec<usize>> = of.map(|of| of.into_iter().map(|query| query as usize).collect());
        let (ids, search) = (copied(py, &ids)?, how.search(py)?);
        let queries: Vec<Vec<f32>> = queries.as_array().outer_iter().map(|query| query.to_vec()).collect();
        let slices: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let ranks = run(py, |stop| self.0.ranks(&ids, &slices, of.as_deref(), &search, stop))?;
        let (above, equal): (Vec<i64>, Vec<i64>) =
            ranks.iter().map(|rank| (rank.above as i64, rank.equal as i64)).unzip();
        Ok((above.into_pyarray(py), equal.into_pyarray(py)))
    }

    fn score_pairs<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, i64>,
        other: &Self,
        other_ids: PyReadonlyArray1<'py, i64>,
        metric: &str,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let metric = metric.parse().map_err(|error| raise(py, error))?;
        let (ids, other_ids) = (copied(py, &ids)?, copied(py, &other_ids)?);
        let scores = run(py, |stop| self.0.score_pairs(&ids, &other.0, &other_ids, metric, threads, stop))?;
        Ok(scores.into_pyarray(py))
    }

    fn score<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, i64>,
        query: PyReadonlyArray1<'py, f32>,
        metric: &str,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let metric = metric.parse().map_err(|error| raise(py, error))?;
        let (ids, query) = (copied(py, &ids)?, copied(py, &query)?);
        Ok(run(py, |stop| self.0.score(&ids, &query, metric, stop))?.into_pyarray(py))
    }

    fn vectors<'py>(&self, py: Python<'py>, ids: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let ids = copied(py, &ids)?;
        let vectors = run(py, |stop| self.0.vectors(&ids, stop))?;
        vectors.into_pyarray(py).reshape([ids.len(), self.0.matrix().dims()])
    }

    /// Ids and vectors of the rows from `begin` to `end`.
    fn slice<'py>(&self, py: Python<'py>, begin: usize, end: usize) -> PyResult<Rows<'py>> {
        let (ids, vectors) = run(py, |stop| {
            let ids = self.0.list_ids(begin, end, stop)?;
            let vectors = self.0.vectors(&ids, stop)?;
            Ok((ids, vectors))
        })?;
        let shape = [ids.len(), self.0.matrix().dims()];
        Ok((ids.into_pyarray(py), vectors.into_pyarray(py).reshape(shape)?))
    }

    /// Copies rows, by number, as they are in the file. NumPy allocates `out`, because it asks for huge pages, which takes
    /// an eighth of the time; nobody else may use it during the call.
    fn copy_rows(
        &self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        mut out: PyReadwriteArray1<'_, u8>,
    ) -> PyResult<()> {
        let rows = copied(py, &rows)?;
        let bytes = out.as_slice_mut()?;
        run(py, |stop| self.0.matrix().copy_rows(&rows, bytes, stop))
    }

    /// A descriptor of the file (on Windows a handle), which the caller closes, and where in it the components begin; None
    /// if they are not in one piece.
    fn packed(&self, py: Python<'_>) -> PyResult<Option<(isize, usize)>> {
        let Some((file, start)) = run(py, |_| self.0.matrix().packed())? else { return Ok(None) };
        Ok(Some((given_away(file.try_clone()?), start)))
    }

    fn centroid<'py>(&self, py: Python<'py>, ids: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let ids = copied(py, &ids)?;
        Ok(run(py, |stop| self.0.centroid(&ids, stop))?.into_pyarray(py))
    }
}

/// How to search: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct How<'py> {
    metric: String,
    among: Option<PyReadonlyArray1<'py, i64>>,
    exclude: Option<LeftOut<'py>>,
    threads: usize,
}

/// What queries leave out: for each the row of an id, or ("equal") the rows that are equal to it.
#[derive(FromPyObject)]
enum LeftOut<'py> {
    Ids(PyReadonlyArray1<'py, i64>),
    Equal(String),
}

impl How<'_> {
    fn search(&self, py: Python<'_>) -> PyResult<Search> {
        let list = |ids: &Option<PyReadonlyArray1<'_, i64>>| ids.as_ref().map(|ids| copied(py, ids)).transpose();
        Ok(Search {
            metric: self.metric.parse().map_err(|error| raise(py, error))?,
            among: list(&self.among)?,
            exclude: match &self.exclude {
                None => Exclude::Nothing,
                Some(LeftOut::Ids(ids)) => Exclude::Ids(copied(py, ids)?),
                Some(LeftOut::Equal(word)) if word == "equal" => Exclude::Equal,
                Some(LeftOut::Equal(word)) => {
                    return Err(raise(
                        py,
                        Error::Request(format!("'{word}' says not what to leave out: 'equal' does")),
                    ));
                }
            },
            threads: self.threads,
        })
    }
}

impl PyEmbeddingFile {
    fn found<'py>(
        &self,
        py: Python<'py>,
        queries: PyReadonlyArray2<'py, f32>,
        goal: Goal,
        how: How<'py>,
    ) -> PyResult<Vec<Vec<Hit>>> {
        let search = how.search(py)?;
        let queries: Vec<Vec<f32>> = queries.as_array().outer_iter().map(|query| query.to_vec()).collect();
        let slices: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        run(py, |stop| self.0.search(&slices, goal, &search, stop))
    }
}

/// Runs work that counts the rows it has done, from any thread; `progress` is called with their number on this thread, from
/// time to time and at the end.
fn run_counting<T: Send>(
    py: Python<'_>,
    progress: &Py<PyAny>,
    work: impl FnOnce(&(dyn Fn(usize) + Sync), Stop<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let done = AtomicUsize::new(0);
    let count = |rows: usize| {
        done.fetch_max(rows, Ordering::Relaxed);
    };
    let heard = |py: Python<'_>| progress.call1(py, (done.load(Ordering::Relaxed),)).map(drop);
    let result = run_heard(py, heard, |stop| work(&count, stop))?;
    heard(py)?;
    Ok(result)
}

#[cfg(unix)]
fn given_away(file: File) -> isize {
    std::os::fd::IntoRawFd::into_raw_fd(file) as isize
}

#[cfg(windows)]
fn given_away(file: File) -> isize {
    std::os::windows::io::IntoRawHandle::into_raw_handle(file) as isize
}

/// A copy that Python cannot change while the GIL is released.
fn copied<T: Element + Copy>(py: Python<'_>, array: &PyReadonlyArray1<'_, T>) -> PyResult<Vec<T>> {
    let mut copy = list_for(array.len()).map_err(|error| raise(py, error))?;
    copy.extend(array.as_array());
    Ok(copy)
}

/// A matrix of hits, filled up with the id -1 and the score NaN where queries have fewer than others.
fn rectangle<'py>(py: Python<'py>, found: &[Vec<Hit>]) -> PyResult<Hits<'py>> {
    let shape = [found.len(), found.iter().map(Vec::len).max().unwrap_or(0)];
    let (ids, scores) = run(py, |_| {
        let (mut ids, mut scores) = (list_for(shape[0] * shape[1])?, list_for(shape[0] * shape[1])?);
        for (row, hits) in found.iter().enumerate() {
            ids.extend(hits.iter().map(|hit| hit.id));
            scores.extend(hits.iter().map(|hit| hit.score));
            ids.resize((row + 1) * shape[1], -1);
            scores.resize((row + 1) * shape[1], f32::NAN);
        }
        Ok((ids, scores))
    })?;
    Ok((ids.into_pyarray(py).reshape(shape)?, scores.into_pyarray(py).reshape(shape)?))
}
