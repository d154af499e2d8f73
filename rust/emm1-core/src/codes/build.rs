//! Builds a file of codes under a temporary name beside its path and renames it when it is complete.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::belonging::{rows_of, settled, to_bytes};
use super::checks::{BLOCK, CHECKED_SECTIONS};
use super::file::{CodesFile, why_no_codes};
use super::places::{AXES, MEAN, Places, lengths};
use super::sections::{Sections, Shape};
use super::sketch::{SketchBlock, Sketcher, choose};
use crate::codes::{Block, Encoder, Vectors};
use crate::error::{Error, Result};
use crate::identity::FileId;
use crate::matrix::{Access, View};
use crate::parallel::{Stop, in_parallel};
use crate::shape::{Level, Parts, Record, Zones};

/// Rows whose mean approximates the mean of all rows.
const SAMPLE: usize = 4096;
/// Components encoded at a time.
const COMPONENTS: usize = 1 << 20;

impl CodesFile {
    /// Writes the codes of vectors to a file, in bounded memory.
    ///
    /// # Errors
    /// A row holds NaN or an infinity, the path cannot be written, the file of vectors is being written or is on a file
    /// system that hides writes, or `stop` returned true; nothing is left behind then.
    pub(crate) fn build(
        path: &Path,
        vectors: &Vectors<'_>,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
        stop: Stop<'_>,
    ) -> Result<()> {
        let matrix = vectors.matrix;
        if let Some(why) = why_no_codes(matrix) {
            return Err(why);
        }
        let busy = || {
            let text = "is being written, or cannot be flushed to its disk: build its codes when that is over";
            Error::file(matrix.path(), text)
        };
        let identity = settled(matrix, true)?.ok_or_else(busy)?;
        let failed = |error: std::io::Error| Error::cannot_write(path, error);
        let written = beside(path).map_err(failed)?;
        write(written.as_file(), path, vectors, &identity, threads, progress, stop)?;
        if matrix.identity()? != identity {
            return Err(Error::file(matrix.path(), "changed while its codes were built: build them again"));
        }
        written.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// The mean of rows that are evenly spaced in the matrix; zeros if it is not finite.
pub(crate) fn sampled_mean(view: &View<'_>, rows: usize, dims: usize) -> Result<Vec<f32>> {
    let mut sums = vec![0.0f64; dims];
    let mut row = vec![0.0; dims];
    let sample = rows.min(SAMPLE);
    for number in 0..sample {
        view.row_f32((number as u128 * rows as u128 / sample as u128) as usize, &mut row)?;
        sums.iter_mut().zip(&row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / sample.max(1) as f64) as f32).collect();
    Ok(if mean.iter().all(|value| value.is_finite()) { mean } else { vec![0.0; dims] })
}

/// Rows encoded at a time: whole blocks.
pub(super) fn block_of(dims: usize) -> usize {
    (COMPONENTS / dims).max(1).next_multiple_of(BLOCK)
}

/// Creates a file beside a path under a unique name; it is deleted unless it is persisted.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".building");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // minus the umask
    builder.tempfile_in(folder)
}

fn write(
    file: &File,
    path: &Path,
    vectors: &Vectors<'_>,
    identity: &[FileId],
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
    stop: Stop<'_>,
) -> Result<()> {
    let matrix = vectors.matrix;
    let shape = Shape::of(matrix);
    let too_large = || Error::file(matrix.path(), "is too large for codes");
    let encoder = Encoder::new(sampled_mean(&matrix.view(Access::Bulk)?, shape.rows, shape.dims)?)?;
    let mut axes = choose(vectors, encoder.mean(), threads, stop)?;
    let zones = axes.as_ref().map(|axes| axes.zones);
    let mut sections = Sections::place(&lengths(shape, identity.len(), zones)).ok_or_else(too_large)?;
    let places = Places::of(&sections, shape, zones).expect("all have a place");
    let sketcher = axes.as_ref().map(|axes| Sketcher::new(axes, encoder.mean())).transpose()?;
    let norms = Mutex::new([f32::INFINITY, f32::NEG_INFINITY]);
    let failed = |error: std::io::Error| Error::cannot_write(path, error);
    file.set_len(sections.end() as u64).map_err(failed)?;
    let turn = Mutex::new(file);
    let put = |at: usize, bytes: &[u8]| {
        let mut file = turn.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at as u64)).and_then(|_| file.write_all(bytes)).map_err(failed)
    };
    let mean: Vec<u8> = encoder.mean().iter().flat_map(|value| value.to_le_bytes()).collect();
    sections.set_checksum(MEAN, &mean);
    put(places.mean.start, &mean)?;
    put(places.source.start, &to_bytes(identity))?;

    let (block, blocks) = (block_of(shape.dims), shape.rows.div_ceil(BLOCK));
    let done = AtomicUsize::new(0);
    in_parallel(threads, (0..shape.rows).step_by(block), stop, |begin| {
        let view = matrix.view(Access::Bulk)?;
        let count = block.min(shape.rows - begin);
        let coded = encoder.block(count, |number, row| (vectors.read)(&view, begin + number, row))?;
        put(places.records.start + begin * Record::BYTES, &coded.records)?;
        for (level, plane) in Level::ALL.into_iter().zip(&coded.planes) {
            let width = encoder.parts().widths[level.part()];
            put(places.planes[level as usize].start + begin * width, &plane[..count * width])?;
        }
        let first = begin / BLOCK * size_of::<u32>();
        let mut of_rows = Vec::with_capacity(count.div_ceil(BLOCK) * size_of::<u32>());
        for block in begin / BLOCK..(begin + count).div_ceil(BLOCK) {
            of_rows.extend(view.checksum(rows_of(block, shape.rows))?.to_le_bytes());
        }
        put(places.rows.start + first, &of_rows)?;
        for (section, checksums) in checksums(&coded, count, encoder.parts()).iter().enumerate() {
            put(places.checks.start + section * blocks * size_of::<u32>() + first, checksums)?;
        }
        if let (Some(sketcher), Some(places), Some(zones)) = (&sketcher, &places.sketch, zones) {
            let sketch = sketcher.block(count, |number, row| (vectors.read)(&view, begin + number, row))?;
            put(places.groups.start + begin * zones.width(), &sketch.groups)?;
            put(places.checks.start + first, &checksums_of_sketch(&sketch, zones))?;
            let mut norms = norms.lock().unwrap_or_else(PoisonError::into_inner);
            *norms = [norms[0].min(sketch.norms[0]), norms[1].max(sketch.norms[1])];
        }
        progress(done.fetch_add(count, Ordering::Relaxed) + count);
        Ok(())
    })?;
    if let (Some(axes), Some(places)) = (&mut axes, &places.sketch) {
        axes.norms = norms.into_inner().unwrap_or_else(PoisonError::into_inner);
        let bytes = axes.to_bytes();
        sections.set_checksum(AXES, &bytes);
        put(places.axes.start, &bytes)?;
    }
    put(0, &sections.header(shape))?;
    file.sync_all().map_err(failed)
}

/// The checksums of the blocks of records and of each plane.
fn checksums(coded: &Block, count: usize, parts: Parts) -> [Vec<u8>; CHECKED_SECTIONS] {
    std::array::from_fn(|section| {
        let (bytes, width) = match section {
            0 => (&coded.records, Record::BYTES),
            _ => (&coded.planes[section - 1], parts.widths[Level::ALL[section - 1].part()]),
        };
        let block = |block: usize| {
            let rows = rows_of(block, count);
            crc32fast::hash(&bytes[rows.start * width..rows.end * width]).to_le_bytes()
        };
        (0..count.div_ceil(BLOCK)).flat_map(block).collect()
    })
}

/// The checksums of the blocks of a sketch.
fn checksums_of_sketch(sketch: &SketchBlock, zones: Zones) -> Vec<u8> {
    sketch.groups.chunks(BLOCK * zones.width()).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect()
}
