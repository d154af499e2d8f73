//! `emm1_scan(file)`: all ids and vectors of a file.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use emm1_core::{EmbeddingFile, Result};

use super::FLOATS;
use crate::ffi::output::Part;
use crate::ffi::table_function::{Arguments, Rows, Table};
use crate::ffi::types::Kind;
use crate::files;
use crate::settings::Settings;

/// `emm1_scan`.
pub(crate) struct Scan {
    file: Arc<EmbeddingFile>,
    threads: usize,
}

impl Table for Scan {
    const NAME: &'static CStr = c"emm1_scan";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar];
    const NAMED: &'static [(&'static CStr, Kind)] = &[];
    const COLUMNS: &'static [(&'static CStr, Kind)] = &[(c"id", Kind::BigInt), (c"vector", FLOATS)];
    /// The first row that no thread has taken.
    type Shared = AtomicUsize;
    type Local = ();
    /// The ids of some rows and their vectors, if they are asked for.
    type Batch = (Vec<i64>, Vec<Part>);

    fn bind(settings: &Arc<Settings>, arguments: &Arguments) -> Result<Self> {
        Ok(Self { file: files::open(settings, &arguments.text(0)?)?, threads: settings.threads() })
    }

    fn rows(&self) -> usize {
        self.file.matrix().rows()
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn start(&self) -> AtomicUsize {
        AtomicUsize::new(0)
    }

    fn next(&self, taken: &AtomicUsize, (): &mut (), rows: &Rows<'_>) -> Result<Self::Batch> {
        let first = taken.fetch_add(rows.capacity(), Relaxed).min(self.rows());
        let last = (first + rows.capacity()).min(self.rows());
        let ids = self.file.list_ids(first, last, &mut || false)?;
        if !rows.wants(1) {
            return Ok((ids, Vec::new()));
        }
        let (vectors, dims) = (Arc::new(self.file.vectors(&ids, &mut || false)?), self.file.matrix().dims());
        let part = |row: usize| Part { of: Arc::clone(&vectors), range: row * dims..(row + 1) * dims };
        let parts = (0..ids.len()).map(part).collect();
        Ok((ids, parts))
    }

    fn write((ids, vectors): &Self::Batch, rows: &Rows<'_>) -> Result<usize> {
        rows.write(0, ids.iter())?;
        rows.write(1, vectors.iter())?;
        Ok(ids.len())
    }
}
