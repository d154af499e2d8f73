//! Codes of an embedding file: eight bits per component in four planes of nibbles, and bounds of their errors.

mod belonging;
mod build;
mod checks;
mod encode;
mod file;
mod places;
mod sections;
mod sketch;
#[cfg(all(test, unix))]
mod tests;

pub use belonging::KeepVerdict;
pub(crate) use build::sampled_mean;
use checks::{Checks, Content, SKETCH_SECTION};
pub(crate) use encode::{Block, Encoder};
pub use file::CodesFile;
pub(crate) use file::{MAX_CODED_DIMS, why_no_codes};
#[cfg(test)]
pub(crate) use sketch::SketchBlock;
pub(crate) use sketch::{Axes, Sketcher};

use crate::error::Result;
use crate::matrix::{Matrix, View};
use crate::shape::{Level, Parts, Plane, Record, Sketched};

/// The vectors that are coded.
pub(crate) struct Vectors<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) read: &'a ReadRow<'a>,
}

/// Reads a row of a view; a row that is not finite is an error that names its id.
type ReadRow<'a> = dyn Fn(&View<'_>, usize, &mut [f32]) -> Result<()> + Sync + 'a;

/// Coded rows, in a file or in memory.
#[derive(Clone, Copy)]
pub(crate) struct Coded<'a> {
    pub(crate) records: &'a [[u8; Record::BYTES]],
    /// In the order of the levels.
    pub(crate) planes: [Plane<'a>; 4],
    /// The sketch, and what its rows share.
    pub(crate) sketch: Option<(&'a Axes, Sketched<'a>)>,
    /// The checksums of the file; None for codes in memory.
    checks: Option<Checks<'a>>,
}

impl Coded<'_> {
    /// Verifies the checksums of the records of ascending rows, if that has not been done; call it before using them.
    ///
    /// # Errors
    /// The file is damaged.
    #[inline]
    pub(crate) fn check_records(&self, rows: &[u32]) -> Result<()> {
        let content = Content { bytes: self.records.as_flattened(), width: Record::BYTES, rows: self.records.len() };
        self.checks.map_or(Ok(()), |checks| checks.verify(0, content, rows))
    }

    /// Verifies the checksums of ascending rows in the plane of a level, like [`check_records`](Self::check_records).
    ///
    /// # Errors
    /// The file is damaged.
    #[inline]
    pub(crate) fn check_plane(&self, level: Level, rows: &[u32]) -> Result<()> {
        let Plane { bytes, width } = self.planes[level as usize];
        let content = Content { bytes, width, rows: self.records.len() };
        self.checks.map_or(Ok(()), |checks| checks.verify(1 + level as usize, content, rows))
    }

    /// Verifies the checksums of ascending rows in the sketch, if there is one, like
    /// [`check_records`](Self::check_records).
    ///
    /// # Errors
    /// The file is damaged.
    #[inline]
    pub(crate) fn check_sketch(&self, rows: &[u32]) -> Result<()> {
        let (Some((_, sketch)), Some(checks)) = (self.sketch, self.checks) else { return Ok(()) };
        let width = sketch.zones.width();
        let content = Content { bytes: sketch.groups, width, rows: sketch.groups.len() / width };
        checks.verify(SKETCH_SECTION, content, rows)
    }
}

impl Block {
    pub(crate) fn coded(&self, parts: Parts) -> Coded<'_> {
        let plane = |level: Level| Plane { bytes: &self.planes[level as usize], width: parts.widths[level.part()] };
        Coded { records: self.records.as_chunks().0, planes: Level::ALL.map(plane), sketch: None, checks: None }
    }
}
