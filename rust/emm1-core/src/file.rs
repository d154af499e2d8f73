//! An embedding file: vectors and the ids of their rows.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::matrix::Matrix;
use crate::score::{Metric, Query, norm};

/// Vectors in a file, and the id of each.
#[derive(Debug)]
pub struct EmbeddingFile {
    pub(crate) matrix: Matrix,
    pub(crate) ids: Ids,
    ids_path: Option<PathBuf>,
}

impl EmbeddingFile {
    /// Opens a file with the ids in `ids`, or in `NAME.ids.npy` beside it, or else the row numbers. For a folder of
    /// shards, `ids` may be a folder too, with a `SHARD.ids.npy` for each shard.
    pub fn open(path: &Path, ids: Option<&Path>) -> Result<Self> {
        let matrix = Matrix::open(path)?;
        let Some(source) = ids.map(Path::to_owned).or_else(|| Ids::beside(path)) else {
            let ids = Ids::RowNumbers(matrix.rows());
            return Ok(Self { matrix, ids, ids_path: None });
        };
        let listed = Ids::read(&source, &matrix)?;
        Ok(Self { ids_path: Some(source.clone()), ..Self::with_ids(matrix, &source, listed)? })
    }

    /// Opens a file with a list of ids.
    pub fn open_with(path: &Path, ids: Vec<i64>) -> Result<Self> {
        Self::with_ids(Matrix::open(path)?, Path::new("ids"), ids)
    }

    fn with_ids(matrix: Matrix, source: &Path, ids: Vec<i64>) -> Result<Self> {
        if ids.len() != matrix.rows() {
            return Err(Error::file(
                source,
                format!("{} ids for the {} rows of {}", ids.len(), matrix.rows(), matrix.path().display()),
            ));
        }
        Ok(Self { ids: Ids::listed(source, ids)?, matrix, ids_path: None })
    }

    /// The vectors.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// The ids of the rows.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The file of the ids, or the folder of them; None where they were given as a list or are the row numbers.
    pub fn ids_path(&self) -> Option<&Path> {
        self.ids_path.as_deref()
    }

    /// Score of each of these ids against a query.
    ///
    /// # Errors
    /// The file has no such id, or a vector is not finite.
    pub fn score(&self, ids: &[i64], query: &[f32], metric: Metric) -> Result<Vec<f32>> {
        self.check_query(query)?;
        let query = Query::new(query);
        let mut scores = Vec::with_capacity(ids.len());
        self.each(ids, |number, row| {
            let score = query.score(metric, row, norm(metric, row));
            scores.push(score.ok_or_else(|| self.not_finite(number))?);
            Ok(())
        })?;
        Ok(scores)
    }

    /// The vectors of these ids, one after another.
    ///
    /// # Errors
    /// The file has no such id.
    pub fn vectors(&self, ids: &[i64]) -> Result<Vec<f32>> {
        let mut vectors = Vec::with_capacity(ids.len() * self.matrix.dims());
        self.each(ids, |_, row| {
            vectors.extend_from_slice(row);
            Ok(())
        })?;
        Ok(vectors)
    }

    /// The mean of the vectors of these ids: f64 sums in ascending order of rows, rounded once. An id listed twice
    /// counts twice.
    ///
    /// # Errors
    /// No ids, an id that the file has not, or a vector that is not finite.
    pub fn centroid(&self, ids: &[i64]) -> Result<Vec<f32>> {
        if ids.is_empty() {
            return Err(Error::Request("the centroid of no vectors does not exist: name at least one id".into()));
        }
        let mut by_row = ids.to_vec();
        by_row.sort_by_key(|&id| self.ids.row(id));
        let mut sums = vec![0.0f64; self.matrix.dims()];
        self.each(&by_row, |number, row| {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
            if row.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(self.not_finite(number)) }
        })?;
        Ok(sums.into_iter().map(|sum| (sum / ids.len() as f64) as f32).collect())
    }

    /// Calls `with` with the row number and the vector of each id.
    fn each(&self, ids: &[i64], mut with: impl FnMut(usize, &[f32]) -> Result<()>) -> Result<()> {
        let view = self.matrix.view()?;
        let mut row = vec![0.0; self.matrix.dims()];
        for &id in ids {
            let number = self.ids.row(id).ok_or_else(|| {
                Error::file(self.matrix.path(), format!("no vector has the id {id} ({} rows)", self.matrix.rows()))
            })?;
            view.row_f32(number, &mut row)?;
            with(number, &row)?;
        }
        Ok(())
    }

    pub(crate) fn check_query(&self, query: &[f32]) -> Result<()> {
        let dims = self.matrix.dims();
        if query.len() != dims {
            return Err(Error::Request(format!(
                "the query has {} components, the vectors of {} have {dims}",
                query.len(),
                self.matrix.path().display()
            )));
        }
        match query.iter().position(|value| !value.is_finite()) {
            Some(component) => {
                Err(Error::Request(format!("component {component} of the query is {}", query[component])))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn not_finite(&self, row: usize) -> Error {
        let id = self.ids.id(row);
        Error::file(self.matrix.path(), format!("row {row} (id {id}) holds NaN or an infinity: remove or mend it"))
    }
}
