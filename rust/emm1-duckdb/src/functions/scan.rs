//! `emm1_scan(file) -> TABLE(id BIGINT, vector FLOAT[])`: all ids and vectors of a file.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use emm1_core::{EmbeddingFile, Result};

use super::FLOATS;
use crate::cache;
use crate::ffi::output::Slice;
use crate::ffi::table_function::{Arguments, Rows, Table};
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_scan`: its argument, and an upper bound of the number of rows.
pub(crate) struct Scan {
    argument: String,
    rows: usize,
    settings: Arc<Settings>,
}

/// The file as it is when a query starts, which for a prepared statement can be long after `bind`.
pub(crate) struct Shared {
    file: Arc<EmbeddingFile>,
    /// The first row that no thread has taken.
    taken: AtomicUsize,
}

impl Table for Scan {
    const NAME: &'static CStr = c"emm1_scan";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar];
    const NAMED: &'static [(&'static CStr, SqlType)] = &[];
    const COLUMNS: &'static [(&'static CStr, SqlType)] = &[(c"id", SqlType::BigInt), (c"vector", FLOATS)];
    type Shared = Shared;
    type Local = ();
    /// The ids of some rows, and their vectors if the query asks for them.
    type Batch = (Vec<i64>, Vec<Slice>);

    fn bind(settings: &Arc<Settings>, arguments: &Arguments) -> Result<Self> {
        let mut scan = Self { argument: arguments.text(0)?, rows: 0, settings: Arc::clone(settings) };
        scan.rows = scan.start()?.file.matrix().rows();
        Ok(scan)
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn threads(&self) -> usize {
        self.settings.threads()
    }

    fn start(&self) -> Result<Shared> {
        Ok(Shared { file: cache::open(&self.settings, &self.argument)?, taken: AtomicUsize::new(0) })
    }

    fn next(&self, Shared { file, taken }: &Shared, (): &mut (), rows: &Rows<'_>) -> Result<Self::Batch> {
        let first = taken.fetch_add(rows.capacity(), Relaxed);
        let ids = file.list_ids(first, first + rows.capacity(), &mut || false)?;
        if !rows.wants(1) {
            return Ok((ids, Vec::new()));
        }
        let (vectors, dims) = (Arc::new(file.vectors(&ids, &mut || false)?), file.matrix().dims());
        let slice = |row: usize| Slice { of: Arc::clone(&vectors), range: row * dims..(row + 1) * dims };
        let parts = (0..ids.len()).map(slice).collect();
        Ok((ids, parts))
    }

    fn write((ids, vectors): &Self::Batch, rows: &Rows<'_>) -> Result<usize> {
        rows.write(0, ids.iter())?;
        rows.write(1, vectors.iter())?;
        Ok(ids.len())
    }
}
