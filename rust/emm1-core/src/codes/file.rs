//! The file of codes beside an embedding file.
//!
//! A container (`sections`) with these kinds of sections:
//!
//! ```text
//! mean      dims × f32
//! source    files × 32 bytes: the identity (`FileId`) of each file that was coded, u64 each: size, time of change, time of
//!           change of the inode (nanoseconds since 1970), inode; written anew where rows were compared
//! rows      blocks × u32: CRC-32 of the components of each block of 64 rows, as they lie in the embedding file
//! checks    5 × blocks × u32: CRC-32 of each block of records, then of each block of each plane
//! records   rows × 16 bytes (`Record`)
//! high1     rows × bytes of the first part of a row (`Parts`), then at least 64 zeros: high nibbles of the first part
//! high2     likewise, of the second part
//! low1      low nibbles of the first part
//! low2      of the second
//! ```
//!
//! It is written beside its place under a name of its own and renamed when complete.

use std::fs::Permissions;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::belonging::{self, Keep, Verdict, judge, rows_of, settle, to_bytes};
use super::checks::{BLOCK, Checks, Compared, KINDS, damaged};
use super::sections::{Kind, Sections, Shape};
use crate::bound::Level;
use crate::codes::{Block, Coded, Encoder, Parts, Record};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::identity::FileId;
use crate::kernel::{Plane, SLACK};
use crate::matrix::{Map, Matrix, Reading, View};
use crate::parallel::{Stop, in_parallel};

const MEAN: &Kind = b"mean\0\0\0\0";
const SOURCE: &Kind = b"source\0\0";
const ROWS: &Kind = b"rows\0\0\0\0";
const CHECKS: &Kind = b"checks\0\0";
const RECORDS: &Kind = b"records\0";
const PLANES: [&Kind; 4] = [b"high1\0\0\0", b"high2\0\0\0", b"low1\0\0\0\0", b"low2\0\0\0\0"];
/// Rows whose mean is taken as that of all.
const SAMPLE: usize = 4096;
/// Components coded at a time.
const COMPONENTS: usize = 1 << 20;
/// Components up to which no sum of products, 255 · 127 each, overflows 32 bits.
pub(crate) const MOST_CODED: usize = 1 << 16;

/// Codes of an embedding file, mapped.
#[derive(Debug)]
pub struct CodesFile {
    path: PathBuf,
    map: Map,
    /// What the file itself was when it was opened.
    id: FileId,
    encoder: Encoder,
    rows: usize,
    places: Places,
    compared: Compared,
    /// The last verdict on the embedding file.
    verdict: Mutex<Verdict>,
}

/// Where each section lies.
#[derive(Debug)]
struct Places {
    mean: Range<usize>,
    source: Range<usize>,
    rows: Range<usize>,
    checks: Range<usize>,
    records: Range<usize>,
    planes: [Range<usize>; 4],
}

impl Places {
    /// Of the sections of codes of this shape; None where one is missing or of another length.
    fn of(sections: &Sections, shape: Shape) -> Option<Self> {
        let place = |kind| sections.get(kind);
        let sized = |kind| {
            let length = lengths(shape, 0).into_iter().find(|(other, _)| other == kind)?.1;
            place(kind).filter(|place| Some(place.len()) == length)
        };
        let planes = PLANES.map(sized);
        let [Some(first), Some(second), Some(third), Some(fourth)] = planes else { return None };
        Some(Self {
            mean: sized(MEAN)?,
            source: place(SOURCE)?,
            rows: sized(ROWS)?,
            checks: sized(CHECKS)?,
            records: sized(RECORDS)?,
            planes: [first, second, third, fourth],
        })
    }
}

/// The sections of codes and their lengths; None for one that no file can hold.
fn lengths(shape: Shape, files: usize) -> [(Kind, Option<usize>); 9] {
    let blocks = shape.rows.div_ceil(BLOCK);
    let plane = |level: Level| {
        let width = Parts::of(shape.dims).widths[level.part()];
        (*PLANES[level as usize], shape.rows.checked_mul(width).and_then(|bytes| bytes.checked_add(SLACK)))
    };
    let [first, second, third, fourth] = Level::ALL.map(plane);
    [
        (*MEAN, shape.dims.checked_mul(size_of::<f32>())),
        (*SOURCE, Some(files * FileId::WORDS * size_of::<u64>())),
        (*ROWS, blocks.checked_mul(size_of::<u32>())),
        (*CHECKS, blocks.checked_mul(KINDS * size_of::<u32>())),
        (*RECORDS, shape.rows.checked_mul(Record::BYTES)),
        first,
        second,
        third,
        fourth,
    ]
}

impl Shape {
    fn of(matrix: &Matrix) -> Self {
        Self { rows: matrix.rows(), dims: matrix.dims(), dtype: matrix.dtype() as usize }
    }
}

impl CodesFile {
    /// Where the codes of an embedding file lie unless another place is named: `image.npy.codes`.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".codes");
        PathBuf::from(name)
    }

    /// Opens the codes of a matrix, if there are any; what there is to say about it is added to `remarks`.
    pub(crate) fn open(
        path: &Path,
        matrix: &Matrix,
        keep: Keep,
        remarks: &mut Vec<String>,
        stop: Stop<'_>,
    ) -> Result<Option<Self>> {
        let map = match Map::open(path) {
            Ok(map) => map,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(Error::File(..)) if path.is_dir() => return Ok(None), // nothing that could be codes
            Err(Error::File(_, what)) => {
                remarks.push(unused(path, &what));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(why) = why_no_codes(matrix) {
            remarks.push(why.to_string());
            return Ok(None);
        }
        match Self::read(path, map, matrix) {
            Ok(codes) => codes.judged(matrix, keep, remarks, stop),
            Err(why) => {
                remarks.push(unused(path, &why));
                Ok(None)
            }
        }
    }

    /// Reads what does not depend on the rows; the error says why the codes cannot be used.
    fn read(path: &Path, map: Map, matrix: &Matrix) -> std::result::Result<Self, String> {
        let bytes = map.bytes();
        if !Sections::is_of_this_version(bytes) {
            let other = Sections::is_of_the_family(bytes);
            return Err(if other { "is of another version of emm1" } else { "is not a file of codes" }.into());
        }
        let damaged = || "is damaged".to_owned();
        let (shape, sections) = Sections::read(bytes).ok_or_else(damaged)?;
        if shape != Shape::of(matrix) {
            return Err("is of another embedding file".into());
        }
        let places = Places::of(&sections, shape).ok_or_else(damaged)?;
        let mean: Vec<f32> =
            bytes[places.mean.clone()].as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw)).collect();
        if !mean.iter().all(|value| value.is_finite()) {
            return Err(damaged());
        }
        Ok(Self {
            id: map.check(path).map_err(|error| error.to_string())?,
            path: path.to_owned(),
            encoder: Encoder::new(mean).map_err(|error| error.to_string())?,
            rows: shape.rows,
            places,
            compared: Compared::none(shape.rows),
            verdict: Mutex::new(Verdict { identity: Vec::new(), belongs: false }),
            map,
        })
    }

    /// The codes, if they are those of the matrix.
    fn judged(self, matrix: &Matrix, keep: Keep, remarks: &mut Vec<String>, stop: Stop<'_>) -> Result<Option<Self>> {
        let identity = matrix.identity()?;
        let verdict = if to_bytes(&identity) == self.map.bytes()[self.places.source.clone()] {
            Verdict { identity, belongs: true }
        } else {
            let verdict = judge(matrix, self.checksums_of_rows(), self.id, true, stop)?;
            let verdict = verdict.unwrap_or(Verdict { identity: Vec::new(), belongs: false });
            remarks.push(if verdict.belongs {
                let (codes, file) = (self.path.display(), matrix.path().display());
                format!("{codes}: {file} was copied, moved or written since it was coded; its rows are the same, all were compared")
            } else {
                unused(&self.path, "is of another embedding file, or of an earlier state of this one")
            });
            if verdict.belongs && keep == Keep::InFile {
                // Where it cannot be written, the verdict is that of this process.
                let _ = belonging::keep(&self.path, self.id, self.places.source.clone(), &verdict.identity);
            }
            verdict
        };
        let belongs = verdict.belongs;
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
        Ok(belongs.then_some(self))
    }

    /// Makes the codes of a matrix, in bounded memory.
    ///
    /// # Errors
    /// A row holds NaN or an infinity, the place cannot be written, the file lies where nothing tells that it was written
    /// to, or `stop` said so; nothing is left behind then.
    pub fn build(
        path: &Path,
        file: &EmbeddingFile,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
        stop: Stop<'_>,
    ) -> Result<()> {
        let matrix = file.matrix();
        if let Some(why) = why_no_codes(matrix) {
            return Err(why);
        }
        settle(matrix, true)?;
        let identity = matrix.identity()?;
        let failed = |error: std::io::Error| Error::cannot_write(path, &error);
        let written = beside(path).map_err(failed)?;
        write(written.as_file(), path, file, &identity, threads, progress, stop)?;
        if matrix.identity()? != identity {
            return Err(Error::file(matrix.path(), "changed while its codes were made: make them again"));
        }
        written.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> usize {
        self.map.bytes().len()
    }

    /// Whether the embedding file is still the one that was coded, and the codes are sound as far as they were read.
    pub(crate) fn can_be_used(&self, matrix: &Matrix, stop: Stop<'_>) -> Result<bool> {
        if self.found_damage() {
            return Ok(false);
        }
        let identity = matrix.identity()?;
        let verdict = || self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(belongs) = Some(verdict()).filter(|last| last.identity == identity).map(|last| last.belongs) {
            return Ok(belongs);
        }
        // Not under the lock: `stop` may run what it likes, a search of this file too.
        let Some(now) = judge(matrix, self.checksums_of_rows(), self.id, false, stop)? else { return Ok(false) };
        let belongs = now.belongs;
        *verdict() = now;
        Ok(belongs)
    }

    /// Whether a block of codes was not what was written.
    pub(crate) fn found_damage(&self) -> bool {
        self.compared.found_damage()
    }

    /// Whether it is for the caller to say so: true once.
    pub(crate) fn is_to_be_said(&self) -> bool {
        self.compared.is_to_be_said()
    }

    /// Codes every row anew and compares.
    ///
    /// # Errors
    /// The codes are not those of the rows: the message says what to do. Or `stop` said so.
    pub(crate) fn verify(&self, file: &EmbeddingFile, threads: usize, stop: Stop<'_>) -> Result<()> {
        let coded = self.coded()?;
        let block = block_of(self.encoder.mean().len());
        in_parallel(threads, (0..self.rows).step_by(block), stop, |begin| {
            let view = file.matrix().view(Reading::Much)?;
            let rows = begin..self.rows.min(begin + block);
            let anew = self.encoder.block(rows.len(), |number, row| file.finite_row(&view, begin + number, row))?;
            for block in begin / BLOCK..rows.end.div_ceil(BLOCK) {
                let rows = rows_of(block, self.rows);
                let numbers: Vec<u32> = rows.clone().map(|row| row as u32).collect();
                coded.check_records(&numbers)?;
                Level::ALL.into_iter().try_for_each(|level| coded.check_plane(level, &numbers))?;
                if view.checksum(rows.clone())?.to_le_bytes() != self.checksums_of_rows()[block] {
                    let text = format!(
                        "is not that of {} any more: row {} or one soon after it was written to since. Make it again",
                        file.matrix().path().display(),
                        rows.start
                    );
                    return Err(Error::file(&self.path, text));
                }
            }
            let differs = anew.records != coded.records[rows.clone()].as_flattened()
                || coded.planes.iter().zip(&anew.planes).any(|(plane, anew)| {
                    plane.bytes[rows.start * plane.width..rows.end * plane.width] != anew[..rows.len() * plane.width]
                });
            if differs { Err(damaged(&self.path, begin)) } else { Ok(()) }
        })
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The codes as they are now; checks that the file was not cut.
    pub(crate) fn coded(&self) -> Result<Coded<'_>> {
        self.map.check(&self.path)?;
        let (bytes, places) = (self.map.bytes(), &self.places);
        let plane = |level: Level| {
            let width = self.encoder.parts().widths[level.part()];
            Plane { bytes: &bytes[places.planes[level as usize].clone()], width }
        };
        let checksums: &[[u8; 4]] = bytes[places.checks.clone()].as_chunks().0;
        let blocks = self.rows.div_ceil(BLOCK);
        let checks = Checks {
            path: &self.path,
            compared: &self.compared,
            checksums: std::array::from_fn(|kind| &checksums[kind * blocks..(kind + 1) * blocks]),
        };
        let records = bytes[places.records.clone()].as_chunks().0;
        Ok(Coded { records, planes: Level::ALL.map(plane), checks: Some(checks) })
    }

    fn checksums_of_rows(&self) -> &[[u8; 4]] {
        self.map.bytes()[self.places.rows.clone()].as_chunks().0
    }
}

/// Why a matrix can have no codes, if it cannot.
pub(crate) fn why_no_codes(matrix: &Matrix) -> Option<Error> {
    let dims = matrix.dims();
    if dims > MOST_CODED {
        let text =
            format!("its vectors have {dims} components, codes at most {MOST_CODED}: it is searched without codes");
        return Some(Error::file(matrix.path(), text));
    }
    let disk = matrix.hides_writes()?;
    Some(Error::file(
        matrix.path(),
        format!(
            "lies on {disk}, where a write through a memory map leaves no trace, so that codes cannot be trusted: they are \
             neither made nor used there. Move it to a local disk (ext4, XFS, Btrfs), or search without codes"
        ),
    ))
}

/// What to say of codes that are there and are not used.
fn unused(path: &Path, why: &str) -> String {
    format!(
        "{}: {why}. It is not used, which changes no answer and makes searches slower: make it again (`build_codes`, or \
         `emm1 embeddings add --replace`)",
        path.display()
    )
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

/// Rows coded at a time: whole blocks.
fn block_of(dims: usize) -> usize {
    (COMPONENTS / dims).max(1).next_multiple_of(BLOCK)
}

/// A file beside a place, under a name that no one else has; it goes away unless it is persisted.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".building");
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666)); // less the umask
    builder.tempfile_in(folder)
}

fn write(
    file: &std::fs::File,
    path: &Path,
    source: &EmbeddingFile,
    identity: &[FileId],
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
    stop: Stop<'_>,
) -> Result<()> {
    let matrix = source.matrix();
    let shape = Shape::of(matrix);
    let too_large = || Error::file(matrix.path(), "is too large for codes");
    let mut sections = Sections::place(&lengths(shape, identity.len())).ok_or_else(too_large)?;
    let places = Places::of(&sections, shape).expect("all have a place");
    let encoder = Encoder::new(sampled_mean(&matrix.view(Reading::Much)?, shape.rows, shape.dims)?)?;
    let failed = |error: std::io::Error| Error::cannot_write(path, &error);
    file.set_len(sections.end() as u64).map_err(failed)?;
    let turn = Mutex::new(file);
    let put = |at: usize, bytes: &[u8]| {
        let mut file = turn.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at as u64)).and_then(|_| file.write_all(bytes)).map_err(failed)
    };
    let mean: Vec<u8> = encoder.mean().iter().flat_map(|value| value.to_le_bytes()).collect();
    sections.vouch(MEAN, &mean);
    put(places.mean.start, &mean)?;
    put(places.source.start, &to_bytes(identity))?;

    let (block, blocks) = (block_of(shape.dims), shape.rows.div_ceil(BLOCK));
    let done = AtomicUsize::new(0);
    in_parallel(threads, (0..shape.rows).step_by(block), stop, |begin| {
        let view = matrix.view(Reading::Much)?;
        let count = block.min(shape.rows - begin);
        let coded = encoder.block(count, |number, row| source.finite_row(&view, begin + number, row))?;
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
        for (kind, checksums) in checksums(&coded, count, encoder.parts()).iter().enumerate() {
            put(places.checks.start + kind * blocks * size_of::<u32>() + first, checksums)?;
        }
        progress(done.fetch_add(count, Ordering::Relaxed) + count);
        Ok(())
    })?;
    put(0, &sections.header(shape))?;
    file.sync_all().map_err(failed)
}

/// The checksums of the blocks of records, and of each plane.
fn checksums(coded: &Block, count: usize, parts: Parts) -> [Vec<u8>; KINDS] {
    std::array::from_fn(|kind| {
        let (bytes, width) = match kind {
            0 => (&coded.records, Record::BYTES),
            _ => (&coded.planes[kind - 1], parts.widths[Level::ALL[kind - 1].part()]),
        };
        let block = |block: usize| {
            let rows = rows_of(block, count);
            crc32fast::hash(&bytes[rows.start * width..rows.end * width]).to_le_bytes()
        };
        (0..count.div_ceil(BLOCK)).flat_map(block).collect()
    })
}
