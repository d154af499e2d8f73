//! The file of codes beside an embedding file.
//!
//! ```text
//! 64 bytes   "emm1cod3", then u64 each: rows, dims, stamp of the embedding file, checksum (CRC-32) of all that follows
//! mean       dims × f32
//! records    rows × 16 bytes
//! 4 planes   rows × bytes of their part of a row (`Parts`), then at least 64 zeros: the high nibbles of the first part,
//!            those of the second, then the low ones
//! ```
//!
//! Each begins at a multiple of 64 bytes, a line of the cache, and zeros fill the gaps. All numbers are little-endian. It is
//! written beside its place and renamed when complete.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bound::Level;
use crate::codes::{Coded, Encoder, Parts, Record};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::kernel::{Plane, SLACK};
use crate::matrix::{Map, Matrix, Reading, View};
use crate::parallel::{Stop, in_parallel};

const MAGIC: &[u8; 8] = b"emm1cod3";
const HEADER: usize = 64;
/// Bytes of a line of the cache: a load that lies in two of them is slower.
const LINE: usize = 64;
/// Rows whose mean is taken as that of all.
const SAMPLE: usize = 4096;
/// Components coded at a time.
const BLOCK: usize = 1 << 20;

/// Codes of an embedding file, mapped.
#[derive(Debug)]
pub struct CodesFile {
    path: PathBuf,
    map: Map,
    encoder: Encoder,
    rows: usize,
}

/// Where what is in a file begins.
struct Places {
    records: usize,
    planes: [usize; 4],
    end: usize,
}

impl Places {
    fn of(rows: usize, dims: usize) -> Option<Self> {
        let records = HEADER + (4 * dims).next_multiple_of(LINE);
        let mut end = rows.checked_mul(Record::BYTES)?.checked_next_multiple_of(LINE)?.checked_add(records)?;
        let mut planes = [0; 4];
        for level in Level::ALL {
            planes[level as usize] = end;
            let width = Parts::of(dims).widths[level.part()];
            let bytes = rows.checked_mul(width)?.checked_add(SLACK)?.checked_next_multiple_of(LINE)?;
            end = end.checked_add(bytes)?;
        }
        Some(Self { records, planes, end })
    }
}

impl CodesFile {
    /// Where the codes of an embedding file lie unless another place is named: `image.npy.codes`.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".codes");
        PathBuf::from(name)
    }

    /// Opens the codes of a matrix; None where there are none, or those of another file or of another time.
    pub fn open(path: &Path, matrix: &Matrix) -> Result<Option<Self>> {
        let map = match Map::open(path) {
            Ok(map) => map,
            Err(Error::NotFound(_) | Error::File(..)) => return Ok(None), // none, or nothing that could be codes
            Err(error) => return Err(error),
        };
        let (rows, dims) = (matrix.rows(), matrix.dims());
        let bytes = map.bytes();
        let Some(places) = Places::of(rows, dims).filter(|places| places.end == bytes.len()) else { return Ok(None) };
        if bytes[..32] != header(matrix)?[..32] {
            return Ok(None);
        }
        let mean: Vec<f32> =
            bytes[HEADER..places.records].as_chunks().0[..dims].iter().map(|&raw| f32::from_le_bytes(raw)).collect();
        if !mean.iter().all(|value| value.is_finite()) {
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), encoder: Encoder::new(mean)?, rows, map }))
    }

    /// Makes the codes of a matrix, in bounded memory.
    ///
    /// # Errors
    /// A row holds NaN or an infinity, the place cannot be written, or `stop` said so; nothing is left behind then.
    pub fn build(
        path: &Path,
        file: &EmbeddingFile,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
        stop: Stop<'_>,
    ) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.building", std::process::id()));
        let beside = PathBuf::from(name);
        let written = write(&beside, file, threads, progress, stop)
            .and_then(|()| fs::rename(&beside, path).map_err(|error| Error::cannot_write(path, &error)));
        if written.is_err() {
            let _ = fs::remove_file(&beside); // it may not be there
        }
        written?;
        let matrix = file.matrix();
        Self::open(path, matrix)?
            .ok_or_else(|| Error::file(matrix.path(), "changed while its codes were made: make them again"))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> usize {
        self.map.bytes().len()
    }

    /// Whether the embedding file is still the one that was coded.
    pub(crate) fn belongs_to(&self, matrix: &Matrix) -> Result<bool> {
        Ok(word(self.map.bytes(), 24) == matrix.stamp()?)
    }

    /// Whether the content is what was written.
    ///
    /// # Errors
    /// It is not: the message says what to do.
    pub fn verify(&self) -> Result<()> {
        self.map.check(&self.path)?;
        let bytes = self.map.bytes();
        if word(bytes, 32) == u64::from(crc32fast::hash(&bytes[HEADER..])) {
            return Ok(());
        }
        Err(Error::file(
            &self.path,
            "is damaged: its content does not have the checksum it was written with. Remove it, then make it again",
        ))
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The codes as they are now; checks that the file was not cut.
    pub(crate) fn coded(&self) -> Result<Coded<'_>> {
        self.map.check(&self.path)?;
        let bytes = self.map.bytes();
        let places = Places::of(self.rows, self.encoder.mean().len()).expect("they were computed when it was opened");
        let plane = |level: Level| {
            let end = places.planes.get(level as usize + 1).unwrap_or(&places.end);
            let width = self.encoder.parts().widths[level.part()];
            Plane { bytes: &bytes[places.planes[level as usize]..*end], width }
        };
        let records = &bytes[places.records..places.planes[0]].as_chunks().0[..self.rows];
        Ok(Coded { records, planes: Level::ALL.map(plane) })
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The header of the codes of a matrix, but for the checksum.
fn header(matrix: &Matrix) -> Result<[u8; HEADER]> {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    let words = [matrix.rows() as u64, matrix.dims() as u64, matrix.stamp()?];
    for (place, word) in header[8..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Ok(header)
}

/// The mean of rows that are evenly spread over the matrix; zeros where it is not finite.
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

fn write(
    path: &Path,
    source: &EmbeddingFile,
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
    stop: Stop<'_>,
) -> Result<()> {
    let matrix = source.matrix();
    let (rows, dims) = (matrix.rows(), matrix.dims());
    let places = Places::of(rows, dims).ok_or_else(|| Error::file(matrix.path(), "is too large for codes"))?;
    let mut header = header(matrix)?;
    let encoder = Encoder::new(sampled_mean(&matrix.view(Reading::Much)?, rows, dims)?)?;
    let failed = |error: std::io::Error| Error::cannot_write(path, &error);
    let file = File::create_new(path).map_err(failed)?;
    file.set_len(places.end as u64).map_err(failed)?;
    let file = Mutex::new(file);
    let put = |at: usize, bytes: &[u8]| {
        let mut file = file.lock().expect("no thread panicked while it wrote");
        file.seek(SeekFrom::Start(at as u64)).and_then(|_| file.write_all(bytes)).map_err(failed)
    };
    let mean: Vec<u8> = encoder.mean().iter().flat_map(|value| value.to_le_bytes()).collect();
    put(HEADER, &mean)?;

    let block = (BLOCK / dims).max(1);
    let done = AtomicUsize::new(0);
    in_parallel(threads, (0..rows).step_by(block), stop, |begin| {
        let view = matrix.view(Reading::Much)?;
        let count = block.min(rows - begin);
        let coded = encoder.block(count, |number, row| source.finite_row(&view, begin + number, row))?;
        put(places.records + begin * Record::BYTES, &coded.records)?;
        for (level, plane) in Level::ALL.into_iter().zip(&coded.planes) {
            let width = encoder.parts().widths[level.part()];
            put(places.planes[level as usize] + begin * width, &plane[..count * width])?;
        }
        progress(done.fetch_add(count, Ordering::Relaxed) + count);
        Ok(())
    })?;
    let checksum = crc32fast::hash(&Map::open(path)?.bytes()[HEADER..]);
    header[32..40].copy_from_slice(&u64::from(checksum).to_le_bytes());
    put(0, &header)?;
    let file = file.into_inner().expect("no thread panicked while it wrote");
    file.sync_all().map_err(failed)
}
