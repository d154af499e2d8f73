//! An embedding file: vectors and the ids of their rows.

mod ids;
pub mod locate;
mod norms;
mod version;

use std::path::{Path, PathBuf};

use crate::codes::{CodesFile, KeepVerdict, Vectors, why_no_codes};
use crate::error::{Error, Remark, Result, list_for, zeros};
use crate::kernel::kernels;
use crate::lock::Lock;
use crate::matrix::{Access, Matrix, View};
use crate::parallel::{Stop, in_parallel};
use crate::score::{Metric, Query};
use crate::shape::Row;
pub use ids::Ids;
use locate::ids_beside;
pub use locate::{Location, Registered};
pub use version::Version;

/// Vectors in a file, and the id of each.
#[derive(Debug)]
pub struct EmbeddingFile {
    pub(crate) matrix: Matrix,
    pub(crate) ids: Ids,
    ids_path: Option<PathBuf>,
    pub(crate) codes: Option<CodesFile>,
    remarks: Lock<Vec<Remark>>,
}

/// Pairs that a thread scores between two calls of `stop`.
const PAIRS: usize = 1024;
/// Components read between two calls of `stop`: a few milliseconds, if they come from a disk.
const PIECE: usize = 1 << 18;

impl EmbeddingFile {
    /// Opens a file with the ids in `ids`, or in `NAME.ids.npy` beside it, or with the row numbers as ids. For a folder
    /// of shards, `ids` may also be a folder with a `SHARD.ids.npy` for each shard.
    ///
    /// # Errors
    /// A file is not what it should be, or `stop` returned true.
    pub fn open(path: &Path, ids: Option<&Path>, stop: Stop<'_>) -> Result<Self> {
        let matrix = Matrix::open(path)?;
        let Some(source) = ids.map(Path::to_owned).or_else(|| ids_beside(path)) else {
            let ids = Ids::RowNumbers(matrix.rows());
            return Ok(Self { matrix, ids, ids_path: None, codes: None, remarks: Lock::new(Vec::new()) });
        };
        let listed = Ids::read(&source, &matrix, stop)?;
        Ok(Self { ids_path: Some(source.clone()), ..Self::with_ids(matrix, &source, listed, stop)? })
    }

    /// Opens a file with a list of ids.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(path: &Path, ids: Vec<i64>, stop: Stop<'_>) -> Result<Self> {
        Self::with_ids(Matrix::open(path)?, Path::new("ids"), ids, stop)
    }

    fn with_ids(matrix: Matrix, source: &Path, ids: Vec<i64>, stop: Stop<'_>) -> Result<Self> {
        if ids.len() != matrix.rows() {
            return Err(Error::file(
                source,
                format!("{} ids for the {} rows of {}", ids.len(), matrix.rows(), matrix.path().display()),
            ));
        }
        Ok(Self {
            ids: Ids::listed(source, ids, stop)?,
            matrix,
            ids_path: None,
            codes: None,
            remarks: Lock::new(Vec::new()),
        })
    }

    /// The vectors.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// The ids of the rows.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The ids of the rows from `begin` to `end`, as far as there are rows.
    ///
    /// # Errors
    /// There is no memory for them, or `stop` returned true.
    pub fn list_ids(&self, begin: usize, end: usize, stop: Stop<'_>) -> Result<Vec<i64>> {
        let end = end.min(self.ids.len());
        let begin = begin.min(end);
        let mut list = list_for(end - begin)?;
        for piece in (begin..end).step_by(PIECE) {
            if stop() {
                return Err(Error::Stopped);
            }
            list.extend((piece..end.min(piece + PIECE)).map(|row| self.ids.id(row)));
        }
        Ok(list)
    }

    /// The file or folder of the ids; None if they were given as a list or are the row numbers.
    pub fn ids_path(&self) -> Option<&Path> {
        self.ids_path.as_deref()
    }

    /// The score of each of these ids against a query.
    ///
    /// # Errors
    /// The file has no such id, a vector is not finite, a score is beyond f32, or `stop` returned true.
    pub fn score(&self, ids: &[i64], query: &[f32], metric: Metric, stop: Stop<'_>) -> Result<Vec<f32>> {
        self.check_query(query)?;
        let query = Query::new(kernels()?, query, metric);
        let mut scores = list_for(ids.len())?;
        self.each(ids, stop, |number, row| {
            scores.push(query.score(row).ok_or_else(|| self.not_finite(number))?);
            Ok(())
        })?;
        match ids.iter().zip(&scores).find(|(_, score)| score.is_infinite()) {
            Some((&id, _)) => Err(self.beyond_float(id, metric, "the query")),
            None => Ok(scores),
        }
    }

    /// Scores of pairs: of each of these ids with the id at the same position in the other list, which is of the other
    /// file.
    ///
    /// # Errors
    /// The lists or the vectors differ in length, a file has no such id, a vector is not finite, a score is beyond f32,
    /// or `stop` returned true.
    pub fn score_pairs(
        &self,
        ids: &[i64],
        other: &Self,
        other_ids: &[i64],
        metric: Metric,
        threads: usize,
        stop: Stop<'_>,
    ) -> Result<Vec<f32>> {
        if ids.len() != other_ids.len() {
            return Err(Error::Request(format!("{} ids and {} ids are not pairs", ids.len(), other_ids.len())));
        }
        if self.matrix.dims() != other.matrix.dims() {
            let (mine, theirs) = (self.matrix.path().display(), other.matrix.path().display());
            let dims = (self.matrix.dims(), other.matrix.dims());
            return Err(Error::Request(format!(
                "the vectors of {mine} have {} components, those of {theirs} {}",
                dims.0, dims.1
            )));
        }
        let kernels = kernels()?;
        let mut scores: Vec<f32> = zeros(ids.len())?;
        let pairs = ids.chunks(PAIRS).zip(other_ids.chunks(PAIRS)).zip(scores.chunks_mut(PAIRS));
        in_parallel(threads, pairs, stop, |((ids, other_ids), scores)| {
            let (mine, theirs) = (self.matrix.view(Access::Bulk)?, other.matrix.view(Access::Bulk)?);
            let rows = ids.iter().map(|&id| self.row_of(id)).collect::<Result<Vec<_>>>()?;
            let other_rows = other_ids.iter().map(|&id| other.row_of(id)).collect::<Result<Vec<_>>>()?;
            let (mut a, mut b) = (zeros(self.matrix.dims())?, zeros(self.matrix.dims())?);
            let mut query = Query::new(kernels, &[], metric);
            for (at, score) in scores.iter_mut().enumerate() {
                if let (Some(&row), Some(&other_row)) = (rows.get(at + 1), other_rows.get(at + 1)) {
                    mine.prefetch(row)?;
                    theirs.prefetch(other_row)?;
                }
                query.set(mine.row(rows[at], &mut a)?);
                *score = query.score(theirs.row(other_rows[at], &mut b)?).ok_or_else(|| {
                    let (file, row) = if query.is_finite() { (other, other_rows[at]) } else { (self, rows[at]) };
                    file.not_finite(row)
                })?;
            }
            Ok(())
        })?;
        match scores.iter().position(|score| score.is_infinite()) {
            Some(pair) => {
                let partner = format!("id {} of {}", other_ids[pair], other.matrix.path().display());
                Err(self.beyond_float(ids[pair], metric, &partner))
            }
            None => Ok(scores),
        }
    }

    /// Uses the codes in a file, if it exists and they belong to the vectors; the answers are the same without codes.
    ///
    /// # Errors
    /// The file of codes may not be read, or `stop` returned true.
    pub fn with_codes(mut self, path: &Path, keep: KeepVerdict, stop: Stop<'_>) -> Result<Self> {
        let mut remarks = Vec::new();
        self.codes = CodesFile::open(path, &self.matrix, keep, &mut remarks, stop)?;
        remarks.into_iter().for_each(|remark| self.remark(remark));
        Ok(self)
    }

    /// The codes in use.
    pub fn codes(&self) -> Option<&CodesFile> {
        self.codes.as_ref()
    }

    /// Writes codes of the vectors to a file, in bounded memory; `progress` is called with the number of rows done.
    ///
    /// # Errors
    /// A row holds NaN or an infinity, the path cannot be written, the file of vectors is being written or is on a file
    /// system that hides writes, or `stop` returned true; nothing is left behind then.
    pub fn build_codes(
        &self,
        path: &Path,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
        stop: Stop<'_>,
    ) -> Result<()> {
        let read = |view: &View<'_>, row: usize, out: &mut [f32]| self.finite_row(view, row, out);
        CodesFile::build(path, &Vectors { matrix: &self.matrix, read: &read }, threads, progress, stop)
    }

    /// Encodes every row again and compares with the codes in use; false if there are none. `progress` is called with the
    /// number of rows done.
    ///
    /// # Errors
    /// They differ, and the message says what to do; a row holds NaN or an infinity; or `stop` returned true.
    pub fn verify_codes(&self, threads: usize, progress: &(dyn Fn(usize) + Sync), stop: Stop<'_>) -> Result<bool> {
        let Some(codes) = &self.codes else { return Ok(false) };
        let read = |view: &View<'_>, row: usize, out: &mut [f32]| self.finite_row(view, row, out);
        codes.verify(&Vectors { matrix: &self.matrix, read: &read }, threads, progress, stop)?;
        Ok(true)
    }

    /// The reason why codes of this file are neither built nor used, if there is one.
    pub fn why_no_codes(&self) -> Option<String> {
        why_no_codes(&self.matrix).map(|why| why.to_string())
    }

    pub(crate) fn remark(&self, remark: Remark) {
        self.remarks.lock().push(remark);
    }

    /// Remarks that are not errors: codes that are not used, and why. Each is returned once.
    pub fn remarks(&self) -> Vec<Remark> {
        std::mem::take(&mut *self.remarks.lock())
    }

    /// The vectors of these ids, one after another.
    ///
    /// # Errors
    /// The file has no such id, there is no memory for the vectors, or `stop` returned true.
    pub fn vectors(&self, ids: &[i64], stop: Stop<'_>) -> Result<Vec<f32>> {
        let mut vectors = list_for(ids.len().saturating_mul(self.matrix.dims()))?;
        self.each(ids, stop, |_, row| {
            let begin = vectors.len();
            vectors.resize(begin + row.len(), 0.0);
            row.widen(&mut vectors[begin..]);
            Ok(())
        })?;
        Ok(vectors)
    }

    /// The mean of the vectors of these ids: f64 sums in ascending order of rows, rounded once. An id listed twice
    /// counts twice. The mean of numbers within f32 is within f32.
    ///
    /// # Errors
    /// There are no ids, the file does not have an id, a vector is not finite, or `stop` returned true.
    pub fn centroid(&self, ids: &[i64], stop: Stop<'_>) -> Result<Vec<f32>> {
        if ids.is_empty() {
            return Err(Error::Request("the centroid of no vectors does not exist: name at least one id".into()));
        }
        let mut by_row = list_for(ids.len())?;
        by_row.extend_from_slice(ids);
        by_row.sort_by_key(|&id| self.ids.row(id));
        let (mut sums, mut values): (Vec<f64>, _) = (zeros(self.matrix.dims())?, zeros(self.matrix.dims())?);
        self.each(&by_row, stop, |number, row| {
            row.widen(&mut values);
            for (sum, &value) in sums.iter_mut().zip(&values) {
                *sum += f64::from(value);
            }
            if finite(&values) { Ok(()) } else { Err(self.not_finite(number)) }
        })?;
        let mut mean = list_for(sums.len())?;
        mean.extend(sums.into_iter().map(|sum| (sum / ids.len() as f64) as f32));
        Ok(mean)
    }

    /// Calls `with` with the number and the components of the row of each id.
    fn each(&self, ids: &[i64], stop: Stop<'_>, mut with: impl FnMut(usize, Row<'_>) -> Result<()>) -> Result<()> {
        let view = self.matrix.view(Access::Bulk)?;
        let mut row = zeros(self.matrix.dims())?;
        let piece = PIECE / self.matrix.dims().max(1) + 1;
        for (at, &id) in ids.iter().enumerate() {
            if at % piece == 0 && stop() {
                return Err(Error::Stopped);
            }
            let number = self.row_of(id)?;
            with(number, view.row(number, &mut row)?)?;
        }
        Ok(())
    }

    fn row_of(&self, id: i64) -> Result<usize> {
        self.ids.row(id).ok_or_else(|| {
            Error::file(self.matrix.path(), format!("no vector has the id {id} ({} rows)", self.matrix.rows()))
        })
    }

    /// Writes a row to `out`.
    ///
    /// # Errors
    /// It holds NaN or an infinity.
    pub(crate) fn finite_row(&self, view: &View<'_>, row: usize, out: &mut [f32]) -> Result<()> {
        view.row_f32(row, out)?;
        if finite(out) { Ok(()) } else { Err(self.not_finite(row)) }
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

    /// The error for a row whose score cannot be returned: it would be an infinity, which cannot be ranked.
    pub(crate) fn beyond_float(&self, id: i64, metric: Metric, partner: &str) -> Error {
        let row = self.ids.row(id).map_or_else(String::new, |row| format!("row {row} "));
        let text = format!(
            "{row}(id {id}): its {metric} score with {partner} is beyond FLOAT (3.4e38): use cosine, or scale the vectors \
             down"
        );
        Error::file(self.matrix.path(), text)
    }

    pub(crate) fn not_finite(&self, row: usize) -> Error {
        let id = self.ids.id(row);
        Error::file(self.matrix.path(), format!("row {row} (id {id}) holds NaN or an infinity: remove or fix it"))
    }
}

/// Whether no value is NaN or an infinity.
fn finite(values: &[f32]) -> bool {
    const INFINITE: u32 = 0x7f80_0000;
    values.iter().fold(0, |any, value| any | u32::from(value.to_bits() & INFINITE == INFINITE)) == 0
}
