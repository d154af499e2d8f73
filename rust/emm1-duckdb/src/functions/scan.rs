//! `emm1_scan(file)`: all ids and vectors of a file.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use emm1_core::{EmbeddingFile, Result};

use super::FLOATS;
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

    fn next(&self, taken: &AtomicUsize, (): &mut (), rows: &Rows<'_>) -> Result<usize> {
        let first = taken.fetch_add(rows.capacity(), Relaxed).min(self.rows());
        let last = (first + rows.capacity()).min(self.rows());
        let ids: Vec<i64> = (first..last).map(|row| self.file.ids().id(row)).collect();
        rows.write(0, ids.iter())?;
        if rows.wants(1) {
            let vectors = self.file.vectors(&ids)?;
            let vectors: Vec<Vec<f32>> = vectors.chunks(self.file.matrix().dims()).map(<[f32]>::to_vec).collect();
            rows.write(1, vectors.iter())?;
        }
        Ok(last - first)
    }
}
