//! The norm of every row: from the codes, which hold it, or else from the rows.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{EmbeddingFile, PIECE};
use crate::error::{Error, Result, zeros};
use crate::kernel::kernels;
use crate::matrix::Access;
use crate::parallel::{Stop, in_parallel};
use crate::shape::Record;

/// Rows whose norms are read from the codes between two calls of `stop`.
const RECORDS: usize = 1 << 16;

impl EmbeddingFile {
    /// The Euclidean norm of every row, rounded to f32; infinity if it is beyond f32. With codes only 16 bytes a row are
    /// read, without them every component. `progress` is called with the number of rows done.
    ///
    /// # Errors
    /// A row holds NaN or an infinity, there is no memory for the norms, or `stop` returned true.
    pub fn norms(&self, threads: usize, progress: &(dyn Fn(usize) + Sync), stop: Stop<'_>) -> Result<Vec<f32>> {
        match self.norms_in_codes(progress, stop) {
            Ok(Some(norms)) => Ok(norms),
            // Damaged codes are not used from here on.
            Ok(None) | Err(Error::Codes(..)) => self.norms_of_rows(threads, progress, stop),
            Err(error) => Err(error),
        }
    }

    fn norms_in_codes(&self, progress: &(dyn Fn(usize) + Sync), stop: Stop<'_>) -> Result<Option<Vec<f32>>> {
        let Some(codes) = &self.codes else { return Ok(None) };
        if !codes.can_be_used(&self.matrix, stop)? {
            return Ok(None);
        }
        let coded = codes.coded()?;
        let mut norms = zeros(self.matrix.rows())?;
        in_parallel(1, norms.chunks_mut(RECORDS).enumerate(), stop, |(piece, norms)| {
            let begin = piece * RECORDS;
            let numbers: Vec<u32> = (begin..begin + norms.len()).map(|row| row as u32).collect();
            coded.check_records(&numbers)?;
            for (norm, record) in norms.iter_mut().zip(&coded.records[begin..]) {
                *norm = rounded(Record::from_bytes(record).norm);
            }
            progress(begin + norms.len());
            Ok(())
        })?;
        Ok(Some(norms))
    }

    fn norms_of_rows(&self, threads: usize, progress: &(dyn Fn(usize) + Sync), stop: Stop<'_>) -> Result<Vec<f32>> {
        let (kernels, done) = (kernels()?, AtomicUsize::new(0));
        let block = PIECE / self.matrix.dims().max(1) + 1;
        let mut norms = zeros(self.matrix.rows())?;
        in_parallel(threads, norms.chunks_mut(block).enumerate(), stop, |(piece, norms)| {
            let view = self.matrix.view(Access::Bulk)?;
            let mut row = zeros(self.matrix.dims())?;
            for (at, norm) in norms.iter_mut().enumerate() {
                self.finite_row(&view, piece * block + at, &mut row)?;
                *norm = rounded((kernels.square.of(&(), row[..].into()).sqrt() as f32).next_up());
            }
            progress(done.fetch_add(norms.len(), Ordering::Relaxed) + norms.len());
            Ok(())
        })?;
        Ok(norms)
    }
}

/// The norm in f32, from the next greater f32, which codes hold.
fn rounded(norm: f32) -> f32 {
    if norm.is_finite() { norm.next_down() } else { norm }
}
